//! Keywords that change what a virtual router does, each from keepalived.conf to the trace of a node (reference 1.11, 1.16).
#![allow(clippy::unwrap_used, reason = "a test")]

mod behaviour;

use behaviour::{Row, Stage, conf, play};
use standfast_core::action::Action;
use standfast_core::config::model::{Family, Version};
use standfast_core::input::Input;
use standfast_core::wire::vrrp::View;

const START: &[Row] = &[
    (
        "vrrp_delay_after_boot counts from the boot of the machine, 100 s ago, and what is heard meanwhile does not",
        "global_defs {\nvrrp_delay_after_boot 105\n}\nvrrp_instance V {\ninterface eth0\nvirtual_router_id 7\n}",
        "hear 200; +4; hear 200; count advert_rcvd 0; +4.7",
        "0.000 BACKUP
         8.609 A 100
         8.609 MASTER",
    ),
    (
        "a boot that is longer ago delays nothing",
        "global_defs {\nvrrp_delay_after_boot 100\n}\nvrrp_instance V {\ninterface eth0\nvirtual_router_id 7\n}",
        "+3.7",
        "0.000 BACKUP
         3.609 A 100
         3.609 MASTER",
    ),
    (
        "of vrrp_startup_delay and vrrp_delay_after_boot the later end counts",
        "global_defs {\nvrrp_delay_after_boot 105\nvrrp_startup_delay 7\n}\n\
         vrrp_instance V {\ninterface eth0\nvirtual_router_id 7\n}",
        "+10.7",
        "0.000 BACKUP
         10.609 A 100
         10.609 MASTER",
    ),
];

const UNICAST: &[Row] = &[
    (
        "unicast_fault_no_peer without a peer is a fault for good",
        "unicast_src_ip 192.0.2.10; unicast_fault_no_peer",
        "+20",
        "0.000 FAULT",
    ),
    (
        "unicast_fault_no_peer with a peer changes nothing",
        "unicast_src_ip 192.0.2.10; unicast_fault_no_peer; unicast_peer {; 192.0.2.20; }",
        "+4",
        "0.000 BACKUP
         3.609 A 100 > 192.0.2.20
         3.609 +192.0.2.100
         3.609 MASTER
         3.609 G 192.0.2.100 x5",
    ),
    (
        "a reload that brings the peer ends the fault",
        "unicast_src_ip 192.0.2.10; unicast_fault_no_peer",
        "+5; reload unicast_fault_no_peer => unicast_fault_no_peer|unicast_peer {|192.0.2.20|}; is BACKUP",
        "0.000 FAULT
         5.000 BACKUP
         5.000 G 192.0.2.10",
    ),
    (
        "unicast_src_ip without a peer falls back to multicast",
        "unicast_src_ip 192.0.2.10",
        "+3.7; clear; +1",
        "4.609 A 100",
    ),
    (
        "two lists of peers that disagree are told once, counted, and heard",
        "unicast_peer {; 192.0.2.30; }",
        "hear 200; +1; hear 200; +1; hear 200; count not_listed 3; count advert_rcvd 3; +3; is BACKUP",
        "0.000 BACKUP
         0.000 odd 192.0.2.20 it is none of our unicast_peers (not_listed), so it does not hear us",
    ),
    (
        "check_unicast_src hears peers only",
        "unicast_peer {; 192.0.2.30; }; check_unicast_src",
        "hear 200; hear 200 from=192.0.2.30; count not_a_peer 1; count advert_rcvd 1",
        "0.000 BACKUP
         0.000 drop 192.0.2.20 not_a_peer",
    ),
    (
        "min_ttl and max_ttl are ranges with both ends, and check the source",
        "unicast_peer {; 192.0.2.20 min_ttl 64 max_ttl 128; 192.0.2.30; }",
        "hear 200 ttl=64; hear 200 ttl=128; count advert_rcvd 2; hear 200 ttl=63; hear 200 ttl=129; \
         count ip_ttl_err 2; hear 200 from=192.0.2.30 ttl=1; count advert_rcvd 3; hear 9 from=192.0.2.31; count not_a_peer 1",
        "0.000 BACKUP
         0.000 drop 192.0.2.20 ip_ttl_err
         0.000 drop 192.0.2.31 not_a_peer",
    ),
    (
        "the checksum of keepalived 1.3.6 is taken from a peer",
        "version 3; unicast_peer {; 192.0.2.20; }",
        "hear 200 sum=old; hear 200 sum=old; count advert_rcvd 2; hear 200 sum=bad; count chk_err 1",
        "0.000 BACKUP
         0.000 odd 192.0.2.20 its checksum is that of keepalived up to 1.3.6, as ours is from now on
         0.000 drop 192.0.2.20 chk_err",
    ),
    (
        "old_unicast_checksum never takes none",
        "version 3; unicast_peer {; 192.0.2.20; }; old_unicast_checksum never",
        "hear 200 sum=old; count advert_rcvd 0",
        "0.000 BACKUP
         0.000 drop 192.0.2.20 chk_err",
    ),
    (
        "by multicast the old checksum is the right one anyhow",
        "version 3",
        "hear 200 sum=old; count advert_rcvd 1",
        "0.000 BACKUP",
    ),
];

const TIMING: &[Row] = &[
    (
        "a master that slept for less than a peer like itself waits goes on",
        "nopreempt",
        "+4.61; clear; freeze 3.3; is MASTER",
        "7.910 A 100",
    ),
    (
        "timer_expired_backup reckons with a peer of priority 254",
        "nopreempt; timer_expired_backup",
        "+4.61; clear; freeze 3.3; is BACKUP; +2",
        "7.910 -192.0.2.100
         7.910 BACKUP
         9.519 A 100
         9.519 +192.0.2.100
         9.519 MASTER
         9.519 G 192.0.2.100 x5",
    ),
    (
        "timer_expired_backup 1 reckons with the slowest of peers",
        "nopreempt; timer_expired_backup 1",
        "+4.61; clear; freeze 3.7; is MASTER; freeze 3.999; is BACKUP",
        "8.310 A 100
         12.309 -192.0.2.100
         12.309 BACKUP",
    ),
    (
        "down_timer_adverts is what Master_Down counts",
        "down_timer_adverts 1; priority 254; no_virtual_ipaddress",
        "+1.1",
        "0.000 BACKUP
         1.007 A 254
         1.007 MASTER",
    ),
    (
        "down_timer_adverts 100",
        "down_timer_adverts 100; priority 254; no_virtual_ipaddress",
        "+100.1",
        "0.000 BACKUP
         100.007 A 254
         100.007 MASTER",
    ),
    (
        "version 3 has the hundredth of a second",
        "version 3; advert_int 0.01; priority 254; no_virtual_ipaddress",
        "+0.0505",
        "0.000 BACKUP
         0.030 A 254
         0.030 MASTER
         0.040 A 254
         0.050 A 254",
    ),
    (
        "version 2 rounds to whole seconds, and to no less than one",
        "advert_int 0.3; priority 254; no_virtual_ipaddress",
        "+4.1",
        "0.000 BACKUP
         3.007 A 254
         3.007 MASTER
         4.007 A 254",
    ),
    (
        "preempt_delay 0 is none",
        "preempt_delay 0; priority 254; no_virtual_ipaddress",
        "+1; hear 10; +1; hear 10; +1.1",
        "0.000 BACKUP
         3.007 A 254
         3.007 MASTER",
    ),
    (
        "preempt_delay 1000 waits as long while a lower router is heard",
        "preempt_delay 1000; advert_int 255; priority 254; no_virtual_ipaddress",
        "hear 10; +255; hear 10; +255; hear 10; +255; hear 10; +234; is BACKUP; +1.1",
        "0.000 BACKUP
         1000.000 A 254
         1000.000 MASTER",
    ),
];

const ANNOUNCE: &[Row] = &[
    (
        "garp_extra_if announces what is on other interfaces, and nothing else",
        "garp_master_delay 0; garp_master_refresh 0; garp_master_repeat 1; garp_extra_if all 20; \
         virtual_ipaddress {; 192.0.2.100/24; 198.51.100.100/24 dev eth1; }",
        "+3.7; clear; mute; +41; link eth0 down; +100",
        "23.609 G 198.51.100.100
         43.609 G 198.51.100.100
         44.700 A 0
         44.700 -198.51.100.100
         44.700 -192.0.2.100
         44.700 FAULT",
    ),
    (
        "garp_group paces its interfaces together",
        "garp_group {\ngarp_interval 0.2\ninterfaces {\neth0\neth1\n}\n}\nvrrp_instance V {\ninterface eth0\n\
         virtual_router_id 7\ngarp_master_delay 0\ngarp_master_repeat 2\n\
         virtual_ipaddress {\n192.0.2.100/24\n198.51.100.100/24 dev eth1\n}\n}",
        "+4.5",
        "0.000 BACKUP
         3.609 A 100
         3.609 +192.0.2.100
         3.609 +198.51.100.100
         3.609 MASTER
         3.609 G 192.0.2.100
         3.809 G 198.51.100.100
         4.009 G 192.0.2.100
         4.209 G 198.51.100.100",
    ),
];

/// eth0 with delays of its own.
const DELAYED: &str = "interface_up_down_delays {\neth0 1 2\n}\n\
    vrrp_instance V {\ninterface eth0\nvirtual_router_id 7\nnopreempt\n}\n";

const LINKS: &[Row] = &[
    (
        "a link that is down for less than its delay was never down, and one that is up for less not up",
        DELAYED,
        "hear 200; +1; hear 200; link eth0 down; +0.9; link eth0 up; +0.5; hear 200; link eth0 down; +0.6; is BACKUP; +0.4; \
         is FAULT; +3; link eth0 up; +1.9; link eth0 down; +0.1; link eth0 up; +1.9; is FAULT; +0.1; is BACKUP",
        "0.000 BACKUP
         3.400 FAULT
         10.400 BACKUP",
    ),
    (
        "the delay of down is cut to what the backups wait",
        "interface_up_down_delays {\neth0 5\n}\nvrrp_instance V {\ninterface eth0\nvirtual_router_id 7\n}\n",
        "hear 200; link eth0 down; +1.99; is BACKUP; +0.007; is FAULT; link eth0 up; is BACKUP",
        "0.000 BACKUP
         1.996 FAULT
         1.997 BACKUP",
    ),
    (
        "a shorter interval learnt from the master cuts it further",
        "interface_up_down_delays {\neth0 1.5\n}\nvrrp_instance V {\ninterface eth0\nvirtual_router_id 7\nversion 3\n\
         no_virtual_ipaddress\n}\n",
        "hear 200 every=0.1; link eth0 down; +0.198; is BACKUP; +0.002; is FAULT",
        "0.000 BACKUP
         0.000 odd 192.0.2.20 its interval is 100ms, not 1s (interval_differs)
         0.199 FAULT",
    ),
    (
        "a link that goes altogether is gone at once",
        DELAYED,
        "hear 200; link eth0 gone; is FAULT",
        "0.000 BACKUP
         0.000 FAULT",
    ),
    (
        "dont_track_primary goes on without its link",
        "dont_track_primary",
        "+4; link eth0 down; is MASTER; mute; clear; +5; is MASTER",
        "8.609 G 192.0.2.100 x5",
    ),
];

/// Two routers; `W` has every hook and goes with a reload.
fn pair(deleted: &str) -> String {
    let second =
        conf(&format!("{deleted}; notify /n; notify_fault /f; virtual_ipaddress {{; 192.0.2.101; }}"));
    let second = second.replace("vrrp_instance V", "vrrp_instance W").replace("_id 7", "_id 8");
    format!("global_defs {{\nnotify_fifo /run/p\n}}\n{}{second}", conf(""))
}

/// What a story with a pair of routers leaves, after the second one is gone.
fn removed(deleted: &str, before: &str) -> String {
    let text = pair(deleted);
    let mut stage = Stage::new(&text);
    stage.tell(before);
    stage.tell("clear");
    let config = behaviour::config_of(&text[..text.find("vrrp_instance W").unwrap()]);
    stage.feed(Input::Configure(std::sync::Arc::new(config)));
    stage.trace().lines().map(|line| line.split_once(' ').unwrap().1).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_start_is_delayed_as_the_two_keywords_say() {
    play(START);
}

#[test]
fn peers_are_heard_and_told_apart_as_the_keywords_say() {
    play(UNICAST);
}

#[test]
fn times_are_those_of_the_keywords() {
    play(TIMING);
}

#[test]
fn announcements_go_where_and_when_the_keywords_say() {
    play(ANNOUNCE);
}

#[test]
fn links_are_believed_when_the_keywords_say() {
    play(LINKS);
}

#[test]
fn a_removed_router_is_told_as_fault_or_as_deleted_or_not_at_all() {
    let deleted = "run /n INSTANCE W DELETED 100\nfifo INSTANCE \"W\" DELETED 100";
    let fault = "INIT\nrun /f\nrun /n INSTANCE W FAULT 100\nfifo INSTANCE \"W\" FAULT 100";
    let rows = [
        ("", "+1", fault.to_owned()),
        ("notify_deleted", "+1", format!("INIT\n{deleted}")),
        ("notify_deleted /d", "+1", format!("INIT\nrun /d\n{deleted}")),
        // One in FAULT has told so already.
        ("", "link eth0 down", "INIT".to_owned()),
        ("notify_deleted", "link eth0 down", format!("INIT\n{deleted}")),
    ];
    for (deleted, before, wanted) in rows {
        assert_eq!(removed(deleted, before), wanted, "{deleted} {before}");
    }
}

#[test]
fn fifo_write_vrrp_states_on_reload_tells_every_state_even_when_nothing_changed() {
    let text = pair("priority 50").replace("/run/p\n", "/run/p\nfifo_write_vrrp_states_on_reload\n");
    let mut stage = Stage::new(&text);
    stage.tell("+4.2; hear 60 of=W; clear; reload; reload priority 50 => priority 40");
    assert_eq!(
        stage.trace(),
        "4.200 fifo INSTANCE \"V\" MASTER 100\n4.200 fifo INSTANCE \"W\" BACKUP 50\n\
         4.200 fifo INSTANCE \"V\" MASTER 100\n4.200 fifo INSTANCE \"W\" BACKUP 40"
    );
    let mut silent = Stage::new(&pair("priority 50"));
    silent.tell("+4.2; clear; reload");
    assert_eq!(silent.trace(), "");
}

#[test]
fn old_unicast_checksum_is_sent_when_told_and_after_a_peer_sent_it() {
    for (keyword, heard, old) in [
        ("old_unicast_checksum", "", true),
        ("", "hear 200 sum=old", true),
        ("", "hear 200", false),
        ("", "hear 200 sum=old from=192.0.2.66", false),
        ("old_unicast_checksum never", "hear 200 sum=old", false),
    ] {
        let mut stage = Stage::new(&conf(&format!("version 3; unicast_peer {{; 192.0.2.20; }}; {keyword}")));
        stage.tell(&format!("{heard}; +3.5"));
        let (from, to) = ("192.0.2.10".parse().unwrap(), "192.0.2.20".parse().unwrap());
        let mut sent = 0;
        for _ in 0..3 {
            let (at, _) = stage.node.deadline().unwrap();
            stage.now = stage.now.max(at);
            stage.node.handle(stage.now, Input::Tick);
            while let Some(action) = stage.node.poll() {
                let Action::Advertise { payload, .. } = action else { continue };
                let view = View::new(&payload, Version::V3, Family::V4).unwrap();
                assert_eq!(view.checksum_is_old(from), old, "{keyword} {heard}");
                assert_eq!(view.checksum_is_right(from, to), !old, "{keyword} {heard}");
                sent += 1;
            }
        }
        assert!(sent > 0, "{keyword} {heard}");
    }
}

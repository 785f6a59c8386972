//! How a virtual router starts, becomes master, leaves, fails and is reloaded, row by row (reference 2.3, 2.7 to 2.12, 2.16 to
//! 2.18), with every hook told; and the strict mode's whole list (1.17).
#![allow(clippy::unwrap_used, reason = "a test")]

mod behaviour;

use behaviour::{Row, Stage, conf, config_of, play};
use standfast_core::config::model::{Authentication, Version};
use std::time::Duration;

const ROWS: &[Row] = &[
    (
        "start, takeover and fault tell the specific command first, then notify",
        "garp_master_repeat 1; garp_master_delay 0; notify_master /m; notify_backup /b; notify_fault /f; notify /n",
        "+3.7; link eth0 down; +1; link eth0 up",
        "0.000 BACKUP
         0.000 run /b
         0.000 run /n INSTANCE V BACKUP 100
         3.609 A 100
         3.609 +192.0.2.100
         3.609 MASTER
         3.609 run /m
         3.609 run /n INSTANCE V MASTER 100
         3.609 G 192.0.2.100
         3.700 A 0
         3.700 -192.0.2.100
         3.700 FAULT
         3.700 run /f
         3.700 run /n INSTANCE V FAULT 100
         4.700 BACKUP
         4.700 run /b
         4.700 run /n INSTANCE V BACKUP 100",
    ),
    (
        "an instance without an address runs its hooks and nothing else",
        "no_virtual_ipaddress; notify_master /m; notify_backup /b",
        "+3.7; hear 200",
        "0.000 BACKUP
         0.000 run /b
         3.609 A 100
         3.609 MASTER
         3.609 run /m
         3.700 A 100
         3.700 BACKUP
         3.700 run /b",
    ),
    (
        "nopreempt survives a fault: all of Master_Down is waited, and a lower master is left alone",
        "nopreempt; priority 200",
        "+4; clear; mute; link eth0 down; +5; link eth0 up; +1; hear 50; +3; hear 50; +3.2; is BACKUP; +0.1; is MASTER; clear",
        "",
    ),
    (
        "a master whose source address goes is in fault, and back with it",
        "priority 200",
        "+4; clear; address -192.0.2.10/24 eth0; +1; address +192.0.2.10/24 eth0",
        "4.000 -192.0.2.100
         4.000 FAULT
         5.000 BACKUP",
    ),
    (
        "one of two addresses taken away gives up both, and the election starts with the skew",
        "virtual_ipaddress {; 192.0.2.100/24; 192.0.2.101/24; }; garp_master_repeat 1; garp_master_delay 0",
        "+4; clear; address -192.0.2.101/24 eth0; +0.7",
        "4.000 lost 192.0.2.101/24
         4.000 A 0
         4.000 -192.0.2.100
         4.000 BACKUP
         4.609 A 100
         4.609 +192.0.2.100
         4.609 +192.0.2.101
         4.609 MASTER
         4.609 G 192.0.2.100
         4.609 G 192.0.2.101",
    ),
    (
        "no_track: taken away, put back in place",
        "virtual_ipaddress {; 192.0.2.100/24 no_track; }",
        "+4; mute; clear; address -192.0.2.100/24 eth0; is MASTER",
        "4.000 +192.0.2.100
         4.000 G 192.0.2.100 x5",
    ),
    (
        "a lower priority after a reload is advertised and left to the election",
        "priority 200",
        "+4; clear; reload priority 200 => priority 90; is MASTER; hear 100; is BACKUP",
        "4.000 A 90
         4.000 A 90
         4.000 -192.0.2.100
         4.000 BACKUP",
    ),
    (
        "a reload moves only the address that differs",
        "priority 200; garp_master_repeat 1",
        "+4; clear; reload 192.0.2.100/24 => 192.0.2.111/24; is MASTER",
        "4.000 +192.0.2.111
         4.000 -192.0.2.100
         4.000 A 200
         4.000 G 192.0.2.111",
    ),
    (
        "a renumbered router says farewell, is told, and starts anew",
        "priority 200; notify /n; notify_deleted",
        "+4; clear; reload virtual_router_id 7 => virtual_router_id 8",
        "4.000 A 0
         4.000 -192.0.2.100
         4.000 INIT
         4.000 run /n INSTANCE V DELETED 200
         4.000 BACKUP
         4.000 run /n INSTANCE V BACKUP 200",
    ),
    (
        "a renamed router is the same one: nothing happens but what its peers hear",
        "priority 200; notify /n",
        "+4; mute; clear; reload vrrp_instance V => vrrp_instance RENAMED; is MASTER RENAMED; +3; is MASTER RENAMED",
        "",
    ),
    (
        "two routers that exchange their names go on",
        "vrrp_instance V {\ninterface eth0\nvirtual_router_id 7\npriority 200\n}\n\
         vrrp_instance W {\ninterface eth0\nvirtual_router_id 8\npriority 200\n}\n",
        "+4; mute; clear; reload instance V => instance X; reload instance W => instance V; \
         reload instance X => instance W; +3; is MASTER V; is MASTER W; clear",
        "",
    ),
];

#[test]
fn each_row_of_the_life_of_a_router_is_as_written() {
    play(ROWS);
}

/// Routers in a sync group, as written between the braces of each.
fn group(v: &str, w: &str, group: &str) -> String {
    let other = conf(&format!("{w}; virtual_ipaddress {{; 192.0.2.101/24; }}"));
    let other = other.replace("vrrp_instance V", "vrrp_instance W").replace("_id 7", "_id 8");
    format!("vrrp_sync_group G {{\ngroup {{\nV\nW\n}}\n{group}\n}}\n{}{other}", conf(v))
}

#[test]
fn the_members_of_a_sync_group_change_together_and_the_group_is_told_once() {
    let text = group("garp_master_repeat 1", "garp_master_repeat 1", "notify /g");
    let story = "+3.7; mute; clear; hear 200 of=V; +1; clear; hear 200 of=V; hear 200 of=W; +3; hear 200 of=W; +1; is BACKUP V; \
                 is BACKUP W; +2; is BACKUP V; +0.7; is MASTER V; is MASTER W; clear; link eth0 down";
    let found = Stage::told(&text, story);
    let farewells = found.lines().filter(|line| line.contains("A 0")).count();
    assert_eq!(farewells, 2, "{found}");
    assert_eq!(found.lines().filter(|line| line.ends_with("run /g GROUP G FAULT 0")).count(), 1, "{found}");
    let lone = Stage::told(&text, "+3.7; mute; clear; hear 200 of=W; is BACKUP V; is BACKUP W");
    assert!(
        !lone.contains("A 0") && lone.contains("-192.0.2.100") && lone.contains("-192.0.2.101"),
        "{lone}"
    );
}

#[test]
fn strict_mode_has_its_complete_effect_list() {
    let one = |inside: &str| {
        let config = config_of(&conf(&format!("strict_mode; {inside}")));
        config.instances.values().next().unwrap().as_ref().clone()
    };
    assert_eq!(one("version 2; virtual_ipaddress {; fe80::64; }").router.version, Version::V3);
    assert!(!one("state MASTER; priority 200").election.wish_master);
    assert!(one("state BACKUP; priority 255").election.wish_master);
    assert_eq!(one("authentication {; auth_type PASS; auth_pass x; }").authentication, Authentication::None);
    assert_eq!(one("preempt_delay 9").election.preempt_delay, Duration::ZERO);
    assert_eq!(one("down_timer_adverts 9").election.down_adverts, 3);
    let found = one("garp_lower_prio_repeat 9; garp_lower_prio_delay 9");
    assert_eq!((found.announce.lower_repeat, found.announce.lower_delay), (0, Duration::ZERO));
    assert!(one("lower_prio_no_advert off").election.lower_no_advert);
    assert!(!one("higher_prio_send_advert").election.last_advert);
    assert!(one("priority 255; owner_ignore_adverts off").election.owner_ignores);
    assert!(!one("priority 254; owner_ignore_adverts").election.owner_ignores);
    let refused = std::panic::catch_unwind(|| config_of(&conf("strict_mode; no_virtual_ipaddress")));
    assert!(refused.is_err(), "strict and no address");
    // As master a lower advertisement is discarded (2.22).
    play(&[("strict", "strict_mode; accept", "+4; mute; clear; hear 9; +3; is MASTER", "")]);
}

//! What right files mean: lexical rules, inheritance, addresses, unicast, groups.
#![allow(clippy::unwrap_used, reason = "a test")]

use standfast_core::config::diff::changes;
use standfast_core::config::load::{Language, Options, load};
use standfast_core::config::model::{
    Authentication, Config, Destination, Family, InstanceConfig, Probe, Scope, Tracked, Version,
};
use standfast_core::config::source::MemorySource;
use std::sync::Arc;
use std::time::Duration;

fn world(text: &str) -> MemorySource {
    let mut source = MemorySource::with("/etc/k/k.conf", text.as_bytes());
    source.host = "cp1.example.org".into();
    source.env.insert("VIP".into(), "192.0.2.77".into());
    source
}

fn config_of(source: &MemorySource) -> Config {
    let loaded = load(&[(Language::Keepalived, "/etc/k/k.conf")], source, None, &Options::default());
    let said: Vec<String> = loaded.findings.list().iter().map(|f| format!("{f}")).collect();
    loaded.config.unwrap_or_else(|| panic!("{}", said.join("\n")))
}

fn config(text: &str) -> Config {
    config_of(&world(text))
}

fn one(text: &str) -> Arc<InstanceConfig> {
    config(text).instances.values().next().unwrap().clone()
}

/// An instance with `inside`.
fn with(inside: &str) -> Arc<InstanceConfig> {
    one(&format!("vrrp_instance V {{\ninterface eth0\nvirtual_router_id 7\n{inside}\n}}\n"))
}

#[test]
fn braces_are_line_breaks_wherever_they_stand() {
    let wanted = with("virtual_ipaddress {\n192.0.2.9/24\n}");
    for text in [
        "vrrp_instance V{interface eth0\nvirtual_router_id 7\nvirtual_ipaddress{192.0.2.9/24}}",
        "vrrp_instance V\n{\ninterface eth0 # x\n  virtual_router_id 7\r\n\tvirtual_ipaddress { 192.0.2.9/24 } }",
    ] {
        assert_eq!(one(text), wanted, "{text}");
    }
}

#[test]
fn definitions_nest_and_are_resolved_when_used() {
    let found =
        one("$A=${B}1\n$B=10\n$Q=\"a b\"\nvrrp_instance V_${A} {\ninterface eth0\n@cp1 $V=9\n@^cp1 $V=8\n\
         virtual_router_id $V\npriority $A\nauthentication {\nauth_type PASS\nauth_pass $Q\n}\n\
         virtual_ipaddress {\n${_ENV VIP}/24\n}\n}\n");
    assert_eq!((&*found.name, found.router.vrid, found.election.priority), ("V_101", 9, 101));
    assert_eq!(found.authentication, Authentication::Pass(*b"a b\0\0\0\0\0"));
    assert_eq!(found.addresses[0].address, "192.0.2.77/24".parse().unwrap());
}

#[test]
fn a_condition_may_come_out_of_a_definition() {
    let found = with("$MAIN=@cp1\n$OTHER=@cp2\n$MAIN priority 240\n$OTHER priority 10");
    assert_eq!(found.election.priority, 240);
}

#[test]
fn a_definition_of_several_lines_is_replayed_by_generators() {
    let config = config(
        "$I= \\\nvrrp_instance V_${n} { \\\n interface eth0 \\\n virtual_router_id $n \\\n \
         virtual_ipaddress { \\\n 192.0.2.${n}/24 \\\n } \\\n}\n~SEQ(n,3) $I\n~LST({n,x},{8,a},{9,b}) $I\n",
    );
    let ids: Vec<u8> = config.instances.values().map(|i| i.router.vrid).collect();
    assert_eq!(ids, [1, 2, 3, 8, 9]);
    assert_eq!(&*config.instances.values().last().unwrap().name, "V_9");
}

#[test]
fn quoted_signs_are_only_themselves() {
    let config = config(
        "vrrp_script s {\nscript \"/bin/sh -c 'exit $((1 # 2)); echo {}!'\"\n}\nvrrp_instance V {\n\
         interface eth0\nvirtual_router_id 7\ntrack_script {\ns\n}\nauthentication {\nauth_type PASS\n\
         auth_pass \"#!{}\"\n}\n}\n",
    );
    let Probe::Script { command, .. } = &*config.checks.values().next().unwrap().probe else { panic!() };
    assert_eq!(&*command.argv, ["/bin/sh", "-c", "exit $((1 # 2)); echo {}!"]);
    let one = config.instances.values().next().unwrap();
    assert_eq!(one.authentication, Authentication::Pass(*b"#!{}\0\0\0\0"));
}

#[test]
fn includes_are_relative_to_their_file_and_count_once() {
    let mut source = world("@cp1 include sub/*.conf\n$INC=include sub/deep/c.conf\n$INC\n");
    let file =
        |n: u8| format!("vrrp_instance V{n} {{\ninterface eth{n}\nvirtual_router_id 7\n}}\n").into_bytes();
    source.files.insert("/etc/k/sub/a.conf".into(), b"include deep/b.conf\n".to_vec());
    source.files.insert("/etc/k/sub/deep/b.conf".into(), file(1));
    source.files.insert("/etc/k/sub/deep/c.conf".into(), file(2));
    let names: Vec<String> = config_of(&source).instances.values().map(|i| i.name.to_string()).collect();
    assert_eq!(names, ["V1", "V2"]);
}

#[test]
fn some_defaults_are_taken_when_the_block_opens_and_some_at_the_end() {
    let found = one(
        "vrrp_instance V {\ninterface eth0\nvirtual_router_id 7\nvirtual_ipaddress {\n192.0.2.9\n}\n}\n\
         global_defs {\nvrrp_garp_master_repeat 9\nvrrp_version 3\nvrrp_garp_interval 0\nvrrp_lower_prio_no_advert\n}\n",
    );
    assert_eq!((found.announce.repeat, found.router.version), (5, Version::V3));
    assert!(found.election.lower_no_advert);
}

#[test]
fn address_options_are_kept() {
    let found = with(
        "virtual_ipaddress {\n192.0.2.9/24 brd + dev eth1 label eth1:v scope link no_track\n}\n\
         virtual_ipaddress_excluded {\n2001:db8::9\n2001:db8::a/64 -nodad\n}\npriority 150",
    );
    let [a, b, c] = &found.addresses[..] else { panic!("{:?}", found.addresses) };
    assert_eq!((&*a.interface, a.tracked, a.how.scope), ("eth1", false, Scope(253)));
    assert_eq!(
        (a.how.label.as_deref(), a.how.broadcast),
        (Some("eth1:v"), Some("192.0.2.255".parse().unwrap()))
    );
    assert!(b.how.deprecated && !b.advertised && !b.how.dad);
    assert!(!c.how.deprecated && c.how.dad);
    assert_eq!(found.router.family, Family::V4);
    let tracked: Vec<_> = found.trackers.iter().map(|t| t.what.clone()).collect();
    assert_eq!(tracked, [Tracked::Interface("eth0".into())], "eth1 is not tracked");
}

#[test]
fn ipv6_is_version_3_and_goes_to_its_own_group() {
    let found = with("advert_int 0.5\nvirtual_ipaddress {\nfe80::9/64\n2001:db8::9/64\n}");
    assert_eq!((found.router.version, found.router.family), (Version::V3, Family::V6));
    assert_eq!(found.election.interval, Duration::from_millis(500));
    assert_eq!(found.transport.to, Destination::Multicast("ff02::12".parse().unwrap()));
}

#[test]
fn unicast_peers_with_a_ttl_are_checked() {
    let found = with(
        "unicast_src_ip 192.0.2.1\nunicast_ttl 64\nunicast_peer {\n192.0.2.2 min_ttl 63\n192.0.2.3\n}\ntrack_src_ip",
    );
    let Destination::Unicast(peers) = &found.transport.to else { panic!() };
    assert_eq!((peers.len(), peers[0].min_ttl, peers[1].max_ttl), (2, 63, 255));
    assert!(found.transport.check_source && found.transport.track_source);
    assert_eq!((found.transport.hops, found.transport.source), (64, Some("192.0.2.1".parse().unwrap())));
}

#[test]
fn switches_that_keepalived_misreads_are_switches() {
    let found = one(
        "global_defs {\nvrrp_skip_check_adv_addr\nv3_checksum_as_v2 false\nvrrp_higher_prio_send_advert off\n}\n\
         vrrp_instance V {\ninterface eth0\nvirtual_router_id 7\nskip_check_adv_addr false\n}\n",
    );
    assert!(
        !found.transport.skip_address_check && !found.transport.plain_checksum && !found.election.last_advert
    );
}

#[test]
fn group_members_get_the_groups_trackers_whatever_the_order() {
    let config = config(
        "vrrp_sync_group G {\ngroup {\nV W\n}\ntrack_interface {\neth9\n}\nnotify_master \"/bin/x a\" \n}\n\
         vrrp_instance V {\ninterface eth0\nvirtual_router_id 7\ndont_track_primary\n}\n\
         vrrp_instance W {\ninterface eth1\nvirtual_router_id 7\n}\n",
    );
    let group = config.groups.values().next().unwrap();
    assert_eq!(group.members, config.instances.keys().copied().collect::<Vec<_>>());
    assert_eq!(&*group.notify.master.as_ref().unwrap().argv, ["/bin/x", "a"]);
    let tracked: Vec<usize> = config.instances.values().map(|i| i.trackers.len()).collect();
    assert_eq!(tracked, [1, 2]);
}

#[test]
fn an_advertisement_of_ipv4_has_at_most_255_addresses() {
    let lines: Vec<String> = (0..256).map(|n| format!("198.51.{}.{}", 100 + n / 250, 1 + n % 250)).collect();
    let found = with(&format!("virtual_ipaddress {{\n{}\n}}", lines.join("\n")));
    assert_eq!(found.addresses.iter().filter(|a| a.advertised).count(), Config::MAX_ADDRESSES);
    assert_eq!(found.addresses.len(), 256);
}

#[test]
fn a_reload_is_told_in_words() {
    let text = |priority: u8, address: &str| {
        format!(
            "vrrp_instance V {{\ninterface eth0\nvirtual_router_id 7\npriority {priority}\nvirtual_ipaddress {{\n{address}\n}}\n}}\n"
        )
    };
    let (old, new) = (config(&text(100, "192.0.2.9/24")), config(&text(110, "192.0.2.8/24")));
    assert_eq!(
        changes(&old, &new),
        ["V: priority 100 -> 110", "V: -192.0.2.9/24 on eth0", "V: +192.0.2.8/24 on eth0"]
    );
    assert!(changes(&old, &old).is_empty());
    assert_eq!(changes(&old, &config("global_defs {\n}\n")), ["V: virtual router removed"]);
}

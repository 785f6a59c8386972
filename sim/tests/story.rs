//! Stories on real configurations: what one node's files imply, what clients see, where limits are.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise, in its helpers too")]

use sim::des::client::MAX_TARGETS;
use sim::des::scenario::{self, Scenario};
use sim::story::verdict::{Figures, words};
use sim::story::{builtin, file, peers, svg};
use standfast_core::config::load::{Language, Options, load};
use standfast_core::config::model::Config;
use standfast_core::config::source::MemorySource;
use std::fmt::Write as _;
use std::time::Duration;

/// A node with these lines in its virtual router.
fn node(lines: &str, haproxy: &str) -> Config {
    let keepalived = format!(
        "vrrp_instance VI_1 {{\n interface eth0\n virtual_router_id 77\n {lines}\n virtual_ipaddress {{\n 192.0.2.100\n }}\n}}\n"
    );
    let mut source = MemorySource::with("keepalived.conf", keepalived.as_bytes());
    source.files.insert("haproxy.cfg".into(), haproxy.into());
    let files = [(Language::Keepalived, "keepalived.conf"), (Language::Haproxy, "haproxy.cfg")];
    let used = if haproxy.is_empty() { &files[..1] } else { &files[..] };
    let loaded = load(used, &source, None, &Options::default());
    loaded.config.unwrap_or_else(|| panic!("{:?}", loaded.findings))
}

/// A frontend for each of these ports, and a pool with a server at each of these addresses.
fn proxy(ports: &[u16], servers: &[&str]) -> String {
    let mut text =
        String::from("defaults\n mode tcp\n timeout connect 1s\n timeout client 60s\n timeout server 60s\n");
    for port in ports {
        writeln!(text, "frontend f{port}\n bind *:{port}\n default_backend b").unwrap();
    }
    text.push_str("backend b\n");
    for (nth, server) in servers.iter().enumerate() {
        writeln!(text, " server s{} {server}:6443 check", nth + 1).unwrap();
    }
    text
}

fn priorities(nodes: &[(String, Config)]) -> Vec<(&str, u8)> {
    let first = |config: &Config| config.instances.values().next().map_or(0, |i| i.election.priority);
    nodes.iter().map(|(name, config)| (name.as_str(), first(config))).collect()
}

#[test]
fn unicast_peers_are_the_addresses_in_the_file_and_a_backup_has_a_better_one() {
    let lines = "state BACKUP\n priority 90\n unicast_src_ip 192.0.2.12\n unicast_peer {\n 192.0.2.11\n 192.0.2.13\n }";
    let implied = peers::implied("b", &node(lines, ""));
    assert_eq!(priorities(&implied.nodes), [("b", 90), ("peer1", 91), ("peer2", 90)]);
    let own = scenario::all_own_addresses(&implied.nodes);
    let own: Vec<String> = own.iter().map(|own| own[0].to_string()).collect();
    assert_eq!(own, ["192.0.2.12", "192.0.2.11", "192.0.2.13"]);
    assert!(implied.assumed[1].contains("peer1 at 192.0.2.11 with priority 91"), "{:?}", implied.assumed);
}

#[test]
fn multicast_peers_are_the_servers_beside_the_address_or_two() {
    let beside = proxy(&[8443], &["192.0.2.21", "192.0.2.22", "192.0.2.23"]);
    let implied = peers::implied("s2", &node("priority 150", &beside));
    assert_eq!(priorities(&implied.nodes), [("s1", 149), ("s2", 150), ("s3", 149)]);
    let elsewhere = proxy(&[8443], &["198.51.100.21", "198.51.100.22"]);
    let implied = peers::implied("me", &node("priority 150", &elsewhere));
    assert_eq!(priorities(&implied.nodes), [("me", 150), ("peer1", 149), ("peer2", 149)]);
}

#[test]
fn more_servers_than_a_cluster_has_nodes_are_not_taken_for_nodes() {
    let servers: Vec<String> =
        (0..=peers::MAX_PEERS + 1).map(|nth| format!("192.0.2.{}", 21 + nth)).collect();
    let all: Vec<&str> = servers.iter().map(String::as_str).collect();
    let few = peers::implied("s1", &node("priority 150", &proxy(&[8443], &all[1..])));
    assert_eq!(few.nodes.len(), peers::MAX_PEERS + 1);
    let many = peers::implied("s1", &node("priority 150", &proxy(&[8443], &all)));
    assert_eq!(many.nodes.len(), 3);
}

fn told(nodes: &[(String, Config)], name: &str) -> (Figures, String) {
    let scenario = builtin::build(name, nodes).expect("a known scenario").expect("it has a place here");
    let timeline = scenario::run(nodes, &scenario);
    (Figures::of(&timeline), words(&scenario, &timeline))
}

#[test]
fn every_held_connection_is_cut_when_its_node_dies_and_when_the_address_comes_back() {
    let nodes = peers::implied("me", &node("priority 150", &proxy(&[8443], &["198.51.100.21"]))).nodes;
    let (figures, said) = told(&nodes, "power-loss");
    assert_eq!((figures.cut, figures.hung), (24, 12), "{said}");
    assert!(figures.outage > Duration::from_secs(2) && figures.outage < Duration::from_secs(4), "{said}");
    assert!(said.ends_with("me took it back"), "{said}");
    let (figures, said) = told(&nodes, "backends-die");
    assert!(figures.refused > 4 * figures.unanswered && figures.cut == 12, "{said}");
    assert!(said.contains("clients refused for 3"), "{said}");
}

#[test]
fn without_a_proxy_the_host_serves_even_when_the_daemon_is_dead() {
    let nodes = peers::implied("me", &node("priority 150", "")).nodes;
    let (killed, said) = told(&nodes, "daemon-killed");
    assert!(killed.refused == 0 && killed.outage < Duration::from_secs(3), "{said}");
    assert!(builtin::build("backends-die", &nodes).expect("known").is_err());
}

#[test]
fn a_clean_stop_serves_every_new_connection() {
    let nodes = peers::implied("me", &node("priority 150", &proxy(&[8443], &["198.51.100.21"]))).nodes;
    let (figures, said) = told(&nodes, "clean-stop");
    assert_eq!(figures.refused + figures.unanswered, 0, "{said}");
}

#[test]
fn a_client_has_no_more_targets_than_the_limit() {
    let ports: Vec<u16> = (0..=MAX_TARGETS as u16).map(|nth| 8_000 + nth).collect();
    let nodes = vec![("me".to_owned(), node("priority 150", &proxy(&ports, &["198.51.100.21"])))];
    let timeline = scenario::run(&nodes, &Scenario::new("short", Duration::from_secs(6)));
    assert_eq!(timeline.targets().len(), MAX_TARGETS);
}

#[test]
fn a_scenario_has_no_more_steps_connections_or_time_than_the_limits() {
    let nodes = vec![("me".to_owned(), node("priority 150", ""))];
    let read = |text: &str| file::read("x.toml", text, &nodes);
    let steps = |count: usize| {
        let step = "[[step]]\nat = \"1s\"\nfault = \"note\"\ntext = \"x\"\n";
        format!("length = \"10s\"\n{}", step.repeat(count))
    };
    assert!(read(&steps(file::MAX_STEPS)).is_ok() && read(&steps(file::MAX_STEPS + 1)).is_err());
    let held = |held: usize| format!("length = \"10s\"\nheld = {held}\n");
    assert!(read(&held(file::MAX_HELD)).is_ok() && read(&held(file::MAX_HELD + 1)).is_err());
    let length = |seconds: u64| format!("length = \"{seconds}s\"\n");
    let most = file::MAX_LENGTH.as_secs();
    assert!(read(&length(most)).is_ok() && read(&length(most + 1)).is_err());
    assert!(read(&"[".repeat(100_000)).is_err());
}

#[test]
fn the_same_seed_tells_the_same_story_and_draws_the_same_picture() {
    let nodes = peers::implied("me", &node("priority 150", &proxy(&[8443], &["198.51.100.21"]))).nodes;
    let storm = sim::story::storm::draw(9, &nodes);
    let (one, two) = (scenario::run(&nodes, &storm), scenario::run(&nodes, &storm));
    assert_eq!(one, two);
    assert_eq!(svg::picture(&one, "a <b> & \"c\"", "w"), svg::picture(&two, "a <b> & \"c\"", "w"));
    assert!(svg::picture(&one, "a <b>", "w").contains("a &lt;b&gt;"));
}

//! Defects of keepalived that we do not have, from the file to the node. The numbers are those of our list of its
//! defects (`B1` ..). B1, B2, B3, B4 and B15 are about packets: `src/vrrp/tests/defects.rs`; B11 is in
//! `src/vrrp/tests/traces.rs`. Where the feature is not served yet, the finding that says so is the proof.
#![allow(clippy::unwrap_used, clippy::wildcard_enum_match_arm, reason = "a test")]

use standfast_core::action::Action;
use standfast_core::config::load::{Language, Loaded, Options, load};
use standfast_core::config::model::{Config, InstanceConfig, Probe, Tracked, Tracker};
use standfast_core::config::source::{MemorySource, ScriptState};
use standfast_core::event::Role;
use standfast_core::id::Interface;
use standfast_core::input::{CheckCode, Input, KernelNotice, Link, Outcome};
use standfast_core::node::Node;
use standfast_core::rng::Seed;
use standfast_core::time::Time;
use std::sync::Arc;
use std::time::Duration;

fn read(text: &str, previous: Option<&Config>) -> Loaded {
    let mut source = MemorySource::with("k", text.as_bytes());
    source.files.insert("more".into(), b"vrrp_script t {\nscript /bin/t\n}\n".to_vec());
    source.scripts.insert("/gone".into(), ScriptState::Missing);
    load(&[(Language::Keepalived, "k")], &source, previous, &Options::default())
}

fn config(text: &str) -> Config {
    let loaded = read(text, None);
    let said: Vec<String> = loaded.findings.list().iter().map(|f| f.to_string()).collect();
    loaded.config.unwrap_or_else(|| panic!("{}", said.join("\n")))
}

/// An instance with `inside`, after `before`.
fn file(before: &str, inside: &str) -> String {
    let body = "interface eth0\nvirtual_router_id 7\nvirtual_ipaddress {\n192.0.2.100/24\n}";
    format!("{before}\nvrrp_instance V {{\n{body}\n{inside}\n}}\n")
}

fn one(text: &str) -> Arc<InstanceConfig> {
    config(text).instances.values().next().unwrap().clone()
}

fn codes(text: &str) -> Vec<u16> {
    read(text, None).findings.list().iter().map(|f| f.code.0).collect()
}

/// A node whose kernel does at once what it is asked, and whose scripts all say the same.
struct Bench {
    node: Node,
    now: Time,
    passes: bool,
    /// What was done, but for what a script or an answer needs.
    done: Vec<Action>,
}

impl Bench {
    fn new(config: Config, passes: bool) -> Bench {
        let now = Time::from_millis(1000);
        let node = Node::new(Arc::new(config), Seed(1), now);
        let mut bench = Bench { node, now, passes, done: Vec::new() };
        let link = Link {
            interface: Interface(2),
            name: "eth0".into(),
            up: true,
            running: true,
            multicast: true,
            no_arp: false,
            mtu: 1500,
            mac: None,
        };
        let address = "192.0.2.10/24".parse().unwrap();
        let ours = KernelNotice::Address { on: Interface(2), address, marked: false, tentative: false };
        for notice in [KernelNotice::ResyncBegin, KernelNotice::Link(link), ours, KernelNotice::ResyncEnd] {
            bench.feed(Input::Kernel(notice));
        }
        bench.run(Duration::ZERO);
        bench
    }

    fn feed(&mut self, input: Input<'_>) {
        self.node.handle(self.now, input);
        while let Some(action) = self.node.poll() {
            match action {
                Action::Address { ticket, .. } | Action::Receive { ticket, .. } => {
                    self.done.push(action);
                    self.feed(Input::Done { ticket, result: Ok(()) });
                }
                Action::Check { check, ticket, .. } => {
                    let code = if self.passes { CheckCode::ScriptOk } else { CheckCode::ScriptExit };
                    let (passed, info, took) = (self.passes, String::new(), Duration::ZERO);
                    let outcome = Outcome { passed, code, status: None, info, took };
                    self.feed(Input::Checked { check, ticket, outcome });
                }
                other => self.done.push(other),
            }
        }
    }

    fn run(&mut self, by: Duration) {
        let end = self.now + by;
        while let Some((at, _)) = self.node.deadline().filter(|(at, _)| *at <= end) {
            self.now = self.now.max(at);
            self.feed(Input::Tick);
        }
        self.now = end;
    }

    fn role(&self) -> Role {
        self.node.status().routers[0].role
    }

    fn priority(&self) -> u8 {
        self.node.status().routers[0].priority.effective
    }
}

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn b5_init_fail_needs_as_many_successes_as_rise_says() {
    let script = "vrrp_script s {\nscript /bin/s\ninterval 1\nrise 3\nfall 3\ninit_fail\n}";
    let mut bench = Bench::new(config(&file(script, "track_script {\ns\n}")), true);
    assert_eq!(bench.role(), Role::Fault);
    bench.run(SECOND);
    assert_eq!(bench.role(), Role::Fault, "two successes");
    bench.run(SECOND);
    assert_eq!(bench.role(), Role::Backup, "three");
}

#[test]
fn b6_a_known_result_counts_in_reverse_right_after_a_reload() {
    let script = "vrrp_script s {\nscript /bin/s\ninterval 1\n}";
    let text = |how: &str| file(script, &format!("priority 100\ntrack_script {{\ns weight {how}\n}}"));
    let old = config(&text("10"));
    let new = read(&text("10 reverse"), Some(&old)).config.unwrap();
    let mut bench = Bench::new(old, true);
    assert_eq!(bench.priority(), 110);
    bench.feed(Input::Configure(Arc::new(new)));
    assert_eq!(bench.priority(), 90);
    // The same for a tracker that comes with the reload.
    let (bare, script) = (file(script, "priority 100"), text("10 reverse"));
    let old = config(&bare.replace("priority 100", "priority 100\ntrack_script {\ns weight 0\n}"));
    let new = read(&script, Some(&old)).config.unwrap();
    let mut bench = Bench::new(old, true);
    bench.feed(Input::Configure(Arc::new(new)));
    assert_eq!(bench.priority(), 90);
}

#[test]
fn b7_a_switch_that_is_off_is_off() {
    let globals = "global_defs {\nvrrp_skip_check_adv_addr\nv3_checksum_as_v2 false\n}";
    let found = one(&file(globals, "skip_check_adv_addr false"));
    assert!(!found.transport.skip_address_check && !found.transport.plain_checksum);
    let globals = "global_defs {\nv3_checksum_as_v2\n}";
    assert!(!one(&file(globals, "version 3\nv3_checksum_as_v2 off")).transport.plain_checksum);
    assert!(one(&file(globals, "version 3\nskip_check_adv_addr")).transport.plain_checksum);
}

#[test]
fn b8_an_owner_that_is_told_to_listen_listens() {
    let globals = "global_defs {\nvrrp_owner_ignore_adverts\n}";
    let listens = |inside: &str| !one(&file(globals, inside)).election.owner_ignores;
    assert!(listens("priority 255\nstate MASTER\nowner_ignore_adverts off"));
    assert!(!listens("priority 255\nstate MASTER"));
}

#[test]
fn b9_a_single_port_of_a_rule_is_a_port_as_a_range_is() {
    for (rule, text) in [
        ("from 192.0.2.0/24 sport 80 table 7 priority 5", "from 192.0.2.0/24 sport 80-80 table 7 priority 5"),
        (
            "from 192.0.2.0/24 dport 80-90 table 7 priority 5",
            "from 192.0.2.0/24 dport 80-90 table 7 priority 5",
        ),
    ] {
        let found = one(&file("", &format!("virtual_rules {{\n{rule}\n}}")));
        assert_eq!(found.items[0].to_string(), format!("rule {text}"));
    }
}

#[test]
fn b10_delays_of_interfaces_without_an_interface_are_findings_and_no_crash() {
    let globals = "global_defs {\nvrrp_down_timer_adverts 1\n}\ninterface_up_down_delays {\neth0 3\n}";
    let text = format!(
        "{globals}\nvrrp_instance V {{\nvirtual_router_id 7\nunicast_src_ip 192.0.2.10\nunicast_peer {{\n192.0.2.20\n}}\n\
         virtual_ipaddress {{\n192.0.2.100/24 dev eth0\n}}\n}}\n"
    );
    let loaded = read(&text, None);
    assert!(loaded.findings.list().iter().any(|f| f.message.contains("interface_up_down_delays")));
}

#[test]
fn b12_a_weight_out_of_range_is_an_error_and_no_number_is_made_up() {
    for weight in ["255", "-255", "99999999999999999999", "x"] {
        let script = format!("vrrp_script s {{\nscript /bin/s\nweight {weight}\n}}");
        assert!(read(&file(&script, "track_script {\ns\n}"), None).config.is_none(), "{weight}");
        let line = format!("track_script {{\ns weight {weight}\n}}");
        let script = "vrrp_script s {\nscript /bin/s\n}";
        assert!(read(&file(script, &line), None).config.is_none(), "{weight}");
    }
}

#[test]
fn b13_the_smallest_number_of_announcements_still_repeats_a_refresh() {
    let found = one(&file("global_defs {\nvrrp_min_garp\n}", "garp_master_refresh 10")).announce.clone();
    assert_eq!((found.repeat, found.refresh_repeat, found.delay), (1, 1, Duration::ZERO));
}

#[test]
fn b14_two_routers_of_one_vrid_and_different_groups_survive_a_reload() {
    let router = |name: &str, group: &str, priority: u8| {
        format!(
            "vrrp_instance {name} {{\nstate MASTER\npriority {priority}\ninterface eth0\nvirtual_router_id 7\n\
             mcast_dst_ip {group}\nvirtual_ipaddress {{\n{}/24\n}}\n}}\n",
            group.replace("224.0.0.", "192.0.2.")
        )
    };
    let text = |second: u8| router("A", "224.0.0.118", 200) + &router("B", "224.0.0.119", second);
    let old = config(&text(150));
    let same = read(&text(150), Some(&old)).config.unwrap();
    let new = read(&text(140), Some(&old)).config.unwrap();
    let mut bench = Bench::new(old, true);
    bench.run(SECOND * 5);
    let masters =
        |bench: &Bench| bench.node.status().routers.iter().filter(|r| r.role == Role::Master).count();
    assert_eq!(masters(&bench), 2);
    bench.done.clear();
    bench.feed(Input::Configure(Arc::new(same)));
    assert_eq!(bench.done, []);
    bench.feed(Input::Configure(Arc::new(new)));
    let removed = bench.done.iter().any(|a| matches!(a, Action::Address { own: false, .. }));
    assert!(!removed && masters(&bench) == 2, "{:?}", bench.done);
}

#[test]
fn b16_a_script_that_is_missing_is_a_check_that_fails() {
    let script = "vrrp_script s {\nscript /gone\n}";
    let config = config(&file(script, "track_script {\ns\n}"));
    let tracks = |id| move |tracker: &Tracker| tracker.what == Tracked::Check(id);
    let (id, check) = config.checks.iter().next().unwrap();
    assert!(config.instances.values().next().unwrap().trackers.iter().any(tracks(*id)));
    assert!(matches!(&*check.probe, Probe::Script { broken: Some(_), .. }));
    let mut bench = Bench::new(config, true);
    bench.run(SECOND * 10);
    assert_eq!(bench.role(), Role::Fault);
}

#[test]
fn b17_a_hash_in_quotes_and_definitions_of_themselves_end_in_findings() {
    assert!(!codes("vrrp_script s {\nscript '/bin/true #y'\n}\n").is_empty());
    for text in
        ["$A=$A\n$A\n", "$A=${B}\n$B=${A}x\n$A\n", "$A=x $A $A\nvrrp_script $A {\n}\n", "~SEQ(i,0,9,0) $i\n"]
    {
        assert!(read(text, None).config.is_none(), "{text}");
    }
}

#[test]
fn b18_a_condition_or_a_generator_may_come_out_of_a_definition() {
    let found = one(&file("$MINE=@node1 priority 140\n$OTHER=@node2 priority 30", "$MINE\n$OTHER"));
    assert_eq!(found.election.priority, 140);
    let text = "$S=script /bin/x\n$ALL=~SEQ(n,3) @node1 vrrp_script s$n {\n$ALL\n";
    let direct = "~SEQ(n,3) @node1 vrrp_script s$n {\n";
    assert_eq!(codes(text), codes(direct));
    let lines = |first: &str| {
        let rest = "$NET=192.0.2\n$ONE=~SEQ(n,3) ${NET}.${n}/24\n";
        let text = format!(
            "{rest}vrrp_instance V {{\ninterface eth0\nvirtual_router_id 7\nvirtual_ipaddress {{\n{first}\n}}\n}}\n"
        );
        config(&text).instances.values().next().unwrap().addresses.clone()
    };
    assert_eq!(lines("$ONE"), lines("192.0.2.1/24\n192.0.2.2/24\n192.0.2.3/24"));
}

#[test]
fn b19_a_file_included_under_a_condition_counts_once() {
    let text = file("@node1 include more\n@node2 include none", "track_script {\nt\n}");
    let config = config(&text);
    assert_eq!(
        (config.checks.len(), codes(&text).len()),
        (1, codes(&file("include more", "track_script {\nt\n}")).len())
    );
}

#[test]
fn b20_words_after_a_command_are_said_to_be_dropped() {
    assert!(codes("vrrp_script s {\nscript /bin/true a b\n}\n").contains(&1202));
}

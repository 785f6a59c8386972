//! The stories. Fast copies of ordinary files: 400 ms between advertisements where the version allows it, short checks.

use super::{Act, Case, What};
use crate::{HEALTHY, VIP};
use standfast::lab::guide::Files;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

/// The virtual address of IPv6 stories.
const VIP6: IpAddr = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x100));

/// How far a time may lie outside of what the model's runs show, in milliseconds.
const TOLERANCE: i64 = 100;
/// The same where two rhythms meet (a check's and the advertisements'), whose extremes few runs show.
const TWO_RHYTHMS: i64 = 250;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn act(what: What, lasts: u64, rest: u64) -> Act {
    Act { what, lasts: ms(lasts), rest: ms(rest) }
}

/// How the routers of a story are set up.
struct Router {
    version: &'static str,
    interval: &'static str,
    vip: &'static str,
    priorities: &'static [u8],
    unicast: bool,
    lines: &'static str,
}

const V3: Router = Router {
    version: "3",
    interval: "0.4",
    vip: "192.0.2.100",
    // Far enough apart that a busy machine does not let two take over at once.
    priorities: &[150, 140, 20],
    unicast: false,
    lines: "",
};

impl Router {
    fn files(&self) -> Vec<Files> {
        let nodes = self.priorities.iter().zip(1..);
        nodes.map(|(priority, node)| self.file(*priority, node)).collect()
    }

    fn file(&self, priority: u8, node: usize) -> Files {
        let Router { version, interval, vip, lines, .. } = self;
        let mut text = format!(
            "    version {version}\n    virtual_router_id 51\n    priority {priority}\n    advert_int {interval}\n{lines}    \
             virtual_ipaddress {{\n        {vip}\n    }}"
        );
        if self.unicast {
            let others = (1..=self.priorities.len()).filter(|other| *other != node);
            let peers: Vec<String> = others.map(|other| format!("192.0.2.{}", 10 + other)).collect();
            text.push_str(&format!(
                "\n    unicast_src_ip 192.0.2.{}\n    unicast_peer {{\n        {}\n    }}",
                10 + node,
                peers.join("\n        ")
            ));
        }
        Files::router(&text)
    }

    /// With a check script of its own: every second, down after 2 failures, up after 1 success.
    fn checked(&self, weight: i16) -> Vec<Files> {
        let block = format!(
            "vrrp_script check {{\n  script \"/etc/keepalived/check_apiserver.sh\"\n  interval 1\n  weight {weight}\n  \
             fall 2\n  rise 1\n}}\nvrrp_instance"
        );
        let track = "    advert_int 0.4\n    track_script {\n        check\n    }\n";
        let checked = |files: Files| {
            let mut files = files.with("vrrp_instance", &block).with("    advert_int 0.4\n", track);
            files.check = Some(HEALTHY.to_owned());
            files
        };
        self.files().into_iter().map(checked).collect()
    }

    /// With a proxy over the servers of all nodes, checked every 400 ms.
    fn proxied(&self) -> Vec<Files> {
        let mut haproxy = String::from(
            "global\n    log stdout format raw local0\ndefaults\n    mode tcp\n    log global\n    timeout connect 1s\n    \
             timeout client 5s\n    timeout server 5s\nfrontend api\n    bind *:8443\n    default_backend apiserver\n\
             backend apiserver\n    balance roundrobin\n    default-server inter 400ms fall 2 rise 2\n",
        );
        for node in 1..=self.priorities.len() {
            haproxy.push_str(&format!("    server cp{node} 192.0.2.{}:6443 check\n", 10 + node));
        }
        self.files().into_iter().map(|files| Files { haproxy: Some(haproxy.clone()), ..files }).collect()
    }
}

fn case(name: &'static str, files: Vec<Files>, acts: &[Act]) -> Case {
    Case { name, files, vip: VIP, first_alone: false, tolerance: TOLERANCE, acts: acts.to_vec() }
}

/// All stories.
#[must_use]
pub fn all() -> Vec<Case> {
    let mut cases = failures();
    cases.extend(splits());
    cases.extend(checks());
    cases.extend(policies());
    cases
}

fn failures() -> Vec<Case> {
    let v2 = Router {
        version: "2",
        interval: "1",
        unicast: true,
        lines: "    authentication {\n        auth_type PASS\n        auth_pass 42\n    }\n",
        ..V3
    };
    let v6 = Router { vip: "2001:db8::100", lines: "", ..V3 };
    vec![
        case("power loss, version 3, multicast", V3.files(), &[act(What::Power(1), 2_500, 2_500)]),
        case("power loss, version 2, unicast, PASS", v2.files(), &[act(What::Power(1), 5_000, 6_000)]),
        Case { vip: VIP6, ..case("power loss, IPv6", v6.files(), &[act(What::Power(1), 2_500, 2_500)]) },
        case("power loss of a backup", V3.files(), &[act(What::Power(2), 2_500, 2_500)]),
        case("clean stop", V3.files(), &[act(What::Stop(1), 2_000, 2_500)]),
        case("daemon killed", V3.files(), &[act(What::Kill(1), 2_500, 2_500)]),
        case("daemon frozen", V3.files(), &[act(What::Freeze(1), 3_000, 2_500)]),
        case("link down", V3.files(), &[act(What::Link(1), 2_500, 2_500)]),
        case("an operator's resign and rejoin", V3.files(), &[act(What::Resign(1), 3_000, 2_500)]),
        case("address deleted", V3.files(), &[act(What::Delete(1), 0, 3_000)]),
    ]
}

fn splits() -> Vec<Case> {
    let equal = Router { priorities: &[100, 100], ..V3 };
    let v6 = Router { vip: "2001:db8::100", ..V3 };
    vec![
        case("split and heal, multicast", V3.files(), &[act(What::Split(1), 2_500, 1_500)]),
        case(
            "split and heal, unicast",
            Router { unicast: true, ..V3 }.files(),
            &[act(What::Split(1), 2_500, 1_500)],
        ),
        Case { vip: VIP6, ..case("split and heal, IPv6", v6.files(), &[act(What::Split(1), 2_500, 1_500)]) },
        case("one-way cut", V3.files(), &[act(What::Mute(1), 2_500, 1_500)]),
        Case {
            first_alone: true,
            ..case("equal priorities, split and heal", equal.files(), &[act(What::Split(1), 2_500, 1_500)])
        },
    ]
}

fn checks() -> Vec<Case> {
    let fails = |lasts| [act(What::Check(1), lasts, 3_500)];
    let slow = |case: Case| Case { tolerance: TWO_RHYTHMS, ..case };
    vec![
        slow(case("check fails, weight -20", V3.checked(-20), &fails(4_500))),
        slow(case("check fails, weight too small", V3.checked(-5), &fails(4_000))),
        slow(case("check fails, no weight", V3.checked(0), &fails(4_500))),
        case("a server dies", V3.proxied(), &[act(What::Server(2), 2_500, 2_500)]),
        case("all servers die", V3.proxied(), &[act(What::Servers, 2_500, 2_500)]),
    ]
}

fn policies() -> Vec<Case> {
    let stays = Router { lines: "    nopreempt\n", ..V3 };
    let waits = Router { lines: "    preempt_delay 2\n", ..V3 };
    vec![
        Case { first_alone: true, ..case("nopreempt", stays.files(), &[act(What::Power(1), 2_500, 3_000)]) },
        case("preempt_delay 2", waits.files(), &[act(What::Power(1), 2_500, 5_000)]),
        case("reload with another priority", V3.files(), &[act(What::Priority(1, -30), 2_500, 2_500)]),
        case("reload without a difference", V3.files(), &[act(What::Reload(1), 0, 2_500)]),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_twenty_stories_or_more_with_different_names() {
        let mut names: Vec<&str> = all().iter().map(|case| case.name).collect();
        names.sort_unstable();
        names.dedup();
        assert!(names.len() >= 20 && names.len() == all().len(), "{names:?}");
    }
}

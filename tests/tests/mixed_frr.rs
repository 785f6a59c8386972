//! standfast beside FRR's vrrpd, version 3, both families, each of them preferred once.
//!
//! FRR keeps the address on a macvlan device that is down while it is backup, so its state is asked by `vtysh`.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise, in its helpers too")]

use standfast::lab::guide::Files;
use standfast::lab::host::{Host, View, words};
use standfast::lab::net::{Lab, Plan};
use standfast::lab::node::Service;
use standfast::lab::process::{Process, Result, wait_until};
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;
use system_tests::{Bench, bench};

const SETTLED: Duration = Duration::from_secs(15);

#[derive(Clone, Copy)]
struct Family {
    name: &'static str,
    vip: &'static str,
    word: &'static str,
    device: &'static str,
    mac: &'static str,
    prefix: u8,
}

const FAMILIES: [Family; 2] = [
    Family {
        name: "v4",
        vip: "192.0.2.100",
        word: "ip",
        device: "vrrp4-2-1",
        mac: "00:00:5e:00:01:33",
        prefix: 24,
    },
    Family {
        name: "v6",
        vip: "2001:db8::100",
        word: "ipv6",
        device: "vrrp6-2-1",
        mac: "00:00:5e:00:02:33",
        prefix: 64,
    },
];

#[test]
fn standfast_and_frr_take_turns() {
    let bench = bench!("mixed with FRR", "zebra", "vrrpd", "vtysh");
    std::thread::scope(|scope| {
        for family in &FAMILIES {
            let bench = &bench;
            scope.spawn(move || frr_preferred(bench, family));
            scope.spawn(move || standfast_preferred(bench, family));
        }
    });
}

fn frr_preferred(bench: &Bench, family: &Family) {
    let (lab, vip) = laboratory(bench, family);
    let mut frr = Frr::start(lab.node(2), family, 200).unwrap();
    frr.expect("Master");
    let ours = Service::start(lab.node(1), &bench.standfast(), &files(family, 100)).unwrap();
    std::thread::sleep(Duration::from_secs(5));
    assert!(!lab.node(1).holds(vip), "{}: it must stay backup\n{}", family.name, ours.said());
    frr.vrrpd.signal("KILL");
    let took = wait_until(SETTLED, || lab.node(1).holds(vip));
    assert!(took, "{}: no takeover from FRR\n{}", family.name, ours.said());
    drop(frr);
    frr = Frr::start(lab.node(2), family, 200).unwrap();
    frr.expect("Master");
    let gave = wait_until(SETTLED, || !lab.node(1).holds(vip));
    assert!(gave, "{}: it does not yield to FRR\n{}", family.name, ours.said());
    println!("FIGURE mixed with FRR {}: FRR preferred: held back, took over, yielded", family.name);
}

fn standfast_preferred(bench: &Bench, family: &Family) {
    let (lab, vip) = laboratory(bench, family);
    let frr = Frr::start(lab.node(2), family, 100).unwrap();
    frr.expect("Master");
    let mut ours = Service::start(lab.node(1), &bench.standfast(), &files(family, 200)).unwrap();
    let took = wait_until(SETTLED, || lab.node(1).holds(vip));
    assert!(took, "{}: no preemption of FRR\n{}", family.name, ours.said());
    frr.expect("Backup");
    std::thread::sleep(Duration::from_secs(4));
    frr.expect("Backup");
    assert!(ours.stop(Duration::from_secs(5)), "{}: it does not end", family.name);
    frr.expect("Master");
    println!("FIGURE mixed with FRR {}: standfast preferred: took over, held, left", family.name);
}

fn laboratory(bench: &Bench, family: &Family) -> (Lab, IpAddr) {
    (Lab::new(&Plan { nodes: 2, ..bench.plan() }).unwrap(), family.vip.parse().unwrap())
}

fn files(family: &Family, priority: u8) -> Files {
    Files::router(&format!(
        "    version 3\n    virtual_router_id 51\n    priority {priority}\n    advert_int 1\n    \
         virtual_ipaddress {{\n        {}\n    }}",
        family.vip
    ))
}

/// zebra and vrrpd of one node.
struct Frr<'a> {
    host: &'a Host,
    family: &'a Family,
    vrrpd: Process,
    _zebra: Process,
}

impl<'a> Frr<'a> {
    fn start(host: &'a Host, family: &'a Family, priority: u8) -> Result<Frr<'a>> {
        let dir = host.dir().display().to_string();
        // FRR's daemons insist on a user of their own, who must be able to write here.
        std::fs::set_permissions(host.dir(), std::fs::Permissions::from_mode(0o777))?;
        let Family { vip, word, device, mac, prefix, .. } = family;
        let _ = host.ip(&format!("link del {device}"));
        host.ip(&format!("link add {device} link eth0 type macvlan mode bridge"))?;
        host.ip(&format!("link set {device} address {mac}"))?;
        host.sysctl(&[&format!("net.ipv6.conf.{device}.accept_dad=0")])?;
        host.ip(&format!("address add {vip}/{prefix} dev {device}"))?;
        host.ip(&format!("link set {device} up"))?;
        let _ = std::fs::remove_file(host.dir().join("zserv.api"));
        let zebra = Frr::daemon(host, "zebra", "")?;
        wait_until(Duration::from_secs(5), || host.dir().join("zserv.api").exists());
        let vrrpd = Frr::daemon(
            host,
            "vrrpd",
            &format!(
                "interface eth0\n vrrp 51 version 3\n vrrp 51 priority {priority}\n \
                 vrrp 51 advertisement-interval 1000\n vrrp 51 {word} {vip}\n"
            ),
        )?;
        let ready = wait_until(Duration::from_secs(5), || Path::new(&dir).join("vrrpd.vty").exists());
        assert!(ready, "vrrpd does not come up\n{}", vrrpd.said());
        Ok(Frr { host, family, vrrpd, _zebra: zebra })
    }

    fn daemon(host: &Host, name: &str, config: &str) -> Result<Process> {
        let dir = host.dir().display().to_string();
        std::fs::write(host.dir().join(format!("{name}.conf")), config)?;
        let _ = std::fs::remove_file(host.dir().join(format!("{name}.vty")));
        let line = format!(
            "/usr/lib/frr/{name} -u frr -g frr -P 0 -f {dir}/{name}.conf -i {dir}/{name}.pid \
             -z {dir}/zserv.api --vty_socket {dir} --log stdout"
        );
        host.spawn(name, &words(&line), &View::default())
    }

    fn state(&self) -> String {
        let dir = self.host.dir().display().to_string();
        let shown = self.host.run(&["vtysh", "--vty_socket", &dir, "-d", "vrrpd", "-c", "show vrrp json"]);
        let shown = shown.unwrap_or_default();
        let json: serde_json::Value = serde_json::from_str(&shown).unwrap_or_default();
        let status = &json[0][self.family.name]["status"];
        status.as_str().map_or(shown.clone(), str::to_owned)
    }

    fn expect(&self, state: &str) {
        let reached = wait_until(SETTLED, || self.state() == state);
        assert!(
            reached,
            "FRR {}: {} instead of {state}\n{}",
            self.family.name,
            self.state(),
            self.vrrpd.said()
        );
    }
}

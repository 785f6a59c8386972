//! `keepalived.data`, `keepalived.stats` and `keepalived.json` have the lines, keys and values that keepalived writes for
//! the same file, and what reads keepalived's reads ours.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise, in its helpers too")]

use serde_json::Value;
use standfast::lab::node::Kind;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use system_tests::{Bench, bench};

/// What differs on purpose by default is set to keepalived's default, so that the files can be the same.
const FILE: &str = r#"global_defs {
  router_id r1
  script_user root
  vrrp_garp_master_refresh 0
  vrrp_higher_prio_send_advert false
}
vrrp_script good {
  script "/usr/bin/test 1"
  interval 1
  timeout 2
  weight -20
  fall 2
}
vrrp_script bad {
  script "/usr/bin/test a = b"
  interval 2
  timeout 2
  weight 10
}
track_file number {
  file /tmp/number
  weight 1
}
vrrp_sync_group G {
  group {
    B
    D
  }
  notify_master "/usr/bin/env g"
}
vrrp_instance A {
  interface eth0
  virtual_router_id 7
  priority 110
  authentication {
    auth_type PASS
    auth_pass secret
  }
  virtual_ipaddress {
    192.0.2.100/24
    192.0.2.101/32 dev eth1 label eth1:1 no_track
    192.0.2.103/24 brd 192.0.2.255 dev eth1 scope link
  }
  virtual_ipaddress_excluded {
    198.51.100.1/32
  }
  track_script {
    good
    bad
  }
  track_interface {
    other weight 5
  }
  track_file {
    number weight 2
  }
  notify_stop "/usr/bin/env stop"
  notify /usr/bin/env
}
vrrp_instance B {
  interface eth0
  virtual_router_id 8
  version 3
  advert_int 0.5
  nopreempt
  virtual_ipaddress {
    fe80::77/64
    2001:db8::100/64
  }
}
vrrp_instance D {
  interface eth0
  virtual_router_id 9
  preempt_delay 3
  garp_master_delay 2
  garp_lower_prio_delay 2
  unicast_src_ip 192.0.2.1
  unicast_peer {
    192.0.2.2
  }
  virtual_ipaddress {
    192.0.2.110
  }
}
vrrp_instance F {
  interface eth1
  virtual_router_id 9
  dont_track_primary
  track_interface {
    gone
  }
  virtual_ipaddress {
    192.0.2.111
  }
}
"#;

/// The machine: two links, `/tmp` of its own; runs `$2...` for five seconds, asks for all files, and for the
/// counters once more, cleared in between.
const MACHINE: &str = r#"
folder=$1; shift
ip link set lo up
ip link add eth0 address 02:00:00:00:00:01 type veth peer name eth1 address 02:00:00:00:00:02
ip link add gone type veth peer name other
for link in eth0 eth1; do ip link set $link up; done; ip link set other up
ip addr add 192.0.2.1/24 dev eth0; ip addr add 198.51.100.9/24 dev eth1
case $folder in # what lies below /tmp stays visible
  /tmp/*) top=$(echo "${folder#/tmp/}" | cut -d/ -f1); mkdir -p "$folder/tmp/$top"; mount --rbind "/tmp/$top" "$folder/tmp/$top" ;;
esac
mount --rbind "$folder/tmp" /tmp
export TMPDIR=/tmp STATE_DIRECTORY="$folder/state"
echo 3 > /tmp/number
umask 022
sleep 3
"$@" > "$folder/log" 2>&1 &
daemon=$!
sleep 5
ask() { kill -"$1" $daemon; n=0; until [ -s "/tmp/$2" ] || [ $n = 100 ]; do sleep 0.05; n=$((n+1)); done; sleep 0.2; }
ask USR1 keepalived.data
ask 36 keepalived.json
ask 63 keepalived.stats
cp /tmp/keepalived.stats "$folder/before"
rm /tmp/keepalived.stats
ask USR2 keepalived.stats
kill $daemon; wait $daemon
"#;

/// The texts of one daemon.
struct Dumps {
    data: String,
    stats: String,
    cleared: String,
    json: Value,
    folder: PathBuf,
}

fn run(name: &str, program: &[String]) -> Dumps {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("dumps-{}-{name}", std::process::id()));
    for inner in ["tmp", "state"] {
        std::fs::create_dir_all(folder.join(inner)).unwrap();
    }
    let at = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    std::fs::write(at("k.conf"), FILE).unwrap();
    let mut command = Command::new("unshare");
    command.args(["-n", "-m", "sh", "-c", MACHINE, "sh", &at("")]).args(program);
    command.args(["-n", "-l", "-f", &at("k.conf"), "-p", &at("pid")]);
    if name == "keepalived" {
        command.args(["-P", "-r", &at("vrrp.pid")]);
    }
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let read = |path: &str| {
        let log = || std::fs::read_to_string(at("log")).unwrap_or_default();
        std::fs::read_to_string(at(path)).unwrap_or_else(|e| panic!("{name}: {path}: {e}\n{said}\n{}", log()))
    };
    Dumps {
        data: read("tmp/keepalived.data"),
        stats: read("before"),
        cleared: read("tmp/keepalived.stats"),
        json: serde_json::from_str(&read("tmp/keepalived.json")).unwrap(),
        folder: folder.clone(),
    }
}

fn both(bench: &Bench) -> (Dumps, Dumps) {
    let Kind::Standfast(mut ours) = bench.standfast() else { panic!("PEER_ONLY tests other files") };
    ours.extend(["compat".to_owned(), "keepalived".to_owned()]);
    std::thread::scope(|scope| {
        let peer = scope.spawn(|| run("keepalived", &["keepalived".to_owned()]));
        (run("standfast", &ours), peer.join().expect("its dumps are read"))
    })
}

/// Facts of the moment, and what differs on purpose: passwords are starred.
const MOMENT: [&str; 3] = ["last_transition", "auth_data", "advert_sent"];

fn compare_json(ours: &Value, theirs: &Value) {
    let (ours, theirs) = (ours.as_array().unwrap(), theirs.as_array().unwrap());
    assert_eq!(ours.len(), theirs.len());
    for (ours, theirs) in ours.iter().zip(theirs) {
        let name = &theirs["data"]["iname"];
        for part in ["data", "stats"] {
            let (ours, theirs) = (ours[part].as_object().unwrap(), theirs[part].as_object().unwrap());
            let keys = |of: &serde_json::Map<String, Value>| of.keys().cloned().collect::<Vec<_>>();
            assert_eq!(keys(ours), keys(theirs), "{name} {part}");
            for (key, value) in theirs.iter().filter(|(key, _)| !MOMENT.contains(&key.as_str())) {
                // A list of commands: keepalived shows where a link leads to, which Debian has none of in /usr/bin/test.
                assert_eq!(&ours[key], value, "{name} {part} {key}");
            }
        }
        assert!(ours["data"]["last_transition"].is_f64());
    }
}

/// `section/head/key` to its values, in order; a title's items count as its values.
fn outline(text: &str) -> BTreeMap<String, Vec<String>> {
    let (mut section, mut head, mut title) = (String::new(), String::new(), String::new());
    let mut facts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in text.lines() {
        let deep = line.len() - line.trim_start().len();
        let (key, value) = line.trim().split_once(" = ").unwrap_or((line.trim(), ""));
        match deep {
            0 => (section, head) = (line.to_owned(), String::new()),
            1 if section.contains("Global") => {
                facts.insert(format!("{section}/{key}"), vec![value.to_owned()]);
            }
            1 => head = line.trim().to_owned(),
            5 => facts.entry(title.clone()).or_default().push(line.trim().to_owned()),
            _ => {
                title = format!("{section}/{head}/{key}");
                facts.entry(title.clone()).or_default().push(value.to_owned());
            }
        }
    }
    facts
}

/// Lines of keepalived about its own inside, which ours has not: descriptors, buffers, counters of sysctls.
const INSIDE: [&str; 13] = [
    "Sockpool",
    "Global definitions",
    "/fd_in ",
    "/Seen up",
    "/Delayed state change running",
    "/Up debounce timer",
    "/Down debounce timer",
    "/MAC broadcast",
    "/NIC netlink status update",
    "/Reset ",
    "/Original ",
    "/rp_filter",
    "IPv6 forwarding",
];
/// Lines with another value: times, random hardware addresses, a password, and what is worth a sentence each.
const VALUES: [&str; 7] = [
    "/Last transition",
    "/Read timeout",
    "/Password",
    "/MAC",
    // A file's own weight is its trackers' by the time it is shown.
    "Track file = number/Weight",
    // F tracks it by an address that is not held, and is not meant to track it: there with a weight of 255.
    "Name = eth1/Tracking VRRP instances",
    // A link that is down and no address is on.
    "Name = gone/Tracking VRRP instances",
];

fn compare_data(ours: &str, theirs: &str) {
    let (ours, theirs) = (outline(ours), outline(theirs));
    let counts = |key: &&String| !INSIDE.iter().any(|inside| key.contains(inside));
    let keys = |of: &BTreeMap<String, Vec<String>>| of.keys().filter(counts).cloned().collect::<Vec<_>>();
    assert_eq!(keys(&ours), keys(&theirs));
    for (key, value) in theirs.iter().filter(|(key, _)| counts(key)) {
        if !VALUES.iter().any(|other| key.contains(other)) {
            assert_eq!(&ours[key], value, "{key}");
        }
    }
}

/// What the exporters in use take from `keepalived.data`, by their own rules: three blanks and `Key = value` after
/// ` VRRP Instance`, five blanks for the items of `Virtual IP`; a script is one until a line with less than four blanks.
fn exporter(data: &str) -> Vec<BTreeMap<String, String>> {
    let mut found: Vec<BTreeMap<String, String>> = Vec::new();
    let (mut inside, mut key) = (false, String::new());
    for line in data.lines() {
        let name =
            ["VRRP Instance", "VRRP Script"].iter().find(|name| line.starts_with(&format!(" {name} =")));
        if let Some(name) = name {
            let value = line.split('=').nth(1).unwrap().trim().to_owned();
            found.push(BTreeMap::from([((*name).to_owned(), value)]));
            inside = true;
        } else if line.starts_with("     ") && inside {
            let vip: Vec<&str> = line.trim().split(' ').collect();
            if key.starts_with("Virtual IP (") {
                let found = found.last_mut().unwrap();
                found.insert(format!("vip {}", vip[0]), vip[2].to_owned());
            }
        } else if line.starts_with("   ") && inside {
            let (left, right) = line.trim().split_once(['=', ':']).unwrap_or((line.trim(), ""));
            key = left.trim().to_owned();
            let wanted =
                ["State", "Wantstate", "Interface", "Virtual Router ID", "Gratuitous ARP delay", "Status"];
            if wanted.contains(&key.as_str()) {
                found.last_mut().unwrap().insert(key.clone(), right.trim().to_owned());
            }
        } else {
            inside = false;
        }
    }
    found
}

#[test]
fn the_files_are_those_of_keepalived() {
    let bench = bench!("dumps", "mount");
    let (ours, theirs) = both(&bench);
    let compared = std::panic::catch_unwind(|| {
        compare_json(&ours.json, &theirs.json);
        compare_data(&ours.data, &theirs.data);
        assert_eq!(exporter(&ours.data), exporter(&theirs.data));
        assert_eq!(exporter(&ours.data).len(), 4 + 2);
        let still = |text: &str| {
            text.lines().filter(|l| !l.contains(" Sent: ")).map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(still(&ours.stats), still(&theirs.stats));
        assert!(ours.stats.contains("Became master: 1"));
        assert_eq!(still(&ours.cleared), still(&theirs.cleared));
        assert!(!ours.cleared.contains("Became master: 1"));
    });
    if let Err(panic) = compared {
        println!("files in {} and {}", ours.folder.display(), theirs.folder.display());
        std::panic::resume_unwind(panic);
    }
    for folder in [&ours.folder, &theirs.folder] {
        std::fs::remove_dir_all(folder).unwrap();
    }
}

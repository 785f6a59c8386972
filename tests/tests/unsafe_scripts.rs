//! Scripts and pipes that must not be trusted, on a real host: a script that anybody may change is not run under
//! `enable_script_security`, one that is missing fails, a notify pipe that is a folder is told of; no other virtual router
//! is touched by any of them.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise, in its helpers too")]

use serde_json::Value;
use standfast::lab::node::Kind;
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use system_tests::bench;

const FILE: &str = r#"global_defs {
  script_user root
  enable_script_security
  notify_fifo FOLDER/pipe
  json_dump_file FOLDER/dump.json
}
vrrp_script anybodys {
  script "FOLDER/anybodys"
  interval 1
}
vrrp_script missing {
  script "FOLDER/missing"
  interval 1
}
vrrp_instance SOUND {
  interface eth0
  virtual_router_id 7
  version 3
  advert_int 0.1
  virtual_ipaddress {
    192.0.2.100/24
  }
  notify_master "FOLDER/anybodys"
}
vrrp_instance ANYBODYS {
  interface eth0
  virtual_router_id 8
  virtual_ipaddress {
    192.0.2.101/24
  }
  track_script {
    anybodys
  }
}
vrrp_instance MISSING {
  interface eth0
  virtual_router_id 9
  virtual_ipaddress {
    192.0.2.102/24
  }
  track_script {
    missing
  }
}
"#;

const MACHINE: &str = r#"
folder=$1; shift
ip link add eth0 type veth peer name eth1
for link in lo eth0 eth1; do ip link set $link up; done
ip addr add 192.0.2.1/24 dev eth0
"$@" 2> "$folder/log" &
daemon=$!
n=0
until grep -q "(SOUND) Entering MASTER" "$folder/log" || [ $n = 200 ]; do sleep 0.05; n=$((n+1)); done
sleep 2
kill -36 $daemon
until [ -s "$folder/dump.json" ] || [ $n = 400 ]; do sleep 0.05; n=$((n+1)); done
kill $daemon; wait $daemon
"#;

#[test]
fn what_cannot_be_trusted_is_not_run_told_of_and_concerns_its_own_router_only() {
    let bench = bench!("unsafe scripts",);
    let Kind::Standfast(program) = bench.standfast() else { return };
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("unsafe-{}", std::process::id()));
    std::fs::create_dir_all(folder.join("pipe")).unwrap();
    let at = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    std::fs::write(at("k.conf"), FILE.replace("FOLDER", folder.to_str().unwrap())).unwrap();
    std::fs::write(at("anybodys"), format!("#!/bin/sh\ntouch {}\n", at("was-run"))).unwrap();
    std::fs::set_permissions(at("anybodys"), std::fs::Permissions::from_mode(0o777)).unwrap();
    let mut command = Command::new("unshare");
    command.args(["-n", "sh", "-c", MACHINE, "sh", folder.to_str().unwrap()]).args(program);
    let status = command.args(["run", "--record", "off", "--keepalived", &at("k.conf")]).status().unwrap();
    let log = std::fs::read_to_string(at("log")).unwrap();
    assert!(status.success(), "{log}");
    let dump: Value = serde_json::from_str(&std::fs::read_to_string(at("dump.json")).unwrap()).unwrap();
    let states: BTreeMap<_, _> = dump
        .as_array()
        .unwrap()
        .iter()
        .map(|r| (r["data"]["iname"].as_str().unwrap(), r["data"]["state"].as_u64().unwrap()))
        .collect();
    assert_eq!(states, BTreeMap::from([("SOUND", 2), ("ANYBODYS", 3), ("MISSING", 3)]), "{log}");
    assert!(!Path::new(&at("was-run")).exists(), "it was run\n{log}");
    for (what, remedy) in
        [("anybodys", "never run"), ("missing", "fails at each run"), ("pipe", "not a pipe")]
    {
        let told = log.lines().any(|line| line.contains(what)) && log.contains(remedy);
        assert!(told, "nothing is said of {what}\n{log}");
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

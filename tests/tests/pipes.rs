//! Notify scripts and the notify pipe are told the same by standfast as by keepalived, in the same order.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise, in its helpers too")]

use standfast::lab::cluster::Cluster;
use standfast::lab::guide::Files;
use standfast::lab::node::{Kind, replace_check};
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;
use system_tests::{BROKEN, Bench, HEALTHY, VIP, bench, checked_router, side_by_side};

const SETTLED: Duration = Duration::from_secs(15);

/// What one kind says while it becomes master, loses priority, gets it back, and stops: the pipe's lines, the scripts'.
fn told(bench: &Bench, kind: &Kind) -> (Vec<String>, Vec<String>) {
    let folder = std::env::temp_dir().join(format!("sf-pipes-{}-{}", std::process::id(), kind.name()));
    std::fs::create_dir_all(&folder).unwrap();
    let place = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let (pipe, hook, log) = (place("pipe"), place("hook.sh"), place("log"));
    assert!(std::process::Command::new("mkfifo").args(["-m", "600", &pipe]).status().unwrap().success());
    let mut reader = File::options().read(true).custom_flags(libc::O_NONBLOCK).open(&pipe).unwrap();
    std::fs::write(&hook, format!("#!/bin/sh\necho \"$*\" >> {log}\n")).unwrap();
    std::fs::set_permissions(&hook, std::fs::Permissions::from_mode(0o755)).unwrap();

    let files = |number: usize| -> Files {
        let priority = [110, 100, 90][number - 1];
        let files = checked_router(&format!(
            "    virtual_router_id 51\n    priority {priority}\n    virtual_ipaddress {{\n        {VIP}\n    }}"
        ));
        // Ours is on, and a master that yields then makes the new one hear a lower router.
        let silent = "router_id LVS_DEVEL\n    vrrp_higher_prio_send_advert false";
        let files = files.with("router_id LVS_DEVEL", silent);
        if number > 1 {
            return files;
        }
        let globals = format!(
            "router_id LVS_DEVEL\n    notify_fifo {pipe}\n    script_user root\n    vrrp_notify_priority_changes true"
        );
        let hooks = format!(
            "notify_master \"{hook} master\"\n    notify_backup \"{hook} backup\"\n    notify {hook}"
        );
        files.with("router_id LVS_DEVEL", &globals).instance(&hooks)
    };
    let nodes = (1..=3).map(|number| (kind.clone(), files(number))).collect();
    let mut cluster = Cluster::start(&bench.plan(), VIP, nodes).unwrap();
    let expect = |cluster: &Cluster, host: &str| {
        if let Err(trouble) = cluster.watch().wait_for(host, SETTLED) {
            panic!("{trouble}\n{}", cluster.said());
        }
        // The pipe and the scripts are told a little after the address is there.
        std::thread::sleep(Duration::from_secs(1));
    };
    expect(&cluster, "cp1");
    replace_check(cluster.lab().node(1), BROKEN).unwrap();
    expect(&cluster, "cp2");
    replace_check(cluster.lab().node(1), HEALTHY).unwrap();
    expect(&cluster, "cp1");
    cluster.stop_node(1).unwrap();
    let mut text = [0; 4096];
    let length = reader.read(&mut text).unwrap();
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    let said = (
        lines(&String::from_utf8_lossy(&text[..length])),
        lines(&std::fs::read_to_string(Path::new(&log)).unwrap()),
    );
    std::fs::remove_dir_all(&folder).unwrap();
    said
}

#[test]
fn the_pipe_and_the_scripts_are_told_what_keepalived_tells_them() {
    let bench = bench!("pipes", "mkfifo");
    let kinds = bench.kinds();
    let mut told = side_by_side(&kinds, |kind| told(&bench, kind));
    let (pipe, scripts) = told.pop().unwrap();
    println!("FIGURE pipes: {}\n{}", pipe.join(" | "), scripts.join(" | "));
    let (mut their_pipe, mut their_scripts) = told.pop().unwrap();
    // Which of the three is first after the start, and so is heard as a lower one, is a matter of milliseconds.
    their_pipe.retain(|line| !line.contains(" MASTER_RX_LOWER_PRI "));
    let pipe: Vec<String> = pipe.into_iter().filter(|line| !line.contains(" MASTER_RX_LOWER_PRI ")).collect();
    assert_eq!(pipe, their_pipe);
    // keepalived waits for no script, so that two of one transition may overtake each other.
    let mut ours = scripts;
    ours.sort();
    their_scripts.sort();
    assert_eq!(ours, their_scripts);
    their_pipe.retain(|line| line.contains(" STOP "));
    assert_eq!(their_pipe.len(), 1);
}

//! What a running daemon says and does about its flight recording: saved at SIGUSR1, missing where it cannot be made.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise, in its helpers too")]

use standfast::lab::cluster::Cluster;
use standfast::lab::guide::Files;
use standfast::lab::host::View;
use standfast::lab::net::Lab;
use standfast::lab::node::Kind;
use standfast::lab::process::wait_until;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use system_tests::{VIP, bench};

const SOON: Duration = Duration::from_secs(10);

#[test]
fn usr1_saves_the_recording_of_the_running_daemon_and_it_replays() {
    let bench = bench!("USR1",);
    let kind = bench.standfast();
    let Kind::Standfast(program) = kind.clone() else { return };
    let text = format!(
        "    virtual_router_id 51\n    priority 100\n    virtual_ipaddress {{\n        {VIP}\n    }}"
    );
    let cluster = Cluster::start(&bench.plan(), VIP, vec![(kind, Files::router(&text))]).unwrap();
    cluster.service(1).signal("USR1");
    let phrase = "Flight recording saved to ";
    assert!(wait_until(SOON, || cluster.service(1).said().contains(phrase)), "{}", cluster.said());
    let said = cluster.service(1).said();
    let path = said.split_once(phrase).unwrap().1.lines().next().unwrap();
    assert!(Path::new(path).exists(), "{path}");
    let output = Command::new(&program[0]).args(&program[1..]).args(["replay", path]).output().unwrap();
    let story = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{story}{}", String::from_utf8_lossy(&output.stderr));
    assert!(story.contains("Entering MASTER STATE") && story.contains("every action as recorded"), "{story}");
    std::fs::remove_file(path).unwrap();
    cluster.service(1).signal("USR1");
    assert!(wait_until(SOON, || cluster.service(1).said().matches(phrase).count() == 2), "once per signal");
}

#[test]
fn a_recording_and_a_socket_that_cannot_be_made_are_told_and_the_daemon_goes_on() {
    let bench = bench!("no recording",);
    let Kind::Standfast(program) = bench.standfast() else { return };
    let lab = Lab::new(&standfast::lab::net::Plan { nodes: 1, ..bench.plan() }).unwrap();
    let node = lab.node(1);
    let place = |name: &str| node.dir().join(name).display().to_string();
    std::fs::write(place("taken"), "precious").unwrap();
    std::fs::write(place("node.toml"), "[[virtual_router]]\nname = \"VI_1\"\ninterface = \"eth0\"\nvrid = 51\npriority = 100\naddress = [{ address = \"192.0.2.100\" }]\n").unwrap();
    let config = place("node.toml");
    let (record, socket) = (place("taken/flight.rec"), place("taken"));
    let words = ["run", "-c", &config, "--record", &record, "--socket", &socket].map(String::from);
    let argv: Vec<String> = program.into_iter().chain(words).collect();
    let mut daemon = node.spawn("standfast", &argv, &View::default()).unwrap();
    assert!(wait_until(SOON, || daemon.said().contains("Entering MASTER STATE")), "{}", daemon.said());
    let said = daemon.said();
    assert!(said.contains(&format!("No flight recorder: {record}: ")), "{said}");
    assert!(said.contains("Name another file by --record FILE, or --record off"), "{said}");
    assert!(
        said.contains(&format!(
            "No local socket for `standfast status` and orders: {socket}: something that is no socket"
        )),
        "{said}"
    );
    daemon.signal("TERM");
    assert!(daemon.wait(SOON).is_some_and(|status| status.success()), "{}", daemon.said());
    assert_eq!(std::fs::read_to_string(place("taken")).unwrap(), "precious");
}

//! `standfast demo`: three real nodes with the guide's files fail and take over for each other; a client watches.
//!
//! Everything happens in namespaces of the demonstration's own, which end with it: as root, or as an ordinary user in
//! a user namespace. Where neither is possible it says so and shows the simulated run instead. The only change to
//! the guide's files is that the check runs every second instead of every three, and counts to 2 instead of 10.

mod picture;

use crate::lab::cluster::Cluster;
use crate::lab::guide::{CHECK_PATH, Edition, Files};
use crate::lab::host::need;
use crate::lab::net::Plan;
use crate::lab::node::{Kind, replace_check};
use crate::lab::process::{self, Result, Trouble, wait_until};
use crate::lab::stats::human;
use crate::lab::{client::Outage, now_us};
use standfast_core::config::load::{Language, Options, load};
use standfast_core::config::source::{MemorySource, ScriptState};
use std::net::{IpAddr, Ipv4Addr};
use std::process::{Command, ExitCode};
use std::time::Duration;

/// The names under which the simulated run reads the guide's files.
const KEEPALIVED: &str = "keepalived.conf";
const HAPROXY: &str = "haproxy.cfg";
const VIP: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 100));
/// Set in the copy of this program that runs inside the namespaces.
const INSIDE: &str = "STANDFAST_DEMO_INSIDE";
/// How often the client opens a connection.
const EVERY: Duration = Duration::from_millis(2);
/// How long a step may take before the demonstration gives up.
const PATIENCE: Duration = Duration::from_secs(15);
const BROKEN: &str = "#!/bin/sh\nexit 1\n";

/// The same story on the discrete-event simulator, for hosts where no namespace can be made.
fn simulated() -> ExitCode {
    let mut nodes = Vec::new();
    for number in 1..=3 {
        let files = Files::guide(Edition::Current, number);
        let mut source = MemorySource::default();
        source.files.insert(KEEPALIVED.to_owned(), files.keepalived.into_bytes());
        source.files.insert(HAPROXY.to_owned(), files.haproxy.unwrap_or_default().into_bytes());
        source.scripts.insert(CHECK_PATH.to_owned(), ScriptState::Runnable);
        let inputs = [(Language::Keepalived, KEEPALIVED), (Language::Haproxy, HAPROXY)];
        let loaded = load(&inputs, &source, None, &Options::default());
        let Some(config) = loaded.config else { return ExitCode::FAILURE };
        nodes.push((format!("cp{number}"), config));
    }
    print!("{}", sim::des::scenario::demo(&nodes));
    ExitCode::SUCCESS
}

/// Runs the demonstration.
#[must_use]
pub fn demo() -> ExitCode {
    if std::env::var_os(INSIDE).is_some() {
        return match inside() {
            Ok(()) => ExitCode::SUCCESS,
            Err(trouble) => {
                eprintln!("the demonstration ended early: {trouble}");
                ExitCode::FAILURE
            }
        };
    }
    match enter() {
        Ok(code) => code,
        Err(trouble) => {
            println!("Real nodes are not possible here: {trouble}.\nThis is the simulated run instead.\n");
            simulated()
        }
    }
}

/// Runs this program again in namespaces of its own.
fn enter() -> Result<ExitCode> {
    for tool in ["unshare", "ip", "nsenter", "setpriv", "sysctl", "mount", "curl"] {
        need(tool)?;
    }
    let own = ["--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"];
    let ways: [&[&str]; 2] = [&[], &["--user", "--map-root-user"]];
    // What the demonstration needs of the kernel, tried once before anything is promised.
    let trial = "mount -t tmpfs tmpfs /run && mkdir /run/netns && ip netns add a && ip netns add b && \
                 ip -n a link add x type veth peer name eth0 netns b && ip -n a link add br0 type bridge";
    let works = |way: &&&[&str]| {
        let mut argv = vec!["unshare"];
        argv.extend(way.iter().chain(&own));
        argv.extend(["sh", "-c", trial]);
        process::run(&argv).is_ok()
    };
    let way = ways.iter().find(works);
    let way =
        way.ok_or_else(|| Trouble::new("neither root nor user namespaces with a network of their own"))?;
    let program = std::env::current_exe()?;
    let script = "mount -t tmpfs tmpfs /run && mkdir /run/netns /run/demo && exec \"$0\" demo";
    let status = Command::new("unshare")
        .args(way.iter().chain(&own))
        .args(["sh", "-c", script])
        .arg(program)
        .env(INSIDE, "1")
        .env("TMPDIR", "/run/demo")
        .status()?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
}

/// What is told of one step.
struct Step {
    at: u64,
    words: String,
    outage: Outage,
}

struct Story {
    cluster: Cluster,
    began: u64,
    steps: Vec<Step>,
}

fn inside() -> Result<()> {
    let program = std::env::current_exe()?.display().to_string();
    let plan = Plan { nodes: 3, snooping: true, helper: vec![program.clone(), "lab".to_owned()] };
    let kind = Kind::Standfast(vec![program]);
    let nodes = (1..=3).map(|node| (kind.clone(), Files::guide(Edition::Current, node).quick())).collect();
    introduce();
    let began = now_us();
    let mut story = Story { cluster: Cluster::new(&plan, VIP, nodes)?, began, steps: Vec::new() };
    story.tell("three nodes start; cp1 has priority 101, cp2 and cp3 have 100");
    for node in 1..=3 {
        story.cluster.start_node(node)?;
    }
    story.holder("cp1")?;
    story.cluster.start_client(EVERY)?;
    story.tell("the client connects, and goes on doing so every 2 ms");
    std::thread::sleep(Duration::from_secs(1));

    story.step("power loss of cp1: its cable is cut and all its processes are killed", |cluster| {
        let at = cluster.power_off(1)?;
        cluster.watch().wait_until_others_hold("cp1", PATIENCE).map(|_| at)
    })?;
    story.step("cp1 comes back and takes over again, being the preferred one", |cluster| {
        let at = cluster.power_on(1)?;
        cluster.watch().wait_for("cp1", PATIENCE).map(|()| at)
    })?;
    story.step("the check on cp1 fails: its priority sinks below the others'", |cluster| {
        let at = now_us();
        replace_check(cluster.lab().node(1), BROKEN)?;
        cluster.watch().wait_until_others_hold("cp1", PATIENCE).map(|_| at)
    })?;
    let script = Files::guide(Edition::Current, 1).check.unwrap_or_default();
    story.step("the check on cp1 succeeds again", |cluster| {
        let at = now_us();
        replace_check(cluster.lab().node(1), &script)?;
        cluster.watch().wait_for("cp1", PATIENCE).map(|()| at)
    })?;
    story.step("cp1 is stopped cleanly (SIGTERM), as for an update", |cluster| {
        let at = cluster.stop_node(1)?;
        cluster.watch().wait_until_others_hold("cp1", PATIENCE).map(|_| at)
    })?;
    story.end();
    Ok(())
}

fn introduce() {
    println!(
        "standfast demo: three control-plane nodes share the address 192.0.2.100, by the files of the kubeadm guide\n\
         (keepalived.conf, check_apiserver.sh, haproxy.cfg). Each is a real standfast process on a machine of its own\n\
         (a network namespace), with a TLS server standing in for the API server. A client outside connects to\n\
         192.0.2.100:8443 every 2 ms and notes when it was answered. To be shorter, the check runs every second and\n\
         counts to 2 (the guide: every 3 seconds, to 10). Nothing outside these namespaces is touched.\n"
    );
}

impl Story {
    fn tell(&self, words: &str) {
        println!("{}  {words}", picture::clock(now_us() - self.began));
    }

    fn holder(&self, name: &str) -> Result<()> {
        self.cluster.watch().wait_for(name, PATIENCE)?;
        self.tell(&format!("        {name} holds 192.0.2.100"));
        Ok(())
    }

    /// Does something to the nodes, waits until the address is where it belongs and the client is answered.
    fn step(&mut self, words: &str, act: impl FnOnce(&mut Cluster) -> Result<u64>) -> Result<()> {
        self.tell(words);
        let at = act(&mut self.cluster).map_err(|trouble| {
            let said = self.cluster.said();
            Trouble::new(format!("{trouble}\n{said}"))
        })?;
        let answered = wait_until(PATIENCE, || self.cluster.outage(at).end.is_some());
        if !answered {
            return Err(Trouble::new("the client is no longer answered"));
        }
        std::thread::sleep(Duration::from_millis(1500));
        let outage = self.cluster.outage(at);
        let holders = self.cluster.watch().holders().join(" and ");
        self.tell(&format!("        {holders} holds 192.0.2.100; {}", noticed(outage)));
        self.steps.push(Step { at, words: words.to_owned(), outage });
        Ok(())
    }

    fn end(&self) {
        let end = now_us();
        println!("\nWho held 192.0.2.100 (each character is {}):\n", human(picture::grain(self.began, end)));
        print!("{}", picture::holds(&self.cluster.watch().holds(), self.began, end));
        println!("\nWhat the client saw:\n");
        for step in &self.steps {
            let at = picture::clock(step.at.saturating_sub(self.began));
            println!("{at}  {:<10} {}", human(step.outage.length()), step.words);
        }
        let report = self.cluster.report();
        let failures: Vec<String> =
            report.failures().iter().map(|(kind, count)| format!("{count} {kind}")).collect();
        let failures = if failures.is_empty() { "none failed".to_owned() } else { failures.join(", ") };
        println!("\n{} connections, {} answered; {failures}.", report.attempts.len(), report.answered());
    }
}

fn noticed(outage: Outage) -> String {
    match outage.length() {
        Duration::ZERO => "the client noticed nothing".to_owned(),
        length => format!("the client was without an answer for {}", human(length)),
    }
}

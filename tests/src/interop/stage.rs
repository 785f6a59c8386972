//! One pair of routers on a LAN of its own, and the events of a row.
//!
//! Decides nothing about what should follow: notes when each event was, when a started router listened, and who held
//! which address at the end of each step. The capture runs on the switch.

use super::{Act, Party, Play};
use crate::frr::{Frr, V4, V6};
use crate::{BROKEN, Bench, HEALTHY};
use standfast::lab::guide::Files;
use standfast::lab::host::{View, words};
use standfast::lab::net::{Lab, Plan};
use standfast::lab::node::{Kind, Service};
use standfast::lab::now_us;
use standfast::lab::process::{Process, Result, Trouble, wait_until};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

/// How long a started router may take until it listens.
const LISTENS: Duration = Duration::from_secs(3);
/// From a run of a check until its verdict is changed.
const AFTER_A_RUN: Duration = Duration::from_millis(300);
/// How much later the second router starts at the beginning: so that the first is the first where that decides.
const SECOND: Duration = Duration::from_millis(500);
/// How a raw socket of protocol 112 looks in `/proc/PID/net/raw` and `raw6`.
const RAW_112: &str = ":0070 ";

/// When an event was and what was seen around it, in microseconds since 1970.
#[derive(Clone, Debug)]
pub struct Moment {
    /// The moment of the event.
    pub at: u64,
    /// The end of its step.
    pub end: u64,
    /// From when the nodes listened that were started.
    pub listens: [Option<u64>; 2],
    /// The nodes that held the address of each router at the end.
    pub holders: Vec<Vec<usize>>,
}

#[derive(Debug)]
enum Running {
    Service(Service),
    Frr(Frr),
}

/// A pair of routers that have not been started yet, with everything around them.
#[derive(Debug)]
pub struct Stage<'a> {
    play: &'a Play,
    pair: [Party; 2],
    standfast: Kind,
    running: [Option<Running>; 2],
    workers: [Option<Process>; 2],
    capture: Process,
    lab: Lab,
}

impl Stage<'_> {
    /// Builds the LAN of `play` for `pair`.
    ///
    /// # Errors
    /// When the laboratory cannot be built.
    pub fn new<'a>(bench: &Bench, play: &'a Play, pair: [Party; 2]) -> Result<Stage<'a>> {
        let lab = Lab::new(&Plan { nodes: 2, ..bench.plan() })?;
        let switch = format!("--net=/run/netns/{}", lab.client().space().replace("-client", "-sw"));
        let mut command = Command::new("nsenter");
        command.arg(switch).args(["--", "setpriv", "--pdeathsig", "KILL", "--"]);
        // Short frames, or the ring of the immediate mode has room for eight.
        command.args(words("tcpdump --immediate-mode -s 256 -tt -n -l -i any"));
        command.arg("ip proto 112 or ip6 proto 112 or ip proto 51");
        let capture = Process::start(command, &lab.dir().join("capture.log"))?;
        let hears = || capture.said().contains("listening on");
        if !wait_until(Duration::from_secs(10), hears) {
            return Err(Trouble::new(format!("tcpdump does not come up: {}", capture.said())));
        }
        for host in lab.nodes() {
            host.ip("link add eth1 type veth peer name eth1-peer")?;
            host.ip("link set eth1 up")?;
            host.ip("link set eth1-peer up")?;
        }
        let stage = Stage {
            play,
            pair,
            standfast: bench.standfast(),
            running: [None, None],
            workers: [None, None],
            capture,
            lab,
        };
        for node in [1, 2] {
            stage.set_check(node, true)?;
            std::fs::write(stage.path(node, "level"), "0\n")?;
        }
        Ok(stage)
    }

    /// Plays it; one moment per step.
    ///
    /// # Errors
    /// When the laboratory does not obey.
    pub fn play(&mut self) -> Result<Vec<Moment>> {
        if self.play.steps.iter().any(|(act, _)| matches!(act, Act::Process(..))) {
            for node in [1, 2] {
                self.act(Act::Process(node, true))?;
            }
        }
        let mut moments = Vec::new();
        for (act, wait) in &self.play.steps {
            if let Act::Check(node, _) = act {
                self.wait_for_a_run(*node);
            }
            let at = now_us();
            let mut listens = [None, None];
            // One after the other, so that on a busy machine too the first to start is the first to count.
            for node in [1, 2].into_iter().filter(|node| act.starts(*node)) {
                if *act == Act::Begin {
                    std::thread::sleep(if node == 1 { Duration::ZERO } else { SECOND });
                    self.start(node)?;
                } else {
                    self.act(*act)?;
                }
                listens[node - 1] = self.listens(node);
            }
            if listens == [None, None] {
                self.act(*act)?;
            }
            std::thread::sleep(Duration::from_millis(*wait));
            let end = now_us();
            let holders = self.holders()?;
            moments.push(Moment { at, end, listens, holders });
        }
        Ok(moments)
    }

    /// The capture's text.
    #[must_use]
    pub fn captured(&self) -> String {
        self.capture.said()
    }

    /// What both programs have written, for a failed row.
    #[must_use]
    pub fn said(&self) -> String {
        let mut said = String::new();
        for host in self.lab.nodes() {
            for name in ["standfast", "keepalived", "vrrpd"] {
                let text = std::fs::read(host.dir().join(format!("{name}.log"))).unwrap_or_default();
                said.push_str(&format!("--- {} {name}\n{}", host.name(), String::from_utf8_lossy(&text)));
            }
        }
        said
    }

    /// The watched process of a node: a name of its own, since all nodes see all processes.
    fn worker(&self, node: usize) -> String {
        let tag = self.lab.dir().file_name().unwrap_or_default().to_string_lossy().replace("sf-", "w");
        format!("{tag}-{node}")
    }

    fn path(&self, node: usize, name: &str) -> PathBuf {
        self.lab.node(node).dir().join(name)
    }

    fn act(&mut self, act: Act) -> Result<()> {
        let name = |node: usize| format!("cp{node}");
        match act {
            Act::Begin => [1, 2].into_iter().try_for_each(|node| self.start(node)),
            Act::Start(node) => self.start(node),
            Act::Stop(node) => {
                match &self.running[node - 1] {
                    Some(Running::Service(service)) => service.signal("TERM"),
                    Some(Running::Frr(frr)) => frr.vrrpd.signal("TERM"),
                    None => {}
                }
                Ok(())
            }
            Act::PowerOff(node) => {
                self.lab.power_off(&name(node), &[])?;
                self.running[node - 1] = None;
                Ok(())
            }
            Act::PowerOn(node) => {
                self.lab.power_on(&name(node))?;
                let link = || {
                    self.lab.node(node).ip("link show dev eth0").is_ok_and(|said| said.contains("LOWER_UP"))
                };
                wait_until(Duration::from_secs(2), link);
                self.start(node)
            }
            Act::Check(node, well) => self.set_check(node, well),
            Act::Cable(node, true) => self.lab.plug(&name(node)),
            Act::Cable(node, false) => self.lab.cut(&name(node)),
            Act::Link(node, up) => {
                let state = if up { "up" } else { "down" };
                self.lab.node(node).ip(&format!("link set eth1-peer {state}")).map(drop)
            }
            Act::File(node, text) => Ok(std::fs::write(self.path(node, "level"), format!("{text}\n"))?),
            Act::Process(node, true) => {
                let program = self.path(node, &self.worker(node));
                if !program.exists() {
                    std::fs::copy("/bin/sleep", &program)?;
                }
                let argv = [program.display().to_string(), "1000".to_owned()];
                let worker = self.lab.node(node).spawn("worker", &argv, &View::default())?;
                self.workers[node - 1] = Some(worker);
                Ok(())
            }
            Act::Process(node, false) => {
                self.workers[node - 1] = None;
                Ok(())
            }
            Act::Deafen => self.lab.deafen(),
            Act::Heal => self.lab.heal(),
        }
    }

    fn start(&mut self, node: usize) -> Result<()> {
        let host = self.lab.node(node);
        let text = self.play.file(node, self.pair[node - 1], &host.dir().display().to_string());
        let text = text.replace("{WORKER}", &self.worker(node));
        let kind = match self.pair[node - 1] {
            Party::Keepalived => Kind::Pair,
            Party::Standfast => self.standfast.clone(),
            Party::Frr => {
                let six = self.play.routers.iter().any(|router| router.vip.contains(':'));
                let family = if six { V6 } else { V4 };
                // The one before must be gone: it has a lock.
                self.running[node - 1] = None;
                self.running[node - 1] = Some(Running::Frr(Frr::start(host, family, &text)?));
                return Ok(());
            }
        };
        let files = Files { keepalived: text, haproxy: None, check: None };
        match &mut self.running[node - 1] {
            Some(Running::Service(service)) => service.resume(host, &files)?,
            place => *place = Some(Running::Service(Service::start(host, &kind, &files)?)),
        }
        Ok(())
    }

    /// Waits until the node's program has a raw socket of protocol 112; the moment when it had.
    fn listens(&self, node: usize) -> Option<u64> {
        let pid = match self.running[node - 1].as_ref()? {
            Running::Service(service) => service.holder().pid(),
            Running::Frr(frr) => frr.vrrpd.pid(),
        };
        let open = |table: &str| {
            let path = format!("/proc/{pid}/net/{table}");
            std::fs::read_to_string(path).is_ok_and(|text| text.contains(RAW_112))
        };
        wait_until(LISTENS, || open("raw") || open("raw6")).then(now_us)
    }

    fn holders(&self) -> Result<Vec<Vec<usize>>> {
        let shown = [1, 2].map(|node| self.lab.node(node).ip("-o address show"));
        let [one, two] = shown;
        let shown = [one?, two?];
        let held = |vip: &str, node: usize| shown[node - 1].contains(&format!(" {vip}/"));
        let routers = self.play.routers.iter();
        Ok(routers
            .map(|router| [1, 2].into_iter().filter(|node| held(&router.vip, *node)).collect())
            .collect())
    }

    /// Waits until the check has just run, so that its next run is as far away in every pair.
    fn wait_for_a_run(&self, node: usize) {
        let runs = || std::fs::metadata(self.path(node, "runs")).map_or(0, |found| found.len());
        let before = runs();
        wait_until(Duration::from_secs(3), || runs() > before);
        std::thread::sleep(AFTER_A_RUN);
    }

    fn set_check(&self, node: usize, well: bool) -> Result<()> {
        let (new, old) = (self.path(node, "check.new"), self.path(node, "check.sh"));
        let noted = format!("#!/bin/sh\necho >>{}\n", self.path(node, "runs").display());
        std::fs::write(&new, if well { HEALTHY } else { BROKEN }.replace("#!/bin/sh\n", &noted))?;
        std::fs::set_permissions(&new, std::fs::Permissions::from_mode(0o755))?;
        Ok(std::fs::rename(new, old)?)
    }
}

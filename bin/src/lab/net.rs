//! The laboratory's LAN: a switch in a namespace of its own, and machines joined to it by veth pairs.
//!
//! No interface is ever made in the caller's own namespace. Names carry the pid (`sf-PID-N-cp1`), so that several
//! laboratories live side by side; what a killed process left behind is removed by the next one.

use super::flights;
use super::host::Host;
use super::process::{self, Result, Trouble};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

/// The largest number of nodes in one laboratory; their addresses are .11 and up.
pub const MAX_NODES: usize = 9;

static COUNT: AtomicU32 = AtomicU32::new(0);
static LIVE: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
static GUARD: OnceLock<()> = OnceLock::new();

/// What a laboratory consists of.
#[derive(Clone, Debug)]
pub struct Plan {
    /// How many nodes: `cp1`, `cp2`, and so on.
    pub nodes: usize,
    /// Multicast snooping of the switch.
    pub snooping: bool,
    /// The command line that leads to [`crate::lab::main`], before its first argument.
    pub helper: Vec<String>,
}

/// A switch, nodes and a client; gone on drop.
#[derive(Debug)]
pub struct Lab {
    tag: String,
    dir: PathBuf,
    hosts: Vec<Host>,
    plan: Plan,
    pub(super) rules: Vec<String>,
}

impl Lab {
    /// Builds it.
    ///
    /// # Errors
    /// When the caller may not make namespaces, or a tool is missing.
    pub fn new(plan: &Plan) -> Result<Lab> {
        if plan.nodes == 0 || plan.nodes > MAX_NODES {
            return Err(Trouble::new(format!("1 to {MAX_NODES} nodes, not {}", plan.nodes)));
        }
        GUARD.get_or_init(watch_for_interrupt);
        sweep();
        let tag = format!("sf-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        live().insert(tag.clone());
        let dir = std::env::temp_dir().join(&tag);
        std::fs::create_dir_all(&dir)?;
        let mut lab = Lab { tag, dir, hosts: Vec::new(), plan: plan.clone(), rules: Vec::new() };
        lab.build()?;
        Ok(lab)
    }

    /// The nodes, in order.
    #[must_use]
    pub fn nodes(&self) -> &[Host] {
        self.hosts.get(..self.plan.nodes).unwrap_or_default()
    }

    /// Node `cpN`, counted from 1.
    #[must_use]
    pub fn node(&self, number: usize) -> &Host {
        assert!(number >= 1 && number <= self.plan.nodes, "there is no node cp{number}");
        &self.hosts[number - 1]
    }

    /// The client.
    #[must_use]
    pub fn client(&self) -> &Host {
        &self.hosts[self.plan.nodes]
    }

    /// Nodes and client.
    #[must_use]
    pub fn hosts(&self) -> &[Host] {
        &self.hosts
    }

    /// The machine of this name.
    ///
    /// # Errors
    /// When there is none.
    pub fn host(&self, name: &str) -> Result<&Host> {
        let found = self.hosts.iter().find(|host| host.name() == name);
        found.ok_or_else(|| Trouble::new(format!("no machine `{name}`")))
    }

    /// The laboratory's directory; kept when a test panics.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// A command line for one of the laboratory's own programs.
    #[must_use]
    pub fn helper(&self, words: &str) -> Vec<String> {
        let mut argv = self.plan.helper.clone();
        argv.extend(super::host::words(words));
        argv
    }

    /// Runs a command in the switch's namespace with `input` on its standard input.
    ///
    /// # Errors
    /// When it fails.
    pub fn at_switch(&self, argv: &[&str], input: &str) -> Result<String> {
        let net = format!("--net=/run/netns/{}", self.switch());
        let mut whole = vec!["nsenter", &net, "--"];
        whole.extend(argv);
        process::feed(&whole, input)
    }

    pub(super) fn switch(&self) -> String {
        format!("{}-sw", self.tag)
    }

    fn build(&mut self) -> Result<()> {
        let switch = self.switch();
        process::run(&["ip", "netns", "add", &switch])?;
        let mut names: Vec<(String, u32)> =
            (1..=self.plan.nodes).zip(11..).map(|(n, last)| (format!("cp{n}"), last)).collect();
        names.push(("client".to_owned(), 50));
        let snooping = u8::from(self.plan.snooping);
        let mut batch = format!("link add br0 type bridge mcast_snooping {snooping} stp_state 0\n");
        batch.push_str("link set br0 up\nlink set lo up\n");
        for (name, last) in &names {
            let space = format!("{}-{name}", self.tag);
            process::run(&["ip", "netns", "add", &space])?;
            let port = format!("p-{name}");
            batch.push_str(&format!("link add {port} type veth peer name eth0 netns {space}\n"));
            batch.push_str(&format!("link set {port} master br0 up\n"));
            let own = vec![format!("192.0.2.{last}/24"), format!("2001:db8::{last}/64")];
            self.hosts.push(Host::new(name, space, self.dir.join(name), own)?);
        }
        process::feed(&["ip", "-n", &switch, "-batch", "-"], &batch)?;
        for host in &self.hosts {
            host.sysctl(&["net.ipv6.conf.eth0.accept_dad=0", "net.ipv6.conf.eth0.router_solicitations=0"])?;
            host.ip("link set lo up")?;
            host.ip("link set eth0 up")?;
            host.reset_addresses()?;
        }
        // Hundreds of fresh connections per second to one address.
        self.client().sysctl(&["net.ipv4.ip_local_port_range=1024 65535", "net.ipv4.tcp_tw_reuse=1"])
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        remove(&self.tag);
        live().remove(&self.tag);
        if std::thread::panicking() {
            eprintln!("what every machine wrote is kept in {}", self.dir.display());
        } else {
            match flights::replay(&self.dir) {
                Ok((0, _)) => {}
                Ok((count, inputs)) => {
                    eprintln!(
                        "checked afterwards: fed once more with what they recorded ({inputs} inputs in {count} \
                         recordings), all daemons decided the same"
                    );
                }
                Err(error) => panic!("a replay differs from what was recorded: {error}"),
            }
            let _ = std::fs::remove_dir_all(&self.dir);
        }
    }
}

fn live() -> std::sync::MutexGuard<'static, BTreeSet<String>> {
    LIVE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Ends everything in the namespaces of a laboratory and removes them.
fn remove(tag: &str) {
    let listed = process::run(&["ip", "netns", "list"]).unwrap_or_default();
    let prefix = format!("{tag}-");
    for space in listed.lines().filter_map(|line| line.split_whitespace().next()) {
        if space.starts_with(&prefix) {
            let pids = process::run(&["ip", "netns", "pids", space]).unwrap_or_default();
            let pids: Vec<u32> = pids.split_whitespace().filter_map(|pid| pid.parse().ok()).collect();
            process::signal(&pids, "KILL");
            let _ = process::run(&["ip", "netns", "del", space]);
        }
    }
}

/// Removes what laboratories of ended processes left behind.
fn sweep() {
    let listed = process::run(&["ip", "netns", "list"]).unwrap_or_default();
    let mut dead = BTreeSet::new();
    for space in listed.lines().filter_map(|line| line.split_whitespace().next()) {
        let mut parts = space.split('-');
        if let (Some("sf"), Some(pid), Some(count)) = (parts.next(), parts.next(), parts.next())
            && pid.parse::<u32>().is_ok()
            && !Path::new("/proc").join(pid).exists()
        {
            dead.insert(format!("sf-{pid}-{count}"));
        }
    }
    for tag in dead {
        remove(&tag);
        let _ = std::fs::remove_dir_all(std::env::temp_dir().join(&tag));
    }
}

/// Ctrl-C and SIGTERM remove the namespaces before the process ends.
fn watch_for_interrupt() {
    use tokio::signal::unix::{SignalKind, signal};
    std::thread::spawn(|| {
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
        runtime.block_on(async {
            let (Ok(mut int), Ok(mut term)) =
                (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
            else {
                return;
            };
            tokio::select! { biased;
                _ = int.recv() => {}
                _ = term.recv() => {}
            }
            let tags: Vec<String> = live().iter().cloned().collect();
            for tag in tags {
                remove(&tag);
                let _ = std::fs::remove_dir_all(std::env::temp_dir().join(&tag));
            }
            std::process::exit(130);
        });
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_laboratory_without_nodes_or_with_one_too_many_is_refused_before_anything_is_made() {
        for nodes in [0, MAX_NODES + 1] {
            let plan = Plan { nodes, snooping: true, helper: Vec::new() };
            let said = Lab::new(&plan).map(drop).unwrap_err().to_string();
            assert_eq!(said, format!("1 to 9 nodes, not {nodes}"));
        }
    }
}

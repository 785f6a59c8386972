//! Nodes with their software, backends, a watcher and a client: the whole of the guide's control plane.
//!
//! Keeps track of what runs where, so that a node can lose power and come back with one call each.

use super::backend;
use super::client::{Client, Outage, Report};
use super::guide::Files;
use super::net::{Lab, Plan};
use super::node::{Kind, Service};
use super::process::{Process, Result, Trouble, wait_until};
use super::watch::Watch;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// The guide's port.
pub const PORT: u16 = 8443;

/// A laboratory with everything running.
#[derive(Debug)]
pub struct Cluster {
    client: Option<Client>,
    services: Vec<Option<Service>>,
    backends: Vec<Option<Process>>,
    files: Vec<(Kind, Files)>,
    vip: IpAddr,
    watch: Watch,
    lab: Lab,
}

impl Cluster {
    /// Builds machines, one per entry of `files`, with backends where there is a proxy; starts no node yet.
    ///
    /// # Errors
    /// When the laboratory cannot be built.
    pub fn new(plan: &Plan, vip: IpAddr, files: Vec<(Kind, Files)>) -> Result<Cluster> {
        let lab = Lab::new(&Plan { nodes: files.len(), ..plan.clone() })?;
        let watch = Watch::start(&lab, vip)?;
        let mut backends = Vec::new();
        for (host, (_, files)) in lab.nodes().iter().zip(&files) {
            backends.push(files.haproxy.as_ref().map(|_| backend::start(&lab, host)).transpose()?);
        }
        let services = files.iter().map(|_| None).collect();
        Ok(Cluster { client: None, services, backends, files, vip, watch, lab })
    }

    /// As [`Cluster::new`], and starts all nodes, and the client once `cp1` alone holds the address and answers.
    ///
    /// # Errors
    /// When `cp1` does not come to hold the address.
    pub fn start(plan: &Plan, vip: IpAddr, files: Vec<(Kind, Files)>) -> Result<Cluster> {
        let mut cluster = Cluster::new(plan, vip, files)?;
        for number in 1..=cluster.files.len() {
            cluster.start_node(number)?;
        }
        cluster.watch.wait_for("cp1", Duration::from_secs(12))?;
        Ok(cluster)
    }

    /// Starts the software of node `cpN`, and its backend where that is gone.
    ///
    /// # Errors
    /// When a program cannot be started.
    pub fn start_node(&mut self, number: usize) -> Result<()> {
        let host = self.lab.node(number);
        let (kind, files) = &self.files[number - 1];
        if files.haproxy.is_some() && self.backends[number - 1].is_none() {
            self.backends[number - 1] = Some(backend::start(&self.lab, host)?);
        }
        match &mut self.services[number - 1] {
            Some(service) => service.resume(host, files),
            none => {
                *none = Some(Service::start(host, kind, files)?);
                Ok(())
            }
        }
    }

    /// Starts the client and waits for its first answers; the time when they were there.
    ///
    /// # Errors
    /// When nobody answers.
    pub fn start_client(&mut self, every: Duration) -> Result<u64> {
        let client = Client::start(&self.lab, SocketAddr::new(self.vip, PORT), every)?;
        let before = client.report().answered();
        let answered = wait_until(Duration::from_secs(10), || client.report().answered() >= before + 50);
        self.client = Some(client);
        if answered { Ok(super::now_us()) } else { Err(Trouble::new("no answer through the address")) }
    }

    /// Ends the client; what it has seen is part of the next one's report.
    pub fn stop_client(&mut self) {
        self.client = None;
    }

    /// Power loss of `cpN`: cable, software and backend at once. Returns the moment before.
    ///
    /// # Errors
    /// When the switch does not obey.
    pub fn power_off(&mut self, number: usize) -> Result<u64> {
        let name = self.lab.node(number).name().to_owned();
        let at = super::now_us();
        self.lab.power_off(&name, &self.watch.pids())?;
        self.services[number - 1] = None;
        self.backends[number - 1] = None;
        Ok(at)
    }

    /// Switches `cpN` on again and starts its software.
    ///
    /// # Errors
    /// When a program cannot be started.
    pub fn power_on(&mut self, number: usize) -> Result<u64> {
        let name = self.lab.node(number).name().to_owned();
        let at = super::now_us();
        self.lab.power_on(&name)?;
        self.start_node(number)?;
        Ok(at)
    }

    /// A clean stop of the software on `cpN` that decides about the address. Returns the moment before.
    ///
    /// # Errors
    /// When it does not end within 10 s.
    pub fn stop_node(&mut self, number: usize) -> Result<u64> {
        let at = super::now_us();
        let Some(service) = &mut self.services[number - 1] else {
            return Err(Trouble::new(format!("cp{number} is not running")));
        };
        if service.stop(Duration::from_secs(10)) {
            Ok(at)
        } else {
            Err(Trouble::new(format!("cp{number} did not end within 10 s of SIGTERM")))
        }
    }

    /// Kills the backend of `cpN`.
    pub fn kill_backend(&mut self, number: usize) -> u64 {
        let at = super::now_us();
        self.backends[number - 1] = None;
        at
    }

    /// Starts the backend of `cpN` again.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start_backend(&mut self, number: usize) -> Result<()> {
        self.backends[number - 1] = Some(backend::start(&self.lab, self.lab.node(number))?);
        Ok(())
    }

    /// Makes the backend of `cpN` answer 500, or 200 again.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn set_sick(&self, number: usize, sick: bool) -> Result<u64> {
        let file = backend::sick_file(self.lab.node(number));
        if sick {
            std::fs::write(&file, "")?;
        } else {
            std::fs::remove_file(&file)?;
        }
        Ok(super::now_us())
    }

    /// The software of `cpN`.
    ///
    /// # Panics
    /// When it is not running.
    #[must_use]
    pub fn service(&self, number: usize) -> &Service {
        self.services[number - 1].as_ref().expect("the caller has started it")
    }

    /// What every node's software has written, for a failed test.
    #[must_use]
    pub fn said(&self) -> String {
        let mut all = String::new();
        for host in self.lab.nodes() {
            for name in ["standfast", "keepalived", "haproxy"] {
                let file = host.dir().join(format!("{name}.log"));
                if let Ok(text) = std::fs::read_to_string(file) {
                    all.push_str(&format!("--- {} {name}\n", host.name()));
                    // The access log of hundreds of connections per second is of no help.
                    for line in text.lines().filter(|line| !access(line)) {
                        all.push_str(line);
                        all.push('\n');
                    }
                }
            }
        }
        all
    }

    /// What the client has seen.
    #[must_use]
    pub fn report(&self) -> Report {
        self.client.as_ref().map(Client::report).unwrap_or_default()
    }

    /// The longest outage that the client has seen from `since` on.
    #[must_use]
    pub fn outage(&self, since: u64) -> Outage {
        // A little earlier, so that the last answer before the fault is part of it.
        let report = self.report().between(since.saturating_sub(500_000), u64::MAX);
        let all = report.outages(Duration::ZERO).into_iter();
        let after = all.filter(|outage| outage.end.is_none_or(|end| end >= since));
        after.max_by_key(Outage::length).unwrap_or(Outage { start: since, end: Some(since) })
    }

    /// The watcher of the address.
    #[must_use]
    pub fn watch(&self) -> &Watch {
        &self.watch
    }

    /// The machines.
    #[must_use]
    pub fn lab(&self) -> &Lab {
        &self.lab
    }

    /// The machines, to be broken.
    pub fn lab_mut(&mut self) -> &mut Lab {
        &mut self.lab
    }
}

fn access(line: &str) -> bool {
    line.contains("192.0.2.50:") || line.starts_with("127.0.0.1:")
}

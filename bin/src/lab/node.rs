//! What runs on a node of the laboratory: standfast, or keepalived with haproxy, from the same files.
//!
//! Writes the files into the node's directory, shows them at the guide's paths where those exist on this machine,
//! and says which process is which.

use super::flights;
use super::guide::{CHECK_PATH, Files};
use super::host::{Host, View, words};
use super::process::{self, Process, Result, wait_until};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Which software.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// standfast, by the command line before `run`.
    Standfast(Vec<String>),
    /// keepalived and haproxy as two processes.
    Pair,
}

impl Kind {
    /// For tables and messages.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Kind::Standfast(_) => "standfast",
            Kind::Pair => "keepalived",
        }
    }
}

/// The running software of one node.
#[derive(Debug)]
pub struct Service {
    kind: Kind,
    holder: Option<Process>,
    proxy: Option<Process>,
}

impl Service {
    /// Writes `files` and starts `kind` with them on `host`.
    ///
    /// # Errors
    /// When a file cannot be written or a program not be started.
    pub fn start(host: &Host, kind: &Kind, files: &Files) -> Result<Service> {
        let mut service = Service { kind: kind.clone(), holder: None, proxy: None };
        service.resume(host, files)?;
        Ok(service)
    }

    /// Writes `files` and starts what is not running: after a clean stop, the part that was stopped.
    ///
    /// # Errors
    /// When a file cannot be written or a program not be started.
    pub fn resume(&mut self, host: &Host, files: &Files) -> Result<()> {
        let (keepalived, haproxy, view) = write(host, files)?;
        match &self.kind {
            Kind::Standfast(program) => {
                let mut argv = program.clone();
                argv.extend(words(&format!("run --keepalived {}", keepalived.display())));
                if let Some(haproxy) = haproxy {
                    argv.extend(words(&format!("--haproxy {}", haproxy.display())));
                }
                let recording = flights::next(host.dir());
                argv.extend(words(&format!("--record {} --record-size 4", recording.display())));
                argv.extend(words(&format!("--socket {}", socket(host).display())));
                self.holder = Some(host.spawn("standfast", &argv, &view)?);
            }
            Kind::Pair => {
                if let (Some(haproxy), None) = (haproxy, &self.proxy) {
                    let line = format!("haproxy -db -f {}", haproxy.display());
                    self.proxy = Some(host.spawn("haproxy", &words(&line), &view)?);
                    // keepalived takes the first answer of a check at its word, so the proxy comes first.
                    let ask = ["curl", "-sk", "--max-time", "1", "https://127.0.0.1:8443/healthz"];
                    wait_until(Duration::from_secs(5), || host.run(&ask).is_ok());
                }
                for left in ["k.pid", "v.pid"] {
                    let _ = std::fs::remove_file(host.dir().join(left));
                }
                let (run, file) = (host.dir().display(), keepalived.display());
                let line = format!("keepalived -n -l -D -P -f {file} -p {run}/k.pid -r {run}/v.pid");
                self.holder = Some(host.spawn("keepalived", &words(&line), &view)?);
            }
        }
        Ok(())
    }

    /// Which software it is.
    #[must_use]
    pub fn kind(&self) -> &Kind {
        &self.kind
    }

    /// The process that holds the virtual address: standfast, or keepalived's parent.
    #[must_use]
    pub fn holder(&self) -> &Process {
        self.holder.as_ref().expect("a service is made by starting its holder")
    }

    /// The pids that decide about the virtual address: standfast, or keepalived with its children.
    #[must_use]
    pub fn deciders(&self) -> Vec<u32> {
        let parent = self.holder().pid();
        let mut pids = vec![parent];
        let children = format!("/proc/{parent}/task/{parent}/children");
        let listed = std::fs::read_to_string(children).unwrap_or_default();
        pids.extend(listed.split_whitespace().filter_map(|pid| pid.parse::<u32>().ok()));
        pids
    }

    /// Sends a signal to the processes that decide about the virtual address, all at once.
    pub fn signal(&self, name: &str) {
        match self.kind {
            Kind::Standfast(_) => self.holder().signal(name),
            Kind::Pair if matches!(name, "STOP" | "CONT" | "KILL") => {
                process::signal(&self.deciders(), name);
            }
            Kind::Pair => self.holder().signal(name),
        }
    }

    /// A clean stop, waited for.
    pub fn stop(&mut self, longest: Duration) -> bool {
        self.holder().signal("TERM");
        self.holder.as_mut().is_some_and(|holder| holder.wait(longest).is_some())
    }

    /// Everything its processes have written.
    #[must_use]
    pub fn said(&self) -> String {
        self.holder.iter().chain(&self.proxy).map(Process::said).collect()
    }
}

/// The local socket of the standfast on `host`.
#[must_use]
pub fn socket(host: &Host) -> PathBuf {
    host.dir().join("control.sock")
}

/// Puts another check script in the place of the one that a running node uses.
///
/// # Errors
/// When it cannot be written.
pub fn replace_check(host: &Host, script: &str) -> Result<()> {
    let folder = host.dir().join("etc");
    let (new, old) = (folder.join("check.new"), folder.join("check_apiserver.sh"));
    std::fs::write(&new, script)?;
    std::fs::set_permissions(&new, std::fs::Permissions::from_mode(0o755))?;
    std::fs::rename(new, old)?;
    Ok(())
}

/// Writes the files; returns the paths and the view that shows them at their places.
fn write(host: &Host, files: &Files) -> Result<(PathBuf, Option<PathBuf>, View)> {
    let folder = host.dir().join("etc");
    std::fs::create_dir_all(&folder)?;
    let mut view = View::default();
    let mut text = files.keepalived.clone();
    if let Some(check) = &files.check {
        let script = folder.join("check_apiserver.sh");
        std::fs::write(&script, check)?;
        std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755))?;
        let place = Path::new("/etc/keepalived");
        if place.is_dir() {
            view.binds.push((folder.clone(), place.to_owned()));
        } else {
            text = text.replace(CHECK_PATH, &script.display().to_string());
        }
    }
    let keepalived = folder.join("keepalived.conf");
    std::fs::write(&keepalived, text)?;
    let haproxy = match &files.haproxy {
        Some(text) => {
            let path = folder.join("haproxy.cfg");
            std::fs::write(&path, text)?;
            if text.contains("/dev/log") {
                view.dev_log = Some(sink(host)?);
            }
            Some(path)
        }
        None => None,
    };
    Ok((keepalived, haproxy, view))
}

/// A datagram socket for the node's `/dev/log`; what arrives is kept in `dev-log.log`.
fn sink(host: &Host) -> Result<PathBuf> {
    let path = host.dir().join("dev-log.sock");
    if path.exists() {
        return Ok(path);
    }
    let socket = UnixDatagram::bind(&path)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666))?;
    let log = host.dir().join("dev-log.log");
    std::thread::spawn(move || {
        let mut line = vec![0; 64 * 1024];
        while let Ok(length) = socket.recv(&mut line) {
            use std::io::Write as _;
            let Ok(mut file) = std::fs::File::options().create(true).append(true).open(&log) else { return };
            let text = String::from_utf8_lossy(&line[..length]);
            if writeln!(file, "{}", text.trim_end()).is_err() {
                return;
            }
        }
    });
    Ok(path)
}

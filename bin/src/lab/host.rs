//! One machine of the laboratory: a network namespace with `lo` and `eth0`, and a directory for its files.
//!
//! Enters the namespace by `nsenter`. A process may be given a view of its own of the file system (bind mounts in a
//! private mount namespace), so that every machine has its own `/etc/keepalived` and `/dev/log`.

use super::process::{self, Process, Result, Trouble};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A machine.
#[derive(Debug)]
pub struct Host {
    name: String,
    space: String,
    dir: PathBuf,
    addresses: Vec<String>,
}

/// What a process sees differently from the rest of the machine.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// `(what is shown, where it is shown)`; the place must exist.
    pub binds: Vec<(PathBuf, PathBuf)>,
    /// The datagram socket shown as `/dev/log`, in a private `/dev`.
    pub dev_log: Option<PathBuf>,
}

impl Host {
    pub(super) fn new(name: &str, space: String, dir: PathBuf, addresses: Vec<String>) -> Result<Host> {
        std::fs::create_dir_all(&dir)?;
        Ok(Host { name: name.to_owned(), space, dir, addresses })
    }

    /// Its short name: `cp1`, `client`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The name of its network namespace.
    #[must_use]
    pub fn space(&self) -> &str {
        &self.space
    }

    /// The directory for its files and logs.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The port of the switch it hangs on.
    #[must_use]
    pub fn port(&self) -> String {
        format!("p-{}", self.name)
    }

    /// Runs `ip` with these words inside.
    ///
    /// # Errors
    /// When `ip` says no.
    pub fn ip(&self, words: &str) -> Result<String> {
        let mut argv = vec!["ip", "-n", &self.space];
        argv.extend(words.split_whitespace());
        process::run(&argv)
    }

    /// Runs a command inside, to its end.
    ///
    /// # Errors
    /// When it cannot be started or fails.
    pub fn run(&self, argv: &[&str]) -> Result<String> {
        let at = self.net();
        let mut whole = vec!["nsenter", at.as_str(), "--"];
        whole.extend(argv);
        process::run(&whole)
    }

    /// Sets kernel switches inside: `net.ipv4.x=y`.
    ///
    /// # Errors
    /// When the kernel does not know one.
    pub fn sysctl(&self, settings: &[&str]) -> Result<()> {
        let mut argv = vec!["sysctl", "-q", "-w"];
        argv.extend(settings);
        self.run(&argv).map(drop)
    }

    /// Starts a process inside, with output in `NAME.log` of its directory.
    ///
    /// # Errors
    /// When the program cannot be started.
    pub fn spawn(&self, name: &str, argv: &[String], view: &View) -> Result<Process> {
        Process::start(self.command(argv, view), &self.dir.join(format!("{name}.log")))
    }

    /// The command that runs `argv` inside, with the view of the file system that was asked for.
    ///
    /// Every step replaces itself by the next, so that the pid is the program's own.
    #[must_use]
    pub fn command(&self, argv: &[String], view: &View) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(self.net()).arg("--");
        let script = view.script(&self.dir);
        if !script.is_empty() {
            command.args(["unshare", "-m", "--propagation", "private"]);
        }
        let tail = "ulimit -n \"$(ulimit -H -n)\" && exec setpriv --pdeathsig KILL -- \"$@\"";
        command.args(["sh", "-ec", &format!("{script}{tail}"), "sh"]).args(argv);
        command
    }

    /// Whether it has this address on any interface now.
    #[must_use]
    pub fn holds(&self, address: IpAddr) -> bool {
        let family = if address.is_ipv4() { "-4" } else { "-6" };
        let wanted = format!(" {address}/");
        let argv = ["ip", "-n", &self.space, family, "-o", "address", "show", "to", &address.to_string()];
        process::run(&argv).is_ok_and(|shown| shown.contains(&wanted))
    }

    /// The process ids of everything that runs inside.
    ///
    /// # Errors
    /// When `ip` says no.
    pub fn pids(&self) -> Result<Vec<u32>> {
        let shown = process::run(&["ip", "netns", "pids", &self.space])?;
        Ok(shown.split_whitespace().filter_map(|pid| pid.parse().ok()).collect())
    }

    /// Gives `eth0` its own addresses and nothing else, as after switching the machine on.
    ///
    /// # Errors
    /// When `ip` says no.
    pub fn reset_addresses(&self) -> Result<()> {
        let mut batch = String::from("address flush dev eth0 scope global\n");
        for address in &self.addresses {
            let nodad = if address.contains(':') { " nodad" } else { "" };
            batch.push_str(&format!("address replace {address} dev eth0{nodad}\n"));
        }
        process::feed(&["ip", "-n", &self.space, "-force", "-batch", "-"], &batch).map(drop)
    }

    fn net(&self) -> String {
        format!("--net=/run/netns/{}", self.space)
    }
}

impl View {
    fn script(&self, dir: &Path) -> String {
        let mut script = String::new();
        if let Some(log) = &self.dev_log {
            let dev = dir.join("dev").display().to_string();
            script.push_str(&format!("mkdir -p {dev}; mount -t tmpfs tmpfs {dev}\n"));
            script.push_str("for d in null zero full random urandom tty; do\n");
            script.push_str(&format!("touch {dev}/$d; mount --bind /dev/$d {dev}/$d\ndone\n"));
            script.push_str(&format!("ln -s /proc/self/fd {dev}/fd; ln -s fd/1 {dev}/stdout\n"));
            script.push_str(&format!("ln -s fd/2 {dev}/stderr; mkdir {dev}/shm; touch {dev}/log\n"));
            script.push_str(&format!("mount --bind {} {dev}/log\n", log.display()));
            script.push_str(&format!("mount --move {dev} /dev\n"));
        }
        for (what, place) in &self.binds {
            script.push_str(&format!("mount --bind {} {}\n", what.display(), place.display()));
        }
        script
    }
}

/// Words as the owned strings that a command line is made of.
#[must_use]
pub fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

/// A tool that must be on the machine.
///
/// # Errors
/// When it is not to be found, by name.
pub fn need(tool: &str) -> Result<()> {
    let found = ["/usr/sbin", "/usr/bin", "/sbin", "/bin", "/usr/lib/frr"]
        .iter()
        .any(|folder| Path::new(folder).join(tool).exists());
    if found { Ok(()) } else { Err(Trouble::new(format!("`{tool}` is not installed on this machine"))) }
}

//! A network namespace of the test's own with a veth pair: `left` here, `right` in a second namespace.
//!
//! Each test runs on a thread that has left the machine's namespace (`unshare`), so nothing outside can be touched.
//! Without root the tests fail and say what is missing.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its part of this module")]

use standfast_core::id::Interface;
use standfast_core::input::{Input, KernelNotice};
use standfast_io::host::Host;
use standfast_io::linux::LinuxHost;
use std::future::Future;
use std::process::Command;
use std::time::Duration;

/// The longest wait for something that must happen.
pub const WAIT: Duration = Duration::from_secs(5);

/// Runs `test` in a fresh network namespace, on a thread and a runtime of its own.
pub fn in_namespace<F: Future<Output = ()>>(test: impl FnOnce() -> F + Send + 'static) {
    let thread = std::thread::spawn(move || {
        leave_the_machine();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        tokio::task::LocalSet::new().block_on(&runtime, test());
    });
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

/// Gives this thread, and the threads and commands it starts, a new network namespace.
#[expect(unsafe_code, reason = "unshare has no safe wrapper in std")]
pub fn leave_the_machine() {
    // SAFETY: a plain system call without pointers; it concerns this thread only.
    let status = unsafe { libc::unshare(libc::CLONE_NEWNET) };
    assert_eq!(
        status,
        0,
        "needs CAP_SYS_ADMIN to make a network namespace (run as root): {}",
        std::io::Error::last_os_error()
    );
    ip("link set lo up");
}

/// Runs `ip` with `arguments`; what it prints.
pub fn ip(arguments: &str) -> String {
    run(&format!("ip {arguments}"))
}

/// Runs a command line; what it prints.
pub fn run(line: &str) -> String {
    let mut words = line.split_whitespace();
    let command = words.next().unwrap();
    let output = Command::new(command).args(words).output().unwrap_or_else(|error| panic!("{line}: {error}"));
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A veth pair, both ends up and in this namespace, without duplicate address detection.
pub fn pair() {
    ip("link add left type veth peer name right");
    for end in ["left", "right"] {
        run(&format!("sysctl -qw net.ipv6.conf.{end}.accept_dad=0"));
        ip(&format!("link set {end} up"));
    }
}

/// The index of a link.
pub fn index(name: &str) -> Interface {
    let line = ip(&format!("-o link show dev {name}"));
    Interface(line.split(':').next().unwrap().trim().parse().unwrap())
}

/// Feeds on `host` until an input is `wanted`; its value.
pub async fn until<T>(
    host: &mut LinuxHost,
    what: &str,
    mut wanted: impl FnMut(&Input<'static>) -> Option<T>,
) -> T {
    let mut seen = Vec::new();
    let search = async {
        loop {
            let input = host.next().await;
            if let Some(value) = wanted(&input) {
                return value;
            }
            seen.push(input);
        }
    };
    let found = tokio::time::timeout(WAIT, search).await;
    found.unwrap_or_else(|_| panic!("{what} did not come; seen: {seen:#?}"))
}

/// A host that has reported everything there is.
pub async fn settled() -> LinuxHost {
    let mut host = LinuxHost::new().unwrap_or_else(|error| panic!("{error}"));
    until(&mut host, "the end of the first dump", |input| {
        matches!(input, Input::Kernel(KernelNotice::ResyncEnd)).then_some(())
    })
    .await;
    host
}

/// The answer to `ticket`.
pub async fn answer(
    host: &mut LinuxHost,
    ticket: standfast_core::id::Ticket,
) -> Result<(), standfast_core::input::Errno> {
    until(host, "an answer", |input| match input {
        Input::Done { ticket: done, result } if *done == ticket => Some(*result),
        _ => None,
    })
    .await
}

/// A network namespace with one end of a veth pair (`peer`), reached by its process id; ends with the value.
pub struct Other {
    keeper: std::process::Child,
}

impl Other {
    /// Makes the namespace and moves the link `right` into it, renamed to `peer` and up.
    pub fn with_right() -> Other {
        let keeper = Command::new("unshare").args(["-n", "sleep", "600"]).spawn().unwrap();
        let other = Other { keeper };
        let own = std::fs::read_link("/proc/thread-self/ns/net").unwrap();
        let theirs = format!("/proc/{}/ns/net", other.keeper.id());
        while std::fs::read_link(&theirs).is_ok_and(|link| link == own) {
            std::thread::sleep(Duration::from_millis(5));
        }
        ip(&format!("link set right netns {} name peer", other.keeper.id()));
        other.run("sysctl -qw net.ipv6.conf.peer.accept_dad=0");
        other.run("ip link set peer up");
        other
    }

    /// A command to be run in the namespace.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["-n", "-t", &self.keeper.id().to_string(), program]);
        command
    }

    /// Runs a command line in the namespace; what it prints.
    pub fn run(&self, line: &str) -> String {
        run(&format!("nsenter -n -t {} {line}", self.keeper.id()))
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.keeper.kill();
        let _ = self.keeper.wait();
    }
}

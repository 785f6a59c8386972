//! What the system tests share: which programs are compared, what a test needs, and how figures are printed.
//!
//! A test that cannot run here (not root, a tool missing) says so by name; under `CI=true` that is a failure.

pub mod fidelity;
pub mod frr;
pub mod interop;

use standfast::lab::guide::Files;
use standfast::lab::host::need;
use standfast::lab::net::Plan;
use standfast::lab::node::Kind;
use std::net::{IpAddr, Ipv4Addr};

/// The guide's address.
pub const VIP: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 100));

/// What a test works with.
#[derive(Clone, Debug)]
pub struct Bench {
    test: &'static str,
    program: Vec<String>,
}

/// The bench of a test, or the end of a test that cannot run here.
#[macro_export]
macro_rules! bench {
    ($test:literal, $($tool:literal),*) => {
        match $crate::Bench::new($test, env!("CARGO_BIN_EXE_standfast-for-tests"), &[$($tool),*]) {
            Some(bench) => bench,
            None => return,
        }
    };
}

impl Bench {
    /// The bench of `test`, which needs these tools beside the ones that every test needs.
    ///
    /// # Panics
    /// Under `CI=true`, when it cannot run here.
    #[must_use]
    pub fn new(test: &'static str, program: &str, tools: &[&str]) -> Option<Bench> {
        let common =
            ["ip", "nsenter", "unshare", "setpriv", "sysctl", "nft", "keepalived", "haproxy", "curl"];
        let missing = common.iter().chain(tools).find_map(|tool| need(tool).err());
        let root = std::fs::read_to_string("/proc/self/status")
            .is_ok_and(|status| status.lines().any(|line| line.starts_with("Uid:\t0\t")));
        let reason = match missing {
            _ if !root => "it needs root".to_owned(),
            Some(trouble) => trouble.to_string(),
            None => return Some(Bench { test, program: vec![program.to_owned()] }),
        };
        println!("NOT RUN: {test}: {reason}");
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{test} cannot run here: {reason}");
        None
    }

    /// The plan of a laboratory.
    #[must_use]
    pub fn plan(&self) -> Plan {
        let mut helper = self.program.clone();
        helper.push("lab".to_owned());
        Plan { nodes: 3, snooping: true, helper }
    }

    /// standfast as built with this test; `PEER_ONLY=1` puts keepalived in its place, to try the test itself.
    #[must_use]
    pub fn standfast(&self) -> Kind {
        match std::env::var_os("PEER_ONLY") {
            Some(_) => Kind::Pair,
            None => Kind::Standfast(self.program.clone()),
        }
    }

    /// Both kinds, the peer first.
    #[must_use]
    pub fn kinds(&self) -> Vec<Kind> {
        let mut kinds = vec![Kind::Pair, self.standfast()];
        kinds.dedup();
        kinds
    }

    /// Prints one measured figure.
    pub fn figure(&self, kind: &Kind, what: &str, value: impl std::fmt::Display) {
        println!("FIGURE {:<18} {:<11} {what:<52} {value}", self.test, kind.name());
    }
}

/// The same kind on all three nodes.
#[must_use]
pub fn all(kind: &Kind, files: impl Fn(usize) -> Files) -> Vec<(Kind, Files)> {
    (1..=3).map(|number| (kind.clone(), files(number))).collect()
}

/// The files of one of two routers, with a check script of its own that the test can break, and no proxy.
#[must_use]
pub fn checked_router(lines: &str) -> Files {
    let check = "vrrp_script check {\n  script \"/etc/keepalived/check_apiserver.sh\"\n  interval 1\n  weight -20\n  \
                 fall 2\n  rise 1\n}\nvrrp_instance";
    let lines = format!("{lines}\n    track_script {{\n        check\n    }}");
    let mut files = Files::router(&lines).with("vrrp_instance", check);
    files.check = Some(HEALTHY.to_owned());
    files
}

/// A check script that says yes.
pub const HEALTHY: &str = "#!/bin/sh\nexit 0\n";
/// A check script that says no.
pub const BROKEN: &str = "#!/bin/sh\nexit 1\n";

/// Runs `measure` for every kind at the same time, each in a laboratory of its own.
///
/// # Panics
/// When one of them does.
pub fn side_by_side<T: Send>(kinds: &[Kind], measure: impl Fn(&Kind) -> T + Sync) -> Vec<T> {
    std::thread::scope(|scope| {
        let measure = &measure;
        let running: Vec<_> = kinds.iter().map(|kind| scope.spawn(move || measure(kind))).collect();
        running.into_iter().map(|thread| thread.join().expect("the measurement ends without panic")).collect()
    })
}

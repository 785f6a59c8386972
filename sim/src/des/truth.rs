//! The world that checks look at: which scripts pass on which host, which servers live.
//!
//! Faults overlap, so each failure is a count. What a check answers follows from this alone, after a delay from the
//! check's own host.

use standfast_core::config::model::Probe;
use standfast_core::input::{CheckCode, Outcome};
use standfast_core::rng::Rng;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

/// The longest that a check takes when it does not hang.
pub const LONGEST: Duration = Duration::from_millis(30);

/// Something that fails so often in a row, then passes so often in a row, and so on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flap {
    /// Failures in a row.
    pub fails: u32,
    /// Successes in a row.
    pub passes: u32,
}

/// What is true.
#[derive(Clone, Debug, Default)]
pub struct Truth {
    scripts: BTreeMap<usize, u32>,
    servers: BTreeMap<SocketAddr, u32>,
    hanging: BTreeMap<SocketAddr, u32>,
    trickling: BTreeMap<SocketAddr, u32>,
    flapping_scripts: BTreeMap<usize, Flap>,
    flapping_servers: BTreeMap<SocketAddr, Flap>,
    /// Runs so far, by host and server, of those that flap; the script is `None`.
    runs: BTreeMap<(usize, Option<SocketAddr>), u32>,
}

fn count<K: Ord>(counts: &mut BTreeMap<K, u32>, key: K, more: bool) {
    let at = counts.entry(key).or_insert(0);
    *at = if more { *at + 1 } else { at.saturating_sub(1) };
}

impl Truth {
    /// The scripts of `host` begin, or cease, to fail.
    pub fn script_fails(&mut self, host: usize, fails: bool) {
        count(&mut self.scripts, host, fails);
    }

    /// The server at `at` dies (its port refuses), or comes back.
    pub fn server_dies(&mut self, at: SocketAddr, dies: bool) {
        count(&mut self.servers, at, dies);
    }

    /// The server at `at` begins, or ceases, to hang.
    pub fn server_hangs(&mut self, at: SocketAddr, hangs: bool) {
        count(&mut self.hanging, at, hangs);
    }

    /// The server at `at` begins, or ceases, to answer just in time.
    pub fn server_trickles(&mut self, at: SocketAddr, trickles: bool) {
        count(&mut self.trickling, at, trickles);
    }

    /// The server at `at` begins, or ceases, to flap.
    pub fn server_flaps(&mut self, at: SocketAddr, flap: Option<Flap>) {
        match flap {
            Some(flap) => self.flapping_servers.insert(at, flap),
            None => self.flapping_servers.remove(&at),
        };
    }

    /// The scripts of `host` begin, or cease, to flap.
    pub fn script_flaps(&mut self, host: usize, flap: Option<Flap>) {
        match flap {
            Some(flap) => self.flapping_scripts.insert(host, flap),
            None => self.flapping_scripts.remove(&host),
        };
    }

    /// Some server does not serve.
    #[must_use]
    pub fn any_server_dead(&self) -> bool {
        self.servers.values().chain(self.hanging.values()).any(|n| *n > 0)
    }

    /// Everything passes again.
    pub fn heal(&mut self) {
        *self = Truth::default();
    }

    /// The scripts of `host` pass.
    #[must_use]
    pub fn script_passes(&self, host: usize) -> bool {
        self.scripts.get(&host).is_none_or(|fails| *fails == 0)
    }

    /// The server at `at` accepts and says nothing.
    #[must_use]
    pub fn server_hangs_now(&self, at: SocketAddr) -> bool {
        self.hanging.get(&at).is_some_and(|n| *n > 0)
    }

    /// The server at `at` serves.
    #[must_use]
    pub fn server_lives(&self, at: SocketAddr) -> bool {
        let zero = |counts: &BTreeMap<SocketAddr, u32>| counts.get(&at).is_none_or(|n| *n == 0);
        zero(&self.servers) && zero(&self.hanging)
    }

    /// What `probe`, run on `host`, answers, and after how long.
    pub fn answer(&mut self, host: usize, probe: &Probe, within: Duration, rng: &mut Rng) -> Outcome {
        let took = Duration::from_micros(200 + rng.below(u64::try_from(LONGEST.as_micros()).unwrap_or(0)));
        let took = took.min(within);
        let (to, good) = match probe {
            Probe::Script { .. } | Probe::Watch(_) => {
                let broken = matches!(probe, Probe::Script { broken: Some(_), .. });
                let flap = self.flapping_scripts.get(&host).copied();
                let flaps = flap.is_some_and(|flap| self.flaps(host, None, flap));
                let passed = !broken && self.script_passes(host) && !flaps;
                let code = if passed { CheckCode::ScriptOk } else { CheckCode::ScriptExit };
                let status = Some(u32::from(!passed));
                return Outcome { passed, code, status, info: String::new(), took };
            }
            Probe::Tcp { to, .. } => (*to, CheckCode::L4Ok),
            Probe::SslHello { to, .. } | Probe::Tls { to, .. } => (*to, CheckCode::L6Ok),
            Probe::Http(http) => (http.to, CheckCode::L7Ok),
            Probe::Talk(talk) => (talk.first.to, CheckCode::L7Ok),
        };
        if self.hanging.get(&to).is_some_and(|n| *n > 0) {
            let code = if good == CheckCode::L4Ok { CheckCode::L4Timeout } else { CheckCode::L6Timeout };
            return Outcome { passed: false, code, status: None, info: String::new(), took: within };
        }
        let flap = self.flapping_servers.get(&to).copied();
        let flaps = flap.is_some_and(|flap| self.flaps(host, Some(to), flap));
        let passed = self.server_lives(to) && !flaps;
        let slow = self.trickling.get(&to).is_some_and(|n| *n > 0);
        let took = if slow { within.saturating_sub(Duration::from_millis(1)) } else { took };
        let code = if passed { good } else { CheckCode::L4Connection };
        let status = (passed && good == CheckCode::L7Ok).then_some(200);
        Outcome { passed, code, status, info: String::new(), took }
    }

    /// One more run of something that flaps; true when it is a failure.
    fn flaps(&mut self, host: usize, server: Option<SocketAddr>, flap: Flap) -> bool {
        let runs = self.runs.entry((host, server)).or_insert(0);
        let at = *runs % (flap.fails + flap.passes).max(1);
        *runs += 1;
        at < flap.fails
    }
}

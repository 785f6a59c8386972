//! Who held an address when: the kernel's own notices from every machine's namespace.
//!
//! Reads `ip -ts -o monitor address`, whose time stamps are taken when the notice is read. A lease that is renewed
//! is no change. A machine that lost power holds nothing: the laboratory takes its addresses away at that moment.

use super::host::{Host, View, words};
use super::net::Lab;
use super::process::{Process, Result, Trouble, wait_until};
use std::net::IpAddr;
use std::time::Duration;

/// One machine's possession of the address, in microseconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// The machine.
    pub host: String,
    /// From when.
    pub from: u64,
    /// Until when; `None` while it lasts.
    pub to: Option<u64>,
}

/// Watchers in all machines of a laboratory.
#[derive(Debug)]
pub struct Watch {
    address: IpAddr,
    watchers: Vec<(String, Process)>,
}

impl Watch {
    /// Starts watching; the address must not be held by anybody yet.
    ///
    /// # Errors
    /// When a watcher does not come up.
    pub fn start(lab: &Lab, address: IpAddr) -> Result<Watch> {
        let mut watchers = Vec::new();
        for host in lab.nodes() {
            let argv = words("env TZ=UTC ip -ts -o monitor address");
            let name = format!("watch-{}", address.to_string().replace([':', '.'], "_"));
            let process = host.spawn(&name, &argv, &View::default())?;
            settle(host, &process)?;
            watchers.push((host.name().to_owned(), process));
        }
        Ok(Watch { address, watchers })
    }

    /// The watchers' own processes, to be spared when a machine loses power.
    #[must_use]
    pub fn pids(&self) -> Vec<u32> {
        self.watchers.iter().map(|(_, process)| process.pid()).collect()
    }

    /// All possessions so far, by start.
    #[must_use]
    pub fn holds(&self) -> Vec<Hold> {
        let mut all: Vec<Hold> = self
            .watchers
            .iter()
            .flat_map(|(host, process)| holds_in(host, self.address, &process.said()))
            .collect();
        all.sort_by_key(|hold| hold.from);
        all
    }

    /// Who holds it now.
    #[must_use]
    pub fn holders(&self) -> Vec<String> {
        let now = self.holds().into_iter().filter(|hold| hold.to.is_none());
        now.map(|hold| hold.host).collect()
    }

    /// Waits until exactly this machine holds it.
    ///
    /// # Errors
    /// When it does not within `longest`; says who does.
    pub fn wait_for(&self, host: &str, longest: Duration) -> Result<()> {
        if wait_until(longest, || self.holders() == [host]) {
            return Ok(());
        }
        let (holders, address) = (self.holders(), self.address);
        Err(Trouble::new(format!("after {longest:?} {address} is held by {holders:?}, not by {host}")))
    }

    /// Waits until others hold it and this machine does not; since when that is so.
    ///
    /// # Errors
    /// When it does not come to that within `longest`.
    pub fn wait_until_others_hold(&self, host: &str, longest: Duration) -> Result<u64> {
        let mut since = 0;
        let moved = wait_until(longest, || {
            let holds = self.holds();
            let mut now = holds.iter().filter(|hold| hold.to.is_none());
            since = now.clone().map(|hold| hold.from).max().unwrap_or_default();
            now.clone().count() > 0 && now.all(|hold| hold.host != host)
        });
        if moved { Ok(since) } else { Err(Trouble::new(format!("{host} has it still after {longest:?}"))) }
    }

    /// The longest time for which two machines held it at once, from `since` on; still lasting counts until now.
    #[must_use]
    pub fn overlap(&self, since: u64) -> Duration {
        overlap(&self.holds(), since, super::now_us())
    }
}

/// The longest time for which at least two of `holds` were true at once, within `since..now`.
#[must_use]
pub fn overlap(holds: &[Hold], since: u64, now: u64) -> Duration {
    let mut edges: Vec<(u64, i32)> = Vec::new();
    for hold in holds {
        let (from, to) = (hold.from.max(since), hold.to.unwrap_or(now));
        if to > from {
            edges.push((from, 1));
            edges.push((to, -1));
        }
    }
    edges.sort_unstable();
    let (mut held, mut began, mut longest) = (0, since, 0);
    for (at, change) in edges {
        if held < 2 && held + change >= 2 {
            began = at;
        } else if held >= 2 && held + change < 2 {
            longest = longest.max(at - began);
        }
        held += change;
    }
    Duration::from_micros(longest)
}

/// A monitor says nothing when it is ready, so an address on `lo` comes and goes until it is noticed.
fn settle(host: &Host, process: &Process) -> Result<()> {
    let seen = wait_until(Duration::from_secs(5), || {
        let _ = host.ip("address add 127.9.9.9/32 dev lo");
        let _ = host.ip("address del 127.9.9.9/32 dev lo");
        process.said().contains("127.9.9.9")
    });
    if seen { Ok(()) } else { Err(Trouble::new(format!("{}: no notices from the kernel", host.name()))) }
}

fn holds_in(host: &str, address: IpAddr, text: &str) -> Vec<Hold> {
    let wanted = format!(" {address}/");
    let mut holds: Vec<Hold> = Vec::new();
    for line in text.split_inclusive('\n').filter(|line| line.ends_with('\n') && line.contains(&wanted)) {
        let Some((stamp, rest)) = line.strip_prefix('[').and_then(|line| line.split_once(']')) else {
            continue;
        };
        let Some(at) = micros(stamp) else { continue };
        let held = holds.last().is_some_and(|hold| hold.to.is_none());
        if rest.trim_start().starts_with("Deleted") {
            if let Some(last) = holds.last_mut().filter(|_| held) {
                last.to = Some(at);
            }
        } else if !held {
            holds.push(Hold { host: host.to_owned(), from: at, to: None });
        }
    }
    holds
}

/// `2026-11-23T09:40:01.123456` in UTC as microseconds since 1970.
fn micros(stamp: &str) -> Option<u64> {
    let (date, time) = stamp.split_once('T')?;
    let mut date = date.split('-').map(|part| part.parse::<u64>().ok());
    let (year, month, day) = (date.next()??, date.next()??, date.next()??);
    let (clock, fraction) = time.split_once('.')?;
    let mut clock = clock.split(':').map(|part| part.parse::<u64>().ok());
    let (hour, minute, second) = (clock.next()??, clock.next()??, clock.next()??);
    if month == 0 || month > 12 || day == 0 || year < 1970 {
        return None;
    }
    // Days since 1970 with years that begin in March, so that leap days come last.
    let (years, months) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days =
        years * 365 + years / 4 - years / 100 + years / 400 + (months * 153 + 2) / 5 + day - 1 - 719_468;
    let seconds = ((days * 24 + hour) * 60 + minute) * 60 + second;
    Some(seconds * 1_000_000 + fraction.parse::<u64>().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_become_microseconds_since_1970() {
        assert_eq!(micros("1970-01-01T00:00:00.000001"), Some(1));
        assert_eq!(micros("2000-02-29T12:00:00.000000"), Some(951_825_600_000_000));
        assert_eq!(micros("2026-11-23T09:36:37.500000"), Some(1_795_426_597_500_000));
        assert_eq!(micros("2026-00-23T09:36:37.5"), None);
    }

    #[test]
    fn a_renewed_lease_is_one_possession() {
        let text = "[1970-01-01T00:00:01.000000] 2: eth0    inet 192.0.2.100/32 scope global eth0\n\
                    [1970-01-01T00:00:02.000000] 2: eth0    inet 192.0.2.100/32 scope global eth0\n\
                    [1970-01-01T00:00:03.000000] Deleted 2: eth0    inet 192.0.2.100/32 scope global eth0\n\
                    [1970-01-01T00:00:04.000000] 2: eth0    inet 192.0.2.101/32 scope global eth0\n";
        let holds = holds_in("cp1", "192.0.2.100".parse().unwrap(), text);
        assert_eq!(holds, [Hold { host: "cp1".to_owned(), from: 1_000_000, to: Some(3_000_000) }]);
    }

    #[test]
    fn an_overlap_counts_only_what_two_hold_at_once() {
        let hold = |host: &str, from, to| Hold { host: host.to_owned(), from, to };
        let holds = [hold("a", 10, Some(50)), hold("b", 40, Some(60)), hold("c", 55, None)];
        assert_eq!(overlap(&holds, 0, 100), Duration::from_micros(10));
        assert_eq!(overlap(&holds, 47, 100), Duration::from_micros(5));
        assert_eq!(overlap(&holds, 70, 100), Duration::ZERO);
    }
}

//! The LAN: one link per ordered pair of ports, each with its own delay, losses, duplicates and cuts.
//!
//! Ports are numbered: hosts first, then clients. Frames of one link stay in order. Each link draws from a random
//! stream of its own and the same number of times per frame, so that a fault on one link changes no other.

use standfast_core::id::Interface;
use standfast_core::rng::Rng;
use standfast_core::time::Time;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// What travels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The port that sent it.
    pub sender: usize,
    /// The segment, named by the interface number that all hosts share.
    pub on: Interface,
    /// What it says.
    pub body: Body,
}

/// What a frame says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// A packet of IP protocol 112.
    Advert {
        /// Source address.
        from: IpAddr,
        /// Destination address.
        to: IpAddr,
        /// TTL or hop limit.
        hops: u8,
        /// VRRP header and what follows.
        payload: Arc<[u8]>,
    },
    /// Gratuitous ARP, or unsolicited neighbour advertisement.
    Announce(IpAddr),
    /// Who has this address?
    Query(IpAddr),
    /// I have.
    Reply(IpAddr),
}

#[derive(Clone, Debug)]
struct Link {
    rng: Rng,
    cuts: u32,
    loss: u64,
    duplicates: u64,
    extra: Duration,
    last: Time,
}

/// All links.
#[derive(Clone, Debug)]
pub struct Lan {
    ports: usize,
    delay: (Duration, Duration),
    links: Vec<Link>,
}

/// How the links from and to a port are changed by a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Frames are lost, in so many of a thousand cases.
    Loss(u64),
    /// Frames arrive twice, in so many of a thousand cases.
    Duplicates(u64),
    /// Frames take so much longer.
    Extra(Duration),
}

impl Lan {
    /// A sound LAN of `ports` ports.
    #[must_use]
    pub fn new(ports: usize, delay: (Duration, Duration), rng: &Rng) -> Lan {
        let link = |label: usize| Link {
            rng: rng.fork(label as u64),
            cuts: 0,
            loss: 0,
            duplicates: 0,
            extra: Duration::ZERO,
            last: Time::ZERO,
        };
        Lan { ports, delay, links: (0..ports * ports).map(link).collect() }
    }

    /// When a frame sent now arrives; `None` is never. The second time is that of a duplicate.
    pub fn pass(&mut self, now: Time, from: usize, to: usize) -> (Option<Time>, Option<Time>) {
        let (shortest, longest) = self.delay;
        let link = &mut self.links[from * self.ports + to];
        let (lost, doubled) = (link.rng.chance(link.loss), link.rng.chance(link.duplicates));
        let span = u64::try_from(longest.saturating_sub(shortest).as_nanos()).unwrap_or(0);
        let delay = shortest + Duration::from_nanos(link.rng.below(span)) + link.extra;
        if link.cuts > 0 || lost {
            return (None, None);
        }
        let at = (now + delay).max(link.last + Duration::from_nanos(1));
        link.last = at;
        (Some(at), doubled.then(|| at + Duration::from_micros(50)))
    }

    /// Frames from `from` to `to` arrive.
    #[must_use]
    pub fn open(&self, from: usize, to: usize) -> bool {
        self.links[from * self.ports + to].cuts == 0
    }

    /// Cuts the way from `from` to `to`, or takes one cut back.
    pub fn cut(&mut self, from: usize, to: usize, cut: bool) {
        let cuts = &mut self.links[from * self.ports + to].cuts;
        *cuts = if cut { *cuts + 1 } else { cuts.saturating_sub(1) };
    }

    /// Troubles all links from and to `port`, or takes the trouble back.
    pub fn trouble(&mut self, port: usize, trouble: Trouble, begins: bool) {
        let ports = self.ports;
        let touches = |at: usize| at / ports == port || at % ports == port;
        for (_, link) in self.links.iter_mut().enumerate().filter(|(at, _)| touches(*at)) {
            match trouble {
                Trouble::Loss(rate) => link.loss = if begins { rate } else { 0 },
                Trouble::Duplicates(rate) => link.duplicates = if begins { rate } else { 0 },
                Trouble::Extra(extra) => link.extra = if begins { extra } else { Duration::ZERO },
            }
        }
    }

    /// Heals everything.
    pub fn heal(&mut self) {
        for link in &mut self.links {
            link.cuts = 0;
            link.loss = 0;
            link.duplicates = 0;
            link.extra = Duration::ZERO;
        }
    }

    /// Number of ports.
    #[must_use]
    pub fn ports(&self) -> usize {
        self.ports
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use standfast_core::rng::Seed;

    fn lan() -> Lan {
        let delay = (Duration::from_micros(50), Duration::from_millis(3));
        Lan::new(3, delay, &Rng::new(Seed(9)))
    }

    #[test]
    fn frames_of_one_link_stay_in_order() {
        let mut lan = lan();
        let times: Vec<_> = (0..200).map(|n| lan.pass(Time(n * 1_000), 0, 1).0.unwrap()).collect();
        assert!(times.windows(2).all(|pair| pair[0] < pair[1]));
    }

    #[test]
    fn a_cut_one_way_leaves_the_other_way_open_and_overlapping_cuts_add_up() {
        let mut lan = lan();
        lan.cut(0, 1, true);
        lan.cut(0, 1, true);
        lan.cut(0, 1, false);
        assert_eq!(lan.pass(Time(0), 0, 1), (None, None));
        assert!(lan.pass(Time(0), 1, 0).0.is_some());
    }

    #[test]
    fn a_fault_on_one_link_changes_no_other() {
        let (mut sound, mut cut) = (lan(), lan());
        cut.cut(0, 1, true);
        cut.pass(Time(0), 0, 1);
        assert_eq!(sound.pass(Time(5), 0, 2), cut.pass(Time(5), 0, 2));
    }
}

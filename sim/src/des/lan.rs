//! The LAN: one link per ordered pair of ports, each with its own delay, losses, duplicates, damage, cuts and clogs.
//!
//! Ports are numbered: hosts first, then clients. Frames of one link stay in order unless reordering is the fault.
//! Each link draws from a random stream of its own, and what happens to its n-th frame follows from n alone, so that
//! a fault on one link changes no other, and no other fault on the same one.

use standfast_core::id::Interface;
use standfast_core::rng::Rng;
use standfast_core::time::Time;
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

/// The most frames that a clogged link keeps; further ones are lost, as in a switch without memory left.
pub const MAX_HELD: usize = 64;
/// A burst of losses ends with each frame in so many of a thousand cases (Gilbert and Elliott's model).
const BURST_ENDS: u64 = 150;

/// What travels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The port that sent it.
    pub sender: usize,
    /// Grows with every frame sent.
    pub order: u64,
    /// It is as a member of the cluster sent it.
    pub honest: bool,
    /// The segment, named by the interface number that all hosts had at first.
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
        payload: Vec<u8>,
    },
    /// A datagram to the UDP port of BFD.
    Control {
        /// Source address.
        from: IpAddr,
        /// Destination address.
        to: IpAddr,
        /// TTL or hop limit.
        hops: u8,
        /// The control packet.
        payload: Vec<u8>,
    },
    /// Gratuitous ARP, or unsolicited neighbour advertisement.
    Announce(IpAddr),
    /// Who has this address?
    Query(IpAddr),
    /// I have.
    Reply(IpAddr),
}

/// How the links from and to a port are changed by a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Frames are lost, in so many of a thousand cases.
    Loss(u64),
    /// Frames are lost in bursts; one begins with a frame in so many of a thousand cases.
    Bursts(u64),
    /// Frames arrive twice, in so many of a thousand cases.
    Duplicates(u64),
    /// Frames take so much longer.
    Extra(Duration),
    /// Frames take up to so much longer, each for itself, and overtake each other.
    Reorder(Duration),
    /// A bit is wrong, or the end is missing, in so many of a thousand cases.
    Damage(u64),
    /// Multicast advertisements are filtered, unicast ones pass (IGMP snooping without a querier).
    NoMulticast,
    /// Announcements are lost.
    NoAnnounce,
    /// Advertisements of more bytes than this are lost: some switch or tunnel has a smaller MTU.
    Mtu(usize),
}

#[derive(Clone, Debug, Default)]
struct Ills {
    loss: u64,
    bursts: u64,
    duplicates: u64,
    extra: Duration,
    reorder: Duration,
    damage: u64,
    no_multicast: bool,
    no_announce: bool,
    mtu: Option<usize>,
    in_burst: bool,
}

#[derive(Clone, Debug)]
struct Link {
    rng: Rng,
    cuts: u32,
    clogs: u32,
    ills: Option<Box<Ills>>,
    last: Time,
}

/// What becomes of a frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Passage {
    /// When it arrives; `None` is never.
    pub at: Option<Time>,
    /// When it arrives a second time.
    pub again: Option<Time>,
    /// It is damaged, and where is up to this number.
    pub damage: Option<u64>,
}

/// All links.
#[derive(Clone, Debug)]
pub struct Lan {
    ports: usize,
    delay: (Duration, u64),
    links: Vec<Link>,
    held: Vec<(usize, usize, Rc<Frame>)>,
}

impl Lan {
    /// A sound LAN of `ports` ports.
    #[must_use]
    pub fn new(ports: usize, delay: (Duration, Duration), rng: &Rng) -> Lan {
        let link = |label: usize| Link {
            rng: rng.fork(label as u64),
            cuts: 0,
            clogs: 0,
            ills: None,
            last: Time::ZERO,
        };
        let (shortest, longest) = delay;
        let span = u64::try_from(longest.saturating_sub(shortest).as_nanos()).unwrap_or(0);
        Lan {
            ports,
            delay: (shortest, span),
            links: (0..ports * ports).map(link).collect(),
            held: Vec::new(),
        }
    }

    /// What becomes of a frame that says `body`, sent now.
    pub fn pass(&mut self, now: Time, from: usize, to: usize, body: &Body) -> Passage {
        let (shortest, span) = self.delay;
        let link = &mut self.links[from * self.ports + to];
        let drawn = link.rng.next_u64();
        let part = u64::try_from((u128::from(drawn) * u128::from(span)) >> 64).unwrap_or(0);
        let delay = shortest + Duration::from_nanos(part);
        let Some(ills) = &mut link.ills else {
            if link.cuts > 0 {
                return Passage::default();
            }
            link.last = (now + delay).max(link.last + Duration::from_nanos(1));
            return Passage { at: Some(link.last), ..Passage::default() };
        };
        let own = link.rng.fork(drawn);
        let chance = |label: u64, per_mille: u64| own.fork(label).chance(per_mille);
        ills.in_burst = if ills.in_burst { !chance(1, BURST_ENDS) } else { chance(2, ills.bursts) };
        let filtered = match body {
            Body::Advert { to, payload, .. } => {
                ills.no_multicast && to.is_multicast() || ills.mtu.is_some_and(|mtu| payload.len() > mtu)
            }
            Body::Announce(_) => ills.no_announce,
            Body::Control { .. } | Body::Query(_) | Body::Reply(_) => false,
        };
        if link.cuts > 0 || filtered || chance(3, ills.loss) || (ills.bursts > 0 && ills.in_burst) {
            return Passage::default();
        }
        let mut at = now + delay + ills.extra;
        if ills.reorder.is_zero() {
            at = at.max(link.last + Duration::from_nanos(1));
            link.last = at;
        } else {
            let most = u64::try_from(ills.reorder.as_nanos()).unwrap_or(u64::MAX);
            at = at + Duration::from_nanos(own.fork(4).below(most));
        }
        let again = chance(5, ills.duplicates).then(|| at + Duration::from_micros(50));
        Passage { at: Some(at), again, damage: chance(6, ills.damage).then(|| own.fork(7).next_u64()) }
    }

    /// Frames from `from` to `to` arrive.
    #[must_use]
    pub fn open(&self, from: usize, to: usize) -> bool {
        let link = &self.links[from * self.ports + to];
        link.cuts == 0 && link.clogs == 0
    }

    /// Cuts the way from `from` to `to`, or takes one cut back.
    pub fn cut(&mut self, from: usize, to: usize, cut: bool) {
        let cuts = &mut self.links[from * self.ports + to].cuts;
        *cuts = if cut { *cuts + 1 } else { cuts.saturating_sub(1) };
    }

    /// The link holds back what is sent over it.
    #[must_use]
    pub fn is_clogged(&self, from: usize, to: usize) -> bool {
        self.links[from * self.ports + to].clogs > 0
    }

    /// Keeps `frame` until the link is released.
    pub fn hold(&mut self, from: usize, to: usize, frame: Rc<Frame>) {
        if self.held.iter().filter(|held| (held.0, held.1) == (from, to)).count() < MAX_HELD {
            self.held.push((from, to, frame));
        }
    }

    /// Clogs all links from and to `port`, or releases them; gives what was held, in order, when the last clog ends.
    pub fn clog(&mut self, port: usize, begins: bool) -> Vec<(usize, usize, Rc<Frame>)> {
        for link in self.links_of(port) {
            link.clogs = if begins { link.clogs + 1 } else { link.clogs.saturating_sub(1) };
        }
        let (links, ports) = (&self.links, self.ports);
        let free = |held: &(usize, usize, Rc<Frame>)| links[held.0 * ports + held.1].clogs == 0;
        let (released, kept) = std::mem::take(&mut self.held).into_iter().partition(free);
        self.held = kept;
        released
    }

    fn links_of(&mut self, port: usize) -> impl Iterator<Item = &mut Link> {
        let ports = self.ports;
        let touches = move |at: usize| at / ports == port || at % ports == port;
        self.links.iter_mut().enumerate().filter(move |(at, _)| touches(*at)).map(|(_, link)| link)
    }

    /// Troubles all links from and to `port`, or takes the trouble back.
    pub fn trouble(&mut self, port: usize, trouble: Trouble, begins: bool) {
        for link in self.links_of(port) {
            let ills = link.ills.get_or_insert_default();
            match trouble {
                Trouble::Loss(rate) => ills.loss = if begins { rate } else { 0 },
                Trouble::Bursts(rate) => ills.bursts = if begins { rate } else { 0 },
                Trouble::Duplicates(rate) => ills.duplicates = if begins { rate } else { 0 },
                Trouble::Extra(extra) => ills.extra = if begins { extra } else { Duration::ZERO },
                Trouble::Reorder(most) => ills.reorder = if begins { most } else { Duration::ZERO },
                Trouble::Damage(rate) => ills.damage = if begins { rate } else { 0 },
                Trouble::NoMulticast => ills.no_multicast = begins,
                Trouble::NoAnnounce => ills.no_announce = begins,
                Trouble::Mtu(mtu) => ills.mtu = begins.then_some(mtu),
            }
        }
    }

    /// Heals everything; what was held is lost.
    pub fn heal(&mut self) {
        self.held.clear();
        for link in &mut self.links {
            (link.cuts, link.clogs, link.ills) = (0, 0, None);
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

    const BODY: Body = Body::Query(IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1)));

    fn lan() -> Lan {
        let delay = (Duration::from_micros(50), Duration::from_millis(3));
        Lan::new(3, delay, &Rng::new(Seed(9)))
    }

    fn frame(order: u64) -> Rc<Frame> {
        Rc::new(Frame { sender: 0, order, honest: true, on: Interface(2), body: BODY })
    }

    #[test]
    fn frames_of_one_link_stay_in_order() {
        let mut lan = lan();
        let times: Vec<_> = (0..200).map(|n| lan.pass(Time(n * 1_000), 0, 1, &BODY).at.unwrap()).collect();
        assert!(times.windows(2).all(|pair| pair[0] < pair[1]));
    }

    #[test]
    fn frames_overtake_each_other_only_when_that_is_the_fault() {
        let mut lan = lan();
        lan.trouble(1, Trouble::Reorder(Duration::from_millis(20)), true);
        let times: Vec<_> = (0..200).map(|n| lan.pass(Time(n * 1_000), 0, 1, &BODY).at.unwrap()).collect();
        assert!(times.windows(2).any(|pair| pair[0] > pair[1]));
    }

    #[test]
    fn losses_come_in_bursts_when_that_is_the_fault() {
        let mut lan = lan();
        lan.trouble(1, Trouble::Bursts(50), true);
        let lost: Vec<bool> =
            (0..2_000).map(|n| lan.pass(Time(n * 1_000), 0, 1, &BODY).at.is_none()).collect();
        let losses = lost.iter().filter(|lost| **lost).count();
        let pairs = lost.windows(2).filter(|pair| pair[0] && pair[1]).count();
        assert!(losses > 200 && losses < 1_000 && pairs * 2 > losses, "{losses} {pairs}");
    }

    #[test]
    fn a_cut_one_way_leaves_the_other_way_open_and_overlapping_cuts_add_up() {
        let mut lan = lan();
        lan.cut(0, 1, true);
        lan.cut(0, 1, true);
        lan.cut(0, 1, false);
        assert_eq!(lan.pass(Time(0), 0, 1, &BODY), Passage::default());
        assert!(lan.pass(Time(0), 1, 0, &BODY).at.is_some());
    }

    #[test]
    fn a_clogged_link_keeps_so_many_frames_and_gives_them_back_in_order() {
        let mut lan = lan();
        assert!(lan.clog(0, true).is_empty());
        assert!(lan.is_clogged(0, 1) && !lan.is_clogged(1, 2));
        (0..=MAX_HELD as u64).for_each(|order| lan.hold(0, 1, frame(order)));
        let released = lan.clog(0, false);
        assert_eq!(released.len(), MAX_HELD);
        assert!(released.windows(2).all(|pair| pair[0].2.order < pair[1].2.order));
    }

    #[test]
    fn a_fault_on_one_link_changes_no_other() {
        let (mut sound, mut cut) = (lan(), lan());
        cut.cut(0, 1, true);
        cut.pass(Time(0), 0, 1, &BODY);
        assert_eq!(sound.pass(Time(5), 0, 2, &BODY), cut.pass(Time(5), 0, 2, &BODY));
    }

    fn advert(to: &str, len: usize) -> Body {
        let (from, to) = ("192.0.2.11".parse().unwrap(), to.parse().unwrap());
        Body::Advert { from, to, hops: 255, payload: vec![0; len] }
    }

    #[test]
    fn a_filter_of_multicast_lets_unicast_pass() {
        let mut lan = lan();
        lan.trouble(0, Trouble::NoMulticast, true);
        assert_eq!(lan.pass(Time(0), 0, 1, &advert("224.0.0.18", 12)).at, None);
        assert!(lan.pass(Time(0), 0, 1, &advert("192.0.2.12", 12)).at.is_some());
    }

    #[test]
    fn a_small_mtu_loses_one_byte_too_many_and_nothing_shorter() {
        let mut lan = lan();
        lan.trouble(0, Trouble::Mtu(20), true);
        assert!(lan.pass(Time(0), 0, 1, &advert("224.0.0.18", 20)).at.is_some());
        assert_eq!(lan.pass(Time(0), 0, 1, &advert("224.0.0.18", 21)).at, None);
        lan.trouble(0, Trouble::Mtu(20), false);
        assert!(lan.pass(Time(0), 0, 1, &advert("224.0.0.18", 21)).at.is_some());
    }
}

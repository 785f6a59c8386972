//! The bench: one node's routers, a virtual clock, a kernel that answers at once unless told otherwise.

use super::super::*;
use crate::action::{Action, AddressOptions};
use crate::config::item::Item;
use crate::config::model::*;
use crate::input::Link;
use crate::outbox::Outbox;
use crate::timers::Timers;
use crate::wire::vrrp::{Advertisement, ChecksumForm};
use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec;
use core::net::IpAddr;

pub(in crate::vrrp) const ID: InstanceId = InstanceId(1);
pub(in crate::vrrp) const ETH0: Interface = Interface(2);
pub(in crate::vrrp) const OURS: &str = "192.0.2.10";
pub(in crate::vrrp) const PEER: &str = "192.0.2.20";
pub(in crate::vrrp) const VIP: &str = "192.0.2.100/24";

pub(in crate::vrrp) fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

pub(in crate::vrrp) fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

pub(in crate::vrrp) fn instance(id: u32, priority: u8) -> InstanceConfig {
    InstanceConfig {
        id: InstanceId(id),
        name: alloc::format!("VI_{id}").into(),
        router: RouterConfig {
            interface: "eth0".into(),
            vrid: u8::try_from(50 + id).unwrap(),
            version: Version::V2,
            family: Family::V4,
        },
        election: ElectionConfig {
            priority,
            wish_master: priority == 255,
            interval: ms(1000),
            down_adverts: 3,
            preempt: true,
            preempt_delay: Duration::ZERO,
            lower_no_advert: false,
            last_advert: true,
            owner_ignores: false,
            oversleep_priority: None,
            strict: false,
        },
        transport: TransportConfig {
            source: None,
            track_source: false,
            to: Destination::Multicast(ip("224.0.0.18")),
            hops: 255,
            check_source: false,
            skip_address_check: false,
            plain_checksum: false,
            old_checksum: OldChecksum::default(),
        },
        addresses: vec![VirtualAddress {
            address: alloc::format!("192.0.2.{}/24", 99 + id).parse().unwrap(),
            interface: "eth0".into(),
            advertised: true,
            tracked: true,
            how: Arc::new(AddressOptions::default()),
        }],
        authentication: Authentication::None,
        announce: AnnounceConfig {
            repeat: 5,
            delay: ms(5000),
            refresh: ms(60_000),
            refresh_repeat: 1,
            lower_repeat: 5,
            lower_delay: ms(5000),
            extra: Duration::ZERO,
        },
        trackers: vec![Tracker { what: Tracked::Interface("eth0".into()), weight: 0, reverse: false }],
        items: Vec::new(),
        notify: NotifyConfig::default(),
    }
}

pub(in crate::vrrp) fn config(instances: Vec<InstanceConfig>) -> Config {
    Config { instances: instances.into_iter().map(|i| (i.id, Arc::new(i))).collect(), ..Config::default() }
}

pub(in crate::vrrp) fn v3(mut config: InstanceConfig) -> InstanceConfig {
    config.router.version = Version::V3;
    config
}

/// What a peer with the same configuration, except for these, would send.
pub(in crate::vrrp) fn advert_of(
    config: &InstanceConfig,
    from: &str,
    priority: u8,
    interval: Duration,
) -> Vec<u8> {
    let addresses: Vec<IpAddr> = config.addresses.iter().map(|a| a.address.addr()).collect();
    Advertisement {
        version: config.router.version,
        vrid: config.router.vrid,
        priority,
        interval,
        addresses: &addresses,
        auth: match config.authentication {
            Authentication::None => None,
            Authentication::Pass(key) => Some(key),
        },
    }
    .emit(ip(from), group_of(config), ChecksumForm::Pseudo)
}

/// Where the virtual router is spoken to by multicast.
fn group_of(config: &InstanceConfig) -> IpAddr {
    ip(if config.router.family == Family::V4 { "224.0.0.18" } else { "ff02::12" })
}

pub(in crate::vrrp) struct Bench {
    pub(super) routers: Routers,
    pub(super) out: Outbox,
    pub(super) timers: Timers,
    pub(super) now: Time,
    pub(super) seen: Vec<(Time, Action)>,
    pub(super) left: u32,
    /// What the kernel says to address requests; `None`: nothing.
    pub(super) answer: Option<Result<(), Errno>>,
    /// What it says to receptions.
    pub(super) receive: Result<(), Errno>,
    pub(super) first: InstanceConfig,
    /// What the kernel says to requests for items, before it looks at them; `None`: nothing.
    pub(super) item: Option<Result<(), Errno>>,
    /// What it has.
    pub(super) items_there: Kept,
}

/// Routes and rules as a kernel keeps them.
#[derive(Default)]
pub(in crate::vrrp) struct Kept(pub(super) BTreeSet<Item>);

impl Kept {
    fn answer(&mut self, item: &Item, own: bool) -> Result<(), Errno> {
        match (own, self.0.contains(item)) {
            (true, true) => Err(Errno::EEXIST),
            (false, false) => Err(Errno::ESRCH),
            (true, false) => {
                self.0.insert(item.clone());
                Ok(())
            }
            (false, true) => {
                self.0.remove(item);
                Ok(())
            }
        }
    }
}

impl Bench {
    pub(super) fn cold(config: &Config) -> Bench {
        Bench {
            routers: Routers::new(config),
            out: Outbox::default(),
            timers: Timers::default(),
            now: Time::from_millis(10_000),
            seen: Vec::new(),
            left: 0,
            answer: Some(Ok(())),
            receive: Ok(()),
            item: Some(Ok(())),
            items_there: Kept::default(),
            first: (**config.instances.values().next().unwrap()).clone(),
        }
    }

    pub(super) fn new(config: &Config) -> Bench {
        let mut bench = Bench::cold(config);
        bench.boot(&[(OURS, 24)], &[]);
        bench
    }

    pub(super) fn with(instance: InstanceConfig) -> Bench {
        Bench::new(&config(vec![instance]))
    }

    /// Alone for long enough to be master, with the actions of that forgotten.
    pub(super) fn master(instance: InstanceConfig) -> Bench {
        let mut bench = Bench::with(instance);
        bench.run(ms(4500));
        assert_eq!(bench.role(ID), Role::Master);
        bench.seen.clear();
        bench
    }

    pub(super) fn boot(&mut self, plain: &[(&str, u8)], marked: &[(&str, u8)]) {
        self.kernel(&KernelNotice::ResyncBegin);
        self.kernel(&link(true));
        for (list, marked) in [(plain, false), (marked, true)] {
            for (address, length) in list {
                let address = ipnet::IpNet::new(ip(address), *length).unwrap();
                self.kernel(&KernelNotice::Address { on: ETH0, address, marked, tentative: false });
            }
        }
        self.kernel(&KernelNotice::ResyncEnd);
    }

    pub(super) fn act<R>(&mut self, act: impl FnOnce(&mut Routers, &mut Context<'_>) -> R) -> R {
        let mut cx = Context { now: self.now, out: &mut self.out, timers: &mut self.timers };
        let result = act(&mut self.routers, &mut cx);
        self.routers.check_invariants();
        self.drain();
        result
    }

    fn drain(&mut self) {
        while let Some(signal) = self.out.take_signal() {
            self.left += u32::from(signal == Signal::Left);
        }
        while let Some(action) = self.out.take_action() {
            self.seen.push((self.now, action.clone()));
            let answer = match action {
                Action::Address { ticket, .. } => self.answer.map(|answer| (ticket, answer)),
                Action::Item { ticket, item, own } => self
                    .item
                    .map(|refused| (ticket, refused.and_then(|()| self.items_there.answer(&item, own)))),
                Action::Receive { ticket, .. } => Some((ticket, self.receive)),
                Action::Script { ticket, .. } => Some((ticket, Ok(()))),
                _ => None,
            };
            if let Some((ticket, result)) = answer {
                self.act(|routers, cx| routers.on_done(cx, ticket, result));
            }
        }
    }

    pub(super) fn kernel(&mut self, notice: &KernelNotice) {
        self.act(|routers, cx| routers.on_kernel(cx, notice));
    }

    pub(super) fn raw(&mut self, from: &str, hops: u8, payload: &[u8]) {
        let packet = Packet { on: ETH0, from: ip(from), to: group_of(&self.first), hops, payload };
        self.act(|routers, cx| routers.on_packet(cx, &packet));
    }

    pub(super) fn hear(&mut self, from: &str, priority: u8) {
        let interval = self.first.election.interval;
        self.hear_every(from, priority, interval);
    }

    pub(super) fn hear_every(&mut self, from: &str, priority: u8, interval: Duration) {
        let payload = advert_of(&self.first, from, priority, interval);
        self.raw(from, 255, &payload);
    }

    /// Lets time pass, firing what is due on the way.
    pub(super) fn run(&mut self, by: Duration) {
        let end = self.now + by;
        while let Some((at, _)) = self.timers.next().filter(|(at, _)| *at <= end) {
            self.now = self.now.max(at);
            self.fire();
        }
        self.now = end;
    }

    /// Time passes without anybody being scheduled.
    pub(super) fn freeze(&mut self, by: Duration) {
        self.now = self.now + by;
    }

    pub(super) fn fire(&mut self) {
        while let Some(key) = self.timers.take_due(self.now) {
            match key {
                TimerKey::Router(id, timer) => self.act(|routers, cx| routers.on_timer(cx, id, timer)),
                TimerKey::Items => self.act(|routers, cx| routers.on_items_timer(cx)),
                TimerKey::Leftover => self.act(|routers, cx| routers.on_leftover_timer(cx)),
                TimerKey::Debounce => self.act(|routers, cx| routers.on_debounce_timer(cx)),
                foreign => panic!("{foreign} is none of ours"),
            }
        }
    }

    pub(super) fn role(&self, id: InstanceId) -> Role {
        self.status(id).role
    }

    pub(super) fn status(&self, id: InstanceId) -> RouterStatus {
        self.routers.status().into_iter().find(|status| status.id == id).unwrap()
    }

    /// What was done, in short words, with milliseconds since `from`.
    pub(super) fn trace(&self, from: Time) -> Vec<String> {
        let words = self.seen.iter().filter(|(at, _)| *at >= from).filter_map(|(at, action)| {
            let what = match action {
                Action::Advertise { payload, .. } => alloc::format!("A {}", payload[2]),
                Action::Address { own, lease, address, .. } => {
                    let addr = address.addr();
                    match (own, lease) {
                        (true, Some(lease)) => alloc::format!("+{addr} {}s", lease.as_secs()),
                        (true, None) => alloc::format!("+{addr}"),
                        (false, _) => alloc::format!("-{addr}"),
                    }
                }
                Action::Item { item, own, .. } => alloc::format!("{}{item}", if *own { '+' } else { '-' }),
                Action::Announce { .. } => "G".into(),
                Action::Script { argv, .. } => alloc::format!("run {}", argv.join(" ")),
                Action::Event(Event::Role { to, .. }) => to.as_str().into(),
                _ => return None,
            };
            Some(alloc::format!("{} {what}", at.since(from).as_millis()))
        });
        words.collect()
    }

    pub(super) fn adverts(&self) -> Vec<(Time, u8)> {
        let advert = |(at, action): &(Time, Action)| match action {
            Action::Advertise { payload, .. } => Some((*at, payload[2])),
            _ => None,
        };
        self.seen.iter().filter_map(advert).collect()
    }

    pub(super) fn announced(&self) -> usize {
        self.seen.iter().filter(|(_, action)| matches!(action, Action::Announce { .. })).count()
    }

    pub(super) fn events(&self) -> Vec<Event> {
        let event = |(_, action): &(Time, Action)| match action {
            Action::Event(event) => Some(event.clone()),
            _ => None,
        };
        self.seen.iter().filter_map(event).collect()
    }
}

pub(in crate::vrrp) fn link(up: bool) -> KernelNotice {
    KernelNotice::Link(Link {
        interface: ETH0,
        name: "eth0".into(),
        up,
        running: up,
        multicast: true,
        no_arp: false,
        mtu: 1500,
        mac: None,
    })
}

pub(in crate::vrrp) fn there(address: &str, marked: bool) -> KernelNotice {
    KernelNotice::Address { on: ETH0, address: address.parse().unwrap(), marked, tentative: false }
}

pub(in crate::vrrp) fn gone(address: &str) -> KernelNotice {
    KernelNotice::AddressGone { on: ETH0, address: address.parse().unwrap() }
}

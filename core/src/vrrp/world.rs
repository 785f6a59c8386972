//! What all virtual routers of a node share: the host as reported, the checks' verdicts, who waits for which
//! answer, and the pace of announcements. An instance sees it through a [`Desk`], together with the context of the
//! input being handled.

use super::debounce::Debounced;
use super::items::{Items, Owner};
use super::links::Links;
use crate::action::Action;
use crate::config::item::Item;
use crate::config::model::{
    CheckConfig, Command, Config, Destination, Family, InstanceConfig, NodeConfig, Probe,
};
use crate::config::notify;
use crate::config::watch::Watch;
use crate::event::Event;
use crate::id::{BfdId, CheckId, InstanceId, Interface, Ticket};
use crate::outbox::Context;
use crate::time::Time;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::IpAddr;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// The most notify scripts whose end is waited for; an older one's answer is then nobody's.
pub(super) const MAX_SCRIPTS: usize = 1024;

/// Who waits for the answer to a ticket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Asked {
    /// An address of this instance.
    Address(InstanceId),
    /// The reception of this group or address.
    Receive(Interface, IpAddr),
    /// The removal of what a killed run left behind.
    Leftover(Interface, IpNet),
    /// A route, rule or static address.
    Item(Owner),
    /// A notify script; nothing depends on it.
    Script,
}

/// What all virtual routers share.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct World {
    pub(super) node: NodeConfig,
    pub(super) links: Links,
    /// Links that are believed only after a while.
    pub(super) debounced: Debounced,
    pub(super) verdicts: BTreeMap<CheckId, bool>,
    /// What tracked files say.
    pub(super) numbers: BTreeMap<CheckId, i32>,
    /// What a failure of a check is called.
    check_failures: BTreeMap<CheckId, String>,
    /// BFD sessions: what a failure is called, and whether it is up.
    sessions: BTreeMap<BfdId, (String, bool)>,
    /// Every virtual address of the configuration: never a source.
    pub(super) vips: BTreeSet<IpAddr>,
    /// Before this time no deadline ends and no advertisement is heard (`vrrp_startup_delay`).
    pub(super) quiet_until: Time,
    /// Who follows which static item (`track_group`).
    pub(super) followers: Vec<(Arc<Item>, InstanceId)>,
    /// Static items that cannot be there, in words, by who follows them.
    pub(super) missing: BTreeSet<(InstanceId, String)>,
    /// Receptions the kernel refused, and when they are tried again; who depends on one must not believe the silence.
    pub(super) deaf: BTreeMap<(Interface, IpAddr), Time>,
}

impl World {
    /// Takes over what a configuration says of the node as a whole.
    pub(super) fn configure(&mut self, config: &Config) {
        self.node = config.node.clone();
        self.debounced.retain(&config.node.links.debounce);
        self.vips = config
            .instances
            .values()
            .flat_map(|instance| instance.addresses.iter().map(|address| address.address.addr()))
            .collect();
        self.check_failures = config.checks.iter().map(|(id, check)| (*id, failure(check))).collect();
        let up: BTreeSet<BfdId> = self.sessions.iter().filter(|(_, s)| s.1).map(|(id, _)| *id).collect();
        let words = |name: &str, to: IpAddr| format!("BFD session {name} with {to} is down");
        self.sessions =
            config.sessions.values().map(|s| (s.id, (words(&s.name, s.to), up.contains(&s.id)))).collect();
        self.numbers.retain(|check, _| config.checks.contains_key(check));
        self.verdicts.retain(|check, _| config.checks.contains_key(check));
    }

    /// What the operator calls a failure of a check.
    pub(super) fn check_failure(&self, check: CheckId) -> String {
        self.check_failures.get(&check).cloned().unwrap_or_else(|| format!("check {check} failed"))
    }

    /// A BFD session came up, or went down; whether that is new.
    pub(super) fn learn_session(&mut self, session: BfdId, up: bool) -> bool {
        self.sessions.get_mut(&session).is_some_and(|known| core::mem::replace(&mut known.1, up) != up)
    }

    /// Whether a BFD session is up.
    pub(super) fn session_is_up(&self, session: BfdId) -> bool {
        self.sessions.get(&session).is_some_and(|known| known.1)
    }

    /// What the operator calls the failure of a BFD session.
    pub(super) fn session_failure(&self, session: BfdId) -> String {
        self.sessions.get(&session).map_or_else(|| format!("{session} is down"), |known| known.0.clone())
    }

    /// Up and running, and for long enough (`interface_up_down_delays`).
    pub(super) fn usable(&self, name: &str) -> bool {
        self.links.index(name).is_some() && self.debounced.believed(name).unwrap_or(self.links.is_up(name))
    }

    /// The interface of an instance, when it exists.
    pub(super) fn interface(&self, config: &InstanceConfig) -> Option<Interface> {
        self.links.index(&config.router.interface)
    }

    /// The source of an instance's advertisements: the configured one, or the interface's primary address; IPv6: its
    /// link-local one, except that peers with global addresses are talked to from a global one, since that is what
    /// they have in their peer lists (keepalived takes the link-local one there as well). Never a virtual address,
    /// nor one that a killed run left behind, nor one that duplicate address detection has not passed.
    pub(super) fn source(&self, config: &InstanceConfig) -> Option<IpAddr> {
        if let Some(source) = config.transport.source {
            return Some(source);
        }
        let usable = self
            .links
            .addresses(self.interface(config)?)
            .iter()
            .filter(|reported| !reported.marked && !reported.tentative)
            .map(|reported| reported.address.addr())
            .filter(|address| !self.vips.contains(address));
        match config.router.family {
            Family::V4 => usable.into_iter().find(IpAddr::is_ipv4),
            Family::V6 => {
                let usable: Vec<IpAddr> = usable.filter(IpAddr::is_ipv6).collect();
                let local = usable.iter().find(|address| is_link_local(address));
                let global = usable.iter().find(|address| !is_link_local(address));
                match &config.transport.to {
                    Destination::Unicast(peers) if peers.iter().any(|p| !is_link_local(&p.address)) => {
                        global.or(local).copied()
                    }
                    Destination::Unicast(_) | Destination::Multicast(_) => local.copied(),
                }
            }
        }
    }

    /// Whether a configured source is on the interface.
    pub(super) fn holds_source(&self, config: &InstanceConfig, source: IpAddr) -> bool {
        self.interface(config).is_some_and(|on| {
            self.links.addresses(on).iter().any(|a| a.address.addr() == source && !a.tentative)
        })
    }

    /// Where an instance hears advertisements: the group, or its own address.
    pub(super) fn listens_at(&self, config: &InstanceConfig) -> Option<(Interface, IpAddr)> {
        let on = self.interface(config)?;
        match &config.transport.to {
            Destination::Multicast(group) => Some((on, *group)),
            Destination::Unicast(_) => Some((on, self.source(config)?)),
        }
    }
}

/// A failure of a check, in words.
fn failure(check: &CheckConfig) -> String {
    let name = &check.name;
    match &*check.probe {
        Probe::Watch(watch) => match &**watch {
            Watch::File(_) => format!("file {name} says so"),
            Watch::Process(_) => format!("process {name} does not run as it should"),
        },
        Probe::Script { .. }
        | Probe::Tcp { .. }
        | Probe::SslHello { .. }
        | Probe::Http(_)
        | Probe::Talk(_)
        | Probe::Tls { .. } => format!("script {name} failed"),
    }
}

fn is_link_local(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(a) => a.is_link_local(),
        IpAddr::V6(a) => a.is_unicast_link_local(),
    }
}

/// Who waits for what.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Tickets {
    open: BTreeMap<Ticket, Asked>,
    scripts: BTreeSet<Ticket>,
}

impl Tickets {
    /// Remembers who waits.
    pub(super) fn give(&mut self, ticket: Ticket, asked: Asked) {
        if asked == Asked::Script {
            if self.scripts.len() >= MAX_SCRIPTS
                && let Some(oldest) = self.scripts.pop_first()
            {
                self.open.remove(&oldest);
            }
            self.scripts.insert(ticket);
        }
        self.open.insert(ticket, asked);
    }

    /// Virtual routers that go on under another id still wait for their answers.
    pub(super) fn rename(&mut self, renamed: &BTreeMap<InstanceId, InstanceId>) {
        for asked in self.open.values_mut() {
            if let Asked::Address(id) | Asked::Item(Some(id)) = asked {
                *id = renamed.get(id).copied().unwrap_or(*id);
            }
        }
    }

    /// Takes who waited; `None` for a ticket that no longer counts.
    pub(super) fn take(&mut self, ticket: Ticket) -> Option<Asked> {
        self.scripts.remove(&ticket);
        self.open.remove(&ticket)
    }
}

/// Who is paced together: one interface, or the interfaces of the nth `garp_group`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Sharer {
    /// One interface.
    Link(Interface),
    /// A group.
    Group(usize),
}

/// Whose pace, and of which kind of announcement.
pub(super) type PaceKey = (Sharer, Family);

/// When the next announcement may leave (`vrrp_garp_interval`, `vrrp_gna_interval`, `garp_group`).
pub(super) type Pace = BTreeMap<PaceKey, Time>;

/// What an instance works with while it handles something.
pub(super) struct Desk<'d, 'c> {
    pub(super) cx: &'d mut Context<'c>,
    pub(super) world: &'d World,
    pub(super) tickets: &'d mut Tickets,
    pub(super) pace: &'d mut Pace,
    pub(super) items: &'d mut Items,
}

impl Desk<'_, '_> {
    /// The time of the input.
    pub(super) fn now(&self) -> Time {
        self.cx.now
    }

    /// From when deadlines count: now, or the end of the start-up delay.
    pub(super) fn counting_from(&self) -> Time {
        self.cx.now.max(self.world.quiet_until)
    }

    /// Tells an operator.
    pub(super) fn tell(&mut self, event: Event) {
        self.cx.out.tell(event);
    }

    /// Tells the notify pipes, if there are any.
    pub(super) fn write(&mut self, what: &str, name: &str, state: &str, priority: u8) {
        if !self.world.node.pipes.is_empty() {
            self.cx.out.act(Action::Tell { line: notify::line(what, name, state, priority) });
        }
    }

    /// Runs an operator's command, with `extra` arguments appended.
    pub(super) fn run(&mut self, command: &Command, extra: &[String]) {
        let ticket = self.cx.out.ticket();
        let argv: Arc<[String]> = command.argv.iter().chain(extra).cloned().collect();
        self.tickets.give(ticket, Asked::Script);
        self.cx.out.act(Action::Script { ticket, argv, user: command.user.clone() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_one_notify_script_more_than_is_waited_for_the_oldest_is_forgotten() {
        let mut tickets = Tickets::default();
        tickets.give(Ticket(0), Asked::Address(InstanceId(1)));
        let most = u64::try_from(MAX_SCRIPTS).unwrap();
        for n in 1..=most + 1 {
            tickets.give(Ticket(n), Asked::Script);
        }
        assert_eq!(tickets.take(Ticket(1)), None);
        assert_eq!(tickets.take(Ticket(2)), Some(Asked::Script));
        assert_eq!(tickets.take(Ticket(most + 1)), Some(Asked::Script));
        assert_eq!(tickets.take(Ticket(0)), Some(Asked::Address(InstanceId(1))), "no script, so not counted");
    }
}

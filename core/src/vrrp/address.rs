//! Addresses as desired state: what is wanted, what was asked of the kernel, what it answered.
//!
//! A request whose answer is late, lost or an error is made again, with back-off. Requests go out in order, so the
//! last one decides, and only its answer counts. Wanting an address twice is a renewal of its lease, not a second
//! announcement: an address is announced when the kernel has said for the first time that it is there.

use super::lease;
use super::links::Dump;
use super::sweep::Orphan;
use super::world::{Asked, Desk};
use crate::action::Action;
use crate::config::model::VirtualAddress;
use crate::event::Event;
use crate::id::{InstanceId, Interface, Ticket};
use crate::input::Errno;
use crate::time::Time;
use alloc::format;
use alloc::sync::Arc;
use core::time::Duration;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// The first retry of a refused or unanswered request; doubled each time.
pub(super) const RETRY_FIRST: Duration = Duration::from_millis(250);
/// The longest pause between two retries.
pub(super) const RETRY_MOST: Duration = Duration::from_secs(8);
/// How long after our request a notice of removal is taken for its consequence. The kernel's answer and its notice
/// come by different sockets, in any order.
const OWN_REMOVAL: Duration = Duration::from_secs(1);

/// One virtual address of an instance.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Hold {
    pub(super) spec: VirtualAddress,
    pub(super) wanted: bool,
    /// The kernel has said that it is there by our doing, and nothing since that it is not.
    pub(super) owned: bool,
    on: Option<Interface>,
    lease: Option<Duration>,
    asked: Option<Request>,
    attempts: u32,
    /// When the kernel was last asked to keep it; for the lease.
    renewed: Time,
    /// When the kernel last said that it keeps it.
    confirmed: Time,
    /// Notices of removal up to this time are our own doing.
    removing_until: Option<Time>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Request {
    ticket: Ticket,
    own: bool,
    retry: Time,
}

/// What an answer or a notice means for the instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// Nothing.
    Nothing,
    /// The address is there now, for the first time since it was wanted: announce it.
    Arrived,
    /// The address is not there any more, as asked.
    Left,
    /// The kernel's lease ran out while we were not scheduled: asked for again.
    RanOut,
    /// Somebody else took it away.
    Lost,
}

pub(super) fn retry_after(attempts: u32) -> Duration {
    RETRY_FIRST.saturating_mul(1 << attempts.min(10)).min(RETRY_MOST)
}

impl Hold {
    pub(super) fn new(spec: VirtualAddress) -> Hold {
        Hold {
            spec,
            wanted: false,
            owned: false,
            on: None,
            lease: None,
            asked: None,
            attempts: 0,
            renewed: Time::ZERO,
            confirmed: Time::ZERO,
            removing_until: None,
        }
    }

    /// The same address on the same interface.
    pub(super) fn is(&self, other: &VirtualAddress) -> bool {
        self.spec.address == other.address && self.spec.interface == other.interface
    }

    /// This address, on the link of this name.
    pub(super) fn is_at(&self, interface: &str, address: IpNet) -> bool {
        self.spec.address == address && *self.spec.interface == *interface
    }

    /// Its removal was asked for and not answered, or so lately that the kernel may still speak of it.
    pub(super) fn is_removing(&self, now: Time) -> bool {
        self.asked.is_some() || self.removing_until.is_some_and(|until| until >= now)
    }

    /// Where it is, or was asked to be.
    pub(super) fn on(&self) -> Option<Interface> {
        self.on
    }

    /// An answer is outstanding.
    pub(super) fn is_asked(&self) -> bool {
        self.asked.is_some()
    }

    /// When an unanswered or refused request is to be made again.
    pub(super) fn retry_at(&self) -> Option<Time> {
        self.asked.as_ref().map(|request| request.retry)
    }

    /// Wants it there; wanting it again renews its lease.
    pub(super) fn own(&mut self, desk: &mut Desk<'_, '_>, id: InstanceId, lease: Option<Duration>) {
        self.wanted = true;
        self.lease = lease;
        self.request(desk, id, true);
    }

    /// Wants it after somebody else's removal that was our doing as well.
    pub(super) fn reclaim(&mut self, desk: &mut Desk<'_, '_>, id: InstanceId) {
        self.removing_until = Some(desk.now() + OWN_REMOVAL);
        self.request(desk, id, true);
    }

    /// Wants it gone. Nothing is asked when the kernel never had it from us.
    pub(super) fn give_up(&mut self, desk: &mut Desk<'_, '_>, id: InstanceId) {
        self.wanted = false;
        let may_be_there = self.owned || self.asked.as_ref().is_some_and(|request| request.own);
        if may_be_there {
            self.request(desk, id, false);
        }
    }

    /// Wants it gone, whoever put it there: what a killed run left behind.
    pub(super) fn sweep(&mut self, desk: &mut Desk<'_, '_>, id: InstanceId) {
        self.wanted = false;
        self.request(desk, id, false);
    }

    fn request(&mut self, desk: &mut Desk<'_, '_>, id: InstanceId, own: bool) {
        let now = desk.now();
        if let Some(old) = self.asked.take() {
            desk.tickets.take(old.ticket); // its answer no longer counts
            if old.own != own {
                self.attempts = 0;
            }
        }
        self.on = desk.world.links.index(&self.spec.interface);
        let ticket = desk.cx.out.ticket();
        self.asked = Some(Request { ticket, own, retry: now + retry_after(self.attempts) });
        let Some(on) = self.on else {
            if !own {
                self.asked = None; // what is on no link needs no removal
                self.owned = false;
            }
            return; // no such link yet: the retry looks again
        };
        desk.tickets.give(ticket, Asked::Address(id));
        if own {
            self.renewed = now;
        } else {
            self.removing_until = Some(now + OWN_REMOVAL);
        }
        desk.cx.out.act(Action::Address {
            ticket,
            on,
            address: self.spec.address,
            own,
            lease: if own { self.lease } else { None },
            how: self.spec.how.clone(),
        });
    }

    /// Makes a request again whose time has come.
    pub(super) fn retry(&mut self, desk: &mut Desk<'_, '_>, id: InstanceId) {
        if self.retry_at().is_some_and(|at| at <= desk.now()) {
            self.attempts = self.attempts.saturating_add(1);
            self.request(desk, id, self.wanted);
        }
    }

    /// Takes the kernel's answer, when it is to the last request.
    pub(super) fn on_done(
        &mut self,
        desk: &mut Desk<'_, '_>,
        name: &Arc<str>,
        ticket: Ticket,
        result: Result<(), Errno>,
    ) -> Told {
        let Some(request) = self.asked.as_mut().filter(|request| request.ticket == ticket) else {
            return Told::Nothing;
        };
        let own = request.own;
        let settled = match result {
            Ok(()) => true,
            Err(errno) if own => errno == Errno::EEXIST,
            Err(errno) => errno == Errno::EADDRNOTAVAIL || errno == Errno::ENODEV,
        };
        if let Err(errno) = result
            && !settled
        {
            request.retry = desk.now() + retry_after(self.attempts);
            if self.attempts == 0 {
                let verb = if own { "add" } else { "remove" };
                let (address, interface) = (self.spec.address, &self.spec.interface);
                let what = format!("({name}) {verb} address {address} on {interface}");
                desk.tell(Event::Refused { what, errno });
            }
            return Told::Nothing;
        }
        self.asked = None;
        let repeated = core::mem::take(&mut self.attempts) > 0;
        let before = self.owned;
        self.owned = own;
        if own {
            self.confirmed = desk.now();
        } else if result.is_err() && !repeated {
            // Nothing was removed, so no notice follows; unless an earlier request did it, whose answer came too late.
            self.removing_until = None;
        }
        if let (true, Some(on)) = (before != own, self.on) {
            desk.tell(Event::Address { name: name.clone(), on, address: self.spec.address, owned: own });
        }
        match (before, own) {
            (false, true) => Told::Arrived,
            (true | false, false) => Told::Left,
            (true, true) => Told::Nothing,
        }
    }

    /// The kernel says that the address is gone from a link.
    pub(super) fn on_gone(
        &mut self,
        desk: &mut Desk<'_, '_>,
        id: InstanceId,
        on: Interface,
        address: IpNet,
    ) -> Told {
        if self.spec.address != address || self.on != Some(on) {
            return Told::Nothing;
        }
        // Our own removal; perhaps told of only after we asked for the address again.
        if self.removing_until.take().is_some_and(|until| until >= desk.now()) || !self.owned {
            return Told::Nothing;
        }
        if !self.wanted {
            self.owned = false;
            return Told::Nothing;
        }
        // A dump that began before the kernel's last answer does not know of it.
        if desk.world.links.dump_began().is_some_and(|began| self.confirmed >= began) {
            return Told::Nothing;
        }
        self.owned = false;
        let unrenewed = desk.now().since(self.renewed);
        if self.lease.is_some_and(|lease| lease::ran_out(lease, unrenewed)) {
            self.request(desk, id, true);
            return Told::RanOut;
        }
        if self.spec.tracked {
            return Told::Lost;
        }
        // `no_track`: nobody may care, but wanted is wanted.
        self.request(desk, id, true);
        Told::Nothing
    }

    /// A dump that does not name it tells of our own removal, perhaps while it is being asked for again; the notice of that
    /// is still to come, and must find us expecting it.
    pub(super) fn is_given_up_at(&self, on: Interface, address: IpNet) -> bool {
        let returns = self.asked.is_some() && self.removing_until.is_some();
        self.spec.address == address && self.on == Some(on) && (!self.wanted || returns)
    }

    /// Where it ought to be, when a dump that began after the kernel's last answer does not name it. The notices of its
    /// arrival and of its end may both be lost, so that nothing else would ever tell; nor is it our own removal then.
    pub(super) fn missing_from(&mut self, dump: &Dump) -> Option<(Interface, IpNet)> {
        let at = (self.on?, self.spec.address);
        let believed = self.wanted && self.owned && self.asked.is_none() && self.confirmed < dump.began;
        if !believed || dump.addresses.contains(&at) {
            return None;
        }
        self.removing_until = None;
        Some(at)
    }

    /// The link that it was on is gone, and the address with it.
    pub(super) fn forget_link(&mut self, desk: &mut Desk<'_, '_>, on: Interface) {
        if self.on != Some(on) {
            return;
        }
        self.owned = false;
        self.on = None;
        self.removing_until = None;
        if !self.wanted
            && let Some(request) = self.asked.take()
        {
            desk.tickets.take(request.ticket);
        }
        if let Some(request) = self.asked.as_mut() {
            request.retry = desk.now() + RETRY_FIRST;
        }
    }

    /// Wanted, but neither there nor asked for: its link has come back.
    pub(super) fn is_missing(&self) -> bool {
        self.wanted && !self.owned && self.asked.is_none()
    }

    /// Forgets the request, since the instance no longer has the address; a removal is handed out, for somebody else
    /// to see it through.
    pub(super) fn drop_request(&mut self, desk: &mut Desk<'_, '_>) -> Option<Orphan> {
        let request = self.asked.take()?;
        desk.tickets.take(request.ticket);
        let on = self.on.filter(|_| !request.own)?;
        Some(Orphan { ticket: request.ticket, on, address: self.spec.address })
    }
}

//! The fault menu, as data, and what each fault does to the world.
//!
//! A fault with a duration undoes itself; overlapping faults of one kind count, so that any subset of a plan is a
//! plan. Power loss, kill and stop bring their host back by themselves.

use super::adversary::{Attack, Forgery};
use super::lan::Trouble;
use super::queue::Event;
use super::shape::{Tweak, server_address};
use super::truth::Flap;
use super::world::World;
use standfast_core::input::{Admin, Errno};
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

/// One thing that goes wrong, or that somebody does.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(
    missing_docs,
    reason = "hosts and ports are numbers, `lasts` and `back` are times until the end; each variant is described"
)]
pub enum Fault {
    /// Frames from one port to another are lost.
    OneWay { from: usize, to: usize, lasts: Duration },
    /// Frames between two ports are lost.
    Cut { a: usize, b: usize, lasts: Duration },
    /// Nobody hears this port, and it hears nobody, although its link has carrier.
    Isolate { port: usize, lasts: Duration },
    /// Nobody hears this port, but it hears all.
    Mute { port: usize, lasts: Duration },
    /// It hears nobody, but all hear it.
    Deafen { port: usize, lasts: Duration },
    /// The ports whose bit is set and the others do not hear each other.
    Split { side: u16, lasts: Duration },
    /// The links of a port lose, double, delay, reorder, damage or filter frames.
    Trouble { port: usize, trouble: Trouble, lasts: Duration },
    /// What is sent from and to a port is held back, then released all at once.
    Clog { port: usize, lasts: Duration },
    /// Carrier is lost.
    LinkDown { host: usize, lasts: Duration },
    /// The host loses power; it boots again.
    PowerLoss { host: usize, back: Duration },
    /// The daemon is killed (signal 9), its host stays; it is started again.
    Kill { host: usize, back: Duration },
    /// The daemon is stopped cleanly; it is started again.
    Stop { host: usize, back: Duration },
    /// The daemon is frozen.
    Pause { host: usize, lasts: Duration },
    /// The configuration on disk changes, and the daemon reads it.
    Reload { host: usize, to: Tweak },
    /// Other software takes the addresses of the virtual routers away.
    TakeAddresses { host: usize },
    /// An operator adds the virtual addresses by hand, and removes them later.
    AddAddresses { host: usize, lasts: Duration },
    /// The interface is made anew, under another number.
    Renumber { host: usize },
    /// The clock runs fast, or slow, by so many parts per million.
    Drift { host: usize, ppm: i32, lasts: Duration },
    /// The daemon wakes up late, by up to `by`.
    SlowCpu { host: usize, by: Duration, lasts: Duration },
    /// The kernel refuses address requests.
    Refuse { host: usize, errno: Errno, lasts: Duration },
    /// The kernel answers late.
    SlowKernel { host: usize, lasts: Duration },
    /// The kernel's answers are lost.
    MuteKernel { host: usize, lasts: Duration },
    /// The kernel's notices are lost, then a dump comes; other software may take the addresses away meanwhile.
    BlindKernel { host: usize, takes: bool, lasts: Duration },
    /// Somebody else has the host's own IPv6 addresses: duplicate address detection fails.
    DuplicateAddress { host: usize, lasts: Duration },
    /// The scripts of a host fail.
    ScriptFails { host: usize, lasts: Duration },
    /// The scripts of a host fail and pass in turns, at the very edge of `rise` and `fall`.
    ScriptFlaps { host: usize, flap: Flap, lasts: Duration },
    /// Answers of a host's checks come after it has given up on them, or never.
    SlowChecks { host: usize, lasts: Duration },
    /// A server refuses connections.
    ServerDies { server: SocketAddr, lasts: Duration },
    /// A server accepts and says nothing.
    ServerHangs { server: SocketAddr, lasts: Duration },
    /// A server answers just in time.
    ServerTrickles { server: SocketAddr, lasts: Duration },
    /// A server fails and passes in turns, at the very edge of `rise` and `fall`.
    ServerFlaps { server: SocketAddr, flap: Flap, lasts: Duration },
    /// An operator takes a server of a host's pools out, and back in later.
    Admin { host: usize, server: SocketAddr, admin: Admin, lasts: Duration },
    /// An operator changes the weight of a server, and back later.
    Weight { host: usize, server: SocketAddr, weight: u16, lasts: Duration },
    /// Somebody on the segment attacks.
    Attack { what: Forgery, every: Duration, lasts: Duration },
    /// An operator sends the host's virtual routers away, and calls them back.
    Resign { host: usize, back: Duration },
    /// The timeline's own mark: nothing happens.
    Note(String),
}

impl Fault {
    /// How long until it undoes itself; `None` when there is nothing to undo.
    #[must_use]
    pub fn lasts(&self) -> Option<Duration> {
        match self {
            Fault::OneWay { lasts, .. }
            | Fault::Cut { lasts, .. }
            | Fault::Isolate { lasts, .. }
            | Fault::Mute { lasts, .. }
            | Fault::Deafen { lasts, .. }
            | Fault::Split { lasts, .. }
            | Fault::Trouble { lasts, .. }
            | Fault::Clog { lasts, .. }
            | Fault::LinkDown { lasts, .. }
            | Fault::AddAddresses { lasts, .. }
            | Fault::Drift { lasts, .. }
            | Fault::SlowCpu { lasts, .. }
            | Fault::ScriptFlaps { lasts, .. }
            | Fault::SlowChecks { lasts, .. }
            | Fault::ServerTrickles { lasts, .. }
            | Fault::ServerFlaps { lasts, .. }
            | Fault::Admin { lasts, .. }
            | Fault::Weight { lasts, .. }
            | Fault::Attack { lasts, .. }
            | Fault::Pause { lasts, .. }
            | Fault::Refuse { lasts, .. }
            | Fault::SlowKernel { lasts, .. }
            | Fault::MuteKernel { lasts, .. }
            | Fault::BlindKernel { lasts, .. }
            | Fault::DuplicateAddress { lasts, .. }
            | Fault::ScriptFails { lasts, .. }
            | Fault::ServerDies { lasts, .. }
            | Fault::ServerHangs { lasts, .. } => Some(*lasts),
            Fault::PowerLoss { back, .. }
            | Fault::Kill { back, .. }
            | Fault::Stop { back, .. }
            | Fault::Resign { back, .. } => Some(*back),
            Fault::Reload { .. } | Fault::TakeAddresses { .. } | Fault::Renumber { .. } | Fault::Note(_) => {
                None
            }
        }
    }

    /// Server number `nth` of a drawn cluster dies.
    #[must_use]
    pub fn server_dies(nth: usize, lasts: Duration) -> Fault {
        Fault::ServerDies { server: server_address(nth), lasts }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

impl World {
    /// Does `fault` now, and plans its end.
    pub fn inflict(&mut self, fault: &Fault) {
        self.begin(fault);
        if let Some(lasts) = fault.lasts() {
            let at = self.now + lasts;
            self.queue.push(at, Event::Undo(Box::new(fault.clone())));
        }
    }

    /// Does `fault` now; its end is up to the caller.
    pub(crate) fn begin(&mut self, fault: &Fault) {
        self.trace.hash(self.now, None).debug(fault);
        self.trace.say(self.now, None, format_args!("{fault}"));
        self.story.fault(self.now, fault, true);
        self.toggle(fault, true);
    }

    /// Ends `fault`.
    pub(crate) fn undo(&mut self, fault: &Fault) {
        self.trace.say(self.now, None, format_args!("over: {fault}"));
        self.story.fault(self.now, fault, false);
        self.toggle(fault, false);
    }

    fn toggle(&mut self, fault: &Fault, begins: bool) {
        match fault {
            Fault::OneWay { .. }
            | Fault::Cut { .. }
            | Fault::Isolate { .. }
            | Fault::Mute { .. }
            | Fault::Deafen { .. }
            | Fault::Split { .. }
            | Fault::Trouble { .. }
            | Fault::Clog { .. } => self.toggle_wire(fault, begins),
            Fault::LinkDown { host, .. } => self.plug(*host, !begins),
            Fault::PowerLoss { host, .. } if begins => self.power_loss(*host),
            Fault::Kill { host, .. } if begins => self.kill(*host),
            Fault::Stop { host, .. } if begins => self.stop(*host),
            Fault::PowerLoss { host, .. } | Fault::Kill { host, .. } | Fault::Stop { host, .. } => {
                self.start(*host);
            }
            Fault::Pause { host, .. } if begins => self.freeze(*host),
            Fault::Pause { host, .. } => self.thaw(*host),
            Fault::Reload { host, to } => self.reload(*host, *to),
            Fault::TakeAddresses { host } => self.take_addresses(*host),
            Fault::AddAddresses { host, .. } => self.add_addresses(*host, begins),
            Fault::Renumber { host } => self.renumber(*host),
            Fault::Drift { host, ppm, .. } => self.drift(*host, if begins { *ppm } else { 0 }),
            Fault::SlowCpu { host, by, .. } => {
                self.watch.sleepy = true;
                let slow = &mut self.hosts[*host].machine.slow;
                if begins {
                    slow.push(*by);
                } else {
                    slow.retain(|other| other != by);
                }
            }
            Fault::Refuse { .. }
            | Fault::SlowKernel { .. }
            | Fault::MuteKernel { .. }
            | Fault::BlindKernel { .. } => self.kernel_mood(fault, begins),
            Fault::DuplicateAddress { host, .. } => self.duplicate(*host, begins),
            Fault::Resign { host, .. } => self.resign(*host, begins),
            Fault::ScriptFails { .. }
            | Fault::ScriptFlaps { .. }
            | Fault::SlowChecks { .. }
            | Fault::ServerDies { .. }
            | Fault::ServerHangs { .. }
            | Fault::ServerTrickles { .. }
            | Fault::ServerFlaps { .. }
            | Fault::Admin { .. }
            | Fault::Weight { .. } => self.toggle_check(fault, begins),
            Fault::Attack { what, every, lasts } if begins => {
                self.attack(Attack { what: *what, every: *every, until: self.now + *lasts });
            }
            Fault::Attack { .. } | Fault::Note(_) => {}
        }
    }

    fn toggle_wire(&mut self, fault: &Fault, begins: bool) {
        let ports = self.lan.ports();
        if let Fault::OneWay { from, to, .. } = fault {
            self.lan.cut(*from, *to, begins);
        } else if let Fault::Cut { a, b, .. } = fault {
            self.lan.cut(*a, *b, begins);
            self.lan.cut(*b, *a, begins);
        } else if let Fault::Isolate { port, .. } = fault {
            self.cut_port(*port, true, true, begins);
        } else if let Fault::Mute { port, .. } = fault {
            self.cut_port(*port, true, false, begins);
        } else if let Fault::Deafen { port, .. } = fault {
            self.cut_port(*port, false, true, begins);
        } else if let Fault::Trouble { port, trouble, .. } = fault {
            self.lan.trouble(*port, *trouble, begins);
        } else if let Fault::Clog { port, .. } = fault {
            self.clog(*port, begins);
        } else if let Fault::Split { side, .. } = fault {
            for (a, b) in (0..ports).flat_map(|a| (0..ports).map(move |b| (a, b))) {
                if (side >> a) & 1 != (side >> b) & 1 {
                    self.lan.cut(a, b, begins);
                }
            }
        }
    }

    fn toggle_check(&mut self, fault: &Fault, begins: bool) {
        if let Fault::ScriptFails { host, .. } = fault {
            self.truth.script_fails(*host, begins);
        } else if let Fault::ScriptFlaps { host, flap, .. } = fault {
            self.truth.script_flaps(*host, begins.then_some(*flap));
        } else if let Fault::SlowChecks { host, .. } = fault {
            let slow = &mut self.hosts[*host].machine.slow_checks;
            *slow = if begins { *slow + 1 } else { slow.saturating_sub(1) };
        } else if let Fault::ServerDies { server, .. } = fault {
            self.truth.server_dies(*server, begins);
        } else if let Fault::ServerHangs { server, .. } = fault {
            self.truth.server_hangs(*server, begins);
        } else if let Fault::ServerTrickles { server, .. } = fault {
            self.truth.server_trickles(*server, begins);
        } else if let Fault::ServerFlaps { server, flap, .. } = fault {
            self.truth.server_flaps(*server, begins.then_some(*flap));
        } else if let Fault::Admin { host, server, admin, .. } = fault {
            self.order_server(*host, *server, if begins { *admin } else { Admin::Ready });
        } else if let Fault::Weight { host, server, weight, .. } = fault {
            self.order_weight(*host, *server, begins.then_some(*weight));
        }
    }

    fn cut_port(&mut self, port: usize, out: bool, into: bool, begins: bool) {
        for other in (0..self.lan.ports()).filter(|other| *other != port) {
            if out {
                self.lan.cut(port, other, begins);
            }
            if into {
                self.lan.cut(other, port, begins);
            }
        }
    }

    fn kernel_mood(&mut self, fault: &Fault, begins: bool) {
        if let Fault::Refuse { host, .. } | Fault::SlowKernel { host, .. } | Fault::MuteKernel { host, .. } =
            fault
        {
            self.hosts[*host].machine.unwilling = true;
        }
        let step = |count: &mut u32| *count = if begins { *count + 1 } else { count.saturating_sub(1) };
        if let Fault::Refuse { host, errno, .. } = fault {
            let refuses = &mut self.hosts[*host].kernel.mood.refuses;
            if begins {
                refuses.push(*errno);
            } else if let Some(at) = refuses.iter().position(|other| other == errno) {
                refuses.remove(at);
            }
        } else if let Fault::SlowKernel { host, .. } = fault {
            step(&mut self.hosts[*host].kernel.mood.slow);
        } else if let Fault::MuteKernel { host, .. } = fault {
            step(&mut self.hosts[*host].kernel.mood.mute);
        } else if let Fault::BlindKernel { host, takes, .. } = fault {
            step(&mut self.hosts[*host].kernel.mood.blind);
            if begins && *takes {
                self.take_addresses(*host);
            }
            if !begins && self.hosts[*host].kernel.mood.blind == 0 {
                self.dump(*host);
            }
        }
    }
}

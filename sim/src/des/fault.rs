//! The fault menu, as data, and what each fault does to the world.
//!
//! A fault with a duration undoes itself; overlapping faults of one kind count, so that any subset of a plan is a
//! plan. Power loss, kill and stop bring their host back by themselves.

use super::lan::Trouble;
use super::shape::{Tweak, server_address};
use super::world::{Event, World};
use standfast_core::id::InstanceId;
use standfast_core::input::{Errno, Input, Order};
use standfast_core::time::Time;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
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
    /// Nobody hears this port, and it hears nobody.
    Isolate { port: usize, lasts: Duration },
    /// Nobody hears this port, but it hears all.
    Mute { port: usize, lasts: Duration },
    /// It hears nobody, but all hear it.
    Deafen { port: usize, lasts: Duration },
    /// The ports whose bit is set and the others do not hear each other.
    Split { side: u16, lasts: Duration },
    /// The links of a port lose, double or delay frames.
    Trouble { port: usize, trouble: Trouble, lasts: Duration },
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
    /// The kernel refuses address requests.
    Refuse { host: usize, errno: Errno, lasts: Duration },
    /// The kernel answers late.
    SlowKernel { host: usize, lasts: Duration },
    /// The kernel's answers are lost.
    MuteKernel { host: usize, lasts: Duration },
    /// The kernel's notices are lost, then a dump comes.
    BlindKernel { host: usize, lasts: Duration },
    /// The scripts of a host fail.
    ScriptFails { host: usize, lasts: Duration },
    /// A server refuses connections.
    ServerDies { server: SocketAddr, lasts: Duration },
    /// A server accepts and says nothing.
    ServerHangs { server: SocketAddr, lasts: Duration },
    /// An operator sends the host's virtual routers away, and calls them back.
    Resign { host: usize, back: Duration },
    /// The timeline's own mark: nothing happens.
    Note(String),
}

/// So long after a failed start of a daemon it is tried again.
const AGAIN: Duration = Duration::from_millis(500);

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
            | Fault::LinkDown { lasts, .. }
            | Fault::Pause { lasts, .. }
            | Fault::Refuse { lasts, .. }
            | Fault::SlowKernel { lasts, .. }
            | Fault::MuteKernel { lasts, .. }
            | Fault::BlindKernel { lasts, .. }
            | Fault::ScriptFails { lasts, .. }
            | Fault::ServerDies { lasts, .. }
            | Fault::ServerHangs { lasts, .. } => Some(*lasts),
            Fault::PowerLoss { back, .. }
            | Fault::Kill { back, .. }
            | Fault::Stop { back, .. }
            | Fault::Resign { back, .. } => Some(*back),
            Fault::Reload { .. } | Fault::TakeAddresses { .. } | Fault::Note(_) => None,
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
        self.trace.hash(self.now, usize::from(u8::MAX), 1).debug(fault);
        self.trace.say(self.now, None, format_args!("{fault}"));
        self.story.fault(self.now, fault, true);
        self.toggle(fault, true);
        if let Some(lasts) = fault.lasts() {
            let at = self.now + lasts;
            self.queue.push(at, Event::Undo(Box::new(fault.clone())));
        }
    }

    /// Ends `fault`.
    pub(crate) fn undo(&mut self, fault: &Fault) {
        self.trace.say(self.now, None, format_args!("over: {fault}"));
        self.story.fault(self.now, fault, false);
        self.toggle(fault, false);
    }

    fn toggle(&mut self, fault: &Fault, begins: bool) {
        let ports = self.lan.ports();
        match fault {
            Fault::OneWay { from, to, .. } => self.lan.cut(*from, *to, begins),
            Fault::Cut { a, b, .. } => {
                self.lan.cut(*a, *b, begins);
                self.lan.cut(*b, *a, begins);
            }
            Fault::Isolate { port, .. } => self.cut_port(*port, true, true, begins),
            Fault::Mute { port, .. } => self.cut_port(*port, true, false, begins),
            Fault::Deafen { port, .. } => self.cut_port(*port, false, true, begins),
            Fault::Split { side, .. } => {
                for (a, b) in (0..ports).flat_map(|a| (0..ports).map(move |b| (a, b))) {
                    if (side >> a) & 1 != (side >> b) & 1 {
                        self.lan.cut(a, b, begins);
                    }
                }
            }
            Fault::Trouble { port, trouble, .. } => self.lan.trouble(*port, *trouble, begins),
            Fault::LinkDown { host, .. } => self.plug(*host, !begins),
            Fault::PowerLoss { host, .. } if begins => self.power_loss(*host),
            Fault::Kill { host, .. } if begins => self.kill(*host),
            Fault::Stop { host, .. } if begins => self.stop(*host),
            Fault::PowerLoss { host, .. } | Fault::Kill { host, .. } | Fault::Stop { host, .. } => {
                self.start(*host)
            }
            Fault::Pause { host, .. } if begins => self.freeze(*host),
            Fault::Pause { host, .. } => self.thaw(*host),
            Fault::Reload { host, to } => self.reload(*host, *to),
            Fault::TakeAddresses { host } => self.take_addresses(*host),
            Fault::Refuse { .. }
            | Fault::SlowKernel { .. }
            | Fault::MuteKernel { .. }
            | Fault::BlindKernel { .. } => self.kernel_mood(fault, begins),
            Fault::ScriptFails { host, .. } => self.truth.script_fails(*host, begins),
            Fault::ServerDies { server, .. } => self.truth.server_dies(*server, begins),
            Fault::ServerHangs { server, .. } => self.truth.server_hangs(*server, begins),
            Fault::Resign { host, .. } => self.resign(*host, begins),
            Fault::Note(_) => {}
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
        } else if let Fault::BlindKernel { host, .. } = fault {
            step(&mut self.hosts[*host].kernel.mood.blind);
            if !begins && self.hosts[*host].kernel.mood.blind == 0 {
                self.dump(*host);
            }
        }
    }

    fn take_addresses(&mut self, host: usize) {
        let marked = self.hosts[host].kernel.addresses.iter().filter(|(_, held)| held.marked);
        let marked: Vec<_> = marked.map(|((on, address), _)| (*on, *address)).collect();
        for (on, address) in marked {
            let notice = self.hosts[host].kernel.take_away(on, address);
            self.addresses_changed(host);
            if let Some(notice) = notice {
                self.notify(host, notice);
            }
        }
    }

    fn resign(&mut self, host: usize, begins: bool) {
        let ids: Vec<InstanceId> = self.hosts[host].config.instances.keys().copied().collect();
        for id in ids {
            let order = if begins { Order::Resign(id) } else { Order::Rejoin(id) };
            self.feed(host, Input::Order(order));
        }
    }

    fn reload(&mut self, host: usize, to: Tweak) {
        let new = Arc::new(to.apply(&self.hosts[host].first));
        let same = new == self.hosts[host].config;
        self.hosts[host].config = new.clone();
        if same {
            self.expect_nothing = true;
        }
        self.feed(host, Input::Configure(new));
        self.expect_nothing = false;
    }

    /// Cuts the power of `host`: its process and its virtual addresses are gone at once.
    pub fn power_loss(&mut self, host: usize) {
        let h = &mut self.hosts[host];
        h.powered = false;
        h.process = None;
        h.kernel.power_loss();
        h.neighbours.clear();
        self.addresses_changed(host);
    }

    /// Kills the daemon of `host`: its kernel keeps what it holds.
    pub fn kill(&mut self, host: usize) {
        let h = &mut self.hosts[host];
        h.killed |= h.process.is_some();
        h.process = None;
    }

    /// Lets the daemon of `host` stop; nobody starts it again.
    pub fn stop_for_good(&mut self, host: usize) {
        self.stop(host);
    }

    /// Asks the daemon of `host` to stop.
    pub fn stop(&mut self, host: usize) {
        self.feed(host, Input::Stop);
    }

    /// Starts the daemon of `host`, powering the host if need be; waits for one that is just stopping.
    pub fn start(&mut self, host: usize) {
        self.hosts[host].powered = true;
        match &self.hosts[host].process {
            Some(process) if process.stopping => {
                let again = Fault::Stop { host, back: Duration::ZERO };
                self.queue.push(self.now + AGAIN, Event::Undo(Box::new(again)));
            }
            Some(_) => {}
            None => self.launch(host),
        }
    }

    /// Is `at` past?
    #[must_use]
    pub fn is_past(&self, at: Time) -> bool {
        self.now > at
    }
}

//! Fidelity: the same stories in network namespaces and in the discrete-event tier of the simulator, compared.
//!
//! A story is a few nodes with their files, and acts: something begins, lasts, ends, and then nothing happens for a
//! while. Both worlds are looked at in the same way: what each node's daemon told (roles, verdicts, servers, pools)
//! and when its kernel held the virtual address. `model` runs a story many times, shifted against the nodes' own
//! rhythm, and so knows between when and when each thing must happen; `real` runs it once, on the real binary;
//! `judge` compares and writes the table.

pub mod cases;
pub mod judge;
pub mod model;
pub mod real;

use standfast::lab::guide::Files;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

/// A story.
#[derive(Clone, Debug)]
pub struct Case {
    /// Its name.
    pub name: &'static str,
    /// The files of each node.
    pub files: Vec<Files>,
    /// The virtual address.
    pub vip: IpAddr,
    /// `cp1` holds it before the others start; else all start together, and `cp1` is the best.
    pub first_alone: bool,
    /// How far a time may lie outside of what the model's runs show, in milliseconds.
    pub tolerance: i64,
    /// What happens.
    pub acts: Vec<Act>,
}

/// Something happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Act {
    /// What.
    pub what: What,
    /// How long it lasts; zero for what has no end.
    pub lasts: Duration,
    /// How long nothing happens afterwards.
    pub rest: Duration,
}

/// What can happen. Nodes are counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// Power loss, and return.
    Power(usize),
    /// A clean stop of the daemon, and its start.
    Stop(usize),
    /// Signal 9, and the daemon's start.
    Kill(usize),
    /// The daemon is frozen, and thawed.
    Freeze(usize),
    /// The cable is out, and in.
    Link(usize),
    /// Nobody hears the node and it hears nobody, and the split heals.
    Split(usize),
    /// Nobody hears the node, but it hears all, and that heals.
    Mute(usize),
    /// The node's check script fails, and passes.
    Check(usize),
    /// The configuration is read again with the priority moved by so much, and once more as it was.
    Priority(usize, i16),
    /// The configuration is read again, and has not changed.
    Reload(usize),
    /// Somebody else deletes the virtual address.
    Delete(usize),
    /// The server on the node dies, and returns.
    Server(usize),
    /// All servers die, and return.
    Servers,
    /// An operator has the virtual router resign, and rejoin.
    Resign(usize),
}

/// One thing that happened at a node, or at its server's door.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// The moment of the story before it: two per act, its beginning and its end.
    pub moment: usize,
    /// The node, counted from 1.
    pub node: usize,
    /// Whose state it is: `role`, `address`, `script check`, `server cp2`, `pool`.
    pub subject: String,
}

/// What a run has shown: the states that each subject went through after each moment, with the time since that moment in
/// milliseconds.
pub type Seen = BTreeMap<Key, Vec<(String, i64)>>;

impl Case {
    /// When the moments of the story are, counted from the first, and how long the story is.
    #[must_use]
    pub fn moments(&self) -> (Vec<Duration>, Duration) {
        let (mut moments, mut at) = (Vec::new(), Duration::ZERO);
        for act in &self.acts {
            moments.push(at);
            at += act.lasts;
            moments.push(at);
            at += act.rest;
        }
        (moments, at)
    }

    /// The node whose daemon is started at a moment.
    #[must_use]
    pub fn started(&self, moment: usize) -> Option<usize> {
        match self.acts[moment / 2].what {
            What::Power(n) | What::Stop(n) | What::Kill(n) => Some(n).filter(|_| !moment.is_multiple_of(2)),
            What::Freeze(_)
            | What::Link(_)
            | What::Split(_)
            | What::Mute(_)
            | What::Check(_)
            | What::Priority(..)
            | What::Reload(_)
            | What::Delete(_)
            | What::Server(_)
            | What::Servers
            | What::Resign(_) => None,
        }
    }

    /// What begins, or ends, at a moment; nothing at the end of what has no end.
    #[must_use]
    pub fn moment(&self, moment: usize) -> String {
        let act = &self.acts[moment / 2];
        let begins = moment.is_multiple_of(2);
        let text = |begin: String, end: &str| if begins { begin } else { end.to_owned() };
        match act.what {
            What::Power(n) => text(format!("cp{n} loses power"), &format!("cp{n} returns")),
            What::Stop(n) => text(format!("cp{n} is stopped"), &format!("cp{n} is started")),
            What::Kill(n) => text(format!("cp{n} is killed"), &format!("cp{n} is started")),
            What::Freeze(n) => text(format!("cp{n} is frozen"), &format!("cp{n} is thawed")),
            What::Link(n) => text(format!("cp{n} loses its link"), &format!("cp{n} has its link back")),
            What::Split(n) => text(format!("cp{n} is cut off"), "the split heals"),
            What::Mute(n) => text(format!("nobody hears cp{n}"), &format!("cp{n} is heard again")),
            What::Check(n) => {
                text(format!("the check of cp{n} fails"), &format!("the check of cp{n} passes"))
            }
            What::Priority(n, by) => {
                text(format!("cp{n} reads priority {by:+}"), &format!("cp{n} reads its own again"))
            }
            What::Reload(n) => format!("cp{n} reads the same files again"),
            What::Delete(n) => format!("the address is deleted on cp{n}"),
            What::Server(n) => {
                text(format!("the server of cp{n} dies"), &format!("the server of cp{n} returns"))
            }
            What::Resign(n) => text(format!("cp{n} is told to resign"), &format!("cp{n} is told to rejoin")),
            What::Servers => text("all servers die".into(), "all servers return"),
        }
    }
}

/// Sorts what happened at `at` (since the first moment) to a node's subject under the moment before it.
pub fn note(
    seen: &mut Seen,
    case: &Case,
    moments: &[i64],
    at: i64,
    (node, subject, state): (usize, &str, &str),
) {
    let Some(mut moment) = moments.iter().rposition(|moment| *moment <= at) else { return };
    if case.acts[moment / 2].lasts.is_zero() {
        moment -= moment % 2; // it has no end
    }
    let key = Key { moment, node, subject: subject.to_owned() };
    seen.entry(key).or_default().push((state.to_owned(), at - moments[moment]));
}

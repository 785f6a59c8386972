//! The interop matrix: pairs of routers from the same files, keepalived beside keepalived and standfast beside keepalived.
//!
//! A row is a virtual router in a pair of files that goes through a list of events. It is played by two keepalived and by
//! the pairs in which standfast has taken one place; after every event the same router must be active, and must have
//! become so after the same time. Times come from the capture of the LAN and count from what the protocol counts from, so
//! that neither the phase of a timer nor the start of a process is in them ([`Counts`]). Knows nothing of how either
//! program works.

pub mod capture;
pub mod judge;
pub mod rows;
pub mod stage;
pub mod witness;

/// Which software has a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Party {
    /// Debian's keepalived.
    Keepalived,
    /// This build.
    Standfast,
    /// FRR's vrrpd; its file is its configuration.
    Frr,
}

impl Party {
    /// For the heading of a column.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Party::Keepalived => "keepalived",
            Party::Standfast => "standfast",
            Party::Frr => "FRR",
        }
    }
}

/// Something that happens to node 1 or 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Both start.
    Begin,
    /// A clean stop.
    Stop(usize),
    /// The program starts again after a stop.
    Start(usize),
    /// Cable and program at once.
    PowerOff(usize),
    /// Cable, then program.
    PowerOn(usize),
    /// The check script says yes or no from now on.
    Check(usize, bool),
    /// The switch's port goes up or down.
    Cable(usize, bool),
    /// The other end of eth1, which takes no part in VRRP, goes up or down.
    Link(usize, bool),
    /// The watched file says this from now on.
    File(usize, &'static str),
    /// The watched process runs or is gone from now on.
    Process(usize, bool),
    /// No advertisement gets through from now on.
    Deafen,
    /// All get through again.
    Heal,
}

impl Act {
    /// In words.
    #[must_use]
    pub fn words(self) -> String {
        let verb = |node: usize, what: &str| format!("cp{node} {what}");
        match self {
            Act::Begin => "both start".to_owned(),
            Act::Stop(n) => verb(n, "stops cleanly"),
            Act::Start(n) => verb(n, "starts again"),
            Act::PowerOff(n) => verb(n, "loses power"),
            Act::PowerOn(n) => verb(n, "is switched on again"),
            Act::Check(n, well) => verb(n, if well { "check succeeds again" } else { "check fails" }),
            Act::Cable(n, up) => verb(n, if up { "cable in again" } else { "cable out" }),
            Act::Link(n, up) => verb(n, if up { "eth1 up again" } else { "eth1 down" }),
            Act::File(n, text) => verb(n, &format!("file says {text}")),
            Act::Process(n, runs) => verb(n, if runs { "process runs again" } else { "process dies" }),
            Act::Deafen => "advertisements get lost".to_owned(),
            Act::Heal => "advertisements arrive again".to_owned(),
        }
    }

    /// Whether this ends what an earlier event has broken on `node`, without a start.
    #[must_use]
    pub fn repairs(self, node: usize) -> bool {
        match self {
            Act::Check(n, well) | Act::Cable(n, well) | Act::Link(n, well) => n == node && well,
            Act::Begin
            | Act::Start(_)
            | Act::Stop(_)
            | Act::PowerOn(_)
            | Act::PowerOff(_)
            | Act::File(..)
            | Act::Process(..)
            | Act::Deafen
            | Act::Heal => false,
        }
    }

    /// The node whose program this starts.
    #[must_use]
    pub fn starts(self, node: usize) -> bool {
        match self {
            Act::Begin => true,
            Act::Start(n) | Act::PowerOn(n) => n == node,
            Act::Stop(_)
            | Act::PowerOff(_)
            | Act::Check(..)
            | Act::Cable(..)
            | Act::Link(..)
            | Act::File(..)
            | Act::Process(..)
            | Act::Deafen
            | Act::Heal => false,
        }
    }
}

/// One event and how long to look at what follows, in milliseconds.
pub type Step = (Act, u64);

/// One virtual router: a row of the matrix.
#[derive(Clone, Debug)]
pub struct Router {
    /// What it shows, in a few words.
    pub name: &'static str,
    /// The lines of its block on cp1 and cp2, beside those that every block has.
    pub lines: [String; 2],
    /// The priorities of cp1 and cp2.
    pub priorities: [u8; 2],
    /// Its address.
    pub vip: String,
    /// From when its takeovers count.
    pub counts: Counts,
}

/// From when a takeover counts: a start from when the program listens, everything else from the last advertisement of the
/// other router before it. The exceptions:
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counts {
    /// None.
    Usual,
    /// A repair counts from the repair: it ends a fault, and what follows begins then.
    Fault,
    /// A start counts from the first advertisement that the started program hears: its delay begins there.
    Delay,
}

/// Virtual routers that go through the same events in one pair of files.
#[derive(Clone, Debug)]
pub struct Play {
    /// A heading of the page.
    pub name: &'static str,
    /// What is to be said about it, or nothing.
    pub about: &'static str,
    /// What stands before the routers in both files. `{DIR}` becomes the node's directory.
    pub head: &'static str,
    /// The routers; their VRIDs count from [`FIRST_VRID`], and `vrrp_instance` is called `R` with the VRID.
    pub routers: Vec<Router>,
    /// What happens.
    pub steps: Vec<Step>,
    /// Who has the two places, the reference first.
    pub pairs: Vec<[Party; 2]>,
    /// Where standfast differs on purpose: router, step (both from 0) and reason.
    pub differs: Vec<(usize, usize, &'static str)>,
}

/// The VRID of the first router of a play.
pub const FIRST_VRID: u8 = 51;

impl Play {
    /// The routers with their VRIDs.
    pub fn routers(&self) -> impl Iterator<Item = (u8, &Router)> {
        (FIRST_VRID..).zip(&self.routers)
    }

    /// The file of cp1 or cp2 for one party; `{OURS: ...}` is a line for standfast alone.
    #[must_use]
    pub fn file(&self, node: usize, party: Party, dir: &str) -> String {
        if party == Party::Frr {
            return self.routers.first().map(|router| router.lines[node - 1].clone()).unwrap_or_default();
        }
        let mut text = self.head.to_owned();
        for (vrid, router) in self.routers() {
            let (lines, priority) = (&router.lines[node - 1], router.priorities[node - 1]);
            text.push_str(&format!(
                "vrrp_instance R{vrid} {{\n    interface eth0\n    virtual_router_id {vrid}\n    priority {priority}\n\
                 {lines}\n    virtual_ipaddress {{\n        {}\n    }}\n}}\n",
                router.vip
            ));
        }
        let mut text = text.replace("{DIR}", dir);
        while let Some((before, rest)) = text.split_once("{OURS: ") {
            let (ours, after) = rest.split_once('}').unwrap_or((rest, ""));
            let ours = if party == Party::Standfast { ours } else { "" };
            text = format!("{before}{ours}{after}");
        }
        text
    }
}

/// What one event led to at one router.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Who holds the address at the end of the step.
    pub who: String,
    /// The milliseconds until the newly active router advertised; `None` when nobody took over.
    pub took: Option<i64>,
    /// By how many milliseconds this machine was late around that moment, at most.
    pub late: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_for_standfast_alone_is_in_no_other_file() {
        let all = rows::all();
        let play = all.iter().find(|play| play.name.starts_with("Checksum")).expect("a row is about it");
        assert!(play.file(1, Party::Standfast, "/d").contains("v3_checksum_as_v2"));
        assert!(!play.file(1, Party::Keepalived, "/d").contains("v3_checksum_as_v2"));
    }
}

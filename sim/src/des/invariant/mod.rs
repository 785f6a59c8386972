//! The invariants, each a named function whose comment says it in one sentence; by theme in the files beside this one.
//!
//! Names are those of the reference (A1 to A23, E1 to E4), L1 and L2 for the lease of addresses. Those of single steps
//! are called from here; those of a settled cluster from `settled`, those of drills from `drill`. One that once fired
//! is never deleted. Of A16 there is what the product has: backups, no panic threshold. Left out, because the core does
//! not serve what they are about: queues and slow start of A18. Octets on real streams are tier 2's part of A19. The other
//! half of A23, equal hashes, is a test.

mod addresses;
mod election;
mod health;
mod kernel;
mod machine;
mod parting;
mod pools;
mod sessions;
mod telling;

pub use addresses::{absent_hold_nothing, clients_are_served, kernel_follows_role, neighbours_follow};
pub use addresses::{neighbours_know, sole_holder};
pub use election::{best_is_master, groups_agree, on_advert, one_master};
pub use health::{pools_follow_servers, runs_are_given_up};
pub use kernel::{dump_is_believed, missing_addresses, reload_leaves_nothing};
pub use machine::{actions_are_bounded, deadline_lies_ahead, second_tick_does_nothing};
pub use pools::{keys_stay, on_pick};
pub use sessions::{Exchanged, exchange_is_whole};
pub use telling::{PUT_OFF, frame_handled};

use super::world::World;
use standfast_core::action::Action;
use standfast_core::input::{Input, Order};
use standfast_core::time::Time;
use std::fmt;

/// An invariant that broke.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which.
    pub name: &'static str,
    /// When, in simulated time.
    pub at: Time,
    /// What was seen.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {} s: {} ({})", self.name, self.at, self.what, sentence(self.name))
    }
}

/// Every invariant, and what it says.
pub const INVARIANTS: [(&str, &str); 30] = [
    ("A1", "once settled, nodes that hear each other have exactly one master per virtual router"),
    (
        "A2",
        "once settled, a kernel holds an address if and only if its live process is master for it; after a clean stop \
         it holds none, and what a killed daemon left is dealt with before its successor's first advertisement",
    ),
    (
        "A3",
        "no backup takes over earlier than its down interval after the last advertisement that it must have believed, and \
         whoever yields leaves the others the winner's interval to count by",
    ),
    ("A4", "one takeover per lost master, when the priorities are further apart than the network's jitter"),
    (
        "A5",
        "with preemption, once its delay is over, the master is the best; without, it stays as long as it lives; it yields \
         to a better one only",
    ),
    ("A6", "no role changes in the calm, whatever packets come that are not of this virtual router"),
    (
        "A7",
        "the farewell goes out before an address is given up, and nothing but farewells after it or in fault",
    ),
    (
        "A8",
        "the neighbours know the master as the holder of the address, once settled and soon after two masters have met",
    ),
    ("A9", "once settled, all members of a sync group have one role"),
    ("A10", "the effective priority is 1 to 254, or 255 for the owner, or 0 for a farewell"),
    (
        "A11",
        "after a long freeze a node first listens: at most one stale advertisement, no announcement, no takeover",
    ),
    ("A12", "no address is announced before all frontends of the configuration listen"),
    ("A13", "a verdict flips after exactly `fall` failures or `rise` successes in a row; one run at a time"),
    (
        "A14",
        "runs of a check are an interval apart, and the first runs of many checks do not come in a bunch",
    ),
    ("A15", "no connection is given to an unusable server while the view has a usable one"),
    ("A16", "backups serve while no active server is usable, and only then"),
    (
        "A17",
        "over whole rounds of a stable view every server gets exactly its weight's share; with consistent hashing a client \
         moves only from or to a server that has changed",
    ),
    ("A18", "a server that an operator drains takes no new connection"),
    (
        "A19",
        "a connection ends once, after as many tries as are allowed and elsewhere where it can; ends and octets are passed on",
    ),
    ("A20", "an outage that all nodes see alike moves no address back and forth"),
    (
        "A21",
        "a reload without a difference has no effect, and none closes a frontend that it does not change",
    ),
    (
        "A22",
        "the next deadline lies ahead, a second tick does nothing, and one input causes a bounded number of actions",
    ),
    ("A23", "no input makes a node panic"),
    ("E1", "after the master is lost, somebody else holds its addresses within the promised time"),
    ("E2", "the cluster settles within the time that its own intervals imply"),
    (
        "E3",
        "a dead server is out of its pool, and a living one in it, within the time that its check implies; a run without \
         an answer is given up",
    ),
    (
        "E4",
        "a planned failover makes before it breaks, and clients find the new holder within the promised time",
    ),
    (
        "L1",
        "the address of a killed or frozen daemon is gone before a backup may take over, at most a second later; no lease \
         lasts longer than backups wait",
    ),
    ("L2", "at no time do two kernels hold an address because a daemon was killed or frozen"),
    ("S1", "a clean stop comes to its end, and leaves nothing open"),
];

/// What the invariant `name` says, in a sentence.
#[must_use]
pub fn sentence(name: &str) -> &'static str {
    INVARIANTS.iter().find(|(known, _)| *known == name).map_or("", |(_, sentence)| sentence)
}

/// What a check found: the invariant's name, and what was seen.
pub type Broken = Option<(&'static str, String)>;

/// Everything that is checked at each action of a node.
pub fn on_action(world: &mut World, host: usize, action: &Action) {
    let broken = match action {
        Action::Advertise { .. } => election::priority_in_range(world, host, action)
            .or_else(|| addresses::farewell_is_the_last_word(world, host, action))
            .or_else(|| addresses::leftovers_come_first(world, host))
            .or_else(|| election::thawed_node_listens(world, host, action))
            .or_else(|| telling::note_sent(world, host, action)),
        Action::Announce { address, .. } => election::thawed_node_listens(world, host, action)
            .or_else(|| telling::announced(world, host, *address)),
        Action::Address { address, own: false, .. } => {
            addresses::farewell_before_give_up(world, host, action)
                .or_else(|| parting::make_before_break(world, host, *address))
        }
        Action::Address { own: true, .. } => addresses::farewell_before_give_up(world, host, action)
            .or_else(|| kernel::lease_ends_in_time(world, host, action)),
        Action::Check { check, ticket, .. } => health::run_is_due(world, host, *check, *ticket),
        Action::Cancel { ticket } => health::run_is_cancelled(world, host, *ticket),
        Action::Listen { frontend, open: false, .. } => machine::frontend_stays_open(world, frontend),
        Action::Publish { pool, view } => pools::drained_take_nothing(world, host, *pool, view.as_deref()),
        Action::Event(event) => election::no_early_takeover(world, host, event)
            .or_else(|| health::verdict_is_exact(world, host, event))
            .or_else(|| addresses::note_adopted(world, host, event))
            .or_else(|| kernel::somebody_took_it(world, host, event))
            .or_else(|| telling::forget_lower(world, host, event))
            .or_else(|| telling::last_word_fits(world, host, event))
            .or_else(|| parting::role(world, host, event)),
        Action::Stopped => parting::stopped_leaves_nothing(world, host),
        Action::Listen { open: true, .. }
        | Action::Receive { .. }
        | Action::Bfd { .. }
        | Action::BfdSend { .. }
        | Action::Item { .. }
        | Action::Script { .. }
        | Action::Tell { .. } => None,
    };
    let broken = broken.or_else(|| machine::empty_reload(world, host, action));
    if let Some((name, what)) = broken {
        world.fail(name, format!("n{}: {what}", host + 1));
    }
}

/// What is remembered of each input, and checked before the node has it.
pub fn on_input(world: &mut World, host: usize, input: &Input<'_>) {
    let broken = match input {
        Input::Checked { check, ticket, outcome } => {
            health::run_ends(world, host, *check, *ticket, outcome.passed)
        }
        Input::Kernel(notice) => addresses::note_leftovers(world, host, notice),
        Input::Configure(new) => {
            election::forget_beliefs(world, host);
            parting::forget(world, host);
            pools::note_reload(world, host, new);
            health::schedule_moves(world, host, new)
        }
        Input::Order(order) => {
            if let Order::Rejoin(_) = order {
                parting::forget(world, host);
            }
            pools::note_order(world, host, order)
        }
        Input::Done { ticket, result } => kernel::note_answer(world, host, *ticket, result.is_ok()),
        Input::Tick => telling::lower_is_answered(world, host),
        Input::Packet { .. } | Input::Bfd { .. } | Input::Observed { .. } | Input::Stop => None,
    };
    if let Some(process) = &mut world.hosts[host].process {
        process.seen.pace.ticking = matches!(input, Input::Tick);
    }
    if let Some((name, what)) = broken {
        world.fail(name, format!("n{}: {what}", host + 1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_invariant_has_a_name_of_its_own_and_a_sentence() {
        let mut names: Vec<&str> = INVARIANTS.iter().map(|(name, _)| *name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), INVARIANTS.len());
        assert!(INVARIANTS.iter().all(|(name, said)| said.len() > 20 && sentence(name) == *said));
    }
}

//! Where components leave what they want done (actions) and what others should know (signals).

use crate::action::Action;
use crate::event::Event;
use crate::id::{BfdId, CheckId, Ticket};
use crate::time::Time;
use crate::timers::Timers;
use alloc::collections::VecDeque;
use serde::{Deserialize, Serialize};

/// What one component tells the others; never leaves the crate. The graph is a DAG: verdicts reach routers and pools, BFD sessions routers, the routers'
/// departure reaches nobody but the node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Signal {
    /// A check changed its mind, or gave its first answer.
    Verdict {
        /// Whose.
        check: CheckId,
        /// Healthy or not; `None` while unknown (first result outstanding).
        up: Option<bool>,
    },
    /// A BFD session came up, or went down.
    Session {
        /// Which.
        session: BfdId,
        /// Up.
        up: bool,
    },
    /// Every virtual router has said farewell and given up its addresses; the node may stop.
    Left,
}

/// Actions and signals of the input being handled.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Outbox {
    actions: VecDeque<Action>,
    signals: VecDeque<Signal>,
    tickets: u64,
}

impl Outbox {
    /// Asks for `action`.
    pub fn act(&mut self, action: Action) {
        self.actions.push_back(action);
    }

    /// Tells of `event`.
    pub fn tell(&mut self, event: Event) {
        self.actions.push_back(Action::Event(event));
    }

    /// Tells the other components.
    pub fn signal(&mut self, signal: Signal) {
        self.signals.push_back(signal);
    }

    /// A ticket never given before.
    pub fn ticket(&mut self) -> Ticket {
        self.tickets += 1;
        Ticket(self.tickets)
    }

    /// Takes the oldest action.
    pub fn take_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// Takes the oldest signal.
    pub fn take_signal(&mut self) -> Option<Signal> {
        self.signals.pop_front()
    }
}

/// What a component is given while it handles something: the time, the outbox and the timers, nothing else.
#[derive(Debug)]
pub struct Context<'a> {
    /// The time of the input.
    pub now: Time,
    /// Where actions and signals go.
    pub out: &'a mut Outbox,
    /// Where deadlines go.
    pub timers: &'a mut Timers,
}

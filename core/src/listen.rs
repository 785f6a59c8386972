//! Listening sides: which are wanted, which are asked for, which are open.
//!
//! A side that cannot be opened is told once per cause and tried again each [`RETRY`]; haproxy would refuse to
//! start, we keep the virtual routers running. An unchanged side is never touched by a reload.

use crate::config::model::{Config, FrontendConfig};
use crate::event::Event;
use crate::id::{FrontendId, Ticket};
use crate::input::Errno;
use crate::outbox::Context;
use crate::timers::TimerKey;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;
use serde::{Deserialize, Serialize};

/// How long after a refusal a listening side is tried again.
pub const RETRY: Duration = Duration::from_secs(1);

/// How a listening side stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListenerStatus {
    /// Which.
    pub id: FrontendId,
    /// Its name.
    pub name: Arc<str>,
    /// It accepts connections.
    pub open: bool,
    /// Why not, when the kernel refused.
    pub refused: Option<Errno>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Listener {
    config: Arc<FrontendConfig>,
    asked: Option<Ticket>,
    open: bool,
    refused: Option<Errno>,
}

/// All listening sides of a node.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Listeners {
    all: BTreeMap<FrontendId, Listener>,
}

impl Listeners {
    /// Asks for every listening side of `config`.
    pub(crate) fn new(config: &Config, cx: &mut Context<'_>) -> Listeners {
        let mut listeners = Listeners::default();
        for frontend in config.frontends.values() {
            listeners.want(frontend, cx);
        }
        listeners
    }

    /// Opens what is new, closes what is gone, hands over what changed, leaves the rest alone.
    pub(crate) fn configure(&mut self, config: &Config, cx: &mut Context<'_>) {
        let gone: Vec<FrontendId> =
            self.all.keys().filter(|id| !config.frontends.contains_key(id)).copied().collect();
        for id in gone {
            self.close(id, cx);
        }
        for (id, frontend) in &config.frontends {
            if self.all.get(id).is_none_or(|listener| listener.config != *frontend) {
                self.want(frontend, cx);
            }
        }
    }

    /// The data plane's answer; false when the ticket is not one of ours.
    pub(crate) fn on_done(
        &mut self,
        cx: &mut Context<'_>,
        ticket: Ticket,
        result: Result<(), Errno>,
    ) -> bool {
        let Some((id, listener)) = self.all.iter_mut().find(|(_, listener)| listener.asked == Some(ticket))
        else {
            return false;
        };
        listener.asked = None;
        let name = listener.config.name.clone();
        match result {
            Ok(()) => {
                listener.refused = None;
                if !listener.open {
                    listener.open = true;
                    cx.out.tell(Event::Listening { frontend: *id, name, open: true });
                }
            }
            Err(errno) => {
                listener.open = false;
                if listener.refused != Some(errno) {
                    listener.refused = Some(errno);
                    let binds: Vec<_> =
                        listener.config.binds.iter().map(|bind| format!("{}", bind.at)).collect();
                    cx.out.tell(Event::Refused {
                        what: format!("listening for {name} at {}", binds.join(", ")),
                        errno,
                    });
                }
                cx.timers.arm(TimerKey::Listen(*id), cx.now + RETRY);
            }
        }
        true
    }

    /// Tries a refused side again.
    pub(crate) fn on_timer(&mut self, id: FrontendId, cx: &mut Context<'_>) {
        if let Some(config) = self.all.get(&id).map(|listener| listener.config.clone()) {
            self.want(&config, cx);
        }
    }

    /// Closes every side: the last step of a clean stop.
    pub(crate) fn stop(&mut self, cx: &mut Context<'_>) {
        let all: Vec<FrontendId> = self.all.keys().copied().collect();
        for id in all {
            self.close(id, cx);
        }
    }

    /// How every side stands.
    pub(crate) fn status(&self) -> Vec<ListenerStatus> {
        let status = |(id, listener): (&FrontendId, &Listener)| ListenerStatus {
            id: *id,
            name: listener.config.name.clone(),
            open: listener.open,
            refused: listener.refused,
        };
        self.all.iter().map(status).collect()
    }

    fn want(&mut self, config: &Arc<FrontendConfig>, cx: &mut Context<'_>) {
        let ticket = cx.out.ticket();
        cx.out.act(crate::action::Action::Listen { ticket, frontend: config.clone(), open: true });
        let known = self.all.get(&config.id);
        let (open, refused) = known.map_or((false, None), |listener| (listener.open, listener.refused));
        let listener = Listener { config: config.clone(), asked: Some(ticket), open, refused };
        self.all.insert(config.id, listener);
    }

    fn close(&mut self, id: FrontendId, cx: &mut Context<'_>) {
        cx.timers.disarm(TimerKey::Listen(id));
        if let Some(listener) = self.all.remove(&id) {
            let ticket = cx.out.ticket();
            let name = listener.config.name.clone();
            cx.out.act(crate::action::Action::Listen { ticket, frontend: listener.config, open: false });
            cx.out.tell(Event::Listening { frontend: id, name, open: false });
        }
    }
}

//! The files that keepalived writes when it is told to: `keepalived.data` (USR1), `keepalived.stats` (USR2, or the
//! clearing signal) and `keepalived.json` (SIGJSON), in its layout, so that exporters and monitors go on working.
//!
//! `data`, `stats` and `json` make the texts of a [`Snapshot`], `file` puts them where nobody can redirect them. A snapshot
//! is taken by the loop between two inputs; words and files are made by a thread of their own. Counters are cleared
//! for the readers of these files only.

mod data;
mod file;
mod json;
mod lists;
mod stats;
mod words;

use standfast_core::config::model::{Config, DumpConfig, InstanceConfig};
use standfast_core::id::InstanceId;
use standfast_core::node::{Node, Status};
use standfast_core::time::Time;
use standfast_core::vrrp::{Counters, LinkStatus, RouterStatus};
use standfast_io::log::{EventLog, Logger};
use standfast_io::recorder::wall_clock;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

/// The first and the last real-time signal that a program may use, as the C library numbers them.
const FIRST_REALTIME: u8 = 34;
const LAST_REALTIME: u8 = 64;
/// `SIGJSON` of keepalived: the third real-time signal.
pub const SIGJSON: u8 = FIRST_REALTIME + 2;
/// keepalived's signal to write the counters and clear them.
pub const SIGSTATS_CLEAR: u8 = LAST_REALTIME - 1;
/// The most requests that wait; one more is one of the same.
const MAX_ASKED: usize = 16;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `keepalived.data`.
    Data,
    /// `keepalived.stats`.
    Stats,
    /// `keepalived.stats`, and the counters begin anew.
    StatsClear,
    /// `keepalived.json`.
    Json,
}

impl Kind {
    /// Where it goes: as configured, else `keepalived.*` in `$TMPDIR` or `/tmp`.
    fn path(self, dumps: &DumpConfig) -> PathBuf {
        let (own, name) = match self {
            Kind::Data => (&dumps.state, "keepalived.data"),
            Kind::Stats | Kind::StatsClear => (&dumps.stats, "keepalived.stats"),
            Kind::Json => (&dumps.json, "keepalived.json"),
        };
        match own {
            Some(path) => PathBuf::from(&**path),
            None => {
                let folder = std::env::var_os("TMPDIR").filter(|folder| !folder.is_empty());
                PathBuf::from(folder.unwrap_or_else(|| "/tmp".into())).join(name)
            }
        }
    }

    fn text(self, of: &Snapshot) -> String {
        match self {
            Kind::Data => data::text(of),
            Kind::Stats | Kind::StatsClear => stats::text(of),
            Kind::Json => json::text(of),
        }
    }
}

/// What signals have asked for, and the loop has not seen to yet.
#[derive(Clone, Debug, Default)]
pub struct Asked(Rc<RefCell<Vec<Kind>>>);

impl Asked {
    /// Asks for `kind`, which the next input brings.
    pub fn ask(&self, kind: Kind) {
        let mut asked = self.0.borrow_mut();
        if asked.len() < MAX_ASKED {
            asked.push(kind);
        }
    }
}

/// How a node stood at one moment.
#[derive(Debug)]
pub(crate) struct Snapshot {
    config: Arc<Config>,
    status: Status,
    links: Vec<LinkStatus>,
    /// By the wall clock, in nanoseconds since 1970.
    wall: u64,
}

impl Snapshot {
    fn of(node: &Node, wall: u64) -> Snapshot {
        Snapshot { config: node.config().clone(), status: node.status(), links: node.links(), wall }
    }

    /// The virtual routers with what was configured, in the order of the file.
    fn routers(&self) -> impl Iterator<Item = (&InstanceConfig, &RouterStatus)> {
        let configured = |status: &RouterStatus| self.config.instances.get(&status.id);
        self.status.routers.iter().filter_map(move |status| Some((&**configured(status)?, status)))
    }

    /// A moment of the node's clock by the wall clock, in nanoseconds since 1970.
    fn wall(&self, at: Time) -> u64 {
        if at >= self.status.now {
            self.wall.saturating_add(at.0 - self.status.now.0)
        } else {
            self.wall.saturating_sub(self.status.now.0 - at.0)
        }
    }
}

/// Writes what was asked for.
#[derive(Debug)]
pub struct Dumper {
    asked: Asked,
    /// The counters when they were cleared last.
    cleared: BTreeMap<InstanceId, Counters>,
}

impl Dumper {
    /// A writer of what is asked for through `asked`.
    #[must_use]
    pub fn new(asked: Asked) -> Dumper {
        Dumper { asked, cleared: BTreeMap::new() }
    }

    /// Sees to what was asked for; what goes wrong is told to `log`.
    pub fn see_to(&mut self, node: &Node, log: &EventLog<Logger>) {
        if self.asked.0.borrow().is_empty() {
            return;
        }
        let kinds = self.asked.0.take();
        let wall = wall_clock();
        for kind in kinds {
            let mut snapshot = Snapshot::of(node, wall);
            let counted: BTreeMap<_, _> =
                snapshot.status.routers.iter().map(|r| (r.id, r.counters.clone())).collect();
            for router in &mut snapshot.status.routers {
                if let Some(cleared) = self.cleared.get(&router.id) {
                    stats::subtract(&mut router.counters, cleared);
                }
            }
            if kind == Kind::StatsClear {
                self.cleared = counted;
            }
            self.write(kind, snapshot, log);
        }
    }

    fn write(&self, kind: Kind, snapshot: Snapshot, log: &EventLog<Logger>) {
        let log = log.another();
        std::thread::spawn(move || {
            let process = &snapshot.config.node.process;
            let path = kind.path(&process.dumps);
            if let Err(error) = file::replace(&path, &kind.text(&snapshot)) {
                log.say(4, &format!("{} is not written: {error}", path.display()));
            }
        });
    }
}

#[cfg(test)]
mod tests;

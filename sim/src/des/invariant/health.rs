//! Checks and their verdicts: A13, A14, E3. The observer counts for itself, from inputs and actions alone.

use super::Broken;
use crate::des::host::CheckSeen;
use crate::des::marks::Mark;
use crate::des::settled::Component;
use crate::des::world::World;
use standfast_core::config::model::{CheckConfig, Config, Counter};
use standfast_core::event::Event;
use standfast_core::id::{CheckId, Ticket};
use std::time::Duration;

/// Clusters with fewer checks of servers have no bunches to speak of.
const MANY: usize = 10;
/// What a wake-up may come late by, when nothing is slow: the grain of a drifting clock.
const GRAIN: Duration = Duration::from_millis(1);

/// A run is given up so long after its own time at the latest.
const GIVEN_UP: Duration = Duration::from_secs(4);

impl CheckSeen {
    fn count(&mut self, passed: bool) {
        self.row = if self.row.0 == passed { (passed, self.row.1 + 1) } else { (passed, 1) };
    }

    fn start_anew(&mut self) {
        (self.started, self.ended, self.row, self.up) = (None, None, (false, 0), None);
    }
}

fn needed(config: &CheckConfig, up: bool) -> u32 {
    if up { config.rise } else { config.fall }
}

/// A13 and A14 at the start of a run: no other is in flight, the last verdict was not overdue, and it is time.
pub(super) fn run_is_due(world: &mut World, host: usize, check: CheckId, ticket: Ticket) -> Broken {
    let sleepy = world.watch.sleepy;
    let h = &mut world.hosts[host];
    let now = h.machine.clock.read(world.now);
    let config = h.config.checks.get(&check)?;
    let servers = h.config.checks.values().filter(|check| check.counter == Counter::Server).count();
    let process = h.process.as_mut()?;
    let pace = &mut process.seen.pace;
    let seen = process.seen.checks.entry(check).or_default();
    if seen.running.replace(ticket).is_some() {
        return Some(("A13", format!("starts {check} while it runs")));
    }
    if seen.up == Some(!seen.row.0) && seen.row.1 >= needed(config, seen.row.0) {
        return Some(("A13", format!("{check} had {} runs in a row against its verdict", seen.row.1)));
    }
    seen.since = now;
    let interval = config.schedule.interval;
    let since = match config.counter {
        Counter::Script { .. } => seen.started.map(|at| now.since(at)),
        Counter::Server => seen.ended.map(|at| now.since(at)),
    };
    let first = seen.started.is_none() && seen.ended.is_none();
    seen.started = Some(now);
    let gap = since.unwrap_or(interval);
    if gap < interval {
        return Some(("A14", format!("{check} starts {gap:?} after its last run, not {interval:?}")));
    }
    if config.counter == Counter::Server && gap > interval + GRAIN && !sleepy && !pace.disturbed {
        return Some((
            "A14",
            format!("{check} starts as late as {gap:?} after its last run, not {interval:?}"),
        ));
    }
    if first && config.counter == Counter::Server && !pace.disturbed && !sleepy && servers >= MANY {
        pace.first_starts.push(now);
        let lately = |at: &&standfast_core::time::Time| now.since(**at) < interval / 10;
        let bunch = pace.first_starts.iter().filter(lately).count();
        if bunch > servers.div_ceil(10) + 1 {
            return Some((
                "A14",
                format!("{bunch} of {servers} checks start within a tenth of their interval"),
            ));
        }
    }
    None
}

/// A run is given up; when its time is over, that counts as a failure.
pub(super) fn run_is_cancelled(world: &mut World, host: usize, ticket: Ticket) -> Broken {
    let h = &mut world.hosts[host];
    let now = h.machine.clock.read(world.now);
    let process = h.process.as_mut()?;
    let ticking = process.seen.pace.ticking;
    let seen = process.seen.checks.values_mut().find(|seen| seen.running == Some(ticket))?;
    seen.running = None;
    seen.ended = Some(now);
    if ticking {
        seen.count(false);
    }
    None
}

/// A run was answered: counted, if it is the one in flight.
pub(super) fn run_ends(
    world: &mut World,
    host: usize,
    check: CheckId,
    ticket: Ticket,
    passed: bool,
) -> Broken {
    let h = &mut world.hosts[host];
    let now = h.machine.clock.read(world.now);
    let seen = h.process.as_mut()?.seen.checks.entry(check).or_default();
    if seen.running != Some(ticket) {
        world.watch.marks.insert(Mark::StaleCheckAnswer);
        return None;
    }
    seen.running = None;
    seen.ended = Some(now);
    seen.count(passed);
    None
}

/// A13: a verdict that flips does so after exactly `fall` failures or `rise` successes in a row.
pub(super) fn verdict_is_exact(world: &mut World, host: usize, event: &Event) -> Broken {
    let Event::Verdict { check, up, name, .. } = event else { return None };
    let h = &mut world.hosts[host];
    let needed = needed(h.config.checks.get(check)?, *up);
    let seen = h.process.as_mut()?.seen.checks.entry(*check).or_default();
    let before = seen.up.replace(*up);
    let word = if *up { "up" } else { "down" };
    (before == Some(!*up) && seen.row != (*up, needed))
        .then(|| ("A13", format!("{name} goes {word} after {} runs in a row, not {needed}", seen.row.1)))
}

/// A reload: checks that it changes start anew, and no pace is promised from here on.
pub(super) fn schedule_moves(world: &mut World, host: usize, new: &Config) -> Broken {
    let old = world.replaced.clone();
    let process = world.hosts[host].process.as_mut()?;
    if old.as_deref().is_some_and(|old| old.checks == new.checks && old.pools == new.pools) {
        return None;
    }
    disturb(&mut process.seen);
    None
}

/// No pace is promised from here on: a reload, an order, a freeze.
pub(super) fn disturb(seen: &mut crate::des::host::Seen) {
    seen.pace.disturbed = true;
    seen.checks.values_mut().for_each(CheckSeen::start_anew);
}

/// E3: a run that gets no answer is given up, a little after its own time.
pub fn runs_are_given_up(world: &World, component: &Component) -> Broken {
    for host in &component.hosts {
        let h = &world.hosts[*host];
        let Some(process) = h.awake().filter(|process| !process.stopping) else { continue };
        for (check, seen) in process.seen.checks.iter().filter(|(_, seen)| seen.running.is_some()) {
            let Some(config) = h.config.checks.get(check) else { continue };
            let waited = h.read(world.now).since(seen.since);
            if waited > config.schedule.timeout + GIVEN_UP {
                let what = format!("n{}: {} has waited {waited:?} for an answer", host + 1, config.name);
                return Some(("E3", what));
            }
        }
    }
    None
}

/// E3: a dead server is out of its pool and a living one in it.
pub fn pools_follow_servers(world: &World, component: &Component) -> Broken {
    for host in &component.hosts {
        let Some(process) = world.hosts[*host].awake().filter(|process| !process.stopping) else { continue };
        for server in process.seen.views.values().flat_map(|view| &view.servers) {
            let lives = world.truth.server_lives(server.address);
            if server.usable != lives {
                let (usable, lives) = (server.usable, if lives { "lives" } else { "is dead" });
                let what = format!("n{} has {} usable: {usable}, but it {lives}", host + 1, server.name);
                return Some(("E3", what));
            }
        }
    }
    None
}

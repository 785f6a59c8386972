//! The machine itself: A21, A22.

use super::Broken;
use crate::des::world::World;
use standfast_core::action::Action;
use standfast_core::config::model::{Config, FrontendConfig};
use standfast_core::event::Event;
use standfast_core::input::Input;

/// Actions of one input that need no object at all.
const ACTIONS: usize = 40;
/// Actions of one input per virtual router, address, server and check: blocks of announcements are the most.
const ACTIONS_EACH: usize = 40;

/// A21: a reload without a difference has no effect.
pub(super) fn empty_reload(world: &World, host: usize, action: &Action) -> Broken {
    let old = world.replaced.as_ref()?;
    let harmless = matches!(action, Action::Event(Event::Reloaded { .. }));
    (!harmless && *old == world.hosts[host].config)
        .then(|| ("A21", format!("a reload without a difference asks for {action:?}")))
}

/// A21: a reload closes no frontend that it leaves as it was.
pub(super) fn frontend_stays_open(world: &World, frontend: &FrontendConfig) -> Broken {
    let old = world.replaced.as_ref()?;
    let same = |config: &Config| config.frontends.get(&frontend.id).is_some_and(|known| **known == *frontend);
    let kept = world.hosts.iter().any(|host| same(&host.config)) && same(old);
    kept.then(|| ("A21", format!("a reload closes {}, which it does not change", frontend.name)))
}

/// A22: right after a wake-up the next deadline lies ahead.
pub fn deadline_lies_ahead(world: &mut World, host: usize) {
    let now = world.hosts[host].read(world.now);
    let deadline = world.hosts[host].awake().and_then(|process| process.node.deadline());
    if let Some((_, key)) = deadline.filter(|(at, _)| *at <= now) {
        world.fail("A22", format!("n{} wants to be woken again at once, for {key}", host + 1));
    }
}

/// A22: a tick before the deadline does nothing.
pub fn second_tick_does_nothing(world: &mut World, host: usize) {
    let now = world.hosts[host].read(world.now);
    let Some(process) = world.hosts[host].process.as_mut() else { return };
    let before = process.node.deadline();
    process.node.handle(now, Input::Tick);
    let (action, after) = (process.node.poll(now), process.node.deadline());
    if let Some(action) = action {
        world.fail("A22", format!("n{}: a second tick asks for {action:?}", host + 1));
    } else if before != after {
        world.fail("A22", format!("n{}: a second tick moves the deadline to {after:?}", host + 1));
    }
}

/// A22: one input causes no more actions than its objects explain.
pub fn actions_are_bounded(world: &mut World, host: usize, count: usize) {
    if count <= ACTIONS {
        return;
    }
    let config = &world.hosts[host].config;
    let addresses: usize = config.instances.values().map(|instance| instance.addresses.len() + 1).sum();
    let servers: usize = config.pools.values().map(|pool| pool.servers.len()).sum();
    let most = ACTIONS + ACTIONS_EACH * (addresses + servers + config.checks.len());
    if count > most {
        world.fail("A22", format!("n{} asks for {count} actions at once, more than {most}", host + 1));
    }
}

//! Who is master: A1, A3, A5, A9, A10, A11. (A4, A6, A20 are looked at by `run` and `drill`, which know when.)

use super::Broken;
use crate::des::host::Believed;
use crate::des::lan::{Body, Frame};
use crate::des::settled::{Component, expected, masters};
use crate::des::shape::RouterKey;
use crate::des::world::World;
use standfast_core::action::Action;
use standfast_core::config::model::{Authentication, InstanceConfig, Version};
use standfast_core::event::{Event, Role, Why};
use standfast_core::id::InstanceId;
use standfast_core::time::Time;
use standfast_core::wire::vrrp::{View, number};
use std::time::Duration;

/// Who reloaded less than this ago may have sent, or judged, by another configuration.
const LATELY: Duration = Duration::from_secs(2);

/// VRID, priority and family of an advertisement.
pub(super) fn advert(action: &Action) -> Option<(u8, u8, bool)> {
    if let Action::Advertise { to, payload, .. } = action {
        return Some((*payload.get(1)?, *payload.get(2)?, to.is_ipv6()));
    }
    None
}

fn names(hosts: &[usize]) -> String {
    let names: Vec<String> = hosts.iter().map(|host| format!("n{}", host + 1)).collect();
    if names.is_empty() { String::from("nobody") } else { names.join(", ") }
}

/// A1: exactly one master, if anybody may be master at all, and everybody else backup or in fault.
pub fn one_master(world: &World, component: &Component, key: &RouterKey) -> Broken {
    let masters = masters(world, &component.hosts, key);
    let able: Vec<usize> =
        component.hosts.iter().copied().filter(|host| expected(world, *host, key).is_some()).collect();
    if masters.len() != usize::from(!able.is_empty()) {
        return Some(("A1", format!("master is {}, of {}", names(&masters), names(&able))));
    }
    let wrong = component.hosts.iter().find(|host| {
        let resigned =
            world.hosts[**host].awake().is_some_and(|process| !process.seen.orders.resigned.is_empty());
        let fault = world.hosts[**host].role(key) == Some(Role::Fault);
        world.hosts[**host].awake().is_some() && !resigned && fault == able.contains(host)
    });
    wrong.map(|host| ("A1", format!("n{} has role {:?}", host + 1, world.hosts[*host].role(key))))
}

/// A5: with preemption nobody who may be master has a higher priority than the master.
pub fn best_is_master(world: &World, component: &Component, key: &RouterKey) -> Broken {
    let master = *masters(world, &component.hosts, key).first()?;
    let preempts = |host: usize| {
        let instance = world.hosts[host].instance(key);
        instance.is_some_and(|(_, i)| i.election.preempt || i.election.priority == 255)
    };
    let mine = expected(world, master, key)?;
    let better = component
        .hosts
        .iter()
        .find(|host| preempts(**host) && expected(world, **host, key).is_some_and(|theirs| theirs > mine))?;
    let theirs = expected(world, *better, key)?;
    Some(("A5", format!("n{} with {mine} is master, not n{} with {theirs}", master + 1, better + 1)))
}

/// A9: all members of a sync group have one role.
pub fn groups_agree(world: &World, component: &Component) -> Broken {
    for host in &component.hosts {
        let Some(process) = world.hosts[*host].awake() else { continue };
        for group in world.hosts[*host].config.groups.values() {
            let mut roles = group.members.iter().filter_map(|member| process.seen.roles.get(member));
            let first = roles.next();
            if let Some(other) = roles.find(|role| Some(*role) != first) {
                let what = format!("n{}: group {} is {first:?} and {other:?}", host + 1, group.name);
                return Some(("A9", what));
            }
        }
    }
    None
}

/// A10: an advertised priority is 1 to 254, or 255 for the owner, or 0 for a farewell.
pub(super) fn priority_in_range(world: &World, host: usize, action: &Action) -> Broken {
    let (vrid, priority, v6) = advert(action)?;
    let Some((_, base, _)) = world.hosts[host].by_vrid(vrid, v6) else {
        // A reload that removed the virtual router still says farewell.
        return (priority != 0).then(|| ("A10", format!("advertises VRID {vrid}, which it does not have")));
    };
    (priority == 255 && base != 255)
        .then(|| ("A10", format!("VRID {vrid} advertises 255, its base is {base}")))
}

/// A11: what was master when it was frozen for long sends at most one advertisement before it has listened.
pub(super) fn thawed_node_listens(world: &mut World, host: usize, action: &Action) -> Broken {
    let h = &mut world.hosts[host];
    h.process.as_ref()?.seen.thawed.as_ref()?;
    let named =
        advert(action).and_then(|(vrid, priority, v6)| Some((vrid, priority, h.by_vrid(vrid, v6)?.0)));
    let announced = if let Action::Announce { address, .. } = action {
        let holds = |instance: &&std::sync::Arc<InstanceConfig>| {
            instance.addresses.iter().any(|held| held.address.addr() == *address)
        };
        h.config.instances.values().find(holds).map(|instance| instance.id)
    } else {
        None
    };
    let thawed = h.process.as_mut()?.seen.thawed.as_mut()?;
    if let Some((vrid, priority, id)) = named
        && priority != 0
        && thawed.stale.contains(&id)
    {
        let sent = thawed.adverts.entry(vrid).or_insert(0);
        *sent += 1;
        return (*sent > 1)
            .then(|| ("A11", format!("VRID {vrid} advertises {sent} times before it listens")));
    }
    let id = announced?;
    thawed.stale.contains(&id).then(|| ("A11", format!("announces {action:?} before it listens")))
}

/// An advertisement that has reached a process, and what an observer knows of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrived {
    /// The virtual router that it speaks of.
    pub(super) id: InstanceId,
    /// Its VRID.
    pub(super) vrid: u8,
    /// It is of IPv6.
    pub(super) v6: bool,
    /// The role that the process has told last.
    pub(super) role: Option<Role>,
    /// What it says, when it must be believed: intact, from a member whose configuration does not clash.
    pub(super) sure: Option<Believed>,
}

/// Remembers what an advertisement obliges a process to.
pub fn on_advert(world: &mut World, host: usize, frame: &Frame) {
    let Some(arrived) = arrived(world, host, frame) else { return };
    believe(world, host, &arrived);
    super::telling::lower_heard(world, host, &arrived);
    super::parting::successor_heard(world, host, frame, arrived.id);
}

/// Remembers an advertisement that a backup must believe. Any other one may have been believed or not, so that nothing
/// is known from then on.
fn believe(world: &mut World, host: usize, arrived: &Arrived) {
    let id = arrived.id;
    let Some(process) = &mut world.hosts[host].process else { return };
    let last = process.seen.heard.believed.remove(&id).map_or(0, |last| last.priority);
    let believed = arrived.sure.filter(|_| arrived.role == Some(Role::Backup));
    // A lower one may be passed over, so that an older and higher one decides.
    if let Some(believed) = believed.filter(|believed| believed.priority >= last.max(1)) {
        process.seen.heard.believed.insert(id, believed);
    }
}

/// The virtual router that `frame` speaks of, and what an observer knows of it.
fn arrived(world: &World, host: usize, frame: &Frame) -> Option<Arrived> {
    let Body::Advert { to, payload, .. } = &frame.body else { return None };
    let now = world.now;
    let h = &world.hosts[host];
    let process = h.awake()?;
    let (vrid, v6) = (*payload.get(1)?, to.is_ipv6());
    let (id, _, version) = h.by_vrid(vrid, v6)?;
    let mine = h.config.instances.get(&id)?;
    let role = process.seen.roles.get(&id).copied();
    let unsure = Arrived { id, vrid, v6, role, sure: None };
    let lately = |at: Option<Time>| at.is_some_and(|at| now.since(at) <= LATELY);
    let sender = world.hosts.get(frame.sender).filter(|_| frame.honest);
    let theirs = sender.and_then(|sender| sender.counterpart(mine));
    let (Some(sender), Some(theirs)) = (sender, theirs) else { return Some(unsure) };
    let clash = theirs.router.version != version
        || theirs.authentication != mine.authentication
        || !signed_as(mine, version, payload)
        || (version == Version::V2 && theirs.election.interval != mine.election.interval)
        || lately(h.machine.reloaded)
        || lately(sender.machine.reloaded);
    let view = View::new(payload, version, mine.router.family).ok().filter(|_| !clash);
    // One that was long under way may be of the version that its sender had then.
    let view = view.filter(|view| view.version() == number(version));
    let sure =
        view.map(|view| Believed { at: h.read(now), priority: view.priority(), interval: view.interval() });
    Some(Arrived { sure, ..unsure })
}

/// A frame that was long under way may still carry what its sender was configured with when it sent it.
fn signed_as(mine: &InstanceConfig, version: Version, payload: &[u8]) -> bool {
    if version == Version::V3 {
        return true;
    }
    let interval = payload.get(5).map(|seconds| Duration::from_secs(u64::from(*seconds)));
    let password = match mine.authentication {
        Authentication::None => payload.get(4) == Some(&0),
        Authentication::Pass(password) => payload.ends_with(&password),
    };
    password && interval == Some(mine.election.interval)
}

/// A new configuration: what was believed before may count otherwise now.
pub(super) fn forget_beliefs(world: &mut World, host: usize) {
    if let Some(process) = &mut world.hosts[host].process {
        process.seen.heard.believed.clear();
        process.seen.heard.since.clear();
        process.seen.heard.lower.clear();
    }
}

/// A3: a backup that gives silence as its reason has heard nothing that it must believe for its down interval.
pub(super) fn no_early_takeover(world: &mut World, host: usize, event: &Event) -> Broken {
    let h = &mut world.hosts[host];
    let now = h.machine.clock.read(world.now);
    if let Event::Priority { instance, .. } = event {
        h.process.as_mut()?.seen.heard.believed.remove(instance);
        return None;
    }
    let Event::Role { instance, to, why, priority, .. } = event else { return None };
    let seen = &mut h.process.as_mut()?.seen;
    let backup = seen.heard.backup.remove(instance);
    if *to == Role::Backup {
        seen.heard.backup.insert(*instance, now);
    }
    let believed = seen.heard.believed.remove(instance);
    let since = seen.heard.since.remove(instance);
    if let (Role::Backup, Why::Start | Why::Recovered) = (to, why) {
        seen.heard.since.insert(*instance, now);
    }
    if let (Role::Master, Why::Farewell { from }) = (to, why)
        && h.own.iter().any(|(_, own)| own == from)
    {
        return Some(("A6", format!("{from} takes over since it has heard its own farewell")));
    }
    let (Role::Master, Why::MasterDown { last, .. }) = (to, why) else { return None };
    let config = h.config.instances.get(instance)?;
    if seen.thawed.as_ref().is_some_and(|thawed| thawed.slept.contains(instance)) {
        let what = format!("{} slept for long, and takes over before it has listened", config.name);
        return Some(("A11", what));
    }
    let election = &config.election;
    let listened = since.map(|since| now.since(since)).unwrap_or(Duration::MAX);
    // Whoever has heard somebody counts by that one's interval.
    let unheard = last.is_none() && election.priority != 255;
    // A member of a sync group that wishes to be master listens for one interval only (keepalived 2.3).
    let hurries =
        election.wish_master && h.config.groups.values().any(|group| group.members.contains(instance));
    let least = if hurries { 1 } else { u32::from(election.down_adverts) };
    if unheard && listened < election.interval * least {
        let what = format!("{} takes over {listened:?} after it began to listen", config.name);
        return Some(("A3", what));
    }
    let believed = believed?;
    if believed.priority <= *priority && config.election.preempt {
        let delay = config.election.preempt_delay;
        let waited = backup.map(|since| now.since(since)).filter(|waited| *waited < delay)?;
        let silent = now.since(believed.at);
        return (silent < believed.interval * u32::from(config.election.down_adverts))
            .then(|| ("A5", format!("{} preempts after {waited:?}, not {delay:?}", config.name)));
    }
    let interval = match config.router.version {
        Version::V2 => config.election.interval,
        Version::V3 => believed.interval,
    };
    let least = interval * u32::from(config.election.down_adverts);
    let silent = now.since(believed.at);
    (silent < least).then(|| {
        let heard = believed.priority;
        (
            "A3",
            format!("{} takes over {silent:?} after an advertisement of {heard}, not {least:?}", config.name),
        )
    })
}

//! A story that begins where a recording ends: the recorded node lives on, in a cluster that its recording implies.
//!
//! The recording is replayed up to the wanted moment, every action compared. Its last part is played once more inside
//! the world (`des::past`), so that peers, kernels and clients stand as they did; there the story begins. What the
//! recording cannot tell (the peers' priorities, who else there is) is assumed, and said.

use super::{builtin, peers};
use crate::des::fault::Fault;
use crate::des::past::Tape;
use crate::des::scenario::{Scenario, run_prepared};
use crate::des::timeline::Timeline;
use crate::des::world::World;
use standfast_core::config::model::{Config, InstanceConfig, Probe};
use standfast_core::event::Role;
use standfast_core::input::Input;
use standfast_core::node::{Node, Status};
use standfast_core::record::{Damage, Moment, Outside, Recording, Replay, Step, encode};
use standfast_core::time::Time;
use standfast_core::vrrp::{MasterStatus, RouterStatus};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// Where a recording is left.
#[derive(Clone, Copy)]
pub struct Wanted<'a> {
    /// Says of a moment whether it lies beyond the wanted one, given the first one; `None`: the end.
    pub beyond: Option<&'a dyn Fn(Moment, Moment) -> bool>,
    /// How a moment is told.
    pub words: &'a dyn Fn(Moment) -> String,
}

/// A recorded node in the cluster that its recording implies.
#[derive(Debug)]
pub struct Continued {
    /// All nodes; virtual routers have the priorities that count when the story begins.
    pub nodes: Vec<(String, Config)>,
    /// What was assumed, a sentence each.
    pub assumed: Vec<String>,
    /// Which of the nodes was recorded.
    pub host: usize,
    /// How long the world lives before the story begins.
    lead: Duration,
    tape: Tape,
    /// Servers that did not answer, and whether the scripts failed.
    failing: (Vec<SocketAddr>, bool),
    /// When the story begins, in words.
    when: String,
}

/// What a first look at a recording finds.
struct Look {
    begins: Moment,
    ends: Moment,
    /// So many steps of a replay lead there.
    steps: usize,
    node: Node,
    /// What of it cannot be read.
    damages: Vec<Damage>,
    /// It ends with a clean stop, right before which the story begins.
    stopped: bool,
}

impl Continued {
    /// Reads a recording.
    ///
    /// # Errors
    /// Why it cannot be continued there, and what helps.
    pub fn read(bytes: &[u8], wanted: Wanted<'_>) -> Result<Continued, String> {
        let recording = Recording::open(bytes).map_err(|error| error.to_string())?;
        let look = look(&recording, wanted)?;
        let (status, outside) = (look.node.status(), look.node.outside());
        let config = Config::clone(look.node.config());
        let own = own_address(&config, &outside);
        let name =
            own.and_then(|own| server_at(&config, own)).unwrap_or_else(|| recording.header().host.clone());
        let name = if name.is_empty() { String::from("node") } else { name };
        let after = look.ends.time.since(look.begins.time);
        let mut assumed = vec![format!(
            "goes on from a recording of {} at {}, {} s after its beginning",
            recording.header().host,
            (wanted.words)(look.ends),
            after.as_secs()
        )];
        if look.stopped {
            assumed.push(String::from(
                "the daemon was told to stop then; the story goes on as if it had not been",
            ));
        }
        for damage in &look.damages {
            assumed.push(format!("the recording is damaged at byte {} ({})", damage.offset, damage.what));
        }
        let implied = peers::implied(&name, &at(&config, own));
        let mut nodes = implied.nodes;
        let host = nodes.iter().position(|(known, _)| *known == name).unwrap_or(0);
        assumed.extend(standing(&name, &status));
        adjust(&mut nodes, host, &status);
        if nodes.len() > 1 {
            assumed.push(told_peers(&nodes, host));
        }
        let failing = failing(&config, &status);
        assumed.extend(told_failing(&name, &failing, &outside));
        assumed.extend(peers::common(&nodes));
        let settled = builtin::settled(&nodes);
        let lead = settled.min(look.ends.time.since_origin());
        let tape = tape(&recording, &look, lead)?;
        let when = (wanted.words)(look.ends);
        Ok(Continued { nodes, assumed, host, lead, tape, failing, when })
    }

    /// A built-in scenario, whose first fault comes when the recording ends.
    #[must_use]
    pub fn builtin(&self, mut scenario: Scenario) -> Scenario {
        let early = builtin::settled(&self.nodes).saturating_sub(self.lead);
        let sooner = |at: Time| Time::from_duration(at.since_origin().saturating_sub(early));
        scenario.steps.iter_mut().for_each(|(at, _)| *at = sooner(*at));
        scenario.joins.iter_mut().for_each(|join| join.at = sooner(join.at));
        scenario.length = scenario.length.saturating_sub(early);
        self.marked(scenario)
    }

    /// A scenario of the user's own, whose times count from the end of the recording.
    #[must_use]
    pub fn own(&self, mut scenario: Scenario) -> Scenario {
        scenario.steps.iter_mut().for_each(|(at, _)| *at = *at + self.lead);
        scenario.length += self.lead;
        self.marked(scenario)
    }

    fn marked(&self, mut scenario: Scenario) -> Scenario {
        let note =
            Fault::Note(format!("-- the recording ends here ({}); what follows is simulated", self.when));
        scenario.steps.insert(0, (Time::from_duration(self.lead), note));
        scenario
    }

    /// When the story begins, by its own clock.
    #[must_use]
    pub fn begins(&self) -> Time {
        Time::from_duration(self.lead)
    }

    /// Runs a scenario made by [`Continued::builtin`] or [`Continued::own`].
    #[must_use]
    pub fn run(&self, scenario: &Scenario) -> Timeline {
        run_prepared(&self.nodes, scenario, |world: &mut World| {
            let (servers, scripts) = &self.failing;
            servers.iter().for_each(|server| world.truth.server_dies(*server, true));
            if *scripts {
                world.truth.script_fails(self.host, true);
            }
            let understood = world.place(self.host, &self.tape, self.lead);
            debug_assert!(understood, "it was encoded a moment ago");
        })
    }
}

/// Replays up to the wanted moment.
fn look(recording: &Recording<'_>, wanted: Wanted<'_>) -> Result<Look, String> {
    let mut replay = Replay::new(recording);
    let (mut begins, mut last, mut damages) = (None, None, Vec::new());
    let (mut reached, mut stopped) = (false, false);
    let (mut taken, mut steps) = (0, 0);
    // A step too far cannot be taken back, so the node is made anew below.
    while let Some(step) = replay.step() {
        taken += 1;
        match step {
            Step::Begins { at, .. } => {
                begins.get_or_insert(at);
                reached = is_beyond(wanted, begins, at);
                if reached {
                    break;
                }
                (last, steps) = (Some(at), taken);
            }
            Step::Fed { at, input, .. } => {
                reached = is_beyond(wanted, begins, at);
                stopped = matches!(*input, Input::Stop);
                if reached || stopped {
                    break;
                }
                (last, steps) = (Some(at), taken);
            }
            Step::Differs(difference) => {
                return Err(format!(
                    "this standfast decides otherwise than the recorded one after {} (byte {}), so that nothing of \
                     what would follow could be believed; use the build that recorded it",
                    (wanted.words)(difference.at),
                    difference.offset
                ));
            }
            Step::Damaged(damage) => damages.push(damage),
            Step::Finished { .. } => {}
        }
    }
    let (Some(begins), Some(ends)) = (begins, last) else {
        return Err(String::from(match damages.first() {
            Some(_) => "nothing of the recording can be read",
            None => "there is nothing in the recording before that moment",
        }));
    };
    if wanted.beyond.is_some() && !reached {
        return Err(too_far(wanted, (begins, ends), stopped, damages.first()));
    }
    let mut again = Replay::new(recording);
    (0..steps).for_each(|_| drop(again.step()));
    let node = again.into_node().ok_or("nothing of the recording can be read there")?;
    Ok(Look { begins, ends, steps, node, damages, stopped })
}

fn too_far(wanted: Wanted<'_>, ends: (Moment, Moment), stopped: bool, damage: Option<&Damage>) -> String {
    let lasted = ends.1.time.since(ends.0.time).as_secs();
    let why = if stopped { "the daemon was told to stop" } else { "the recording ends" };
    let damaged =
        damage.map(|damage| format!(" (it is damaged at byte {})", damage.offset)).unwrap_or_default();
    let at = (wanted.words)(ends.1);
    format!("{why} at {at}, {lasted} s after its beginning{damaged}: --at lies beyond")
}

fn is_beyond(wanted: Wanted<'_>, begins: Option<Moment>, at: Moment) -> bool {
    let first = begins.unwrap_or(at);
    wanted.beyond.is_some_and(|beyond| beyond(first, at))
}

/// The last `lead` of what was looked at: from the first input in it, or from where the recording begins in it.
fn tape(recording: &Recording<'_>, look: &Look, lead: Duration) -> Result<Tape, String> {
    let ends = look.ends.time;
    let from = Time::from_duration(ends.since_origin().saturating_sub(lead));
    let mut replay = Replay::new(recording);
    let mut tape: Option<Tape> = None;
    for _ in 0..look.steps {
        let Some(step) = replay.step() else { break };
        let (at, input) = match step {
            Step::Begins { at, .. } => (at.time, None),
            Step::Fed { at, input, .. } => (at.time, Some(*input)),
            Step::Damaged(_) | Step::Differs(_) | Step::Finished { .. } => continue,
        };
        match (&mut tape, input) {
            (Some(tape), Some(input)) => tape.inputs.push((at, input)),
            _ if at < from => {}
            (place, _) => {
                let mut node = Vec::new();
                let whole = replay.node().map(|known| encode(known, None, &mut node));
                if let Some(Ok(())) = whole {
                    *place = Some(Tape { node, begins: at, inputs: Vec::new(), ends });
                }
            }
        }
    }
    tape.ok_or_else(|| String::from("nothing of the recording can be read there"))
}

/// The first address of its own on the interface of its first virtual router.
fn own_address(config: &Config, outside: &Outside) -> Option<IpAddr> {
    let first = config.instances.values().next()?;
    if first.transport.source.is_some() {
        return first.transport.source;
    }
    let on = outside.links.iter().find(|link| link.name == first.router.interface)?.interface;
    let mut mine = outside.addresses.iter().filter(|(at, _, marked)| *at == on && !marked);
    let six = first.router.family == standfast_core::config::model::Family::V6;
    mine.find(|(_, address, _)| address.addr().is_ipv6() == six).map(|(_, address, _)| address.addr())
}

fn server_at(config: &Config, address: IpAddr) -> Option<String> {
    let mut servers = config.pools.values().flat_map(|pool| &pool.servers);
    servers.find(|server| server.address.ip() == address).map(|server| server.name.to_string())
}

/// `config` of a node that is known to be at `own`.
fn at(config: &Config, own: Option<IpAddr>) -> Config {
    let mut placed = config.clone();
    for instance in placed.instances.values_mut() {
        let mut new = InstanceConfig::clone(instance);
        let six = new.router.family == standfast_core::config::model::Family::V6;
        let fits = own.filter(|own| own.is_ipv6() == six);
        new.transport.source = new.transport.source.or(fits);
        *instance = Arc::new(new);
    }
    placed
}

/// Gives every node the priorities that count: the recorded one its effective ones, its peers such that who is active
/// is so for a reason.
fn adjust(nodes: &mut [(String, Config)], host: usize, status: &Status) {
    for router in &status.routers {
        change(&mut nodes[host].1, router, |instance| {
            instance.election.priority = router.priority.effective.max(1)
        });
        let master = router.master.filter(|_| router.role == Role::Backup);
        let known = master.and_then(|master| peer_at(nodes, host, router, master.address));
        let active = known.or_else(|| (0..nodes.len()).find(|peer| *peer != host));
        for peer in (0..nodes.len()).filter(|peer| *peer != host) {
            change(&mut nodes[peer].1, router, |instance| {
                place(instance, router, master.map(|master| (master, active == Some(peer))));
            });
        }
    }
}

/// A peer of a node that hears `master`, which is this peer if the flag says so; or that is active itself. Of others
/// nothing is known: they are below the recorded node, so that the story is about it.
fn place(instance: &mut InstanceConfig, router: &RouterStatus, master: Option<(MasterStatus, bool)>) {
    let election = &mut instance.election;
    match master {
        Some((master, true)) => {
            election.priority = master.priority;
            instance.transport.source = Some(master.address);
        }
        Some((master, false)) => {
            let below = master.priority.min(router.priority.effective).saturating_sub(1);
            election.priority = election.priority.min(below).max(1);
            election.wish_master = false;
        }
        None if router.role == Role::Master => {
            election.priority = election.priority.min(router.priority.effective.saturating_sub(1)).max(1);
            election.wish_master = false;
        }
        None => {}
    }
}

fn peer_at(nodes: &[(String, Config)], host: usize, router: &RouterStatus, at: IpAddr) -> Option<usize> {
    let source = |config: &Config| config.instances.get(&router.id)?.transport.source;
    (0..nodes.len()).find(|peer| *peer != host && source(&nodes[*peer].1) == Some(at))
}

fn change(config: &mut Config, router: &RouterStatus, how: impl FnOnce(&mut InstanceConfig)) {
    if let Some(instance) = config.instances.get_mut(&router.id) {
        let mut new = InstanceConfig::clone(instance);
        how(&mut new);
        *instance = Arc::new(new);
    }
}

/// How the node stands, for at most so many virtual routers.
const MAX_TOLD: usize = 4;

fn standing(name: &str, status: &Status) -> Vec<String> {
    let one = |router: &RouterStatus| {
        let (what, role, priority) = (&router.name, router.role.as_str(), router.priority.effective);
        let heard = router.master.filter(|_| router.role == Role::Backup);
        let heard =
            heard.map(|master| format!(", and hears {} with priority {}", master.address, master.priority));
        format!("{name} is then {role} of {what} with priority {priority}{}", heard.unwrap_or_default())
    };
    status.routers.iter().take(MAX_TOLD).map(one).collect()
}

fn told_peers(nodes: &[(String, Config)], host: usize) -> String {
    let peers = nodes.iter().enumerate().filter(|(nth, _)| *nth != host).map(|(_, (name, config))| {
        let priority = config.instances.values().next().map_or(0, |instance| instance.election.priority);
        format!("{name} with priority {priority}")
    });
    let peers: Vec<String> = peers.collect();
    format!("its peers are copies of it, as its configuration and what it heard imply: {}", peers.join(", "))
}

/// Servers whose checks failed last, and whether a script's did.
fn failing(config: &Config, status: &Status) -> (Vec<SocketAddr>, bool) {
    let (mut servers, mut scripts) = (Vec::new(), false);
    for check in &status.checks {
        let failed = check.last.as_ref().map_or(check.up == Some(false), |last| !last.passed);
        let Some(config) = config.checks.get(&check.id).filter(|_| failed) else { continue };
        match &*config.probe {
            Probe::Script { broken, .. } => scripts |= broken.is_none(),
            Probe::Watch(_) => scripts = true,
            Probe::Tcp { to, .. } | Probe::SslHello { to, .. } | Probe::Tls { to, .. } => servers.push(*to),
            Probe::Http(http) => servers.push(http.to),
            Probe::Talk(talk) => servers.push(talk.first.to),
        }
    }
    servers.sort_unstable();
    servers.dedup();
    (servers, scripts)
}

fn told_failing(name: &str, failing: &(Vec<SocketAddr>, bool), outside: &Outside) -> Vec<String> {
    let mut told = Vec::new();
    if failing.1 {
        told.push(format!("the check scripts of {name} fail, as they did last"));
    }
    if !failing.0.is_empty() {
        let all: Vec<String> = failing.0.iter().map(ToString::to_string).collect();
        told.push(format!("servers that failed their last check do not answer: {}", all.join(", ")));
    }
    for link in outside.links.iter().filter(|link| !(link.up && link.running)).take(MAX_TOLD) {
        told.push(format!("link {} of {name} is down, and stays so", link.name));
    }
    told
}

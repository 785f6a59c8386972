//! Flight recordings of simulated nodes: every node of a run is recorded, and replayed when its process ends.
//!
//! A recording that replays with other actions than were recorded means that the core has read something that was
//! not an input. Off unless a run is wrapped in [`recorded`]: a recording takes memory and time.

use standfast_core::action::Action;
use standfast_core::config::model::Config;
use standfast_core::input::Input;
use standfast_core::node::Node;
use standfast_core::record::{Key, Recording, Replay, Step};
use standfast_core::rng::Seed;
use standfast_core::time::Time;
use standfast_io::driver::Observer as _;
use standfast_io::recorder::Tape;
use std::cell::RefCell;
use std::ops::Deref;
use std::sync::Arc;

/// Room for one recording: small enough that long runs wrap.
const BYTES: usize = 4 << 20;
/// Room for the recording of a node with a large configuration.
const MANY_BYTES: usize = 64 << 20;
/// Virtual routers and servers above which a configuration is large.
const LARGE: usize = 64;

thread_local! {
    static FLIGHTS: RefCell<Option<Flights>> = const { RefCell::new(None) };
    static KEPT: RefCell<Option<Vec<Vec<u8>>>> = const { RefCell::new(None) };
}

/// What became of the recordings of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flights {
    /// Recordings.
    pub replayed: u64,
    /// Inputs in them.
    pub inputs: u64,
    /// What was wrong with some.
    pub wrong: Vec<String>,
}

/// Runs `run` with every node recorded, and replays all recordings.
pub fn recorded<T>(run: impl FnOnce() -> T) -> (T, Flights) {
    FLIGHTS.with_borrow_mut(|flights| *flights = Some(Flights::default()));
    let result = run();
    (result, FLIGHTS.take().unwrap_or_default())
}

/// Runs `run` with every node recorded, and keeps all recordings, in the order in which their processes ended.
pub fn kept<T>(run: impl FnOnce() -> T) -> (T, Vec<Vec<u8>>) {
    KEPT.with_borrow_mut(|kept| *kept = Some(Vec::new()));
    let result = run();
    (result, KEPT.take().unwrap_or_default())
}

/// The recording of one process, if this run is recorded.
#[derive(Debug, Default)]
pub struct Flight {
    tape: Option<Tape<Vec<u8>>>,
}

impl Flight {
    /// A node starts.
    #[must_use]
    pub fn start(config: &Config, seed: Seed, now: Time) -> Flight {
        if FLIGHTS.with_borrow(Option::is_none) && KEPT.with_borrow(Option::is_none) {
            return Flight { tape: None };
        }
        let servers = config.pools.values().map(|pool| pool.servers.len()).sum::<usize>();
        let bytes = if config.instances.len() + servers > LARGE { MANY_BYTES } else { BYTES };
        let mut tape = Tape::new(vec![0; bytes], Key::new(1, 2), || 0);
        tape.start(config, seed, now);
        Flight { tape: Some(tape) }
    }

    /// `input` is about to be handled.
    pub fn input(&mut self, now: Time, node: &Node, input: &Input<'_>) {
        if let Some(tape) = &mut self.tape {
            tape.input(now, node, input);
        }
    }

    /// The node has asked for `action`.
    pub fn action(&mut self, now: Time, config: &Config, action: &Action) {
        if let Some(tape) = &mut self.tape {
            tape.action(now, config, action);
        }
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        let Some(mut tape) = self.tape.take() else { return };
        if std::thread::panicking() {
            return;
        }
        tape.finish();
        KEPT.with_borrow_mut(|kept| {
            if let Some(kept) = kept {
                kept.push(tape.bytes().to_vec());
            }
        });
        if FLIGHTS.with_borrow(Option::is_none) {
            return;
        }
        let trouble = tape.trouble().map(|full| full.to_string());
        let replayed = match trouble {
            Some(trouble) => Err(trouble),
            None => replay(tape.bytes()),
        };
        FLIGHTS.with_borrow_mut(|flights| {
            let Some(flights) = flights else { return };
            flights.replayed += 1;
            match replayed {
                Ok(inputs) => flights.inputs += inputs,
                Err(wrong) => flights.wrong.push(wrong),
            }
        });
    }
}

/// Replays a recording to its end: how many inputs it has, or what is wrong with it.
///
/// # Errors
/// When the replayed node does something else, or a part cannot be read.
pub fn replay(bytes: &[u8]) -> Result<u64, String> {
    let recording = Recording::open(bytes).map_err(|error| error.to_string())?;
    let mut replay = Replay::new(&recording);
    while let Some(step) = replay.step() {
        match step {
            Step::Begins { .. } | Step::Fed { .. } | Step::Finished { .. } => {}
            Step::Differs(difference) => return Err(format!("{difference:?}")),
            Step::Damaged(damage) => return Err(format!("{damage:?}")),
        }
    }
    Ok(replay.fed())
}

/// A node that is recorded where the run is.
#[derive(Debug)]
pub struct Flown {
    node: Node,
    flight: Flight,
}

impl Deref for Flown {
    type Target = Node;
    fn deref(&self) -> &Node {
        &self.node
    }
}

impl Flown {
    /// As [`Node::new`].
    #[must_use]
    pub fn new(config: Arc<Config>, seed: Seed, now: Time) -> Flown {
        let flight = Flight::start(&config, seed, now);
        Flown { node: Node::new(config, seed, now), flight }
    }

    /// A node that has lived elsewhere before; it is not recorded.
    #[must_use]
    pub fn resume(node: Node) -> Flown {
        Flown { node, flight: Flight::default() }
    }

    /// As [`Node::handle`].
    pub fn handle(&mut self, now: Time, input: Input<'_>) {
        self.flight.input(now, &self.node, &input);
        self.node.handle(now, input);
    }

    /// As [`Node::poll`].
    #[must_use]
    pub fn poll(&mut self, now: Time) -> Option<Action> {
        let action = self.node.poll()?;
        self.flight.action(now, self.node.config(), &action);
        Some(action)
    }
}

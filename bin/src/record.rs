//! The flight recorder of a running daemon, and `record save`.
//!
//! Recording never keeps the daemon from its work: where the file cannot be made, or the node outgrows it, one warning
//! says so and the daemon goes on. Copies are taken by reading the file, so that `record save` needs no living daemon.

use crate::cli::{RecordVerb, SaveArgs};
use crate::dump::{Asked, Dumper};
use crate::text;
use standfast_core::action::Action;
use standfast_core::config::model::Config;
use standfast_core::input::Input;
use standfast_core::node::Node;
use standfast_core::rng::Seed;
use standfast_core::time::Time;
use standfast_io::driver::Observer;
use standfast_io::linux::pipes::Pipes;
use standfast_io::log::{EventLog, Logger};
use standfast_io::recorder::{self, Mapped, Tape};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

/// Where the running daemon records, for whoever saves it.
static RECORDING: OnceLock<PathBuf> = OnceLock::new();

/// What sees a running node: the log, the notify pipes, the dump files, and the recorder if there is one.
pub struct Watch {
    log: Rc<EventLog<Logger>>,
    pipes: Pipes,
    tape: Option<Tape<Mapped>>,
    dumper: Dumper,
}

impl Watch {
    /// Begins to record to `file` (`off`: not at all; `None`: the default place), `mebibytes` large, and to write what is
    /// `asked` for.
    #[must_use]
    pub fn new(log: Rc<EventLog<Logger>>, asked: Asked, file: Option<&str>, mebibytes: usize) -> Watch {
        let dumper = Dumper::new(asked);
        if file == Some("off") {
            return Watch { log, pipes: Pipes::default(), tape: None, dumper };
        }
        let path = file.map_or_else(recorder::default_path, PathBuf::from);
        let tape = match recorder::create(&path, mebibytes.saturating_mul(1 << 20)) {
            Ok((memory, key)) => {
                let _ = RECORDING.set(path);
                save_at_panic();
                Some(Tape::new(memory, key, recorder::wall_clock))
            }
            Err(error) => {
                let path = path.display();
                log.say(4, &format!("No flight recorder: {path}: {error}. Name another file by --record FILE, or --record off"));
                None
            }
        };
        Watch { log, pipes: Pipes::default(), tape, dumper }
    }

    fn follow_pipes(&mut self, config: &Config) {
        for trouble in self.pipes.follow(config) {
            self.log.say(4, &trouble);
        }
    }

    fn complain(&mut self) {
        if let Some(trouble) = self.tape.as_mut().and_then(Tape::trouble) {
            self.log.say(
                4,
                &format!("The flight recorder has stopped: {trouble}. Give it more room by --record-size"),
            );
        }
    }
}

impl Observer for Watch {
    fn start(&mut self, config: &Config, seed: Seed, now: Time) {
        if let Some(tape) = &mut self.tape {
            tape.start(config, seed, now);
        }
        self.follow_pipes(config);
        self.complain();
    }

    fn input(&mut self, now: Time, node: &Node, input: &Input<'_>) {
        if let Some(tape) = &mut self.tape {
            tape.input(now, node, input);
        }
        self.dumper.see_to(node, &self.log);
        self.complain();
    }

    fn action(&mut self, now: Time, config: &Config, action: &Action) {
        if let Some(tape) = &mut self.tape {
            tape.action(now, config, action);
        }
        if let Action::Event(event) = action {
            self.log.event(config, event);
        }
        if let Action::Tell { line } = action {
            self.follow_pipes(config);
            for trouble in self.pipes.tell(line) {
                self.log.say(4, &trouble);
            }
        }
    }
}

/// Saves the running daemon's recording, from a thread of its own; says where.
pub fn save_running(log: EventLog<Logger>) {
    let Some(path) = RECORDING.get() else {
        log.say(4, "Nothing to save: the flight recorder is off");
        return;
    };
    std::thread::spawn(move || match recorder::save(path, &recorder::dated(path)) {
        Ok(saved) => log.say(5, &format!("Flight recording saved to {}", saved.path.display())),
        Err(error) => log.say(3, &format!("Flight recording not saved: {error}")),
    });
}

/// A panic, which a failed invariant is too, saves the recording once.
fn save_at_panic() {
    static SAVED: AtomicBool = AtomicBool::new(false);
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        before(panic);
        if let (Some(path), false) = (RECORDING.get(), SAVED.swap(true, Ordering::SeqCst)) {
            match recorder::save(path, &recorder::dated(path)) {
                Ok(saved) => text::err(&format!(
                    "Flight recording saved to {}: please send it with the report of this bug\n",
                    saved.path.display()
                )),
                Err(error) => text::err(&format!("Flight recording not saved: {error}\n")),
            }
        }
    }));
}

/// `standfast record`.
#[must_use]
pub fn record(verb: &RecordVerb) -> ExitCode {
    match verb {
        RecordVerb::Save(args) => save(args),
    }
}

fn save(args: &SaveArgs) -> ExitCode {
    let from = args.from.as_ref().map_or_else(recorder::default_path, PathBuf::from);
    let to = args.to.as_ref().map_or_else(|| recorder::dated(&from), PathBuf::from);
    match recorder::save(&from, &to) {
        Ok(saved) => {
            text::out(&format!("{}\n", saved.path.display()));
            if saved.damaged {
                text::err(
                    "standfast record: a part of the recording is damaged; `standfast replay` says where\n",
                );
            }
            ExitCode::SUCCESS
        }
        Err(error) => {
            let hint = remedy(&from);
            text::err(&format!("standfast record: {error}{hint}\n"));
            ExitCode::FAILURE
        }
    }
}

fn remedy(from: &Path) -> &'static str {
    if from.exists() { "" } else { "; name the daemon's recording by --from FILE (its --record)" }
}

//! The flight recorder: every input of the node, in a ring in mapped memory that outlives the process.
//!
//! [`Tape`] stands beside the log as an observer of the driver. It only ever writes to memory; the kernel brings it to
//! disk when it likes, also after `kill -9` and a panic. [`create`] makes the file and takes care that there is room
//! for all of it; [`mod@save`] copies one consistently while it is written. What is written, and that passwords are not,
//! is decided by `standfast_core::record`.

mod file;
mod save;

pub use file::{CreateError, DEFAULT_BYTES, DEFAULT_PATH, Mapped, create, default_path};
pub use save::{SaveError, Saved, dated, save};

use crate::driver::Observer;
use standfast_core::action::Action;
use standfast_core::config::model::Config;
use standfast_core::input::Input;
use standfast_core::node::Node;
use standfast_core::record::{Full, Key, Start, Writer};
use standfast_core::rng::Seed;
use standfast_core::time::Time;
use std::ops::DerefMut;
use std::time::{SystemTime, UNIX_EPOCH};

/// Records one node into memory.
#[derive(Debug)]
pub struct Tape<M: DerefMut<Target = [u8]>> {
    memory: M,
    key: Key,
    writer: Option<Writer>,
    wall: fn() -> u64,
    trouble: Option<Full>,
}

impl<M: DerefMut<Target = [u8]>> Tape<M> {
    /// A recorder that writes to `memory` as soon as the node starts. `key` hides secrets: draw it, tell nobody.
    /// `wall` says the nanoseconds since 1970.
    pub fn new(memory: M, key: Key, wall: fn() -> u64) -> Tape<M> {
        Tape { memory, key, writer: None, wall, trouble: None }
    }

    /// Why recording has ended, told once.
    pub fn trouble(&mut self) -> Option<Full> {
        self.trouble.take()
    }

    /// The memory: what has been recorded so far.
    pub fn bytes(&self) -> &[u8] {
        &self.memory
    }

    /// The node is given up, after its actions were polled: nothing more is recorded.
    pub fn finish(&mut self) {
        if let Some(mut writer) = self.writer.take() {
            writer.finish(&mut self.memory);
        }
    }

    fn check(&mut self, result: Result<(), Full>) {
        if let Err(full) = result {
            self.writer = None;
            self.trouble = Some(full);
        }
    }
}

impl<M: DerefMut<Target = [u8]>> Observer for Tape<M> {
    fn start(&mut self, config: &Config, seed: Seed, now: Time) {
        let start = Start {
            config,
            seed,
            now,
            wall: (self.wall)(),
            program: env!("CARGO_PKG_VERSION").to_owned(),
            host: std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned(),
            pid: std::process::id(),
        };
        match Writer::begin(&mut self.memory, self.key, start) {
            Ok(writer) => self.writer = Some(writer),
            Err(full) => self.check(Err(full)),
        }
    }

    fn input(&mut self, now: Time, node: &Node, input: &Input<'_>) {
        if let Some(writer) = &mut self.writer {
            let result = writer.input(&mut self.memory, (now, self.wall), node, input);
            self.check(result);
        }
    }

    fn action(&mut self, _now: Time, _config: &Config, action: &Action) {
        if let Some(writer) = &mut self.writer {
            let result = writer.action(action);
            self.check(result);
        }
    }
}

impl<M: DerefMut<Target = [u8]>> Drop for Tape<M> {
    fn drop(&mut self) {
        // In a panic nobody knows what has been polled; the recording ends with the input that led to it.
        if !std::thread::panicking() {
            self.finish();
        }
    }
}

/// Nanoseconds since 1970.
#[must_use]
pub fn wall_clock() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

//! The failover table: how long an address is nowhere after power loss, by advertisement interval, loss and priority
//! gap; and how often loss alone makes a backup take over.
//!
//! Three nodes on version 3, the active one at priority 254, the others one and two gaps below. Power is lost at a random
//! phase of the interval; the clock stops when another node's kernel holds the address. Real nodes, [`SEEDS`] runs a
//! cell, every run from its seed: the same table on every machine. Integers throughout: microseconds in, rounded out.

use super::lan::Trouble;
use super::shape::{RouterShape, Shape, host_address, vip};
use super::world::{Setting, Spec, World};
use standfast_core::config::model::{Family, Version};
use standfast_core::rng::{Rng, Seed};
use standfast_core::time::Time;
use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Runs of each cell.
pub const SEEDS: u64 = 200;
/// Advertisement intervals, in milliseconds.
pub const INTERVALS: [u64; 4] = [1_000, 300, 100, 10];
/// Loss of frames, in so many of a thousand.
pub const LOSSES: [u64; 4] = [0, 10, 100, 300];
/// Distances between the priorities of two nodes.
pub const GAPS: [u8; 3] = [1, 50, 100];
/// Advertisements of a run without any power loss.
const QUIET: u32 = 10_000;
/// The active node's priority: the highest that no owner has.
const HIGHEST: u8 = 254;

/// A cell: half of the runs were faster than `median`, all but one in a hundred than `late`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell {
    /// Advertisement interval, in milliseconds.
    pub interval: u64,
    /// Priority gap.
    pub gap: u8,
    /// Loss, in so many of a thousand.
    pub loss: u64,
    /// The median.
    pub median: Duration,
    /// The 99th percentile.
    pub late: Duration,
}

/// The whole table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// Its cells: by interval, gap and loss.
    pub cells: Vec<Cell>,
    /// For each loss: takeovers without a cause in `QUIET` advertisements, over all intervals.
    pub causeless: Vec<(u64, u64)>,
}

fn world(interval: Duration, gap: u8, loss: u64, seed: u64) -> World {
    let members = (0..3_u8).map(|nth| (HIGHEST.saturating_sub(gap.saturating_mul(nth)), interval)).collect();
    let router = RouterShape {
        vrid: 61,
        version: Version::V3,
        family: Family::V4,
        unicast: false,
        preempt: true,
        preempt_delay: Duration::ZERO,
        down_adverts: 3,
        addresses: 1,
        tracks: true,
        members,
    };
    let delay = (Duration::from_micros(50), Duration::from_micros(400));
    let apply = Duration::from_micros(500);
    let shape = Shape {
        nodes: 3,
        routers: vec![router],
        delay,
        apply,
        lease: true,
        refresh: Duration::from_secs(60),
        script: None,
        servers: 0,
        ..Shape::three(Version::V3, false)
    };
    let spec = |host: usize| Spec {
        name: format!("n{}", host + 1),
        own: vec![host_address(host, Family::V4)],
        config: Arc::new(shape.config(host)),
    };
    let specs: Vec<Spec> = (0..3).map(spec).collect();
    let probe = Duration::from_secs(1);
    let mut world = World::new(
        &specs,
        Setting {
            seed,
            delay,
            apply,
            clients: 0,
            probe,
            echo: false,
            words: false,
            canary: None,
            shuffled: false,
        },
    );
    // The election itself goes undisturbed.
    world.run_until(Time::from_duration(interval * 6));
    for port in 0..3 {
        world.lan.trouble(port, Trouble::Loss(loss), true);
    }
    world
}

/// One power loss: how long nobody holds the address.
fn failover(interval: Duration, gap: u8, loss: u64, seed: u64) -> Duration {
    let mut world = world(interval, gap, loss, seed);
    let address = vip(0, 0, Family::V4);
    let span = u64::try_from(interval.as_nanos()).unwrap_or(u64::MAX);
    let phase = Duration::from_nanos(Rng::new(Seed(seed)).fork(0x7ab1e).below(span));
    world.run_until(world.now + interval * 10 + phase);
    let step = interval / 100;
    // With loss the moment may fall between two holders.
    while world.holders(address).is_empty() {
        world.run_until(world.now + step);
    }
    let began = world.now;
    let active = world.holders(address);
    for host in active.into_iter().take(1) {
        world.power_loss(host);
    }
    let limit = began + interval * 100;
    while world.holders(address).is_empty() && world.now < limit {
        world.run_until(world.now + step);
    }
    world.now.since(began)
}

/// One cell: [`SEEDS`] power losses at this interval (milliseconds), gap and loss (of a thousand).
#[must_use]
pub fn cell(interval: u64, gap: u8, loss: u64) -> Cell {
    let period = Duration::from_millis(interval);
    let mut all: Vec<Duration> = (0..SEEDS).map(|seed| failover(period, gap, loss, seed)).collect();
    all.sort_unstable();
    let at = |percent: usize| all[((all.len() * percent).div_ceil(100)).clamp(1, all.len()) - 1];
    Cell { interval, gap, loss, median: at(50), late: at(99) }
}

/// Role changes of a run without a cause for any: a takeover and the way back are two.
fn causeless(interval: u64, loss: u64) -> u64 {
    let period = Duration::from_millis(interval);
    let mut world = world(period, 50, loss, interval);
    let before = world.watch.transitions;
    world.run_until(world.now + period * QUIET);
    (world.watch.transitions - before) / 2
}

/// Makes the table, on all cores; the result does not depend on their number.
#[must_use]
pub fn table() -> Table {
    let mut wanted = Vec::new();
    for interval in INTERVALS {
        for gap in GAPS {
            wanted.extend(LOSSES.map(|loss| (interval, gap, loss)));
        }
    }
    let cells = spread(wanted.len(), |nth| {
        let (interval, gap, loss) = wanted[nth];
        cell(interval, gap, loss)
    });
    let runs = INTERVALS.len() * LOSSES.len();
    let quiet =
        spread(runs, |nth| causeless(INTERVALS[nth % INTERVALS.len()], LOSSES[nth / INTERVALS.len()]));
    let of = |(nth, loss): (usize, &u64)| {
        let all: u64 = quiet[nth * INTERVALS.len()..(nth + 1) * INTERVALS.len()].iter().sum();
        (*loss, all / INTERVALS.len() as u64)
    };
    Table { cells, causeless: LOSSES.iter().enumerate().map(of).collect() }
}

/// `work` for 0 to `count`, spread over the cores; the results in order.
fn spread<T: Send>(count: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let some = || {
        let mut mine = Vec::new();
        loop {
            let nth = next.fetch_add(1, Ordering::Relaxed);
            if nth >= count {
                return mine;
            }
            mine.push((nth, work(nth)));
        }
    };
    let mut all: Vec<(usize, T)> = std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(some)).collect();
        running.into_iter().flat_map(|thread| thread.join().expect("a run does not panic")).collect()
    });
    all.sort_by_key(|(nth, _)| *nth);
    all.into_iter().map(|(_, result)| result).collect()
}

/// Milliseconds in three digits, as `3.02 s`, `302 ms`, `30.2 ms`.
fn shown(time: Duration) -> String {
    let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    if micros >= 1_000_000 {
        let hundredths = (micros + 5_000) / 10_000;
        format!("{}.{:02} s", hundredths / 100, hundredths % 100)
    } else if micros >= 100_000 {
        format!("{} ms", (micros + 500) / 1_000)
    } else {
        let tenths = (micros + 50) / 100;
        format!("{}.{} ms", tenths / 10, tenths % 10)
    }
}

/// So many of a thousand as `1 %`, `0.5 %`.
fn percent(thousandths: u64) -> String {
    match thousandths % 10 {
        0 => format!("{} %", thousandths / 10),
        tenth => format!("{}.{tenth} %", thousandths / 10),
    }
}

fn interval_shown(millis: u64) -> String {
    if millis >= 1_000 { format!("{} s", millis / 1_000) } else { format!("{millis} ms") }
}

impl Table {
    /// The same for machines: times in microseconds.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let cell = |cell: &Cell| {
            serde_json::json!({
                "interval_ms": cell.interval,
                "gap": cell.gap,
                "loss_per_mille": cell.loss,
                "median_us": micros(cell.median),
                "p99_us": micros(cell.late),
            })
        };
        let causeless = |(loss, count): &(u64, u64)| serde_json::json!({ "loss_per_mille": loss, "in_advertisements": QUIET, "takeovers": count });
        serde_json::json!({
            "runs_per_cell": SEEDS,
            "cells": self.cells.iter().map(cell).collect::<Vec<_>>(),
            "causeless": self.causeless.iter().map(causeless).collect::<Vec<_>>(),
        })
    }

    /// The page: what was measured, both tables, and what they say.
    #[must_use]
    pub fn page(&self) -> String {
        let mut text = String::from(HEAD);
        let _ = write!(text, "| interval | gap |");
        for loss in LOSSES {
            let _ = write!(text, " loss {} |", percent(loss));
        }
        text.push_str("\n| --- | --- | --- | --- | --- | --- |\n");
        for row in self.cells.chunks(LOSSES.len()) {
            let _ = write!(text, "| {} | {} |", interval_shown(row[0].interval), row[0].gap);
            for cell in row {
                let _ = write!(text, " {} / {} |", shown(cell.median), shown(cell.late));
            }
            text.push('\n');
        }
        text.push_str(MIDDLE);
        for (loss, count) in &self.causeless {
            let _ = writeln!(text, "| {} | {count} |", percent(*loss));
        }
        text.push_str(FOOT);
        text
    }
}

const HEAD: &str = "# How long a failover takes

Made by `cargo sim table` from the discrete-event simulator, with the real nodes: three of them, version 3, the active one at
priority 254, the others one and two gaps below. The active node loses power at a random moment; each cell is the median and
the 99th percentile of 200 runs until another node holds the address. Frames take 50 to 400 us, the kernel up to 0.5 ms.

";

const MIDDLE: &str = "
Loss shortens the wait (the backup's timer has been running since the last advertisement that came through) and has its price:
a backup that misses three in a row takes over from a healthy node, and gives way again when it hears it.

| loss | takeovers without a cause in 10,000 advertisements |
| --- | --- |
";

const FOOT: &str = "
- The wait is three intervals less the time since the last advertisement, and the skew: (256 - priority) / 256 of an interval.
- A large gap puts the backup low and makes it wait longer; a gap of 1 makes two backups wait almost equally long.
- Version 2 waits the same at 1 s; its skew is counted in seconds whatever the interval, and it cannot go below 1 s.
- A healthy machine that is starved for three intervals looks dead, too: the shorter the interval, the sooner.
";

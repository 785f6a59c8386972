//! The facade, driven as the node drives it: by timers and answers.

use super::*;
use crate::action::Action;
use crate::config::model::{Command, PoolConfig, Probe, Schedule, ServerConfig};
use crate::event::Event;
use crate::id::{PoolId, ServerId};
use crate::input::CheckCode;
use crate::outbox::{Outbox, Signal};
use crate::rng::Seed;
use crate::timers::{TimerKey, Timers};
use alloc::string::String;
use alloc::vec;
use proptest::prelude::{Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest};

const MS: fn(u64) -> Duration = Duration::from_millis;

fn schedule(interval: u64, timeout: u64) -> Schedule {
    Schedule { interval: MS(interval), fast: MS(interval / 2), down: MS(interval * 2), timeout: MS(timeout) }
}

fn script(id: u32, argv: &str) -> CheckConfig {
    CheckConfig {
        id: CheckId(id),
        name: alloc::format!("script{id}").into(),
        probe: Arc::new(Probe::Script {
            command: Command { argv: Arc::new([String::from(argv)]), user: None },
            broken: None,
        }),
        schedule: schedule(1_000, 1_000),
        counter: Counter::Script { init_fail: false },
        rise: 2,
        fall: 3,
    }
}

fn server(id: u32) -> CheckConfig {
    CheckConfig {
        name: alloc::format!("pool/s{id}").into(),
        probe: Arc::new(Probe::Tcp { to: ([192, 0, 2, 1], 6443).into(), connect: MS(1_000) }),
        schedule: schedule(2_000, 1_000),
        counter: Counter::Server,
        ..script(id, "")
    }
}

fn config(checks: impl IntoIterator<Item = CheckConfig>) -> Config {
    Config { checks: checks.into_iter().map(|c| (c.id, Arc::new(c))).collect(), ..Config::default() }
}

/// What came out since the last look.
#[derive(Debug, Default, PartialEq)]
struct Out {
    started: Vec<(CheckId, Ticket)>,
    cancelled: Vec<Ticket>,
    verdicts: Vec<(CheckId, Option<bool>)>,
    told: Vec<Event>,
}

struct Bench {
    checks: Checks,
    out: Outbox,
    timers: Timers,
    now: Time,
}

impl Bench {
    fn new(config: &Config) -> Bench {
        let (mut out, mut timers) = (Outbox::default(), Timers::default());
        let mut cx = Context { now: Time::ZERO, out: &mut out, timers: &mut timers };
        let checks = Checks::new(config, &Rng::new(Seed(1)), &mut cx);
        Bench { checks, out, timers, now: Time::ZERO }
    }

    fn with<T>(&mut self, act: impl FnOnce(&mut Checks, &mut Context<'_>) -> T) -> T {
        let mut cx = Context { now: self.now, out: &mut self.out, timers: &mut self.timers };
        act(&mut self.checks, &mut cx)
    }

    /// Lets `ms` pass, with every timer at its own moment.
    fn pass(&mut self, ms: u64) -> Out {
        let end = self.now + MS(ms);
        while let Some((at, _)) = self.timers.next().filter(|(at, _)| *at <= end) {
            self.now = at.max(self.now);
            let key = self.timers.take_due(self.now).unwrap();
            let TimerKey::Check(check, timer) = key else { panic!("{key} is not ours") };
            self.with(|checks, cx| checks.on_timer(cx, check, timer));
        }
        self.now = end;
        self.look()
    }

    /// The next run that starts, at the moment it does.
    fn next_run(&mut self) -> (CheckId, Ticket) {
        (0..10_000).find_map(|_| self.pass(1).started.first().copied()).expect("a check goes on")
    }

    fn look(&mut self) -> Out {
        let mut seen = Out::default();
        while let Some(action) = self.out.take_action() {
            if let Action::Check { check, ticket, .. } = action {
                seen.started.push((check, ticket));
            } else if let Action::Cancel { ticket } = action {
                seen.cancelled.push(ticket);
            } else if let Action::Event(event) = action {
                seen.told.push(event);
            } else {
                panic!("{action:?} is not a check's");
            }
        }
        while let Some(signal) = self.out.take_signal() {
            let Signal::Verdict { check, up } = signal else { panic!("{signal:?} is not a check's") };
            seen.verdicts.push((check, up));
        }
        seen
    }

    fn answer(&mut self, (check, ticket): (CheckId, Ticket), passed: bool) -> Out {
        let outcome = outcome(passed);
        self.with(|checks, cx| checks.on_checked(cx, check, ticket, &outcome));
        self.look()
    }

    fn configure(&mut self, config: &Config) -> Out {
        self.with(|checks, cx| checks.configure(cx, config));
        self.look()
    }

    fn status(&self, id: u32) -> CheckStatus {
        self.checks.status().into_iter().find(|s| s.id == CheckId(id)).unwrap()
    }
}

fn outcome(passed: bool) -> Outcome {
    let code = if passed { CheckCode::L4Ok } else { CheckCode::L4Connection };
    Outcome { passed, code, status: None, info: String::new(), took: MS(3) }
}

#[test]
fn a_script_runs_at_once_and_then_from_start_to_start() {
    let mut bench = Bench::new(&config([script(1, "a")]));
    assert_eq!(bench.status(1).up, None);
    let first = bench.pass(0).started[0];
    bench.pass(700);
    let out = bench.answer(first, true);
    assert_eq!(out.verdicts, [(CheckId(1), Some(true))]);
    assert!(matches!(&out.told[..], [Event::Verdict { up: true, .. }]));
    assert!(bench.pass(299).started.is_empty());
    assert_eq!(bench.pass(1).started.len(), 1);
}

#[test]
fn a_script_still_running_at_its_next_turn_is_skipped_and_told() {
    let mut bench = Bench::new(&config([script(1, "a")]));
    let first = bench.pass(0).started[0];
    let out = bench.pass(1_000);
    assert_eq!((out.started, out.told.len()), (vec![], 1));
    assert!(matches!(out.told[0], Event::Overrun { .. }));
    bench.answer(first, true);
    assert_eq!(bench.pass(1_000).started.len(), 1);
}

#[test]
fn a_broken_script_fails_at_each_run_without_being_run() {
    let mut broken = script(1, "a");
    broken.fall = 3;
    let Probe::Script { command, .. } = (*broken.probe).clone() else { unreachable!() };
    broken.probe = Arc::new(Probe::Script { command, broken: Some("é".repeat(200)) });
    let mut bench = Bench::new(&config([broken]));
    let out = bench.pass(5_000);
    assert_eq!((out.started, out.verdicts), (vec![], vec![(CheckId(1), Some(false))]));
    let last = bench.checks.last_outcome(CheckId(1)).unwrap();
    assert_eq!((last.code, last.info.len()), (CheckCode::ScriptMissing, Outcome::MAX_INFO));
}

#[test]
fn init_fail_is_said_before_the_first_run_and_needs_rise_successes() {
    let mut check = script(1, "a");
    check.counter = Counter::Script { init_fail: true };
    let mut bench = Bench::new(&config([check]));
    assert_eq!(bench.look().verdicts, [(CheckId(1), Some(false))]);
    let run = bench.pass(0).started[0];
    let out = bench.answer(run, true);
    assert!(out.verdicts.is_empty());
    assert!(matches!(out.told[..], [Event::Checked { count: 1, of: 2, rising: true, .. }]));
    let run = bench.pass(1_000).started[0];
    assert_eq!(bench.answer(run, true).verdicts, [(CheckId(1), Some(true))]);
}

#[test]
fn servers_are_spread_at_first_and_wait_from_end_to_start() {
    let mut bench = Bench::new(&config([server(1), server(2)]));
    let first = bench.pass(0).started;
    assert_eq!(first.len(), 1);
    // Half of an unchecked server's pace, which is `fastinter`: 1 s.
    assert_eq!(bench.pass(499).started, []);
    let second = bench.pass(1).started[0];
    assert_eq!(second.0, CheckId(2));
    bench.pass(100);
    bench.answer(first[0], true);
    bench.answer(second, false);
    assert_eq!(bench.pass(1_999).started, []);
    assert_eq!(bench.pass(1).started[0].0, CheckId(1), "2 s after the end while up");
    assert_eq!(bench.status(2).up, Some(false), "one strike was enough");
}

#[test]
fn a_falling_server_counts_its_strikes_aloud() {
    let mut bench = Bench::new(&config([server(1)]));
    let mut run = bench.pass(0).started[0];
    let mut seen = Vec::new();
    for passed in [true, false, false, true, false, false, false] {
        let out = bench.answer(run, passed);
        seen.push(match &out.told[..] {
            [Event::Checked { count, of, rising, .. }] => (*count, *of, *rising),
            [Event::Verdict { up, .. }] => (9, 9, *up),
            other => panic!("{other:?}"),
        });
        run = bench.next_run();
    }
    let fell = (9, 9, false);
    assert_eq!(
        seen,
        [(9, 9, true), (1, 3, false), (2, 3, false), (0, 3, false), (1, 3, false), (2, 3, false), fell]
    );
}

#[test]
fn a_lost_answer_counts_as_a_timeout_and_is_ignored_when_it_comes_after_all() {
    let mut bench = Bench::new(&config([server(1)]));
    let run = bench.pass(0).started[0];
    let before = bench.pass(1_499);
    assert_eq!(before, Out::default(), "its own time is 1 s, the patience half a second more");
    let out = bench.pass(1);
    assert_eq!((out.cancelled, out.verdicts), (vec![run.1], vec![(CheckId(1), Some(false))]));
    let last = bench.checks.last_outcome(CheckId(1)).unwrap();
    assert_eq!((last.code, last.took), (CheckCode::L4Timeout, MS(1_500)));
    assert_eq!(bench.answer(run, true), Out::default());
    assert_eq!(bench.pass(4_000).started.len(), 1);
}

#[test]
fn answers_with_an_unknown_ticket_or_check_are_ignored() {
    let mut bench = Bench::new(&config([server(1)]));
    let run = bench.pass(0).started[0];
    assert_eq!(bench.answer((CheckId(1), Ticket(99)), false), Out::default());
    assert_eq!(bench.answer((CheckId(7), run.1), false), Out::default());
    assert!(bench.status(1).running);
    bench.answer(run, true);
    assert_eq!(bench.answer(run, false), Out::default(), "answered already");
}

#[test]
fn maintenance_stops_the_checks_and_ends_up_with_one_strike_left() {
    let mut bench = Bench::new(&config([server(1)]));
    let run = bench.pass(0).started[0];
    bench.answer(run, true);
    let run = bench.pass(2_000).started[0];
    bench.with(|checks, cx| checks.pause(cx, CheckId(1), true));
    assert_eq!(bench.look().cancelled, [run.1]);
    assert_eq!((bench.status(1).up, bench.status(1).count), (None, 0));
    assert_eq!(bench.answer(run, true), Out::default());
    assert_eq!(bench.pass(60_000), Out::default());
    bench.with(|checks, cx| checks.pause(cx, CheckId(1), false));
    assert_eq!(bench.look().verdicts, [(CheckId(1), Some(true))]);
    assert_eq!(bench.status(1).count, 2);
    let run = bench.pass(0).started[0];
    assert_eq!(bench.answer(run, false).verdicts, [(CheckId(1), Some(false))]);
}

#[test]
fn a_server_disabled_in_the_file_is_not_checked_until_the_word_is_gone() {
    let with = |disabled| {
        let mut config = config([server(1)]);
        let server = ServerConfig {
            id: ServerId(2),
            name: "s".into(),
            address: ([192, 0, 2, 1], 6443).into(),
            weight: 1,
            backup: false,
            disabled,
            check: Some(CheckId(1)),
            shutdown_when_down: false,
        };
        let pool = PoolConfig {
            id: PoolId(3),
            name: "p".into(),
            algorithm: crate::config::model::Algorithm::RoundRobin,
            all_backups: false,
            servers: vec![server],
            retries: 3,
            redispatch: crate::config::model::Redispatch::Never,
            connect: None,
            server: None,
            log: vec![],
            listen: false,
        };
        config.pools.insert(pool.id, Arc::new(pool));
        config
    };
    let mut bench = Bench::new(&with(true));
    assert_eq!(bench.pass(10_000), Out::default());
    assert_eq!(bench.configure(&with(true)), Out::default());
    assert_eq!(bench.configure(&with(false)).verdicts, [(CheckId(1), Some(true))]);
    assert_eq!(bench.pass(0).started.len(), 1);
}

#[test]
fn a_reload_without_a_change_does_nothing_at_all() {
    let config = config([script(1, "a"), server(2), server(3)]);
    let mut bench = Bench::new(&config);
    bench.pass(3_300);
    let timers = bench.timers.clone();
    assert_eq!(bench.configure(&config.clone()), Out::default());
    assert_eq!(bench.timers, timers);
}

#[test]
fn a_reload_with_other_numbers_keeps_the_verdict_and_the_run() {
    let mut bench = Bench::new(&config([script(1, "a")]));
    let run = bench.pass(0).started[0];
    bench.answer(run, true);
    let run = bench.pass(1_000).started[0];
    let mut other = script(1, "a");
    (other.rise, other.fall) = (5, 9);
    assert_eq!(bench.configure(&config([other])), Out::default());
    assert_eq!((bench.status(1).up, bench.status(1).count), (Some(true), 13));
    assert!(matches!(bench.answer(run, false).told[..], [Event::Checked { count: 1, of: 9, .. }]));
}

#[test]
fn another_command_starts_as_unknown_again() {
    let mut bench = Bench::new(&config([script(1, "a")]));
    let run = bench.pass(0).started[0];
    bench.answer(run, true);
    let run = bench.pass(1_000).started[0];
    let out = bench.configure(&config([script(1, "b")]));
    assert_eq!((out.cancelled, out.verdicts), (vec![run.1], vec![(CheckId(1), None)]));
    assert_eq!(bench.pass(0).started.len(), 1);
}

#[test]
fn a_removed_check_is_cancelled_and_forgotten() {
    let mut bench = Bench::new(&config([script(1, "a"), server(2)]));
    let runs = bench.pass(0).started;
    assert_eq!(bench.configure(&config([])).cancelled, [runs[0].1, runs[1].1]);
    assert_eq!(bench.timers, Timers::default());
    assert_eq!(bench.answer(runs[0], true), Out::default());
    assert_eq!(bench.checks.last_outcome(CheckId(1)), None);
}

#[test]
fn a_shorter_interval_counts_from_now() {
    let mut slow = script(1, "a");
    slow.schedule.interval = MS(60_000);
    let mut bench = Bench::new(&config([slow]));
    let run = bench.pass(0).started[0];
    bench.answer(run, true);
    bench.configure(&config([script(1, "a")]));
    assert_eq!(bench.pass(999).started, []);
    assert_eq!(bench.pass(1).started.len(), 1);
}

#[test]
fn the_same_seed_gives_the_same_spread_and_another_check_none_of_it() {
    let starts = |ids: &[u32]| {
        let mut config = config(ids.iter().map(|id| server(*id)));
        config.node.spread_checks = 50;
        let mut bench = Bench::new(&config);
        let mut at = Vec::new();
        for _ in 0..40_000 {
            for run in bench.pass(1).started {
                at.push((run.0, bench.now));
                bench.answer(run, true);
            }
        }
        at
    };
    let one = starts(&[1]);
    assert_eq!(one, starts(&[1]));
    assert!(one.windows(2).any(|w| w[1].1.since(w[0].1) < MS(1_500)));
    assert!(one.windows(2).any(|w| w[1].1.since(w[0].1) > MS(2_500)));
    let of_one: Vec<_> = starts(&[1, 2]).into_iter().filter(|(id, _)| *id == CheckId(1)).collect();
    assert_eq!(one, of_one);
}

#[derive(Clone, Debug)]
enum Step {
    Pass(u64),
    Answer(bool),
    Stale(bool),
    Pause(bool),
    Reload(u32, u32, bool),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        (0u64..4_000).prop_map(Step::Pass),
        any::<bool>().prop_map(Step::Answer),
        any::<bool>().prop_map(Step::Stale),
        any::<bool>().prop_map(Step::Pause),
        (1u32..5, 1u32..5, any::<bool>()).prop_map(|(r, f, s)| Step::Reload(r, f, s)),
    ];
    proptest::collection::vec(step, 0..60)
}

proptest! {
    #[test]
    fn whatever_happens_one_run_is_in_flight_at_most_and_it_always_goes_on(steps in steps()) {
        let mut bench = Bench::new(&config([script(1, "a"), server(2)]));
        let mut open: BTreeMap<CheckId, Ticket> = BTreeMap::new();
        let mut paused = false;
        for step in steps {
            let out = match step {
                Step::Pass(ms) => bench.pass(ms),
                Step::Answer(passed) => match open.pop_first() {
                    Some(run) => bench.answer(run, passed),
                    None => Out::default(),
                },
                Step::Stale(passed) => {
                    let out = bench.answer((CheckId(2), Ticket(0)), passed);
                    prop_assert_eq!(out, Out::default());
                    continue;
                }
                Step::Pause(now) => {
                    paused = now;
                    bench.with(|checks, cx| checks.pause(cx, CheckId(2), now));
                    bench.look()
                }
                Step::Reload(rise, fall, same) => {
                    let mut new = [script(1, if same { "a" } else { "b" }), server(2)];
                    new.iter_mut().for_each(|c| (c.rise, c.fall) = (rise, fall));
                    bench.configure(&config(new))
                }
            };
            // Within one step runs may expire and start again: what counts is the order of tickets.
            for ticket in &out.cancelled {
                open.retain(|_, t| t != ticket);
            }
            for (check, ticket) in out.started {
                if !out.cancelled.contains(&ticket) {
                    prop_assert_eq!(open.insert(check, ticket), None);
                }
            }
            for status in bench.checks.status() {
                prop_assert_eq!(status.running, open.contains_key(&status.id));
            }
        }
        let out = bench.pass(20_000);
        prop_assert!(out.started.iter().any(|(id, _)| *id == CheckId(1)));
        prop_assert_eq!(out.started.iter().any(|(id, _)| *id == CheckId(2)), !paused);
    }
}

//! What verdicts, orders and reloads make the pools say.

#![allow(clippy::wildcard_enum_match_arm, reason = "a test names what it looks for")]

use super::*;
use crate::config::model::{Algorithm, PoolConfig, Redispatch, ServerConfig};
use crate::event::ServerState;
use crate::input::CheckCode;
use crate::outbox::Outbox;
use crate::time::Time;
use crate::timers::Timers;
use alloc::string::String;
use alloc::sync::Arc;
use core::time::Duration;

pub(crate) fn server(id: u32, name: &str, weight: u16) -> ServerConfig {
    ServerConfig {
        id: ServerId(id),
        name: name.into(),
        address: core::net::SocketAddr::from(([192, 0, 2, 1], 6443)),
        weight,
        backup: false,
        disabled: false,
        check: Some(CheckId(id)),
        shutdown_when_down: false,
    }
}

fn config(servers: Vec<ServerConfig>) -> Config {
    let pool = PoolConfig {
        id: PoolId(1),
        name: "api".into(),
        algorithm: Algorithm::RoundRobin,
        servers,
        all_backups: false,
        retries: 3,
        redispatch: Redispatch::Never,
        connect: None,
        server: None,
        log: Vec::new(),
        listen: false,
    };
    let mut config = Config::default();
    config.pools.insert(PoolId(1), Arc::new(pool));
    config
}

struct Bench {
    out: Outbox,
    timers: Timers,
    pools: Pools,
}

impl Bench {
    fn new(config: &Config) -> (Bench, Vec<Action>) {
        let (mut out, mut timers) = (Outbox::default(), Timers::default());
        let mut cx = Context { now: Time::ZERO, out: &mut out, timers: &mut timers };
        let pools = Pools::new(config, &mut cx);
        let mut bench = Bench { out, timers, pools };
        let actions = bench.said();
        (bench, actions)
    }

    fn said(&mut self) -> Vec<Action> {
        core::iter::from_fn(|| self.out.take_action()).collect()
    }

    fn with<R>(&mut self, f: impl FnOnce(&mut Pools, &mut Context<'_>) -> R) -> (R, Vec<Action>) {
        let mut cx = Context { now: Time::ZERO, out: &mut self.out, timers: &mut self.timers };
        let result = f(&mut self.pools, &mut cx);
        (result, self.said())
    }

    fn verdict(&mut self, check: u32, up: bool) -> Vec<Action> {
        self.with(|pools, cx| pools.on_verdict(cx, CheckId(check), Some(up), None)).1
    }
}

fn outcome(passed: bool) -> Outcome {
    Outcome { passed, code: CheckCode::L4Ok, status: None, info: "".into(), took: Duration::ZERO }
}

/// Short words for actions: `view 2 +-`, `Down 1/0`, `empty`.
fn words(actions: &[Action]) -> Vec<String> {
    let mut out = Vec::new();
    for action in actions {
        out.push(match action {
            Action::Publish { view: Some(view), .. } => {
                let marks: String = view.servers.iter().map(|s| if s.usable { '+' } else { '-' }).collect();
                format!("view {} {marks}", view.version)
            }
            Action::Publish { view: None, .. } => "no view".into(),
            Action::Event(Event::Server { state, active, backup, sessions, .. }) => {
                let open = if *sessions > 0 { format!(", {sessions} open") } else { String::new() };
                format!("{state:?} {active}/{backup}{open}")
            }
            Action::Event(Event::PoolEmpty { .. }) => "empty".into(),
            other => format!("{other:?}"),
        });
    }
    out
}

#[test]
fn servers_start_up_and_their_view_is_published_once() {
    let (mut bench, actions) = Bench::new(&config(alloc::vec![server(1, "a", 1), server(2, "b", 1)]));
    assert_eq!(words(&actions), ["view 1 ++"]);
    assert_eq!(words(&bench.verdict(1, true)), [""; 0]);
}

#[test]
fn losing_servers_is_told_with_counts_and_the_last_one_empties_the_pool() {
    let (mut bench, _) = Bench::new(&config(alloc::vec![server(1, "a", 1), server(2, "b", 1)]));
    assert_eq!(words(&bench.verdict(1, false)), ["view 2 -+", "Down 1/0"]);
    assert_eq!(words(&bench.verdict(2, false)), ["view 3 --", "Down 0/0", "empty"]);
    assert_eq!(words(&bench.verdict(2, false)), [""; 0]);
    assert_eq!(words(&bench.verdict(1, true)), ["view 4 +-", "Up 1/0"]);
}

#[test]
fn one_run_of_the_other_kind_shows_in_the_status_and_changes_no_view() {
    let (mut bench, _) = Bench::new(&config(alloc::vec![server(1, "a", 1)]));
    let ((), said) = bench.with(|p, cx| p.on_verdict(cx, CheckId(1), Some(true), Some(&outcome(false))));
    assert_eq!(words(&said), [""; 0]);
    assert_eq!(bench.pools.status()[0].servers[0].state, ServerState::GoingDown);
    bench.verdict(1, false);
    let ((), said) = bench.with(|p, cx| p.on_verdict(cx, CheckId(1), Some(false), Some(&outcome(true))));
    assert_eq!(words(&said), [""; 0]);
    assert_eq!(bench.pools.status()[0].servers[0].state, ServerState::GoingUp);
}

#[test]
fn maintenance_pauses_the_check_and_leaving_it_makes_the_server_up() {
    let (mut bench, _) = Bench::new(&config(alloc::vec![server(1, "a", 1), server(2, "b", 1)]));
    let order = |bench: &mut Bench, admin| {
        let (check, said) = bench.with(|p, cx| p.order_admin(cx, PoolId(1), ServerId(1), admin));
        (check, words(&said))
    };
    bench.verdict(1, false);
    let (check, said) = order(&mut bench, Admin::Maintenance);
    assert_eq!((check, said), (Some(CheckId(1)), alloc::vec!["Maintenance 1/0".into()]));
    assert_eq!(words(&bench.verdict(1, false)), [""; 0]);
    let (check, said) = order(&mut bench, Admin::Ready);
    assert_eq!((check, said), (Some(CheckId(1)), alloc::vec!["view 3 ++".into(), "Up 2/0".into()]));
    let (check, said) = order(&mut bench, Admin::Drain);
    assert_eq!((check, said), (None, alloc::vec!["view 4 -+".into(), "Drain 1/0".into()]));
}

#[test]
fn orders_for_unknown_servers_are_ignored() {
    let (mut bench, _) = Bench::new(&config(alloc::vec![server(1, "a", 1)]));
    let (check, said) = bench.with(|p, cx| p.order_admin(cx, PoolId(1), ServerId(9), Admin::Drain));
    assert_eq!((check, words(&said)), (None, Vec::new()));
    let ((), said) = bench.with(|p, cx| p.order_weight(cx, PoolId(9), ServerId(1), 3));
    assert_eq!(words(&said), [""; 0]);
}

#[test]
fn a_weight_above_the_limit_is_cut_and_zero_drains() {
    let (mut bench, _) = Bench::new(&config(alloc::vec![server(1, "a", 1)]));
    let mut set = |weight| {
        let ((), said) = bench.with(|p, cx| p.order_weight(cx, PoolId(1), ServerId(1), weight));
        let weight = said.iter().find_map(|a| {
            let Action::Publish { view: Some(view), .. } = a else { return None };
            Some(view.servers[0].weight)
        });
        (weight, words(&said))
    };
    assert_eq!(set(MAX_WEIGHT + 1).0, Some(256 * 16));
    assert_eq!(set(0).1, ["view 3 -", "Drain 0/0", "empty"]);
}

#[test]
fn shutdown_is_asked_for_only_when_down_and_configured() {
    let mut quick = server(1, "a", 1);
    quick.shutdown_when_down = true;
    let (mut bench, _) = Bench::new(&config(alloc::vec![quick, server(2, "b", 1)]));
    let shutdown = |said: &[Action]| {
        let Action::Publish { view: Some(view), .. } = &said[0] else { panic!("{said:?}") };
        [view.servers[0].shutdown, view.servers[1].shutdown]
    };
    assert_eq!(shutdown(&bench.verdict(1, false)), [true, false]);
    assert_eq!(shutdown(&bench.verdict(2, false)), [true, false]);
    assert_eq!(shutdown(&bench.verdict(1, true)), [false, false]);
}

#[test]
fn a_reload_without_change_says_nothing_and_keeps_states() {
    let config = config(alloc::vec![server(1, "a", 1), server(2, "b", 1)]);
    let (mut bench, _) = Bench::new(&config);
    bench.verdict(1, false);
    let ((), said) = bench.with(|p, cx| p.configure(cx, &config));
    assert_eq!(words(&said), [""; 0]);
}

#[test]
fn a_reload_publishes_what_changed_and_withdraws_what_is_gone() {
    let (mut bench, _) = Bench::new(&config(alloc::vec![server(1, "a", 1), server(2, "b", 1)]));
    bench.verdict(1, false);
    let wider = config(alloc::vec![server(3, "c", 1), server(1, "a", 1), server(2, "b", 1)]);
    let ((), said) = bench.with(|p, cx| p.configure(cx, &wider));
    assert_eq!(words(&said), ["view 3 +-+"]);
    let ((), said) = bench.with(|p, cx| p.configure(cx, &Config::default()));
    assert_eq!(words(&said), ["no view"]);
}

#[test]
fn a_server_without_a_check_is_always_up() {
    let mut free = server(1, "a", 1);
    free.check = None;
    let (mut bench, actions) = Bench::new(&config(alloc::vec![free]));
    assert_eq!(words(&actions), ["view 1 +"]);
    assert_eq!(words(&bench.verdict(1, false)), [""; 0]);
}

#[test]
fn a_pool_that_starts_without_a_usable_server_says_so() {
    let mut off = server(1, "a", 1);
    off.disabled = true;
    let (_, actions) = Bench::new(&config(alloc::vec![off]));
    assert_eq!(words(&actions), ["view 1 -", "empty"]);
}

#[test]
fn observations_add_up() {
    let (mut bench, _) = Bench::new(&config(alloc::vec![server(1, "a", 1)]));
    let tally = Tally { connected: 2, failed: 1, failed_in_a_row: 1, open: 2 };
    for _ in 0..2 {
        bench.with(|p, cx| p.on_observed(cx, PoolId(1), ServerId(1), tally));
    }
    let seen = bench.pools.status()[0].servers[0].tally;
    assert_eq!(seen, Tally { connected: 4, failed: 2, failed_in_a_row: 1, open: 2 });
}

#[test]
fn a_server_that_goes_down_is_told_with_the_connections_it_has_open() {
    let (mut bench, _) = Bench::new(&config(alloc::vec![server(1, "a", 1), server(2, "b", 1)]));
    let tally = Tally { connected: 9, failed: 0, failed_in_a_row: 0, open: 7 };
    bench.with(|p, cx| p.on_observed(cx, PoolId(1), ServerId(1), tally));
    assert_eq!(words(&bench.verdict(1, false)), ["view 2 -+", "Down 1/0, 7 open"]);
    assert_eq!(words(&bench.verdict(2, false)), ["view 3 --", "Down 0/0", "empty"]);
}

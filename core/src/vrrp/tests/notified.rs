//! Whom a transition is told, and in which order (keepalived's contract, 2.19).

use super::bench::*;
use crate::action::Action;
use crate::config::model::{Command, Config, Deleted, InstanceConfig, NotifyConfig, Pipe};
use alloc::string::{String, ToString};
use alloc::vec::Vec;

fn command(name: &str) -> Option<Command> {
    Some(Command { argv: [name.to_string()].into(), user: None })
}

/// An instance with all commands, in a node with a pipe.
fn told(priority: u8) -> Config {
    let mut one = instance(1, priority);
    one.notify = NotifyConfig {
        master: command("m"),
        backup: command("b"),
        fault: command("f"),
        stop: command("s"),
        any: command("n"),
        lower: command("l"),
        priorities: true,
        deleted: Deleted::Fault,
    };
    with_pipe(one)
}

fn with_pipe(one: InstanceConfig) -> Config {
    let mut config = config(alloc::vec![one]);
    config.node.pipes = alloc::vec![Pipe { path: "/run/p".into(), user: None, reader: None }];
    config
}

/// Commands and lines in the order in which they left.
fn said(bench: &mut Bench) -> Vec<String> {
    core::mem::take(&mut bench.seen)
        .into_iter()
        .filter_map(|(_, action)| match action {
            Action::Script { argv, .. } => Some(argv.join(" ")),
            Action::Tell { line } => Some(line.trim_end().to_string()),
            _ => None,
        })
        .collect()
}

#[test]
fn the_specific_command_comes_first_then_notify_then_the_pipe() {
    let mut bench = Bench::new(&told(100));
    assert_eq!(said(&mut bench), ["b", "n INSTANCE VI_1 BACKUP 100", "INSTANCE \"VI_1\" BACKUP 100"]);
    bench.run(ms(4000));
    assert_eq!(said(&mut bench), ["m", "n INSTANCE VI_1 MASTER 100", "INSTANCE \"VI_1\" MASTER 100"]);
    bench.act(|routers, cx| routers.stop(cx));
    bench.run(ms(2000));
    assert_eq!(said(&mut bench), ["s", "n INSTANCE VI_1 STOP 100", "INSTANCE \"VI_1\" STOP 100"]);
}

#[test]
fn a_lower_router_heard_by_a_master_is_told() {
    let mut bench = Bench::new(&told(100));
    bench.run(ms(4000));
    said(&mut bench);
    bench.hear(PEER, 50);
    assert_eq!(said(&mut bench), ["l", "INSTANCE \"VI_1\" MASTER_RX_LOWER_PRI 100"]);
}

#[test]
fn without_a_pipe_no_line_is_made() {
    let mut config = told(100);
    config.node.pipes.clear();
    let mut bench = Bench::new(&config);
    assert_eq!(said(&mut bench), ["b", "n INSTANCE VI_1 BACKUP 100"]);
}

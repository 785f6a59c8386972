//! Whom a transition is told: commands, and named pipes that get one line each (keepalived's contract, 2.19).
//!
//! The words of a line are decided here; when one is due is the virtual router's to say, writing it the shell's.

use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use serde::{Deserialize, Serialize};

/// A command of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    /// Command and arguments.
    pub argv: Arc<[String]>,
    /// `user[:group]`.
    pub user: Option<Arc<str>>,
}

/// Commands run at a transition; each is argv.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotifyConfig {
    /// `notify_master`.
    pub master: Option<Command>,
    /// `notify_backup`.
    pub backup: Option<Command>,
    /// `notify_fault`.
    pub fault: Option<Command>,
    /// `notify_stop`.
    pub stop: Option<Command>,
    /// `notify`: gets type, name, state and priority appended.
    pub any: Option<Command>,
    /// `notify_master_rx_lower_pri`: a lower router was heard while master.
    #[serde(default)]
    pub lower: Option<Command>,
    /// `notify_priority_changes`: the pipes are told of each change of priority.
    #[serde(default)]
    pub priorities: bool,
    /// `notify_deleted`.
    pub deleted: Deleted,
}

/// What is told of a virtual router that a reload removes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Deleted {
    /// FAULT, if it took part: what keepalived has always told.
    #[default]
    Fault,
    /// DELETED, to `notify` and the pipes (`notify_deleted`).
    Told,
    /// The same, and a command of its own is run first.
    Run(Command),
}

/// A named pipe that is told of every transition (`notify_fifo`, `vrrp_notify_fifo`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pipe {
    /// Where.
    pub path: Arc<str>,
    /// `user[:group]` that owns it.
    pub user: Option<Arc<str>>,
    /// A program that reads it (`notify_fifo_script`); the path is appended to its arguments.
    pub reader: Option<Command>,
}

impl Pipe {
    /// The most pipes of a node: one for all of keepalived, one for its VRRP.
    pub const MOST: usize = 2;
    /// The longest line, in bytes: what the kernel writes whole or not at all (`PIPE_BUF`).
    pub const LINE: usize = 4096;
}

/// A line of the pipes: `INSTANCE "VI_1" MASTER 100`, with its line feed.
#[must_use]
pub fn line(what: &str, name: &str, state: &str, priority: u8) -> String {
    // A name of the length of a page cannot be written whole; what counts stands at the end.
    let name: String = name.chars().take(Pipe::LINE / 8).collect();
    format!("{what} \"{name}\" {state} {priority}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_names_what_who_state_and_priority_and_fits_a_pipe() {
        assert_eq!(line("INSTANCE", "VI_1", "MASTER", 100), "INSTANCE \"VI_1\" MASTER 100\n");
        assert_eq!(line("GROUP", "G", "FAULT", 0), "GROUP \"G\" FAULT 0\n");
        let long = line("INSTANCE", &"ü".repeat(Pipe::LINE), "MASTER_RX_LOWER_PRI", 254);
        assert!(long.len() <= Pipe::LINE && long.ends_with("\" MASTER_RX_LOWER_PRI 254\n"));
    }
}

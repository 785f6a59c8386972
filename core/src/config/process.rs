//! How the process stands to its host: its name, how it is scheduled, and the files that keepalived's monitors read.
//!
//! Wishes only: whether the host grants them is the shell's to find out and to say. keepalived has three processes and
//! a set of keywords for each; here is one, and those of its VRRP process count.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;
use serde::{Deserialize, Serialize};

/// The most characters of a process's name that the kernel keeps.
pub const MAX_NAME: usize = 15;
/// The most processors that can be named, and the highest number of one (`CPU_SETSIZE` of Linux).
pub const MAX_PROCESSORS: u16 = 1024;

/// How the process stands to its host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessConfig {
    /// `process_name`, `vrrp_process_name`: as `ps` shows it, at most [`MAX_NAME`] bytes.
    pub name: Option<Arc<str>>,
    /// `umask`: the permissions taken from new files, pipes and those of scripts.
    pub umask: Option<u16>,
    /// `vrrp_priority`: nice value of the thread that decides, -20..=19.
    pub nice: Option<i8>,
    /// `vrrp_rt_priority`: real-time priority (`SCHED_RR`) of the thread that decides, 1..=99.
    pub realtime: Option<u8>,
    /// `vrrp_rlimit_rttime`: the longest it may run so without a pause; the kernel ends the process otherwise. keepalived's
    /// 10 ms for whom writes none would end us where one input is a whole configuration; here it is none.
    pub realtime_limit: Option<Duration>,
    /// `vrrp_no_swap`: all memory stays in memory.
    pub no_swap: bool,
    /// `vrrp_cpu_affinity`: the processors of the thread that decides; empty is any.
    pub processors: Vec<u16>,
    /// The files of `SIGUSR1`, `SIGUSR2` and `SIGJSON`.
    pub dumps: DumpConfig,
}

/// Where keepalived's dump files go; `None` is `keepalived.*` in `$TMPDIR` or `/tmp`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DumpConfig {
    /// `state_dump_file`.
    pub state: Option<Arc<str>>,
    /// `stats_dump_file`.
    pub stats: Option<Arc<str>>,
    /// `json_dump_file`.
    pub json: Option<Arc<str>>,
    /// `json_version 2`: the list stands in an object, beside the processes.
    pub json_object: bool,
}

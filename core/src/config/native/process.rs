//! `[node.process]`, both ways: name, scheduling, umask and dump files of the process.

use super::check::unless;
use super::file::Process;
use super::value::{Nice, ProcessName, Processor, Realtime, Time, Umask};
use crate::config::process::{DumpConfig, ProcessConfig};
use alloc::string::String;
use alloc::sync::Arc;

/// The table as the model has it.
pub(super) fn lower(table: &Process) -> ProcessConfig {
    let path = |path: &Option<String>| path.as_deref().map(Arc::from);
    ProcessConfig {
        name: table.name.as_ref().map(|name| Arc::from(name.0.as_str())),
        umask: table.umask.map(|umask| umask.0),
        nice: table.nice.map(|nice| nice.0),
        realtime: table.realtime.map(|realtime| realtime.0),
        realtime_limit: table.realtime_limit.map(|limit| limit.0),
        no_swap: table.no_swap.unwrap_or(false),
        processors: table.processors.iter().map(|processor| processor.0).collect(),
        dumps: DumpConfig {
            state: path(&table.data_file),
            stats: path(&table.stats_file),
            json: path(&table.json_file),
            json_object: table.json_object.unwrap_or(false),
        },
    }
}

/// The table of a model; `None` when all is as without it.
pub(super) fn raise(process: &ProcessConfig) -> Option<Process> {
    let path = |path: &Option<Arc<str>>| path.as_deref().map(String::from);
    (*process != ProcessConfig::default()).then(|| Process {
        name: process.name.as_deref().map(|name| ProcessName(String::from(name))),
        umask: process.umask.map(Umask),
        nice: process.nice.map(Nice),
        realtime: process.realtime.map(Realtime),
        realtime_limit: process.realtime_limit.map(Time),
        no_swap: unless(process.no_swap, false),
        processors: process.processors.iter().copied().map(Processor).collect(),
        data_file: path(&process.dumps.state),
        stats_file: path(&process.dumps.stats),
        json_file: path(&process.dumps.json),
        json_object: unless(process.dumps.json_object, false),
    })
}

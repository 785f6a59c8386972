//! The laboratory: a LAN of network namespaces in which real processes fail and take over for each other.
//!
//! Used by the system tests and by `standfast demo`. Decides nothing about VRRP or balancing: it builds machines,
//! starts what it is told to, breaks what it is told to, and measures what a client sees and who holds an address.
//! All times are microseconds of the system clock, since several processes note them. No interface of the machine
//! itself is touched.

pub mod backend;
pub mod client;
pub mod cluster;
pub mod fault;
pub mod flights;
pub mod guide;
pub mod host;
pub mod net;
pub mod node;
pub mod process;
pub mod stats;
pub mod watch;

pub use process::{Result, Trouble};
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

/// The laboratory's own programs, started inside its machines: `backend ...`, `client ...`.
#[must_use]
pub fn main(args: &[String]) -> ExitCode {
    match args.split_first() {
        Some((name, rest)) if name == "backend" => backend::main(rest),
        Some((name, rest)) if name == "client" => client::main(rest),
        _ => {
            eprintln!("lab backend|client ...");
            ExitCode::from(2)
        }
    }
}

/// Now, in microseconds since 1970.
#[must_use]
pub fn now_us() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

fn block_on<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    tokio::task::LocalSet::new().block_on(&runtime, work)
}

fn exit(done: Result<()>) -> ExitCode {
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(trouble) => {
            eprintln!("{trouble}");
            ExitCode::FAILURE
        }
    }
}

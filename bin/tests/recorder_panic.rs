//! A panic anywhere in the daemon saves the flight recording, once.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use standfast::dump::Asked;
use standfast::record::Watch;
use standfast_core::config::model::Config;
use standfast_core::record::Recording;
use standfast_core::rng::Seed;
use standfast_core::time::Time;
use standfast_io::driver::Observer as _;
use standfast_io::log::{EventLog, Logger, Style};
use std::rc::Rc;

#[test]
fn a_panic_in_any_thread_saves_the_recording_once() {
    let folder = std::env::temp_dir().join(format!("standfast-panic-{}", std::process::id()));
    let path = folder.join("flight.rec");
    let log = Rc::new(EventLog::new(Logger::new("standfast", Style::Plain).unwrap()));
    let mut watch = Watch::new(log, Asked::default(), path.to_str(), 1);
    watch.start(&Config::default(), Seed(1), Time::ZERO);
    for _ in 0..2 {
        let thread = std::thread::spawn(|| panic!("as a bug would"));
        assert!(thread.join().is_err());
    }
    let mut saved: Vec<_> = std::fs::read_dir(&folder).unwrap().flatten().map(|entry| entry.path()).collect();
    saved.retain(|file| *file != path);
    assert_eq!(saved.len(), 1, "{saved:?}");
    let bytes = std::fs::read(&saved[0]).unwrap();
    assert_eq!(Recording::open(&bytes).unwrap().header().pid, std::process::id());
    std::fs::remove_dir_all(&folder).unwrap();
}

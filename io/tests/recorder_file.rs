//! The recorder's file: kept beside its predecessor, alone in its use, whole at every moment, saved while it is written.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use standfast_core::config::model::Config;
use standfast_core::input::Input;
use standfast_core::node::Node;
use standfast_core::record::{Item, MIN_BYTES, Recording};
use standfast_core::rng::Seed;
use standfast_core::time::Time;
use standfast_io::driver::Observer as _;
use standfast_io::recorder::{CreateError, Tape, create, dated, save};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("standfast-recorder-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn the_file_is_its_owners_only_and_the_run_before_is_kept_beside_it() {
    let folder = Folder::new("kept");
    let path = folder.0.join("state/flight.rec");
    drop(create(&path, MIN_BYTES).unwrap());
    std::fs::write(&path, "the run before").unwrap();
    let (memory, _) = create(&path, MIN_BYTES * 2).unwrap();
    assert_eq!(memory.len(), MIN_BYTES * 2);
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::read(folder.0.join("state/flight.rec.1")).unwrap(), b"the run before");
}

#[test]
fn a_file_that_another_recorder_writes_is_left_alone() {
    let folder = Folder::new("alone");
    let path = folder.0.join("flight.rec");
    let first = create(&path, MIN_BYTES).unwrap();
    assert!(matches!(create(&path, MIN_BYTES), Err(CreateError::InUse)));
    assert!(!folder.0.join("flight.rec.1").exists());
    drop(first);
    assert!(create(&path, MIN_BYTES).is_ok());
}

#[test]
fn a_file_with_no_room_for_it_is_refused_and_leaves_nothing_behind() {
    let folder = Folder::new("room");
    let path = folder.0.join("flight.rec");
    assert!(create(&path, 1 << 50).is_err(), "a petabyte");
    assert!(!path.exists());
}

#[test]
fn a_copy_is_whole_however_fast_the_recorder_writes_meanwhile() {
    let folder = Folder::new("copy");
    let path = folder.0.join("flight.rec");
    let (memory, key) = create(&path, 1 << 20).unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = stop.clone();
    let writer = std::thread::spawn(move || {
        let (config, mut now) = (Arc::new(Config::default()), Time::ZERO);
        let mut tape = Tape::new(memory, key, || 0);
        tape.start(&config, Seed(1), now);
        let mut node = Node::new(config, Seed(1), now);
        while !stopped.load(Ordering::Relaxed) {
            now = now + std::time::Duration::from_millis(1);
            tape.input(now, &node, &Input::Tick);
            node.handle(now, Input::Tick);
            // Far more than a daemon does, but not so much that the ring turns within the copy.
            std::thread::sleep(std::time::Duration::from_micros(50));
        }
    });
    let mut most = 0;
    for _ in 0..20 {
        std::thread::sleep(std::time::Duration::from_millis(10));
        let saved = save(&path, &dated(&path)).unwrap();
        assert!(!saved.damaged, "{saved:?}");
        let bytes = std::fs::read(&saved.path).unwrap();
        let recording = Recording::open(&bytes).unwrap();
        assert!(recording.items().all(|item| matches!(item, Item::Entry(_))));
        assert!(saved.inputs > most, "{saved:?}");
        most = saved.inputs;
    }
    stop.store(true, Ordering::Relaxed);
    writer.join().unwrap();
}

#[test]
fn a_copy_never_overwrites_a_file() {
    let folder = Folder::new("over");
    let path = folder.0.join("flight.rec");
    let (memory, key) = create(&path, MIN_BYTES).unwrap();
    let mut tape = Tape::new(memory, key, || 0);
    tape.start(&Config::default(), Seed(1), Time::ZERO);
    let to = folder.0.join("copy.rec");
    std::fs::write(&to, "mine").unwrap();
    assert!(save(&path, &to).is_err());
    assert_eq!(std::fs::read(&to).unwrap(), b"mine");
    let (first, second) = (save(&path, &dated(&path)).unwrap(), save(&path, &dated(&path)).unwrap());
    assert_ne!(first.path, second.path);
}

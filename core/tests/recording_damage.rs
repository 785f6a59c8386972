//! Damaged, cut and foreign recordings: replayed up to the damage, which is said with its place; never a panic.

mod recording;

use recording::{Flight, SMALL, replay};
use standfast_core::record::{Recording, Unreadable, crc32c};
use std::time::Duration;

fn small() -> (Vec<u8>, u64) {
    let mut flight = Flight::start(SMALL);
    flight.pass(Duration::from_secs(4));
    let fed = flight.fed;
    (flight.finish(), fed)
}

#[test]
fn every_bit_flip_is_noticed_and_what_stands_before_it_is_replayed() {
    let (whole, fed) = small();
    let end = whole.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    let header = whole.iter().take(4096).rposition(|byte| *byte != 0).unwrap() + 1;
    let mut replayed = 0;
    for at in (0..header).chain(4096..end) {
        for bit in 0..8 {
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << bit;
            match replay(&bytes) {
                Err(_) => assert!(at < header, "byte {at}"),
                Ok(told) => {
                    assert_eq!(told.differences, 0, "byte {at}");
                    assert_eq!(told.damages.len(), 1, "byte {at} bit {bit}: {told:?}");
                    assert!(told.damages[0] <= at && told.fed <= fed, "byte {at}: {told:?}");
                    replayed += told.fed;
                }
            }
        }
    }
    assert!(replayed > 1000);
}

#[test]
fn a_recording_cut_anywhere_is_replayed_up_to_the_cut() {
    let (whole, fed) = small();
    let mut most = 0;
    for end in (0..whole.len()).step_by(7) {
        match replay(&whole[..end]) {
            Err(error) => assert!(end < 4096, "{end}: {error}"),
            Ok(told) => {
                assert!(!told.damages.is_empty(), "cut at {end}: {told:?}");
                assert_eq!(told.differences, 0);
                assert!(told.fed >= most && told.fed <= fed, "cut at {end}: {told:?}");
                most = told.fed;
            }
        }
    }
    assert_eq!(most, fed);
}

#[test]
fn damage_in_one_segment_leaves_the_others_readable() {
    let mut flight = Flight::start(SMALL);
    flight.pass(Duration::from_secs(600));
    let whole = flight.finish();
    let all = replay(&whole).unwrap();
    let segment = usize::try_from(Recording::open(&whole).unwrap().header().segment).unwrap();
    for damaged in (4096..whole.len()).step_by(segment) {
        let mut bytes = whole.clone();
        bytes[damaged + 40] ^= 1;
        let told = replay(&bytes).unwrap();
        assert_eq!((told.differences, told.damages.len()), (0, 1), "{told:?}");
        assert!(told.fed > 0 && told.fed < all.fed, "{told:?}");
    }
}

#[test]
fn another_version_of_the_format_is_named() {
    let (mut bytes, _) = small();
    bytes[8] += 1;
    let length = 12 + usize::from(bytes[10]);
    let crc = crc32c(0, &bytes[..length]).to_le_bytes();
    bytes[length..length + 4].copy_from_slice(&crc);
    let error = replay(&bytes).unwrap_err();
    assert_eq!(error, Unreadable::Version(2));
    assert!(error.to_string().contains("version 2"), "{error}");
}

#[test]
fn something_else_is_not_taken_for_a_recording() {
    assert_eq!(replay(b"").unwrap_err(), Unreadable::NotARecording);
    assert_eq!(replay(&[0; 100_000]).unwrap_err(), Unreadable::NotARecording);
    let (whole, _) = small();
    assert_eq!(replay(&whole[1..]).unwrap_err(), Unreadable::NotARecording);
}

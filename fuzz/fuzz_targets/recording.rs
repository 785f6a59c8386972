//! A recording of the flight recorder.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| standfast_core::record::fuzz_recording(bytes));

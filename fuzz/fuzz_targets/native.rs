//! A native configuration.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| standfast_core::config::native::fuzz_native(bytes));

//! An advertisement from an untrusted sender.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| standfast_core::wire::vrrp::fuzz_advertisement(bytes));

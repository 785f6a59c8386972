//! A BFD control packet from an untrusted sender.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| standfast_core::wire::bfd::fuzz_bfd(bytes));

//! A haproxy.cfg.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| standfast_core::config::haproxy::fuzz_haproxy(bytes));

//! A keepalived.conf.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| standfast_core::config::keepalived::fuzz_keepalived(bytes));

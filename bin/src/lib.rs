//! The command line of standfast, its laboratory and its demonstration.

pub mod lab;

//! The command line of standfast, its laboratory and its demonstration.

pub mod demo;
pub mod lab;

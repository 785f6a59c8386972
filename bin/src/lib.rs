//! The command line of standfast: thin verbs over `standfast-io`, `sim` and `standfast-core`.

pub mod check;
pub mod cli;
pub mod compat;
pub mod control;
pub mod demo;
pub mod dump;
pub mod explain;
pub mod lab;
pub mod lint;
pub mod record;
pub mod replay;
pub mod run;
pub mod simulate;
pub mod source;
pub mod text;

//! Scripted stories for people: scenarios on real configurations, and how their timelines are told.
//!
//! [`builtin`] has the scenarios that everybody wants, [`mod@file`] reads the user's own, [`storm`] draws random ones; [`peers`] has
//! the nodes that one node's files imply, [`continued`] goes on where a recording ends. [`verdict`] says what a story comes to, [`mod@assert`] what must hold of it; [`text`],
//! [`svg`] and [`json`] show it. The world, the faults and the clients are those of the discrete-event tier
//! ([`crate::des`]).

pub mod assert;
pub mod builtin;
pub mod codes;
pub mod continued;
pub mod file;
pub mod json;
pub mod peers;
mod steps;
pub mod storm;
pub mod svg;
pub mod text;
pub mod verdict;
pub mod words;

pub use steps::FAULTS;

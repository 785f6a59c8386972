//! Scripted stories for people: scenarios on real configurations, and how their timelines are told.
//!
//! [`builtin`] has the scenarios that everybody wants, [`peers`] the nodes that one node's files imply, [`verdict`] what a
//! story comes to in figures and in words, [`text`] and [`words`] how it is told. The world, the faults and the clients are
//! those of the discrete-event tier ([`crate::des`]).

pub mod builtin;
pub mod peers;
pub mod text;
pub mod verdict;
pub mod words;

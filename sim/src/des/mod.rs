//! Tier 1: real nodes on a discrete-event loop.
//!
//! A run is `seed -> plan -> storm -> calm -> drill`. The plan is data, made up front; every entity draws from a
//! random stream of its own, so that taking one fault out of a plan changes nothing else and failing plans shrink.
//! `world` moves time, `host` and `kernel` carry out what nodes ask for, `lan` carries frames, `truth` knows which
//! checks pass, `invariant` judges, `shrink` makes a failing plan small, `scenario` runs scripted stories.

pub mod adversary;
mod checked;
pub mod client;
pub mod clock;
mod connection;
mod drill;
mod exchange;
pub mod fault;
mod feed;
mod frames;
pub mod host;
pub mod invariant;
pub mod kernel;
pub mod lan;
pub mod marks;
pub mod past;
pub mod perform;
pub mod plan;
mod power;
mod queue;
pub mod report;
pub mod run;
pub mod scenario;
pub mod service;
pub mod settled;
pub mod shape;
pub mod shrink;
pub mod table;
pub mod timeline;
pub mod trace;
pub mod traffic;
pub mod truth;
pub mod tweak;
pub mod world;

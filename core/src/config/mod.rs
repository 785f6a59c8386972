//! Three languages in (keepalived, haproxy, native TOML), one validated model out.
//!
//! `source` is what a language is given of the world (files, environment, host name), `finding` what it says about
//! a text, `model` what comes out, `names` how things keep their ids over reloads, `lint` what is said of several nodes
//! together.

mod algorithm;
mod bfd;
pub mod codes;
pub mod diff;
pub mod finding;
pub mod haproxy;
pub mod item;
pub mod keepalived;
pub mod lint;
pub mod load;
pub mod model;
pub mod names;
pub mod native;
pub mod node;
pub mod notify;
pub mod process;
pub mod source;
pub mod summary;
pub mod talk;
pub mod watch;

//! The decisions of standfast, and nothing else: no clock, no socket, no file, no thread.
//!
//! A [`Node`](node::Node) is fed one [`Input`](input::Input) at a time together with the time at which it
//! happened, leaves [`Action`](action::Action)s to be polled, and names the next moment at which it wants to be
//! woken. The same inputs at the same times with the same seed give the same actions, byte for byte; that is what
//! lets the simulator rehearse, and a recording replay, what production does.
//!
//! Rules of the crate: integers only, ordered maps only, total parsing of untrusted bytes, no panic on any input.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod action;
pub mod balance;
pub mod bfd;
pub mod config;
pub mod event;
pub mod health;
pub mod id;
pub mod input;
pub mod listen;
pub mod node;
pub mod outbox;
pub mod record;
pub mod rng;
pub mod session;
pub mod time;
pub mod timers;
pub mod vrrp;
pub mod wire;

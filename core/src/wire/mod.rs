//! Codecs: total parsing of untrusted bytes, infallible emission.
//!
//! Nothing in here keeps state, panics on input, or decides what a packet means for an election.

pub mod arp;
pub mod bfd;
pub mod checksum;
pub mod ndp;
pub mod vrrp;

//! Codecs: total parsing of untrusted bytes, infallible emission.

pub mod arp;
pub mod ndp;

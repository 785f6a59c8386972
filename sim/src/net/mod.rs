//! Tier 2: the real `io` driver, checker and proxy on turmoil's streams and datagrams.
//!
//! What Linux gives a node is modelled here: packets of IP protocol 112 and announcements travel as datagrams, so
//! that turmoil's partitions and latencies hold for them; addresses with leases are the kernel of tier 1; scripts
//! are a model. Deterministic: fixed seed and epoch, explicit latencies, time from turmoil, no hash maps.

pub mod backend;
pub mod bench;
pub mod board;
pub mod client;
pub mod clock;
pub mod cluster;
pub mod fabric;
pub mod host;
pub mod links;
pub mod plan;
pub mod scripts;
pub mod settled;
pub mod setup;
pub mod shrink;
pub mod storm;
pub mod tls;

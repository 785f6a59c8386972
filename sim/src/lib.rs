//! Rehearses standfast: the same nodes that run in production, on simulated networks.
//!
//! [`des`] is tier 1: real [`Node`](standfast_core::node::Node)s on a discrete-event loop with simulated kernels,
//! a LAN with neighbour caches, checks and clients; thousands of runs a second, and deterministic: the same seed gives
//! the same trace hash, in any process. Tier 2, the real `io` driver on turmoil's streams, is not there yet.

pub mod des;
pub mod hash;

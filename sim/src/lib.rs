//! Rehearses standfast: the same nodes that run in production, on simulated networks.
//!
//! [`des`] is tier 1: real [`Node`](standfast_core::node::Node)s on a discrete-event loop with simulated kernels,
//! a LAN with neighbour caches, checks and clients; thousands of runs a second. [`net`] is tier 2: the real `io`
//! driver, checks and proxy on turmoil's streams and datagrams. Both are deterministic: the same seed gives the
//! same trace hash, in any process.

pub mod des;
pub mod flight;
pub mod hash;
pub mod net;
pub mod story;

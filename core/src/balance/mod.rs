//! Balancing: who is usable, and who gets the next connection.
//!
//! [`pools::Pools`] turns verdicts and orders into server states and publishes a [`view::PoolView`] whenever one
//! changes; the data plane picks from the newest view with a [`pick::Picker`]. No socket, no clock, no connection.

mod map;
pub mod pick;
pub mod pool;
pub mod pools;
mod ring;
mod round;
pub mod server;
pub mod view;

pub use pool::PoolStatus;
pub use pools::Pools;
pub use server::{MAX_WEIGHT, ServerStatus};

//! Balancing: who is usable, and who gets the next connection.

pub mod view;

//! One behaviour per file, driven through [`Routers`] with a clock of our own.

mod backup;
pub(super) mod bench;
mod defects;
mod faults;
mod groups;
mod leasing;
mod leaving;
mod master;
mod traces;

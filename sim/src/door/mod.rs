//! Seeds, one or many: `range` runs them and counts, `single` replays and shrinks.
//!
//! Both print what the library's `des::report` says; neither judges anything itself.

pub(crate) mod range;
pub(crate) mod single;

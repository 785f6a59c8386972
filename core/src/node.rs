//! Routes an input to its component and drains signals; knows no protocol.

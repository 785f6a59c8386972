//! The loop: one task owns the node.

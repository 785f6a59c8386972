//! What a reload changes, in words.

//! standfast.toml: the same model in the words of RFC 9568 and common usage.

//! Codecs: total parsing of untrusted bytes, infallible emission.

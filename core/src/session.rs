//! One client connection: which server, retry or redispatch, which time-out, when to refuse.

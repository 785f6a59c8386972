//! The four lines that `check` ends with: which address, how long a takeover takes, how servers are checked, counts.

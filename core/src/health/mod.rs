//! Health checks: when to run them, and how runs add up to a verdict.

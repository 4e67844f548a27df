//! The event log: written by one thread, hash-chained, verified, reported, collected.

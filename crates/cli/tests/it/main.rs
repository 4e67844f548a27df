//! What the binary promises, seen from outside: its processes, its ports, its files.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test is to panic when something is not as claimed"
)]

mod support;

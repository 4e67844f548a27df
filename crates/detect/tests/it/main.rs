//! What the detectors of actions promise, from outside.

#![expect(clippy::unwrap_used, reason = "a test is to panic when something is not as claimed")]

mod network;
mod paths;

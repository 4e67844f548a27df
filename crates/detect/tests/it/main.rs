//! What the detectors promise, from outside.

#![expect(clippy::unwrap_used, reason = "a test is to panic when something is not as claimed")]

mod clean;
mod commands;
mod injection;
mod json;
mod linear;
mod network;
mod paths;
mod recall;
mod samples;
mod streaming;
mod taint;

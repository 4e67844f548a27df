//! Detectors, and the streaming redactor.
//!
//! A detector says what it found and where; whether that refuses anything is the policy's decision. No network, no async
//! runtime, no clock; the file system is asked only by `paths`, and nothing here resolves a name.

pub mod commands;
mod found;
pub mod network;
pub mod paths;
pub mod taint;

pub use found::Found;

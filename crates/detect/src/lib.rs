//! Detectors, and the streaming redactor.
//!
//! A detector says what it found and where; whether that refuses anything is the policy's decision. No network, no async
//! runtime, no clock; the file system is asked only by `paths`, and nothing here resolves a name.

pub mod commands;
mod found;
pub mod injection;
pub mod network;
pub mod paths;
mod pii;
mod redact;
mod secrets;
pub mod taint;
mod text;

pub use found::Found;
pub use pii::{PiiKind, PiiKinds};
pub use redact::{Redactor, redact_json};
pub use text::{Kind, Match, Selection, TextDetector};

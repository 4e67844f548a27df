//! Detectors, and the streaming redactor.
//!
//! A detector says what it found and where; whether that refuses anything is the policy's decision. No network, no async
//! runtime, no clock; the file system is asked only by `paths`, and names are resolved only through a trait.

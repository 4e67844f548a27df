//! What the detectors of actions promise, from outside.

#![expect(clippy::unwrap_used, reason = "a test is to panic when something is not as claimed")]

mod commands;
mod network;
mod paths;
//! Claims about the detectors, as a caller of the crate sees them.

#[cfg(test)]
mod clean;
#[cfg(test)]
mod injection;
#[cfg(test)]
mod json;
#[cfg(test)]
mod linear;
#[cfg(test)]
mod recall;
#[cfg(test)]
mod samples;
#[cfg(test)]
mod streaming;

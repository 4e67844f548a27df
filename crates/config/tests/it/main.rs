//! Claims about configuration: one declaration over files, variables and flags.
#![expect(clippy::unwrap_used, reason = "clippy knows test functions, and not the functions that they call")]

mod errors;
mod outputs;
mod precedence;
mod references;
mod sample;
mod secrets;

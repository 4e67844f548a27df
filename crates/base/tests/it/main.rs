//! Claims about the crate as its users see it.
#![expect(clippy::unwrap_used, reason = "clippy knows test functions, and not the functions that they call")]

mod telemetry;

//! What a sandbox holds, tried by programs that want out. Each test says which layers it relied on.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test panics when something is not as claimed, and says which layers it relied on"
)]

mod endings;
mod escapes;
mod families;
mod files;
mod limits;
mod network;
mod support;
mod tools;
mod unprivileged;

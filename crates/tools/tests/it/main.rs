//! What the tools promise, tried as an agent calls them: through a registry, in a place of its own.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test panics when something is not as claimed"
)]

mod attribute;
mod changes;
mod commands;
mod edits;
mod files;
mod http_tools;
mod policy;
mod registry;
mod searches;
mod skills;
mod support;
mod todos;
mod watching;
mod web;

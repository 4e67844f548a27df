//! What the crate promises, seen from outside.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that meets what it does not expect is to end there, helpers included"
)]

mod cassette_files;
mod dialogue;
mod sim_anthropic;
mod sim_any_body;
mod sim_cassette;
mod sim_directives;
mod sim_gemini;
mod sim_laws;
mod sim_openai_chat;
mod sim_openai_others;
mod sim_openai_responses;
mod sim_relay;
mod sim_serve;
mod sim_stats;
mod sim_support;

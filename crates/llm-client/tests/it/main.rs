//! What the crate promises, seen from outside.

mod sim_anthropic;
mod sim_any_body;
mod sim_cassette;
mod sim_directives;
mod sim_gemini;
mod sim_laws;
mod sim_openai_chat;
mod sim_openai_others;
mod sim_openai_responses;
mod sim_serve;
mod sim_stats;
mod sim_support;

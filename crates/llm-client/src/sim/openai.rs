//! OpenAI's wire formats.

pub(crate) mod chat;
pub(crate) mod completions;
pub(crate) mod embeddings;
pub(crate) mod moderations;
pub(crate) mod responses;

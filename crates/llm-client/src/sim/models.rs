//! The lists of models. Any model name is answered; these are the ones to choose from.

use http::StatusCode;
use serde_json::{Value, json};

use super::refusal::{Provider, Refusal};
use super::scene::Reply;

/// Models that are listed.
const LISTED: [&str; 3] = ["sim-1", "sim-1-mini", "sim-embedding-1"];
/// 2026-01-01T00:00:00Z.
const CREATED: u64 = 1_767_225_600;
const CREATED_TEXT: &str = "2026-01-01T00:00:00Z";
const MOST_INPUT: u64 = 1_000_000;
const MOST_OUTPUT: u64 = 8_192;

/// All models, in the provider's shape.
pub(crate) fn all(provider: Provider) -> Reply {
    let data: Vec<Value> = LISTED.iter().map(|id| model(provider, id)).collect();
    Reply::json(&match provider {
        Provider::OpenAi => json!({"object": "list", "data": data}),
        Provider::Anthropic => {
            json!({"data": data, "first_id": LISTED.first(), "last_id": LISTED.last(), "has_more": false})
        }
        Provider::Gemini => json!({"models": data}),
    })
}

/// One model. Every name is one.
pub(crate) fn one(provider: Provider, id: &str) -> Result<Reply, Refusal> {
    if id.is_empty() || id.contains('/') {
        return Err(Refusal::new(StatusCode::NOT_FOUND, format!("the model '{id}' does not exist")));
    }
    Ok(Reply::json(&model(provider, id)))
}

fn model(provider: Provider, id: &str) -> Value {
    match provider {
        Provider::OpenAi => {
            json!({"id": id, "object": "model", "created": CREATED, "owned_by": "seawall-sim"})
        }
        Provider::Anthropic => json!({
            "type": "model",
            "id": id,
            "display_name": id,
            "created_at": CREATED_TEXT,
            "max_input_tokens": MOST_INPUT,
            "max_tokens": MOST_OUTPUT,
            "capabilities": null,
        }),
        Provider::Gemini => json!({
            "name": format!("models/{id}"),
            "version": "001",
            "displayName": id,
            "description": "A simulated model.",
            "inputTokenLimit": MOST_INPUT,
            "outputTokenLimit": MOST_OUTPUT,
            "supportedGenerationMethods": ["generateContent", "countTokens", "embedContent", "batchEmbedContents"],
        }),
    }
}

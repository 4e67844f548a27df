//! Gemini's embeddings.

use serde::Serialize;
use serde_json::Value;

use crate::sim::embedding::{DIMENSIONS_LIMIT, unit_vector};
use crate::sim::prompt::{list, string};
use crate::sim::refusal::Refusal;
use crate::sim::scene::Reply;

const DEFAULT_DIMENSIONS: usize = 768;
/// At most so many texts to one request.
const MOST_REQUESTS: usize = 512;

#[derive(Serialize)]
struct Embedding {
    values: Vec<f32>,
}

#[derive(Serialize)]
struct One {
    embedding: Embedding,
}

#[derive(Serialize)]
struct Batch {
    embeddings: Vec<Embedding>,
}

/// Answers `embedContent`, and says how many tokens it read.
pub(crate) fn one(request: &Value) -> Result<(Reply, u64), Refusal> {
    let (embedding, tokens) = vector(request)?;
    Ok((Reply::json(&One { embedding }), tokens))
}

/// Answers `batchEmbedContents`, and says how many tokens it read.
pub(crate) fn batch(request: &Value) -> Result<(Reply, u64), Refusal> {
    let requests = list(request.get("requests"));
    if requests.is_empty() || requests.len() > MOST_REQUESTS {
        return Err(Refusal::bad_request(format!("requests must hold from 1 to {MOST_REQUESTS} requests")));
    }
    let answers = requests.iter().map(vector).collect::<Result<Vec<_>, _>>()?;
    let tokens = answers.iter().map(|(_, tokens)| tokens).sum();
    let embeddings = answers.into_iter().map(|(embedding, _)| embedding).collect();
    Ok((Reply::json(&Batch { embeddings }), tokens))
}

fn vector(request: &Value) -> Result<(Embedding, u64), Refusal> {
    let Some(content) = request.get("content") else {
        return Err(Refusal::bad_request("missing required field: 'content'"));
    };
    let text: String = list(content.get("parts")).iter().filter_map(|part| string(part, "text")).collect();
    let wanted = request.get("outputDimensionality").or_else(|| request.get("output_dimensionality"));
    let dimensions = match wanted.and_then(Value::as_u64) {
        None => DEFAULT_DIMENSIONS,
        Some(wanted) => {
            usize::try_from(wanted).ok().filter(|wanted| (1..=DIMENSIONS_LIMIT).contains(wanted)).ok_or_else(
                || Refusal::bad_request(format!("outputDimensionality must be from 1 to {DIMENSIONS_LIMIT}")),
            )?
        }
    };
    let tokens = crate::sim::answer::length(&text).div_ceil(crate::sim::BYTES_PER_TOKEN);
    Ok((Embedding { values: unit_vector(text.as_bytes(), dimensions) }, tokens))
}

//! OpenAI's embeddings.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::sim::embedding::{DIMENSIONS_LIMIT, unit_vector};
use crate::sim::prompt;
use crate::sim::refusal::Refusal;
use crate::sim::scene::Reply;

/// At most so many inputs to one request.
const MOST_INPUTS: usize = 2_048;
/// At most so many numbers in one answer.
const MOST_NUMBERS: usize = MOST_INPUTS * DEFAULT_DIMENSIONS;
const DEFAULT_DIMENSIONS: usize = 1_536;

#[derive(Serialize)]
struct Embeddings<'a> {
    object: &'static str,
    data: Vec<Embedding>,
    model: &'a str,
    usage: EmbeddingUsage,
}

#[derive(Serialize)]
struct Embedding {
    object: &'static str,
    index: usize,
    embedding: Vector,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Vector {
    Floats(Vec<f32>),
    Base64(String),
}

#[derive(Serialize)]
struct EmbeddingUsage {
    prompt_tokens: u64,
    total_tokens: u64,
}

/// Answers a request for embeddings, and says how many tokens it read.
pub(crate) fn answer(request: &Map<String, Value>) -> Result<(Reply, u64), Refusal> {
    let model = prompt::model(request)?;
    let dimensions = dimensions(request)?;
    let as_base64 = request.get("encoding_format").and_then(Value::as_str) == Some("base64");
    let inputs = inputs(request)?;
    if inputs.len().saturating_mul(dimensions) > MOST_NUMBERS {
        return Err(Refusal::bad_request(format!("inputs times dimensions may be at most {MOST_NUMBERS}"))
            .param("input"));
    }
    let tokens = inputs.iter().map(Input::tokens).sum();
    let embedding = |(index, input): (usize, &Input)| {
        let vector = unit_vector(&input.bytes, dimensions);
        let embedding =
            if as_base64 { Vector::Base64(little_endian(&vector)) } else { Vector::Floats(vector) };
        Embedding { object: "embedding", index, embedding }
    };
    let data = inputs.iter().enumerate().map(embedding).collect();
    let usage = EmbeddingUsage { prompt_tokens: tokens, total_tokens: tokens };
    Ok((Reply::json(&Embeddings { object: "list", data, model, usage }), tokens))
}

fn little_endian(vector: &[f32]) -> String {
    STANDARD.encode(vector.iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<u8>>())
}

fn dimensions(request: &Map<String, Value>) -> Result<usize, Refusal> {
    match request.get("dimensions") {
        None | Some(Value::Null) => Ok(DEFAULT_DIMENSIONS),
        Some(wanted) => wanted
            .as_u64()
            .and_then(|wanted| usize::try_from(wanted).ok())
            .filter(|wanted| (1..=DIMENSIONS_LIMIT).contains(wanted))
            .ok_or_else(|| {
                Refusal::bad_request(format!("'dimensions' must be from 1 to {DIMENSIONS_LIMIT}"))
                    .param("dimensions")
            }),
    }
}

/// A text, or tokens as numbers.
struct Input {
    bytes: Vec<u8>,
    given_tokens: Option<u64>,
}

impl Input {
    fn text(text: &str) -> Self {
        Self { bytes: text.as_bytes().to_vec(), given_tokens: None }
    }

    fn numbers(numbers: &[Value]) -> Self {
        let bytes = numbers.iter().filter_map(Value::as_u64).flat_map(u64::to_le_bytes).collect();
        Self { bytes, given_tokens: u64::try_from(numbers.len()).ok() }
    }

    fn tokens(&self) -> u64 {
        let length = u64::try_from(self.bytes.len()).unwrap_or(u64::MAX);
        self.given_tokens.unwrap_or_else(|| length.div_ceil(crate::sim::BYTES_PER_TOKEN))
    }
}

fn inputs(request: &Map<String, Value>) -> Result<Vec<Input>, Refusal> {
    let refused =
        || Refusal::bad_request("'input' must be a text, a list of texts, or tokens").param("input");
    let inputs = match request.get("input") {
        Some(Value::String(text)) => vec![Input::text(text)],
        Some(Value::Array(list)) if list.first().is_some_and(Value::is_number) => vec![Input::numbers(list)],
        Some(Value::Array(list)) => list
            .iter()
            .map(|item| match item {
                Value::String(text) => Ok(Input::text(text)),
                Value::Array(numbers) => Ok(Input::numbers(numbers)),
                _ => Err(refused()),
            })
            .collect::<Result<_, _>>()?,
        _ => return Err(refused()),
    };
    if inputs.is_empty() || inputs.len() > MOST_INPUTS {
        return Err(
            Refusal::bad_request(format!("'input' must hold from 1 to {MOST_INPUTS} texts")).param("input")
        );
    }
    Ok(inputs)
}

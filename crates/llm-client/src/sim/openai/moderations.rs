//! OpenAI's moderations.

use serde_json::{Map, Value, json};

use crate::sim::prompt::texts;
use crate::sim::refusal::Refusal;
use crate::sim::scene::Reply;

/// At most so many results to one request.
const MOST_INPUTS: usize = 2_048;

/// The categories of `omni-moderation`.
const CATEGORIES: [&str; 13] = [
    "harassment",
    "harassment/threatening",
    "sexual",
    "hate",
    "hate/threatening",
    "illicit",
    "illicit/violent",
    "self-harm/intent",
    "self-harm/instructions",
    "self-harm",
    "sexual/minors",
    "violence",
    "violence/graphic",
];

/// Answers a request for moderation: nothing is ever flagged. Free of charge, as at the real provider.
pub(crate) fn answer(request: &Map<String, Value>, id: &str) -> Result<Reply, Refusal> {
    let Some(input) = request.get("input") else {
        return Err(Refusal::bad_request("missing required parameter: 'input'").param("input"));
    };
    let model = request.get("model").and_then(Value::as_str).unwrap_or("omni-moderation-latest");
    let each =
        |value: Value| CATEGORIES.iter().map(|name| ((*name).to_owned(), value.clone())).collect::<Value>();
    let result = json!({
        "flagged": false,
        "categories": each(json!(false)),
        "category_scores": each(json!(0.0)),
        "category_applied_input_types": each(json!(["text"])),
    });
    let count = texts(input).count().clamp(1, MOST_INPUTS);
    Ok(Reply::json(&json!({"id": format!("modr-{id}"), "model": model, "results": vec![result; count]})))
}

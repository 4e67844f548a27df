//! OpenAI's legacy completions.

use serde_json::{Map, Value, json};

use super::chat::{FINGERPRINT, choices, finish_reason, stop, usage, wants_usage};
use crate::sim::play::{PIECE, Step};
use crate::sim::prompt::{self, Prompt, texts};
use crate::sim::refusal::Refusal;
use crate::sim::scene::{Reply, Scene, data_event, set};

/// Reads a request. The prompt counts as the user's text.
pub(crate) fn read(request: &Map<String, Value>) -> Result<Prompt<'_>, Refusal> {
    let mut prompt = Prompt::new(prompt::model(request)?);
    let Some(text) = request.get("prompt").filter(|text| text.is_string() || text.is_array()) else {
        return Err(Refusal::bad_request("missing required parameter: 'prompt'").param("prompt"));
    };
    texts(text).for_each(|text| prompt.user(text));
    prompt.stream = request.get("stream").and_then(Value::as_bool).unwrap_or(false);
    prompt.max_output_tokens = request.get("max_tokens").and_then(Value::as_u64);
    prompt.choices = choices(request)?;
    prompt.stop = stop(request);
    Ok(prompt)
}

/// Writes the answer. It can't hold tool calls.
pub(crate) fn write(scene: &Scene<'_>) -> Reply {
    if scene.prompt.stream { Reply::events(stream(scene)) } else { Reply::json(&whole(scene)) }
}

fn whole(scene: &Scene<'_>) -> Value {
    let finish = finish_reason(&scene.answer.finish);
    let choices: Vec<Value> =
        (0..scene.prompt.choices).map(|index| choice(index, &scene.answer.text, Some(finish))).collect();
    let mut body = envelope(scene, &choices);
    set(&mut body, "usage", scene.usage(usage));
    body
}

fn stream(scene: &Scene<'_>) -> Vec<Step> {
    let finish = finish_reason(&scene.answer.finish);
    let chunk = |choice: Value| data_event(&envelope(scene, &[choice]));
    let mut steps = Vec::new();
    for index in 0..scene.prompt.choices {
        steps.push(scene.text_deltas(&chunk(choice(index, PIECE, None)), &scene.answer.text));
        steps.push(Step::event(chunk(choice(index, "", Some(finish)))));
    }
    if wants_usage(scene) {
        let mut last = envelope(scene, &[]);
        set(&mut last, "usage", Some(usage(scene.tokens)));
        steps.push(Step::event(data_event(&last)));
    }
    steps.push(Step::event("data: [DONE]\n\n".into()));
    steps
}

fn choice(index: u64, text: &str, finish: Option<&str>) -> Value {
    json!({"text": text, "index": index, "logprobs": null, "finish_reason": finish})
}

fn envelope(scene: &Scene<'_>, choices: &[Value]) -> Value {
    json!({
        "id": format!("cmpl-{}", scene.id),
        "object": "text_completion",
        "created": scene.created,
        "model": scene.prompt.model,
        "system_fingerprint": FINGERPRINT,
        "choices": choices,
    })
}

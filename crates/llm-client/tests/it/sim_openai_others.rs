//! OpenAI's completions, embeddings, models and moderations.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::sim_support::{COMPLETIONS, ask, get, sim, stream, strings, whole};

#[tokio::test]
async fn completions_are_whole_or_stream() {
    let body = json!({"model": "sim-1", "prompt": "sim:text one two"});
    let answer = ask(&sim(), COMPLETIONS, &body).await;
    assert_eq!(answer["object"], "text_completion");
    let choice = json!({"text": "one two", "index": 0, "logprobs": null, "finish_reason": "stop"});
    assert_eq!(answer["choices"], json!([choice]));
    assert_eq!(answer["usage"]["total_tokens"], 6);

    let streamed = json!({
        "model": "sim-1", "prompt": ["sim:text one two"],
        "stream": true, "stream_options": {"include_usage": true},
    });
    let events = stream(&sim(), COMPLETIONS, &streamed).await;
    let data: Vec<&Value> = events.iter().map(|(_, data)| data).collect();
    assert_eq!(strings(data.iter().copied(), "/choices/0/text"), ["one", " two", ""]);
    assert_eq!(data[2]["choices"][0]["finish_reason"], "stop");
    assert_eq!(data[3]["usage"]["completion_tokens"], 2);
    assert_eq!(*data[4], json!("[DONE]"));
}

#[tokio::test]
async fn embeddings_are_unit_vectors_in_either_encoding() {
    let body = |encoding: &str| {
        json!({
            "model": "text-embedding-3-small", "input": ["hello", "world"],
            "dimensions": 4, "encoding_format": encoding,
        })
    };
    let floats = ask(&sim(), "/v1/embeddings", &body("float")).await;
    assert_eq!(floats["usage"], json!({"prompt_tokens": 4, "total_tokens": 4}));
    let vector: Vec<f64> =
        floats["data"][1]["embedding"].as_array().unwrap().iter().filter_map(Value::as_f64).collect();
    assert_eq!(vector.len(), 4);
    assert!((vector.iter().map(|number| number * number).sum::<f64>() - 1.0).abs() < 1e-4);

    let encoded = ask(&sim(), "/v1/embeddings", &body("base64")).await;
    let raw = STANDARD.decode(encoded["data"][1]["embedding"].as_str().unwrap()).unwrap();
    let decoded: Vec<f64> =
        raw.as_chunks::<4>().0.iter().map(|bytes| f64::from(f32::from_le_bytes(*bytes))).collect();
    for (one, other) in decoded.iter().zip(&vector) {
        assert!((one - other).abs() < 1e-6);
    }
}

#[tokio::test]
async fn tokens_can_be_embedded_too() {
    for (input, tokens) in [(json!([1, 2, 3]), 3), (json!([[1], [2, 3]]), 3), (json!("12345"), 2)] {
        let answer = ask(&sim(), "/v1/embeddings", &json!({"model": "m", "input": input})).await;
        assert_eq!(answer["usage"]["prompt_tokens"], tokens, "{input}");
        assert_eq!(answer["data"][0]["embedding"].as_array().unwrap().len(), 1536);
    }
}

#[tokio::test]
async fn models_are_listed_and_every_name_is_one() {
    let list = whole(get(&sim(), "/v1/models").await).await;
    assert_eq!(list["object"], "list");
    assert_eq!(list["data"][0]["id"], "sim-1");
    let one = whole(get(&sim(), "/v1/models/gpt-4o").await).await;
    assert_eq!((&one["id"], &one["object"]), (&json!("gpt-4o"), &json!("model")));
}

#[tokio::test]
async fn moderation_flags_nothing_and_has_every_category() {
    let answer = ask(&sim(), "/v1/moderations", &json!({"input": ["a", "b"]})).await;
    assert_eq!(answer["results"].as_array().unwrap().len(), 2);
    assert_eq!(answer["results"][0]["flagged"], false);
    assert_eq!(answer["results"][0]["categories"].as_object().unwrap().len(), 13);
}

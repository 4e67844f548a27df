//! The examples of the documentation are what is really sent: message, remedy and details of each, put through the code
//! that makes such an answer, give the example again.

use std::path::Path;

use seawall_llm::{Dialect, WireError, error_body};
use seawall_types::Code;
use serde_json::Value;

fn example(code: Code) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../docs/errors/{code}.md"));
    let page = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let (_, rest) = page.split_once("```json\n").unwrap();
    serde_json::from_str(rest.split_once("```").unwrap().0).unwrap()
}

/// Whose shape it is.
fn dialect(example: &Value) -> Dialect {
    match (example.get("type"), example.get("seawall")) {
        (Some(_), _) => Dialect::Anthropic,
        (None, Some(_)) => Dialect::Gemini,
        (None, None) => Dialect::OpenAi,
    }
}

#[test]
fn every_example_is_what_the_code_makes_of_it() {
    for &code in Code::ALL {
        let example = example(code);
        let mut extra = example
            .pointer("/error/seawall")
            .or_else(|| example.get("seawall"))
            .and_then(Value::as_object)
            .unwrap_or_else(|| panic!("docs/errors/{code}.md shows nothing of ours"))
            .clone();
        let remedy = extra.remove("remedy").unwrap();
        extra.remove("code");
        let error = WireError {
            status: code.http_status(),
            code,
            message: example["error"]["message"].as_str().unwrap().into(),
            remedy: remedy.as_str().unwrap(),
            extra,
        };
        let body: Value = serde_json::from_slice(&error_body(dialect(&example), &error)).unwrap();
        assert_eq!(body, example, "docs/errors/{code}.md");
    }
}

//! Errors have the shape that each provider's SDK expects, with our part in it.

use seawall_llm::{Dialect, Wire, WireError, error_body, error_event};
use seawall_types::Code;
use serde_json::{Value, json};

fn budget_error() -> WireError<'static> {
    let extra = json!({"scope": "global", "limit_usd": "1.000000"});
    WireError {
        status: 402,
        code: Code::BudgetExceeded,
        message: "the budget \"global\" is spent".into(),
        remedy: "raise it with seawall budget set",
        extra: extra.as_object().unwrap().clone(),
    }
}

fn body(dialect: Dialect, error: &WireError<'_>) -> Value {
    serde_json::from_slice(&error_body(dialect, error)).unwrap()
}

#[test]
fn a_spent_budget_is_told_to_each_client_in_its_own_words() {
    let seawall = json!({
        "code": "BUDGET_EXCEEDED", "scope": "global", "limit_usd": "1.000000",
        "remedy": "raise it with seawall budget set",
    });
    let message = "the budget \"global\" is spent";
    assert_eq!(
        body(Dialect::OpenAi, &budget_error()),
        json!({"error": {"message": message, "type": "insufficient_quota", "code": "insufficient_quota",
            "param": null, "seawall": seawall}})
    );
    assert_eq!(
        body(Dialect::Anthropic, &budget_error()),
        json!({"type": "error", "error": {"type": "billing_error", "message": message}, "seawall": seawall})
    );
    assert_eq!(
        body(Dialect::Gemini, &budget_error()),
        json!({"error": {"code": 402, "message": message, "status": "RESOURCE_EXHAUSTED"}, "seawall": seawall})
    );
}

#[test]
fn every_status_has_the_type_that_sdks_know() {
    for (status, openai, anthropic, gemini) in [
        (400, "invalid_request_error", "invalid_request_error", "INVALID_ARGUMENT"),
        (401, "authentication_error", "authentication_error", "UNAUTHENTICATED"),
        (403, "permission_error", "permission_error", "PERMISSION_DENIED"),
        (404, "not_found_error", "not_found_error", "NOT_FOUND"),
        (413, "invalid_request_error", "request_too_large", "INVALID_ARGUMENT"),
        (429, "rate_limit_error", "rate_limit_error", "RESOURCE_EXHAUSTED"),
        (500, "api_error", "api_error", "INTERNAL"),
        (502, "api_error", "api_error", "UNAVAILABLE"),
        (503, "overloaded_error", "overloaded_error", "UNAVAILABLE"),
        (504, "api_error", "timeout_error", "DEADLINE_EXCEEDED"),
    ] {
        let error = WireError { status, code: Code::Internal, ..budget_error() };
        assert_eq!(body(Dialect::OpenAi, &error)["error"]["type"], openai, "{status}");
        assert_eq!(body(Dialect::Anthropic, &error)["error"]["type"], anthropic, "{status}");
        assert_eq!(body(Dialect::Gemini, &error)["error"]["status"], gemini, "{status}");
    }
}

#[test]
fn a_stream_ends_in_one_event_that_is_an_error_and_no_end() {
    for (wire, name, pointer) in [
        (Wire::OpenAiChat, None, "/error/message"),
        (Wire::OpenAiResponses, Some("error"), "/message"),
        (Wire::AnthropicMessages, Some("error"), "/error/message"),
        (Wire::GeminiStream, None, "/error/message"),
    ] {
        let mut splitter = seawall_llm::Splitter::new(1 << 20);
        splitter.push(error_event(wire, &budget_error()));
        let event = splitter.next_event().unwrap().unwrap();
        assert_eq!((event.event(), splitter.next_event(), splitter.finish()), (name, Ok(None), None));
        let data: Value = serde_json::from_slice(&event.data()).unwrap();
        assert_eq!(data.pointer(pointer).unwrap(), "the budget \"global\" is spent", "{wire:?}");
        let mut reader = seawall_llm::StreamReader::new(wire, false);
        let _ = reader.event(&event);
        assert!(reader.answer().failed && reader.is_complete(), "{wire:?}");
    }
}

use std::time::Duration;

use seawall_llm::dialogue::{Failure, FailureClass};
use seawall_llm::wire::{Dialect, Wire};
use seawall_llm::{WireError, error_body, error_event};
use seawall_types::Code;
use serde_json::{Map, json};

use FailureClass::{
    Authentication, Budget, ContentFilter, ContextLength, Denied, Invalid, ModelNotFound, Other, Quota,
    RateLimit, Timeout, Unavailable,
};

fn read(status: u16, body: &str) -> Failure {
    Failure::from_answer(status, |_| None, body.as_bytes())
}

/// What each provider really answers, by its documentation and by what its users report.
#[test]
fn every_providers_errors_have_their_class() {
    let cases: &[(u16, &str, FailureClass)] = &[
        // OpenAI.
        (
            401,
            r#"{"error":{"message":"Incorrect API key provided","type":"invalid_request_error","code":"invalid_api_key"}}"#,
            Authentication,
        ),
        (
            429,
            r#"{"error":{"message":"Rate limit reached for gpt-4o","type":"tokens","code":"rate_limit_exceeded"}}"#,
            RateLimit,
        ),
        (
            429,
            r#"{"error":{"message":"You exceeded your current quota","type":"insufficient_quota","code":"insufficient_quota"}}"#,
            Quota,
        ),
        (
            400,
            r#"{"error":{"message":"This model's maximum context length is 8192 tokens.","type":"invalid_request_error","code":"context_length_exceeded"}}"#,
            ContextLength,
        ),
        (
            400,
            r#"{"error":{"message":"Your input exceeds the context window of this model.","type":"invalid_request_error"}}"#,
            ContextLength,
        ),
        (
            404,
            r#"{"error":{"message":"The model `gpt-9` does not exist","type":"invalid_request_error","code":"model_not_found"}}"#,
            ModelNotFound,
        ),
        (
            400,
            r#"{"error":{"message":"Unsupported parameter","type":"invalid_request_error","code":"unsupported_parameter"}}"#,
            Invalid,
        ),
        (
            400,
            r#"{"error":{"message":"Invalid prompt","type":"invalid_request_error","code":"invalid_prompt"}}"#,
            ContentFilter,
        ),
        (500, r#"{"error":{"message":"The server had an error","type":"server_error"}}"#, Unavailable),
        (503, r#"{"error":{"message":"Overloaded","type":"server_error"}}"#, Unavailable),
        (504, r#"{"error":{"message":"too slow","type":"server_error"}}"#, Timeout),
        // Azure.
        (
            400,
            r#"{"error":{"code":"content_filter","message":"The response was filtered","innererror":{"code":"ResponsibleAIPolicyViolation"}}}"#,
            ContentFilter,
        ),
        (
            404,
            r#"{"error":{"code":"DeploymentNotFound","message":"The API deployment does not exist"}}"#,
            ModelNotFound,
        ),
        // Anthropic.
        (
            401,
            r#"{"type":"error","error":{"type":"authentication_error","message":"invalid x-api-key"}}"#,
            Authentication,
        ),
        (403, r#"{"type":"error","error":{"type":"permission_error","message":"no"}}"#, Authentication),
        (
            400,
            r#"{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 210000 tokens > 200000 maximum"}}"#,
            ContextLength,
        ),
        (
            400,
            r#"{"type":"error","error":{"type":"invalid_request_error","message":"input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000"}}"#,
            ContextLength,
        ),
        (
            400,
            r#"{"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is too low to access the Anthropic API"}}"#,
            Quota,
        ),
        (
            400,
            r#"{"type":"error","error":{"type":"invalid_request_error","message":"Output blocked by content filtering policy"}}"#,
            ContentFilter,
        ),
        (
            400,
            r#"{"type":"error","error":{"type":"invalid_request_error","message":"messages: roles must alternate"}}"#,
            Invalid,
        ),
        (
            404,
            r#"{"type":"error","error":{"type":"not_found_error","message":"model: claude-9"}}"#,
            ModelNotFound,
        ),
        (
            413,
            r#"{"type":"error","error":{"type":"request_too_large","message":"Request exceeds the maximum size"}}"#,
            ContextLength,
        ),
        (429, r#"{"type":"error","error":{"type":"rate_limit_error","message":"slow down"}}"#, RateLimit),
        (402, r#"{"type":"error","error":{"type":"billing_error","message":"pay"}}"#, Quota),
        (529, r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#, Unavailable),
        (504, r#"{"type":"error","error":{"type":"timeout_error","message":"too slow"}}"#, Timeout),
        // Gemini.
        (
            400,
            r#"{"error":{"code":400,"message":"API key not valid.","status":"INVALID_ARGUMENT","details":[{"reason":"API_KEY_INVALID"}]}}"#,
            Authentication,
        ),
        (
            400,
            r#"{"error":{"code":400,"message":"The input token count (1198983) exceeds the maximum number of tokens allowed (1048576).","status":"INVALID_ARGUMENT"}}"#,
            ContextLength,
        ),
        (400, r#"[{"error":{"code":400,"message":"Unknown name","status":"INVALID_ARGUMENT"}}]"#, Invalid),
        (403, r#"{"error":{"code":403,"message":"no","status":"PERMISSION_DENIED"}}"#, Authentication),
        (
            404,
            r#"{"error":{"code":404,"message":"models/gemini-9 is not found","status":"NOT_FOUND"}}"#,
            ModelNotFound,
        ),
        (
            429,
            r#"{"error":{"code":429,"message":"You exceeded your current quota","status":"RESOURCE_EXHAUSTED","details":[{"violations":[{"quotaId":"GenerateRequestsPerMinutePerProject"}]}]}}"#,
            RateLimit,
        ),
        (
            429,
            r#"{"error":{"code":429,"message":"You exceeded your current quota","status":"RESOURCE_EXHAUSTED","details":[{"violations":[{"quotaId":"GenerateRequestsPerDayPerProject"}]}]}}"#,
            Quota,
        ),
        (
            503,
            r#"{"error":{"code":503,"message":"The model is overloaded.","status":"UNAVAILABLE"}}"#,
            Unavailable,
        ),
        (504, r#"{"error":{"code":504,"message":"Deadline","status":"DEADLINE_EXCEEDED"}}"#, Timeout),
        // Others that speak like OpenAI.
        (
            400,
            r#"{"error":{"message":"the request exceeds the available context size","type":"exceed_context_size_error","code":400}}"#,
            ContextLength,
        ),
        (
            402,
            r#"{"error":{"message":"Insufficient Balance","type":"unknown_error","code":"invalid_request_error"}}"#,
            Quota,
        ),
        (
            400,
            r#"{"object":"error","message":"This model's maximum context length is 4096 tokens","type":"BadRequestError","code":400}"#,
            ContextLength,
        ),
        // No report at all.
        (502, "<html>Bad Gateway</html>", Unavailable),
        (429, "", RateLimit),
        (408, "", Timeout),
        (409, "", Unavailable),
        (404, "Not Found", Invalid),
        (302, "", Other),
    ];
    for (status, body, class) in cases {
        let failure = read(*status, body);
        assert_eq!(failure.class, *class, "{status} {body}");
        assert_eq!(failure.retryable, matches!(class, RateLimit | Timeout | Unavailable), "{status} {body}");
        assert!(!failure.message.is_empty());
    }
}

#[test]
fn our_own_refusals_keep_their_code_in_every_shape() {
    for (code, class, retryable) in [
        (Code::BudgetExceeded, Budget, false),
        (Code::TokensExceeded, Budget, false),
        (Code::BurnRateExceeded, Budget, true),
        (Code::RateLimited, RateLimit, true),
        (Code::ModelNotAllowed, Denied, false),
        (Code::SecretFound, Denied, false),
        (Code::InjectionSuspected, Denied, false),
        (Code::ApprovalDenied, Denied, false),
        (Code::Forbidden, Denied, false),
        (Code::KeyRevoked, Authentication, false),
        (Code::NoUpstream, ModelNotFound, false),
        (Code::BadRequest, Invalid, false),
        (Code::BodyTooLarge, ContextLength, false),
        (Code::UpstreamTimeout, Timeout, true),
        (Code::UpstreamBroken, Unavailable, true),
        (Code::Overloaded, Unavailable, true),
        (Code::LedgerUnavailable, Unavailable, true),
    ] {
        let extra: Map<String, _> = serde_json::from_value(json!({"retry_after": 1.5})).unwrap();
        let status = code.http_status();
        let error = WireError { status, code, message: "why".into(), remedy: "do", extra };
        for dialect in [Dialect::OpenAi, Dialect::Anthropic, Dialect::Gemini] {
            let failure = Failure::from_answer(status, |_| None, &error_body(dialect, &error));
            let told = (failure.class, failure.retryable, failure.code, failure.message.as_str());
            assert_eq!(told, (class, retryable, Some(code), "why"), "{dialect:?}");
            assert_eq!(failure.retry_after, Some(Duration::from_millis(1_500)));
        }
        for wire in [Wire::OpenAiChat, Wire::OpenAiResponses, Wire::AnthropicMessages, Wire::GeminiStream] {
            let event = error_event(wire, &error);
            let data =
                std::str::from_utf8(&event).unwrap().lines().find_map(|line| line.strip_prefix("data: "));
            let failure = Failure::from_event(data.unwrap().as_bytes());
            assert_eq!(
                (failure.class, failure.code, failure.retryable),
                (class, Some(code), retryable),
                "{wire:?}"
            );
        }
    }
}

#[test]
fn every_code_of_ours_has_a_class() {
    for code in Code::ALL {
        let error =
            WireError { status: 500, code: *code, message: "m".into(), remedy: "", extra: Map::new() };
        let failure =
            Failure::from_answer(code.http_status(), |_| None, &error_body(Dialect::OpenAi, &error));
        assert_ne!(failure.class, Other, "{code}");
        assert_eq!(failure.code, Some(*code));
    }
}

#[test]
fn the_provider_says_how_long_to_wait_and_whether_at_all() {
    let wait = |name: &'static str, value: &'static str, body: &str| {
        Failure::from_answer(429, |wanted| (wanted == name).then_some(value), body.as_bytes()).retry_after
    };
    let delay = r#"{"error":{"code":429,"message":"m","details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"17.5s"}]}}"#;
    for (name, value, body, expected) in [
        ("retry-after", "2", "", Some(2_000)),
        ("retry-after", "0.5", "", Some(500)),
        ("retry-after-ms", "250", "", Some(250)),
        ("retry-after", "-1", "", None),
        ("retry-after", "1e300", "", None),
        ("retry-after", "Fri, 31 Dec 1999 23:59:59 GMT", "", None),
        ("other", "1", delay, Some(17_500)),
        ("retry-after", "3", delay, Some(3_000)),
    ] {
        assert_eq!(wait(name, value, body), expected.map(Duration::from_millis), "{name}: {value}");
    }
    for (value, status, expected) in [("false", 500, false), ("true", 400, true)] {
        let failure = Failure::from_answer(status, |name| (name == "x-should-retry").then_some(value), b"");
        assert_eq!(failure.retryable, expected);
    }
}

#[test]
fn a_message_is_bounded_and_holds_no_credential() {
    let key = ["sk-", "abc123def456ghi789"].concat();
    let body =
        json!({"error": {"message": format!("Incorrect API key provided: {key}. {}", "é".repeat(9_000))}});
    let failure = read(401, &body.to_string());
    assert!(!failure.message.contains(&key) && failure.message.len() <= 1_100, "{}", failure.message.len());
    let page = read(502, &format!("<html>{key}{}", "é".repeat(9_000)));
    assert!(!page.message.contains(&key) && page.message.len() < 1_000);
}

#[test]
fn the_documentation_has_every_class_and_says_truly_what_is_tried_again() {
    let page = include_str!("../../../../../docs/models.md");
    let rows =
        page.lines().skip_while(|line| *line != "## Failures").filter_map(|line| line.strip_prefix("| `"));
    let told: Vec<(&str, bool)> =
        rows.map(|row| (row.split('`').next().unwrap(), row.ends_with("| yes |"))).collect();
    let known = FailureClass::ALL.map(|class| (class.as_str(), class.is_transient()));
    assert_eq!(told, known);
}

#[test]
fn a_failure_says_its_class_and_its_reason() {
    let failure = read(529, r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#);
    assert_eq!(failure.to_string(), "unavailable: Overloaded");
}

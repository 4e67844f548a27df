//! Which class an error belongs to: by our own code, else by the provider's words for it, else by its status.

use seawall_types::Code;

use super::FailureClass;
use super::report::Report;

/// What providers say when a conversation is too long, in small letters. Each is from an error of theirs or of a server that
/// many run: OpenAI, Azure, Mistral and vLLM; Anthropic; Bedrock; Gemini; llama.cpp; Groq; xAI; Ollama and LM Studio.
const TOO_LONG: &[&str] = &[
    "maximum context length",
    "exceeds the context window",
    "context window exceeds",
    "context length exceeded",
    "context_length_exceeded",
    "exceed context limit",
    "exceeds the available context size",
    "exceeds the model's context",
    "greater than the context length",
    "prompt is too long",
    "input is too long",
    "input token count",
    "maximum number of tokens allowed",
    "maximum prompt length",
    "reduce the length of the messages",
    "too large for model with",
];

/// The words of a provider for a kind of error, and a part of its text where words are not enough. The first that fits counts.
struct Sign {
    class: FailureClass,
    words: &'static [&'static str],
    texts: &'static [&'static str],
}

const SIGNS: &[Sign] = &[
    Sign {
        class: FailureClass::ContextLength,
        words: &[
            "context_length_exceeded",
            "request_too_large",
            "string_above_max_length",
            "exceed_context_size_error",
        ],
        texts: TOO_LONG,
    },
    Sign {
        class: FailureClass::ContentFilter,
        words: &[
            "content_filter",
            "content_policy_violation",
            "responsibleaipolicyviolation",
            "invalid_prompt",
            "data_inspection_failed",
        ],
        texts: &[
            "content filtering policy",
            "content management policy",
            "flagged by our safety",
            "violating our usage policy",
        ],
    },
    Sign {
        class: FailureClass::Quota,
        words: &["insufficient_quota", "billing_error", "billing_hard_limit_reached", "insufficient_balance"],
        texts: &["credit balance is too low", "insufficient balance"],
    },
    Sign {
        class: FailureClass::Authentication,
        words: &[
            "authentication_error",
            "invalid_api_key",
            "permission_error",
            "api_key_invalid",
            "unauthenticated",
            "permission_denied",
        ],
        texts: &["api key not valid", "incorrect api key"],
    },
    Sign {
        class: FailureClass::ModelNotFound,
        words: &["model_not_found", "model_not_available", "deploymentnotfound"],
        texts: &[],
    },
    Sign {
        class: FailureClass::RateLimit,
        words: &["rate_limit_error", "rate_limit_exceeded", "resource_exhausted", "too_many_requests"],
        texts: &[],
    },
    Sign {
        class: FailureClass::Timeout,
        words: &["timeout_error", "deadline_exceeded", "timeout"],
        texts: &[],
    },
    Sign {
        class: FailureClass::Unavailable,
        words: &[
            "overloaded_error",
            "server_error",
            "api_error",
            "internal_server_error",
            "unavailable",
            "internal",
        ],
        texts: &[],
    },
    Sign {
        class: FailureClass::Invalid,
        words: &["invalid_request_error", "invalid_argument", "failed_precondition"],
        texts: &[],
    },
];

pub(super) fn class(status: Option<u16>, report: &Report) -> FailureClass {
    if let Some(code) = report.seawall {
        return ours(code);
    }
    let text = report.text.as_deref().unwrap_or_default().to_lowercase();
    let fits = |sign: &&Sign| {
        let has_word = report.words.iter().any(|word| sign.words.contains(&word.as_str()));
        has_word || sign.texts.iter().any(|part| text.contains(part))
    };
    let by_words = SIGNS.iter().find(fits).map(|sign| sign.class);
    match (by_words, status) {
        // A day's allowance does not come back by waiting a minute (Gemini calls both exhausted resources).
        (Some(FailureClass::RateLimit), _) if report.words.iter().any(|word| word.contains("perday")) => {
            FailureClass::Quota
        }
        // "Invalid" is said of everything; the status may know better.
        (Some(FailureClass::Invalid) | None, Some(404)) if text.contains("model") => {
            FailureClass::ModelNotFound
        }
        // As is that something is wrong with the server.
        (Some(FailureClass::Unavailable), Some(408 | 504)) => FailureClass::Timeout,
        (Some(FailureClass::Invalid) | None, Some(status)) => by_status(status),
        (Some(class), _) => class,
        (None, None) => FailureClass::Other,
    }
}

const fn by_status(status: u16) -> FailureClass {
    match status {
        401 | 403 => FailureClass::Authentication,
        402 => FailureClass::Quota,
        408 | 504 => FailureClass::Timeout,
        413 => FailureClass::ContextLength,
        429 => FailureClass::RateLimit,
        400..=499 if status != 409 => FailureClass::Invalid,
        // A conflict on a model call is the provider's own; its SDKs try again too.
        409 | 500..=599 => FailureClass::Unavailable,
        _ => FailureClass::Other,
    }
}

/// The gateway's own refusals. What a policy finds is a denial, whatever it found.
const fn ours(code: Code) -> FailureClass {
    match code {
        Code::BudgetExceeded | Code::BurnRateExceeded | Code::TokensExceeded => FailureClass::Budget,
        Code::RateLimited => FailureClass::RateLimit,
        Code::Timeout | Code::RequestTimeout | Code::UpstreamTimeout => FailureClass::Timeout,
        Code::Unauthenticated | Code::KeyExpired | Code::KeyRevoked => FailureClass::Authentication,
        Code::NoUpstream => FailureClass::ModelNotFound,
        Code::BodyTooLarge => FailureClass::ContextLength,
        Code::BadRequest
        | Code::HeadersTooLarge
        | Code::NotFound
        | Code::MethodNotAllowed
        | Code::WebsocketRefused => FailureClass::Invalid,
        _ => match code.http_status() {
            500..=599 => FailureClass::Unavailable,
            _ => FailureClass::Denied,
        },
    }
}

/// By class; and a budget for each minute has something left in the next.
pub(super) fn is_retryable(class: FailureClass, report: &Report) -> bool {
    class.is_transient() || report.seawall == Some(Code::BurnRateExceeded)
}

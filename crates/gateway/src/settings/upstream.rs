//! An upstream as it is configured.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use seawall_config::Reader;
use seawall_llm::request::LimitName;
use seawall_llm::wire::Dialect;
use seawall_llm_client::{BaseUrl, BreakerSettings, Credentials, Timeouts, UpstreamSettings};
use seawall_types::Secret;

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(86_400);

/// `upstreams[]`.
#[derive(Debug, Clone)]
pub struct UpstreamEntry {
    /// Everything but the address.
    pub settings: UpstreamSettings,
    /// The address; `None`: the simulated provider in this process (`base_url: "sim:"`).
    pub base_url: Option<BaseUrl>,
}

/// The time-outs that hold unless others are configured.
#[must_use]
pub fn default_timeouts() -> Timeouts {
    Timeouts { connect: 5 * SECOND, first_byte: 60 * SECOND, idle: 60 * SECOND, total: 600 * SECOND }
}

#[derive(Clone, Copy, PartialEq)]
enum Auth {
    Key,
    Passthrough,
    None,
}

pub(super) fn declare(reader: &mut Reader<'_>) -> UpstreamEntry {
    let name = reader.required_text("name", "The name, for routes, metrics and the trace.");
    let kinds = [
        ("openai", Some(Dialect::OpenAi)),
        ("anthropic", Some(Dialect::Anthropic)),
        ("gemini", Some(Dialect::Gemini)),
        ("any", None),
    ];
    let dialect = reader.choice("kind", "Whose wire formats it speaks; any: all of them.", None, &kinds);
    let address =
        reader.required_text("base_url", "Its URL, with or without /v1; `sim:` is the simulated provider.");
    let base_url = base_url(reader, &address);
    let credentials = credentials(reader);
    let models =
        reader.parsed_list("models", "Models that it serves; one `*` stands for any text; default: all.");
    let weight = number(reader, "weight", "Its share among those of the same priority.", 1, 0);
    let priority = number(reader, "priority", "Lower is tried first.", 1, 0);
    let headers = headers(reader);
    let in_flight = reader.integer("max_in_flight", "Calls at the same time.", 1_000, 1..=1_000_000);
    let timeouts = reader.section("timeouts", "How long to wait for it.", timeouts);
    let (retry_attempts, retry_budget) = reader.section("retries", "Trying again.", |retries| {
        let attempts = number(retries, "attempts", "Tries after the first.", 2, 0);
        (attempts, retries.number("budget", "Retries for each request, over all.", 0.1, 0.0..=1.0))
    });
    let breaker = reader.section("breaker", "When to leave it alone.", |breaker| BreakerSettings {
        failures: number(breaker, "failures", "Failures in a row that open it; 0: never.", 5, 0),
        open: breaker.duration("open", "How long before one call probes.", 30 * SECOND, SECOND / 10..=DAY),
    });
    let output_limit = output_limit(reader, base_url.as_ref());
    let include_usage =
        reader.boolean("include_usage", "Whether it may be asked for usage in streams.", true);
    let settings = UpstreamSettings {
        name,
        dialect,
        credentials,
        models,
        weight,
        priority,
        headers,
        max_in_flight: usize::try_from(in_flight).unwrap_or(usize::MAX),
        timeouts,
        retry_attempts,
        retry_budget,
        breaker,
        output_limit,
        include_usage,
    };
    UpstreamEntry { settings, base_url }
}

/// What the upstream calls the limit of an answer. OpenAI refuses the older name for models that reason; of the many
/// that speak like it, most know that name only, and ignore or refuse the other.
fn output_limit(reader: &mut Reader<'_>, base_url: Option<&BaseUrl>) -> LimitName {
    let is_openai = base_url.is_none_or(|url| {
        let host = url.host().to_ascii_lowercase();
        ["openai.com", "azure.com"]
            .iter()
            .any(|known| host.strip_suffix(known).is_some_and(|rest| rest.is_empty() || rest.ends_with('.')))
    });
    let names =
        [("max_tokens", LimitName::MaxTokens), ("max_completion_tokens", LimitName::MaxCompletionTokens)];
    let doc = "What it calls the output limit of a chat: where a budget or a policy relies on one, it stands in the request under this name; default: max_completion_tokens for OpenAI, Azure and sim:, max_tokens for all others.";
    let default = if is_openai { LimitName::MaxCompletionTokens } else { LimitName::MaxTokens };
    reader.optional_choice("output_limit", doc, &names).unwrap_or(default)
}

fn number(reader: &mut Reader<'_>, key: &str, doc: &str, default: u64, least: u64) -> u32 {
    u32::try_from(reader.integer(key, doc, default, least..=1_000_000)).unwrap_or(u32::MAX)
}

fn base_url(reader: &mut Reader<'_>, address: &str) -> Option<BaseUrl> {
    if address == "sim:" || address.is_empty() {
        return None; // An absent one is an error of its own.
    }
    address
        .parse()
        .map_err(|error| {
            reader.error("base_url", format!("{error}"), "for example https://api.openai.com/v1")
        })
        .ok()
}

fn credentials(reader: &mut Reader<'_>) -> Credentials {
    let key = reader.secret("api_key", "The key that is sent to it; write ${VARIABLE}.");
    let choices = [("key", Auth::Key), ("passthrough", Auth::Passthrough), ("none", Auth::None)];
    let doc = "Whose key it gets: key (api_key), passthrough (the caller's) or none; default: key where there is one.";
    let chosen = reader.optional_choice("auth", doc, &choices);
    match (chosen, key) {
        // Files of secrets end in a line break, which no header can hold.
        (Some(Auth::Key) | None, Some(key)) => Credentials::Key(Secret::new(key.expose().trim().to_owned())),
        (Some(Auth::Key), None) => {
            reader.error(
                "api_key",
                "auth: key needs an api_key",
                "set api_key: ${VARIABLE}, or auth: passthrough",
            );
            Credentials::None
        }
        (Some(Auth::Passthrough), _) | (None, None) => Credentials::Passthrough,
        (Some(Auth::None), _) => Credentials::None,
    }
}

fn headers(reader: &mut Reader<'_>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in reader.secret_map("headers", "Headers that every request to it gets.") {
        match (name.parse::<HeaderName>(), HeaderValue::from_str(value.expose())) {
            (Ok(name), Ok(mut value)) => {
                value.set_sensitive(true);
                headers.insert(name, value);
            }
            _ => reader.error(
                "headers",
                format!("{name:?} or its value can't be a header"),
                "use printable ASCII",
            ),
        }
    }
    headers
}

fn timeouts(reader: &mut Reader<'_>) -> Timeouts {
    let standard = default_timeouts();
    let least = SECOND / 100;
    Timeouts {
        connect: reader.duration("connect", "For a connection, TLS included.", standard.connect, least..=DAY),
        first_byte: reader.duration(
            "first_byte",
            "Until its answer begins.",
            standard.first_byte,
            least..=DAY,
        ),
        idle: reader.duration("idle", "Between two pieces of its answer.", standard.idle, least..=DAY),
        total: reader.duration("total", "For the whole call, retries included.", standard.total, least..=DAY),
    }
}

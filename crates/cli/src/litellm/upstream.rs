//! The upstreams: one for each provider, address, key and way of treating it.

use std::collections::BTreeMap;
use std::time::Duration;

use seawall_config::units::format_duration;
use seawall_llm_client::BaseUrl;
use seawall_types::Pattern;
use serde_json::{Map, Value, json};

use super::provider::{Found, OPENAI_ALIKE, Provider, find};
use super::source::{Notes, Section, literal, reference, variable};

/// The longest time-out that an upstream can have.
const DAY: f64 = 86_400.0;

/// Whose key an upstream gets. The key itself is never shown and never written.
#[derive(PartialEq)]
enum Key {
    /// What this reference stands for.
    Reference(String),
    /// One that stands in the file in clear.
    InClear(String),
    None,
}

/// How an upstream is treated.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Treatment {
    pub(super) timeouts: Map<String, Value>,
    pub(super) attempts: Option<u64>,
    pub(super) breaker: Map<String, Value>,
    pub(super) max_in_flight: Option<u64>,
}

impl Treatment {
    /// What is not said here as it is said there.
    fn or(mut self, standard: &Self) -> Self {
        for (key, value) in &standard.timeouts {
            self.timeouts.entry(key.clone()).or_insert_with(|| value.clone());
        }
        Self {
            attempts: self.attempts.or(standard.attempts),
            breaker: standard.breaker.clone(),
            max_in_flight: self.max_in_flight.or(standard.max_in_flight),
            ..self
        }
    }
}

/// An upstream in the making.
pub(super) struct Upstream {
    pub(super) name: String,
    pub(super) kind: &'static str,
    base_url: String,
    key: Key,
    headers: BTreeMap<String, String>,
    treatment: Treatment,
    /// The names that clients may ask it for; `None`: any.
    pub(super) models: Option<Vec<String>>,
}

/// All upstreams so far.
#[derive(Default)]
pub(super) struct Upstreams(pub(super) Vec<Upstream>);

impl Upstreams {
    /// The upstream that these parameters describe, by its index, and the model's name there. `None`: there can be none,
    /// and a note says why.
    pub(super) fn add(&mut self, params: &Section<'_>, standard: &Treatment) -> Option<(usize, String)> {
        let model = params.text("model").or_else(|| {
            params.skip("model", "is absent, so nothing can be called");
            None
        })?;
        let named = params.text("custom_llm_provider");
        let address = params.text("api_base").or_else(|| params.text("base_url"));
        let (provider, prefix, name) = provider(params, &model, named.as_deref(), address.is_some())?;
        let base_url = base_url(params, &provider, address)?;
        let upstream = Upstream {
            name: self.free_name(&prefix),
            kind: provider.kind,
            base_url,
            key: key(params, &provider),
            headers: headers(params),
            treatment: treatment(params).or(standard),
            models: Some(Vec::new()),
        };
        let same = |other: &Upstream| {
            (other.kind, &other.base_url, &other.key) == (upstream.kind, &upstream.base_url, &upstream.key)
                && (&other.headers, &other.treatment) == (&upstream.headers, &upstream.treatment)
        };
        let index = self.0.iter().position(same).unwrap_or(self.0.len());
        if index == self.0.len() {
            self.0.push(upstream);
        }
        Some((index, name))
    }

    /// The provider's name, with a number where it is taken.
    fn free_name(&self, prefix: &str) -> String {
        let is_good = |c: &char| c.is_ascii_alphanumeric() || "-_".contains(*c);
        let prefix: String = prefix.chars().filter(is_good).take(40).collect();
        let prefix = if prefix.is_empty() { "upstream".to_owned() } else { prefix };
        let numbered = (2..).map(|number| format!("{prefix}-{number}"));
        std::iter::once(prefix.clone())
            .chain(numbered)
            .find(|name| self.0.iter().all(|upstream| upstream.name != *name))
            .unwrap_or_default()
    }
}

impl Upstream {
    /// Lets clients ask it for this name.
    pub(super) fn serve(&mut self, model: &str) {
        if let Some(models) = &mut self.models
            && !models.iter().any(|known| known == model)
        {
            models.push(model.to_owned());
        }
    }

    /// Whether it is one of those that a request for this name may go to where no route says otherwise.
    pub(super) fn answers_to(&self, name: &str) -> bool {
        let matches = |text: &String| text.parse::<Pattern>().is_ok_and(|pattern| pattern.matches(name));
        self.models.as_ref().is_none_or(|models| models.iter().any(matches))
    }

    /// Whether nobody can ask it for anything. An empty list of models would let everybody ask for all.
    pub(super) fn is_idle(&self) -> bool {
        self.models.as_ref().is_some_and(Vec::is_empty)
    }

    /// As it stands in the configuration.
    pub(super) fn to_value(&self, notes: &Notes) -> Value {
        let mut map = Map::new();
        let mut set = |key: &str, value: Value| map.insert(key.to_owned(), value);
        set("name", json!(self.name));
        set("kind", json!(self.kind));
        set("base_url", json!(self.base_url));
        match &self.key {
            Key::Reference(reference) => set("api_key", json!(reference)),
            Key::InClear(_withheld) => {
                // Not a name that the key of another upstream may have.
                let name = format!("UPSTREAM_KEY_{}", self.name.to_uppercase().replace('-', "_"));
                notes.skip(
                    format_args!("the key of upstream {}", self.name),
                    format_args!("it stands there in clear; put it into the environment as {name}"),
                );
                set("api_key", json!(variable(&name)))
            }
            Key::None => set("auth", json!("none")),
        };
        if let Some(models) = &self.models {
            set("models", json!(models));
        }
        if !self.headers.is_empty() {
            set("headers", json!(self.headers));
        }
        let Treatment { timeouts, attempts, breaker, max_in_flight } = &self.treatment;
        if !timeouts.is_empty() {
            set("timeouts", json!(timeouts));
        }
        if let Some(attempts) = attempts {
            set("retries", json!({ "attempts": attempts }));
        }
        if !breaker.is_empty() {
            set("breaker", json!(breaker));
        }
        if let Some(most) = max_in_flight {
            set("max_in_flight", json!(most));
        }
        Value::Object(map)
    }
}

fn provider(
    params: &Section<'_>,
    model: &str,
    named: Option<&str>,
    has_address: bool,
) -> Option<(Provider, String, String)> {
    let found =
        |provider: Provider, prefix: &str, name: &str| Some((provider, prefix.to_owned(), name.to_owned()));
    let refused = |why: String| {
        params.skip("model", why);
        None
    };
    match find(model, named) {
        Found::Known(provider, name) => found(*provider, provider.prefix, name),
        Found::Unknown(prefix, name) if has_address => found(OPENAI_ALIKE, prefix, name),
        Found::Nobody if has_address => found(OPENAI_ALIKE, "upstream", model),
        Found::Unknown(prefix, _) => {
            refused(format!("the provider {prefix:?} is not known, and no api_base is given"))
        }
        Found::Foreign(prefix) => {
            refused(format!("{prefix:?} speaks none of the wire formats here, and there is no translation"))
        }
        Found::Nobody => refused("no provider is named, and no api_base is given".to_owned()),
    }
}

fn base_url(params: &Section<'_>, provider: &Provider, address: Option<String>) -> Option<String> {
    let Some(address) = address else {
        if provider.base_url.is_none() {
            params.skip("api_base", "is absent, and this provider has no address of its own");
        }
        return provider.base_url.map(str::to_owned);
    };
    let address = address.trim_end_matches('/').to_owned();
    // What a reference stands for is known when the program starts.
    let is_known = !address.starts_with("${");
    if is_known && let Err(error) = address.parse::<BaseUrl>() {
        params.skip("api_base", error);
        return None;
    }
    if provider.prefix == "azure" {
        if params.take("api_version").is_some() {
            let why = "is not sent: calls go to /openai/v1 there, whose models are the names of deployments";
            params.skip("api_version", why);
        }
        return Some(if address.ends_with("/v1") { address } else { format!("{address}/openai/v1") });
    }
    // There, an ollama is named by its address alone.
    let has_version = address.ends_with("/v1") || provider.prefix.starts_with("ollama");
    if is_known && provider.kind == "openai" && !has_version {
        params.skip("api_base", format_args!("does not end in /v1, and calls go to {address}/v1/…"));
    }
    Some(address)
}

fn key(params: &Section<'_>, provider: &Provider) -> Key {
    match params.take("api_key") {
        Some(Value::String(text)) if reference(text).is_some() => {
            reference(text).map_or(Key::None, Key::Reference)
        }
        Some(Value::String(text)) if !text.is_empty() => Key::InClear(text.clone()),
        Some(Value::String(_)) | None => {
            provider.key.map_or(Key::None, |name| Key::Reference(variable(name)))
        }
        Some(_) => {
            params.skip("api_key", "is no text");
            Key::None
        }
    }
}

fn headers(params: &Section<'_>) -> BTreeMap<String, String> {
    let mut headers = BTreeMap::new();
    if let Some(organization) = params.text("organization") {
        headers.insert("openai-organization".to_owned(), organization);
    }
    let Some(Value::Object(extra)) = params.take("extra_headers") else { return headers };
    for (name, value) in extra {
        let reference = value.as_str().and_then(reference);
        let lower = name.to_lowercase();
        let is_secret = ["auth", "key", "token", "secret"].iter().any(|word| lower.contains(word));
        match (reference, value.as_str()) {
            (Some(reference), _) => drop(headers.insert(lower, reference)),
            (None, Some(text)) if !is_secret => drop(headers.insert(lower, literal(text))),
            _ => params.skip(
                &format!("extra_headers.{name}"),
                "may be a secret: put it into the environment, and `${NAME}` into the upstream's headers",
            ),
        }
    }
    headers
}

fn treatment(params: &Section<'_>) -> Treatment {
    let timeouts = timeouts(params, "timeout");
    let attempts = params.integer("num_retries").or_else(|| params.integer("max_retries"));
    let max_in_flight = params.integer("max_parallel_requests").filter(|most| *most > 0);
    Treatment { timeouts, attempts, breaker: Map::new(), max_in_flight }
}

/// `timeout` is for a whole answer, whose first byte comes as late as its last when it is not streamed; `stream_timeout`
/// is between two pieces of a stream.
pub(super) fn timeouts(section: &Section<'_>, whole: &str) -> Map<String, Value> {
    let mut timeouts = Map::new();
    if let Some(time) = duration(section, whole) {
        timeouts.insert("first_byte".to_owned(), json!(time));
        timeouts.insert("total".to_owned(), json!(time));
    }
    if let Some(time) = duration(section, "stream_timeout") {
        timeouts.insert("idle".to_owned(), json!(time));
    }
    timeouts
}

/// Seconds, as a duration is written here.
pub(super) fn duration(section: &Section<'_>, key: &str) -> Option<String> {
    let seconds = section.number(key)?;
    if seconds < 0.01 {
        section.skip(key, "is too short to be a time-out");
        return None;
    }
    let millis = Duration::try_from_secs_f64(seconds.min(DAY)).ok()?.as_millis();
    u64::try_from(millis).ok().map(Duration::from_millis).map(format_duration)
}

//! Which wire format a path speaks.
//!
//! Paths come without our own prefixes (`/openai`, `/u/NAME`). They are matched after percent-decoding, without
//! regard to case and to one slash at the end, because upstreams differ in that: a spelling that an upstream
//! understands and we do not would pass unmetered. Choosing an upstream for a path is the gateway's.

mod model;

use std::borrow::Cow;
use std::ops::Range;

use smallvec::SmallVec;

pub use self::model::with_model;

/// Whose error shape, authentication header and price names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// OpenAI and the many that speak like it.
    OpenAi,
    /// Anthropic.
    Anthropic,
    /// Google's Gemini API.
    Gemini,
}

/// A wire format: what request and answer look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Wire {
    /// `POST /v1/chat/completions`
    OpenAiChat,
    /// `POST /v1/responses`
    OpenAiResponses,
    /// `POST /v1/responses/compact`: a conversation made shorter by a model. Takes no output limit.
    OpenAiCompact,
    /// `POST /v1/completions`
    OpenAiCompletions,
    /// `POST /v1/embeddings`
    OpenAiEmbeddings,
    /// `POST /v1/messages`
    AnthropicMessages,
    /// `POST /v1/messages/count_tokens`
    AnthropicCountTokens,
    /// `POST /v1beta/models/{model}:generateContent`
    GeminiGenerate,
    /// `POST /v1beta/models/{model}:streamGenerateContent`
    GeminiStream,
    /// `POST /v1beta/models/{model}:countTokens`
    GeminiCountTokens,
    /// `POST /v1beta/models/{model}:embedContent` and `:batchEmbedContents`
    GeminiEmbed,
    /// Anything else: passed through.
    Other,
}

impl Wire {
    /// Whose dialect this is. [`Wire::Other`] says OpenAI; [`Endpoint::dialect`] knows better.
    #[must_use]
    pub const fn dialect(self) -> Dialect {
        match self {
            Self::OpenAiChat
            | Self::OpenAiResponses
            | Self::OpenAiCompact
            | Self::OpenAiCompletions
            | Self::OpenAiEmbeddings
            | Self::Other => Dialect::OpenAi,
            Self::AnthropicMessages | Self::AnthropicCountTokens => Dialect::Anthropic,
            Self::GeminiGenerate | Self::GeminiStream | Self::GeminiCountTokens | Self::GeminiEmbed => {
                Dialect::Gemini
            }
        }
    }

    /// The name used in traces and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OpenAiChat => "openai_chat",
            Self::OpenAiResponses => "openai_responses",
            Self::OpenAiCompact => "openai_compact",
            Self::OpenAiCompletions => "openai_completions",
            Self::OpenAiEmbeddings => "openai_embeddings",
            Self::AnthropicMessages => "anthropic_messages",
            Self::AnthropicCountTokens => "anthropic_count_tokens",
            Self::GeminiGenerate => "gemini_generate",
            Self::GeminiStream => "gemini_stream",
            Self::GeminiCountTokens => "gemini_count_tokens",
            Self::GeminiEmbed => "gemini_embed",
            Self::Other => "other",
        }
    }

    /// Whether the model writes tokens.
    #[must_use]
    pub const fn has_output(self) -> bool {
        matches!(
            self,
            Self::OpenAiChat
                | Self::OpenAiResponses
                | Self::OpenAiCompact
                | Self::OpenAiCompletions
                | Self::AnthropicMessages
                | Self::GeminiGenerate
                | Self::GeminiStream
        )
    }

    /// Whether a request can say how long the answer may be.
    #[must_use]
    pub const fn takes_output_limit(self) -> bool {
        self.has_output() && !matches!(self, Self::OpenAiCompact)
    }

    /// Whether a call costs money by the token: counting tokens is free, and of [`Wire::Other`] nothing is known.
    #[must_use]
    pub const fn is_metered(self) -> bool {
        self.has_output() || matches!(self, Self::OpenAiEmbeddings | Self::GeminiEmbed)
    }
}

/// Whether a call costs money, as far as its path and method tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Billing {
    /// By the token: the wire format says how many.
    ByToken,
    /// No provider bills it.
    Free,
    /// It may cost anything.
    Unknown,
}

/// What a path leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint<'p> {
    /// The wire format.
    pub wire: Wire,
    /// Whose dialect errors are written in, also for [`Wire::Other`].
    pub dialect: Dialect,
    /// The model, where the path names it (Gemini), percent-decoded.
    pub model: Option<Cow<'p, str>>,
    /// Where that stands in the path, for [`with_model`].
    pub model_place: Option<Range<usize>>,
    /// The path as a template: a bounded label.
    pub route: &'static str,
    /// The methods that exist; empty when that is the upstream's business.
    pub allowed: &'static [&'static str],
    /// Known to cost nothing, whatever the method.
    pub free: bool,
}

impl Endpoint<'_> {
    const fn new(wire: Wire, route: &'static str, allowed: &'static [&'static str]) -> Self {
        let dialect = wire.dialect();
        Self { wire, dialect, model: None, model_place: None, route, allowed, free: false }
    }

    /// With where the model stands in its path, where that names one.
    fn placed(mut self, path: &str) -> Self {
        self.model_place = self.model.as_ref().and_then(|_| model::place(path));
        self
    }

    /// Whether a call with this method costs money. Looking and deleting are free everywhere; whatever else no wire
    /// format claims is free only where it is known to be.
    #[must_use]
    pub fn billing(&self, method: &str) -> Billing {
        match self.wire {
            Wire::Other if self.free || matches!(method, "GET" | "HEAD" | "DELETE" | "OPTIONS") => {
                Billing::Free
            }
            Wire::Other => Billing::Unknown,
            wire if wire.is_metered() => Billing::ByToken,
            _ => Billing::Free,
        }
    }
}

const POST: &[&str] = &["POST"];
const GET: &[&str] = &["GET", "HEAD"];

type Segments<'p> = SmallVec<[Cow<'p, str>; 8]>;

/// What `path` leads to: a path without query and without our prefixes. `None` when it lies outside `/v1`, `/v1beta`
/// (`/v1alpha` is read as that) and Gemini's `/upload`, or has empty, dot or slash-hiding segments, which upstreams may
/// read as another path.
#[must_use]
pub fn endpoint(path: &str) -> Option<Endpoint<'_>> {
    let segments = segments(path)?;
    let names: SmallVec<[&str; 8]> = segments.iter().map(AsRef::as_ref).collect();
    if let Some(known) = fixed(&names) {
        return Some(known);
    }
    let lower = lowercase(&segments);
    let mut lower: SmallVec<[&str; 8]> = lower.iter().map(String::as_str).collect();
    // Google gives what is in preview the same paths under a version of its own.
    if let Some(version) = lower.first_mut().filter(|version| **version == "v1alpha") {
        *version = "v1beta";
    }
    match lower.as_slice() {
        ["v1" | "v1beta", ..] => {
            let known = fixed(&lower).or_else(|| gemini(&segments));
            // What is metered under one of them is so under the other, should an upstream have it there.
            let known = known.or_else(|| {
                let mut stable = lower.clone();
                *stable.first_mut()? = "v1";
                fixed(&stable)
            });
            Some(known.unwrap_or_else(|| other(&segments, &lower)).placed(path))
        }
        ["upload", "v1" | "v1beta" | "v1alpha", ..] => {
            let upload = Endpoint::new(Wire::Other, "/upload/{other}", &[]);
            Some(Endpoint { dialect: Dialect::Gemini, free: true, ..upload })
        }
        _ => None,
    }
}

/// What `path` leads to where a prefix has named the provider, whose paths then are all taken. Versions that are not known
/// here are read as the known ones, so that what is metered there is metered under any of them, and a model is found. `None`
/// when it has segments that upstreams may read as another path.
#[must_use]
pub fn behind_prefix(path: &str) -> Option<Endpoint<'_>> {
    endpoint(path).or_else(|| {
        let segments = segments(path)?;
        let lower = lowercase(&segments);
        let is_versioned = lower.first().is_some_and(|first| is_version(first));
        let under = |version| {
            let mut names: SmallVec<[&str; 8]> = lower.iter().map(String::as_str).collect();
            if let Some(first) = names.first_mut().filter(|_| is_versioned) {
                *first = version;
            }
            names
        };
        let [stable, beta] = [under("v1"), under("v1beta")];
        let metered = fixed(&stable).or_else(|| gemini(&segments));
        let found = metered.unwrap_or_else(|| {
            let model = named_model(&segments, &stable).or_else(|| named_model(&segments, &beta));
            Endpoint { model, ..Endpoint::new(Wire::Other, "/{other}", &[]) }
        });
        Some(found.placed(path))
    })
}

/// Whether a segment of a path is a version of an API: `v1`, `v1beta`, `v4`.
#[must_use]
pub fn is_version(segment: &str) -> bool {
    segment.strip_prefix('v').is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit()))
}

fn lowercase(segments: &Segments<'_>) -> SmallVec<[String; 8]> {
    segments.iter().map(|name| name.to_ascii_lowercase()).collect()
}

/// The metered paths that never vary.
fn fixed(names: &[&str]) -> Option<Endpoint<'static>> {
    let (wire, route) = match names {
        ["v1", "chat", "completions"] => (Wire::OpenAiChat, "/v1/chat/completions"),
        ["v1", "responses"] => (Wire::OpenAiResponses, "/v1/responses"),
        ["v1", "responses", "compact"] => (Wire::OpenAiCompact, "/v1/responses/compact"),
        ["v1", "completions"] => (Wire::OpenAiCompletions, "/v1/completions"),
        ["v1", "embeddings"] => (Wire::OpenAiEmbeddings, "/v1/embeddings"),
        ["v1", "messages"] => (Wire::AnthropicMessages, "/v1/messages"),
        ["v1", "messages", "count_tokens"] => (Wire::AnthropicCountTokens, "/v1/messages/count_tokens"),
        ["v1beta", "openai", "chat", "completions"] => (Wire::OpenAiChat, "/v1beta/openai/chat/completions"),
        ["v1beta", "openai", "embeddings"] => (Wire::OpenAiEmbeddings, "/v1beta/openai/embeddings"),
        // Others than Google have that too.
        ["v1", "openai", "chat", "completions"] => (Wire::OpenAiChat, "/v1/openai/chat/completions"),
        ["v1", "openai", "embeddings"] => (Wire::OpenAiEmbeddings, "/v1/openai/embeddings"),
        _ => return None,
    };
    // Google speaks OpenAI's wire format too, for its own models and at its own prices.
    let dialect = if names.first() == Some(&"v1beta") { Dialect::Gemini } else { wire.dialect() };
    Some(Endpoint { dialect, ..Endpoint::new(wire, route, POST) })
}

/// Splits and percent-decodes; refuses segments that could make an upstream read another path than we do.
fn segments(path: &str) -> Option<Segments<'_>> {
    let path = path.strip_prefix('/')?;
    let path = path.strip_suffix('/').unwrap_or(path);
    let segments: Segments<'_> = path.split('/').map(percent_decode).collect();
    // Only a Gemini model may hold a slash: its segment ends in `:verb`.
    let hides = |(at, segment): (usize, &Cow<'_, str>)| {
        let is_model = at == 2 && segment.contains(':');
        segment.is_empty()
            || *segment == "."
            || *segment == ".."
            || (!is_model && segment.contains(['/', '\\']))
    };
    (!segments.iter().enumerate().any(hides)).then_some(segments)
}

/// The text without its percent-escapes; what is no escape stays as it is.
#[must_use]
pub fn percent_decode(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let byte = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok()).and_then(hex_byte);
        match byte.filter(|_| *first == b'%') {
            Some(byte) => {
                bytes.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())
}

fn hex_byte(digits: &str) -> Option<u8> {
    digits.bytes().all(|digit| digit.is_ascii_hexdigit()).then(|| u8::from_str_radix(digits, 16).ok())?
}

/// `/v1beta/models/{model}:{verb}`, the same under `/v1`, and `tunedModels`.
fn gemini<'p>(segments: &Segments<'p>) -> Option<Endpoint<'p>> {
    let [version, collection, last] = segments.as_slice() else { return None };
    let (model, verb) = last.rsplit_once(':')?;
    let beta = !version.eq_ignore_ascii_case("v1");
    let mut endpoint = verb_endpoint(&verb.to_ascii_lowercase(), beta)?;
    if collection.eq_ignore_ascii_case("models") {
        let length = model.len();
        endpoint.model = Some(match last {
            Cow::Borrowed(text) => Cow::Borrowed(text.get(..length)?),
            Cow::Owned(_) => Cow::Owned(model.to_owned()),
        });
    } else if collection.eq_ignore_ascii_case("tunedModels") {
        endpoint.model = Some(Cow::Owned(format!("tunedModels/{model}")));
    } else {
        return None;
    }
    Some(endpoint)
}

fn verb_endpoint(verb: &str, beta: bool) -> Option<Endpoint<'static>> {
    let (wire, beta_route, route) = match verb {
        "generatecontent" => (
            Wire::GeminiGenerate,
            "/v1beta/models/{model}:generateContent",
            "/v1/models/{model}:generateContent",
        ),
        "streamgeneratecontent" => (
            Wire::GeminiStream,
            "/v1beta/models/{model}:streamGenerateContent",
            "/v1/models/{model}:streamGenerateContent",
        ),
        "counttokens" => {
            (Wire::GeminiCountTokens, "/v1beta/models/{model}:countTokens", "/v1/models/{model}:countTokens")
        }
        "embedcontent" => {
            (Wire::GeminiEmbed, "/v1beta/models/{model}:embedContent", "/v1/models/{model}:embedContent")
        }
        "batchembedcontents" => (
            Wire::GeminiEmbed,
            "/v1beta/models/{model}:batchEmbedContents",
            "/v1/models/{model}:batchEmbedContents",
        ),
        _ => return None,
    };
    Some(Endpoint::new(wire, if beta { beta_route } else { route }, POST))
}

fn other<'p>(segments: &Segments<'p>, names: &[&str]) -> Endpoint<'p> {
    let (route, allowed, dialect): (_, &'static [&'static str], _) = match names {
        ["v1", "models"] => ("/v1/models", GET, Dialect::OpenAi),
        ["v1", "models", _] => ("/v1/models/{model}", &["GET", "HEAD", "DELETE"], Dialect::OpenAi),
        ["v1", "responses", _] => ("/v1/responses/{id}", &[], Dialect::OpenAi),
        ["v1", "responses", _, "cancel"] => ("/v1/responses/{id}/cancel", POST, Dialect::OpenAi),
        ["v1", "responses", _, "input_items"] => ("/v1/responses/{id}/input_items", GET, Dialect::OpenAi),
        ["v1", "realtime"] => ("/v1/realtime", &[], Dialect::OpenAi),
        ["v1", "messages", ..] => ("/v1/messages/{other}", &[], Dialect::Anthropic),
        ["v1beta", "models"] => ("/v1beta/models", GET, Dialect::Gemini),
        ["v1beta", ..] => ("/v1beta/{other}", &[], Dialect::Gemini),
        _ => ("/v1/{other}", &[], Dialect::OpenAi),
    };
    let (free, model) = (is_free(names), named_model(segments, names));
    Endpoint { dialect, free, model, ..Endpoint::new(Wire::Other, route, allowed) }
}

/// The paths that no provider bills although they are posted to: what is judged, counted, stored or cancelled. Storing
/// in a vector store is billed by the day, batches and jobs by what they do, sessions by what is said in them.
fn is_free(names: &[&str]) -> bool {
    matches!(
        names,
        ["v1", "moderations" | "files" | "uploads" | "conversations", ..]
            | ["v1", "responses", "input_tokens"]
            | ["v1", "responses" | "batches", _, "cancel"]
            | ["v1", "fine_tuning", "jobs", _, "cancel" | "pause"]
            | ["v1", "messages", "batches", _, "cancel"]
            | ["v1", "chat", "completions", _]
            | ["v1beta", "files", ..]
            | ["v1beta", "batches", _]
    )
}

/// The model that a path names which no wire format claims: `/v1/engines/{model}/…`, `/v1beta/models/{model}:verb`.
fn named_model<'p>(segments: &Segments<'p>, names: &[&str]) -> Option<Cow<'p, str>> {
    let model = segments.get(2)?;
    match names {
        ["v1", "engines", _, ..] => Some(model.clone()),
        ["v1beta", "models", verb] => Some(Cow::Owned(model.get(..verb.rfind(':')?)?.to_owned())),
        _ => None,
    }
}

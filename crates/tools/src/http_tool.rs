//! Tools that are declared as URLs: a call is a POST, its answer the result.
//!
//! The URLs are the operator's, and trusted; no address is judged here.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use seawall_config::Reader;
use seawall_engine::{Block, EffectClass, Found, ToolResult, ToolSpec};
use seawall_llm_client::{Requester, SendError};
use seawall_policy::Declared;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{BoxFuture, Call, Description, Failure, Outcome, Tool};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const EPOCH: HeaderName = HeaderName::from_static("x-seawall-epoch");

/// The longest answer that is read.
const MOST_BYTES: usize = 16 * 1024 * 1024;
/// How long a tool has where its declaration does not say.
const TIME: Duration = Duration::from_mins(1);
/// What a declaration may say.
const SHORTEST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_hours(24);

/// A tool as a template declares it.
#[derive(Debug, Clone, PartialEq)]
pub struct HttpToolSettings {
    /// Its name.
    pub name: Arc<str>,
    /// What it does, for the model.
    pub description: Arc<str>,
    /// The JSON Schema of its arguments.
    pub parameters: Arc<Value>,
    /// Where calls are posted to.
    pub url: String,
    /// What running it again does.
    pub effect: EffectClass,
    /// Where it is asked whether a call took effect; a reconcilable tool has one.
    pub reconcile_url: Option<String>,
    /// How long a call may take; `None`: a minute.
    pub timeout: Option<Duration>,
}

const EFFECTS: [(&str, EffectClass); 5] = [
    ("pure", EffectClass::Pure),
    ("idempotent", EffectClass::Idempotent),
    ("keyed", EffectClass::Keyed),
    ("reconcilable", EffectClass::Reconcilable),
    ("unsafe", EffectClass::Unsafe),
];

impl HttpToolSettings {
    /// Reads one of a template's `http_tools`. Errors are collected by the reader.
    pub fn declare(reader: &mut Reader<'_>) -> Self {
        let name = reader.required_text("name", "Its name: 1 to 64 of A-Z a-z 0-9 _ -.");
        let description = reader.required_text("description", "What it does, for the model.");
        let doc = "The JSON Schema of its arguments; default: any object.";
        let parameters = reader.raw("parameters", doc).unwrap_or_else(|| json!({ "type": "object" }));
        let doc = "What running a call again does, after a crash.";
        Self {
            name: name.into(),
            description: description.into(),
            parameters: Arc::new(parameters),
            url: reader.required_text("url", "Where calls are posted to."),
            effect: reader.choice("effect", doc, EffectClass::Unsafe, &EFFECTS),
            reconcile_url: reader
                .optional_text("reconcile_url", "Where it is asked whether a call took effect."),
            timeout: reader.optional_duration(
                "timeout",
                "How long a call may take; default: 1m.",
                SHORTEST..=LONGEST,
            ),
        }
    }
}

/// A tool can't be made of its declaration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HttpToolError {
    /// A URL that can't be posted to.
    #[error("the tool {name} has {url:?} for a URL; write an absolute one with http or https")]
    Url {
        /// The tool.
        name: Arc<str>,
        /// What was written.
        url: String,
    },
    /// Nobody could be asked.
    #[error("the tool {0} is reconcilable and has no reconcile_url to ask; add one, or name another effect")]
    NobodyToAsk(Arc<str>),
}

/// A tool behind a URL.
#[derive(Debug)]
pub struct HttpTool {
    description: Description,
    url: Uri,
    reconcile_url: Option<Uri>,
    requester: Requester,
}

impl HttpTool {
    /// A tool whose calls are sent by `requester`, which is best shared by all of them. Connections belong to the runtime in
    /// which they are opened.
    ///
    /// # Errors
    /// When the declaration can't be one of a tool.
    pub fn new(settings: HttpToolSettings, requester: Requester) -> Result<Self, HttpToolError> {
        let HttpToolSettings { name, description, parameters, url, effect, reconcile_url, timeout } =
            settings;
        if effect == EffectClass::Reconcilable && reconcile_url.is_none() {
            return Err(HttpToolError::NobodyToAsk(name));
        }
        let read = |url: &str| {
            let uri: Option<Uri> = url.parse().ok();
            let is_whole = |uri: &Uri| {
                matches!(uri.scheme_str(), Some("http" | "https"))
                    && uri.host().is_some_and(|host| !host.is_empty())
            };
            let refused = || HttpToolError::Url { name: Arc::clone(&name), url: url.to_owned() };
            uri.filter(is_whole).ok_or_else(refused)
        };
        let (url, reconcile_url) = (read(&url)?, reconcile_url.as_deref().map(read).transpose()?);
        let mutates = Some(effect != EffectClass::Pure);
        let spec = ToolSpec { effect, mutates, timeout: timeout.unwrap_or(TIME), ..ToolSpec::default() };
        let effects = Declared::Nothing;
        let description = Description { name, description, parameters, spec, effects, manual: None };
        Ok(Self { description, url, reconcile_url, requester })
    }

    /// Posts a document, and reads the answer: its status and its text.
    async fn post(
        &self,
        call: Call<'_>,
        url: &Uri,
        document: &Value,
    ) -> Result<(StatusCode, String), Failure> {
        let key = HeaderValue::from_str(call.key)
            .map_err(|_| Failure::new("the call's key can't stand in a header; nothing was sent"))?;
        let mut request = Request::new(Bytes::from(document.to_string()));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = url.clone();
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(IDEMPOTENCY_KEY, key);
        headers.insert(EPOCH, HeaderValue::from(call.epoch));
        let answer = self.requester.send(request).await.map_err(|error| self.unanswered(&error))?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), MOST_BYTES).collect().await;
        let body = body.map_err(|error| {
            let what = if error.is::<LengthLimitError>() {
                format!("has more than {MOST_BYTES} bytes")
            } else {
                format!("broke off ({error})")
            };
            Failure::new(format!("the answer of {} {what}{}", self.description.name, self.aftermath()))
        })?;
        Ok((status, String::from_utf8_lossy(&body.to_bytes()).into_owned()))
    }

    fn unanswered(&self, error: &SendError) -> Failure {
        let name = &self.description.name;
        match error {
            SendError::Connect(_) => {
                Failure::new(format!("{name} can't be reached, nothing was sent: {error}"))
            }
            SendError::Broken(_) | SendError::FirstByteTimeout(_) => {
                Failure::new(format!("{name} gave no answer: {error}{}", self.aftermath()))
            }
        }
    }

    /// What has to be said of a call that was sent and not answered.
    fn aftermath(&self) -> &'static str {
        if self.description.spec.mutates == Some(false) { "" } else { "; it may have taken effect" }
    }

    async fn perform(&self, call: Call<'_>) -> Result<Outcome, Failure> {
        let document = json!({
            "tool": self.description.name, "arguments": call.arguments,
            "agent": call.agent, "run": call.run, "call": call.id, "attempt": call.attempt,
        });
        let (status, text) = self.post(call, &self.url, &document).await?;
        if !status.is_success() {
            return Err(Failure::new(format!(
                "{} answered {status}: {}",
                self.description.name,
                text.trim()
            )));
        }
        Ok(Outcome::text(result_words(&text)))
    }

    async fn ask(&self, call: Call<'_>, url: &Uri) -> Option<Found> {
        let document = json!({
            "idempotency_key": call.key, "tool": self.description.name, "arguments": call.arguments,
        });
        let (status, text) = self.post(call, url, &document).await.ok()?;
        let told: Told = serde_json::from_str(&text).ok().filter(|_| status.is_success())?;
        Some(match told {
            Told::Done { result } => {
                let words = match result {
                    Value::String(words) => words,
                    other => other.to_string(),
                };
                Found::Done { result: ToolResult { content: [Block::text(words)].into(), is_error: false } }
            }
            Told::NotDone => Found::NotDone,
            Told::Unknown => Found::Unknown,
        })
    }
}

/// What a tool says of a call.
#[derive(Debug, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
enum Told {
    Done {
        #[serde(default)]
        result: Value,
    },
    NotDone,
    Unknown,
}

/// An answer as the model reads it: JSON as it was written, and of a single text what it says.
fn result_words(answer: &str) -> String {
    match serde_json::from_str(answer) {
        Ok(Value::String(words)) => words,
        _ => answer.trim().to_owned(),
    }
}

impl Tool for HttpTool {
    fn description(&self) -> &Description {
        &self.description
    }

    fn call<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            tokio::select! {
                answered = self.perform(call) => answered.unwrap_or_else(Outcome::from),
                // Dropping what is under way closes its connection, which tells the other side.
                () = call.cancel.cancelled() => {
                    Outcome::error(format!("not waited for any longer{}", self.aftermath()))
                }
            }
        })
    }

    fn reconcile<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Found> {
        Box::pin(async move {
            match &self.reconcile_url {
                Some(url) => self.ask(call, url).await.unwrap_or(Found::Unknown),
                None => Found::Unknown,
            }
        })
    }
}

//! Read: the body, bounded in size, time and memory, inflated where it is compressed, and parsed once.

mod multipart;

use std::time::Duration;

use bytes::Bytes;
use http::HeaderValue;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, EXPECT};
use http_body_util::BodyExt;
use seawall_llm::json::{ANSWER_DEPTH, Document, JsonError, JsonErrorKind, Value};
use seawall_llm::request::{Edits, Request, edit, read_request};
use seawall_llm::wire::Wire;
use seawall_types::Code;
use tokio::time::timeout;

use crate::accepted::Accepted;
use crate::inflate::{Encoding, InflateError};
use crate::refusal::Refusal;
use crate::{Gateway, Limits, RequestBody, Settings, Snapshot, websocket};
use seawall_base::memory::Share;

/// The longest name of a model: names go into traces and answers.
const MAX_MODEL_NAME: usize = 256;

/// The largest bodies that are inflated and parsed where they arrive: what takes a millisecond or two. A compressed one
/// may inflate to a thousand times its size.
const AT_ONCE: usize = 1024 * 1024;
const AT_ONCE_COMPRESSED: usize = 16 * 1024;

/// A request's body.
#[derive(Debug)]
pub(crate) struct Payload {
    /// As it came.
    pub(crate) raw: Bytes,
    /// Inflated: the same bytes when it was not compressed.
    pub(crate) text: Bytes,
    /// Whether it came compressed.
    pub(crate) compressed: bool,
    /// The object that it is, if it is one: read once, for every phase.
    pub(crate) document: Option<Document>,
    /// What it asks for, when it is in a wire format that we read.
    pub(crate) request: Request,
    /// The memory that it takes.
    pub(crate) memory: Share,
}

impl Payload {
    /// The model that is asked for.
    pub(crate) fn model(&self) -> Option<&str> {
        self.request.model.as_deref()
    }

    /// The text with these changes; nothing where they change nothing.
    ///
    /// # Errors
    /// When it is no object in which something could be changed.
    pub(crate) fn edited(&self, wire: Wire, edits: &Edits<'_>) -> Result<Option<Bytes>, JsonError> {
        match &self.document {
            Some(document) => edit(wire, document, edits),
            None if edits.change_nothing() => Ok(None),
            None => edit(wire, &Document::parse(self.text.clone(), ANSWER_DEPTH)?, edits),
        }
    }
}

/// Reads the body and what it asks for.
pub(crate) async fn read(
    gateway: &Gateway,
    snapshot: &Snapshot,
    accepted: &Accepted,
    body: RequestBody,
) -> Result<Box<Payload>, Refusal> {
    let settings = &snapshot.settings;
    let mut memory = gateway.memory().share();
    if let Some(length) = declared_length(accepted).filter(|&length| length > settings.limits.body as u64) {
        discard(body, settings, accepted).await;
        return Err(too_large(length, settings.limits.body));
    }
    let raw = collect(body, settings, accepted, &mut memory).await?;
    let mut payload = understand(accepted, settings.limits, raw, memory).await?;
    if accepted.handshake.is_some_and(|handshake| handshake.query_names_model) {
        payload.request.model = websocket::model(accepted.query.as_deref())?;
    }
    Ok(payload)
}

/// Puts another text in the place of the body, as if it had come so. It is not compressed.
pub(super) async fn replace(
    gateway: &Gateway,
    payload: &mut Payload,
    accepted: &mut Accepted,
    limits: Limits,
    text: Bytes,
) -> Result<(), Refusal> {
    accepted.headers.remove(CONTENT_ENCODING);
    let memory = std::mem::replace(&mut payload.memory, gateway.memory().share());
    let named_elsewhere = payload.request.model.take();
    *payload = *understand(accepted, limits, text, memory).await?;
    payload.request.model = payload.request.model.take().or(named_elsewhere);
    Ok(())
}

/// What is known of a body before it is read.
struct Form<'a> {
    wire: Wire,
    path_model: Option<&'a str>,
    encoding: Option<&'a HeaderValue>,
    content_type: Option<&'a HeaderValue>,
    /// It may cost money, whoever reads it.
    calls_a_model: bool,
    limits: Limits,
}

/// Inflates and parses a body. What takes more than a moment is done beside the worker, which has other calls to serve.
async fn understand(
    accepted: &Accepted,
    limits: Limits,
    raw: Bytes,
    memory: Share,
) -> Result<Box<Payload>, Refusal> {
    let (wire, calls_a_model) = (accepted.wire, accepted.calls_a_model());
    let encoding = accepted.headers.get(CONTENT_ENCODING);
    // Of two types another reader may take the other one.
    let mut types = accepted.headers.get_all(CONTENT_TYPE).iter();
    let content_type = types.next().filter(|_| types.next().is_none());
    let at_once = if encoding.is_some() { AT_ONCE_COMPRESSED } else { AT_ONCE };
    if raw.len() <= at_once {
        let path_model = accepted.path_model.as_deref();
        let form = Form { wire, path_model, encoding, content_type, calls_a_model, limits };
        return form.understand(raw, memory);
    }
    let path_model = accepted.path_model.clone();
    let (encoding, content_type) = (encoding.cloned(), content_type.cloned());
    let beside = tokio::task::spawn_blocking(move || {
        let (encoding, content_type) = (encoding.as_ref(), content_type.as_ref());
        let path_model = path_model.as_deref();
        let form = Form { wire, path_model, encoding, content_type, calls_a_model, limits };
        form.understand(raw, memory)
    });
    beside.await.unwrap_or_else(|failed| match failed.try_into_panic() {
        Ok(panic) => std::panic::resume_unwind(panic),
        Err(_runtime_ends) => Err(Refusal::new(Code::Draining, "the server is shutting down", "try again")),
    })
}

impl Form<'_> {
    /// What it says that it is.
    fn kind(&self) -> &str {
        self.content_type.and_then(|value| value.to_str().ok()).unwrap_or("")
    }

    fn understand(&self, raw: Bytes, mut memory: Share) -> Result<Box<Payload>, Refusal> {
        let (text, compressed) = inflate(&raw, self, &mut memory)?;
        let (document, request) = parse(self, &text)?;
        Ok(Box::new(Payload { raw, text, compressed, document, request, memory }))
    }
}

fn declared_length(accepted: &Accepted) -> Option<u64> {
    accepted.headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

async fn collect(
    mut body: RequestBody,
    settings: &Settings,
    accepted: &Accepted,
    memory: &mut Share,
) -> Result<Bytes, Refusal> {
    let limits = &settings.limits;
    let allowed = settings.timeouts.body_read;
    let gather = async {
        let mut whole = Gathered::default();
        let mut size = 0;
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| cut_short(&error))?;
            let Ok(chunk) = frame.into_data() else { continue };
            size += chunk.len();
            if size > limits.body {
                return Err(too_large(size as u64, limits.body));
            }
            if !memory.take(chunk.len(), limits.buffer) {
                return Err(no_memory());
            }
            whole.push(chunk);
        }
        Ok(whole.into_bytes())
    };
    let gathered = timeout(allowed, gather).await.unwrap_or_else(|_elapsed| {
        let message = format!("the body did not arrive within {}s", allowed.as_secs_f64());
        Err(Refusal::new(
            Code::RequestTimeout,
            message,
            "send the body faster, or raise gateway.timeouts.body_read",
        )
        .closing())
    });
    if gathered.as_ref().is_err_and(|refusal| refusal.code() == Code::BodyTooLarge) {
        discard(body, settings, accepted).await;
    }
    gathered
}

/// A body as it comes in: most come in one piece, which is then not copied.
#[derive(Default)]
pub(super) enum Gathered {
    #[default]
    Nothing,
    One(Bytes),
    Many(Vec<Bytes>),
}

impl Gathered {
    pub(super) fn push(&mut self, chunk: Bytes) {
        *self = match std::mem::replace(self, Self::Nothing) {
            Self::Nothing => Self::One(chunk),
            Self::One(first) => Self::Many(vec![first, chunk]),
            Self::Many(mut many) => {
                many.push(chunk);
                Self::Many(many)
            }
        };
    }

    pub(super) fn into_bytes(self) -> Bytes {
        match self {
            Self::Nothing => Bytes::new(),
            Self::One(bytes) => bytes,
            Self::Many(chunks) => chunks.concat().into(),
        }
    }
}

fn inflate(raw: &Bytes, form: &Form<'_>, memory: &mut Share) -> Result<(Bytes, bool), Refusal> {
    let Some(name) = form.encoding.and_then(|value| value.to_str().ok()) else {
        return Ok((raw.clone(), false));
    };
    // Of what we need not read, an encoding that we don't know is nobody's business but the upstream's.
    let is_ours = form.calls_a_model || multipart::is_json(form.kind());
    if name.eq_ignore_ascii_case("identity") || (Encoding::named(name).is_none() && !is_ours) {
        return Ok((raw.clone(), false));
    }
    let refused =
        |message: String| Refusal::new(Code::BadRequest, message, "send gzip, deflate, zstd or no encoding");
    let encoding = Encoding::named(name)
        .ok_or_else(|| refused(format!("the content encoding {name:?} is not known here")))?;
    let unreadable = |error: InflateError| match error {
        InflateError::TooLarge(limit) => Refusal::new(
            Code::BodyTooLarge,
            format!("the body inflates to more than {limit} bytes"),
            "send a smaller body, or raise gateway.limits.inflated_body",
        ),
        InflateError::Invalid(error) => refused(format!("the body is not valid {name}: {error}")),
    };
    let size = encoding.measure(raw, form.limits.inflated_body).map_err(unreadable)?;
    if !memory.take(size, form.limits.buffer) {
        return Err(no_memory());
    }
    let text = encoding.inflate_measured(raw, size).map_err(unreadable)?;
    Ok((text, true))
}

fn parse(form: &Form<'_>, text: &Bytes) -> Result<(Option<Document>, Request), Refusal> {
    let parsed = Document::parse(text.clone(), form.limits.json_depth)
        .and_then(|document| Ok((read_request(form.wire, form.path_model, &document)?, document)));
    match parsed {
        Ok((request, _)) if request.model.as_ref().is_some_and(|model| model.len() > MAX_MODEL_NAME) => {
            let message = format!("the model's name has more than {MAX_MODEL_NAME} bytes");
            Err(Refusal::new(Code::BadRequest, message, "send the name of a model"))
        }
        Ok((request, document)) => Ok((Some(document), request)),
        // What no wire format claims and is no JSON object (a form, an upload, nothing) is passed on as it is.
        Err(error) if !form.wire.is_metered() && is_no_object(form, text, error.kind) => {
            let named = form.path_model.map(str::to_owned);
            let model = named.map_or_else(|| multipart::model(form.kind(), text), |model| Ok(Some(model)))?;
            Ok((None, Request { model, ..Request::default() }))
        }
        Err(error) => Err(Refusal::new(
            Code::BadRequest,
            format!("the body can't be read: {error}"),
            match error.kind {
                JsonErrorKind::LookalikeKey => "spell each key as the provider does, in the same case",
                JsonErrorKind::Depth => "nest it less deeply, or raise gateway.limits.json_depth",
                _ => "send one JSON object in UTF-8, each key once",
            },
        )),
    }
}

/// Whether a body that is no JSON object is none to anybody: it does not say that it is JSON, or it is JSON of another
/// kind, or nothing at all.
fn is_no_object(form: &Form<'_>, text: &[u8], kind: JsonErrorKind) -> bool {
    let text = text.trim_ascii_start();
    let is_other_json = || kind == JsonErrorKind::NotAnObject && Value::parse(text, ANSWER_DEPTH).is_ok();
    !text.starts_with(b"{") && (!multipart::is_json(form.kind()) || text.is_empty() || is_other_json())
}

/// Reads and drops what is left of a body that will not be used, within bounds: a client that is still sending would
/// otherwise see its connection reset instead of our answer.
pub(crate) async fn discard(mut body: RequestBody, settings: &Settings, accepted: &Accepted) {
    const PATIENCE: Duration = Duration::from_secs(5);
    if accepted.headers.contains_key(EXPECT) {
        return; // It waits for our word before it sends anything.
    }
    let most = settings.limits.body.saturating_mul(4);
    let drop_all = async {
        let mut dropped = 0;
        while let Some(Ok(frame)) = body.frame().await {
            dropped += frame.data_ref().map_or(0, Bytes::len);
            if dropped > most {
                break;
            }
        }
    };
    let _elapsed = timeout(settings.timeouts.body_read.min(PATIENCE), drop_all).await;
}

fn too_large(size: u64, limit: usize) -> Refusal {
    let message = format!("the body has {size} bytes or more; at most {limit} are taken");
    Refusal::new(Code::BodyTooLarge, message, "send a smaller body, or raise gateway.limits.body")
}

fn no_memory() -> Refusal {
    Refusal::new(
        Code::Overloaded,
        "the bodies of all requests together take too much memory",
        "try again shortly, or raise gateway.limits.buffer",
    )
    .retry_after(Duration::from_secs(1))
}

fn cut_short(error: &hyper::Error) -> Refusal {
    let message = format!("the body broke off: {error}");
    Refusal::new(Code::BadRequest, message, "send the whole body").closing()
}

//! Read: the body, bounded in size, time and memory, inflated where it is compressed, and parsed once.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, EXPECT};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use seawall_llm::request::{Request, read_request};
use seawall_types::Code;
use tokio::time::timeout;

use crate::accepted::Accepted;
use crate::inflate::{Encoding, InflateError};
use crate::memory::Share;
use crate::refusal::Refusal;
use crate::{Gateway, Settings, Snapshot, websocket};

/// The longest name of a model: names go into traces and answers.
const MAX_MODEL_NAME: usize = 256;

/// A request's body.
#[derive(Debug)]
pub(crate) struct Payload {
    /// As it came.
    pub(crate) raw: Bytes,
    /// Inflated: the same bytes when it was not compressed.
    pub(crate) text: Bytes,
    /// Whether it came compressed.
    pub(crate) compressed: bool,
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
}

/// Reads the body and what it asks for.
pub(crate) async fn read(
    gateway: &Gateway,
    snapshot: &Snapshot,
    accepted: &Accepted,
    body: Incoming,
) -> Result<Payload, Refusal> {
    let settings = &snapshot.settings;
    let mut memory = gateway.memory().share();
    if let Some(length) = declared_length(accepted).filter(|&length| length > settings.limits.body as u64) {
        discard(body, settings, accepted).await;
        return Err(too_large(length, settings.limits.body));
    }
    let raw = collect(body, settings, accepted, &mut memory).await?;
    let (text, compressed) = inflate(&raw, accepted, settings, &mut memory)?;
    let mut request = parse(accepted, settings, &text)?;
    if accepted.handshake.is_some_and(|handshake| handshake.query_names_model) {
        request.model = websocket::model(accepted.query.as_deref())?;
    }
    Ok(Payload { raw, text, compressed, request, memory })
}

fn declared_length(accepted: &Accepted) -> Option<u64> {
    accepted.headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

async fn collect(
    mut body: Incoming,
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

fn inflate(
    raw: &Bytes,
    accepted: &Accepted,
    settings: &Settings,
    memory: &mut Share,
) -> Result<(Bytes, bool), Refusal> {
    let Some(name) = accepted.headers.get(CONTENT_ENCODING).and_then(|value| value.to_str().ok()) else {
        return Ok((raw.clone(), false));
    };
    if name.eq_ignore_ascii_case("identity") || !accepted.wire.is_metered() {
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
    let size = encoding.measure(raw, settings.limits.inflated_body).map_err(unreadable)?;
    if !memory.take(size, settings.limits.buffer) {
        return Err(no_memory());
    }
    let text = encoding.inflate_measured(raw, size).map_err(unreadable)?;
    Ok((text, true))
}

fn parse(accepted: &Accepted, settings: &Settings, text: &[u8]) -> Result<Request, Refusal> {
    let parsed =
        read_request(accepted.wire, accepted.path_model.as_deref(), text, settings.limits.json_depth);
    match parsed {
        Ok(request) if request.model.as_ref().is_some_and(|model| model.len() > MAX_MODEL_NAME) => {
            let message = format!("the model's name has more than {MAX_MODEL_NAME} bytes");
            Err(Refusal::new(Code::BadRequest, message, "send the name of a model"))
        }
        Ok(request) => Ok(request),
        // What no wire format claims and is no JSON object (a form, an upload, nothing) is passed on as it is.
        Err(_) if !accepted.wire.is_metered() && !text.trim_ascii_start().starts_with(b"{") => {
            Ok(Request::default())
        }
        Err(error) => Err(Refusal::new(
            Code::BadRequest,
            format!("the body can't be read: {error}"),
            "send one JSON object in UTF-8, each key once",
        )),
    }
}

/// Reads and drops what is left of a body that will not be used, within bounds: a client that is still sending would
/// otherwise see its connection reset instead of our answer.
pub(crate) async fn discard(mut body: Incoming, settings: &Settings, accepted: &Accepted) {
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

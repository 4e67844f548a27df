//! Several messages in one body. The protocol had batches in one version (2025-03-26), in which every receiver has to take
//! them, and has refused them since the next. Here each message of one goes its way as if it had come alone.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Response, StatusCode};
use http_body_util::BodyExt;
use rmcp::model::{ConstString, InitializeResultMethod};
use serde_json::value::RawValue;
use tokio::sync::mpsc;

use crate::body::{Frame, event, frames};
use crate::message::{Kind, Message, MessageError};
use crate::proxy::{Held, Visit};
use crate::server::{Refusal, Server, held_in_json, unreadable};
use crate::{Body, Hold};

/// The first version without batches.
pub(crate) const GONE_SINCE: &str = "2025-06-18";
/// So many messages one batch may have.
const MOST: usize = 100;
/// Events on their way to the client.
const ROOM: usize = 8;

/// Whether a text holds several messages rather than one.
pub(crate) fn is_batch(text: &[u8]) -> bool {
    text.trim_ascii_start().starts_with(b"[")
}

/// The messages of a batch, each as it was written.
///
/// # Errors
/// When it is none, or too large a one.
pub(crate) fn parts(text: &Bytes) -> Result<Vec<Bytes>, MessageError> {
    let parts: Vec<&RawValue> =
        serde_json::from_slice(text).map_err(|error| MessageError::NotJson(error.to_string()))?;
    match parts.len() {
        0 => Err(MessageError::NotRpc("the batch is empty")),
        1..=MOST => Ok(parts.into_iter().map(|part| text.slice_ref(part.get().as_bytes())).collect()),
        _ => Err(MessageError::NotRpc("a batch has 100 messages at most")),
    }
}

/// The messages of a client's batch, and whether each wants an answer. Nothing of it is done where one can't be read.
fn read(text: &Bytes) -> Result<Vec<(Bytes, bool)>, MessageError> {
    let wants_answer = |part: Bytes| {
        let message = Message::of_client(part.clone())?;
        match message.kind {
            Kind::Request { method, .. } if method == InitializeResultMethod::VALUE => {
                Err(MessageError::NotRpc("initialize stands alone"))
            }
            Kind::Request { .. } => Ok((part, true)),
            Kind::Notification { .. } | Kind::Answer { .. } => Ok((part, false)),
        }
    };
    parts(text)?.into_iter().map(wants_answer).collect()
}

/// Answers a batch: its messages are taken one after the other.
///
/// # Errors
/// When nothing of it was done, or its session is over.
pub(crate) async fn answer(server: &Arc<Server>, mut visit: Visit) -> Result<Response<Body>, Refusal> {
    let parts = read(&visit.body).map_err(|error| unreadable(&error))?;
    let hold = visit.hold.0.take().map(Arc::new);
    let (mut answers, mut last) = (Vec::new(), None);
    for (part, wants_answer) in parts {
        let hold = Held(hold.clone().map(|hold| Box::new(hold) as Hold));
        // Others of it may have been performed: what is refused is an answer among answers.
        let answer = server.answer_one(visit.with(part, hold)).await.unwrap_or_else(|refused| *refused);
        if answer.status() == StatusCode::NOT_FOUND {
            return Err(Box::new(answer));
        }
        if wants_answer {
            answers.push(answer);
        } else {
            last = Some(answer);
        }
    }
    match last.filter(|_| answers.is_empty()) {
        Some(last) => Ok(last),
        None if answers.iter().any(is_stream) => Ok(stream(server, answers)),
        None => Ok(whole(answers, hold).await),
    }
}

fn is_stream(answer: &Response<Body>) -> bool {
    answer.headers().get(CONTENT_TYPE).is_some_and(|kind| kind == "text/event-stream")
}

/// All answers in one array. Their bodies are kept with it, for what they hold.
async fn whole(answers: Vec<Response<Body>>, hold: Option<Arc<Hold>>) -> Response<Body> {
    let (mut array, mut bodies) = (vec![b'['], Vec::new());
    for answer in answers {
        let mut body = answer.into_body();
        if array.len() > 1 {
            array.push(b',');
        }
        while let Some(Ok(frame)) = body.frame().await {
            array.extend_from_slice(&frame.into_data().unwrap_or_default());
        }
        bodies.push(body);
    }
    array.push(b']');
    held_in_json(StatusCode::OK, Frame::new(array.into(), None), Some(Box::new((bodies, hold))))
}

/// All answers in one stream, each as it comes.
fn stream(server: &Arc<Server>, answers: Vec<Response<Body>>) -> Response<Body> {
    let (to, events) = frames(ROOM);
    for answer in answers {
        let is_stream = is_stream(&answer);
        let forwarded = forward(answer.into_body(), is_stream, to.clone());
        server.host.group.spawn("an answer of a batch", forwarded);
    }
    let mut response = Response::new(Body::events(events, None));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache, no-transform"));
    response
}

/// Passes one answer on, until its end or until nobody hears it any more.
async fn forward(mut body: Body, is_stream: bool, to: mpsc::Sender<Frame>) {
    loop {
        let frame = tokio::select! {
            frame = body.frame() => frame,
            () = to.closed() => return,
        };
        let Some(Ok(frame)) = frame else { return };
        let bytes = frame.into_data().unwrap_or_default();
        let bytes = if is_stream { bytes } else { event(bytes) };
        if to.send(Frame::new(bytes, None)).await.is_err() {
            return;
        }
    }
}

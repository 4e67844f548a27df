//! Plays recorded exchanges.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue, TRANSFER_ENCODING};
use http::request::Parts;
use http::{Response, StatusCode};
use serde_json::{Value, json};

use super::super::body::SimBody;
use super::super::play::{Pace, Player, Step, StreamFaults};
use super::super::scene::JSON;
use super::super::stats::{Flight, Outcome};
use super::line::{CassetteError, Line, kept_body, kept_path};
use super::scrub::SCRUBBED;

/// Recorded exchanges, ready to be played.
///
/// A request is answered by the exchanges with its method, path and body, in the order in which they were recorded; the
/// last of them goes on. Bodies are compared as JSON, so the order of keys and white space do not matter.
#[derive(Debug)]
pub struct Replay {
    exchanges: Vec<Exchange>,
    by_request: HashMap<Key, Vec<usize>>,
    played: Mutex<HashMap<Key, usize>>,
}

type Key = [u8; 32];

#[derive(Debug)]
struct Exchange {
    method: String,
    path: String,
    body: Value,
    status: StatusCode,
    headers: Vec<(HeaderName, HeaderValue)>,
    chunks: Vec<Bytes>,
}

impl Replay {
    /// Reads every `.jsonl` file of a folder, by name. Blocks.
    ///
    /// # Errors
    /// When a file can't be read, a line is no exchange, or there is none.
    pub fn load(folder: &Path) -> Result<Self, CassetteError> {
        let failed = |error| CassetteError::Io { path: folder.to_owned(), error };
        let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
            .map_err(failed)?
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<Result<_, _>>()
            .map_err(failed)?;
        files.retain(|path| path.extension().is_some_and(|extension| extension == "jsonl"));
        files.sort();
        let mut exchanges = Vec::new();
        for file in files {
            read_file(&file, &mut exchanges)?;
        }
        if exchanges.is_empty() {
            return Err(CassetteError::Empty(folder.to_owned()));
        }
        Ok(Self::new(exchanges))
    }

    fn new(exchanges: Vec<Exchange>) -> Self {
        let mut by_request: HashMap<Key, Vec<usize>> = HashMap::new();
        for (index, exchange) in exchanges.iter().enumerate() {
            by_request.entry(key(&exchange.method, &exchange.path, &exchange.body)).or_default().push(index);
        }
        Self { exchanges, by_request, played: Mutex::default() }
    }

    /// Begins from the start.
    pub(crate) fn rewind(&self) {
        self.played.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    pub(crate) fn answer(&self, head: &Parts, body: &[u8], mut flight: Flight) -> Response<SimBody> {
        let (method, path, body) = (head.method.as_str(), kept_path(&head.uri), kept_body(body));
        let Some(exchange) = self.next(key(method, &path, &body)) else {
            flight.end(Outcome::Error);
            return self.miss(method, &path, &body);
        };
        let steps = exchange.chunks.iter().cloned().map(Step::event).collect();
        let player = Player::new(steps, Pace::Unpaced, StreamFaults::default(), false);
        let mut response = Response::new(SimBody::stream(player).counted(flight));
        *response.status_mut() = exchange.status;
        response.headers_mut().extend(exchange.headers.iter().cloned());
        response
    }

    fn next(&self, key: Key) -> Option<&Exchange> {
        let recorded = self.by_request.get(&key)?;
        let mut played = self.played.lock().unwrap_or_else(PoisonError::into_inner);
        let count = played.entry(key).or_default();
        let index = recorded.get(*count).or_else(|| recorded.last())?;
        *count += 1;
        self.exchanges.get(*index)
    }

    /// Says what was asked, and how what was recorded for the same path differs.
    fn miss(&self, method: &str, path: &str, body: &Value) -> Response<SimBody> {
        let same_path = |exchange: &&Exchange| exchange.method == method && exchange.path == path;
        let differs_at: Vec<String> = self
            .exchanges
            .iter()
            .filter(same_path)
            .map(|exchange| first_difference(&exchange.body, body, "").unwrap_or_default())
            .collect();
        let message = if differs_at.is_empty() {
            format!("the cassette holds no answer to {method} {path}")
        } else {
            let places = differs_at.iter().map(|place| format!("{place:?}")).collect::<Vec<_>>().join(", ");
            format!(
                "the cassette holds {} answers to {method} {path}, but their requests differ at {places}",
                differs_at.len()
            )
        };
        let error = json!({"error": {"message": message, "type": "not_recorded", "param": null, "code": "not_recorded"}});
        let mut response = Response::new(SimBody::free(error.to_string().into()));
        *response.status_mut() = StatusCode::NOT_FOUND;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(JSON));
        response
    }
}

fn read_file(path: &Path, exchanges: &mut Vec<Exchange>) -> Result<(), CassetteError> {
    let text =
        std::fs::read_to_string(path).map_err(|error| CassetteError::Io { path: path.to_owned(), error })?;
    for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let exchange = serde_json::from_str::<Line>(line)
            .map_err(|error| error.to_string())
            .and_then(Exchange::new)
            .map_err(|reason| CassetteError::Line { path: path.to_owned(), line: index + 1, reason })?;
        exchanges.push(exchange);
    }
    Ok(())
}

impl Exchange {
    fn new(line: Line) -> Result<Self, String> {
        let status = StatusCode::from_u16(line.response.status).map_err(|error| error.to_string())?;
        let header = |(name, value): (&String, &Value)| {
            let name: HeaderName = name.parse().ok()?;
            // The frames are made anew, so how they were framed does not apply; a scrubbed value says nothing.
            let is_framing = name == CONTENT_LENGTH || name == TRANSFER_ENCODING || name == "connection";
            let value = value.as_str().filter(|value| !is_framing && *value != SCRUBBED)?;
            Some((name, HeaderValue::from_str(value).ok()?))
        };
        Ok(Self {
            method: line.request.method,
            path: line.request.path,
            body: line.request.body,
            status,
            headers: line.response.headers.iter().filter_map(header).collect(),
            chunks: line
                .response
                .chunks
                .iter()
                .map(|chunk| chunk.content.bytes())
                .collect::<Result<_, _>>()?,
        })
    }
}

/// Identifies a request: its method, its path, and its body with the keys in order.
fn key(method: &str, path: &str, body: &Value) -> Key {
    let mut hasher = blake3::Hasher::new();
    hasher.update(method.as_bytes()).update(b" ").update(path.as_bytes()).update(b"\n");
    hasher.update(sorted(body).to_string().as_bytes());
    *hasher.finalize().as_bytes()
}

fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(object) => {
            let mut entries: Vec<_> = object.iter().collect();
            entries.sort_by_key(|(key, _)| *key);
            entries.into_iter().map(|(key, value)| (key.clone(), sorted(value))).collect()
        }
        Value::Array(list) => list.iter().map(sorted).collect(),
        other => other.clone(),
    }
}

/// The JSON pointer to the first place where two values differ.
fn first_difference(recorded: &Value, asked: &Value, at: &str) -> Option<String> {
    match (recorded, asked) {
        (Value::Object(recorded), Value::Object(asked)) => {
            let missing =
                || asked.keys().find(|key| !recorded.contains_key(*key)).map(|key| format!("{at}/{key}"));
            recorded
                .iter()
                .find_map(|(key, value)| {
                    let place = format!("{at}/{key}");
                    match asked.get(key) {
                        Some(other) => first_difference(value, other, &place),
                        None => Some(place),
                    }
                })
                .or_else(missing)
        }
        (Value::Array(recorded), Value::Array(asked)) if recorded.len() == asked.len() => recorded
            .iter()
            .zip(asked)
            .enumerate()
            .find_map(|(index, (value, other))| first_difference(value, other, &format!("{at}/{index}"))),
        (recorded, asked) => (recorded != asked).then(|| at.to_owned()),
    }
}

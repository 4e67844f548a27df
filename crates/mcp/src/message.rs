//! One message of JSON-RPC 2.0 (<https://www.jsonrpc.org/specification>), as MCP uses it, kept as it was written.
//!
//! Only the envelope is read: what kind of message it is, and where its parameters or its result stand. A message that a
//! rule changes is spliced there, and every byte around it stays. What two readers could take for different messages is
//! found out here, since the one that we judge must be the one that the server performs.

mod keys;

use std::borrow::Cow;
use std::ops::Range;

use bytes::Bytes;
use rmcp::model::RequestId;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;

use self::keys::{Doubt, doubt};
use crate::batch::is_batch;

/// What a message is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It wants an answer.
    Request {
        /// What the answer is known by.
        id: RequestId,
        /// What is asked.
        method: String,
    },
    /// It wants none.
    Notification {
        /// What it is about.
        method: String,
    },
    /// The answer to a request. Without an identifier: to one that could not be read.
    Answer {
        /// That of the request.
        id: Option<RequestId>,
        /// Whether it is an error.
        is_error: bool,
    },
}

/// One message.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    text: Bytes,
    pub(crate) kind: Kind,
    /// Where its parameters stand, or its result, or its error.
    value: Option<Range<usize>>,
}

/// What came is no message that goes on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum MessageError {
    /// No JSON in UTF-8.
    #[error("it is no JSON: {0}; send one message of JSON-RPC")]
    NotJson(String),
    /// Several in one.
    #[error("batches are not taken; send one message at a time, as the protocol has it since 2025-06-18")]
    Batch,
    /// JSON, and no message.
    #[error("it is no message of JSON-RPC: {0}")]
    NotRpc(&'static str),
    /// A request without an id, which some perform all the same.
    #[error("it has no id, and names of notifications begin with notifications/; give a request an id")]
    NoNotification,
    /// Another reader would take it for another message.
    #[error("{0}; write each key once, as the protocol spells it")]
    Doubtful(Doubt),
}

/// The names of all notifications begin so.
const NOTIFICATIONS: &str = "notifications/";

/// The longest name of a request, in bytes: it is remembered for as long as an answer may come.
const LONGEST_ID: usize = 256;

/// A key that is there with `null` is there.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

#[derive(Deserialize)]
struct Envelope<'e> {
    #[serde(borrow)]
    jsonrpc: Option<Cow<'e, str>>,
    id: Option<RequestId>,
    #[serde(borrow)]
    method: Option<Cow<'e, str>>,
    #[serde(borrow, default)]
    params: Option<&'e RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    result: Option<&'e RawValue>,
    #[serde(borrow, default)]
    error: Option<&'e RawValue>,
}

impl Message {
    /// Reads a message of a client. One that is open to doubt is refused.
    ///
    /// # Errors
    /// When it can't be passed on.
    pub(crate) fn of_client(text: Bytes) -> Result<Self, MessageError> {
        refuse_batch(&text)?;
        if let Some(doubt) = doubt(&text).map_err(|error| MessageError::NotJson(error.to_string()))? {
            return Err(MessageError::Doubtful(doubt));
        }
        let message = Self::read(text)?;
        // Whoever reads the method and not the id would perform it, and nobody would have judged it.
        match &message.kind {
            Kind::Notification { method } if !method.starts_with(NOTIFICATIONS) => {
                Err(MessageError::NoNotification)
            }
            Kind::Request { id: RequestId::String(id), .. } if id.len() > LONGEST_ID => {
                Err(MessageError::NotRpc("its id has more than 256 bytes"))
            }
            Kind::Notification { .. } | Kind::Request { .. } | Kind::Answer { .. } => Ok(message),
        }
    }

    /// Reads a message of a server. Of one that is open to doubt goes on what was read of it, and nothing else.
    ///
    /// # Errors
    /// When it can't be passed on.
    pub(crate) fn of_server(text: Bytes) -> Result<Self, MessageError> {
        refuse_batch(&text)?;
        let not_json = |error: serde_json::Error| MessageError::NotJson(error.to_string());
        if doubt(&text).map_err(not_json)?.is_none() {
            return Self::read(text);
        }
        let value: Value = serde_json::from_slice(&text).map_err(not_json)?;
        Self::read(value.to_string().into())
    }

    fn read(text: Bytes) -> Result<Self, MessageError> {
        let not_json = |error: &dyn std::fmt::Display| MessageError::NotJson(error.to_string());
        let written = std::str::from_utf8(&text).map_err(|error| not_json(&error))?;
        let envelope: Envelope<'_> = serde_json::from_str(written).map_err(|error| not_json(&error))?;
        let (kind, value) = envelope.kind()?;
        let value = value.map(|value| place_of(value.get(), written));
        Ok(Self { kind, value, text })
    }

    /// Its bytes.
    pub(crate) fn bytes(&self) -> &Bytes {
        &self.text
    }

    /// The same on one line.
    pub(crate) fn line(&self) -> Bytes {
        on_one_line(self.text.clone())
    }

    /// The same with another identifier; `None` where it can't be read as an object.
    pub(crate) fn with_id(&self, id: &RequestId) -> Option<Bytes> {
        let mut message: serde_json::Map<String, Value> = serde_json::from_slice(&self.text).ok()?;
        message.insert("id".to_owned(), id.clone().into_json_value());
        serde_json::to_vec(&message).ok().map(Into::into)
    }

    /// What it asks or tells, for requests and notifications.
    pub(crate) fn method(&self) -> Option<&str> {
        match &self.kind {
            Kind::Request { method, .. } | Kind::Notification { method } => Some(method),
            Kind::Answer { .. } => None,
        }
    }

    /// Its parameters, or its result, or its error; `null` where there are none.
    pub(crate) fn value(&self) -> Value {
        let written = self.value.clone().and_then(|place| self.text.get(place));
        written.and_then(|written| serde_json::from_slice(written).ok()).unwrap_or_default()
    }

    /// The same message with this in the place of its parameters, result or error, if it has one.
    pub(crate) fn with(&self, value: &Value) -> Bytes {
        let Some(Range { start, end }) = self.value else { return self.text.clone() };
        let (before, after) = (self.text.get(..start), self.text.get(end..));
        [before.unwrap_or_default(), value.to_string().as_bytes(), after.unwrap_or_default()].concat().into()
    }
}

impl<'e> Envelope<'e> {
    fn kind(self) -> Result<(Kind, Option<&'e RawValue>), MessageError> {
        if self.jsonrpc.as_deref() != Some("2.0") {
            return Err(MessageError::NotRpc("it does not say \"jsonrpc\": \"2.0\""));
        }
        let Self { id, method, params, result, error, .. } = self;
        match (method, id, result, error) {
            (Some(method), Some(id), None, None) => {
                Ok((Kind::Request { id, method: method.into_owned() }, params))
            }
            (Some(method), None, None, None) => {
                Ok((Kind::Notification { method: method.into_owned() }, params))
            }
            (None, Some(id), Some(result), None) => {
                Ok((Kind::Answer { id: Some(id), is_error: false }, Some(result)))
            }
            (None, id, None, Some(error)) => Ok((Kind::Answer { id, is_error: true }, Some(error))),
            _ => Err(MessageError::NotRpc("it has a method, or an id with a result or an error")),
        }
    }
}

/// A message on one line: between the values of JSON a line break is white space, and in them it stands escaped.
pub(crate) fn on_one_line(message: Bytes) -> Bytes {
    if !message.iter().any(|byte| matches!(byte, b'\n' | b'\r')) {
        return message;
    }
    message.iter().map(|&byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { byte }).collect()
}

/// Where a part of a text stands in it.
fn place_of(part: &str, whole: &str) -> Range<usize> {
    let start = part.as_ptr().addr().saturating_sub(whole.as_ptr().addr());
    start..start + part.len()
}

fn refuse_batch(text: &[u8]) -> Result<(), MessageError> {
    if is_batch(text) { Err(MessageError::Batch) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn of_client(text: &str) -> Result<Message, MessageError> {
        Message::of_client(Bytes::copy_from_slice(text.as_bytes()))
    }

    #[test]
    fn messages_are_told_apart() {
        let request = |id| Kind::Request { id, method: "m".to_owned() };
        for (text, kind) in [
            (r#"{"jsonrpc":"2.0","id":1,"method":"m"}"#, request(RequestId::Number(1))),
            (r#"{"method":"m","id":"a","jsonrpc":"2.0","x":[]}"#, request(RequestId::String("a".into()))),
            (
                r#"{"jsonrpc":"2.0","method":"notifications/m","params":{}}"#,
                Kind::Notification { method: "notifications/m".to_owned() },
            ),
            (
                r#"{"jsonrpc":"2.0","id":1,"result":null}"#,
                Kind::Answer { id: Some(RequestId::Number(1)), is_error: false },
            ),
            (r#"{"jsonrpc":"2.0","id":null,"error":{}}"#, Kind::Answer { id: None, is_error: true }),
        ] {
            assert_eq!(of_client(text).unwrap().kind, kind, "{text}");
        }
    }

    #[test]
    fn what_is_no_message_is_refused_with_a_reason() {
        for (text, reason) in [
            ("", "no JSON"),
            ("{", "no JSON"),
            ("{\"a\":1e999}", "no JSON"),
            ("[{\"jsonrpc\":\"2.0\",\"method\":\"m\"}]", "batches"),
            ("{\"method\":\"m\"}", "jsonrpc"),
            ("{\"jsonrpc\":\"2.0\",\"id\":1}", "no message"),
            ("{\"jsonrpc\":\"2.0\",\"id\":1.5,\"method\":\"m\"}", "no JSON"),
            ("{\"jsonrpc\":\"2.0\",\"method\":\"tools/call\"}", "no id"),
            ("{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"m\"}", "no id"),
            ("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\",\"result\":1}", "no message"),
        ] {
            let error = of_client(text).unwrap_err().to_string();
            assert!(error.contains(reason), "{text}: {error}");
        }
        let long = format!(r#"{{"jsonrpc":"2.0","id":"{}","method":"m"}}"#, "x".repeat(257));
        assert!(of_client(&long).unwrap_err().to_string().contains("256 bytes"));
        let deep = format!("{{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"params\":{}", "[".repeat(100_000));
        assert!(matches!(of_client(&deep), Err(MessageError::NotJson(_))));
        assert!(Message::of_client(Bytes::from_static(b"{\"\xFF\":1}")).is_err());
    }

    #[test]
    fn what_two_readers_could_take_for_two_messages_is_refused() {
        for text in [
            r#"{"jsonrpc":"2.0","method":"ping","method":"tools/call","id":1}"#,
            r#"{"jsonrpc":"2.0","Method":"tools/call","id":1,"result":{}}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","Name":"b"}}"#,
            "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"param\u{17f}\":{\"name\":\"a\"}}",
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":{"p":1,"p":2}}}"#,
        ] {
            assert!(matches!(of_client(text), Err(MessageError::Doubtful(_))), "{text}");
        }
        let harmless = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":{"p":1,"P":2}}}"#;
        assert!(of_client(harmless).is_ok(), "arguments may have names that differ in case");
    }

    #[test]
    fn of_a_doubtful_answer_goes_on_what_was_read() {
        let text = r#"{"jsonrpc":"2.0","id":1,"result":{"a":"hidden","a":"seen"}}"#;
        let message = Message::of_server(Bytes::from_static(text.as_bytes())).unwrap();
        assert_eq!(message.value(), json!({"a": "seen"}));
        assert!(!message.bytes().windows(6).any(|window| window == b"hidden"));
    }

    #[test]
    fn a_change_leaves_every_byte_around_it() {
        let text = r#"{ "jsonrpc":"2.0", "x": 1.10,
            "id":1 , "method":"m" , "params" : {"a":1} , "y":12345678901234567890123 }"#;
        let message = of_client(text).unwrap();
        let changed = message.with(&json!({"b": [2]}));
        assert_eq!(std::str::from_utf8(&changed).unwrap(), text.replace("{\"a\":1}", "{\"b\":[2]}"));
        assert!(!message.line().contains(&b'\n'));
        assert_eq!(of_client(std::str::from_utf8(&message.line()).unwrap()).unwrap().kind, message.kind);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _either = Message::of_client(bytes.clone().into());
            let _either = Message::of_server(bytes.into());
        }
    }
}

//! What a client wants, before it reaches a server: calls of tools, and reading resources, are admitted by the checkpoint.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use rmcp::model::{
    CallToolRequestMethod, ConstString, ErrorCode, ListToolsRequestMethod, ReadResourceRequestMethod,
    RequestId,
};
use seawall_checkpoint::tool::RunState;
use seawall_policy::{Declared, Performer, Policy};
use seawall_types::Effect;
use serde_json::{Map, Value};

use crate::answer;
use crate::book::What;
use crate::desk::{Desk, Granted, Refused, Visitor, Wanted};
use crate::message::{Message, on_one_line};
use crate::metrics::Ended;
use crate::outward::Reader;
use crate::tasks::About;

/// A request, and on whose behalf.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) server: Arc<str>,
    pub(crate) visitor: Visitor,
    pub(crate) policy: Arc<Policy>,
    pub(crate) state: Arc<RunState>,
    /// Relative paths mean the same to the policy as to the server.
    pub(crate) shares_root: bool,
    /// Its client reads protocol versions that name a result's type.
    pub(crate) is_modern: bool,
}

/// What becomes of it.
#[derive(Debug)]
pub(crate) enum Judged {
    /// It goes to the server.
    Passes {
        /// As the server gets it.
        bytes: Bytes,
        /// Something in it was replaced.
        is_changed: bool,
        /// How its answer is treated.
        what: What,
    },
    /// It does not, and this is its answer.
    Answered(Bytes),
}

impl Judged {
    fn as_it_is(message: &Message, what: What) -> Self {
        Self::Passes { bytes: message.line(), is_changed: false, what }
    }
}

/// Judges a request.
pub(crate) async fn judge(desk: &Arc<Desk>, asked: &Asked, id: &RequestId, message: &Message) -> Judged {
    match message.method() {
        Some(CallToolRequestMethod::VALUE) => call(desk, asked, id, message).await,
        Some(ReadResourceRequestMethod::VALUE) => resource(desk, asked, id, message).await,
        Some(ListToolsRequestMethod::VALUE) => other(desk, asked, id, message, What::Tools),
        method => {
            let about = About::of(method, &message.value());
            other(desk, asked, id, message, about.map_or(What::Other, What::Task))
        }
    }
}

/// What is no action.
fn other(desk: &Desk, asked: &Asked, id: &RequestId, message: &Message, what: What) -> Judged {
    let (server, policy, actor) = (&*asked.server, &*asked.policy, &asked.visitor.actor);
    match (Reader { desk, server, policy, actor }).read(message) {
        Ok((bytes, is_changed)) => Judged::Passes { bytes, is_changed, what },
        Err(denial) => Judged::Answered(answer::denied(Some(id.clone()), &denial)),
    }
}

async fn call(desk: &Arc<Desk>, asked: &Asked, id: &RequestId, message: &Message) -> Judged {
    let Value::Object(mut parameters) = message.value() else {
        return invalid(id, "tools/call needs params");
    };
    let Some(tool) = parameters.get("name").and_then(Value::as_str) else {
        return invalid(id, "tools/call needs the name of a tool");
    };
    let wanted = Wanted {
        name: name_of(&asked.server, tool),
        arguments: parameters.get("arguments").cloned().unwrap_or_else(|| Value::Object(Map::new())),
        effects: Declared::Nothing,
        performer: if asked.shares_root { Performer::Us } else { Performer::Server },
        policy: Arc::clone(&asked.policy),
        state: Arc::clone(&asked.state),
        visitor: asked.visitor.clone(),
    };
    match desk.admit(wanted).await {
        Ok(Granted { permit, mut arguments }) => {
            if permit.replacements().is_empty() {
                return Judged::as_it_is(message, What::Call(Box::new(permit)));
            }
            permit.apply(&mut arguments);
            parameters.insert("arguments".to_owned(), arguments);
            // Around what was changed it is as the client wrote it, over several lines perhaps.
            let bytes = on_one_line(message.with(&Value::Object(parameters)));
            Judged::Passes { bytes, is_changed: true, what: What::Call(Box::new(permit)) }
        }
        Err(Refused { action, denial }) => {
            desk.metrics().called(&asked.server, Ended::Denied);
            Judged::Answered(answer::denied_call(id.clone(), action, &denial, asked.is_modern))
        }
    }
}

async fn resource(desk: &Arc<Desk>, asked: &Asked, id: &RequestId, message: &Message) -> Judged {
    let parameters = message.value();
    let Some(uri) = parameters.get("uri").and_then(Value::as_str) else {
        return invalid(id, "resources/read needs a uri");
    };
    let (arguments, effects) = named_by(uri);
    let wanted = Wanted {
        name: name_of(&asked.server, ReadResourceRequestMethod::VALUE),
        arguments,
        effects,
        performer: if asked.shares_root { Performer::Us } else { Performer::Server },
        policy: Arc::clone(&asked.policy),
        state: Arc::clone(&asked.state),
        visitor: asked.visitor.clone(),
    };
    match desk.admit(wanted).await {
        // Which resource is read is for its uri to say, as the server wrote it in its list: it goes on unchanged.
        Ok(Granted { permit, .. }) => Judged::as_it_is(message, What::Resource(Box::new(permit))),
        Err(Refused { denial, .. }) => Judged::Answered(answer::denied(Some(id.clone()), &denial)),
    }
}

/// What a uri names, as arguments that a policy can judge: a file that is read, a place in the network, or something with a
/// scheme that servers make up for themselves, which is nothing outside of the server.
fn named_by(uri: &str) -> (Value, Declared) {
    const NETWORK: [&str; 7] = ["http", "https", "ws", "wss", "ftp", "ftps", "sftp"];
    let of = |name: &str, text: &str, effect| {
        let effects = Declared::Parameters(BTreeMap::from([(name.to_owned(), effect)]));
        (serde_json::json!({ name: text }), effects)
    };
    let trimmed = uri.trim_start();
    let Some((scheme, rest)) = trimmed.split_once(':').filter(|(scheme, _)| scheme.len() > 1) else {
        return of("path", uri, Some(Effect::FsRead));
    };
    if scheme.eq_ignore_ascii_case("file") {
        // Another machine's file is a place in the network.
        let path = rest.strip_prefix("//").map_or(Some(rest), |rest| {
            let rest = rest.strip_prefix("localhost").unwrap_or(rest);
            rest.starts_with('/').then_some(rest)
        });
        return match path.and_then(decoded) {
            Some(path) => of("path", &path, Some(Effect::FsRead)),
            None => of("uri", uri, Some(Effect::Net)),
        };
    }
    let is_known = NETWORK.iter().any(|known| scheme.eq_ignore_ascii_case(known));
    of("uri", uri, is_known.then_some(Effect::Net))
}

/// A path of a uri with its percent-encoding (RFC 3986 §2.1) taken off once; `None` where that is not text.
fn decoded(path: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        match hex.filter(|_| byte == b'%') {
            Some(encoded) => {
                bytes.push(encoded);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(byte);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).ok()
}

/// How policies and traces call a tool of a server.
pub(crate) fn name_of(server: &str, tool: &str) -> String {
    format!("{server}.{tool}")
}

fn invalid(id: &RequestId, message: &str) -> Judged {
    Judged::Answered(answer::error(Some(id.clone()), ErrorCode::INVALID_PARAMS, message, None))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uri_names_a_file_a_place_in_the_network_or_nothing_outside() {
        for (uri, name, text, effect) in [
            ("file:///srv/a%20b.txt", "path", "/srv/a b.txt", Some(Effect::FsRead)),
            ("FILE:/etc/passwd", "path", "/etc/passwd", Some(Effect::FsRead)),
            (" file://localhost/etc/passwd", "path", "/etc/passwd", Some(Effect::FsRead)),
            ("file:///a/%2e%2e/%252e", "path", "/a/../%2e", Some(Effect::FsRead)),
            ("file://elsewhere/etc/passwd", "uri", "file://elsewhere/etc/passwd", Some(Effect::Net)),
            ("file:///%ff", "uri", "file:///%ff", Some(Effect::Net)),
            ("../etc/passwd", "path", "../etc/passwd", Some(Effect::FsRead)),
            ("c:\\x", "path", "c:\\x", Some(Effect::FsRead)),
            (" https://example.com", "uri", " https://example.com", Some(Effect::Net)),
            ("demo://resource/1", "uri", "demo://resource/1", None),
            ("note:1", "uri", "note:1", None),
        ] {
            let (arguments, effects) = named_by(uri);
            assert_eq!(arguments, serde_json::json!({ name: text }), "{uri}");
            assert_eq!(effects, Declared::Parameters(BTreeMap::from([(name.to_owned(), effect)])), "{uri}");
        }
    }
}

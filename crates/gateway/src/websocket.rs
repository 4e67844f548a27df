//! Websocket handshakes: which requests are one, what they name, and what of them goes on upstream.
//!
//! What is said after the handshake is nobody's business here: the bytes pass through a [`crate::tunnel`].

use std::borrow::Cow;

use http::header::{CONNECTION, ORIGIN, SEC_WEBSOCKET_PROTOCOL, UPGRADE};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Version};
use seawall_llm::wire::percent_decode;
use seawall_types::Code;

use crate::refusal::Refusal;
use crate::token::looks_like_token;

/// A page in a browser can set no header of a handshake but the list of protocols, so OpenAI takes the key there.
const KEY_PROTOCOL: &str = "openai-insecure-api-key.";

/// A request to become a websocket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Handshake {
    /// The model in the query is that of the whole session. On the paths of a wire format it is not: there each message
    /// names its own.
    pub(crate) query_names_model: bool,
}

/// Whether a request asks to become a websocket (RFC 6455 §4.1).
#[must_use]
pub fn is_handshake(parts: &Parts) -> bool {
    parts.method == Method::GET
        && parts.version == Version::HTTP_11
        && has(&parts.headers, &UPGRADE, "websocket")
        && has(&parts.headers, &CONNECTION, "upgrade")
}

fn has(headers: &HeaderMap, name: &HeaderName, wanted: &str) -> bool {
    list(headers, name).any(|item| item.eq_ignore_ascii_case(wanted))
}

/// The items of a header that is a list.
fn list<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim)
}

/// Says, in either direction, that this is a handshake: these headers belong to a hop, and the hop before had its own.
pub(crate) fn say_upgrade(headers: &mut HeaderMap) {
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
}

/// A page in a browser asks: any page can, of any site, and it may read what comes.
pub(crate) fn comes_from_a_page(headers: &HeaderMap) -> bool {
    headers.contains_key(ORIGIN)
}

/// The key among the protocols.
pub(crate) fn key(headers: &HeaderMap) -> Option<&str> {
    list(headers, &SEC_WEBSOCKET_PROTOCOL).find_map(|protocol| protocol.strip_prefix(KEY_PROTOCOL))
}

/// Takes tokens out of the protocols, where they are ours to check.
pub(crate) fn remove_tokens(headers: &mut HeaderMap) {
    retain_protocols(headers, |protocol| !protocol.strip_prefix(KEY_PROTOCOL).is_some_and(looks_like_token));
}

/// Makes the headers of a request those of a handshake, without a key among the protocols that is not to pass.
pub(crate) fn towards_upstream(headers: &mut HeaderMap, pass_credentials: bool) {
    say_upgrade(headers);
    retain_protocols(headers, |protocol| {
        !protocol.contains(seawall_store::KEY_PREFIX)
            && (pass_credentials || !protocol.starts_with(KEY_PROTOCOL))
    });
}

fn retain_protocols(headers: &mut HeaderMap, keep: impl Fn(&str) -> bool) {
    if list(headers, &SEC_WEBSOCKET_PROTOCOL).all(&keep) {
        return;
    }
    let kept: Vec<&str> = list(headers, &SEC_WEBSOCKET_PROTOCOL).filter(|protocol| keep(protocol)).collect();
    let kept = HeaderValue::from_str(&kept.join(", ")).ok().filter(|kept| !kept.is_empty());
    headers.remove(SEC_WEBSOCKET_PROTOCOL);
    headers.extend(kept.map(|kept| (SEC_WEBSOCKET_PROTOCOL, kept)));
}

/// The refusal that sends a client back to plain HTTP: with this status, and OpenAI's own server has it too, Codex does so
/// at once, where it would try again with any other.
pub(crate) fn refused(message: &str, remedy: &str) -> Refusal {
    let mut headers = HeaderMap::new();
    // RFC 9110 §15.5.22: such an answer names the protocol to be used instead.
    headers.insert(UPGRADE, HeaderValue::from_static("HTTP/1.1"));
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    Refusal::new(Code::WebsocketRefused, message, remedy).telling(headers)
}

/// The model that a query names.
///
/// # Errors
/// When it names two: we and the upstream might read different ones.
pub(crate) fn model(query: Option<&str>) -> Result<Option<String>, Refusal> {
    let mut models = query.unwrap_or_default().split('&').filter_map(model_of);
    let model = models.next();
    if models.next().is_some() {
        let message = "the query names the model twice";
        return Err(Refusal::new(Code::BadRequest, message, "name one model"));
    }
    Ok(model)
}

/// The model, when this pair of a query names one.
fn model_of(pair: &str) -> Option<String> {
    let (key, value) = pair.split_once('=')?;
    (form_decode(key) == "model").then(|| form_decode(value).into_owned())
}

fn form_decode(text: &str) -> Cow<'_, str> {
    if text.contains('+') {
        return Cow::Owned(percent_decode(&text.replace('+', " ")).into_owned());
    }
    percent_decode(text)
}

/// A pair of a query, with this model where it names one.
pub(crate) fn with_model<'a>(pair: &'a str, model: &str) -> Cow<'a, str> {
    if model_of(pair).is_none() {
        return Cow::Borrowed(pair);
    }
    let mut renamed = String::from("model=");
    for byte in model.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                renamed.push(char::from(byte))
            }
            _ => renamed.push_str(&format!("%{byte:02X}")),
        }
    }
    Cow::Owned(renamed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn protocols(values: &[&str]) -> HeaderMap {
        values.iter().map(|value| (SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_str(value).unwrap())).collect()
    }

    fn sent(values: &[&str], pass_credentials: bool) -> Vec<String> {
        let mut headers = protocols(values);
        towards_upstream(&mut headers, pass_credentials);
        assert_eq!(headers.get(UPGRADE).unwrap(), "websocket");
        headers
            .get_all(SEC_WEBSOCKET_PROTOCOL)
            .iter()
            .map(|value| value.to_str().unwrap().to_owned())
            .collect()
    }

    #[test]
    fn only_a_get_that_asks_in_both_headers_is_a_handshake() {
        let asks = |method: &str, connection: &str, upgrade: &str| {
            let request = http::Request::builder()
                .method(method)
                .header(CONNECTION, connection)
                .header(UPGRADE, upgrade);
            is_handshake(&request.body(()).unwrap().into_parts().0)
        };
        assert!(asks("GET", "keep-alive, Upgrade", "WebSocket"));
        assert!(!asks("POST", "upgrade", "websocket"));
        assert!(!asks("GET", "keep-alive", "websocket"));
        assert!(!asks("GET", "upgrade, http2-settings", "h2c"));
    }

    #[test]
    fn a_key_of_ours_among_the_protocols_never_goes_upstream() {
        let ours = ["realtime, openai-insecure-api-key.sk-sw-abc", "openai-beta.realtime-v1"];
        assert_eq!(key(&protocols(&ours)), Some("sk-sw-abc"));
        assert_eq!(sent(&ours, true), ["realtime, openai-beta.realtime-v1"]);
        assert_eq!(sent(&["openai-insecure-api-key.sk-sw-abc"], true), [""; 0]);
    }

    #[test]
    fn a_key_of_theirs_goes_where_credentials_pass_and_nowhere_else() {
        let theirs = ["realtime, openai-insecure-api-key.sk-theirs"];
        assert_eq!(sent(&theirs, true), theirs);
        assert_eq!(sent(&theirs, false), ["realtime"]);
    }

    #[test]
    fn a_token_among_the_protocols_is_taken_out() {
        let mut headers = protocols(&["realtime, openai-insecure-api-key.eyJhbGciOiJFZERTQSJ9.e30.AAAA"]);
        remove_tokens(&mut headers);
        assert_eq!(headers, protocols(&["realtime"]));
    }

    #[test]
    fn the_model_is_read_as_the_upstream_reads_it() {
        for (query, named) in [
            (None, None),
            (Some("a=b"), None),
            (Some("model=gpt-realtime"), Some("gpt-realtime")),
            (Some("x=1&m%6fdel=gpt%2Drealtime+2&y"), Some("gpt-realtime 2")),
        ] {
            assert_eq!(model(query).unwrap().as_deref(), named, "{query:?}");
        }
        assert!(model(Some("model=a&mode%6c=b")).is_err());
    }

    #[test]
    fn a_model_of_another_name_takes_its_place_in_the_query() {
        assert_eq!(with_model("mod%65l=fast", "org/gpt 4"), "model=org%2Fgpt%204");
        assert_eq!(with_model("models=fast", "x"), "models=fast");
    }
}

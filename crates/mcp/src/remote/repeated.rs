//! Headers that repeat what the body says, so that whoever routes a message need not read it (protocol of 2026-07-28,
//! SEP-2243). The body is what we judge; a server that goes by the headers must not perform another call.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName};
use serde_json::Value;

use super::request::OF_ARGUMENTS;
use crate::message::Message;

const METHOD: HeaderName = HeaderName::from_static("mcp-method");
const NAME: HeaderName = HeaderName::from_static("mcp-name");

/// The parameter that a name repeats, by what methods begin with.
const NAMES: [(&str, &str); 4] =
    [("tools/", "name"), ("prompts/", "name"), ("resources/", "uri"), ("tasks/", "taskId")];

/// A header that does not say what the body says.
pub(super) fn contradiction<'h>(headers: &'h HeaderMap, message: &Message) -> Option<&'h HeaderName> {
    let said: Vec<(&HeaderName, String)> = headers
        .iter()
        .filter(|(name, _)| **name == METHOD || **name == NAME || name.as_str().starts_with(OF_ARGUMENTS))
        .map(|(name, value)| (name, decoded(value.to_str().unwrap_or_default())))
        .collect();
    if said.is_empty() {
        return None;
    }
    let (method, parameters) = (message.method().unwrap_or_default(), message.value());
    let named = NAMES.iter().find(|(prefix, _)| method.starts_with(prefix));
    let name = named.and_then(|(_, parameter)| parameters.get(parameter)?.as_str());
    let holds = |header: &HeaderName, text: &str| match header {
        header if *header == METHOD => text == method,
        header if *header == NAME => name.is_none_or(|name| text == name),
        _ => parameters.get("arguments").is_some_and(|arguments| has(arguments, text)),
    };
    said.into_iter().find(|(header, text)| !holds(header, text)).map(|(header, _)| header)
}

/// What can't stand in a header stands there as `=?base64?…?=`. What only looks so is taken as it is, and then fits nothing.
fn decoded(value: &str) -> String {
    let encoded = value.strip_prefix("=?base64?").and_then(|value| value.strip_suffix("?="));
    let text = encoded.and_then(|encoded| String::from_utf8(STANDARD.decode(encoded).ok()?).ok());
    text.unwrap_or_else(|| value.to_owned())
}

/// Whether a text, a number or a truth value somewhere in this is written so.
fn has(value: &Value, text: &str) -> bool {
    match value {
        Value::String(own) => own == text,
        Value::Number(number) => number.to_string() == text,
        Value::Bool(truth) => text == if *truth { "true" } else { "false" },
        Value::Array(items) => items.iter().any(|item| has(item, text)),
        Value::Object(fields) => fields.values().any(|field| has(field, text)),
        Value::Null => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_says_what_the_body_says() {
        let call = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":{"city":"Rome","deep":{"n":7,"b":true,"u":"ü"}}}}"#;
        let message = Message::of_client(call.into()).unwrap();
        for (name, value, holds) in [
            ("mcp-method", "tools/call", true),
            ("mcp-method", "ping", false),
            ("mcp-name", "a", true),
            ("mcp-name", "=?base64?YQ==?=", true),
            ("mcp-name", "b", false),
            ("mcp-name", "=?base64?!?=", false),
            ("mcp-param-city", "Rome", true),
            ("mcp-param-n", "7", true),
            ("mcp-param-b", "true", true),
            ("mcp-param-u", "=?base64?w7w=?=", true),
            ("mcp-param-city", "Paris", false),
            ("mcp-session-id", "anything", true),
        ] {
            let headers =
                HeaderMap::from_iter([(name.parse::<HeaderName>().unwrap(), value.parse().unwrap())]);
            assert_eq!(contradiction(&headers, &message).is_none(), holds, "{name}: {value}");
        }
        let list = Message::of_client(r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#.into()).unwrap();
        let headers =
            HeaderMap::from_iter([(METHOD, "tools/list".parse().unwrap()), (NAME, "".parse().unwrap())]);
        assert_eq!(contradiction(&headers, &list), None);
    }
}

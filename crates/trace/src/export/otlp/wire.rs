//! The messages of OTLP, as far as they are written here: names and shapes as in `opentelemetry/proto/trace/v1`.

use serde::Serialize;

use super::Resource;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Request {
    resource_spans: [ResourceSpans; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResourceSpans {
    resource: Attributes,
    scope_spans: [ScopeSpans; 1],
}

#[derive(Serialize)]
struct Attributes {
    attributes: Vec<Attribute>,
}

#[derive(Serialize)]
struct ScopeSpans {
    scope: Scope,
    spans: Vec<Span>,
}

#[derive(Serialize)]
struct Scope {
    name: &'static str,
    version: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Span {
    pub(super) trace_id: String,
    pub(super) span_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) parent_span_id: Option<String>,
    pub(super) name: String,
    pub(super) kind: u8,
    pub(super) start_time_unix_nano: String,
    pub(super) end_time_unix_nano: String,
    pub(super) attributes: Vec<Attribute>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) events: Vec<SpanEvent>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) status: Option<Status>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SpanEvent {
    pub(super) time_unix_nano: String,
    pub(super) name: &'static str,
    pub(super) attributes: Vec<Attribute>,
}

#[derive(Serialize)]
pub(super) struct Status {
    pub(super) code: u8,
    pub(super) message: String,
}

#[derive(Serialize)]
pub(super) struct Attribute {
    key: &'static str,
    value: Value,
}

/// `AnyValue`. An `intValue` is a string, as every 64-bit number in the JSON of protobuf.
#[derive(Serialize)]
enum Value {
    #[serde(rename = "stringValue")]
    Text(String),
    #[serde(rename = "boolValue")]
    Boolean(bool),
    #[serde(rename = "intValue")]
    Integer(String),
    #[serde(rename = "doubleValue")]
    Float(f64),
    #[serde(rename = "arrayValue")]
    Array { values: Vec<Value> },
}

impl Request {
    pub(super) fn new(resource: &Resource, spans: Vec<Span>) -> Self {
        let attributes = vec![
            Attribute::text("service.name", resource.service.clone()),
            Attribute::text("service.version", resource.version.clone()),
        ];
        let scope = Scope { name: "seawall", version: env!("CARGO_PKG_VERSION") };
        let scope_spans = [ScopeSpans { scope, spans }];
        Self { resource_spans: [ResourceSpans { resource: Attributes { attributes }, scope_spans }] }
    }
}

impl Attribute {
    pub(super) fn text(key: &'static str, value: impl Into<String>) -> Self {
        Self { key, value: Value::Text(value.into()) }
    }

    pub(super) fn boolean(key: &'static str, value: bool) -> Self {
        Self { key, value: Value::Boolean(value) }
    }

    pub(super) fn integer(key: &'static str, value: impl Into<u64>) -> Self {
        Self { key, value: Value::Integer(value.into().to_string()) }
    }

    pub(super) fn float(key: &'static str, value: f64) -> Self {
        Self { key, value: Value::Float(value) }
    }

    pub(super) fn texts(key: &'static str, values: impl IntoIterator<Item = String>) -> Self {
        let values = values.into_iter().map(Value::Text).collect();
        Self { key, value: Value::Array { values } }
    }
}

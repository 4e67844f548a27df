//! Spans in OTLP's JSON encoding, with the semantic conventions for generative AI (1.41, status: development).
//!
//! Protocol: <https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding>: field names in lower camel case,
//! identifiers in hexadecimal, 64-bit numbers as decimal strings, enumerations as numbers. JSON rather than protobuf:
//! every receiver of OTLP over HTTP takes both, and what is sent can be read.
//!
//! Identifiers are those of the trace, so that one leads to the other: a span's is the second half of its action's.
//! The run is the OpenTelemetry trace, with a span of its own that the actions hang under; but in a gateway's run, which
//! is the session of a server and may hold millions of calls that have nothing to do with each other, each call is a
//! trace by itself.

mod attributes;
mod wire;

use seawall_types::Timestamp;

use self::wire::{Attribute, Request, Span, SpanEvent, Status};
use super::{ActionRow, Row, RunRow, ToolUse};

/// The kind of run that is a server's session.
const SESSION: &str = "proxy";
/// `SPAN_KIND_INTERNAL`
const INTERNAL: u8 = 1;
/// `SPAN_KIND_CLIENT`
const CLIENT: u8 = 3;
/// `STATUS_CODE_ERROR`
const ERROR: u8 = 2;

/// Who exports: the attributes of the resource.
#[derive(Debug, Clone)]
pub struct Resource {
    /// `service.name`
    pub service: String,
    /// `service.version`
    pub version: String,
}

impl Default for Resource {
    /// This program, under its own name.
    fn default() -> Self {
        Self { service: "seawall".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() }
    }
}

/// One `ExportTraceServiceRequest` with a span for each row, as one line of JSON without its end.
///
/// A server's session has no span, so a row of one adds none.
#[must_use]
pub fn request(rows: &[Row], resource: &Resource) -> String {
    let spans = rows.iter().filter_map(span).collect();
    serde_json::to_string(&Request::new(resource, spans)).unwrap_or_else(|_| "{}".to_owned())
}

fn span(row: &Row) -> Option<Span> {
    match row {
        Row::Action(action) => Some(action_span(action)),
        Row::Run(run) if &*run.kind == SESSION => None,
        Row::Run(run) => Some(run_span(run)),
    }
}

fn run_span(run: &RunRow) -> Span {
    Span {
        trace_id: hex(&run.run.into_bytes()),
        span_id: short(run.run.into_bytes()),
        parent_span_id: None,
        name: format!("run {}", run.kind),
        kind: INTERNAL,
        start_time_unix_nano: nanos(run.started_at),
        end_time_unix_nano: nanos(run.ended_at),
        attributes: vec![
            Attribute::text("seawall.run.id", run.run.to_string()),
            Attribute::text("seawall.run.kind", run.kind.to_string()),
        ],
        events: Vec::new(),
        status: None,
    }
}

fn action_span(row: &ActionRow) -> Span {
    let is_session = &*row.run_kind == SESSION;
    let root = if is_session { row.parent.unwrap_or(row.action).into_bytes() } else { row.run.into_bytes() };
    let parent = row.parent.map(|parent| short(parent.into_bytes()));
    let (name, attributes) = attributes::of_action(row);
    Span {
        trace_id: hex(&root),
        span_id: short(row.action.into_bytes()),
        parent_span_id: parent.or_else(|| (!is_session).then(|| short(row.run.into_bytes()))),
        name,
        kind: if row.kind() == "model_call" { CLIENT } else { INTERNAL },
        start_time_unix_nano: nanos(row.started_at),
        end_time_unix_nano: nanos(row.ended_at.unwrap_or(row.started_at)),
        attributes,
        events: row.tools.iter().map(tool_event).collect(),
        status: status(row),
    }
}

fn tool_event(tool: &ToolUse) -> SpanEvent {
    let mut attributes = vec![Attribute::text("gen_ai.tool.name", tool.name.clone())];
    attributes.extend(tool.call_id.clone().map(|id| Attribute::text("gen_ai.tool.call.id", id)));
    SpanEvent { time_unix_nano: nanos(tool.at), name: "seawall.tool.called", attributes }
}

/// Unset where all is well, as the conventions want it.
fn status(row: &ActionRow) -> Option<Status> {
    attributes::error_type(row).map(|error| {
        let message = row.findings().next().map(|finding| finding.message.clone());
        Status { code: ERROR, message: message.unwrap_or(error) }
    })
}

fn nanos(at: Timestamp) -> String {
    // Past the year 2554 there is no such number; what is later is told as then.
    at.as_micros().saturating_mul(1_000).to_string()
}

/// The second half of an identifier: the random one, which also is what people know it by.
fn short([_, _, _, _, _, _, _, _, half @ ..]: [u8; 16]) -> String {
    hex(&half)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

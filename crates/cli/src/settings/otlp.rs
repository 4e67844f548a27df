//! `otlp`: spans to a collector while the server runs.

use seawall_config::Reader;

use crate::otlp::Endpoint;

/// Where spans go, if anywhere.
pub(super) fn declare(reader: &mut Reader<'_>) -> Option<Endpoint> {
    reader.section("otlp", "Export to OpenTelemetry, while the server runs.", |otlp| {
        let doc = "The base URL of a collector that takes OTLP over HTTP, for example http://localhost:4318; spans go to its /v1/traces.";
        let endpoint = otlp.optional_parsed("endpoint", doc);
        otlp.partial_choice("protocol", "http: OTLP over HTTP, as JSON.", (), &[("http", ())], &["grpc"]);
        endpoint
    })
}

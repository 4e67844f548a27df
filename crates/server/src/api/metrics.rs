//! `GET /metrics`: Prometheus text or OpenMetrics, with the process's own figures.

mod openmetrics;

use std::fmt::Write;
use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, VARY};
use http::{HeaderMap, HeaderValue, StatusCode};
use prometheus::TextEncoder;

use crate::{App, process};

/// The text format of Prometheus, version 0.0.4.
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

pub(crate) async fn metrics(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    app.refresh_metrics();
    let mut text = String::with_capacity(32 * 1024);
    if let Err(error) = TextEncoder::new().encode_utf8(&app.parts.registry.gather(), &mut text) {
        tracing::error!(%error, "metrics could not be written");
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    text.push_str(&of_process(&app));
    let (content_type, text) = if openmetrics::is_wanted(&headers) {
        (openmetrics::MEDIA_TYPE, openmetrics::of(&text))
    } else {
        (TEXT, text)
    };
    let told =
        [(CONTENT_TYPE, HeaderValue::from_static(content_type)), (VARY, HeaderValue::from_static("accept"))];
    (told, text).into_response()
}

/// The names that every Prometheus client library uses.
fn of_process(app: &App) -> String {
    let uptime = app.parts.clock.monotonic().saturating_sub(app.started);
    let started = app.parts.clock.now().as_secs().saturating_sub(uptime.as_secs());
    let mut text = String::new();
    for (name, kind, help, value) in [
        (
            "process_cpu_seconds_total",
            "counter",
            "CPU time used by this process.",
            process::cpu_time().as_secs_f64().to_string(),
        ),
        (
            "process_resident_memory_bytes",
            "gauge",
            "Memory of this process.",
            process::resident_bytes().to_string(),
        ),
        ("process_open_fds", "gauge", "Open file descriptors.", process::open_files().to_string()),
        (
            "process_start_time_seconds",
            "gauge",
            "When this process started, in seconds since 1970.",
            started.to_string(),
        ),
    ] {
        let _infallible = write!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}\n");
    }
    text
}

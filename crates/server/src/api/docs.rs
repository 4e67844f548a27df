//! `/` and `/docs`: pages for people, made of the OpenAPI document, without anything from elsewhere.

use std::fmt::Write;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Html;

use crate::App;
use crate::api::openapi;

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:50rem;margin:3rem auto;padding:0 1rem;color-scheme:light dark}\
code{font-family:ui-monospace,monospace}table{border-collapse:collapse;width:100%}td{padding:.3rem .6rem;border-top:1px solid #8884;vertical-align:top}";

fn page(title: &str, body: &str) -> Html<String> {
    Html(format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>{title}</title><style>{STYLE}</style><body><h1>{title}</h1>{body}</body></html>"
    ))
}

pub(crate) async fn home(State(app): State<Arc<App>>) -> Html<String> {
    let address = app.address.get().map_or_else(String::new, ToString::to_string);
    let upstreams = app.gateway().snapshot();
    let simulated = if upstreams.directory.upstreams.iter().all(|upstream| upstream.is_simulated()) {
        "<p>The <strong>simulated provider</strong> answers: a stand-in, not a model.</p>"
    } else {
        ""
    };
    page(
        "Seawall",
        &format!(
            "{simulated}<p>Point a client here:</p><pre><code>export OPENAI_BASE_URL=http://{address}/v1\n\
             export ANTHROPIC_BASE_URL=http://{address}</code></pre>\
             <ul><li><a href=\"/docs\">Routes</a></li><li><a href=\"/ready\">Readiness</a></li>\
             <li><a href=\"/metrics\">Metrics</a></li></ul>"
        ),
    )
}

pub(crate) async fn docs() -> Html<String> {
    let mut rows = String::new();
    let document = openapi::document();
    let paths = document.get("paths").and_then(serde_json::Value::as_object);
    for (path, operations) in paths.into_iter().flatten() {
        for (method, operation) in operations.as_object().into_iter().flatten() {
            let summary = operation.get("summary").and_then(serde_json::Value::as_str).unwrap_or("");
            let method = method.to_uppercase();
            let _infallible =
                write!(rows, "<tr><td><code>{method} {path}</code></td><td>{summary}</td></tr>");
        }
    }
    page(
        "Seawall: routes",
        &format!("<table>{rows}</table><p><a href=\"/openapi.json\">OpenAPI document</a></p>"),
    )
}

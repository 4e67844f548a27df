//! `GET /health`: whether this process lives. It asks nobody else.

use std::sync::{Arc, PoisonError};

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use crate::{App, process};

/// The answer of `/health`.
#[derive(Debug, Serialize)]
pub(crate) struct Health {
    status: &'static str,
    uptime_seconds: f64,
    memory_usage_mb: f64,
    cpu_percent: f64,
    active_requests: usize,
    version: &'static str,
}

pub(crate) async fn health(State(app): State<Arc<App>>) -> Json<Health> {
    let now = app.parts.clock.monotonic();
    let cpu = app.cpu.lock().unwrap_or_else(PoisonError::into_inner).read(now);
    #[expect(clippy::cast_precision_loss, reason = "megabytes for people")]
    let megabytes = process::resident_bytes() as f64 / (1024.0 * 1024.0);
    Json(Health {
        status: "healthy",
        uptime_seconds: now.saturating_sub(app.started).as_secs_f64(),
        memory_usage_mb: (megabytes * 10.0).round() / 10.0,
        cpu_percent: (cpu * 10.0).round() / 10.0,
        active_requests: app.gateway().in_flight(),
        version: env!("CARGO_PKG_VERSION"),
    })
}

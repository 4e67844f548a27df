//! `…/stats`, `…/consistency`, `/api/health/store`, `/api/metrics/store`: how much there is, and whether it is sound.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use seawall_store::agents::{Issue, Metrics, Stats, check_consistency};
use seawall_types::{Code, Timestamp, Tokens, Usd};
use serde::Serialize;

use super::found::{Found, Visit};
use crate::App;
use crate::problem::Problem;

/// How much there is of an agent.
#[derive(Debug, Serialize)]
pub(super) struct Figures {
    messages: u64,
    tool_calls: u64,
    snapshots: u64,
    tool_calls_by_name: BTreeMap<Arc<str>, u64>,
    tool_calls_by_state: BTreeMap<Arc<str>, u64>,
    steps: u64,
    tokens: Tokens,
    cost_usd: Usd,
}

pub(super) async fn stats(found: Found) -> Result<Json<Figures>, Problem> {
    let Stats { messages, calls, snapshots, calls_by_tool, calls_by_state, .. } =
        found.store().stats(Some(found.id())).await?;
    Ok(Json(Figures {
        messages,
        tool_calls: calls,
        snapshots,
        tool_calls_by_name: calls_by_tool,
        tool_calls_by_state: calls_by_state,
        steps: found.row.steps,
        tokens: found.row.tokens,
        cost_usd: found.row.cost,
    }))
}

/// Whether what there is of an agent is what its log makes of it.
#[derive(Debug, Serialize)]
pub(super) struct Checked {
    consistent: bool,
    seq: u64,
    issues: Vec<Issue>,
    checked_at: Timestamp,
}

pub(super) async fn consistency(State(app): State<Arc<App>>, found: Found) -> Result<Json<Checked>, Problem> {
    let checked = check_consistency(&**found.store(), found.id()).await?;
    let consistent = checked.is_consistent();
    Ok(Json(Checked {
        consistent,
        seq: checked.seq,
        issues: checked.issues,
        checked_at: app.parts.clock.now(),
    }))
}

/// The answer of `GET /api/health/store`.
#[derive(Debug, Serialize)]
pub(super) struct StoreHealth {
    healthy: bool,
    database: Database,
    file_system: FileSystem,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    checked_at: Timestamp,
}

#[derive(Debug, Serialize)]
struct Database {
    connected: bool,
    latency_ms: f64,
}

#[derive(Debug, Serialize)]
struct FileSystem {
    writable: bool,
}

pub(super) async fn health(State(app): State<Arc<App>>, visit: Visit) -> (StatusCode, Json<StoreHealth>) {
    let (connected, writable, latency, reason) = match visit.store().health().await {
        Ok(health) => (health.connected, health.writable, health.latency, health.reason),
        Err(error) => (false, false, Duration::ZERO, Some(error.to_string())),
    };
    if let Some(reason) = &reason {
        tracing::error!(%reason, "the store of agents is not well");
    }
    let healthy = connected && writable;
    let status = if healthy { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let health = StoreHealth {
        healthy,
        database: Database { connected, latency_ms: millis(latency) },
        file_system: FileSystem { writable },
        // What a driver says may name hosts and folders.
        reason: reason.map(|_| "see the log"),
        checked_at: app.parts.clock.now(),
    };
    (status, Json(health))
}

/// The answer of `GET /api/metrics/store`.
#[derive(Debug, Serialize)]
pub(super) struct StoreMetrics {
    operations: OperationCounts,
    performance: Performance,
    storage: Storage,
    collected_at: Timestamp,
}

#[derive(Debug, Serialize)]
struct OperationCounts {
    saves: u64,
    loads: u64,
    queries: u64,
    deletes: u64,
    leases: u64,
    failures: u64,
}

#[derive(Debug, Serialize)]
struct Performance {
    avg_latency_ms: f64,
    max_latency_ms: f64,
    min_latency_ms: f64,
}

#[derive(Debug, Serialize)]
struct Storage {
    total_agents: u64,
    total_messages: u64,
    total_tool_calls: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    db_size_bytes: Option<u64>,
}

/// Of the whole store, so not for one tenant of many.
pub(super) async fn of_store(
    State(app): State<Arc<App>>,
    visit: Visit,
) -> Result<Json<StoreMetrics>, Problem> {
    if visit.who.tenant().is_some() {
        let detail = "this is about the agents of all tenants";
        return Err(Problem::new(Code::Forbidden, detail, "ask with a key that has no tenant"));
    }
    let Some(store) = &app.parts.agent_store else {
        return Err(Problem::new(
            Code::NotFound,
            "the store is not measured",
            "measure it where it is opened",
        ));
    };
    let Metrics { operations, latency, storage } = store.metrics().await?;
    Ok(Json(StoreMetrics {
        operations: OperationCounts {
            saves: operations.saves,
            loads: operations.loads,
            queries: operations.queries,
            deletes: operations.deletes,
            leases: operations.leases,
            failures: operations.failures,
        },
        performance: Performance {
            avg_latency_ms: millis(latency.average),
            max_latency_ms: millis(latency.longest),
            min_latency_ms: millis(latency.shortest),
        },
        storage: Storage {
            total_agents: storage.agents,
            total_messages: storage.messages,
            total_tool_calls: storage.calls,
            db_size_bytes: storage.bytes,
        },
        collected_at: app.parts.clock.now(),
    }))
}

/// For people: three digits.
fn millis(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

//! `/api/agents`, `/api/rooms`: durable agents over HTTP. One file a subject; what is decided, kept and run is the runtime's.
//!
//! Every route looks the agent up for its caller first ([`Found`]): who has a tenant sees the agents of that tenant alone, and
//! is told of all others that they are not there.

mod answer;
pub(crate) mod approvals;
mod blobs;
mod calls;
mod conversing;
mod deciding;
mod events;
mod face;
mod figures;
mod following;
mod forking;
mod found;
mod input;
mod making;
mod messages;
mod refusal;
mod repairing;
mod rooms;
mod schedules;
mod searching;
mod todos;
mod waiting;

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use axum::routing::{delete, get, post};
use tokio_util::context::TokioContext;

use crate::App;

pub(crate) use found::Visit;

/// The routes. There are none where there are no agents: their paths are unknown ones.
pub(super) fn routes(app: &App) -> Router<Arc<App>> {
    let mut routes = Router::new();
    if app.parts.agents.is_none() {
        return routes;
    }
    if app.parts.agent_store.is_some() {
        routes = routes.route("/api/metrics/store", get(figures::of_store));
    }
    routes
        .route("/api/agents", get(making::list).post(making::create))
        .route("/api/agents/{id}", get(making::show).delete(making::remove))
        .route("/api/agents/{id}/messages", get(messages::list).post(messages::send))
        .route("/api/agents/{id}/message", post(messages::complete))
        .route("/api/agents/{id}/events", get(events::events))
        .route("/api/agents/{id}/stream", get(events::stream))
        .route("/api/agents/{id}/interrupt", post(deciding::interrupt))
        .route("/api/agents/{id}/decide", post(deciding::decide))
        .route("/api/agents/{id}/fork", post(forking::fork))
        .route("/api/agents/{id}/snapshots", get(forking::snapshots).post(forking::snapshot))
        .route("/api/agents/{id}/blobs", post(blobs::keep).layer(DefaultBodyLimit::disable()))
        .route("/api/agents/{id}/blobs/{blob}", get(blobs::show))
        .route("/api/agents/{id}/todos", get(todos::show).put(todos::set))
        .route("/api/agents/{id}/schedules", get(schedules::list).post(schedules::set))
        .route("/api/agents/{id}/schedules/{schedule}", delete(schedules::remove))
        .route("/api/agents/{id}/tool-calls", get(calls::list))
        .route("/api/agents/{id}/tool-calls/{call}/resolve", post(calls::resolve))
        .route("/api/agents/{id}/repair", post(repairing::repair))
        .route("/api/agents/{id}/resume", post(repairing::resume))
        .route("/api/agents/{id}/stats", get(figures::stats))
        .route("/api/agents/{id}/consistency", get(figures::consistency))
        .route("/api/rooms", get(rooms::list).post(rooms::create))
        .route("/api/rooms/{id}", get(rooms::show).delete(rooms::remove))
        .route("/api/rooms/{id}/members", get(rooms::members).post(rooms::join))
        .route("/api/rooms/{id}/members/{member}", delete(rooms::leave))
        .route("/api/rooms/{id}/messages", get(rooms::history).post(rooms::say))
        .route("/api/messages", get(searching::messages))
        .route("/api/tool-calls", get(searching::calls))
        .route("/api/stats", get(searching::stats))
        .route("/api/health/store", get(figures::health))
}

/// Does what a request asks for on the runtime of the agents. The thread that serves the request has another one, which ends
/// before theirs: connections to a database that were opened there would end with it.
pub(super) async fn at_home(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    match &app.parts.agents {
        Some(agents) => TokioContext::new(next.run(request), agents.home().clone()).await,
        None => next.run(request).await,
    }
}

#[cfg(test)]
pub(crate) mod tests;

//! `/api/agents/{id}/events` and `…/stream`: what happens to an agent, as it happens: as server-sent events, or as a websocket.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue};
use seawall_engine::Channel;
use serde::Deserialize;
use tokio_util::context::TokioContext;

use super::conversing::Conversation;
use super::following::{Events, Following};
use super::found::Found;
use super::input::Asked;
use crate::App;
use crate::problem::Problem;
use crate::socket;

/// What a reader of words wants to know.
const WORDS: &[&str] = &[
    "think_chunk_start",
    "think_chunk",
    "think_chunk_end",
    "text_chunk_start",
    "text_chunk",
    "text_chunk_end",
    "done",
];

/// What is followed, and from where.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    #[serde(default)]
    channels: Option<String>,
    #[serde(default)]
    since: Option<u64>,
}

/// From where the words are followed.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Since {
    #[serde(default)]
    since: Option<u64>,
}

/// Everything that happened and happens after a number, from the first event on where none is given.
pub(super) async fn events(
    State(app): State<Arc<App>>,
    found: Found,
    Asked(Wanted { channels, since }): Asked<Wanted>,
    socket::Asked(handshake): socket::Asked,
    peer: Option<Extension<SocketAddr>>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let channels = channels.as_deref().map_or_else(|| Ok(Channel::ALL.to_vec()), read_channels)?;
    let since = last_event_id(&headers)?.or(since).unwrap_or(0);
    let Some(handshake) = handshake else {
        return Ok(follow(&app, &found, &channels, since, None, None));
    };
    let feed = found.runtime.follow(found.id(), &channels, since);
    let address = peer.map(|Extension(peer)| app.gateway().client_address(peer.ip(), &headers));
    let home = found.runtime.home().clone();
    let conversation = Conversation { app, found, feed, address };
    // What the store opens for it is to outlive the thread that serves the client.
    Ok(handshake.accept(|socket| TokioContext::new(conversation.run(socket), home)))
}

/// The words of a turn piece by piece, and its end; from now on where no number is given.
pub(super) async fn stream(
    State(app): State<Arc<App>>,
    found: Found,
    Asked(Since { since }): Asked<Since>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let since = last_event_id(&headers)?.or(since).unwrap_or(found.row.seq);
    Ok(follow(&app, &found, &[Channel::Progress], since, Some(WORDS), Some("done")))
}

fn follow(
    app: &App,
    found: &Found,
    channels: &[Channel],
    since: u64,
    only: Option<&'static [&'static str]>,
    until: Option<&'static str>,
) -> Response {
    let following = Following {
        feed: found.runtime.follow(found.id(), channels, since),
        store: Arc::clone(found.store()),
        agent: found.id().clone(),
        run: found.row.run,
        only,
        until,
        stops: app.stops().clone(),
    };
    let body = Body::new(Events::new(following, found.runtime.home().clone()));
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("text/event-stream")),
        (CACHE_CONTROL, HeaderValue::from_static("no-cache, no-transform")),
        // Some proxies keep answers back until they are whole, unless they are told.
        (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no")),
    ];
    (headers, body).into_response()
}

fn read_channels(text: &str) -> Result<Vec<Channel>, Problem> {
    let named = |name: &str| Channel::ALL.into_iter().find(|channel| channel.as_str() == name.trim());
    let unknown = |name: &str| {
        let message = format!("{name:?} is no channel");
        Problem::input(
            "/channels",
            message,
            "ask for some of progress,control,monitor, or leave channels out for all",
        )
    };
    text.split(',').map(|name| named(name).ok_or_else(|| unknown(name))).collect()
}

/// The number with which a client comes back by itself.
fn last_event_id(headers: &HeaderMap) -> Result<Option<u64>, Problem> {
    let Some(value) = headers.get("last-event-id") else { return Ok(None) };
    let text = value.to_str().unwrap_or_default();
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| {
        let message = "the Last-Event-ID is no number of an event";
        Problem::input("", message, "send the id of the last event that was seen")
    })
}

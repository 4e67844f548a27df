//! Recall: whether the same was asked before, and the answer kept. Only where the configuration wants it.
//!
//! An answer that was kept costs nothing and reserves nothing; it is admitted and settled like any other.

use std::sync::Arc;
use std::time::Duration;

use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, Response, StatusCode};
use seawall_types::Usd;
use tokio::time::{Instant, timeout_at};

use super::{Asked, Payload};
use crate::accepted::Accepted;
use crate::cache::{Found, Kept, Key, Ticket};
use crate::meter::{Ending, Meter};
use crate::{Gateway, GatewayBody, header};

/// How often a request waits for another: when that fails a second time, the fault is likely in what they ask.
const WAITS: usize = 2;
/// How long it waits in all. Another client may read its answer slowly, or never to its end.
const PATIENCE: Duration = Duration::from_secs(30);

/// What is remembered of a request.
#[derive(Debug)]
pub(crate) enum Recalled {
    /// Its answer.
    Answer(Arc<Kept>),
    /// Nothing. With a ticket when the answer may be kept.
    Nothing(Option<Ticket>),
}

impl Recalled {
    /// What the client is told; nothing where the cache has no part in it.
    pub(crate) fn told(&self) -> Option<&'static str> {
        match self {
            Self::Answer(_) => Some("hit"),
            Self::Nothing(Some(_)) => Some("miss"),
            Self::Nothing(None) => None,
        }
    }
}

/// Looks for the answer. A request that is the same as one upstream waits for it.
pub(crate) async fn recall(asked: Asked<'_>, accepted: &Accepted) -> Recalled {
    let Some(settings) = asked.snapshot.settings.cache else { return Recalled::Nothing(None) };
    let directives = Directives::of(&accepted.headers);
    if directives.no_store || !may_be_kept(accepted, asked.payload) {
        return Recalled::Nothing(None);
    }
    let depth = asked.snapshot.settings.limits.json_depth;
    let policy = asked.gateway.cache().number_of(asked.policy());
    let generation = asked.snapshot.generation;
    let text = &asked.payload.text;
    let Some(key) = Key::of(accepted, asked.caller, policy, generation, text, depth) else {
        return Recalled::Nothing(None);
    };
    let ticket = if directives.no_cache {
        Ticket::alone(Arc::clone(asked.gateway.cache()), key)
    } else {
        match search(asked.gateway, key, settings.ttl).await {
            Ok(kept) => return Recalled::Answer(kept),
            Err(ticket) => ticket,
        }
    };
    asked.gateway.metrics().cache_misses.inc();
    Recalled::Nothing(Some(ticket))
}

async fn search(gateway: &Gateway, key: Key, ttl: Duration) -> Result<Arc<Kept>, Ticket> {
    let end = Instant::now() + PATIENCE;
    for _ in 0..=WAITS {
        match gateway.cache().find(key, ttl) {
            Found::Kept(kept) => return Ok(kept),
            Found::Nothing(ticket) => return Err(ticket),
            // It ends when the other is done, with or without an answer; looking again tells.
            Found::UnderWay(mut other) => {
                if timeout_at(end, other.changed()).await.is_err() {
                    break;
                }
            }
        }
    }
    Err(Ticket::alone(Arc::clone(gateway.cache()), key))
}

/// What a model says to the same words may be said again; what a provider does (running tools, working in the background)
/// is done once for each request.
fn may_be_kept(accepted: &Accepted, payload: &Payload) -> bool {
    accepted.wire.is_metered() && !payload.request.background && payload.request.server_tools == 0
}

/// What the client says about caches (RFC 9111 §5.2.1), as far as it matters here.
#[derive(Debug, Default, PartialEq, Eq)]
struct Directives {
    /// Not from a cache, though into one.
    no_cache: bool,
    /// Neither from a cache nor into one.
    no_store: bool,
}

impl Directives {
    fn of(headers: &HeaderMap) -> Self {
        let mut directives = Self::default();
        let values = headers.get_all(CACHE_CONTROL).into_iter().filter_map(|value| value.to_str().ok());
        for word in values.flat_map(|value| value.split(',')).map(str::trim) {
            directives.no_cache |= word.eq_ignore_ascii_case("no-cache");
            directives.no_store |= word.eq_ignore_ascii_case("no-store");
        }
        directives
    }
}

/// Gives an answer that was kept, as it was given before.
pub(super) fn give_again(kept: &Kept, mut meter: Box<Meter>) -> Response<GatewayBody> {
    meter.gateway().metrics().cache_hits.inc();
    meter.gives_again(&kept.tools);
    meter.finish(StatusCode::OK.as_u16(), Ending::Complete);
    let mut response = Response::new(GatewayBody::full(kept.body.clone()));
    response.headers_mut().insert(CONTENT_TYPE, kept.content_type.clone());
    if !kept.content_type.as_bytes().starts_with(b"text/event-stream") {
        header::put(response.headers_mut(), header::COST, Usd::ZERO.to_string());
    }
    response
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn clients_may_ask_not_to_be_answered_from_a_cache() {
        for (values, no_cache, no_store) in [
            (vec![], false, false),
            (vec!["max-age=0"], false, false),
            (vec!["max-age=0, No-Cache"], true, false),
            (vec!["private", "no-store , no-transform"], false, true),
        ] {
            let headers =
                values.iter().map(|value| (CACHE_CONTROL, HeaderValue::from_static(value))).collect();
            assert_eq!(Directives::of(&headers), Directives { no_cache, no_store }, "{values:?}");
        }
    }
}

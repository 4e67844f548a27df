//! The request as it goes to an upstream: the client's, but for what a rule changes.

use std::borrow::Cow;

use bytes::Bytes;
use http::Request;
use seawall_llm::request::Edits;
use seawall_llm::wire::{percent_decode, with_model};
use seawall_llm_client::{Credentials, Upstream};
use seawall_types::Code;

use super::Sending;
use crate::accepted::Accepted;
use crate::meter::Meter;
use crate::phase::reserve::Priced;
use crate::refusal::Refusal;
use crate::{header, websocket};

impl Sending<'_> {
    /// The request as it goes to this target: the client's, but for what a rule changes.
    pub(super) fn request(
        &self,
        one: &Priced,
        meter: &Meter,
        upstream: &Upstream,
    ) -> Result<Request<Bytes>, Refusal> {
        let accepted = meter.accepted();
        let internal = |error: &dyn std::fmt::Display| {
            Refusal::new(
                Code::BadRequest,
                format!("the request can't be passed on: {error}"),
                "check its path and headers",
            )
        };
        let renamed = one.target.model.as_deref();
        let edits = Edits {
            model: renamed.filter(|_| accepted.handshake.is_none()),
            include_usage: self.edits.include_usage && upstream.settings.include_usage,
            limit_name: upstream.settings.output_limit,
            ..self.edits
        };
        let edited = self.payload.edited(accepted.wire, &edits).map_err(|error| internal(&error))?;
        let unchanged = edited.is_none();
        let body = edited.unwrap_or_else(|| self.payload.raw.clone());
        let passthrough = matches!(upstream.settings.credentials, Credentials::Passthrough);
        let mut headers =
            header::towards_upstream(&accepted.headers, passthrough, accepted.wire.is_metered());
        if self.payload.compressed && !unchanged {
            headers.remove(http::header::CONTENT_ENCODING);
        }
        if accepted.handshake.is_some() {
            websocket::towards_upstream(&mut headers, passthrough);
        }
        let path = path_and_query(accepted, renamed, passthrough);
        let mut request = Request::builder()
            .method(accepted.method.clone())
            .uri(path)
            .body(body)
            .map_err(|error| internal(&error))?;
        *request.headers_mut() = headers;
        Ok(request)
    }
}

/// Where the request goes at the provider: its path, with another model where the target renames it, and its query without
/// the key of the caller that may stand in it.
fn path_and_query(accepted: &Accepted, renamed: Option<&str>, passthrough: bool) -> String {
    let mut path = match (&accepted.model_place, renamed) {
        (Some(place), Some(model)) => with_model(&accepted.path, place, model),
        _ => accepted.path.clone(),
    };
    let keep = |pair: &&str| {
        !percent_decode(pair).contains(seawall_store::KEY_PREFIX)
            && (passthrough || !pair.starts_with("key="))
    };
    let named = renamed.filter(|_| accepted.handshake.is_some());
    let rename = |pair| named.map_or(Cow::Borrowed(pair), |model| websocket::with_model(pair, model));
    let pairs = accepted.query.as_deref().unwrap_or("").split('&').filter(keep);
    let query = pairs.map(rename).collect::<Vec<_>>().join("&");
    if !query.is_empty() {
        path.push('?');
        path.push_str(&query);
    }
    path
}

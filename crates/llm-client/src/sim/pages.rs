//! The simulated provider's own pages: what it served, and what it was sent.

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use http::request::Parts;
use http::{Method, Response, StatusCode};

use super::scene::{JSON, to_json};
use super::{Inner, SimBody};

/// How many requests are shown when nobody says how many.
const SHOWN: usize = 20;

impl Inner {
    /// The answer to a request for one of the pages; none for every other path.
    pub(super) fn page(&self, head: &Parts) -> Option<Response<SimBody>> {
        let page = head.uri.path().strip_prefix("/sim/")?;
        let (allowed, is_known) = match page {
            "stats" | "requests" => (Method::GET, true),
            "reset" => (Method::POST, true),
            _ => (Method::GET, false),
        };
        Some(if !is_known {
            answer(
                StatusCode::NOT_FOUND,
                br#"{"error":"there are /sim/stats, /sim/requests and /sim/reset"}"#.as_slice(),
            )
        } else if head.method == allowed {
            answer(StatusCode::OK, self.content(page, head.uri.query()))
        } else {
            let mut refused =
                answer(StatusCode::METHOD_NOT_ALLOWED, br#"{"error":"another method is needed"}"#.as_slice());
            let allowed = if allowed == Method::GET { "GET" } else { "POST" };
            refused.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
            refused
        })
    }

    fn content(&self, page: &str, query: Option<&str>) -> Bytes {
        match page {
            "stats" => to_json(&self.counters.read()),
            "requests" => to_json(&self.log.read(last(query))),
            _ => {
                self.reset();
                Bytes::from_static(b"{\"reset\":true}")
            }
        }
    }
}

fn last(query: Option<&str>) -> usize {
    let number = query.and_then(|query| query.split('&').find_map(|pair| pair.strip_prefix("last=")));
    number.and_then(|number| number.parse().ok()).unwrap_or(SHOWN)
}

fn answer(status: StatusCode, body: impl Into<Bytes>) -> Response<SimBody> {
    let mut response = Response::new(SimBody::free(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(JSON));
    response
}

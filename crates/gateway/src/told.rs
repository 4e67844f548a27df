//! What every answer tells of its request, in headers.

use http::Response;
use seawall_llm::wire::Dialect;
use seawall_types::{ActionId, RequestId, Verdict};

use crate::accepted::Accepted;
use crate::{GatewayBody, header};

/// What an answer tells of its request, in headers.
pub(crate) struct Told {
    request: RequestId,
    action: ActionId,
    pub(crate) dialect: Dialect,
    /// Whether the cache had the answer.
    cache: Option<&'static str>,
}

impl Told {
    pub(crate) fn of(accepted: &Accepted) -> Self {
        Self { request: accepted.request_id, action: accepted.action, dialect: accepted.dialect, cache: None }
    }

    /// With what the cache had to say.
    pub(crate) fn with_cache(mut self, cache: Option<&'static str>) -> Self {
        self.cache = cache;
        self
    }

    pub(crate) fn tell(
        &self,
        mut response: Response<GatewayBody>,
        verdict: Verdict,
    ) -> Response<GatewayBody> {
        let headers = response.headers_mut();
        header::put(headers, header::ACTION, self.action.to_string());
        header::put(headers, header::VERDICT, verdict.as_str());
        if let Some(cache) = self.cache {
            header::put(headers, header::CACHE, cache);
        }
        // A provider's own request id is what its support asks for.
        if !headers.contains_key(header::REQUEST_ID) {
            header::put(headers, header::REQUEST_ID, self.request.to_string());
        }
        response
    }
}

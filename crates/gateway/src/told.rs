//! What every answer tells of its request, in headers.

use http::Response;
use seawall_llm::wire::Dialect;
use seawall_types::{ActionId, RequestId, Verdict};

use crate::accepted::Accepted;
use crate::{GatewayBody, header};

/// What was done with what was found in an answer, on its way to the headers.
#[derive(Debug, Clone, Copy)]
struct Judged(Verdict);

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

    /// Takes note of what was done about the answer itself. The graver of this and of what was done about its request is told.
    pub(crate) fn judged(response: &mut Response<GatewayBody>, verdict: Verdict) {
        response.extensions_mut().insert(Judged(verdict));
    }

    pub(crate) fn tell(
        &self,
        mut response: Response<GatewayBody>,
        verdict: Verdict,
    ) -> Response<GatewayBody> {
        let judged = response.extensions_mut().remove::<Judged>();
        let verdict = judged.map_or(verdict, |Judged(of_answer)| verdict.max(of_answer));
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

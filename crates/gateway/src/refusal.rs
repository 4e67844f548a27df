//! Saying no: the one place where a reason becomes a status and a provider's error shape.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use seawall_checkpoint::Denial;
use seawall_llm::errors::{self, WireError};
use seawall_llm::wire::{Dialect, Wire};
use seawall_types::{Code, Usd};
use serde_json::{Map, Value, json};

use crate::header;

/// Why a request gets no answer from a provider, and what its caller is told.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) denial: Denial,
    /// Headers that tell more: of rate limits, of methods that would do.
    pub(crate) headers: Option<Box<HeaderMap>>,
    /// What is left of the request can't be read: the connection must end.
    pub(crate) close: bool,
    /// The checkpoint has written it into the trace already.
    pub(crate) denial_is_recorded: bool,
}

impl Refusal {
    pub(crate) fn new(code: Code, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Denial::new(code, message, remedy).into()
    }

    pub(crate) fn retry_after(mut self, wait: Duration) -> Self {
        self.denial.retry_after = Some(wait);
        self
    }

    pub(crate) fn telling(mut self, headers: HeaderMap) -> Self {
        self.headers = Some(Box::new(headers));
        self
    }

    /// With what the call has cost.
    pub(crate) fn costing(mut self, cost: Usd) -> Self {
        header::put(self.headers.get_or_insert_default(), header::COST, cost.to_string());
        self
    }

    pub(crate) fn closing(mut self) -> Self {
        self.close = true;
        self
    }

    pub(crate) fn code(&self) -> Code {
        self.denial.code
    }

    /// Whether it is for what was found, rather than for what went wrong.
    pub(crate) fn is_by_policy(&self) -> bool {
        !self.denial.findings.is_empty()
    }

    pub(crate) fn status(&self) -> StatusCode {
        let code = self.denial.code;
        // What waits for a person is accepted elsewhere. A provider's client takes every 2xx for an answer of a model.
        let status = if code == Code::ApprovalRequired { Code::ApprovalDenied } else { code }.http_status();
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// The answer in the provider's shape.
    pub(crate) fn response(&self, dialect: Dialect) -> Response<Bytes> {
        self.with_body(errors::error_body(dialect, &self.as_wire_error()))
    }

    /// The answer in the shape of MCP.
    pub(crate) fn response_to_mcp(&self) -> Response<Bytes> {
        self.with_body(seawall_mcp::refusal(&self.denial))
    }

    fn with_body(&self, body: Bytes) -> Response<Bytes> {
        let mut response = Response::new(body);
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        if let Some(told) = &self.headers {
            headers.extend((**told).clone());
        }
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if !headers.contains_key(header::COST) {
            header::put(headers, header::COST, Usd::ZERO.to_string());
        }
        if let Some(wait) = self.denial.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(whole_seconds(wait)));
        }
        if self.retries_are_useless() {
            // Honoured by the SDKs of OpenAI and Anthropic, which otherwise repeat a 409, 429 or 5xx.
            headers.insert(HeaderName::from_static("x-should-retry"), HeaderValue::from_static("false"));
        }
        if self.close {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }

    /// The bytes that end a stream in this error.
    pub(crate) fn event(&self, wire: Wire) -> bytes::Bytes {
        errors::error_event(wire, &self.as_wire_error())
    }

    /// A budget that does not free up by itself will not do so for a retry either, nor will one that the call alone is above.
    fn retries_are_useless(&self) -> bool {
        match self.code() {
            Code::BudgetExceeded | Code::TokensExceeded => true,
            Code::BurnRateExceeded | Code::RateLimited => {
                self.denial.budget.is_some() && self.denial.retry_after.is_none()
            }
            _ => false,
        }
    }

    fn as_wire_error(&self) -> WireError<'_> {
        WireError {
            status: self.status().as_u16(),
            code: self.denial.code,
            message: self.denial.message.as_str().into(),
            remedy: &self.denial.remedy,
            extra: self.extra(),
        }
    }

    fn extra(&self) -> Map<String, Value> {
        let mut extra = Map::new();
        if let Some(budget) = &self.denial.budget {
            extra.insert("scope".into(), json!(budget.scope));
            extra.insert("window".into(), json!(budget.window));
            if let Some(limit) = budget.limit_usd {
                extra.insert("limit_usd".into(), json!(limit));
            }
            if let Some(limit) = budget.limit_tokens {
                extra.insert("limit_tokens".into(), json!(limit));
                extra.insert("spent_tokens".into(), json!(budget.spent.tokens));
                extra.insert("held_tokens".into(), json!(budget.held.tokens));
            }
            extra.insert("spent_usd".into(), json!(budget.spent.usd));
            extra.insert("held_usd".into(), json!(budget.held.usd));
            extra.insert("wanted_usd".into(), json!(budget.wanted.usd));
            if let Some(at) = budget.frees_at {
                extra.insert("resets_at".into(), json!(at));
            }
        }
        if let Some(approval) = &self.denial.approval {
            extra.insert("approval".into(), json!({ "id": approval.id, "expires_at": approval.expires_at }));
        }
        if let Some(wait) = self.denial.retry_after {
            extra.insert("retry_after".into(), json!(whole_seconds(wait)));
        }
        if !self.denial.findings.is_empty() {
            extra.insert("findings".into(), json!(self.denial.findings));
        }
        extra
    }
}

impl From<Denial> for Refusal {
    fn from(denial: Denial) -> Self {
        Self { denial, headers: None, close: false, denial_is_recorded: false }
    }
}

/// Seconds, rounded up, at least one: who comes back sooner is refused again.
fn whole_seconds(wait: Duration) -> u64 {
    (wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).max(1)
}

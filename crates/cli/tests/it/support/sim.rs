//! The simulated provider in a process of its own: the witness of what really reached an upstream, and what it cost.

use seawall_types::Usd;
use serde::Deserialize;
use serde_json::Value;

use super::client::{self, Call};
use super::server::{Home, Server};

/// `GET /sim/stats`.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Stats {
    pub(crate) requests: u64,
    pub(crate) completed: u64,
    pub(crate) cancelled: u64,
    pub(crate) errors: u64,
    pub(crate) broken: u64,
    pub(crate) input_tokens: u64,
    pub(crate) output_tokens: u64,
    pub(crate) cost_usd: Usd,
    pub(crate) in_flight: u64,
}

/// A simulated provider on a port.
pub(crate) struct Sim {
    pub(crate) server: Server,
    _home: Home,
}

impl Sim {
    pub(crate) fn start() -> Self {
        Self::with(&[])
    }

    pub(crate) fn with(flags: &[&str]) -> Self {
        let home = Home::new();
        let server = home.start(&[&["sim", "--listen", "127.0.0.1:0"], flags].concat());
        Self { server, _home: home }
    }

    /// What `--upstream` wants.
    pub(crate) fn url(&self) -> String {
        self.server.url()
    }

    /// An entry of `upstreams` that neither retries nor rests after failures, so that one call is one request; `more` goes
    /// behind it, in YAML's flow form.
    pub(crate) fn as_upstream(&self, more: &str) -> String {
        format!(
            "upstreams: [ {{ name: witness, base_url: \"{}\", auth: none, retries: {{ attempts: 0 }}, breaker: {{ failures: 0 }}{more} }} ]\n",
            self.url()
        )
    }

    pub(crate) async fn stats(&self) -> Stats {
        serde_json::from_value(self.page(Call::get("/sim/stats")).await).unwrap()
    }

    /// The last requests as they came, oldest first.
    pub(crate) async fn requests(&self, last: usize) -> Vec<Value> {
        let answer = self.page(Call::get(&format!("/sim/requests?last={last}"))).await;
        let list = answer.as_array().or_else(|| answer["requests"].as_array());
        list.unwrap_or_else(|| panic!("{answer}")).clone()
    }

    pub(crate) async fn reset(&self) {
        self.page(Call::post("/sim/reset", "")).await;
    }

    async fn page(&self, call: Call) -> Value {
        let reply = client::send(self.server.address, call).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        reply.json()
    }
}

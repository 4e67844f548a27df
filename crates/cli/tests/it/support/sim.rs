//! The simulated provider in a process of its own: the witness of what really reached an upstream, and what it cost.

use seawall_types::Usd;
use serde::Deserialize;

use super::client::{self, Call};
use super::program::{Program, Setup};

/// `GET /sim/stats`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(crate) struct Stats {
    pub(crate) requests: u64,
    pub(crate) completed: u64,
    pub(crate) cancelled: u64,
    pub(crate) errors: u64,
    pub(crate) broken: u64,
    pub(crate) cost_usd: Usd,
    pub(crate) in_flight: u64,
}

/// A simulated provider on a port.
pub(crate) struct Sim {
    pub(crate) program: Program,
}

impl Sim {
    pub(crate) fn start() -> Self {
        Self { program: Setup::new("sim").args(["--listen", "127.0.0.1:0"]).start() }
    }

    /// The configuration of a proxy in front of it that neither retries nor rests after failures, so that one call is one
    /// request. `more` goes behind the upstream's keys, in YAML's flow form.
    pub(crate) fn as_upstream(&self, more: &str) -> String {
        let address = self.program.address;
        format!(
            "upstreams: [ {{ name: witness, base_url: \"http://{address}\", auth: none, max_in_flight: 10000, \
             retries: {{ attempts: 0 }}, breaker: {{ failures: 0 }}{more} }} ]\n"
        )
    }

    pub(crate) async fn stats(&self) -> Stats {
        let reply = client::send(self.program.address, Call::get("/sim/stats")).await;
        serde_json::from_value(reply.json()).unwrap()
    }

    /// Waits until it has counted what is wanted.
    pub(crate) async fn once(&self, what: &str, wanted: impl Fn(&Stats) -> bool) -> Stats {
        super::eventually(what, async || {
            let stats = self.stats().await;
            if wanted(&stats) { Ok(stats) } else { Err(stats) }
        })
        .await
    }

    /// The counters when nothing is in flight any more.
    pub(crate) async fn at_rest(&self) -> Stats {
        self.once("nothing is in flight in the end", |stats| stats.in_flight == 0).await
    }
}

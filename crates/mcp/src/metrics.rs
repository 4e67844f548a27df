//! What the proxy counts. Label values come from the configuration, never from a request.

use prometheus::{IntCounterVec, IntGaugeVec, Opts, Registry};
use seawall_types::{Code, Verdict};

/// How a call of a tool ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// With a result.
    Answered,
    /// With an error, or not at all.
    Failed,
    /// Before it was made, or what it gave was kept back.
    Denied,
    /// It took too long.
    TimedOut,
}

impl Ended {
    fn as_str(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Failed => "failed",
            Self::Denied => "denied",
            Self::TimedOut => "timeout",
        }
    }
}

/// The metrics of the proxy.
#[derive(Debug, Clone)]
pub struct Metrics {
    calls: IntCounterVec,
    pub(crate) sessions: IntGaugeVec,
    pub(crate) starts: IntCounterVec,
    violations: IntCounterVec,
}

impl Metrics {
    /// All metrics, registered. `violations` counts findings by their code and verdict, beside those of model calls.
    ///
    /// # Errors
    /// When the registry has one of the names already.
    pub fn register(registry: &Registry, violations: IntCounterVec) -> prometheus::Result<Self> {
        let counters = |name: &str, help: &str, labels: &[&str]| {
            let vector = IntCounterVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(vector.clone())).map(|()| vector)
        };
        let sessions = IntGaugeVec::new(
            Opts::new("seawall_mcp_sessions", "Open sessions with MCP servers."),
            &["server"],
        )?;
        registry.register(Box::new(sessions.clone()))?;
        Ok(Self {
            calls: counters(
                "seawall_mcp_calls_total",
                "Calls of tools of MCP servers.",
                &["server", "outcome"],
            )?,
            sessions,
            starts: counters(
                "seawall_mcp_starts_total",
                "Processes of MCP servers that were started.",
                &["server"],
            )?,
            violations,
        })
    }

    pub(crate) fn found(&self, code: Code, verdict: Verdict) {
        self.violations.with_label_values(&[code.as_str(), verdict.as_str()]).inc();
    }

    pub(crate) fn called(&self, server: &str, ended: Ended) {
        self.calls.with_label_values(&[server, ended.as_str()]).inc();
    }
}

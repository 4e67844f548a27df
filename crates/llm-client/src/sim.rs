//! The simulated provider: a model that answers what it is told to, in every wire format, and counts what it served.
//!
//! Deterministic from the request: the same bytes get the same answer. What to answer is said by directives in the prompt
//! (`sim:text …`), in `x-sim` headers or in a [`Script`]; the list is in `docs/simulated-provider.md`. It is no model and
//! no mock of one SDK: it holds to the providers' published formats, so that what works against it works against them,
//! and its [`Stats`] are the truth that ledgers are compared with.

mod answer;
mod anthropic;
mod body;
mod call;
pub mod cassette;
mod converse;
mod directive;
mod embedding;
mod failures;
mod gemini;
mod intake;
mod log;
mod models;
mod openai;
mod pages;
mod piece;
mod play;
mod price;
mod prompt;
mod reception;
mod refusal;
mod route;
mod scene;
mod schema;
mod script;
mod serve;
mod stats;
mod turn;

use std::fmt;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use seawall_types::Clock;

pub use body::{SimBody, SimError};
pub use directive::DirectiveError;
pub use script::{Script, ScriptError};
pub use serve::{serve, serve_relay};
pub use stats::{ModelStats, Stats};

use cassette::Replay;

/// What is counted as one token.
const BYTES_PER_TOKEN: u64 = 4;

/// How the simulated provider behaves.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// How long every answer takes to begin.
    pub latency: Duration,
    /// How fast streams go; without it as fast as they are read.
    pub tokens_per_second: Option<u32>,
    /// What to answer where neither the prompt nor a header says.
    pub script: Option<Script>,
}

/// A simulated provider. Clones are the same one.
#[derive(Clone)]
pub struct Sim {
    inner: Arc<Inner>,
}

struct Inner {
    options: Options,
    clock: Arc<dyn Clock>,
    replay: Option<Replay>,
    counters: stats::Counters,
    log: log::RequestLog,
    responses: openai::responses::Store,
    script: Mutex<script::Progress>,
    failures: failures::Failures,
    served: AtomicU64,
}

impl Sim {
    /// A provider that answers by directives.
    #[must_use]
    pub fn new(options: Options, clock: Arc<dyn Clock>) -> Self {
        Self::with(options, clock, None)
    }

    /// A provider that plays recorded answers, and refuses what was not recorded.
    #[must_use]
    pub fn replaying(replay: Replay, clock: Arc<dyn Clock>) -> Self {
        Self::with(Options::default(), clock, Some(replay))
    }

    fn with(options: Options, clock: Arc<dyn Clock>, replay: Option<Replay>) -> Self {
        let inner = Inner {
            options,
            clock,
            replay,
            counters: stats::Counters::default(),
            log: log::RequestLog::default(),
            responses: openai::responses::Store::default(),
            script: Mutex::default(),
            failures: failures::Failures::default(),
            served: AtomicU64::new(0),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Answers one request. Errors are answers too, in the shape of the provider whose path it is.
    ///
    /// Dropping the future, or the body before its end, counts as a client that hung up.
    pub async fn call<B>(&self, request: Request<B>) -> Response<SimBody>
    where
        B: Body<Data = Bytes>,
        B::Error: fmt::Display,
    {
        let (head, body) = request.into_parts();
        if let Some(page) = self.inner.page(&head) {
            return page;
        }
        self.inner.call(head, body).await
    }

    /// What was served since the start or the last reset.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.inner.counters.read()
    }

    /// Forgets everything: counters, requests, kept responses, how far the script is.
    pub fn reset(&self) {
        self.inner.reset();
    }
}

impl Inner {
    fn reset(&self) {
        self.counters.reset();
        self.log.clear();
        self.responses.clear();
        self.failures.clear();
        *self.script.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = script::Progress::default();
        if let Some(replay) = &self.replay {
            replay.rewind();
        }
    }
}

impl fmt::Debug for Sim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sim").field("options", &self.inner.options).finish_non_exhaustive()
    }
}

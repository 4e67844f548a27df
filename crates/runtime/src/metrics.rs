//! What is counted of agents. Names and exposition are the server's.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use seawall_engine::{Event, Fact};
use seawall_types::{Timings, Usd};

/// Classes of the time that tools take: the guide's 0.1, 0.5, 1, 2, 5 and 10 s, and what lies below and above.
const TOOLS: &[Duration] = &[
    Duration::from_millis(5),
    Duration::from_millis(25),
    Duration::from_millis(100),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(5),
    Duration::from_secs(10),
    Duration::from_secs(30),
    Duration::from_mins(1),
    Duration::from_mins(5),
];

/// Classes of the time that models take for a whole answer.
const MODELS: &[Duration] = &[
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_millis(2_500),
    Duration::from_secs(5),
    Duration::from_secs(10),
    Duration::from_secs(30),
    Duration::from_mins(1),
    Duration::from_mins(2),
    Duration::from_mins(5),
];

/// How long tools and models took.
#[derive(Debug)]
pub struct Durations {
    /// Tools, by their names: from the durable intent to the outcome.
    pub tools: Timings,
    /// Answers of models that were whole, by their providers.
    pub models: Timings,
}

impl Default for Durations {
    fn default() -> Self {
        Self { tools: Timings::new(TOOLS), models: Timings::new(MODELS) }
    }
}

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// Counters since the start.
        #[derive(Debug, Default)]
        pub(crate) struct Counters {$(pub(crate) $name: Counter,)*}

        /// What was counted.
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
        pub struct Counts {$($(#[$doc])* pub $name: u64,)*}

        impl Counters {
            pub(crate) fn read(&self) -> Counts {
                Counts {$($name: self.$name.get(),)*}
            }
        }
    };
}

counters! {
    /// Agents that were taken up to be held.
    taken_up,
    /// Agents that were claimed because they were due.
    claims,
    /// Those of them that were taken from a worker that had died.
    takeovers,
    /// Model calls that were answered.
    model_calls,
    /// Those that failed.
    model_failures,
    /// Those that were asked once more.
    model_retries,
    /// Calls of tools that were run.
    tool_calls,
    /// Those that failed.
    tool_failures,
    /// Calls that policy, hooks or people refused.
    tool_denials,
    /// Steps that were begun: each is a call of a model, with what came of it.
    steps,
    /// Tokens that models have read.
    tokens_read,
    /// Tokens that models have written.
    tokens_written,
    /// What models have cost, in picodollars.
    cost_picos,
    /// Calls whose process died, of which nobody knew whether they took effect.
    in_doubt,
}

/// One count.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self) {
        self.add_some(1);
    }

    fn add_some(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Counters {
    /// Counts what has become of an agent. What a log says is counted once it is written, so that a crash counts nothing twice.
    pub(crate) fn written(&self, durations: &Durations, events: &[Event]) {
        for event in events {
            match &event.fact {
                Fact::StepStarted { .. } => self.steps.add(),
                Fact::ModelFinished { usage, cost, .. } => {
                    self.tokens_read.add_some(usage.input);
                    self.tokens_written.add_some(usage.output);
                    self.spent(*cost);
                }
                Fact::ModelFailed { spent: Some(spent), .. }
                | Fact::ModelRetried { spent: Some(spent), .. }
                | Fact::CompressionStarted { spent: Some(spent), .. }
                | Fact::CompressionFinished { spent: Some(spent), .. }
                | Fact::CompressionFailed { spent: Some(spent), .. } => self.spent(spent.usd),
                Fact::ToolCompleted { outcome } | Fact::ToolFailed { outcome } => {
                    durations.tools.note(&outcome.call.name, event.at.since(outcome.started_at));
                }
                Fact::ToolInDoubt { .. } => self.in_doubt.add(),
                _ => {}
            }
        }
    }

    fn spent(&self, usd: Usd) {
        self.cost_picos.add_some(u64::try_from(usd.as_picos()).unwrap_or(u64::MAX));
    }

    pub(crate) fn claimed(&self, taken_over: bool) {
        self.claims.add();
        if taken_over {
            self.takeovers.add();
        }
    }
}

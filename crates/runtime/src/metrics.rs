//! What is counted of agents. Names and exposition are the server's.

use std::sync::atomic::{AtomicU64, Ordering};

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
}

/// One count.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Counters {
    pub(crate) fn claimed(&self, taken_over: bool) {
        self.claims.add();
        if taken_over {
            self.takeovers.add();
        }
    }
}

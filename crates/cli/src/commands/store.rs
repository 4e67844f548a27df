//! `seawall store`: agents from one store to another, and whether what is kept of them fits together.

mod check;
mod copy;
mod opened;

use std::time::Duration;

pub(super) use self::opened::Opened;
use super::World;
use crate::args::StoreCommand;
use crate::exit::{Failure, Outcome};
use crate::output;

/// How often somebody who waits is told how far it is.
const TELL_EVERY: Duration = Duration::from_secs(1);

pub(crate) fn run(world: &World<'_>, command: StoreCommand) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match command {
        StoreCommand::Copy { from, to, live } => runtime.block_on(copy::run(world, &from, &to, live)),
        StoreCommand::Check { store } => runtime.block_on(check::run(world, store.as_deref())),
    }
}

/// Tells somebody at a terminal how far it is, now and then.
struct Progress {
    what: &'static str,
    of: usize,
    is_quiet: bool,
    clock: seawall_base::clock::SystemClock,
    told: Duration,
}

impl Progress {
    fn new(world: &World<'_>, what: &'static str, of: usize) -> Self {
        let is_quiet = world.global.json || world.global.quiet;
        Self { what, of, is_quiet, clock: seawall_base::clock::SystemClock::new(), told: Duration::ZERO }
    }

    fn tell(&mut self, done: usize) {
        let now = seawall_types::Clock::monotonic(&self.clock);
        if !self.is_quiet && now.saturating_sub(self.told) >= TELL_EVERY {
            self.told = now;
            output::say(format!("{} {done} of {} agents", self.what, self.of));
        }
    }
}

/// What can't be done with a store, in its words.
fn failed(store: &str, error: &impl std::fmt::Display) -> Failure {
    Failure::Failed(anyhow::anyhow!("{store}: {error}"))
}

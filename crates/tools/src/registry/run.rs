//! A call, from its arguments to its bounded result. Whatever a tool does, this returns, and not later than it has to.

use std::pin::pin;
use std::time::Duration;

use seawall_base::tasks;
use seawall_config::nearest;
use seawall_engine::Found;

use super::{Entry, Registry, meant};
use crate::bound::bound;
use crate::{Call, Outcome};

/// How long a tool has to say how far it came, once it was told to stop.
const GRACE: Duration = Duration::from_secs(2);

impl Registry {
    /// Calls a tool, and gives what its model is told: at most [`crate::RESULT_BYTES`] of text, what is longer being kept in
    /// the place. A tool that is not there, arguments that don't fit, a panic, the end of its time and an interruption are
    /// failures in words.
    ///
    /// Dropping the future ends what the call has begun, as cancelling does.
    pub async fn run(&self, name: &str, call: Call<'_>) -> Outcome {
        let entry = match self.fitting(name, &call) {
            Ok(entry) => entry,
            Err(words) => return Outcome::error(words),
        };
        bound(perform(entry, call).await, call.id, call.place)
    }

    /// Asks a tool whether a call took effect whose process died. One that is not there, does not answer or panics can't
    /// tell.
    pub async fn reconcile(&self, name: &str, call: Call<'_>) -> Found {
        let Ok(entry) = self.fitting(name, &call) else { return Found::Unknown };
        let asking = tasks::caught(async { entry.tool.reconcile(call).await });
        let timeout = entry.tool.description().spec.timeout;
        let found = tokio::select! {
            found = tokio::time::timeout(timeout, asking) => found,
            () = call.cancel.cancelled() => return Found::Unknown,
        };
        match found {
            Ok(Ok(Found::Done { result })) => {
                Found::Done { result: bound(result.into(), call.id, call.place).result }
            }
            Ok(Ok(found)) => found,
            Ok(Err(_)) | Err(_) => Found::Unknown,
        }
    }

    /// Says what is wrong with arguments, as [`run`](Self::run) would.
    ///
    /// # Errors
    /// In words for the model.
    pub fn check(&self, name: &str, arguments: &serde_json::Value) -> Result<(), String> {
        let Some(entry) = self.tools.get(name) else {
            return Err(format!("there is no tool {name:?}{}", meant(nearest(name, self.names()))));
        };
        let faults = entry.arguments.check(arguments);
        faults.map_err(|faults| {
            format!("the arguments do not fit the parameters of {name}, so nothing was done:\n{faults}")
        })
    }

    fn fitting(&self, name: &str, call: &Call<'_>) -> Result<&Entry, String> {
        self.check(name, call.arguments)?;
        self.tools.get(name).map(|entry| &**entry).ok_or_else(|| format!("there is no tool {name:?}"))
    }
}

async fn perform(entry: &Entry, call: Call<'_>) -> Outcome {
    let description = entry.tool.description();
    let (timeout, cancel) = (description.spec.timeout, call.cancel);
    if cancel.is_cancelled() {
        return Outcome::error("interrupted before it began; nothing was done");
    }
    let stop = cancel.child_token();
    let call = Call { cancel: &stop, ..call };
    let mut performing = pin!(tasks::caught(async { entry.tool.call(call).await }));
    let words = tokio::select! {
        biased;
        done = &mut performing => return done.unwrap_or_else(|panic| panicked(&description.name, &panic)),
        () = cancel.cancelled() => "interrupted".to_owned(),
        () = tokio::time::sleep(timeout) => format!("not done within {}s", timeout.as_secs_f64()),
    };
    stop.cancel();
    match tokio::time::timeout(GRACE, performing).await {
        Ok(done) => done.unwrap_or_else(|panic| panicked(&description.name, &panic)),
        Err(_elapsed) if description.spec.mutates == Some(false) => Outcome::error(words),
        Err(_elapsed) => Outcome::error(format!("{words}; it may have taken effect in part")),
    }
}

fn panicked(name: &str, panic: &tasks::Panic) -> Outcome {
    tracing::error!(tool = name, reason = panic.message(), "a tool panicked");
    Outcome::error(format!("the tool {name} failed by a fault of its own; use another one"))
}

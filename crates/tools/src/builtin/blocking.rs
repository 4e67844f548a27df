//! A tool whose work blocks: it is done on a thread for such work, and told when nobody wants it any more.

use std::fmt;
use std::sync::Arc;

use seawall_engine::{CallId, Found};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::read;
use crate::{BoxFuture, Call, Description, Failure, Outcome, Place, Tool};

/// A face, and the work behind it.
#[derive(Debug)]
pub(super) struct Blocking<A> {
    description: Description,
    perform: fn(&Work, &A) -> Result<Value, Failure>,
    find_out: fn(&Work, &A) -> Found,
}

/// What work needs beside its arguments.
#[derive(Debug)]
pub(super) struct Work {
    pub(super) place: Arc<Place>,
    pub(super) call: CallId,
    pub(super) key: String,
    pub(super) attempt: u32,
    pub(super) stop: CancellationToken,
}

impl<A> Blocking<A> {
    pub(super) fn new(description: Description, perform: fn(&Work, &A) -> Result<Value, Failure>) -> Self {
        Self { description, perform, find_out: |_, _| Found::Unknown }
    }

    /// It can tell whether a call took effect.
    pub(super) fn reconciled_by(self, find_out: fn(&Work, &A) -> Found) -> Self {
        Self { find_out, ..self }
    }
}

impl<A: DeserializeOwned + fmt::Debug + Send + 'static> Tool for Blocking<A> {
    fn description(&self) -> &Description {
        &self.description
    }

    fn call<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            let arguments = match read(call.arguments) {
                Ok(arguments) => arguments,
                Err(failure) => return failure.into(),
            };
            let perform = self.perform;
            on_a_thread(call, move |work| perform(work, &arguments)).await.into()
        })
    }

    fn reconcile<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Found> {
        Box::pin(async move {
            let Ok(arguments) = read(call.arguments) else { return Found::Unknown };
            let find_out = self.find_out;
            on_a_thread(call, move |work| find_out(work, &arguments)).await
        })
    }
}

/// Does work on a thread where it may block; tells it to stop when this is dropped.
async fn on_a_thread<T: Send + 'static>(call: Call<'_>, work: impl FnOnce(&Work) -> T + Send + 'static) -> T {
    let stop = call.cancel.child_token();
    let _told_when_dropped = stop.clone().drop_guard();
    let Call { place, id, key, attempt, .. } = call;
    let belongings = Work { place: Arc::clone(place), call: id, key: key.to_owned(), attempt, stop };
    match tokio::task::spawn_blocking(move || work(&belongings)).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime is ending, and drops this future too.
            Err(_cancelled) => std::future::pending().await,
        },
    }
}

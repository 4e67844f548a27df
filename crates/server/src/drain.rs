//! Stopping without losing anything: nothing new begins, requests in flight finish, within a time.

use std::time::Duration;

use seawall_base::tasks::Group;
use tokio_util::sync::CancellationToken;

use crate::worker::Worker;

/// How stopping went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drained {
    /// Every request was answered.
    All,
    /// The time was up, or a second signal came: some were cut off. Their calls were settled from what was seen.
    CutOff,
}

/// Lets every connection of `group` finish the request it is at, at most for `patience` or until `at_once`.
pub(crate) async fn wait(group: &Group, patience: Duration, at_once: &CancellationToken) -> Drained {
    let drained = tokio::select! {
        drained = group.drain(patience) => drained,
        () = at_once.cancelled() => false,
    };
    if drained { Drained::All } else { Drained::CutOff }
}

/// Ends the workers. Ending their runtimes drops what is left, which cancels upstream calls and settles them.
pub(crate) async fn end(workers: Vec<Worker>, drained: Drained) -> Drained {
    let joined = tokio::task::spawn_blocking(|| workers.into_iter().for_each(Worker::join)).await;
    if let Err(error) = joined {
        tracing::error!(%error, "workers could not be waited for");
    }
    drained
}

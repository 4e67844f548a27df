//! Background tasks with an owner: every task belongs to a group, and shutdown waits for the group.
//!
//! A task learns from the group's token that it should end; one that panics is logged and counted and takes nothing
//! else down. There is no way here to start a task that nobody waits for.

use std::any::Any;
use std::fmt;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;
use tracing::Instrument;

/// A set of tasks that end together. Clones are the same group.
#[derive(Debug, Clone, Default)]
pub struct Group {
    tracker: TaskTracker,
    shutdown: CancellationToken,
    panics: Arc<AtomicU64>,
}

/// A place in a group, kept for a task that has not started.
#[derive(Debug)]
pub struct Held(#[expect(dead_code, reason = "held for its drop")] TaskTrackerToken);

impl Group {
    /// A group without tasks.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Starts `future` as a task of this group; `name` says in the log what it is.
    ///
    /// The handle may be dropped: the task goes on and the group still waits for it. A task that must react to
    /// shutdown watches [`Group::shutdown`]. What it logs carries the fields of the span it was started in. Must be
    /// called within a tokio runtime.
    pub fn spawn(
        &self,
        name: &'static str,
        future: impl Future<Output = ()> + Send + 'static,
    ) -> JoinHandle<()> {
        let panics = Arc::clone(&self.panics);
        // Each layer around a future has room for it twice, before and while it runs; a pointer costs less.
        let future = Box::pin(future);
        let task = async move {
            if let Err(panic) = caught(future).await {
                panics.fetch_add(1, Ordering::Relaxed);
                tracing::error!(task = name, reason = panic.message(), "task panicked");
            }
        };
        self.tracker.spawn(task.in_current_span())
    }

    /// Counts as a task of the group until it is dropped: for a task that is on its way to the thread that will start it.
    #[must_use]
    pub fn hold(&self) -> Held {
        Held(self.tracker.token())
    }

    /// The token that says that the group should end; cancelling it begins the shutdown.
    #[must_use]
    pub fn shutdown(&self) -> &CancellationToken {
        &self.shutdown
    }

    /// Cancels the token and waits until every task has ended, at most `timeout`. Says whether all have.
    ///
    /// Tasks that are started meanwhile are waited for too. Tasks that are left run on until their runtime ends.
    pub async fn drain(&self, timeout: Duration) -> bool {
        self.shutdown.cancel();
        self.tracker.close();
        let drained = tokio::time::timeout(timeout, self.tracker.wait()).await.is_ok();
        if !drained {
            tracing::warn!(tasks = self.len(), "tasks did not end in time");
        }
        drained
    }

    /// How many tasks are running.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tracker.len()
    }

    /// Whether no task is running.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tracker.is_empty()
    }

    /// How many tasks have panicked.
    #[must_use]
    pub fn panics(&self) -> u64 {
        self.panics.load(Ordering::Relaxed)
    }
}

/// What a future that panicked has left.
pub struct Panic(Box<dyn Any + Send>);

impl Panic {
    /// What it said, where it said it in words.
    #[must_use]
    pub fn message(&self) -> &str {
        panic_message(&*self.0)
    }
}

impl fmt::Debug for Panic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Panic").field(&self.message()).finish()
    }
}

/// Runs `future` to its end or to its panic. It is not polled again after a panic, so what the panic has left half
/// done inside of it is never seen.
///
/// # Errors
/// What the panic said.
pub async fn caught<T>(future: impl Future<Output = T>) -> Result<T, Panic> {
    let mut future = pin!(future);
    poll_fn(|context| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
        Ok(Poll::Pending) => Poll::Pending,
        Ok(Poll::Ready(value)) => Poll::Ready(Ok(value)),
        Err(payload) => Poll::Ready(Err(Panic(payload))),
    })
    .await
}

/// What a panic said, where it said it in words.
pub(crate) fn panic_message(payload: &(dyn Any + Send)) -> &str {
    payload
        .downcast_ref::<&'static str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    #[tokio::test(start_paused = true)]
    async fn drain_waits_for_tasks_that_watch_the_token() {
        let group = Group::new();
        let token = group.shutdown().clone();
        let (done, ended) = tokio::sync::oneshot::channel();
        group.spawn("watcher", async move {
            token.cancelled().await;
            tokio::time::sleep(LONG / 2).await;
            done.send(()).unwrap();
        });
        assert!(group.drain(LONG).await);
        assert!(ended.await.is_ok() && group.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn drain_gives_up_after_its_time() {
        let group = Group::new();
        group.spawn("deaf", std::future::pending());
        assert!(!group.drain(LONG).await);
        assert_eq!(group.len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn drain_waits_for_a_task_that_has_not_started() {
        let group = Group::new();
        let held = group.hold();
        assert!(!group.drain(LONG).await);
        drop(held);
        assert!(group.drain(LONG).await);
    }

    #[tokio::test]
    async fn a_panic_is_counted_and_takes_nothing_else_down() {
        let group = Group::new();
        group.spawn("faulty", async { panic!("on purpose") }).await.unwrap();
        group.spawn("faulty later", async {
            tokio::task::yield_now().await;
            panic!("on purpose, {}", "with words");
        });
        group.spawn("sound", async {});
        assert!(group.drain(LONG).await);
        assert_eq!(group.panics(), 2);
    }

    #[test]
    fn what_a_panic_said_is_kept() {
        let said = |panic: fn()| panic_message(&*catch_unwind(panic).unwrap_err()).to_owned();
        assert_eq!(said(|| panic!("plain")), "plain");
        assert_eq!(said(|| panic!("with {}", 1)), "with 1");
        assert_eq!(said(|| std::panic::panic_any(7)), "no message");
    }
}

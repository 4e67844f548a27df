//! The thread on which connections live.
//!
//! Callers come from many runtimes, and a connection dies with the one that drives it: so connections have a thread of
//! their own, and what is done on them is a task there. A caller that goes away leaves its task, which ends by itself: no
//! transaction is cut off in the middle.

use std::future::Future;
use std::io;
use std::thread;
use std::time::Duration;

use seawall_base::tasks::Group;
use seawall_store::StoreError;
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::failure::{closed, unavailable};

/// How long the end waits for what is under way.
const PATIENCE: Duration = Duration::from_secs(20);

/// The thread. Ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Room {
    handle: Handle,
    group: Group,
    gone: CancellationToken,
}

impl Room {
    /// Starts the thread.
    pub(crate) fn open() -> io::Result<Self> {
        let (group, gone) = (Group::new(), CancellationToken::new());
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (tasks, last) = (group.clone(), gone.clone().drop_guard());
        thread::Builder::new().name("store-postgres".to_owned()).spawn(move || {
            let _last = last;
            runtime.block_on(async {
                tasks.shutdown().cancelled().await;
                tasks.drain(PATIENCE).await;
            });
            runtime.shutdown_background();
        })?;
        Ok(Self { handle, group, gone })
    }

    /// Begins nothing more, and waits for what is under way.
    pub(crate) fn close(&self) -> impl Future<Output = ()> + Send + 'static {
        self.group.shutdown().cancel();
        let gone = self.gone.clone();
        async move { gone.cancelled().await }
    }

    /// The tasks of the thread.
    pub(crate) fn group(&self) -> &Group {
        &self.group
    }

    /// Starts something that goes on until the end.
    pub(crate) fn keep(&self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        self.within(|| drop(self.group.spawn(name, task)));
    }

    /// Does something whose tasks start there.
    pub(crate) fn within<T>(&self, act: impl FnOnce() -> T) -> T {
        let _entered = self.handle.enter();
        act()
    }

    /// Does something there, whether or not anybody waits for the answer.
    pub(crate) fn run<T: Send + 'static>(
        &self,
        task: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) -> impl Future<Output = Result<T, StoreError>> + Send + 'static {
        let (answer, answered) = oneshot::channel();
        if self.group.shutdown().is_cancelled() {
            drop(answer.send(Err(closed())));
        } else {
            let task = Box::pin(task);
            self.keep("store", async move { drop(answer.send(task.await)) });
        }
        async { answered.await.unwrap_or_else(|_| Err(unavailable("the call was cut off"))) }
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.group.shutdown().cancel();
    }
}

//! The thread that the processes of servers are served by: sessions outlive the requests and connections that use them, and
//! with them the workers' threads.

use std::io;
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use seawall_base::tasks::Group;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

/// How long processes have to end by themselves.
const PATIENCE: Duration = Duration::from_secs(5);

/// A thread with a runtime.
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) handle: Handle,
    pub(crate) group: Group,
    /// Everything ends.
    pub(crate) closed: CancellationToken,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Host {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the system gives none.
    pub(crate) fn start() -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (handle, group, closed) = (runtime.handle().clone(), Group::new(), CancellationToken::new());
        let (ending, tasks) = (closed.clone(), group.clone());
        let thread = std::thread::Builder::new().name("seawall-mcp".to_owned()).spawn(move || {
            runtime.block_on(async {
                ending.cancelled().await;
                tasks.drain(PATIENCE).await;
            });
            runtime.shutdown_timeout(PATIENCE);
        })?;
        Ok(Self { handle, group, closed, thread: Mutex::new(Some(thread)) })
    }

    /// Starts a task here, whatever thread asks for it.
    pub(crate) fn spawn(&self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        let _here = self.handle.enter();
        self.group.spawn(name, task);
    }

    /// Ends everything and waits for it.
    pub(crate) fn stop(&self) {
        self.closed.cancel();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread of MCP servers broke off");
        }
    }
}

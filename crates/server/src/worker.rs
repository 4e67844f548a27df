//! Worker threads: each with a runtime of its own, serving the connections that it is dealt.

use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use seawall_base::tasks::{Group, Held};
use tokio::sync::mpsc;

use crate::busy_poll::BusyPoll;
use crate::service::Service;
use crate::{App, api, connection};

/// How long the end of a worker waits for work that was begun on threads that may wait.
const LAST_WORK: Duration = Duration::from_secs(5);

/// A connection on its way to a worker.
#[derive(Debug)]
pub(crate) struct Dealt {
    pub(crate) stream: TcpStream,
    pub(crate) peer: SocketAddr,
    /// Whom it belongs to.
    pub(crate) group: Group,
    /// It is waited for from now on.
    pub(crate) held: Held,
}

/// A thread that serves connections.
#[derive(Debug)]
pub(crate) struct Worker {
    sender: mpsc::UnboundedSender<Dealt>,
    open: Arc<AtomicUsize>,
    thread: JoinHandle<()>,
}

impl Worker {
    /// Starts the `index`-th worker, which polls busily for so long.
    pub(crate) fn start(app: Arc<App>, index: usize, busy_poll: Duration) -> std::io::Result<Self> {
        // Unbounded, since the accepting thread lets in no more than the limit of open connections.
        let (sender, receiver) = mpsc::unbounded_channel();
        let open = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&open);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread =
            std::thread::Builder::new().name(format!("seawall-worker-{index}")).spawn(move || {
                let busy_poll = BusyPoll::new(busy_poll);
                let service =
                    Service { routes: api::routes(&app), app, worker: index, busy_poll: busy_poll.clone() };
                // It ends with the runtime, and has nothing that it could leave undone.
                let _polling = busy_poll.map(|busy_poll| {
                    let _inside = runtime.enter();
                    Group::new().spawn("busy poll", busy_poll.run())
                });
                runtime.block_on(run(receiver, service, counted));
                // A disk that hangs must not keep the process from ending.
                runtime.shutdown_timeout(LAST_WORK);
            })?;
        Ok(Self { sender, open, thread })
    }

    /// Connections that it serves now.
    pub(crate) fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// Hands it a connection; `false` when the thread is gone.
    pub(crate) fn deal(&self, connection: Dealt) -> bool {
        self.open.fetch_add(1, Ordering::Relaxed);
        self.sender.send(connection).is_ok()
    }

    /// No more connections come; waits until the thread has ended.
    pub(crate) fn join(self) {
        drop(self.sender);
        if self.thread.join().is_err() {
            tracing::error!("a worker thread panicked");
        }
    }
}

/// Serves what is dealt until no more comes.
async fn run(mut receiver: mpsc::UnboundedReceiver<Dealt>, service: Service, open: Arc<AtomicUsize>) {
    while let Some(Dealt { stream, peer, group, held }) = receiver.recv().await {
        let closed = Closed(Arc::clone(&open));
        let stream = stream.set_nonblocking(true).and_then(|()| tokio::net::TcpStream::from_std(stream));
        let stream = match stream {
            Ok(stream) => stream,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be taken over");
                continue;
            }
        };
        let (service, shutdown) = (service.clone(), group.shutdown().clone());
        group.spawn("connection", async move {
            connection::serve(stream, peer, service, shutdown).await;
            drop(closed);
        });
        drop(held);
    }
}

/// Counts a connection off.
struct Closed(Arc<AtomicUsize>);

impl Drop for Closed {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

//! Listening: one thread accepts and deals connections out to the workers.

use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use seawall_base::tasks::Group;
use socket2::{Domain, Protocol, Socket, Type};
use tokio_util::sync::CancellationToken;

use crate::metrics_port::MetricsPort;
use crate::worker::{Dealt, Worker};
use crate::{App, Drained, connection, drain};

/// Connections that the kernel keeps for us while we are busy.
const BACKLOG: i32 = 4_096;
/// How long accepting pauses when there are no file descriptors left.
pub(crate) const PAUSE: Duration = Duration::from_millis(50);
/// How many are told at the same time that there is no room; further ones are closed without a word.
const TURNED_AWAY: usize = 256;
/// How long those are waited for in the end who came while the server refused: for a refusal, which takes no time.
const LATE: Duration = Duration::from_secs(3);

/// How to listen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerSettings {
    /// Address and port; port 0 takes a free one.
    pub listen: String,
    /// Worker threads.
    pub workers: usize,
    /// How long a worker that was busy asks for more before it sleeps; zero: not at all.
    pub busy_poll: Duration,
    /// Where the metrics are.
    pub metrics: MetricsPlace,
}

/// Where `/metrics` is served.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum MetricsPlace {
    /// Beside everything else.
    #[default]
    Here,
    /// At an address of its own, and nowhere else.
    Apart(String),
    /// Nowhere.
    Nowhere,
}

/// The address can't be listened on.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// It is no address.
    #[error("{0:?} is not an address and port like 127.0.0.1:8000")]
    NotAnAddress(String),
    /// The kernel refuses it.
    #[error("can't listen on {address}: {cause}; choose another with {key}")]
    Refused {
        /// What says where to listen.
        key: &'static str,
        /// Where.
        address: SocketAddr,
        /// Why not.
        #[source]
        cause: std::io::Error,
    },
    /// A worker could not be started.
    #[error("a worker thread can't be started: {0}")]
    Worker(#[source] std::io::Error),
}

/// A listening socket with its workers.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    workers: Vec<Worker>,
    app: Arc<App>,
    metrics: Option<MetricsPort>,
}

/// The addresses that a `--listen` value stands for.
///
/// # Errors
/// When it is none.
pub(crate) fn resolve(listen: &str) -> Result<SocketAddr, BindError> {
    let refused = || BindError::NotAnAddress(listen.to_owned());
    let text = if listen.parse::<u16>().is_ok() { format!("127.0.0.1:{listen}") } else { listen.to_owned() };
    text.to_socket_addrs().map_err(|_| refused())?.next().ok_or_else(refused)
}

impl Server {
    /// The address that `listen` stands for, without listening on it.
    ///
    /// # Errors
    /// When it is none.
    pub fn address_of(listen: &str) -> Result<SocketAddr, BindError> {
        resolve(listen)
    }

    /// Listens and starts the workers. Connections wait until [`Server::run`].
    ///
    /// # Errors
    /// When the address can't be listened on.
    pub fn bind(app: Arc<App>, settings: &ServerSettings) -> Result<Self, BindError> {
        let wanted = resolve(&settings.listen)?;
        let refused = |cause| BindError::Refused { key: "--listen", address: wanted, cause };
        let listener = listen(wanted).map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        let metrics = match &settings.metrics {
            MetricsPlace::Apart(wanted) => Some(MetricsPort::bind(wanted)?),
            MetricsPlace::Here | MetricsPlace::Nowhere => None,
        };
        let _set_once = app.metrics_here.set(settings.metrics == MetricsPlace::Here);
        let workers = (0..settings.workers.max(1))
            .map(|index| Worker::start(Arc::clone(&app), index, settings.busy_poll))
            .collect::<Result<_, _>>()
            .map_err(BindError::Worker)?;
        let _set_once = app.address.set(address);
        Ok(Self { listener, address, workers, app, metrics })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Accepts connections until `stop`. Then the server is not ready any more, but answers for the drain delay, so that
    /// balancers can look elsewhere first; after it new requests are refused and those under way finish. `at_once` cuts
    /// that short.
    pub async fn run(mut self, stop: CancellationToken, at_once: CancellationToken) -> Drained {
        let (metrics, app) = (self.metrics.take(), Arc::clone(&self.app));
        let serve_metrics = async {
            if let Some(port) = metrics {
                port.serve(app).await;
            }
            std::future::pending().await
        };
        tokio::select! {
            drained = self.serve(stop, at_once) => drained,
            never = serve_metrics => never,
        }
    }

    async fn serve(self, stop: CancellationToken, at_once: CancellationToken) -> Drained {
        let Self { listener, workers, app, .. } = self;
        let listener = match tokio::net::TcpListener::from_std(listener) {
            Ok(listener) => listener,
            Err(error) => {
                tracing::error!(%error, "can't accept connections");
                return drain::end(workers, Drained::CutOff).await;
            }
        };
        let hall =
            Hall { workers, app: Arc::clone(&app), turned_away: Group::new(), full: AtomicBool::new(false) };
        // Who comes while the server refuses is answered, and keeps nobody waiting for long.
        let (group, late) = (Group::new(), Group::new());
        tokio::select! {
            () = stop.cancelled() => {}
            () = accept(&listener, &hall, &group) => {}
        }
        let timeouts = app.gateway().snapshot().settings.timeouts;
        if !timeouts.drain_delay.is_zero() {
            app.stop();
            tokio::select! {
                () = tokio::time::sleep(timeouts.drain_delay) => {}
                () = at_once.cancelled() => {}
                () = accept(&listener, &hall, &group) => {}
            }
        }
        // In this order: who sees that the server is not ready may count on it that nothing new is begun.
        app.gateway().drain();
        app.stop();
        let drained = tokio::select! {
            drained = drain::wait(&group, timeouts.drain, &at_once) => drained,
            () = accept(&listener, &hall, &late) => Drained::CutOff,
        };
        accept_the_last(listener, &hall, &late);
        drain::wait(&late, LATE, &at_once).await;
        drain::end(hall.workers, drained).await
    }
}

pub(crate) fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Accepts connections for as long as it is asked to.
async fn accept(listener: &tokio::net::TcpListener, hall: &Hall, group: &Group) {
    let mut failing = false;
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                failing = false;
                hall.admit(stream, peer, group);
            }
            Err(error) if is_passing(&error) => {}
            Err(error) => {
                if !failing {
                    tracing::warn!(%error, "connections can't be accepted; tried again until they can");
                }
                failing = true;
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// The client was gone before we came to it: nothing to be done about.
fn is_passing(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted)
}

/// Accepts what the kernel has accepted for us already: closing the listener would reset it.
fn accept_the_last(listener: tokio::net::TcpListener, hall: &Hall, group: &Group) {
    let Ok(listener) = listener.into_std() else { return };
    while let Ok((stream, peer)) = listener.accept() {
        hall.deal(stream, peer, group);
    }
}

/// Where connections go.
struct Hall {
    workers: Vec<Worker>,
    app: Arc<App>,
    /// Those that are told that there is no room.
    turned_away: Group,
    full: AtomicBool,
}

impl Hall {
    /// Lets a connection in, while there is room. Past that it is told so and closed: a balancer hears at once that it
    /// should ask another server, instead of waiting in the kernel's backlog.
    fn admit(&self, stream: tokio::net::TcpStream, peer: SocketAddr, group: &Group) {
        let open: usize = self.workers.iter().map(Worker::open).sum();
        let limit = self.app.gateway().snapshot().settings.limits.connections;
        let is_full = open >= limit;
        if self.full.swap(is_full, Ordering::Relaxed) != is_full && is_full {
            tracing::warn!(limit, "no room for more connections; raise gateway.limits.connections");
        }
        if !is_full {
            if let Ok(stream) = stream.into_std() {
                self.deal(stream, peer, group);
            }
        } else if self.turned_away.len() < TURNED_AWAY {
            let app = Arc::clone(&self.app);
            self.turned_away.spawn("turned away", async move {
                connection::no_room(stream, app.gateway()).await;
            });
        }
    }

    /// Gives the connection to the worker with the fewest.
    fn deal(&self, stream: TcpStream, peer: SocketAddr, group: &Group) {
        let _best_effort = stream.set_nodelay(true);
        let dealt = Dealt { stream, peer, group: group.clone(), held: group.hold() };
        if let Some(worker) = self.workers.iter().min_by_key(|worker| worker.open())
            && !worker.deal(dealt)
        {
            tracing::error!("a worker thread is gone");
        }
    }
}

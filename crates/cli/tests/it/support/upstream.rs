//! A scripted upstream on a bare socket: it answers with the bytes that a test gives it, whole or broken, and keeps what
//! it was sent, byte for byte.
//!
//! It has a thread of its own, so that a test may block without stopping its upstream.

use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinSet;

pub(crate) use super::reply::Reply;
use super::reply::Step;
use super::{eventually, raw};

/// The longest that a test waits for something to happen here.
const PATIENCE: Duration = Duration::from_secs(20);

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    /// Request line and headers, without the empty line.
    pub(crate) head: String,
    /// The body, without its chunks.
    pub(crate) body: Vec<u8>,
    /// The how-manyth connection it came on, from 0.
    pub(crate) connection: usize,
    /// When it was complete.
    pub(crate) at: Instant,
}

impl Seen {
    pub(crate) fn line(&self) -> &str {
        self.head.lines().next().unwrap_or_default()
    }

    /// Every value of a header.
    pub(crate) fn headers(&self, name: &str) -> Vec<&str> {
        raw::fields(&self.head)
            .filter(|(field, _)| field.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
            .collect()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers(name).first().copied()
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("a body in UTF-8")
    }
}

#[derive(Default)]
struct Log {
    seen: Vec<Seen>,
    hang_ups: Vec<Instant>,
}

/// What is done with a request, by the request and its number.
type Script = Box<dyn Fn(&Seen, usize) -> Reply + Send + Sync>;

struct Shared {
    log: Mutex<Log>,
    changed: watch::Sender<()>,
    script: Script,
}

impl Shared {
    fn note(&self, change: impl FnOnce(&mut Log)) {
        change(&mut self.log.lock().unwrap());
        self.changed.send_replace(());
    }
}

/// A running upstream. Dropping it closes everything.
pub(crate) struct Upstream {
    address: SocketAddr,
    shared: Arc<Shared>,
    _stop: watch::Sender<()>,
}

impl Upstream {
    /// An upstream that does with the `number`-th request (from 0) what `script` says.
    pub(crate) fn start(script: impl Fn(&Seen, usize) -> Reply + Send + Sync + 'static) -> Self {
        Self::listening(TcpListener::bind("127.0.0.1:0").unwrap(), script)
    }

    /// The same at an address where another one was, once that has gone.
    pub(crate) async fn start_again(
        address: SocketAddr,
        script: impl Fn(&Seen, usize) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::listening(eventually("the port is free", async || TcpListener::bind(address)).await, script)
    }

    fn listening(
        listener: TcpListener,
        script: impl Fn(&Seen, usize) -> Reply + Send + Sync + 'static,
    ) -> Self {
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let (changed, _) = watch::channel(());
        let shared = Arc::new(Shared { log: Mutex::default(), changed, script: Box::new(script) });
        let (stop, stopped) = watch::channel(());
        let served = Arc::clone(&shared);
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(serve(listener, served, stopped));
        });
        Self { address, shared, _stop: stop }
    }

    /// An upstream that always does the same.
    pub(crate) fn always(reply: Reply) -> Self {
        Self::start(move |_, _| reply.clone())
    }

    /// An upstream that goes through the replies and stays at the last.
    pub(crate) fn in_turn(replies: Vec<Reply>) -> Self {
        Self::start(move |_, number| {
            replies.get(number).or_else(|| replies.last()).cloned().unwrap_or_default()
        })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What came so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.shared.log.lock().unwrap().seen.clone()
    }

    /// The only request that came.
    pub(crate) fn only(&self) -> Seen {
        let seen = self.seen();
        assert_eq!(seen.len(), 1, "one request upstream: {seen:#?}");
        seen[0].clone()
    }

    /// Waits until so many requests have come.
    pub(crate) async fn wait_for_requests(&self, count: usize) {
        self.wait_until("requests", |log| log.seen.len() >= count).await;
    }

    /// Waits until so many peers have hung up in the middle of a reply.
    pub(crate) async fn wait_for_hang_ups(&self, count: usize) {
        self.wait_until("hang-ups", |log| log.hang_ups.len() >= count).await;
    }

    async fn wait_until(&self, what: &str, holds: impl Fn(&Log) -> bool) {
        let mut changes = self.shared.changed.subscribe();
        let waiting = async {
            while !holds(&self.shared.log.lock().unwrap()) {
                changes.changed().await.unwrap();
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("waited in vain for {what}"));
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>, mut stopped: watch::Receiver<()>) {
    let listener = tokio::net::TcpListener::from_std(listener).unwrap();
    let mut connections = JoinSet::new();
    for number in 0.. {
        tokio::select! {
            _ = stopped.changed() => return,
            accepted = listener.accept() => {
                let (stream, _) = accepted.unwrap();
                connections.spawn(converse(stream, Arc::clone(&shared), number));
            }
        }
    }
}

/// Answers the requests of one connection, one after the other.
async fn converse(mut stream: TcpStream, shared: Arc<Shared>, connection: usize) {
    let mut buffer = Vec::new();
    while let Some((head, body)) = raw::read_message(&mut stream, &mut buffer).await {
        let seen = Seen { head, body, connection, at: Instant::now() };
        let mut number = 0;
        shared.note(|log| {
            number = log.seen.len();
            log.seen.push(seen.clone());
        });
        let reply = (shared.script)(&seen, number);
        if !play(&mut stream, &mut buffer, reply, &shared).await {
            return;
        }
    }
}

/// Plays a reply; whether the connection goes on.
async fn play(stream: &mut TcpStream, buffer: &mut Vec<u8>, reply: Reply, shared: &Shared) -> bool {
    for step in reply.0 {
        let time = match step {
            Step::Send(bytes) => {
                if stream.write_all(&bytes).await.is_err() {
                    shared.note(|log| log.hang_ups.push(Instant::now()));
                    return false;
                }
                continue;
            }
            Step::Wait(permits) => {
                permits.acquire().await.unwrap().forget();
                continue;
            }
            Step::Close => return false,
            Step::Reset => {
                socket2::SockRef::from(&*stream).set_linger(Some(Duration::ZERO)).unwrap();
                return false;
            }
            Step::Pause(time) => time,
            Step::Hang => Duration::from_secs(3_600),
        };
        if tokio::time::timeout(time, peer_leaves(stream, buffer)).await.is_ok() {
            shared.note(|log| log.hang_ups.push(Instant::now()));
            return false;
        }
    }
    true
}

/// Ends when the peer has closed its side; keeps what it sends until then.
async fn peer_leaves(stream: &mut TcpStream, buffer: &mut Vec<u8>) {
    while let Ok(1..) = stream.read_buf(buffer).await {}
}

/// The URL of a port that nobody listens on.
pub(crate) fn refusing() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

/// A listener that accepts nobody and whose queue is full: connecting to it takes forever.
pub(crate) struct Deaf {
    address: SocketAddr,
    _open: Vec<socket2::Socket>,
}

impl Deaf {
    pub(crate) fn start() -> Self {
        use socket2::{Domain, Socket, Type};
        let socket = || Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let listener = socket();
        listener.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
        listener.listen(1).unwrap();
        let address = listener.local_addr().unwrap();
        let mut open = vec![listener];
        for _ in 0..4 {
            let client = socket();
            client.set_nonblocking(true).unwrap();
            let _under_way = client.connect(&address);
            open.push(client);
        }
        Self { address: address.as_socket().unwrap(), _open: open }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

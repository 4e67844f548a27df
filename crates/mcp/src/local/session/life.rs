//! The life of a session's process: started with the first message, and again after it has ended by itself.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use rmcp::model::RequestId;
use seawall_base::backoff::Backoff;
use tokio::sync::mpsc;

use super::Session;
use crate::body::Frame;
use crate::book::{Entry, Reply, What};
use crate::local::process;
use crate::message::Message;
use crate::server::Server;

/// A process that has lived so long has not failed to start.
const LIVED: Duration = Duration::from_secs(10);
/// How long to wait before a process is started again that ended at once, and again.
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// Requests wait so long themselves; where it takes longer they are told.
const SHORT_WAIT: Duration = Duration::from_secs(2);

/// The process, as far as there is one.
#[derive(Debug)]
pub(super) struct Life {
    pub(super) to: Option<mpsc::Sender<Frame>>,
    /// The client's `initialize`, for a process that takes another's place.
    hello: Bytes,
    /// The client's word that it is ready, once it has come.
    pub(super) ready: Option<Bytes>,
    /// Which process it is, from one.
    generation: u64,
    started: Duration,
    backoff: Backoff,
    not_before: Duration,
}

impl Life {
    /// No process yet; `hello` is what the client began with.
    pub(super) fn new(hello: Bytes, now: Duration) -> Self {
        Self {
            to: None,
            hello,
            ready: None,
            generation: 0,
            started: now,
            backoff: Backoff::new(FIRST_WAIT, LONGEST_WAIT, fastrand::u64(..)),
            not_before: Duration::ZERO,
        }
    }
}

impl Life {
    /// The process has ended, or hears nothing any more.
    fn is_over(&mut self, now: Duration) {
        self.to = None;
        if now.saturating_sub(self.started) >= LIVED {
            self.backoff.reset();
            self.not_before = now;
        } else {
            self.not_before = now + self.backoff.next_delay();
        }
    }
}

impl Session {
    /// Gives a message to the process, which is started where there is none. Of a request that is written down by this name
    /// and number, the book learns which process has it.
    ///
    /// # Errors
    /// Why it can't have it.
    pub(super) async fn deliver(
        self: &Arc<Self>,
        server: &Arc<Server>,
        message: Bytes,
        request: Option<(&RequestId, u64)>,
    ) -> Result<(), String> {
        // It may wait for the program longer than its sender waits for us.
        let mut memory = server.desk.parts.memory.share();
        if !memory.take(message.len(), self.limits.buffer) {
            return Err("all buffered bytes are in use; try again shortly".to_owned());
        }
        let message = Frame::new(message, Some(memory));
        let delivering = async {
            let mut life = self.life.lock().await;
            let to = match life.to.clone().filter(|to| !to.is_closed()) {
                Some(to) => to,
                None => self.start(server, &mut life).await?,
            };
            if let Some((id, serial)) = request {
                self.book.set_generation(id, serial, life.generation);
            }
            drop(life);
            to.send(message).await.map_err(|_gone| self.away(server))
        };
        tokio::time::timeout(server.timeout(), delivering)
            .await
            .unwrap_or_else(|_elapsed| Err(format!("the server {} takes no messages", server.name)))
    }

    /// Starts a process, and makes it what the one before it was.
    async fn start(
        self: &Arc<Self>,
        server: &Arc<Server>,
        life: &mut Life,
    ) -> Result<mpsc::Sender<Frame>, String> {
        let now = server.desk.now();
        if self.closed.is_cancelled() {
            return Err(away(server));
        }
        if life.to.is_some() {
            life.is_over(now);
        }
        let wait = life.not_before.saturating_sub(now);
        if wait <= SHORT_WAIT {
            tokio::time::sleep(wait).await;
        } else {
            let seconds = wait.as_secs_f64();
            return Err(format!(
                "the server {} ended and is started again in {seconds:.1}s at the earliest",
                server.name
            ));
        }
        life.generation += 1;
        let now = server.desk.now();
        life.started = now;
        self.has_spoken.store(false, Ordering::Relaxed);
        let generation = life.generation;
        let started = process::start(server, self, generation).await;
        let to = started.inspect_err(|_error| life.not_before = now + life.backoff.next_delay())?;
        server.desk.metrics().starts.with_label_values(&[&*server.name]).inc();
        if generation > 1 {
            self.introduce(server, life, &to).await?;
        }
        life.to = Some(to.clone());
        Ok(to)
    }

    /// Repeats the handshake with a process that takes another's place. Its client hears nothing of it.
    async fn introduce(
        self: &Arc<Self>,
        server: &Arc<Server>,
        life: &Life,
        to: &mpsc::Sender<Frame>,
    ) -> Result<(), String> {
        let hello = Message::of_client(life.hello.clone()).map_err(|error| error.to_string())?;
        let id = RequestId::String(format!("seawall-{}", life.generation).into());
        let Some(hello) = hello.with_id(&id) else { return Err(away(server)) };
        let (reply, mut answers) = Reply::channel(false, None);
        let entry = Entry {
            what: What::Other,
            limit: server.timeout(),
            policy: self.policy.load_full(),
            actor: Arc::clone(&self.actor),
            whose: self.whose,
            is_modern: false,
            reply: Some(reply),
            timer: None,
            generation: Some(life.generation),
            serial: server.next_serial(),
        };
        if self.book.enter(id.clone(), entry).is_err() {
            return Err(away(server));
        }
        to.send(Frame::new(hello, None)).await.map_err(|_gone| away(server))?;
        let answered = tokio::select! {
            answered = tokio::time::timeout(server.timeout(), answers.recv()) => answered.ok().flatten(),
            // Who says that it has ended waits for us.
            () = to.closed() => None,
        };
        self.book.give_up(&id);
        if answered.is_none() {
            return Err(away(server));
        }
        if let Some(ready) = &life.ready {
            to.send(Frame::new(ready.clone(), None)).await.map_err(|_gone| away(server))?;
        }
        Ok(())
    }

    /// A process has ended, and with it everything that it was asked.
    pub(in crate::local) async fn ended(&self, server: &Server, generation: u64) {
        let mut life = self.life.lock().await;
        // Another one may have taken its place.
        if life.generation == generation {
            life.is_over(server.desk.now());
        }
        drop(life);
        self.give_up_all(server, Some(generation), &self.away(server));
    }
}

pub(super) fn away(server: &Server) -> String {
    format!("the server {} ended; it is started again with the next request", server.name)
}

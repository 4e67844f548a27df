//! The body of an answer that follows an agent: server-sent events (WHATWG HTML, 9.2), for as long as the client likes.

use std::fmt::Write;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame};
use seawall_engine::AgentId;
use seawall_runtime::{Feed, Told};
use seawall_store::AgentStore;
use seawall_types::RunId;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

/// How often something is sent at least, so that nobody on the way takes the connection for dead.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// A comment, which clients leave out.
const QUIET: Bytes = Bytes::from_static(b":\n\n");

/// What follows an agent.
pub(super) struct Following {
    pub(super) feed: Feed,
    pub(super) store: Arc<dyn AgentStore>,
    pub(super) agent: AgentId,
    /// The run of the agent: another agent may have its name by now, and be another tenant's.
    pub(super) run: RunId,
    /// Which types are told. `None`: all.
    pub(super) only: Option<&'static [&'static str]>,
    /// After which type the answer ends.
    pub(super) until: Option<&'static str>,
    pub(super) stops: CancellationToken,
}

impl Following {
    /// The next piece of the answer. `None`: it is over.
    async fn next(mut self) -> Option<(Bytes, Option<Self>)> {
        let told = tokio::select! {
            biased;
            () = self.stops.cancelled() => return None,
            told = tokio::time::timeout(HEARTBEAT, self.feed.next()) => told,
        };
        match told {
            // What is kept from the client still shows that the connection lives.
            Ok(Ok(told)) if self.only.is_some_and(|only| !only.contains(&told.kind)) => {
                Some((QUIET, Some(self)))
            }
            Ok(Ok(told)) => {
                let is_last = self.until == Some(told.kind);
                Some((written(&told), (!is_last).then_some(self)))
            }
            Ok(Err(error)) => {
                // The client comes back with the last number that it saw, and is told of the store then.
                tracing::warn!(agent = %self.agent, %error, "an agent can't be followed; its follower is let go of");
                None
            }
            Err(_quiet) => self.heartbeat().await,
        }
    }

    /// Says that nothing has happened, unless there is nobody any more to whom anything could.
    async fn heartbeat(self) -> Option<(Bytes, Option<Self>)> {
        let is_there = match self.store.agent(&self.agent).await {
            Ok(row) => row.is_some_and(|row| row.run == self.run),
            // Whether it is cannot be told now.
            Err(_) => true,
        };
        is_there.then_some((QUIET, Some(self)))
    }
}

/// One event. JSON has no line ends in it.
fn written(told: &Told) -> Bytes {
    let mut text = String::with_capacity(told.json.len().saturating_add(64));
    let _infallible = write!(text, "id: {}\nevent: {}\ndata: {}\n\n", told.seq, told.kind, told.json);
    text.into()
}

type Step = Pin<Box<dyn Future<Output = Option<(Bytes, Option<Following>)>> + Send>>;

/// The body.
pub(super) struct Events {
    /// What is sent at once: the client knows that it is followed before anything happens.
    greeting: Option<Bytes>,
    step: Option<Step>,
    home: Handle,
}

impl Events {
    pub(super) fn new(following: Following, home: Handle) -> Self {
        let greeting = Some(Bytes::from_static(b"retry: 1000\n\n"));
        Self { greeting, step: Some(Box::pin(following.next())), home }
    }
}

impl Body for Events {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if let Some(greeting) = self.greeting.take() {
            return Poll::Ready(Some(Ok(Frame::data(greeting))));
        }
        let this = &mut *self;
        let Some(step) = &mut this.step else { return Poll::Ready(None) };
        let stepped = {
            // What the store opens for it is to outlive the thread that serves the client.
            let _home = this.home.enter();
            ready!(step.as_mut().poll(context))
        };
        let Some((bytes, following)) = stepped else {
            this.step = None;
            return Poll::Ready(None);
        };
        this.step = following.map(|following| Box::pin(following.next()) as Step);
        Poll::Ready(Some(Ok(Frame::data(bytes))))
    }
}

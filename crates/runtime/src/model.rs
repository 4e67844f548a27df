//! The way to a model: one request in a provider's words, and what comes back.
//!
//! Where the model is, what a call may cost and what a policy says of its words is decided on the other side of [`Model`];
//! here is only what an agent hands over and gets.

use std::fmt;
use std::pin::Pin;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use seawall_engine::AgentId;
use seawall_store::agents::Owner;
use seawall_types::{RunId, Usd};
use tokio::sync::watch;

use crate::ModelPlace;

/// A future of a trait's method.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Calls models. Every call is admitted, paid for, and written down.
pub trait Model: fmt::Debug + Send + Sync {
    /// Asks once, without another try. Dropping the future or the answer cancels the call.
    ///
    /// # Errors
    /// When there is no answer at all, not even a refusal.
    fn ask(&self, question: Question) -> BoxFuture<'_, Result<Reply, NoReply>>;
}

/// A request to a model.
#[derive(Debug, Clone)]
pub struct Question {
    /// Which agent asks.
    pub agent: AgentId,
    /// The run that it counts for.
    pub run: RunId,
    /// Whose budgets pay.
    pub owner: Owner,
    /// Where the model is, where that is not for the configuration to say.
    pub place: Option<ModelPlace>,
    /// The path, with its query, as a client of the provider would write it.
    pub path: String,
    /// Headers beyond those of every request.
    pub headers: &'static [(&'static str, &'static str)],
    /// The body.
    pub body: Bytes,
    /// To be told what the call has cost, when that is known: also of an answer that nobody has waited for. Dropped where it has
    /// cost nothing.
    pub cost: watch::Sender<Option<Usd>>,
}

/// An answer, as far as its head goes.
#[derive(Debug)]
pub struct Reply {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, piece by piece.
    pub body: Box<dyn Pieces>,
}

/// A body that comes piece by piece.
pub trait Pieces: fmt::Debug + Send {
    /// The next piece; none at the end.
    ///
    /// # Errors
    /// When it breaks off.
    fn next(&mut self) -> BoxFuture<'_, Option<Result<Bytes, NoReply>>>;
}

/// Nobody answered, or the answer broke off.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NoReply(pub String);

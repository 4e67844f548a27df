//! Passing on what was said in a room: an ordinary message of the member, under a name that is the same each time. So it may
//! be done again after a crash in the middle, and the member has it once.

use std::sync::Arc;
use std::time::Duration;

use seawall_engine::{Block, Delivered, Member, MessageId, MessageKind, Refused};
use seawall_store::StoreError;

use crate::room::is_there;
use crate::session::Session;
use crate::{AgentError, Runtime};

/// How long what only the moment stands against is waited for, at first and at the most.
const AGAIN: Duration = Duration::from_millis(50);
const AGAIN_AT_MOST: Duration = Duration::from_secs(5);

/// What is to be passed on.
#[derive(Debug)]
pub(super) struct Post {
    pub(super) said: u64,
    pub(super) to: Member,
    pub(super) message: MessageId,
    pub(super) content: Arc<[Block]>,
}

/// Passes it on, however long that takes, and tells the holder of the room what came of it.
pub(super) async fn deliver(session: &Arc<Session>, post: Post) {
    let mut again = AGAIN;
    let failure = loop {
        match once(session, &post).await {
            Ok(()) => break None,
            Err(error) if may_pass(&error) => {
                tracing::debug!(room = %session.agent, to = %post.to.agent, %error, "a member can't be reached; trying again");
            }
            Err(error) => break Some(error.to_string().into()),
        }
        tokio::time::sleep(again).await;
        again = again.saturating_mul(2).min(AGAIN_AT_MOST);
    };
    session.report(Delivered { said: post.said, agent: post.to.agent, failure }).await;
}

async fn once(session: &Arc<Session>, post: &Post) -> Result<(), AgentError> {
    let shared = &session.shared;
    is_there(&*shared.store, &post.to).await?;
    let runtime = Runtime { shared: Arc::clone(shared) };
    let (message, content) = (post.message.clone(), Arc::clone(&post.content));
    runtime.deliver(&post.to.agent, message, MessageKind::User, content).await.map(|_| ())
}

fn may_pass(error: &AgentError) -> bool {
    matches!(
        error,
        AgentError::Refused(Refused::QueueFull(_))
            | AgentError::Store(StoreError::Unavailable { .. })
            | AgentError::Stopping
            | AgentError::Busy { .. }
    )
}

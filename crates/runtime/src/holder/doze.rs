//! An agent to whom nobody has talked for a while: held, with its tools and its place, but without its messages.
//!
//! They are most of what an agent takes, and the store has them. They are read again before anything is decided; a mere look
//! that finds nothing new lets the agent doze on.

use std::sync::Arc;

use seawall_engine::Message;
use seawall_store::StoreError;
use seawall_store::agents::{Kept, MessageQuery};

use super::batch::Batch;
use super::{AGAIN, End, Holder};

/// Messages that are read at once.
const PAGE: u32 = 1_000;

impl Holder {
    /// Keeps no more open and in memory than an agent needs that nobody talks to.
    pub(super) fn doze(&mut self) {
        self.session.end_trace();
        self.shared.hub.trim(self.kept.id());
        self.kept = self.kept.clone().without_messages();
        self.dozes = true;
        self.shared.live.mark_dozing(self.kept.id(), true);
    }

    /// Whether it dozes on: nobody wants anything, and where it was told to look there is nothing new.
    pub(super) async fn dozes_on(&self, batch: &Batch) -> bool {
        if !self.dozes || !batch.is_empty() {
            return false;
        }
        let news = async || self.shared.store.events(self.kept.id(), self.kept.seq(), 1).await;
        !batch.looks || matches!(news().await, Ok(events) if events.is_empty())
    }

    /// Has the agent as it was before it dozed. While the store is away those are told so who are in the batch.
    pub(super) async fn wake_up(&mut self, batch: &mut Batch) -> Result<(), End> {
        let mut again = AGAIN;
        while self.dozes {
            match self.whole().await {
                Ok(Some(kept)) => {
                    self.kept = kept;
                    self.dozes = false;
                    self.shared.live.mark_dozing(self.kept.id(), false);
                }
                Ok(None) => {
                    batch.turn_away();
                    return Err(End::Lost);
                }
                Err(error @ StoreError::Corrupt { .. }) => {
                    batch.fail(&error);
                    return Err(End::Broken(error));
                }
                Err(error) => {
                    tracing::warn!(agent = %self.kept.id(), %error, "the agent's messages can't be read; trying again");
                    batch.fail(&error);
                    self.pause(&mut again).await?;
                }
            }
        }
        Ok(())
    }

    /// The agent with its messages. Nothing where it is no more, and its name perhaps another one's.
    async fn whole(&self) -> Result<Option<Kept>, StoreError> {
        let row = self.shared.store.agent(self.kept.id()).await?;
        if row.is_none_or(|row| row.run != self.kept.agent().run()) {
            return Ok(None);
        }
        let messages = self.messages().await?;
        self.kept.clone().with_messages(messages).map(Some)
    }

    /// The messages of its window.
    async fn messages(&self) -> Result<Vec<Arc<Message>>, StoreError> {
        let window = self.kept.window();
        let mut messages = Vec::new();
        let mut after = window.from.saturating_sub(1);
        while after < window.to {
            let left = u32::try_from(window.to.saturating_sub(after)).unwrap_or(PAGE);
            let agent = Some(self.kept.id().clone());
            let query = MessageQuery { agent, after, most: left.min(PAGE), ..MessageQuery::default() };
            let rows = self.shared.store.messages(&query).await?;
            let Some(last) = rows.last() else { break };
            after = last.place;
            messages.extend(rows.into_iter().map(|row| row.message));
        }
        Ok(messages)
    }
}

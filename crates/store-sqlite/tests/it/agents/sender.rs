//! Somebody who sends messages to an agent, and knows which were accepted.

use std::sync::Arc;

use seawall_engine::{
    Agent, AgentId, Authority, Block, Config, Limits, MessageId, MessageKind, NewAgent, SendMessage, create,
    decide,
};
use seawall_store::StoreError;
use seawall_store::agents::{AgentStore, Appended, Kept, Owner, Right};
use seawall_store_sqlite::SqliteAgents;
use seawall_types::RunId;

use super::NOW;

pub(super) struct Sender {
    store: Arc<SqliteAgents>,
    kept: Kept,
}

impl Sender {
    /// Finds the agent, or makes it.
    pub(super) async fn new(store: &Arc<SqliteAgents>, name: &str) -> Self {
        let id: AgentId = name.parse().unwrap();
        let limits = Limits { queued: 1_000_000, ..Limits::default() };
        let config = Config { limits, ..Config::default() };
        let new = NewAgent { id: id.clone(), run: RunId::from_bytes([1; 16]), config };
        let (_, first) = Kept::create(Owner::default(), &create(new, NOW).unwrap().events).unwrap();
        store.create(first).await.unwrap();
        let kept = store.load(&id).await.unwrap().unwrap();
        Self { store: Arc::clone(store), kept }
    }

    pub(super) fn id(&self) -> &AgentId {
        self.kept.id()
    }

    pub(super) fn agent(&self) -> &Agent {
        self.kept.agent()
    }

    /// Sends the next message, of so many bytes.
    pub(super) async fn send(&mut self, bytes: usize) -> Result<MessageId, StoreError> {
        let id = MessageId(self.kept.agent().queued().len().to_string().into());
        let content = [Block::text("x".repeat(bytes))].into();
        let message = SendMessage { id: id.clone(), kind: MessageKind::User, content };
        let events = decide(self.kept.agent(), message, Authority::Outsider, NOW).unwrap().events;
        let (next, append) = self.kept.append(Right::Outsider, &events).unwrap();
        assert_eq!(self.store.append(append).await?, Appended::Done);
        self.kept = next;
        Ok(id)
    }
}

//! Rooms: agents are spoken to by the names that they have there, one or all of them at once.
//!
//! A room is kept in the store as agents are, under a name of the same kind, so it survives and moves as they do. What is said
//! in it is durable when [`Room::say`] returns. Whoever holds the room then passes it on to each member as an ordinary message;
//! a process that dies in the middle leaves the rest to the next one.
//!
//! What is not here: who hears what (the engine), and answers: a member answers in its own events.

use std::sync::Arc;

use seawall_base::id;
use seawall_engine::{
    AgentId, Bookmark, Config, Event, Fact, JoinRoom, LeaveRoom, Member, MessageId, Refused, SayInRoom,
};
use seawall_store::agents::{Accepted, AgentRow, Kept, Owner};
use seawall_store::{AgentStore, StoreError};
use serde_json::Value;

use crate::{AgentError, Runtime, pressure};

/// What stands in the place of a template's name in the index entry of a room. No template can be called so.
pub const ROOM: &str = "@room";

/// Events that are read at once in search of what was said.
const PAGE: u32 = 256;

/// A room that is to be.
#[derive(Debug, Clone, Default)]
pub struct CreateRoom {
    /// Its name. `None`: it is given one.
    pub id: Option<AgentId>,
    /// Whatever its maker wants to find again.
    pub metadata: Option<Value>,
    /// On whose behalf.
    pub owner: Owner,
}

/// Something to say in a room.
#[derive(Debug, Clone)]
pub struct Say {
    /// The name of the message: the same again is the same message. `None`: it is given one.
    pub id: Option<MessageId>,
    /// Who says it: a member, or somebody outside. Members are not told what they said themselves.
    pub from: Arc<str>,
    /// What.
    pub text: Arc<str>,
    /// To which members. Nobody here: to those who are mentioned in the text as `@name`, else to all.
    pub only: Arc<[Arc<str>]>,
}

/// Something that was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// The name of the message.
    pub id: MessageId,
    /// Where in the room's sequence, and when.
    pub bookmark: Bookmark,
    /// Who said it.
    pub from: Arc<str>,
    /// What.
    pub text: Arc<str>,
    /// The names of those who were to hear it.
    pub to: Vec<Arc<str>>,
}

/// A room.
#[derive(Debug, Clone)]
pub struct Room {
    runtime: Runtime,
    id: AgentId,
}

impl Runtime {
    /// Makes a room. The same request with the same name again finds it (`false`).
    ///
    /// # Errors
    /// [`AgentError::Exists`] where something else has this name.
    pub async fn create_room(&self, request: CreateRoom) -> Result<(AgentRow, bool), AgentError> {
        let CreateRoom { id, metadata, owner } = request;
        let fingerprint = crate::runtime::fingerprint(ROOM, None, None, metadata.as_ref());
        let metadata = metadata.map(Arc::new);
        let config = Config { template: ROOM.into(), metadata, is_room: true, ..Config::default() };
        let name = |run| format!("room-{run}");
        self.keep(id, name, config, Owner { request: Some(fingerprint.into()), ..owner }, None).await
    }

    /// The room of this name.
    ///
    /// # Errors
    /// [`AgentError::NotFound`], [`Refused::NotARoom`].
    pub async fn room(&self, id: &AgentId) -> Result<Room, AgentError> {
        let row = self.store().agent(id).await?.ok_or_else(|| AgentError::NotFound(id.clone()))?;
        if *row.template != *ROOM {
            return Err(Refused::NotARoom.into());
        }
        Ok(Room { runtime: self.clone(), id: id.clone() })
    }
}

impl Room {
    /// Its name.
    #[must_use]
    pub fn id(&self) -> &AgentId {
        &self.id
    }

    /// The room as it is kept.
    ///
    /// # Errors
    /// [`AgentError::NotFound`].
    pub async fn load(&self) -> Result<Kept, AgentError> {
        self.runtime.load(&self.id).await
    }

    /// Who is in it, by their names.
    ///
    /// # Errors
    /// [`AgentError::NotFound`].
    pub async fn members(&self) -> Result<Vec<Member>, AgentError> {
        let kept = self.load().await?;
        Ok(kept.agent().room().map(|room| room.members().cloned().collect()).unwrap_or_default())
    }

    /// Has an agent join under a name. Twice is once. Where the room is a tenant's, it has to be an agent of that tenant.
    ///
    /// # Errors
    /// [`AgentError::NotFound`] where there is no such agent, [`Refused::Archived`], [`Refused::IsRoom`],
    /// [`Refused::MemberExists`], a name that can't be mentioned.
    pub async fn join(&self, name: &str, agent: &AgentId) -> Result<Member, AgentError> {
        let row = self.runtime.store().agent(agent).await?;
        let row = row.ok_or_else(|| AgentError::NotFound(agent.clone()))?;
        let own = self.runtime.store().agent(&self.id).await?;
        let tenant = own.ok_or_else(|| AgentError::NotFound(self.id.clone()))?.owner.tenant;
        if tenant.is_some() && tenant != row.owner.tenant {
            return Err(AgentError::NotFound(agent.clone()));
        }
        if *row.template == *ROOM {
            return Err(Refused::IsRoom.into());
        }
        if row.is_archived {
            return Err(Refused::Archived.into());
        }
        let member = Member { name: name.into(), agent: row.id, run: row.run };
        self.runtime.command(&self.id, JoinRoom { member: member.clone() }).await?;
        Ok(member)
    }

    /// Has a member leave. What was said to it before still reaches it.
    ///
    /// # Errors
    /// [`Refused::NoSuchMember`].
    pub async fn leave(&self, name: &str) -> Result<(), AgentError> {
        self.runtime.command(&self.id, LeaveRoom { name: name.into() }).await.map(|_| ())
    }

    /// Says something: it is durable when this returns, and reaches those whom it is for after that. The same name again is
    /// the same message.
    ///
    /// # Errors
    /// [`Refused::NoSuchMember`], [`AgentError::MemberGone`] where somebody is named whose agent is gone,
    /// [`AgentError::KeyReused`], [`AgentError::Busy`], and what a room can't take.
    pub async fn say(&self, say: Say) -> Result<Said, AgentError> {
        let Say { id, from, text, only } = say;
        let name = || MessageId(format!("said-{}", id::new_run(&*self.runtime.shared.clock)).into());
        let id = id.unwrap_or_else(name);
        let content = Accepted::hash_of_said(&from, &text, &only)?;
        if let Some(known) = self.accepted(&id, &content).await? {
            return Ok(known);
        }
        self.verify(&from, &text, &only).await?;
        pressure::admit(&self.runtime.shared, &self.id).await?;
        match self.runtime.command(&self.id, SayInRoom { id: id.clone(), from, text, only }).await {
            // Another one with this name came in between.
            Ok(_) | Err(AgentError::Store(StoreError::Conflict { .. })) => {}
            Err(error) => return Err(error),
        }
        let said = self.accepted(&id, &content).await?;
        said.ok_or_else(|| AgentError::NotFound(self.id.clone()))
    }

    /// Whether those are there who are spoken to by name. What is said to all passes over those who are gone.
    async fn verify(&self, from: &str, text: &str, only: &[Arc<str>]) -> Result<(), AgentError> {
        let kept = self.load().await?;
        let room = kept.agent().room().ok_or(Refused::NotARoom)?;
        for member in room.named(from, text, only)? {
            is_there(&**self.runtime.store(), &member).await?;
        }
        Ok(())
    }

    /// What was said under this name.
    async fn accepted(&self, id: &MessageId, content: &[u8; 32]) -> Result<Option<Said>, AgentError> {
        let store = self.runtime.store();
        let Some(accepted) = store.accepted(&self.id, id).await? else { return Ok(None) };
        if accepted.content != *content {
            return Err(AgentError::KeyReused);
        }
        let events = store.events(&self.id, accepted.seq.saturating_sub(1), 1).await?;
        Ok(events.first().and_then(Said::of))
    }

    /// What was said after a number of the room's sequence, the oldest first.
    ///
    /// # Errors
    /// A store that fails.
    pub async fn history(&self, since: u64, most: usize) -> Result<Vec<Said>, AgentError> {
        let (mut found, mut after) = (Vec::new(), since);
        while found.len() < most {
            let events = self.runtime.store().events(&self.id, after, PAGE).await?;
            let Some(last) = events.last() else { break };
            after = last.last_seq();
            found.extend(events.iter().filter_map(Said::of));
        }
        found.truncate(most);
        Ok(found)
    }
}

impl Said {
    /// What an event says, if that is what it is.
    fn of(event: &Event) -> Option<Self> {
        let Fact::RoomSaid { id, from, text, to, .. } = &event.fact else { return None };
        Some(Self {
            id: id.clone(),
            bookmark: Bookmark { seq: event.seq, timestamp: event.at },
            from: Arc::clone(from),
            text: Arc::clone(text),
            to: to.iter().map(|member| Arc::clone(&member.name)).collect(),
        })
    }
}

/// Whether the agent that joined is there still: not put away, and no other one of its name.
pub(crate) async fn is_there(store: &dyn AgentStore, member: &Member) -> Result<(), AgentError> {
    let row = store.agent(&member.agent).await?;
    if row.is_some_and(|row| row.run == member.run && !row.is_archived) {
        return Ok(());
    }
    Err(AgentError::MemberGone(member.clone()))
}

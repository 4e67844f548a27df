//! What happens in a room: agents come and go, somebody says something, and it reaches them.

use std::sync::Arc;

use crate::decide::{Draft, Refused};
use crate::event::Fact;
use crate::room::{self, LONGEST_TEXT, MOST_MEMBERS, Member, Room};
use crate::{AgentId, MessageId};

/// Have an agent join. Twice is once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinRoom {
    /// Who, under which name.
    pub member: Member,
}

impl JoinRoom {
    pub(super) fn run(self, draft: &mut Draft) -> Result<(), Refused> {
        let Self { member } = self;
        room::check_name(&member.name)?;
        let room = room_of(draft)?;
        match room.member(&member.name) {
            Some(known) if *known == member => return Ok(()),
            // Its agent was removed, and another one has its name.
            Some(known) if known.agent == member.agent => {}
            Some(known) => {
                let (name, agent) = (Arc::clone(&known.name), known.agent.clone());
                return Err(Refused::MemberExists { name, agent });
            }
            None if room.members().len() >= MOST_MEMBERS => {
                return Err(Refused::Invalid(format!("a room has at most {MOST_MEMBERS} members")));
            }
            None => {}
        }
        draft.record(Fact::RoomJoined { member })
    }
}

/// Have a member leave. What was said to it before still reaches it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaveRoom {
    /// Its name.
    pub name: Arc<str>,
}

impl LeaveRoom {
    pub(super) fn run(self, draft: &mut Draft) -> Result<(), Refused> {
        let room = room_of(draft)?;
        if room.member(&self.name).is_none() {
            return Err(room.unknown(&self.name));
        }
        draft.record(Fact::RoomLeft { name: self.name })
    }
}

/// Say something to those who are named, or mentioned, or to all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SayInRoom {
    /// The name of the message.
    pub id: MessageId,
    /// Who says it: a member, or somebody outside.
    pub from: Arc<str>,
    /// What.
    pub text: Arc<str>,
    /// To whom. Nobody here: to those who are mentioned in the text, else to all.
    pub only: Arc<[Arc<str>]>,
}

impl SayInRoom {
    pub(super) fn run(self, draft: &mut Draft) -> Result<(), Refused> {
        let Self { id, from, text, only } = self;
        room::check_name(&from)?;
        let room = room_of(draft)?;
        if text.trim().is_empty() {
            return Err(Refused::Invalid("what is said in a room has words".to_owned()));
        }
        if text.len() > LONGEST_TEXT {
            let words =
                format!("what is said in a room has at most {LONGEST_TEXT} bytes; this has {}", text.len());
            return Err(Refused::Invalid(words));
        }
        let waiting = room.waiting();
        if waiting >= draft.config().limits.queued {
            return Err(Refused::QueueFull(waiting));
        }
        let to = room.hearers(&from, &text, &only)?;
        draft.record(Fact::RoomSaid { id, from, text, only, to })
    }
}

/// It is known what came of passing something on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivered {
    /// The number of the event by which it was said.
    pub said: u64,
    /// To whom.
    pub agent: AgentId,
    /// Why it will never reach the member, if so.
    pub failure: Option<Arc<str>>,
}

impl Delivered {
    pub(super) fn run(self, draft: &mut Draft) -> Result<(), Refused> {
        let Self { said, agent, failure } = self;
        let room = room_of(draft)?;
        let Some(to) = room.recipient(said, &agent).cloned() else {
            return Err(Refused::Late { what: "passing this on" });
        };
        draft.record(Fact::RoomDelivered { said, to, failure })
    }
}

fn room_of(draft: &Draft) -> Result<&Room, Refused> {
    draft.agent.room().ok_or(Refused::NotARoom)
}

//! Rooms: where agents are spoken to by name, one or all of them at once.
//!
//! A room is kept as an agent is, with a log of its own, and has members instead of a model. What is said in it is durable
//! before it is acknowledged; passing it on to each member is an effect, which is outstanding until it is known what came of
//! it. A member gets what was said in the order in which it was said.
//!
//! What is not here: whether a member is there still, and how it is reached.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use seawall_types::RunId;
use serde::{Deserialize, Serialize};

use crate::event::Fact;
use crate::{AgentId, Block, MessageId, Refused};

/// The longest name of a member, in bytes.
const LONGEST_NAME: usize = 64;

/// So many members a room may have: what is said to all of them is passed on to each.
pub(crate) const MOST_MEMBERS: usize = 1_000;

/// The longest that is said at once, in bytes: each member gets it.
pub(crate) const LONGEST_TEXT: usize = 64 * 1024;

/// So many members are passed something on to at the same time.
const AT_ONCE: usize = 64;

/// Who is in a room, and what is still to be passed on.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Room {
    members: BTreeMap<Arc<str>, Member>,
    /// What was said and has not reached everybody yet, the oldest first.
    open: Vec<Post>,
}

/// An agent in a room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// What it is called there.
    pub name: Arc<str>,
    /// The agent.
    pub agent: AgentId,
    /// The run of it: another agent that gets its name later is not the member.
    pub run: RunId,
}

/// What was said and has not reached everybody.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Post {
    /// The number of the event.
    seq: u64,
    from: Arc<str>,
    text: Arc<str>,
    to: Vec<Member>,
}

/// Something that is to be passed on to one member.
pub(crate) struct Undelivered<'r> {
    pub(crate) seq: u64,
    pub(crate) to: &'r Member,
    from: &'r str,
    text: &'r str,
}

impl Room {
    /// Its members, by their names.
    pub fn members(&self) -> impl ExactSizeIterator<Item = &Member> {
        self.members.values()
    }

    /// How much of what was said has not reached everybody yet.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.open.len()
    }

    /// The member of this name.
    #[must_use]
    pub fn member(&self, name: &str) -> Option<&Member> {
        self.members.get(name)
    }

    /// Who is spoken to by name: those who are named beside the text, else those who are mentioned in it.
    ///
    /// # Errors
    /// [`Refused::NoSuchMember`], [`Refused::Invalid`] where somebody speaks to itself.
    pub fn named(&self, from: &str, text: &str, only: &[Arc<str>]) -> Result<Vec<Member>, Refused> {
        let names: Vec<&str> = if only.is_empty() {
            mentioned(text).collect()
        } else {
            only.iter().map(|name| &**name).collect()
        };
        if names.contains(&from) {
            let words = format!("{from:?} speaks to itself; name others, or nobody for all");
            return Err(Refused::Invalid(words));
        }
        let find = |name: &str| self.members.get(name).cloned().ok_or_else(|| self.unknown(name));
        names.into_iter().map(find).collect()
    }

    /// Who is to hear what somebody says: who is spoken to by name, else everybody. Never who says it, and an agent of two
    /// names once.
    pub(crate) fn hearers(&self, from: &str, text: &str, only: &[Arc<str>]) -> Result<Vec<Member>, Refused> {
        let mut meant = self.named(from, text, only)?;
        if meant.is_empty() {
            meant = self.members.values().filter(|member| *member.name != *from).cloned().collect();
        }
        let speaker = self.members.get(from).map(|member| &member.agent);
        let mut hear: BTreeSet<AgentId> = speaker.into_iter().cloned().collect();
        meant.retain(|member| hear.insert(member.agent.clone()));
        if meant.is_empty() {
            let nobody =
                "nobody would hear this: the room has no members but who says it; have agents join first";
            return Err(Refused::Invalid(nobody.to_owned()));
        }
        Ok(meant)
    }

    /// The names of the members, for people.
    fn names(&self) -> Arc<str> {
        const SHOWN: usize = 20;
        let mut names: Vec<&str> = self.members.keys().map(|name| &**name).take(SHOWN).collect();
        if self.members.len() > SHOWN {
            names.push("…");
        }
        if names.is_empty() { "nobody".into() } else { names.join(", ").into() }
    }

    /// What is to be passed on now: to each agent the oldest that it has not got, so that the order stays; not to all of many
    /// at once.
    pub(crate) fn undelivered(&self) -> Vec<Undelivered<'_>> {
        let (mut found, mut served) = (Vec::new(), BTreeSet::new());
        for post in &self.open {
            for to in &post.to {
                if found.len() == AT_ONCE {
                    return found;
                }
                if served.insert(&to.agent) {
                    found.push(Undelivered { seq: post.seq, to, from: &post.from, text: &post.text });
                }
            }
        }
        found
    }

    /// The member that this is to be passed on to still.
    pub(crate) fn recipient(&self, seq: u64, agent: &AgentId) -> Option<&Member> {
        let post = self.open.iter().find(|post| post.seq == seq)?;
        post.to.iter().find(|to| to.agent == *agent)
    }

    /// There is no member of this name.
    pub(crate) fn unknown(&self, name: &str) -> Refused {
        Refused::NoSuchMember { name: name.into(), known: self.names() }
    }

    /// What a fact makes of the room. `None`: it speaks of what the room doesn't know.
    pub(crate) fn absorb(&mut self, seq: u64, fact: &Fact) -> Option<()> {
        match fact {
            Fact::RoomJoined { member } => {
                // One agent has a name at a time: whoever had it before is gone, under whatever name it was a member.
                self.members.retain(|_, known| known.agent != member.agent || known.run == member.run);
                self.members.insert(Arc::clone(&member.name), member.clone());
            }
            Fact::RoomLeft { name } => _ = self.members.remove(name)?,
            Fact::RoomSaid { from, text, to, .. } => {
                let (from, text, to) = (Arc::clone(from), Arc::clone(text), to.clone());
                self.open.push(Post { seq, from, text, to });
            }
            Fact::RoomDelivered { said, to, .. } => {
                let post = self.open.iter_mut().find(|post| post.seq == *said)?;
                let at = post.to.iter().position(|member| member.agent == to.agent)?;
                post.to.remove(at);
                self.open.retain(|post| !post.to.is_empty());
            }
            _ => return None,
        }
        Some(())
    }
}

impl Undelivered<'_> {
    /// The message that the member gets.
    pub(crate) fn content(&self) -> Arc<[Block]> {
        [Block::text(format!("[from:{}] {}", self.from, self.text))].into()
    }

    /// Its name: the same however often it is passed on, and no other message's of the member.
    pub(crate) fn message(&self, room: RunId) -> MessageId {
        MessageId(format!("room-{room}-{}", self.seq).into())
    }
}

/// Whether somebody in a room can be called so.
pub(crate) fn check_name(name: &str) -> Result<(), Refused> {
    let begins_well = name.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '_');
    let is_plain = name.bytes().all(is_of_name) && !name.ends_with('-');
    if begins_well && is_plain && name.len() <= LONGEST_NAME {
        return Ok(());
    }
    let shown: String = name.chars().take(LONGEST_NAME).collect();
    Err(Refused::Invalid(format!(
        "{shown:?} can't be a name in a room: use 1 to {LONGEST_NAME} of A-Z a-z 0-9 _ -, begin with a letter, a digit or _ \
         and end with no -"
    )))
}

const fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-'
}

/// The names that are mentioned in a text as `@name`. What stands behind a letter or digit is an address of mail.
fn mentioned(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices('@').filter_map(|(at, _)| {
        let before = text.get(..at)?.chars().next_back();
        if before.is_some_and(char::is_alphanumeric) {
            return None;
        }
        let rest = text.get(at + 1..)?;
        let end = rest.bytes().position(|byte| !is_of_name(byte)).unwrap_or(rest.len());
        let name = rest.get(..end)?.trim_end_matches('-');
        (!name.is_empty()).then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<&str> {
        mentioned(text).collect()
    }

    #[test]
    fn a_mention_is_a_name_behind_an_at_sign() {
        assert_eq!(names("@ann, and (@bob-2): look"), ["ann", "bob-2"]);
        assert_eq!(names("@ann- `@c_d`. @"), ["ann", "c_d"]);
        assert_eq!(names("write to ann@example.com or ä@b, @ nobody"), [""; 0]);
        assert_eq!(names("@@ann @änn"), ["ann"]);
    }

    #[test]
    fn a_name_can_be_mentioned_again() {
        for name in ["a", "_x", "agent-7", "7", &"x".repeat(64)] {
            check_name(name).unwrap();
            assert_eq!(names(&format!("@{name}!")), [name]);
        }
        for name in ["", "-a", "a-", "a b", "a]", "ä", "a.b", &"x".repeat(65)] {
            check_name(name).unwrap_err();
        }
    }
}

//! Waiting for the end of a turn: what `complete` is made of.

use std::sync::Arc;

use seawall_engine::{
    AgentId, AgentState, Block, Bookmark, ClientEvent, Detail, Done, ErrorSeverity, Event, Fact, MessageKind,
    Piece, Role, project,
};
use seawall_types::ApprovalId;

use crate::{AgentError, Runtime};

/// How a turn ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Completed {
    /// In a word.
    pub status: Status,
    /// What the agent said last, if it did.
    pub text: Option<Arc<str>>,
    /// Why it failed.
    pub error: Option<(String, String)>,
    /// What people are asked.
    pub approvals: Vec<ApprovalId>,
    /// Where the agent is.
    pub bookmark: Bookmark,
}

/// How a turn ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// The model was done.
    Ok,
    /// People have to decide.
    Paused,
    /// It failed.
    Failed,
    /// Somebody stopped it.
    Interrupted,
}

impl Status {
    /// The word in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Paused => "paused",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
        }
    }
}

impl Runtime {
    /// Waits until an agent, after the number `since`, has ended a turn, or waits for people. Waits for ever; cancelling it
    /// changes nothing.
    ///
    /// # Errors
    /// [`AgentError::NotFound`], a store that fails.
    pub async fn wait(&self, id: &AgentId, since: u64) -> Result<Completed, AgentError> {
        let mut events = self.events(id, since);
        // It may be people who are waited for all along: nothing would be told of that any more.
        let mut state = match self.known_state(id, since) {
            Some(state) => state,
            None => self.store().agent(id).await?.ok_or_else(|| AgentError::NotFound(id.clone()))?.state,
        };
        let mut heard = Heard::default();
        loop {
            if is_peoples_turn(state)
                && let Some(paused) = self.paused(id).await?
            {
                return Ok(paused);
            }
            let event = events.next().await?;
            state = event.moved.and_then(|moved| moved.state).unwrap_or(state);
            if let Some(status) = heard.hear(&event, since)
                && (heard.is_of_the_turn(&event.fact) || !self.is_message(id, since).await?)
            {
                return self.ended(id, status, heard, &event).await;
            }
        }
    }

    /// What an agent waits for, if it is people.
    async fn paused(&self, id: &AgentId) -> Result<Option<Completed>, AgentError> {
        let kept = self.load(id).await?;
        let agent = kept.agent();
        if !agent.rests() || !is_peoples_turn(agent.status().state) {
            return Ok(None);
        }
        let asked = agent.calls().iter().filter_map(|call| call.approval.as_ref());
        let approvals = asked.filter(|asked| asked.decided.is_none()).map(|asked| asked.id).collect();
        let bookmark = Bookmark { seq: kept.seq(), timestamp: agent.last_event_at() };
        Ok(Some(Completed { status: Status::Paused, text: None, error: None, approvals, bookmark }))
    }

    /// Whether it was a message that has this number.
    async fn is_message(&self, id: &AgentId, seq: u64) -> Result<bool, AgentError> {
        let events = self.store().events(id, seq.saturating_sub(1), 1).await?;
        Ok(events.first().is_some_and(|event| {
            matches!(event.fact, Fact::MessageReceived { message: MessageKind::User, .. })
        }))
    }

    async fn ended(
        &self,
        id: &AgentId,
        status: Status,
        heard: Heard,
        event: &Event,
    ) -> Result<Completed, AgentError> {
        let text = match (status, heard.text) {
            (Status::Ok, None) => self.said_last(id).await?,
            (Status::Ok, text) => text,
            _ => None,
        };
        let bookmark = Bookmark { seq: event.last_seq(), timestamp: event.at };
        Ok(Completed { status, text, error: heard.error, approvals: Vec::new(), bookmark })
    }

    /// What the agent said before anybody listened.
    async fn said_last(&self, id: &AgentId) -> Result<Option<Arc<str>>, AgentError> {
        let kept = self.load(id).await?;
        let said = kept.agent().history().newest_first().find(|message| message.role == Role::Assistant);
        Ok(said.map(|message| words(message.content.iter())))
    }
}

/// Whether it may be that nothing happens before people decide or find out.
const fn is_peoples_turn(state: AgentState) -> bool {
    matches!(state, AgentState::Paused | AgentState::Parked)
}

/// What was heard of a turn.
#[derive(Default)]
struct Heard {
    /// What was streamed of the answer.
    streamed: Vec<Block>,
    /// Whether a step was begun, which reads the messages that wait.
    has_begun: bool,
    /// The last answer that was heard whole.
    text: Option<Arc<str>>,
    error: Option<(String, String)>,
}

impl Heard {
    /// Hears an event, of which what has numbers up to `since` was heard before. How the turn ended, if it did.
    fn hear(&mut self, event: &Event, since: u64) -> Option<Status> {
        self.read(&event.fact);
        let mut ended = None;
        for face in project(event).filter(|face| face.bookmark.seq > since) {
            match face.event {
                ClientEvent::Error { severity: ErrorSeverity::Error, message, detail, .. } => {
                    self.error = Some((code(detail), message.to_owned()));
                }
                ClientEvent::Done { reason, .. } => ended = Some(status(reason)),
                _ => {}
            }
        }
        ended
    }

    /// Whether the end that this fact tells of is that of the turn that was waited for. A message that arrives while the
    /// last answer of a turn is given has a turn of its own, after that one.
    const fn is_of_the_turn(&self, fact: &Fact) -> bool {
        self.has_begun || !matches!(fact, Fact::StepCompleted { .. } | Fact::ModelFailed { .. })
    }

    /// The model's words.
    fn read(&mut self, fact: &Fact) {
        match fact {
            Fact::StreamClosed { block, .. } => self.streamed.extend(block.clone()),
            Fact::StepStarted { .. } => {
                self.has_begun = true;
                self.streamed.clear();
            }
            // The model is asked anew: what it had said counts no more.
            Fact::ModelRetried { .. } | Fact::AgentResumed { .. } => self.streamed.clear(),
            Fact::ModelFinished { content, .. } => {
                let streamed = std::mem::take(&mut self.streamed);
                let blocks = content.iter().filter_map(|piece| match piece {
                    Piece::Streamed(index) => Some(streamed.get(*index)),
                    Piece::Block(block) => Some(Some(block)),
                    Piece::Call { .. } => None,
                });
                // Where the beginning was not heard, the store knows it.
                let blocks: Option<Vec<_>> = blocks.collect();
                self.text = blocks.map(|blocks| words(blocks.into_iter()));
            }
            _ => {}
        }
    }
}

const fn status(reason: Done) -> Status {
    match reason {
        Done::Completed => Status::Ok,
        Done::Interrupted => Status::Interrupted,
        Done::Failed => Status::Failed,
    }
}

fn words<'b>(content: impl Iterator<Item = &'b Block>) -> Arc<str> {
    let texts =
        content.filter_map(|block| if let Block::Text { text } = block { Some(&**text) } else { None });
    texts.collect::<String>().into()
}

/// What an error is called.
fn code(detail: Option<Detail>) -> String {
    let word = match detail {
        Some(Detail::Class(class)) => serde_json::to_value(class),
        Some(Detail::Limit(limit)) => serde_json::to_value(limit),
        None => return "failed".to_owned(),
    };
    word.ok().and_then(|word| word.as_str().map(str::to_owned)).unwrap_or_else(|| "failed".to_owned())
}

//! The durable agent as a deterministic state machine: no clock, no randomness, no I/O.
//!
//! ```text
//!            command, authority, time
//!                      │
//!                      ▼
//!   state ────────►  decide  ────────►  events, effects
//!     ▲                                   │        │
//!     └──────────── apply ◄───────────────┘        └──► performed by a runtime, which answers with commands
//! ```
//!
//! What a runtime does with it, for each agent that it has claimed:
//!
//! 1. [`decide`] on a command.
//! 2. Append the events in one transaction, which checks that the epoch is still the agent's and the first number the
//!    next one. An append that the store refuses ends this runtime's work on the agent.
//! 3. [`Agent::apply`] them, show clients what they are [project]ed to, and perform the effects.
//! 4. Answer each effect with its command, and begin again.
//!
//! A process that finds an agent folds its log ([`Agent::fold`]) and gives [`Claim`] under a higher epoch: from then on
//! everything that its predecessor had left undone is its own to do. State is rebuilt from events alone; nothing that a
//! model or a tool once did is done again to rebuild it.
//!
//! What is not here: what a policy says, how a provider is asked, how a tool is run, and where events are kept.
//!
//! ```
//! use seawall_engine::{Agent, Authority, Block, Claim, Config, Effect, MessageKind, NewAgent, SendMessage, create, decide};
//! use seawall_types::{RunId, Timestamp};
//!
//! let now = Timestamp::from_micros(1_700_000_000_000_000);
//! let new = NewAgent {
//!     id: "writer".parse()?,
//!     run: RunId::from_parts(now.as_millis(), &[0; 10]),
//!     config: Config::default(),
//! };
//! let mut agent = Agent::fold(&create(new, now)?.events)?;
//!
//! let holder = Authority::Holder { epoch: 1 };
//! for event in decide(&agent, Claim { owner: "worker-1".into() }, holder, now)?.events {
//!     agent.apply(&event)?;
//! }
//! let id = seawall_engine::MessageId("m1".into());
//! let hello = SendMessage { id, kind: MessageKind::User, content: [Block::text("hello")].into() };
//! let decision = decide(&agent, hello, holder, now)?;
//! assert!(matches!(&decision.effects[..], [Effect::CallModel { messages, .. }] if messages.len() == 1));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod agent;
mod approval;
mod client;
mod command;
mod decide;
mod effect;
mod event;
mod history;
mod id;
mod message;
mod permission;
mod room;
mod schedule;
#[cfg(test)]
mod tests;
mod todo;

pub use agent::{
    Agent, AgentState, Audit, Breakpoint, Call, CallState, Config, Context, EffectClass, Limits, OnInDoubt,
    Status, StreamKind, ToolSpec,
};
pub use approval::{Approval, ApprovalScope, Binding, Decided, ParseBindingError, Ruling};
pub use client::{
    ApprovalFace, Bookmark, CallFace, Channel, ClientEvent, Detail, Done, Envelope, ErrorPhase,
    ErrorSeverity, project,
};
pub use command::{
    Answer, Archive, Claim, Command, Compress, Compressed, Decide, Delivered, FilesChanged, Found, Interrupt,
    JoinRoom, Judged, Judgement, LeaveRoom, Mend, ModelAnswered, ModelFailed, NewAgent, NewFork, Part, Plan,
    Reconciled, Repair, Resolve, Retry, Reviewed, SayInRoom, SendMessage, SetSchedule, SetTodos, SetTools,
    Streamed, Subject, TakeSnapshot, Tell, ToolFinished, ToolUnreached, Unschedule, Wake, create, fork,
    spawn,
};
pub use decide::{Authority, Decision, Refused, decide};
pub use effect::{Effect, EffectKey, idempotency_key, outstanding};
pub use event::{
    Ancestor, CallNote, Event, Fact, FailureClass, LimitKind, LogError, ModelFailure, Moved, Note, Outcome,
    Piece, Repaired, Resolution, StopReason, VERSION,
};
pub use history::History;
pub use id::{AgentId, CallId, MessageId, ParseAgentIdError, ParseCallIdError};
pub use message::{Block, Media, Message, MessageKind, Queued, Role, Source, ToolResult};
pub use permission::{Permission, PermissionMode, ToolNames};
pub use room::{Member, Room};
pub use schedule::{Schedule, Trigger};
pub use todo::{Todo, TodoStatus, fault as todo_fault};

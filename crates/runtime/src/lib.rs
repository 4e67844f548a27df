//! Runs durable agents: performs the engine's effects, keeps what is live, and takes up what a process has left undone.
//!
//! ```text
//!   HTTP, CLI, Rust ──►  Runtime ──►  Live: is it held here?
//!                          │             │ yes                         │ no
//!                          │             ▼                             ▼
//!                          │           Holder: decide, append,       outside: record a fact; whoever holds
//!                          │             tell, begin, stop             the agent goes on from there
//!                          │             │
//!                          ▼             ▼
//!                        Feed ◄── Hub  perform: model, judge, tool, review, compress, plan
//!                     (log + what was written lately)
//! ```
//!
//! Beside it: `worker` renews the lease of this process and claims agents that are due; `member` says what may be begun under
//! that lease; `census` counts agents and `pressure` turns work away; `template` is what agents are made of; `session` what
//! belongs to one while it is held; `room` is where they are spoken to by name.
//!
//! What is not here: what is decided (the engine), what is kept (stores), what tools do (tools), how models are reached
//! ([`Model`], given by whoever puts everything together), HTTP.

mod census;
mod doubt;
mod equipment;
mod error;
mod feed;
mod files;
mod holder;
mod hooks;
mod hub;
mod live;
pub mod measure;
mod member;
mod metrics;
mod model;
mod outside;
mod perform;
mod place;
mod pressure;
mod room;
mod runtime;
mod served;
mod session;
mod shared;
mod subagents;
mod template;
mod toolbox;
mod wait;
mod worker;

pub use error::AgentError;
pub use feed::{Feed, Told};
pub use holder::Done;
pub use hooks::{About, Hook, HookAnswer, HookFailed, Moment, OnFailure, What};
pub use metrics::{Counts, Durations};
pub use model::{BoxFuture, Model, NoReply, Pieces, Question, Reply};
pub use outside::record;
pub use pressure::QueueLimits;
pub use room::{CreateRoom, ROOM, Room, Said, Say};
pub use runtime::{CreateAgent, ForkAt, Gauges, Runtime};
pub use served::{Asking, NoTools, ToolServers};
pub use shared::{Parts, Policies, Settings};
pub use template::{
    ContextSettings, HookSettings, HooksSettings, HttpToolSettings, KeyReference, LimitSettings, ModelPlace,
    ModelSettings, ModelUrl, SandboxSettings, SubagentSettings, Template, TemplateError, Templates,
    TimeoutSettings, TodoSettings, ToolChoice,
};
pub use wait::{Completed, Status};

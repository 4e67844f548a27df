//! What can be asked of an agent. One file each.
//!
//! Times and identifiers come in with commands: nothing here makes them up.

mod answer;
mod archive;
mod claim;
mod compress;
mod create;
mod decide;
mod fail;
mod files;
mod finish;
mod fork;
mod interrupt;
mod judge;
mod note;
mod plan;
mod reconcile;
mod repair;
mod resolve;
mod retry;
mod review;
mod room;
mod schedule;
mod send;
mod snapshot;
mod spawn;
mod stream;
mod todos;
mod tools;
mod unreached;
mod wake;

use seawall_types::Code;

use crate::decide::{Draft, Refused};
use crate::{EffectKey, ToolResult};

pub use answer::{Answer, ModelAnswered};
pub use archive::Archive;
pub use claim::Claim;
pub use compress::{Compress, Compressed};
pub use create::{NewAgent, create};
pub use decide::{Decide, Subject};
pub use fail::ModelFailed;
pub use files::FilesChanged;
pub use finish::ToolFinished;
pub use fork::{NewFork, fork};
pub use interrupt::Interrupt;
pub use judge::{Judged, Judgement};
pub use note::Tell;
pub use plan::Plan;
pub use reconcile::{Found, Reconciled};
pub use repair::{Mend, Repair};
pub use resolve::Resolve;
pub use retry::Retry;
pub use review::Reviewed;
pub use room::{Delivered, JoinRoom, LeaveRoom, SayInRoom};
pub use schedule::{SetSchedule, Unschedule};
pub use send::SendMessage;
pub use snapshot::TakeSnapshot;
pub use spawn::spawn;
pub use stream::{Part, Streamed};
pub use todos::SetTodos;
pub use tools::SetTools;
pub use unreached::ToolUnreached;
pub use wake::Wake;

/// What becomes of what is being done for the agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Commanded {
    /// What is not to be done any more has ended by itself.
    GoOn,
    /// It is to be stopped.
    Stop,
}

macro_rules! commands {
    ($($(#[$doc:meta])* $lease:ident $name:ident,)*) => {
        /// What can be asked of an agent that exists. [`create`] and [`fork`] make one.
        #[derive(Debug, Clone, PartialEq)]
        pub enum Command {$(
            $(#[$doc])*
            $name($name),
        )*}

        $(impl From<$name> for Command {
            fn from(command: $name) -> Self {
                Self::$name(command)
            }
        })*

        impl Command {
            /// Whether only the holder of the lease may give it: it begins something, or ends what the holder began.
            #[must_use]
            pub const fn needs_lease(&self) -> bool {
                match self {$(Self::$name(_) => lease!($lease),)*}
            }

            /// Whether it is for an agent that works: a room has no model.
            pub(crate) const fn is_for_work(&self) -> bool {
                matches!(
                    self,
                    Self::SendMessage(_)
                        | Self::Repair(_)
                        | Self::Compress(_)
                        | Self::SetTodos(_)
                        | Self::SetSchedule(_)
                )
            }

            pub(crate) fn run(self, draft: &mut Draft) -> Result<Commanded, Refused> {
                let stops = matches!(self, Self::Interrupt(_) | Self::Repair(_));
                match self {$(Self::$name(command) => command.run(draft)?,)*}
                Ok(if stops { Commanded::Stop } else { Commanded::GoOn })
            }
        }
    };
}

macro_rules! lease {
    (holder) => {
        true
    };
    (anyone) => {
        false
    };
}

commands! {
    /// Take the agent over, and go on where its last process stood.
    holder Claim,
    /// Accept a message.
    anyone SendMessage,
    /// The model says something piece by piece.
    holder Streamed,
    /// The model has answered.
    holder ModelAnswered,
    /// The model has not.
    holder ModelFailed,
    /// The model has not, and is asked once more.
    holder Retry,
    /// Hooks and policy have judged a call.
    holder Judged,
    /// A person has decided on a call.
    anyone Decide,
    /// A tool has ended.
    holder ToolFinished,
    /// Whoever does what a tool is for can't be reached.
    holder ToolUnreached,
    /// Hooks have looked at a result.
    holder Reviewed,
    /// A tool has told whether it had done a call.
    holder Reconciled,
    /// A person has found out whether a call in doubt took effect.
    anyone Resolve,
    /// An operator mends the agent by hand.
    anyone Repair,
    /// Stop the turn.
    anyone Interrupt,
    /// Make the history shorter.
    holder Compress,
    /// There is a summary, or none.
    holder Compressed,
    /// Give a point to fork from a name.
    anyone TakeSnapshot,
    /// Put another list of todos in the place of the one there is.
    anyone SetTodos,
    /// Be reminded.
    anyone SetSchedule,
    /// Not be reminded any more.
    anyone Unschedule,
    /// It is known when a cron expression holds next.
    holder Plan,
    /// Files have changed that it waits for.
    holder FilesChanged,
    /// It is time: for what expires, and for what is scheduled. Changes nothing when it is not.
    holder Wake,
    /// There are other tools.
    holder SetTools,
    /// Tell clients something.
    anyone Tell,
    /// Have an agent join the room.
    anyone JoinRoom,
    /// Have a member leave it.
    anyone LeaveRoom,
    /// Say something in it.
    anyone SayInRoom,
    /// What was said has reached a member, or never will.
    holder Delivered,
    /// Put the agent away.
    anyone Archive,
}

impl Command {
    /// The effect of which it tells what has come of it so far, if it is such an answer.
    #[must_use]
    pub fn answers(&self) -> Option<EffectKey> {
        Some(match self {
            Self::Streamed(Streamed { step, attempt, .. })
            | Self::ModelAnswered(ModelAnswered { step, attempt, .. })
            | Self::ModelFailed(ModelFailed { step, attempt, .. })
            | Self::Retry(Retry { step, attempt, .. }) => EffectKey::Model(*step, *attempt),
            Self::Judged(Judged { call, .. }) => EffectKey::Judge(*call),
            Self::ToolFinished(ToolFinished { call, attempt, .. })
            | Self::ToolUnreached(ToolUnreached { call, attempt, .. }) => EffectKey::Run(*call, *attempt),
            Self::Reconciled(Reconciled { call, attempt, .. }) => EffectKey::Reconcile(*call, *attempt),
            Self::Reviewed(Reviewed { call, .. }) => EffectKey::Review(*call),
            Self::Compressed(Compressed { id, .. }) => EffectKey::Compress(*id),
            _ => return None,
        })
    }
}

/// What a model is told of a call that was refused.
pub(crate) fn denial(code: Code, message: &str) -> ToolResult {
    ToolResult::error(format!("[seawall] denied {code}: {message}"))
}

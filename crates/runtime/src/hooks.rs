//! Hooks: code of the operator's that looks at what an agent is about to do, or at what came of it.
//!
//! Written in Rust, or declared in a template as a URL or a command. Hooks fail closed unless they say otherwise: where one
//! gives no answer in time, what it was asked about is refused or withheld. Whoever follows the agent is told of every hook that
//! failed.

mod answer;
mod called;
mod declared;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use seawall_engine::{AgentId, CallId, History, Message, ToolResult};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::model::BoxFuture;

pub(crate) use called::{BeforeModel, after_model, after_tool, before_model, before_tool, has_changed};
pub(crate) use declared::{Declared, How, Program};

/// How long a hook has, where it does not say.
pub(crate) const TIME: Duration = Duration::from_secs(10);

/// When a hook is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Moment {
    /// Before a call of a tool is asked about or begun. What the policy and the agent's permission say counts besides, and
    /// the gravest wins.
    PreTool,
    /// After a call has given a result, before the model reads it.
    PostTool,
    /// Before the model is asked.
    PreModel,
    /// After it has answered, before anybody is told.
    PostModel,
    /// There are more messages. Nothing waits for the hook.
    MessagesChanged,
}

impl Moment {
    /// The name in templates.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PreTool => "pre_tool",
            Self::PostTool => "post_tool",
            Self::PreModel => "pre_model",
            Self::PostModel => "post_model",
            Self::MessagesChanged => "messages_changed",
        }
    }
}

/// What a hook is asked about. As JSON it is what webhooks and commands are given.
#[derive(Debug, Clone, Serialize)]
pub struct About<'a> {
    /// When.
    #[serde(rename = "hook")]
    pub moment: Moment,
    /// Whose.
    pub agent: &'a AgentId,
    /// What.
    #[serde(flatten)]
    pub what: What<'a>,
}

/// What exactly.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub enum What<'a> {
    /// A call that wants to run.
    Call {
        /// Its name.
        call: CallId,
        /// The tool.
        tool: &'a str,
        /// The arguments, as hooks before this one have left them.
        arguments: &'a Value,
    },
    /// What came of one.
    Result {
        /// The call's name.
        call: CallId,
        /// The tool.
        tool: &'a str,
        /// What the model is to read.
        result: &'a ToolResult,
    },
    /// A model is to be asked this.
    Request {
        /// The step of the agent.
        step: u64,
        /// What stands before the conversation.
        system: &'a str,
        /// The conversation.
        messages: &'a History,
    },
    /// A model has said this.
    Reply {
        /// The step of the agent.
        step: u64,
        /// Its words.
        text: &'a str,
        /// The tools that it asks for.
        calls: &'a [Value],
    },
    /// There are more messages.
    Messages {
        /// How many there are in all.
        count: u64,
        /// Those that are new.
        messages: &'a [Arc<Message>],
    },
}

/// What a hook says.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum HookAnswer {
    /// Nothing.
    #[default]
    Pass,
    /// A person is to be asked. Before tools only.
    Ask {
        /// Why, in a line for people.
        reason: Arc<str>,
    },
    /// It must not be: the call is refused, the result is withheld, the turn fails.
    Deny {
        /// Why: the model reads it, or who waits for the turn.
        reason: Arc<str>,
    },
    /// This, in the place of it: the result of a tool that does not run then, or the words of a model that is not asked.
    Answer {
        /// A text, or any JSON.
        with: Value,
        /// Whether it is a failure. Of tools only.
        is_error: bool,
    },
    /// Something else instead: other arguments, another result, other words; before a model an object with `system`,
    /// `messages` or both, for this one request.
    Rewrite {
        /// What.
        with: Value,
    },
}

/// What becomes of what a hook was asked about, where the hook fails.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnFailure {
    /// As if the hook had refused it.
    #[default]
    Deny,
    /// As if the hook had said nothing: for hooks that only watch.
    Allow,
}

/// A hook gave no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct HookFailed(pub String);

/// Something that is asked at certain moments.
pub trait Hook: fmt::Debug + Send + Sync {
    /// What people know it by.
    fn name(&self) -> &str;

    /// Whether it is asked at a moment; about which tool, where it is about one.
    fn wants(&self, moment: Moment, tool: Option<&str>) -> bool;

    /// How long it may take. One that takes longer has failed.
    fn timeout(&self) -> Duration {
        TIME
    }

    /// What becomes of what it was asked about, where it fails.
    fn on_failure(&self) -> OnFailure {
        OnFailure::Deny
    }

    /// Looks, and says something. The future may be dropped at any moment.
    ///
    /// # Errors
    /// [`HookFailed`]; that is a refusal, unless [`Hook::on_failure`] says otherwise.
    fn ask<'a>(&'a self, about: About<'a>) -> BoxFuture<'a, Result<HookAnswer, HookFailed>>;
}

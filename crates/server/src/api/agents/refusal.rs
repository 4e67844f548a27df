//! What can go wrong with an agent, as problems with stable codes. The only place that knows both.

use std::time::Duration;

use seawall_engine::Refused;
use seawall_runtime::{AgentError, TemplateError};
use seawall_store::StoreError;
use seawall_types::Code;

use crate::problem::Problem;

/// When it is worth trying again what only the moment stands against.
const SOON: Duration = Duration::from_secs(1);

impl From<AgentError> for Problem {
    fn from(error: AgentError) -> Self {
        let detail = error.to_string();
        match error {
            AgentError::NotFound(_) => {
                let remedy = "see GET /api/agents for those that there are, or POST /api/agents to make it";
                Self::new(Code::AgentNotFound, detail, remedy)
            }
            AgentError::Exists(_) => {
                let remedy = "send the request that made it, choose another id, or leave the id out";
                Self::new(Code::AgentExists, detail, remedy)
            }
            AgentError::Refused(refused) => refused.into(),
            AgentError::Template(error) => error.into(),
            AgentError::MemberGone(_) => {
                let remedy = "DELETE /api/rooms/{id}/members/{member}; its name can be POSTed with another agent after that";
                Self::new(Code::MemberGone, detail, remedy)
            }
            AgentError::KeyReused => {
                Self::new(Code::IdempotencyKeyReused, detail, "use a new key for a new message")
            }
            AgentError::Store(error) => error.into(),
            AgentError::Stopping => {
                Self::new(Code::Draining, detail, "try again as Retry-After says").retry_after(SOON)
            }
            AgentError::Busy { retry_after, .. } => {
                Self::new(Code::AgentQueueFull, detail, "wait as Retry-After says").retry_after(retry_after)
            }
        }
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        let detail = refused.to_string();
        match refused {
            Refused::Archived => {
                let remedy = "POST /api/agents/{id}/fork makes one that goes on from here";
                Self::new(Code::AgentArchived, detail, remedy)
            }
            Refused::NotNow { .. }
            | Refused::Late { .. }
            | Refused::StaleEpoch { .. }
            | Refused::NeedsLease => {
                let remedy = "look at GET /api/agents/{id} and try again when it rests, or interrupt it";
                Self::new(Code::AgentBusy, detail, remedy)
            }
            Refused::NoSuchCall(_) => Self::new(
                Code::NotFound,
                detail,
                "see GET /api/agents/{id}/tool-calls for those that there are",
            ),
            Refused::NoSuchApproval(_) => {
                Self::new(Code::NotFound, detail, "see GET /api/approvals for those that there are")
            }
            Refused::Decided | Refused::Expired => {
                Self::new(Code::Conflict, detail, "see GET /api/agents/{id}/tool-calls for who decided what")
            }
            Refused::QueueFull(_) => {
                Self::new(Code::AgentQueueFull, detail, "wait as Retry-After says").retry_after(SOON)
            }
            Refused::IsRoom => {
                Self::new(Code::Conflict, detail, "POST /api/rooms/{id}/messages says something in it")
            }
            Refused::NotARoom => {
                Self::new(Code::NotFound, detail, "see GET /api/rooms, or POST /api/rooms to make one")
            }
            Refused::NoSuchMember { .. } => Self::new(
                Code::MemberNotFound,
                detail,
                "see GET /api/rooms/{id}/members; names beside the text (`to`) keep @ in the text from being read",
            ),
            Refused::MemberExists { .. } => {
                Self::new(Code::Conflict, detail, "see GET /api/rooms/{id}/members for who is who")
            }
            Refused::Invalid(_) => Self::input("", detail, "see /openapi.json for what this route takes"),
            Refused::Fault(_) => {
                tracing::error!(error = %detail, "an agent's state and a decision do not fit");
                Self::new(Code::Internal, "the agent's state and the request do not fit", "see the log")
            }
        }
    }
}

impl From<TemplateError> for Problem {
    fn from(error: TemplateError) -> Self {
        let detail = error.to_string();
        match error {
            TemplateError::Unknown { .. } => {
                Self::input("/template", detail, "name a template that there is")
            }
            TemplateError::Version { .. } => {
                Self::input("/template_version", detail, "ask for the version that there is, or for none")
            }
            TemplateError::Overrides(_) => {
                Self::input("/overrides", detail, "change keys that a template has, with values that fit")
            }
            TemplateError::Tools { .. } => {
                Self::input("/template", detail, "mend the template, or override its tools")
            }
            TemplateError::Unreadable { .. } => {
                Self::new(Code::Internal, detail, "mend the file of the template")
            }
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let detail = error.to_string();
        match error {
            StoreError::NotFound { .. } => {
                Self::new(Code::NotFound, detail, "list what there is to find the name")
            }
            StoreError::Conflict { .. } => Self::new(Code::Conflict, detail, "choose another name"),
            StoreError::Decided { .. } => Self::new(Code::Conflict, detail, "the first decision stands"),
            StoreError::Unavailable { .. } => {
                tracing::error!(error = %detail, "the store of agents can't be read or written");
                let remedy = "see GET /api/health/store and the log, and try again as Retry-After says";
                Self::new(Code::StoreUnavailable, "the store of agents can't be read or written", remedy)
                    .retry_after(SOON)
            }
            StoreError::Corrupt { .. } | StoreError::Newer { .. } => {
                tracing::error!(error = %detail, "the store of agents can't be used");
                Self::new(Code::Internal, "the store of agents can't be used as it is", "see the log")
            }
        }
    }
}

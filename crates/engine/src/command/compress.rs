//! Making a history shorter.

use std::sync::Arc;

use seawall_types::Amount;

use crate::agent::Phase;
use crate::decide::{Draft, Refused, replaceable};
use crate::event::Fact;

/// Sum up the oldest messages now, between two turns. Within one it happens by itself where the template says when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compress;

impl Compress {
    pub(super) fn run(self, draft: &mut Draft) -> Result<(), Refused> {
        if !matches!(draft.phase(), Phase::Idle | Phase::Failed) {
            return Err(draft.not_now("compress it between two turns"));
        }
        let too_short = || Refused::Invalid("the history is as short as it gets".to_owned());
        let replaces = replaceable(draft).ok_or_else(too_short)?;
        draft.record(Fact::CompressionStarted { replaces, then_step: false, spent: None })
    }
}

/// There is a summary of the oldest messages, or none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compressed {
    /// Which compression.
    pub id: u64,
    /// The summary as the model is to read it, or why there is none.
    pub summary: Result<Arc<str>, Arc<str>>,
    /// What a model has cost that was asked for it, where anything.
    pub spent: Option<Amount>,
}

impl Compressed {
    pub(super) fn run(self, draft: &mut Draft) -> Result<(), Refused> {
        let under_way = draft.turn().compressing.filter(|compressing| compressing.id == self.id);
        let Some(compressing) = under_way else {
            return Err(Refused::Late { what: "this summary" });
        };
        let before = draft.agent.history().len();
        let spent = self.spent;
        draft.record(match self.summary {
            Ok(summary) if summary.trim().is_empty() => {
                Fact::CompressionFailed { message: "the summary is empty".into(), spent }
            }
            Ok(summary) => {
                let after = before.saturating_sub(compressing.replaces).saturating_add(1);
                Fact::CompressionFinished { summary, before, after, spent }
            }
            Err(message) => Fact::CompressionFailed { message, spent },
        })
    }
}

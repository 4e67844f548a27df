//! What a client says beside calls: arguments of prompts, what is to be completed, answers to what the server asked of its
//! client. These are no actions; but their texts go to a server, and are read by the policy's rules about texts that do.

use std::sync::Arc;

use bytes::Bytes;
use seawall_checkpoint::Denial;
use seawall_policy::{Judgement, Policy};
use seawall_types::{Actor, Verdict};

use crate::desk::Desk;
use crate::judge::name_of;
use crate::message::{Message, on_one_line};
use crate::screen::each_text;

/// With whose eyes it is read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reader<'a> {
    pub(crate) desk: &'a Desk,
    pub(crate) server: &'a str,
    pub(crate) policy: &'a Policy,
    pub(crate) actor: &'a Arc<Actor>,
}

impl Reader<'_> {
    /// The message as the server gets it, on one line, and whether something in it was replaced.
    ///
    /// # Errors
    /// When the server must not get it.
    pub(crate) fn read(self, message: &Message) -> Result<(Bytes, bool), Denial> {
        let (rules, mode) = (self.policy.text_towards_tool(), self.policy.mode);
        if rules.detector().is_none() {
            return Ok((message.line(), false));
        }
        let mut value = message.value();
        let (mut found, mut is_changed) = (Judgement::default(), false);
        each_text(&mut value, &mut String::new(), &mut |text, at| {
            let read = rules.read(mode, text, false, |kind, verdict| {
                if verdict != Verdict::Allow {
                    found.add(verdict, rules.finding(kind, at.to_owned()));
                }
            });
            is_changed |= read.text.is_some();
            read.text
        });
        if found.is_empty() {
            return Ok((message.line(), false));
        }
        let verdict = self.policy.in_mode(found.would());
        let about = message
            .method()
            .map_or_else(|| format!("answer to {}", self.server), |method| name_of(self.server, method));
        self.desk.note(self.actor, &about, verdict, found.findings());
        if verdict >= Verdict::Ask {
            return Err(Denial::by_policy(found.into_findings()));
        }
        let bytes = if is_changed { on_one_line(message.with(&value)) } else { message.line() };
        Ok((bytes, is_changed))
    }
}

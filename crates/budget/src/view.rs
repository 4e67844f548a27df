//! Accounts as people and the API see them.

use seawall_types::{ActionId, Code, Scope, Timestamp, Tokens, Usd, Window};
use serde::Serialize;

/// One account: an entry of `budgets` in the API's answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AccountView {
    /// Whose.
    pub scope: Scope,
    /// Over what time.
    pub window: Window,
    /// The most money, if that is limited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit_usd: Option<Usd>,
    /// The most tokens, if they are limited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit_tokens: Option<Tokens>,
    /// Money spent in the window.
    pub spent_usd: Usd,
    /// Money held for calls under way that began in the window.
    pub held_usd: Usd,
    /// Tokens spent in the window.
    pub spent_tokens: Tokens,
    /// Tokens held for calls under way that began in the window.
    pub held_tokens: Tokens,
    /// How many calls are under way that began in the window.
    pub holds: u64,
    /// When the day or month is over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resets_at: Option<Timestamp>,
    /// The last ten refusals, oldest first.
    pub refusals: Vec<RefusalView>,
    /// The age of the oldest hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oldest_hold_seconds: Option<u64>,
}

/// One refusal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RefusalView {
    /// When.
    pub at: Timestamp,
    /// What was refused.
    pub action: ActionId,
    /// Why, as a code.
    pub code: Code,
    /// What it might have cost.
    pub wanted_usd: Usd,
    /// Why, in a sentence.
    pub message: String,
}

//! What every detector hands over.

use seawall_types::{Code, Severity};

/// One thing that a detector found; the policy adds the rule and the place, and decides what it leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// What kind of thing it is.
    pub code: Code,
    /// How much it matters.
    pub severity: Severity,
    /// What was found, without the thing itself when that is a secret.
    pub message: String,
    /// What to do about it.
    pub remedy: String,
}

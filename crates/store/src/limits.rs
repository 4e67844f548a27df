//! Limits that operators set, beside those of the configuration.

use seawall_budget::Limit;
use seawall_types::{Scope, Timestamp, Window};

use crate::StoreError;

/// Keeps limits that operators set.
pub trait Limits: Send + Sync {
    /// All of them with the time at which each was set, by scope and window.
    ///
    /// # Errors
    /// When the store can't be read.
    fn list(&self) -> Result<Vec<(Limit, Timestamp)>, StoreError>;

    /// Keeps a limit, in the place of the one for the same scope and window. What it does not limit (money, or tokens) stays
    /// as that did.
    ///
    /// # Errors
    /// When the store can't be written.
    fn set(&self, limit: &Limit, at: Timestamp) -> Result<(), StoreError>;

    /// Removes a limit; `false` when there was none.
    ///
    /// # Errors
    /// When the store can't be written.
    fn remove(&self, scope: &Scope, window: Window) -> Result<bool, StoreError>;
}

//! The words of Seawall as types.
//!
//! What two parts of the product both speak about lives here: identifiers, money and tokens, time, scopes,
//! actions, verdicts with their findings, and the event envelope. Nothing here does I/O, reads a clock, or knows
//! a provider; every other crate may depend on this one and this one depends on none of them.

mod action;
pub mod canonical;
mod clock;
mod event;
mod id;
mod mask;
mod money;
mod pattern;
pub mod quote;
mod scope;
mod secret;
mod timings;
mod usage;
mod verdict;

pub use action::{ActionKind, Effect};
pub use clock::{Clock, ManualClock, ParseTimestampError, Timestamp};
pub use event::{Actor, Event, EventData, EventKind};
pub use id::{ActionId, ApprovalId, HoldId, KeyId, ParseIdError, RequestId, RunId};
pub use mask::{REDACTED, mask};
pub use money::{Amount, ParseUsdError, Tokens, Usd};
pub use pattern::{ParsePatternError, Pattern};
pub use scope::{ParseScopeError, Scope, Window};
pub use secret::Secret;
pub use timings::{Timed, Timings};
pub use usage::Usage;
pub use verdict::{Code, Finding, Mode, Severity, Verdict};

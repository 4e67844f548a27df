//! The tokio side of everything: what every process needs before it can do its own work.
//!
//! Time and identifiers ([`clock`], [`id`]), logs ([`telemetry`]), the life of background
//! tasks ([`tasks`], [`backoff`]), files that are written whole or not at all ([`atomic`], [`lock`]), and a bound on what
//! is buffered ([`memory`]). Nothing here knows a provider, a policy or a store.

pub mod atomic;
pub mod backoff;
pub mod clock;
pub mod id;
pub mod lock;
pub mod memory;
pub mod tasks;
pub mod telemetry;

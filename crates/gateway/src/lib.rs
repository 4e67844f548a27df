//! The proxy: one request's life, from accept to settle.
//!
//! Any client of a model provider points its base URL here. A request walks through the phases of [`phase`](self) in the
//! order of the modules there; up to the reservation a refusal costs nothing, after it every way out settles. What
//! reaches the upstream is the client's body, byte for byte, but for what a rule changes.
//!
//! Only this crate turns refusals into the providers' error shapes, in one place (`refusal`). It opens no port and
//! reads no file: the server and the binary do.

mod accepted;
mod address;
mod body;
mod browser;
mod cache;
mod caller;
mod column;
mod content;
mod credential;
mod directory;
mod gateway;
mod gauges;
mod header;
mod in_flight;
mod inflate;
mod limits;
mod mcp;
mod meter;
mod metrics;
mod people;
mod phase;
mod prefix;
mod pump;
mod rates;
mod refusal;
mod rest;
mod screening;
mod settings;
mod snapshot;
mod through;
mod timers;
mod token;
mod told;
mod tool;
mod tunnel;
mod websocket;
mod within;

pub use body::GatewayBody;
pub use browser::is_foreign_page;
pub use caller::{Caller, CallerError, KeyRing};
pub use credential::{CredentialError, Register, presented};
pub use directory::{Directory, Route, Target};
pub use gateway::{Gateway, Parts};
pub use limits::{Limits, RequestTimeouts};
pub use metrics::Metrics;
pub use people::People;
pub use rates::{RateRule, RateScope};
pub use settings::{
    AuthMode, CacheSettings, PolicySource, RouteSettings, Settings, TargetSettings, UnknownPrice,
    UpstreamEntry, default_timeouts,
};
pub use snapshot::Snapshot;
pub use token::{
    Algorithm, ClaimNames, JwtKey, JwtSettings, Key, KeyError, KeySet, KeySetError, KeySource, TokenError,
    Tokens, TokensError, UnknownAlgorithm, looks_like_token,
};
pub use tunnel::Tunnel;
pub use websocket::is_handshake;
pub use within::{OwnCall, RequestBody};

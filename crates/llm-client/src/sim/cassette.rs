//! Cassettes: a real provider's traffic, recorded without credentials and played again.
//!
//! A cassette is a folder of files with one exchange a line:
//! `{"request":{"method","path","headers","body","body_text"?},"response":{"status","headers","chunks":[{"at_ms","text"|"base64"}]}}`.

mod line;
mod record;
mod relay;
mod replay;
pub(crate) mod scrub;

pub use line::CassetteError;
pub use record::{Recorder, Recording};
pub use relay::{Relay, RelayBody};
pub use replay::Replay;

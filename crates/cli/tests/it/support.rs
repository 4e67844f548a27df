//! What the tests stand on: the binary, its clients, its upstreams, and what it writes.

pub(crate) mod child;
pub(crate) mod client;
pub(crate) mod format;
pub(crate) mod guarded;
pub(crate) mod ledger;
pub(crate) mod metrics;
pub(crate) mod program;
pub(crate) mod raw;
pub(crate) mod reply;
pub(crate) mod sim;
pub(crate) mod trace;
pub(crate) mod upstream;

use std::time::{Duration, Instant};

/// Asks again and again until `ask` gives something, and fails with what it last said when it takes too long.
///
/// For facts that another process brings about; nothing in it tells when it has.
pub(crate) async fn eventually<T, E: std::fmt::Debug>(
    what: &str,
    mut ask: impl AsyncFnMut() -> Result<T, E>,
) -> T {
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        match ask().await {
            Ok(found) => return found,
            Err(instead) if Instant::now() >= end => panic!("{what}: {instead:?}"),
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

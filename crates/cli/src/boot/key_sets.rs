//! Reading the key sets of the tokens' issuer: at the start, every ten minutes, and when a token names a key that is not
//! among them. Never on the way of a request: a token waits for nobody.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Uri;
use seawall_gateway::{Gateway, KeySet};
use seawall_llm_client::{FetchLimits, client_config, fetch};

/// How often it is looked whether anything is due.
const LOOK: Duration = Duration::from_millis(500);
const LIMITS: FetchLimits = FetchLimits { time: Duration::from_secs(5), bytes: 256 * 1024 };

/// Reads what is due, for ever.
pub(crate) async fn keep_fresh(gateway: Arc<Gateway>) -> Infallible {
    let mut look = tokio::time::interval(LOOK);
    loop {
        look.tick().await;
        refresh(&gateway).await;
    }
}

/// Reads what is due, once. What can't be read is logged and counted, and the keys stay as they were.
pub(crate) async fn refresh(gateway: &Gateway) {
    let Some(tokens) = gateway.snapshot().tokens.clone() else { return };
    let now = gateway.checkpoint().clock().monotonic();
    for set in tokens.key_sets().iter().filter(|set| set.is_due(now)) {
        let url = set.url();
        if let Err(error) = read(gateway, url).await {
            gateway.count_key_set_failure();
            tracing::error!(%error, %url, "a key set can't be read; the keys stay as they were");
        }
    }
}

async fn read(gateway: &Gateway, url: &Uri) -> anyhow::Result<()> {
    let document = download(url).await;
    // A reload may have put another verifier into force meanwhile: the one that is there now is told.
    let Some(tokens) = gateway.snapshot().tokens.clone() else { return Ok(()) };
    let replaced = document.and_then(|document| Ok(tokens.replace_keys(url, &document)?));
    match replaced {
        Err(_) => tokens.key_sets().iter().filter(|set| set.url() == url).for_each(KeySet::failed),
        Ok(0) => tracing::warn!(%url, "the key set has no usable key; tokens that it is for are refused"),
        Ok(keys) => tracing::debug!(%url, keys, "key set read"),
    }
    replaced.map(|_usable| ())
}

async fn download(url: &Uri) -> anyhow::Result<Bytes> {
    // Anew each time, so that certificate authorities that were replaced meanwhile are trusted.
    Ok(fetch(url, &client_config()?, LIMITS).await?)
}

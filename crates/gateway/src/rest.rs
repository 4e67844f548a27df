//! What an upstream had still under way when its client hung up.
//!
//! Behind a client that reads slowly, or not at all, the upstream's words pile up in the buffers of sockets: written, sure
//! to be billed, and seen by nobody. So they are read before the call is cancelled. Nothing is waited for: when no more
//! is there for a moment, the call ends; and it ends soon in any case, since until then the upstream goes on writing.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use seawall_llm_client::AnswerBody;
use tokio::task::yield_now;
use tokio::time::{Instant, timeout_at};

/// What lies in a buffer of this machine is there sooner than this.
const MOMENT: Duration = Duration::from_millis(2);
/// An upstream is cancelled within a tenth of a second of the hang-up; this leaves room for the cancelling.
const AT_MOST: Duration = Duration::from_millis(50);
/// A piece may come just when we look, also several times when the machine is busy; so many in a row are a heap of them.
const HEAP: usize = 32;

/// How long the end of an answer is waited for whose last word has been said. The model writes no more, so the call
/// need not be cancelled at once.
const END: Duration = Duration::from_secs(1);
/// And how much may come until then: usage is a few hundred bytes.
const END_BYTES: usize = 64 * 1024;

/// How the reading ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rest {
    /// All that was there has been seen.
    Seen,
    /// More is there than could be read in the time.
    TooMuch,
}

/// Gives `take` what is there of an answer, until it refuses.
pub(crate) async fn read(upstream: &mut AnswerBody, mut take: impl FnMut(Bytes) -> bool) -> Rest {
    if matches!(upstream, AnswerBody::Sim(_)) {
        return Rest::Seen; // It writes only what it is asked for.
    }
    let end = Instant::now() + AT_MOST;
    while Instant::now() < end {
        let quiet = Instant::now() + MOMENT;
        let Ok(Some(Ok(frame))) = timeout_at(quiet, upstream.frame()).await else { return Rest::Seen };
        if frame.into_data().is_ok_and(|chunk| !take(chunk)) {
            return Rest::Seen;
        }
    }
    for _ in 0..HEAP {
        // Whoever reads the socket has a turn, and ours comes again at once.
        yield_now().await;
        yield_now().await;
        let Ok(Some(Ok(frame))) = timeout_at(end, upstream.frame()).await else { return Rest::Seen };
        if frame.into_data().is_ok_and(|chunk| !take(chunk)) {
            return Rest::Seen;
        }
    }
    Rest::TooMuch
}

/// Gives `take` what comes after the last word of an answer, until it refuses. Whether that, or the answer's end, came
/// within bounds; else the provider has more to say that nobody heard.
pub(crate) async fn read_end(upstream: &mut AnswerBody, mut take: impl FnMut(Bytes) -> bool) -> bool {
    let (end, mut left) = (Instant::now() + END, END_BYTES);
    loop {
        match timeout_at(end, upstream.frame()).await {
            Ok(None) => return true,
            Ok(Some(Ok(frame))) => {
                let Ok(chunk) = frame.into_data() else { continue };
                let Some(rest) = left.checked_sub(chunk.len()) else { return false };
                left = rest;
                if !take(chunk) {
                    return true;
                }
            }
            Ok(Some(Err(_))) | Err(_) => return false,
        }
    }
}

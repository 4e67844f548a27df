//! What one key was admitted to in the last minute.

use std::collections::VecDeque;
use std::time::Duration;

use seawall_types::Tokens;

use super::{Limited, MINUTE, Rate, Remaining, What};

/// Up to so many entries are kept one by one.
const EXACT: usize = 120;
/// Further ones join the last entry when that began no longer ago than this.
const TOGETHER: Duration = Duration::from_millis(500);

/// Admissions that leave together.
#[derive(Debug, Clone, Copy)]
struct Entry {
    first: Duration,
    /// The entry counts for a minute from its last admission on.
    last: Duration,
    requests: u64,
    tokens: Tokens,
}

/// Admissions of the last minute, oldest first. At most 240 entries.
#[derive(Debug, Default)]
pub(super) struct Log {
    entries: VecDeque<Entry>,
    requests: u64,
    tokens: Tokens,
}

impl Log {
    pub(super) fn admit(&mut self, rate: Rate, tokens: Tokens, now: Duration) -> Result<Remaining, Limited> {
        // Threads read the clock before they take the lock: one may come with a time that is past here.
        let now = self.entries.back().map_or(now, |newest| newest.last.max(now));
        self.expire(now);
        let refused = [self.lacks_requests(rate, now), self.lacks_tokens(rate, tokens, now)];
        if let Some(limited) = refused.into_iter().flatten().max_by_key(|limited| limited.retry_after) {
            return Err(limited);
        }
        self.push(tokens, now);
        Ok(Remaining {
            limit_requests: rate.requests,
            remaining_requests: rate.requests.map(|limit| limit.saturating_sub(self.requests)),
            limit_tokens: rate.tokens,
            remaining_tokens: rate.tokens.map(|limit| limit.saturating_sub(self.tokens)),
            reset: MINUTE,
        })
    }

    pub(super) fn adjust(&mut self, estimate: Tokens, actual: Tokens, admitted_at: Duration) {
        // An entry from before the oldest one is gone, and its tokens with it.
        if self.entries.front().is_none_or(|oldest| admitted_at < oldest.first) {
            return;
        }
        let index = self.entries.partition_point(|entry| entry.last < admitted_at);
        let Some(entry) = self.entries.get_mut(index) else { return };
        let corrected = entry.tokens.saturating_sub(estimate).saturating_add(actual);
        self.tokens = self.tokens.saturating_sub(entry.tokens).saturating_add(corrected);
        entry.tokens = corrected;
    }

    pub(super) fn is_idle(&self, now: Duration) -> bool {
        self.entries.back().is_none_or(|newest| newest.last + MINUTE <= now)
    }

    fn expire(&mut self, now: Duration) {
        while let Some(oldest) = self.entries.pop_front_if(|oldest| oldest.last + MINUTE <= now) {
            self.requests = self.requests.saturating_sub(oldest.requests);
            self.tokens = self.tokens.saturating_sub(oldest.tokens);
        }
    }

    fn push(&mut self, tokens: Tokens, now: Duration) {
        self.requests = self.requests.saturating_add(1);
        self.tokens = self.tokens.saturating_add(tokens);
        let is_full = self.entries.len() >= EXACT;
        match self.entries.back_mut() {
            Some(newest) if is_full && now - newest.first < TOGETHER => {
                newest.last = now;
                newest.requests += 1;
                newest.tokens = newest.tokens.saturating_add(tokens);
            }
            _ => self.entries.push_back(Entry { first: now, last: now, requests: 1, tokens }),
        }
    }

    fn lacks_requests(&self, rate: Rate, now: Duration) -> Option<Limited> {
        let limit = rate.requests.filter(|limit| self.requests >= *limit)?;
        let retry_after = self.free_after(self.requests - limit + 1, |entry| entry.requests, now);
        Some(Limited { retry_after, what: What::Requests, limit })
    }

    fn lacks_tokens(&self, rate: Rate, tokens: Tokens, now: Duration) -> Option<Limited> {
        let limit = rate.tokens?;
        let excess = self.tokens.saturating_add(tokens).checked_sub(limit).filter(|excess| *excess > 0)?;
        let retry_after = self.free_after(excess, |entry| entry.tokens, now);
        Some(Limited { retry_after, what: What::Tokens, limit })
    }

    /// How long until so much has left; a minute when there is not so much.
    fn free_after(&self, wanted: u64, of: impl Fn(&Entry) -> u64, now: Duration) -> Duration {
        let mut gone = 0_u64;
        let enough = self.entries.iter().find(|entry| {
            gone = gone.saturating_add(of(entry));
            gone >= wanted
        });
        enough.map_or(MINUTE, |entry| (entry.last + MINUTE).saturating_sub(now))
    }
}

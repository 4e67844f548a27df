//! Answers that are kept, as configured.

use std::time::Duration;

use seawall_config::Reader;

const SECOND: Duration = Duration::from_secs(1);
const MIB: u64 = 1024 * 1024;

/// `cache`, when it is enabled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CacheSettings {
    /// How long an answer is given again.
    pub ttl: Duration,
    /// Bytes that all answers together may take, beside what requests buffer (`gateway.limits.buffer`).
    pub size: usize,
}

pub(super) fn declare(reader: &mut Reader<'_>) -> Option<CacheSettings> {
    let enabled =
        reader.boolean("enabled", "Whether complete answers are kept, for each tenant apart.", false);
    let month = 30 * 86_400 * SECOND;
    let ttl = reader.duration("ttl", "How long an answer is given again.", 3_600 * SECOND, SECOND..=month);
    let doc = "All answers together; one that is larger than an eighth of it is not kept.";
    let size = reader.size("size", doc, 256 * MIB, MIB..=1024 * 1024 * MIB);
    enabled.then_some(CacheSettings { ttl, size: usize::try_from(size).unwrap_or(usize::MAX) })
}

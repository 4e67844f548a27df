//! A report of one run that a person wants to read: what was done, what it cost, what was refused and why.
//!
//! Lines are streamed and every list is bounded, so that a run of any size gives a page of a readable one; what a
//! bound left out is counted. The report believes the lines; whether they are what was written is said by the
//! [`crate::verify::Report`] that is put into it.

mod histogram;
mod html;
mod markdown;
mod summary;

pub use self::histogram::Latency;
pub use self::summary::{
    ActionRow, CallCount, ChainState, FindingCount, ModelRow, Notice, Reason, Refusal, Summary, Timeline,
    TokenCount, UpstreamRow, VerdictCount, summarise,
};

/// The report as one self-contained HTML page: no scripts, no external files, light and dark.
#[must_use]
pub fn html(summary: &Summary) -> String {
    html::page(summary)
}

/// The report as Markdown.
#[must_use]
pub fn markdown(summary: &Summary) -> String {
    markdown::page(summary)
}

/// The report as one JSON document.
#[must_use]
pub fn json(summary: &Summary) -> String {
    serde_json::to_string_pretty(summary).unwrap_or_else(|_| "{}".to_owned())
}

/// A duration in microseconds as people write it: `850 µs`, `12.3 ms`, `4.56 s`, `3 min 20 s`, `5 h 12 min`.
pub(crate) fn duration(micros: u64) -> String {
    let (millis, seconds) = (micros / 1_000, micros / 1_000_000);
    match seconds {
        0 if millis == 0 => format!("{micros} µs"),
        0 => format!("{millis}.{} ms", micros / 100 % 10),
        1..60 => format!("{seconds}.{:02} s", millis / 10 % 100),
        60..3_600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3_600, seconds / 60 % 60),
    }
}

#[cfg(test)]
mod tests;

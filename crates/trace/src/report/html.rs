//! The report as an HTML page.
//!
//! Names, messages and keys come from callers, models and providers: every one of them passes [`escape`].

mod tables;

use std::fmt::Write as _;

use super::duration;
use super::summary::Summary;
use crate::verify::HeadState;

const STYLE: &str = "
:root { color-scheme: light dark; --ink: #1c2329; --soft: #5b6770; --line: #d9dee3; --back: #ffffff; --card: #f5f7f9;
  --good: #1a7f4b; --warn: #9a6200; --bad: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6eaee; --soft: #9aa6b0; --line: #333c44; --back: #14191d;
  --card: #1c2329; --good: #5fd39a; --warn: #f0b64d; --bad: #ff8a80; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 72rem; padding: 2rem 1.25rem 4rem; background: var(--back); color: var(--ink);
  font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; margin: 0; } h2 { font-size: 1.1rem; margin: 2.25rem 0 .5rem; }
p, td, th, dd, dt { overflow-wrap: anywhere; } .soft { color: var(--soft); } code { font: 13px ui-monospace, monospace; }
.tiles { display: flex; flex-wrap: wrap; gap: .75rem; margin: 1.25rem 0; }
.tile { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: .6rem .9rem; min-width: 8rem; }
.tile b { display: block; font-size: 1.35rem; font-variant-numeric: tabular-nums; }
.good { color: var(--good); } .warn { color: var(--warn); } .bad { color: var(--bad); }
.wide { overflow-x: auto; } table { border-collapse: collapse; width: 100%; }
th { text-align: left; font-weight: 600; color: var(--soft); } th, td { padding: .3rem .7rem .3rem 0;
  border-bottom: 1px solid var(--line); vertical-align: top; } td.n, th.n { text-align: right;
  font-variant-numeric: tabular-nums; white-space: nowrap; }
.refusal { border-left: 3px solid var(--bad); padding: .1rem 0 .1rem .9rem; margin: .9rem 0; } .refusal p { margin: .2rem 0; }
@media print { body { max-width: none; padding: 0; } .tile { break-inside: avoid; } }
";

/// Text that may stand between tags and in attributes.
pub(super) fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            // Control characters and those that turn the direction of text would let a name disguise itself.
            '\n' | '\t' => safe.push(' '),
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => safe.push('\u{fffd}'),
            control if control.is_control() => safe.push('\u{fffd}'),
            plain => safe.push(plain),
        }
    }
    safe
}

pub(super) fn page(summary: &Summary) -> String {
    let run = summary.run.map_or_else(|| "unknown".to_owned(), |run| run.to_string());
    let mut out = String::with_capacity(32 << 10);
    push(
        &mut out,
        format_args!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Run {run}</title>\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\
         <style>{STYLE}</style></head><body>\n<h1>Run <code>{run}</code></h1>\n"
        ),
    );
    facts(&mut out, summary);
    tiles(&mut out, summary);
    refusals(&mut out, summary);
    tables::names(&mut out, summary);
    tables::upstreams(&mut out, summary);
    tables::tools(&mut out, summary);
    tables::findings(&mut out, summary);
    tables::timeline(&mut out, summary);
    tables::payloads(&mut out, summary);
    tables::notices(&mut out, summary);
    out.push_str("</body></html>\n");
    out
}

fn push(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing into a String has no way to fail.
    let _ = out.write_fmt(text);
}

fn facts(out: &mut String, summary: &Summary) {
    let kind = if summary.kind.is_empty() { "run" } else { &summary.kind };
    push(out, format_args!("<p class=\"soft\">{}", escape(kind)));
    if let Some(at) = summary.started_at {
        push(out, format_args!(", began {at}"));
    }
    match (summary.finished_at, &summary.ended) {
        (Some(at), Some(why)) => push(out, format_args!(", finished {at} ({})", escape(why))),
        (Some(at), None) => push(out, format_args!(", finished {at}")),
        (None, _) => out.push_str(", not finished"),
    }
    if let Some((from, to)) = summary.started_at.zip(summary.last_event_at) {
        let micros = u64::try_from(to.since(from).as_micros()).unwrap_or(u64::MAX);
        push(out, format_args!(", {} from the first line to the last", duration(micros)));
    }
    push(out, format_args!(", {} lines.</p>\n", summary.events));
    chain(out, summary);
    if let Some(first) = &summary.first_unreadable {
        push(
            out,
            format_args!(
                "<p class=\"bad\">{} lines could not be read; the first: {}</p>\n",
                summary.unreadable,
                escape(first)
            ),
        );
    }
    if summary.dropped > 0 {
        push(
            out,
            format_args!(
                "<p class=\"warn\">The trace says that {} events were dropped.</p>\n",
                summary.dropped
            ),
        );
    }
}

fn chain(out: &mut String, summary: &Summary) {
    let Some(chain) = &summary.chain else {
        return out.push_str("<p class=\"soft\">The chain was not verified.</p>\n");
    };
    if let Some(problem) = &chain.problem {
        return push(
            out,
            format_args!("<p class=\"bad\">The trace is not what was written: {}</p>\n", escape(problem)),
        );
    }
    let end = match chain.head {
        HeadState::Matches => "its end is the one that the store recorded",
        HeadState::Behind => "it goes on past the head that the store recorded",
        HeadState::Unknown | HeadState::Missing => "whether its tail was cut can't be known here",
    };
    push(
        out,
        format_args!(
            "<p class=\"good\">Verified: {} lines are as they were written; {end}.</p>\n",
            chain.checked
        ),
    );
}

fn tiles(out: &mut String, summary: &Summary) {
    let verdicts = &summary.verdicts;
    out.push_str("<div class=\"tiles\">");
    let mut tile = |value: String, label: &str, class: &str| {
        push(out, format_args!("<div class=\"tile\"><b class=\"{class}\">{value}</b>{label}</div>"));
    };
    tile(verdicts.actions().to_string(), "actions", "");
    tile(verdicts.deny.to_string(), "refused", if verdicts.deny > 0 { "bad" } else { "" });
    tile(verdicts.warn.to_string(), "with warnings", if verdicts.warn > 0 { "warn" } else { "" });
    tile(verdicts.failed.to_string(), "failed", if verdicts.failed > 0 { "bad" } else { "" });
    tile(verdicts.abandoned.to_string(), "abandoned", if verdicts.abandoned > 0 { "warn" } else { "" });
    tile(verdicts.in_flight().to_string(), "not ended", "");
    tile(format!("${}", summary.cost_usd), "cost", "");
    tile(summary.tokens.input.to_string(), "tokens read", "");
    tile(summary.tokens.output.to_string(), "tokens written", "");
    tile(duration(summary.latency.p50_us), "median duration", "");
    tile(duration(summary.latency.p99_us), "99th percentile", "");
    out.push_str("</div>\n");
}

fn refusals(out: &mut String, summary: &Summary) {
    if summary.refusals.is_empty() {
        return;
    }
    out.push_str("<h2>Refused</h2>\n");
    for refusal in &summary.refusals {
        push(
            out,
            format_args!(
                "<div class=\"refusal\"><p><b>{}</b> <span class=\"soft\">{}",
                escape(&refusal.name),
                refusal.at
            ),
        );
        if let Some(status) = refusal.status {
            push(out, format_args!(" · status {status}"));
        }
        if let Some(key) = &refusal.key {
            push(out, format_args!(" · key {}", escape(key)));
        }
        if let Some(action) = refusal.action {
            push(out, format_args!(" · <code>{action}</code>"));
        }
        out.push_str("</span></p>");
        for reason in &refusal.reasons {
            push(out, format_args!("<p><code>{}</code> {}", escape(&reason.code), escape(&reason.message)));
            if !reason.location.is_empty() {
                push(out, format_args!(" <span class=\"soft\">at {}</span>", escape(&reason.location)));
            }
            push(out, format_args!("</p><p class=\"soft\">Remedy: {}</p>", escape(&reason.remedy)));
        }
        out.push_str("</div>\n");
    }
    more(out, summary.more_refusals, "refused actions");
}

fn more(out: &mut String, count: u64, what: &str) {
    if count > 0 {
        push(out, format_args!("<p class=\"soft\">… and {count} more {what}.</p>\n"));
    }
}

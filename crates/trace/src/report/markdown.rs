//! The report as Markdown: the same facts as the page, in tables that also read well as plain text.

use std::fmt::Write as _;

use super::duration;
use super::html::escape;
use super::summary::{ActionRow, Summary};

/// Foreign text in a cell or a sentence: no markup of Markdown or HTML takes effect.
fn plain(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in escape(text).chars() {
        if matches!(character, '|' | '*' | '_' | '`' | '[' | ']' | '(' | ')' | '#' | '!' | '~' | '\\') {
            safe.push('\\');
        }
        safe.push(character);
    }
    safe
}

fn push(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing into a String has no way to fail.
    let _ = out.write_fmt(text);
}

pub(super) fn page(summary: &Summary) -> String {
    let mut out = String::with_capacity(16 << 10);
    let run = summary.run.map_or_else(|| "unknown".to_owned(), |run| run.to_string());
    push(&mut out, format_args!("# Run {run}\n\n"));
    facts(&mut out, summary);
    refusals(&mut out, summary);
    tables(&mut out, summary);
    timeline(&mut out, summary);
    payloads(&mut out, summary);
    notices(&mut out, summary);
    out
}

fn facts(out: &mut String, summary: &Summary) {
    let verdicts = &summary.verdicts;
    let mut fact = |name: &str, value: String| push(out, format_args!("- {name}: {value}\n"));
    fact("kind", plain(&summary.kind));
    fact("began", summary.started_at.map(|at| at.to_string()).unwrap_or_default());
    let finished = summary.finished_at.map_or_else(|| "not yet".to_owned(), |at| at.to_string());
    let why = summary.ended.as_deref().map(|why| format!(" ({})", plain(why))).unwrap_or_default();
    fact("finished", finished + &why);
    fact("lines", summary.events.to_string());
    fact("chain", chain(summary));
    fact(
        "actions",
        format!(
            "{} ({} admitted, {} refused, {} failed, {} abandoned, {} not ended)",
            verdicts.actions(),
            verdicts.admitted(),
            verdicts.deny,
            verdicts.failed,
            verdicts.abandoned,
            verdicts.in_flight(),
        ),
    );
    fact("cost", format!("${}", summary.cost_usd));
    let tokens = &summary.tokens;
    fact("tokens", format!("{} read ({} cached), {} written", tokens.input, tokens.cached, tokens.output));
    let latency = &summary.latency;
    fact(
        "durations",
        format!(
            "median {}, 90 % {}, 99 % {}, longest {}",
            duration(latency.p50_us),
            duration(latency.p90_us),
            duration(latency.p99_us),
            duration(latency.max_us),
        ),
    );
    if summary.unreadable > 0 {
        fact("unreadable lines", summary.unreadable.to_string());
    }
    if summary.dropped > 0 {
        fact("dropped events", summary.dropped.to_string());
    }
}

fn chain(summary: &Summary) -> String {
    match &summary.chain {
        None => "not verified".to_owned(),
        Some(chain) => match &chain.problem {
            None => format!("verified, {} lines", chain.checked),
            Some(problem) => format!("BROKEN: {}", plain(problem)),
        },
    }
}

fn refusals(out: &mut String, summary: &Summary) {
    if summary.refusals.is_empty() {
        return;
    }
    out.push_str("\n## Refused\n\n");
    for refusal in &summary.refusals {
        let status = refusal.status.map(|status| format!(", status {status}")).unwrap_or_default();
        push(out, format_args!("- {} at {}{status}\n", plain(&refusal.name), refusal.at));
        for reason in &refusal.reasons {
            let (code, message, remedy) =
                (plain(&reason.code), plain(&reason.message), plain(&reason.remedy));
            push(out, format_args!("  - {code}: {message}. Remedy: {remedy}\n"));
        }
    }
    if summary.more_refusals > 0 {
        push(out, format_args!("- … and {} more\n", summary.more_refusals));
    }
}

fn head(out: &mut String, title: &str, columns: &[&str]) {
    push(
        out,
        format_args!("\n## {title}\n\n| {} |\n|{}\n", columns.join(" | "), " --- |".repeat(columns.len())),
    );
}

fn tables(out: &mut String, summary: &Summary) {
    if !summary.by_name.is_empty() {
        head(
            out,
            "Models and tools",
            &["name", "calls", "failed", "cost $", "read", "written", "p50", "p99"],
        );
        for (name, row) in &summary.by_name {
            let (p50, p99) = (duration(row.latency.p50_us), duration(row.latency.p99_us));
            let (read, written) = (row.tokens.input, row.tokens.output);
            let (name, calls, failed, cost) = (plain(name), row.calls, row.failed, row.cost_usd);
            push(
                out,
                format_args!(
                    "| {name} | {calls} | {failed} | {cost} | {read} | {written} | {p50} | {p99} |\n"
                ),
            );
        }
    }
    if !summary.by_upstream.is_empty() {
        head(out, "Upstreams", &["upstream", "attempts", "failed", "cost $"]);
        for (name, row) in &summary.by_upstream {
            push(
                out,
                format_args!("| {} | {} | {} | {} |\n", plain(name), row.attempts, row.failed, row.cost_usd),
            );
        }
    }
    if !summary.tools.is_empty() {
        head(out, "Tool calls in model traffic", &["tool", "called", "returned", "as an error"]);
        for (name, row) in &summary.tools {
            push(
                out,
                format_args!("| {} | {} | {} | {} |\n", plain(name), row.called, row.returned, row.failed),
            );
        }
    }
    if !summary.findings.is_empty() {
        head(out, "Findings", &["code and rule", "severity", "times", "the first one"]);
        for (name, row) in &summary.findings {
            let (name, severity, example) = (plain(name), plain(&row.severity), plain(&row.example));
            push(out, format_args!("| {name} | {severity} | {} | {example} |\n", row.count));
        }
    }
}

fn timeline(out: &mut String, summary: &Summary) {
    let timeline = &summary.timeline;
    if timeline.first.is_empty() {
        return;
    }
    head(out, "Timeline", &["ended", "kind", "name", "verdict", "status", "duration", "cost $"]);
    timeline.first.iter().for_each(|action| action_row(out, action));
    if timeline.omitted > 0 {
        push(out, format_args!("| … {} actions … | | | | | | |\n", timeline.omitted));
    }
    timeline.last.iter().for_each(|action| action_row(out, action));
}

fn action_row(out: &mut String, action: &ActionRow) {
    let (kind, name, verdict) = (plain(&action.kind), plain(&action.name), plain(&action.verdict));
    let status = action.status.map(|status| status.to_string()).unwrap_or_default();
    let took = action.duration_us.map(duration).unwrap_or_default();
    let cost = action.cost_usd.map(|cost| cost.to_string()).unwrap_or_default();
    push(out, format_args!("| {} | {kind} | {name} | {verdict} | {status} | {took} | {cost} |\n", action.at));
}

fn payloads(out: &mut String, summary: &Summary) {
    if summary.payloads.is_empty() {
        return;
    }
    head(out, "What was said", &["when", "what", "of", "text"]);
    for payload in &summary.payloads {
        let (name, text) = (plain(&payload.name), plain(&payload.text));
        push(out, format_args!("| {} | {} | {name} | {text} |\n", payload.at, payload.kind));
    }
    if summary.more_payloads > 0 {
        push(out, format_args!("\n… and {} more.\n", summary.more_payloads));
    }
}

fn notices(out: &mut String, summary: &Summary) {
    if summary.notices.is_empty() {
        return;
    }
    head(out, "Notes and errors", &["when", "kind", "what"]);
    for notice in &summary.notices {
        push(out, format_args!("| {} | {} | {} |\n", notice.at, plain(&notice.kind), plain(&notice.text)));
    }
    if summary.more_notices > 0 {
        push(out, format_args!("\n… and {} more.\n", summary.more_notices));
    }
}

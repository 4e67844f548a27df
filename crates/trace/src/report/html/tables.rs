//! The tables of the page.

use super::{escape, more, push};
use crate::report::summary::{ActionRow, ModelRow, Summary};
use crate::report::{Latency, duration};

/// Opens a table; headings that begin with `#` are for numbers.
fn table(out: &mut String, title: &str, headings: &[&str]) {
    push(out, format_args!("<h2>{title}</h2>\n<div class=\"wide\"><table><thead><tr>"));
    for heading in headings {
        match heading.strip_prefix('#') {
            Some(number) => push(out, format_args!("<th class=\"n\">{number}</th>")),
            None => push(out, format_args!("<th>{heading}</th>")),
        }
    }
    out.push_str("</tr></thead><tbody>\n");
}

fn number(out: &mut String, value: impl std::fmt::Display) {
    push(out, format_args!("<td class=\"n\">{value}</td>"));
}

fn text(out: &mut String, value: &str) {
    push(out, format_args!("<td>{}</td>", escape(value)));
}

const END: &str = "</tbody></table></div>\n";

pub(super) fn names(out: &mut String, summary: &Summary) {
    if summary.by_name.is_empty() {
        return;
    }
    let headings = [
        "Name", "#Calls", "#Failed", "#Cost $", "#Read", "#Cached", "#Written", "#p50", "#p90", "#p99",
        "#Longest",
    ];
    table(out, "Models and tools", &headings);
    let mut rows: Vec<(&String, &ModelRow)> = summary.by_name.iter().collect();
    rows.sort_by_key(|(_, row)| std::cmp::Reverse(row.cost_usd));
    for (name, row) in rows {
        out.push_str("<tr>");
        text(out, name);
        number(out, row.calls);
        number(out, row.failed);
        number(out, row.cost_usd);
        number(out, row.tokens.input);
        number(out, row.tokens.cached);
        number(out, row.tokens.output);
        let Latency { p50_us, p90_us, p99_us, max_us, .. } = row.latency;
        [p50_us, p90_us, p99_us, max_us].into_iter().for_each(|micros| number(out, duration(micros)));
        out.push_str("</tr>\n");
    }
    out.push_str(END);
    let estimated = summary.tokens.estimated_calls;
    if estimated > 0 {
        push(
            out,
            format_args!("<p class=\"soft\">Tokens of {estimated} calls were counted by Seawall.</p>\n"),
        );
    }
}

pub(super) fn upstreams(out: &mut String, summary: &Summary) {
    if summary.by_upstream.is_empty() {
        return;
    }
    table(out, "Upstreams", &["Upstream", "#Attempts", "#Failed", "#Cost $"]);
    for (name, row) in &summary.by_upstream {
        out.push_str("<tr>");
        text(out, name);
        number(out, row.attempts);
        number(out, row.failed);
        number(out, row.cost_usd);
        out.push_str("</tr>\n");
    }
    out.push_str(END);
}

pub(super) fn tools(out: &mut String, summary: &Summary) {
    if summary.tools.is_empty() {
        return;
    }
    table(out, "Tool calls in model traffic", &["Tool", "#Called", "#Returned", "#As an error"]);
    for (name, row) in &summary.tools {
        out.push_str("<tr>");
        text(out, name);
        number(out, row.called);
        number(out, row.returned);
        number(out, row.failed);
        out.push_str("</tr>\n");
    }
    out.push_str(END);
}

pub(super) fn findings(out: &mut String, summary: &Summary) {
    if summary.findings.is_empty() {
        return;
    }
    table(out, "Findings", &["Code and rule", "Severity", "#Times", "The first one"]);
    for (name, row) in &summary.findings {
        out.push_str("<tr>");
        text(out, name);
        text(out, &row.severity);
        number(out, row.count);
        text(out, &row.example);
        out.push_str("</tr>\n");
    }
    out.push_str(END);
}

pub(super) fn timeline(out: &mut String, summary: &Summary) {
    let timeline = &summary.timeline;
    if timeline.first.is_empty() {
        return;
    }
    table(
        out,
        "Timeline",
        &["Ended", "Kind", "Name", "Verdict", "#Status", "#Duration", "#Tokens", "#Cost $"],
    );
    timeline.first.iter().for_each(|action| action_row(out, action));
    if timeline.omitted > 0 {
        push(
            out,
            format_args!("<tr><td colspan=\"8\" class=\"soft\">… {} actions …</td></tr>\n", timeline.omitted),
        );
    }
    timeline.last.iter().for_each(|action| action_row(out, action));
    out.push_str(END);
}

fn action_row(out: &mut String, action: &ActionRow) {
    let class = match action.verdict.as_str() {
        "deny" => "bad",
        "warn" | "redact" | "ask" | "abandoned" => "warn",
        _ => "good",
    };
    push(out, format_args!("<tr><td>{}</td>", action.at));
    text(out, &action.kind);
    text(out, &action.name);
    push(out, format_args!("<td class=\"{class}\">{}", escape(&action.verdict)));
    if let Some(ended) = &action.ended {
        push(out, format_args!(" ({})", escape(ended)));
    }
    out.push_str("</td>");
    number(out, action.status.map(|status| status.to_string()).unwrap_or_default());
    number(out, action.duration_us.map(duration).unwrap_or_default());
    number(out, action.tokens.map(|tokens| tokens.to_string()).unwrap_or_default());
    number(out, action.cost_usd.map(|cost| cost.to_string()).unwrap_or_default());
    out.push_str("</tr>\n");
}

pub(super) fn payloads(out: &mut String, summary: &Summary) {
    if summary.payloads.is_empty() {
        return;
    }
    table(out, "What was said", &["When", "What", "Of", "Text"]);
    for payload in &summary.payloads {
        push(out, format_args!("<tr><td>{}</td><td>{}</td>", payload.at, payload.kind));
        text(out, &payload.name);
        push(out, format_args!("<td><code>{}</code></td></tr>\n", escape(&payload.text)));
    }
    out.push_str(END);
    more(out, summary.more_payloads, "payloads");
}

pub(super) fn notices(out: &mut String, summary: &Summary) {
    if summary.notices.is_empty() {
        return;
    }
    table(out, "Notes and errors", &["When", "Kind", "What"]);
    for notice in &summary.notices {
        push(out, format_args!("<tr><td>{}</td>", notice.at));
        text(out, &notice.kind);
        text(out, &notice.text);
        out.push_str("</tr>\n");
    }
    out.push_str(END);
    more(out, summary.more_notices, "notes and errors");
}

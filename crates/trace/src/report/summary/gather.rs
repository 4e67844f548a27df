//! Gathering a summary from lines.

use std::collections::BTreeMap;

use seawall_types::{EventKind, Usd};

use super::super::histogram::Histogram;
use super::{
    ActionRow, CallCount, Notice, PayloadRow, Reason, Refusal, Summary, Timeline, TokenCount, VerdictCount,
};
use crate::Error;
use crate::data::{Data, Payloads, Usage};
use crate::read::{Line, Parsed};

/// Rows of a table; what comes under further names is put under [`OTHERS`].
const MAX_NAMES: usize = 200;
const OTHERS: &str = "(others)";
/// Actions shown at each end of the timeline.
const TIMELINE_END: usize = 100;
const MAX_REFUSALS: usize = 500;
const MAX_NOTICES: usize = 100;
const MAX_PAYLOADS: usize = 200;
/// Reasons shown of one refusal.
const MAX_REASONS: usize = 20;
/// Bytes shown of one foreign text.
const MAX_TEXT: usize = 2_000;

/// Gathers a report from the lines of one run. Lines that can't be read are counted.
#[must_use]
pub fn summarise(lines: impl IntoIterator<Item = Result<Line, Error>>) -> Summary {
    let mut gathered = Gathered::default();
    for line in lines {
        match line {
            Ok(line) => gathered.event(&line.parsed),
            Err(error) => {
                gathered.summary.unreadable += 1;
                gathered.summary.first_unreadable.get_or_insert_with(|| error.to_string());
            }
        }
    }
    gathered.finish()
}

#[derive(Default)]
struct Gathered {
    summary: Summary,
    all: Histogram,
    by_name: BTreeMap<String, Histogram>,
}

impl Gathered {
    fn event(&mut self, event: &Parsed) {
        let summary = &mut self.summary;
        summary.events += 1;
        summary.run.get_or_insert(event.run);
        summary.started_at.get_or_insert(event.ts);
        summary.last_event_at = Some(event.ts);
        let data = Data::parse(event.data.get());
        self.payloads(event, data.name.as_deref());
        let summary = &mut self.summary;
        match event.kind {
            EventKind::RunStarted => summary.kind = clip(data.kind.unwrap_or_default()),
            EventKind::RunFinished => {
                summary.finished_at = Some(event.ts);
                summary.ended = data.reason.map(clip);
            }
            EventKind::ActionAdmitted => admit(&mut summary.verdicts, data.verdict.as_deref()),
            EventKind::ActionDenied => self.deny(event, data),
            EventKind::ActionSettled => self.settle(event, &data),
            EventKind::ActionAbandoned => self.abandon(event, &data),
            EventKind::ToolCalled => self.tool(data.name).called += 1,
            EventKind::ToolReturned => {
                let failed = u64::from(data.is_error);
                let tool = self.tool(data.name);
                tool.returned += 1;
                tool.failed += failed;
            }
            EventKind::Note
            | EventKind::Error
            | EventKind::Drift
            | EventKind::PolicyLoaded
            | EventKind::PolicyChanged => {
                self.notice(event, data);
            }
            EventKind::ApprovalAsked
            | EventKind::ApprovalDecided
            | EventKind::BudgetReserved
            | EventKind::BudgetSettled
            | EventKind::BudgetReleased
            | EventKind::BudgetExceeded => {}
        }
    }

    fn payloads(&mut self, event: &Parsed, name: Option<&str>) {
        let Payloads { prompt, arguments, answer, output } = Payloads::parse(event.data.get());
        let payloads = [("prompt", prompt), ("arguments", arguments), ("answer", answer), ("output", output)];
        for (kind, payload) in payloads.into_iter().filter_map(|(kind, payload)| Some((kind, payload?))) {
            if self.summary.payloads.len() >= MAX_PAYLOADS {
                self.summary.more_payloads += 1;
                continue;
            }
            let text = payload.as_str().map_or_else(|| payload.to_string(), str::to_owned);
            let name = clip(name.unwrap_or_default().to_owned());
            let row = PayloadRow { at: event.ts, action: event.action, kind, name, text: clip(text) };
            self.summary.payloads.push(row);
        }
    }

    fn deny(&mut self, event: &Parsed, data: Data) {
        self.summary.verdicts.deny += 1;
        self.findings(&data);
        self.show(event, &data, "deny");
        if self.summary.refusals.len() >= MAX_REFUSALS {
            self.summary.more_refusals += 1;
            return;
        }
        let reasons = data.findings.into_iter().take(MAX_REASONS).map(|finding| Reason {
            code: clip(finding.code),
            rule: clip(finding.rule),
            message: clip(finding.message),
            location: clip(finding.location),
            remedy: clip(finding.remedy),
        });
        self.summary.refusals.push(Refusal {
            at: event.ts,
            action: event.action,
            key: event.actor.key.as_deref().map(|key| clip(key.to_owned())),
            name: clip(data.name.unwrap_or_default()),
            status: data.status,
            reasons: reasons.collect(),
        });
    }

    fn settle(&mut self, event: &Parsed, data: &Data) {
        let failed = u64::from(is_failure(data.status));
        self.summary.verdicts.settled += 1;
        self.summary.verdicts.failed += failed;
        self.findings(data);
        self.attempts(data);
        self.charge(data, failed);
        let verdict = data.verdict.clone().unwrap_or_default();
        self.show(event, data, &verdict);
    }

    fn abandon(&mut self, event: &Parsed, data: &Data) {
        self.summary.verdicts.abandoned += 1;
        self.charge(data, 0);
        self.show(event, data, "abandoned");
    }

    fn charge(&mut self, data: &Data, failed: u64) {
        let cost = data.cost_usd.or(data.reserved_usd).unwrap_or_default();
        let name = data.name.clone().unwrap_or_default();
        let row = row(&mut self.summary.by_name, name.clone());
        row.calls += 1;
        row.failed += failed;
        add(&mut row.cost_usd, cost);
        add(&mut self.summary.cost_usd, cost);
        if let Some(usage) = &data.usage {
            row.tokens.add(usage);
            self.summary.tokens.add(usage);
        }
        if let Some(micros) = data.duration_us {
            self.all.add(micros);
            self::row(&mut self.by_name, name).add(micros);
        }
    }

    fn attempts(&mut self, data: &Data) {
        for attempt in &data.attempts {
            let row = row(&mut self.summary.by_upstream, attempt.upstream.clone());
            row.attempts += 1;
            row.failed += u64::from(attempt.status.is_none() || is_failure(attempt.status));
            add(&mut row.cost_usd, attempt.cost_usd.unwrap_or_default());
        }
    }

    fn findings(&mut self, data: &Data) {
        for finding in &data.findings {
            let row = row(&mut self.summary.findings, format!("{} {}", finding.code, finding.rule));
            if row.count == 0 {
                row.severity = clip(finding.severity.clone());
                row.example = clip(finding.message.clone());
            }
            row.count += 1;
        }
    }

    fn tool(&mut self, name: Option<String>) -> &mut CallCount {
        row(&mut self.summary.tools, name.unwrap_or_default())
    }

    fn notice(&mut self, event: &Parsed, data: Data) {
        self.summary.dropped += data.dropped.unwrap_or(0);
        if self.summary.notices.len() >= MAX_NOTICES {
            self.summary.more_notices += 1;
            return;
        }
        let said = [data.note, data.message, data.reason, data.name, data.error];
        let mut text: Vec<String> = said.into_iter().flatten().collect();
        text.extend(
            data.dropped.filter(|dropped| *dropped > 0).map(|dropped| format!("{dropped} events dropped")),
        );
        let kind = event.kind.as_str().to_owned();
        self.summary.notices.push(Notice { at: event.ts, kind, text: clip(text.join(": ")) });
    }

    fn show(&mut self, event: &Parsed, data: &Data, verdict: &str) {
        let usage = data.usage.as_ref();
        self.summary.timeline.push(ActionRow {
            at: event.ts,
            action: event.action,
            kind: clip(data.kind.clone().unwrap_or_default()),
            name: clip(data.name.clone().unwrap_or_default()),
            verdict: clip(verdict.to_owned()),
            status: data.status,
            ended: data.ended.clone().map(clip),
            duration_us: data.duration_us,
            tokens: usage.map(|usage| usage.input_tokens.saturating_add(usage.output_tokens)),
            cost_usd: data.cost_usd,
        });
    }

    fn finish(mut self) -> Summary {
        self.summary.latency = self.all.latency();
        for (name, histogram) in self.by_name {
            if let Some(row) = self.summary.by_name.get_mut(&name) {
                row.latency = histogram.latency();
            }
        }
        self.summary
    }
}

fn admit(verdicts: &mut VerdictCount, verdict: Option<&str>) {
    match verdict {
        Some("warn") => verdicts.warn += 1,
        Some("redact") => verdicts.redact += 1,
        Some("ask") => verdicts.ask += 1,
        _ => verdicts.allow += 1,
    }
}

fn is_failure(status: Option<u16>) -> bool {
    status.is_some_and(|status| status >= 400)
}

fn add(sum: &mut Usd, cost: Usd) {
    *sum = sum.saturating_add(cost);
}

/// The row of that name, or the common one when there are too many.
fn row<T: Default>(rows: &mut BTreeMap<String, T>, name: String) -> &mut T {
    let name = clip(name);
    let name = if rows.len() < MAX_NAMES || rows.contains_key(&name) { name } else { OTHERS.to_owned() };
    rows.entry(name).or_default()
}

/// A foreign text, not longer than a report bears.
fn clip(mut text: String) -> String {
    if text.len() > MAX_TEXT {
        text.truncate(text.floor_char_boundary(MAX_TEXT));
        text.push('…');
    }
    text
}

impl TokenCount {
    fn add(&mut self, usage: &Usage) {
        self.input = self.input.saturating_add(usage.input_tokens);
        self.output = self.output.saturating_add(usage.output_tokens);
        self.cached = self.cached.saturating_add(usage.cached_tokens);
        self.estimated_calls += u64::from(usage.estimated);
    }
}

impl Timeline {
    fn push(&mut self, action: ActionRow) {
        if self.first.len() < TIMELINE_END {
            return self.first.push(action);
        }
        self.last.push_back(action);
        if self.last.len() > TIMELINE_END {
            self.last.pop_front();
            self.omitted += 1;
        }
    }
}

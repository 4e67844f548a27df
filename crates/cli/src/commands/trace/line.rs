//! One event on one line: as it is on disk for programs, in short for people.

use std::fmt::Write as _;
use std::io::{self, IsTerminal};

use seawall_trace::read::Parsed;
use serde_json::Value;

use crate::commands::World;
use crate::output;

/// For whom events are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reader {
    /// The line as it is on disk.
    Program,
    /// What a person at a terminal wants to see of it.
    Person,
}

impl Reader {
    /// A person sits at a terminal, unless JSON was asked for.
    pub(super) fn of(world: &World<'_>) -> Self {
        if io::stdout().is_terminal() && !world.global.json { Self::Person } else { Self::Program }
    }

    /// Prints a line of a trace, given without its end.
    ///
    /// # Errors
    /// When it can't be written, or nobody reads any more.
    pub(super) fn print(self, raw: &[u8]) -> io::Result<()> {
        let short = (self == Self::Person).then(|| short(raw)).flatten();
        let mut bytes = short.map_or_else(|| raw.to_vec(), String::into_bytes);
        bytes.push(b'\n');
        output::bytes(&bytes)
    }
}

/// The event in short; `None` when the line is none.
fn short(raw: &[u8]) -> Option<String> {
    let event: Parsed = serde_json::from_slice(raw).ok()?;
    let data: Value = serde_json::from_str(event.data.get()).ok()?;
    let time = event.ts.to_string();
    let action = event.action.map(|id| id.to_string()).unwrap_or_default();
    let action = action.get(action.len().saturating_sub(8)..).unwrap_or_default();
    let time = time.get(11..23).unwrap_or(&time);
    let mut line = format!("{time}  {action:8}  {:16}", event.kind.as_str());
    for fact in facts(&data) {
        // What comes from a model or a client must not command the terminal.
        let _infallible = write!(line, "  {}", fact.replace(char::is_control, "\u{fffd}"));
    }
    Some(line)
}

/// What there is to say, in the order in which one asks.
fn facts(data: &Value) -> Vec<String> {
    let text = |name: &str| match data.get(name)? {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let plain =
        ["kind", "name", "call_id", "verdict", "status", "ended", "mode", "listen", "scope", "window"];
    let mut facts: Vec<String> = plain
        .into_iter()
        .filter(|name| !(*name == "kind" && data.get("name").is_some()))
        .filter_map(text)
        .collect();
    facts.extend(data.get("usage").map(tokens));
    facts.extend(text("cost_usd").map(|cost| format!("${cost}")));
    facts.extend(text("reserved_usd").map(|held| format!("holds ${held}")));
    facts.extend(
        data.get("duration_us").and_then(Value::as_u64).map(|micros| format!("{} ms", micros / 1_000)),
    );
    facts.extend(each(data, "attempts", |attempt| {
        let error = attempt.get("error").and_then(Value::as_str).map(|error| format!(": {error}"));
        Some(format!("{}{}", attempt.get("upstream")?.as_str()?, error.unwrap_or_default()))
    }));
    facts.extend(each(data, "findings", |finding| {
        let message = finding.get("message").and_then(Value::as_str).unwrap_or_default();
        Some(format!("{}: {message}", finding.get("code")?.as_str()?))
    }));
    facts.extend(["reason", "message", "note"].into_iter().filter_map(text));
    facts
}

fn tokens(usage: &Value) -> String {
    let count = |name: &str| usage.get(name).and_then(Value::as_u64).unwrap_or_default();
    let about = if usage.get("estimated") == Some(&Value::Bool(true)) { "about " } else { "" };
    format!("{about}{} in, {} out", count("input_tokens"), count("output_tokens"))
}

fn each(data: &Value, list: &str, one: impl Fn(&Value) -> Option<String>) -> Vec<String> {
    data.get(list).and_then(Value::as_array).into_iter().flatten().filter_map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(kind: &str, data: &str) -> String {
        let run = "01a1fd04-b0b0-77c6-a8c2-78a3442e7010";
        let zero = "0".repeat(64);
        format!(
            r#"{{"v":1,"seq":3,"ts":"2026-11-21T07:31:45.577321Z","run":"{run}","kind":"{kind}","action":"01a1fd04-b0fd-7968-a1ef-3ac9613f1b24","parent":null,"actor":{{}},"data":{data},"prev":"{zero}","hash":"{zero}"}}"#
        )
    }

    #[test]
    fn a_settled_call_is_told_on_one_line() {
        let data = r#"{"kind":"model_call","name":"gpt-4o","verdict":"allow","usage":{"input_tokens":2,"output_tokens":12,"estimated":true},"cost_usd":"0.000026","status":502,"duration_us":43312,"findings":[],"ended":"failed","attempts":[{"upstream":"main","error":"no connection"}]}"#;
        assert_eq!(
            short(event("action.settled", data).as_bytes()).unwrap(),
            "07:31:45.577  13f1b24  action.settled    gpt-4o  allow  502  failed  about 2 in, 12 out  $0.000026  43 ms  main: no connection"
                .replace("13f1b24", "613f1b24")
        );
    }

    #[test]
    fn a_refusal_says_why() {
        let data = r#"{"kind":"model_call","name":"x","verdict":"deny","status":402,"findings":[{"code":"BUDGET_EXCEEDED","message":"spent"}]}"#;
        let line = short(event("action.denied", data).as_bytes()).unwrap();
        assert!(line.ends_with("x  deny  402  BUDGET_EXCEEDED: spent"), "{line}");
    }

    #[test]
    fn a_name_commands_no_terminal() {
        let line = short(event("tool.called", r#"{"name":"\u001b[2Jls\n"}"#).as_bytes()).unwrap();
        assert!(!line.contains(char::is_control), "{line:?}");
    }

    #[test]
    fn what_is_no_event_is_left_to_be_printed_as_it_is() {
        assert_eq!(short(b"garbage"), None);
    }
}

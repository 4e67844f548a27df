//! The directives that tell the simulated provider what to answer: `sim:text hello`, `sim:tool read {"path":"a"}` …
//!
//! Reading them, and nothing else: which of them applies to a request is `turn`'s business.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::StatusCode;
use serde_json::Value;

/// `sim:repeat` makes at most so many bytes.
const REPEAT_LIMIT: usize = 16 * 1024 * 1024;

/// A tool call that the simulated model makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) name: String,
    /// A JSON object, compact.
    pub(crate) arguments: String,
}

impl Call {
    /// The bytes that are counted as tokens.
    pub(crate) fn bytes(&self) -> usize {
        self.name.len() + self.arguments.len()
    }
}

/// What to answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Say {
    Text(String),
    /// The newest user text.
    Echo,
    /// A text with something in it that looks like a credential.
    Secret,
    Calls(Vec<Call>),
    Error {
        status: StatusCode,
        retry_after: Option<String>,
    },
    /// No answer, ever.
    Hang,
    /// These bytes as the body.
    Raw(Bytes),
}

/// How to answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Manner {
    Think(String),
    Delay(Duration),
    Pace(Duration),
    Chunk(usize),
    Disconnect {
        after: u64,
    },
    Stall {
        after: u64,
    },
    Garbage,
    Gzip,
    NoUsage,
    /// The first so many requests with the same body get this status.
    Fail {
        times: u32,
        status: StatusCode,
    },
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Directive {
    Say(Say),
    Manner(Manner),
    /// Applies when so many tool results have come.
    At(u64, Box<Directive>),
}

/// A directive that is not complete. Silence would let a test pass for the wrong reason, so it is an error.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("sim:{name} {reason}")]
pub struct DirectiveError {
    name: &'static str,
    reason: String,
}

type Read = fn(&str) -> Result<Directive, String>;

/// Every directive and how the rest of its line is read.
const DIRECTIVES: &[(&str, Read)] = &[
    ("text", |rest| say(Say::Text(rest.to_owned()))),
    ("echo", |_| say(Say::Echo)),
    ("secret", |_| say(Say::Secret)),
    ("tool", |rest| say(Say::Calls(vec![one_call(rest)?]))),
    ("tools", |rest| say(Say::Calls(several_calls(rest)?))),
    ("repeat", |rest| say(Say::Text(repeated(rest)?))),
    ("raw", |rest| say(Say::Raw(STANDARD.decode(rest).map_err(|error| error.to_string())?.into()))),
    ("error", error),
    ("hang", |_| say(Say::Hang)),
    ("think", |rest| manner(Manner::Think(rest.to_owned()))),
    ("delay", |rest| manner(Manner::Delay(duration(rest)?))),
    ("pace", |rest| manner(Manner::Pace(duration(rest)?))),
    ("chunk", |rest| manner(Manner::Chunk(number(rest)?))),
    ("disconnect", |rest| manner(Manner::Disconnect { after: after(rest)? })),
    ("stall", |rest| manner(Manner::Stall { after: after(rest)? })),
    ("garbage", |_| manner(Manner::Garbage)),
    ("gzip", |_| manner(Manner::Gzip)),
    ("nousage", |_| manner(Manner::NoUsage)),
    ("fail", fail),
    ("turn", turn),
];

/// Whether the text holds a directive, complete or not.
pub(crate) fn any_in(text: &str) -> bool {
    text.lines().any(|line| find(line).is_some())
}

/// The directives in a text, one a line, in order.
pub(crate) fn all_in(text: &str) -> Result<Vec<Directive>, DirectiveError> {
    text.lines()
        .filter_map(find)
        .map(|(name, read, rest)| read(rest).map_err(|reason| DirectiveError { name, reason }))
        .collect()
}

/// The first directive of a line with what follows it. `sim:` counts where a word may begin, so `a-sim:text` does not.
fn find(line: &str) -> Option<(&'static str, Read, &str)> {
    line.match_indices("sim:").find_map(|(at, mark)| {
        let before = line.get(..at)?.chars().next_back();
        if before
            .is_some_and(|before| before.is_alphanumeric() || matches!(before, '_' | '-' | '/' | '.' | ':'))
        {
            return None;
        }
        named(line.get(at + mark.len()..)?)
    })
}

fn named(text: &str) -> Option<(&'static str, Read, &str)> {
    let (word, rest) = text.split_once([' ', '\t', '\r']).unwrap_or((text, ""));
    let &(name, read) = DIRECTIVES.iter().find(|(name, _)| *name == word)?;
    Some((name, read, rest.trim_ascii()))
}

fn say(say: Say) -> Result<Directive, String> {
    Ok(Directive::Say(say))
}

fn manner(manner: Manner) -> Result<Directive, String> {
    Ok(Directive::Manner(manner))
}

fn one_call(rest: &str) -> Result<Call, String> {
    let (name, arguments) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    if name.is_empty() {
        return Err("needs the name of a tool, then its arguments as a JSON object".to_owned());
    }
    let arguments = arguments.trim();
    let arguments = if arguments.is_empty() { "{}" } else { arguments };
    let arguments: Value = serde_json::from_str(arguments)
        .map_err(|error| format!("needs a JSON object on the same line after the name: {error}"))?;
    call(name, &arguments)
}

fn several_calls(rest: &str) -> Result<Vec<Call>, String> {
    const SHAPE: &str = r#"needs a list like [{"name":"read","arguments":{}}] on the same line"#;
    let list: Vec<Value> = serde_json::from_str(rest).map_err(|error| format!("{SHAPE}: {error}"))?;
    list.iter()
        .map(|item| {
            let name = item.get("name").and_then(Value::as_str).ok_or(SHAPE)?;
            call(name, item.get("arguments").unwrap_or(&Value::Object(serde_json::Map::new())))
        })
        .collect()
}

fn call(name: &str, arguments: &Value) -> Result<Call, String> {
    if !arguments.is_object() {
        return Err(format!("needs a JSON object as the arguments of {name}"));
    }
    Ok(Call { name: name.to_owned(), arguments: arguments.to_string() })
}

fn repeated(rest: &str) -> Result<String, String> {
    let (count, word) = rest.split_once(char::is_whitespace).ok_or("needs a number and a word")?;
    let (count, word) = (number::<usize>(count)?, word.trim());
    if count.saturating_mul(word.len() + 1) > REPEAT_LIMIT {
        return Err(format!("makes at most {REPEAT_LIMIT} bytes"));
    }
    let mut text = String::with_capacity(count * (word.len() + 1));
    for index in 0..count {
        if index > 0 {
            text.push(' ');
        }
        text.push_str(word);
    }
    Ok(text)
}

fn error(rest: &str) -> Result<Directive, String> {
    let mut words = rest.split_whitespace();
    let status = status(words.next().unwrap_or_default())?;
    let retry_after = words.find_map(|word| word.strip_prefix("retry-after="));
    if let Some(seconds) = retry_after
        && !seconds.parse::<f64>().is_ok_and(|seconds| seconds.is_finite() && seconds >= 0.0)
    {
        return Err(format!("needs seconds after retry-after=, not {seconds:?}"));
    }
    say(Say::Error { status, retry_after: retry_after.map(str::to_owned) })
}

fn fail(rest: &str) -> Result<Directive, String> {
    let (times, code) =
        rest.split_once(char::is_whitespace).ok_or("needs how often and a status, as in `fail 2 503`")?;
    manner(Manner::Fail { times: number(times)?, status: status(code.trim())? })
}

fn turn(rest: &str) -> Result<Directive, String> {
    let (at, rest) = rest.split_once(char::is_whitespace).ok_or("needs a number and a directive")?;
    let rest = rest.trim();
    let rest = rest.strip_prefix("sim:").unwrap_or(rest);
    let (_, read, rest) =
        named(rest).ok_or_else(|| format!("needs a directive after the number, not {rest:?}"))?;
    match read(rest)? {
        Directive::At(..) => Err("can't hold another turn".to_owned()),
        directive @ (Directive::Say(_) | Directive::Manner(_)) => {
            Ok(Directive::At(number(at)?, Box::new(directive)))
        }
    }
}

fn status(text: &str) -> Result<StatusCode, String> {
    let status = text.parse::<StatusCode>().ok().filter(|status| (400..600).contains(&status.as_u16()));
    status.ok_or_else(|| format!("needs a status from 400 to 599, not {text:?}"))
}

fn after(rest: &str) -> Result<u64, String> {
    if rest.is_empty() {
        return Ok(1);
    }
    number(rest.strip_prefix("after=").unwrap_or(rest))
}

fn number<N: std::str::FromStr>(text: &str) -> Result<N, String> {
    text.parse().map_err(|_| format!("needs a number, not {text:?}"))
}

/// Milliseconds, or a number with `ms` or `s`.
fn duration(text: &str) -> Result<Duration, String> {
    if let Some(millis) = text.strip_suffix("ms") {
        return number(millis.trim()).map(Duration::from_millis);
    }
    match text.strip_suffix('s') {
        Some(seconds) => number(seconds.trim()).map(Duration::from_secs),
        None => number(text).map(Duration::from_millis),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Directive {
        Directive::Say(Say::Text(text.to_owned()))
    }

    fn tool(name: &str, arguments: &str) -> Call {
        Call { name: name.to_owned(), arguments: arguments.to_owned() }
    }

    #[test]
    fn each_directive_is_read_from_its_line() {
        for (line, directive) in [
            ("sim:text hello  big world ", text("hello  big world")),
            ("sim:text", text("")),
            ("please do sim:text this", text("this")),
            ("sim:echo", Directive::Say(Say::Echo)),
            ("sim:secret", Directive::Say(Say::Secret)),
            ("sim:tool read", Directive::Say(Say::Calls(vec![tool("read", "{}")]))),
            (
                r#"sim:tool read { "b": 1, "a": "x y" }"#,
                Directive::Say(Say::Calls(vec![tool("read", r#"{"b":1,"a":"x y"}"#)])),
            ),
            (
                r#"sim:tools [{"name":"a","arguments":{"x":1}},{"name":"b"}]"#,
                Directive::Say(Say::Calls(vec![tool("a", r#"{"x":1}"#), tool("b", "{}")])),
            ),
            ("sim:repeat 3 ab", text("ab ab ab")),
            ("sim:raw aGk=", Directive::Say(Say::Raw(Bytes::from_static(b"hi")))),
            (
                "sim:error 503",
                Directive::Say(Say::Error { status: StatusCode::SERVICE_UNAVAILABLE, retry_after: None }),
            ),
            (
                "sim:error 429 retry-after=1.5",
                Directive::Say(Say::Error {
                    status: StatusCode::TOO_MANY_REQUESTS,
                    retry_after: Some("1.5".to_owned()),
                }),
            ),
            ("sim:hang", Directive::Say(Say::Hang)),
            ("sim:think step by step", Directive::Manner(Manner::Think("step by step".to_owned()))),
            ("sim:delay 20", Directive::Manner(Manner::Delay(Duration::from_millis(20)))),
            ("sim:delay 200ms", Directive::Manner(Manner::Delay(Duration::from_millis(200)))),
            ("sim:pace 2s", Directive::Manner(Manner::Pace(Duration::from_secs(2)))),
            ("sim:chunk 1", Directive::Manner(Manner::Chunk(1))),
            ("sim:disconnect after=3", Directive::Manner(Manner::Disconnect { after: 3 })),
            ("sim:disconnect", Directive::Manner(Manner::Disconnect { after: 1 })),
            ("sim:stall after=0", Directive::Manner(Manner::Stall { after: 0 })),
            ("sim:garbage", Directive::Manner(Manner::Garbage)),
            ("sim:gzip", Directive::Manner(Manner::Gzip)),
            ("sim:nousage", Directive::Manner(Manner::NoUsage)),
            (
                "sim:fail 2 500",
                Directive::Manner(Manner::Fail { times: 2, status: StatusCode::INTERNAL_SERVER_ERROR }),
            ),
            ("sim:turn 2 text done", Directive::At(2, Box::new(text("done")))),
            ("sim:turn 0 sim:text done", Directive::At(0, Box::new(text("done")))),
        ] {
            assert_eq!(all_in(line), Ok(vec![directive]), "{line}");
        }
    }

    #[test]
    fn what_only_looks_like_a_directive_is_none() {
        for line in [
            "",
            "sim:",
            "sim: text",
            "sim:texts",
            "sim:unknown 1",
            "a-sim:text b",
            "xsim:text",
            "--upstream sim:",
            "SIM:text",
        ] {
            assert!(!any_in(line), "{line}");
            assert_eq!(all_in(line), Ok(vec![]), "{line}");
        }
    }

    #[test]
    fn an_incomplete_directive_is_an_error_that_names_it() {
        for (line, message) in [
            ("sim:tool", "sim:tool needs the name of a tool, then its arguments as a JSON object"),
            ("sim:tool a [1]", "sim:tool needs a JSON object as the arguments of a"),
            ("sim:error 200", "sim:error needs a status from 400 to 599, not \"200\""),
            ("sim:error 429 retry-after=x", "sim:error needs seconds after retry-after=, not \"x\""),
            ("sim:repeat 3", "sim:repeat needs a number and a word"),
            ("sim:repeat 99999999 word", "sim:repeat makes at most 16777216 bytes"),
            ("sim:chunk x", "sim:chunk needs a number, not \"x\""),
            ("sim:turn 1", "sim:turn needs a number and a directive"),
            ("sim:turn 1 turn 2 text x", "sim:turn can't hold another turn"),
        ] {
            assert_eq!(all_in(line).unwrap_err().to_string(), message);
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "(sim:[a-z]{0,9}[ =a-z0-9{\\[\"]{0,20}\n?){0,4}") {
            let _ = all_in(&text);
        }
    }
}

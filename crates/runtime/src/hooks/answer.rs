//! What webhooks and commands say, as JSON.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::{HookAnswer, HookFailed, Moment};

/// An answer as it is written. Nothing at all, and an object without a decision, is none.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Written {
    decision: Decision,
    reason: Option<String>,
    arguments: Option<Value>,
    result: Option<Value>,
    is_error: bool,
    text: Option<String>,
    system: Option<String>,
    messages: Option<Value>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Decision {
    #[default]
    Pass,
    Ask,
    Deny,
    Answer,
    Rewrite,
}

/// Reads an answer.
///
/// # Errors
/// When it is none, or none that can be given at this moment.
pub(super) fn read(moment: Moment, text: &[u8]) -> Result<HookAnswer, HookFailed> {
    if text.trim_ascii().is_empty() || moment == Moment::MessagesChanged {
        return Ok(HookAnswer::Pass);
    }
    let written: Written = serde_json::from_slice(text)
        .map_err(|error| HookFailed(format!("its answer can't be read: {error}")))?;
    let reason = || written.reason.clone().unwrap_or_else(|| "no reason was given".to_owned()).into();
    let is_before_tool = moment == Moment::PreTool;
    match written.decision {
        Decision::Pass => Ok(HookAnswer::Pass),
        Decision::Ask if is_before_tool => Ok(HookAnswer::Ask { reason: reason() }),
        Decision::Ask => Err(HookFailed("people can be asked before tools only".to_owned())),
        Decision::Deny => Ok(HookAnswer::Deny { reason: reason() }),
        Decision::Answer => {
            let (field, with) = match moment {
                Moment::PreTool | Moment::PostTool => ("result", written.result),
                _ => ("text", written.text.map(Value::String)),
            };
            Ok(HookAnswer::Answer { with: with.ok_or_else(|| lacks(field))?, is_error: written.is_error })
        }
        Decision::Rewrite => {
            let (field, with) = match moment {
                Moment::PreTool => ("arguments", written.arguments.filter(Value::is_object)),
                Moment::PostTool => ("result", written.result),
                Moment::PreModel => ("system or messages", request(written.system, written.messages)),
                _ => ("text", written.text.map(Value::String)),
            };
            Ok(HookAnswer::Rewrite { with: with.ok_or_else(|| lacks(field))? })
        }
    }
}

fn request(system: Option<String>, messages: Option<Value>) -> Option<Value> {
    let fields = [("system", system.map(Value::String)), ("messages", messages)];
    let fields: Map<_, _> =
        fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect();
    if fields.is_empty() { None } else { Some(Value::Object(fields)) }
}

fn lacks(field: &str) -> HookFailed {
    HookFailed(format!("its answer lacks {field}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_answer_is_what_its_moment_has_room_for() {
        use Moment::{MessagesChanged, PostModel, PostTool, PreModel, PreTool};
        let deny = HookAnswer::Deny { reason: "no".into() };
        let answer = |with| HookAnswer::Answer { with, is_error: false };
        for (moment, text, expected) in [
            (PreTool, "", Some(HookAnswer::Pass)),
            (PreTool, "{}", Some(HookAnswer::Pass)),
            (PreTool, r#"{"decision":"deny","reason":"no"}"#, Some(deny.clone())),
            (PreTool, r#"{"decision":"answer","result":{"a":1}}"#, Some(answer(json!({"a": 1})))),
            (
                PreTool,
                r#"{"decision":"rewrite","arguments":{"a":1}}"#,
                Some(HookAnswer::Rewrite { with: json!({"a": 1}) }),
            ),
            (PreTool, r#"{"decision":"rewrite","arguments":[1]}"#, None),
            (PreTool, r#"{"decision":"dney"}"#, None),
            (PreTool, r#"{"verdict":"deny"}"#, None),
            (PreTool, "no JSON", None),
            (PostTool, r#"{"decision":"ask"}"#, None),
            (PreModel, r#"{"decision":"rewrite"}"#, None),
            (
                PreModel,
                r#"{"decision":"rewrite","system":"s"}"#,
                Some(HookAnswer::Rewrite { with: json!({"system": "s"}) }),
            ),
            (PreModel, r#"{"decision":"answer","text":"t"}"#, Some(answer(json!("t")))),
            (PostModel, r#"{"decision":"deny","reason":"no"}"#, Some(deny)),
            (MessagesChanged, "thank you", Some(HookAnswer::Pass)),
        ] {
            assert_eq!(read(moment, text.as_bytes()).ok(), expected, "{moment:?} {text}");
        }
    }
}

//! Tools by their names: what they may be called with, and what becomes of a call whatever the tool does.

use std::sync::Arc;
use std::time::Duration;

use seawall_engine::{Block, EffectClass, ToolSpec};
use seawall_policy::Declared;
use seawall_tools::{
    BoxFuture, Call, Description, Outcome, RESULT_BYTES, RegisterError, Registry, Tool, built_in,
};
use serde_json::{Value, json};

use crate::support::{Agent, Attempt, words};

/// A tool that does what its test wants.
#[derive(Debug)]
struct Scripted {
    description: Description,
    act: Act,
}

#[derive(Debug, Clone, Copy)]
enum Act {
    Say(&'static str, usize),
    Panic,
    PanicAtOnce,
    Hang,
    TellWhenStopped,
}

fn scripted(name: &str, parameters: Value, act: Act) -> Arc<dyn Tool> {
    let spec = ToolSpec { mutates: Some(true), timeout: Duration::from_millis(300), ..ToolSpec::default() };
    let description = Description {
        name: name.into(),
        description: "does what its test wants".into(),
        parameters: Arc::new(parameters),
        spec,
        effects: Declared::Nothing,
        manual: Some(format!("How to use {name}.").into()),
    };
    Arc::new(Scripted { description, act })
}

fn any() -> Value {
    json!({ "type": "object" })
}

impl Tool for Scripted {
    fn description(&self) -> &Description {
        &self.description
    }

    fn call<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Outcome> {
        assert!(!matches!(self.act, Act::PanicAtOnce), "on purpose");
        Box::pin(async move {
            match self.act {
                Act::Say(text, times) => Outcome::text(text.repeat(times)),
                Act::Panic | Act::PanicAtOnce => panic!("on purpose"),
                Act::Hang => std::future::pending().await,
                Act::TellWhenStopped => {
                    call.cancel.cancelled().await;
                    Outcome::error("came as far as here")
                }
            }
        })
    }
}

#[test]
fn every_built_in_tool_can_be_registered_and_says_what_it_is() {
    let registry = Registry::with(built_in()).unwrap();
    let classes: Vec<_> =
        registry.specs().iter().map(|(name, spec)| (name.to_string(), spec.effect)).collect();
    let expected = [
        ("bash_kill", EffectClass::Idempotent),
        ("bash_logs", EffectClass::Pure),
        ("bash_run", EffectClass::Unsafe),
        ("fs_edit", EffectClass::Reconcilable),
        ("fs_glob", EffectClass::Pure),
        ("fs_grep", EffectClass::Pure),
        ("fs_multi_edit", EffectClass::Reconcilable),
        ("fs_read", EffectClass::Pure),
        ("fs_write", EffectClass::Idempotent),
        ("todo_read", EffectClass::Pure),
        ("todo_write", EffectClass::Idempotent),
    ];
    assert_eq!(classes, expected.map(|(name, class)| (name.to_owned(), class)));
    for tool in registry.descriptions() {
        assert!(tool.spec.mutates.is_some() && tool.description.ends_with('.'), "{}", tool.name);
        for (name, property) in tool.parameters["properties"].as_object().unwrap() {
            assert!(property["description"].is_string(), "{} does not say what {name} is", tool.name);
        }
    }
}

#[test]
fn a_name_is_taken_once_and_every_provider_takes_it() {
    let mut registry = Registry::with([scripted("a", any(), Act::Hang)]).unwrap();
    let again = registry.register(scripted("a", any(), Act::Hang));
    assert_eq!(again, Err(RegisterError::Duplicate("a".into())));
    for name in ["", "a b", "a.b", "ä", &"x".repeat(65)] {
        let refused = registry.register(scripted(name, any(), Act::Hang));
        assert!(matches!(refused, Err(RegisterError::Name(_))), "{name}");
    }
    assert_eq!(registry.descriptions().len(), 1);
}

#[test]
fn parameters_that_are_no_schema_are_refused_when_the_tool_is_registered() {
    for parameters in [
        json!([]),
        json!({ "type": "string" }),
        json!({ "properties": { "a": { "type": "strin" } } }),
        json!({ "$ref": "http://127.0.0.1:1/schema" }),
    ] {
        let refused = Registry::with([scripted("a", parameters.clone(), Act::Hang)]);
        assert!(matches!(refused, Err(RegisterError::Schema { .. })), "{parameters}");
    }
}

#[test]
fn tools_are_selected_by_names_and_patterns() {
    let all = Registry::with(built_in()).unwrap();
    let names = |wanted: &[&str]| -> Result<Vec<String>, String> {
        let selected = all.select(wanted).map_err(|error| error.to_string())?;
        Ok(selected.descriptions().map(|tool| tool.name.to_string()).collect())
    };
    assert_eq!(names(&["*"]).unwrap().len(), all.descriptions().len());
    assert_eq!(names(&["todo_*", "fs_read", "fs_read"]).unwrap(), ["fs_read", "todo_read", "todo_write"]);
    assert_eq!(names(&[]).unwrap(), [""; 0]);
    assert_eq!(names(&["fs_reed"]).unwrap_err(), "there is no tool fs_reed; did you mean fs_read?");
    assert_eq!(names(&["web_*"]).unwrap_err(), "there is no tool web_*");
    assert!(names(&["a*b*"]).unwrap_err().contains("one `*`"));
}

#[test]
fn manuals_are_the_same_however_often_they_are_asked_for() {
    let registry =
        Registry::with([scripted("a", any(), Act::Hang), scripted("b", any(), Act::Hang)]).unwrap();
    let manual = registry.manual();
    assert_eq!(manual, "### Tools\n\n**a**: How to use a.\n\n**b**: How to use b.\n");
    assert_eq!(registry.manual(), manual);
    assert_eq!(Registry::new().manual(), "");
}

#[test]
fn a_schema_reaches_models_as_it_was_written() {
    let parameters = json!({
        "type": "object",
        "properties": { "tags": { "type": "array", "items": { "enum": ["a", "b"], "description": "one tag" } } },
        "x-ours": [1, null],
    });
    let registry = Registry::with([scripted("a", parameters.clone(), Act::Hang)]).unwrap();
    assert_eq!(*registry.get("a").unwrap().description().parameters, parameters);
}

#[tokio::test]
async fn arguments_that_do_not_fit_are_told_so_that_a_model_can_mend_them() {
    let agent = Agent::new();
    for (tool, arguments, expected) in [
        ("fs_read", json!({}), "- \"path\" is a required property"),
        ("fs_read", json!({ "path": 5 }), "- /path: 5 is not of type \"string\""),
        ("fs_read", json!({ "path": "a", "ofset": 3 }), "did you mean offset?"),
        ("fs_read", json!("a"), "must be a JSON object, not a string"),
        (
            "todo_write",
            json!({ "todos": [{ "id": "1", "title": "t", "status": "doing" }] }),
            "- /todos/0/status: \"doing\" is not one of \"pending\"",
        ),
        ("fs_reed", json!({}), "there is no tool \"fs_reed\"; did you mean fs_read?"),
    ] {
        let said = agent.error(tool, arguments).await;
        assert!(said.contains(expected), "{said}");
    }
    let many = json!({ "edits": vec![json!({ "path": "x".repeat(5_000) }); 50] });
    let said = agent.error("fs_multi_edit", many).await;
    assert!(said.contains("and 95 more") && said.len() < 4_000, "{said}");
}

#[tokio::test]
async fn arguments_with_lists_of_texts_are_taken() {
    let parameters = json!({ "type": "object", "properties": { "tags": { "type": "array", "items": { "type": "string" } } } });
    let agent = Agent::with(vec![scripted("a", parameters, Act::Say("fine", 1))], |_| {});
    let outcome = agent.outcome("a", json!({ "tags": ["x", "y"] }), Attempt::FIRST).await;
    assert_eq!(words(&outcome), "fine");
}

#[tokio::test]
async fn a_tool_that_panics_takes_nothing_else_down() {
    for act in [Act::Panic, Act::PanicAtOnce] {
        let agent = Agent::with(vec![scripted("a", any(), act)], |_| {});
        assert!(agent.error("a", json!({})).await.contains("by a fault of its own"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_tool_ends_when_its_time_is_up_whether_it_listens_or_not() {
    let tools = vec![scripted("deaf", any(), Act::Hang), scripted("good", any(), Act::TellWhenStopped)];
    let agent = Agent::with(tools, |_| {});
    let begun = tokio::time::Instant::now();
    assert_eq!(
        agent.error("deaf", json!({})).await,
        "not done within 0.3s; it may have taken effect in part"
    );
    assert!(begun.elapsed() < Duration::from_secs(3));
    assert_eq!(agent.error("good", json!({})).await, "came as far as here");
}

#[tokio::test(start_paused = true)]
async fn a_tool_ends_when_nobody_wants_it_any_more() {
    let agent = Agent::with(vec![scripted("deaf", any(), Act::Hang)], |_| {});
    let (said, ()) = tokio::join!(agent.error("deaf", json!({})), async { agent.cancel.cancel() });
    assert_eq!(said, "interrupted; it may have taken effect in part");
}

#[tokio::test]
async fn what_was_interrupted_before_it_began_does_nothing() {
    let agent = Agent::new();
    agent.cancel.cancel();
    let said = agent.error("fs_write", json!({ "path": "a", "content": "b" })).await;
    assert_eq!(said, "interrupted before it began; nothing was done");
    assert!(!agent.path("a").exists());
}

#[tokio::test]
async fn a_result_of_ten_megabytes_is_cut_and_kept_whole_where_it_can_be_read() {
    let mut tools = built_in();
    tools.push(scripted("long", any(), Act::Say("Zeile für Zeile\n", 640_000)));
    let agent = Agent::with(tools, |_| {});
    let outcome = agent.outcome("long", json!({}), Attempt::of_step(4)).await;
    let text = words(&outcome);
    assert!(text.len() <= RESULT_BYTES && text.starts_with("Zeile für") && text.ends_with("für Zeile\n"));
    assert!(matches!(&outcome.result.content[..], [Block::Text { .. }]));
    let (_, told) = text.split_once("the whole is in ").unwrap();
    let path = told.split(';').next().unwrap();
    let page = agent.ok("fs_read", json!({ "path": path, "offset": 639_999 })).await;
    assert_eq!((&page["totalLines"], &page["truncated"]), (&json!(640_000), &json!(false)));
    let said = agent.error("fs_write", json!({ "path": path, "content": "x" })).await;
    assert!(said.contains("read-only"), "{said}");
}

//! Functions that are tools: what models are shown of them, what they are called with, and what comes of a call.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use schemars::JsonSchema;
use seawall_engine::{EffectClass, Found, ToolResult, ToolSpec};
use seawall_policy::{Declared, Meaning};
use seawall_tools::{Call, Registry, Tool, tool};
use seawall_types::Effect;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::support::{Agent, Attempt, words};

/// How it is paid back.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Way {
    Card,
    BankTransfer,
}

/// A line of an order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
struct Line {
    /// What was bought.
    article: String,
    /// How many of it.
    #[schemars(range(min = 1, max = 99))]
    count: u8,
}

#[derive(Debug, Serialize)]
struct Refund {
    order: u64,
    way: Way,
    lines: Vec<Line>,
    note: Option<String>,
}

/// What was paid back, by the key of the call.
#[derive(Debug, Default)]
struct Bank(Mutex<HashMap<String, u64>>);

/// Pays an order back,
/// or some lines of it.
///
/// Never more than was paid.
#[expect(clippy::too_many_arguments, reason = "one of each kind")]
#[tool(
    effect = "reconcilable",
    reconcile = was_refunded,
    timeout = "1500ms",
    means(note = "text", receipt = "fs_write"),
    manual = "Ask before you pay back."
)]
async fn refund_order(
    #[state] bank: &Bank,
    /// The order's number.
    order: u64,
    way: Way,
    /// Which lines; all of them, where none are named.
    #[serde(default)]
    lines: Vec<Line>,
    note: Option<String>,
    /// Where the receipt goes.
    receipt: Option<String>,
    call: &Call<'_>,
) -> Result<Refund, std::io::Error> {
    let _unused = receipt;
    if order == 13 {
        return Err(std::io::Error::other("the bank refuses 13"));
    }
    bank.0.lock().unwrap().insert(call.key.to_owned(), order);
    Ok(Refund { order, way, lines, note })
}

#[expect(clippy::unused_async, clippy::too_many_arguments, reason = "it takes what the tool takes")]
async fn was_refunded(
    bank: &Bank,
    order: u64,
    way: Way,
    lines: Vec<Line>,
    note: Option<String>,
    _receipt: Option<String>,
    call: &Call<'_>,
) -> Result<Option<Refund>, String> {
    if order == 99 {
        return Err("the bank does not answer".to_owned());
    }
    let done = bank.0.lock().unwrap().get(call.key).copied();
    Ok(done.map(|order| Refund { order, way, lines, note }))
}

/// Says hello.
#[tool(name = "hello-there")]
async fn greet(r#type: String, mut times: u8) -> Result<String, std::convert::Infallible> {
    times = times.saturating_add(1);
    let name = r#type;
    Ok(format!("{name} x{times}"))
}

/// A point, whose check no schema can say.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, try_from = "Raw")]
#[schemars(with = "Raw")]
struct Point {
    x: i32,
    y: i32,
}

#[derive(Deserialize, JsonSchema)]
struct Raw {
    /// To the right.
    x: i32,
    /// Upwards.
    y: i32,
}

impl TryFrom<Raw> for Point {
    type Error = String;

    fn try_from(Raw { x, y }: Raw) -> Result<Self, String> {
        if x == y { Err("it lies on the diagonal".to_owned()) } else { Ok(Self { x, y }) }
    }
}

/// Mirrors a point.
#[tool(effect = "pure")]
async fn mirror(#[arguments] point: Point) -> Result<Point, String> {
    Ok(Point { x: point.y, y: point.x })
}

/// Does nothing.
#[tool(effect = "idempotent", timeout = "2h")]
async fn rest() -> Result<HashMap<Vec<u8>, u8>, String> {
    // JSON has no such keys.
    Ok(HashMap::from([(vec![1], 1)]))
}

fn agent() -> Agent {
    Agent::with(tools(), |_| {})
}

fn tools() -> Vec<Arc<dyn Tool>> {
    let refund = RefundOrder { bank: Bank::default() };
    vec![Arc::new(refund), Arc::new(Greet), Arc::new(Mirror), Arc::new(Rest)]
}

#[test]
fn descriptions_enums_and_nested_types_stay_in_the_schema() {
    let refund = RefundOrder { bank: Bank::default() };
    let known = refund.description();
    assert_eq!(&*known.name, "refund_order");
    assert_eq!(&*known.description, "Pays an order back, or some lines of it.\n\nNever more than was paid.");
    let line = json!({
        "description": "A line of an order.",
        "type": "object",
        "properties": {
            "article": { "description": "What was bought.", "type": "string" },
            "count": { "description": "How many of it.", "type": "integer", "minimum": 1, "maximum": 99 },
        },
        "required": ["article", "count"],
    });
    let expected = json!({
        "type": "object",
        "properties": {
            "order": { "description": "The order's number.", "type": "integer", "minimum": 0 },
            "way": { "description": "How it is paid back.", "type": "string", "enum": ["card", "bank_transfer"] },
            "lines": {
                "description": "Which lines; all of them, where none are named.",
                "type": "array", "items": line, "default": [],
            },
            "note": { "type": ["string", "null"] },
            "receipt": { "description": "Where the receipt goes.", "type": ["string", "null"] },
        },
        "required": ["order", "way"],
        "additionalProperties": false,
    });
    assert_eq!(*known.parameters, expected, "{:#}", known.parameters);
    let names: Vec<_> = known.parameters["properties"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(names, ["order", "way", "lines", "note", "receipt"], "in the function's order");
    assert_eq!(Greet.description().parameters["required"], json!(["type", "times"]));
    assert_eq!(Mirror.description().parameters["properties"]["y"]["description"], "Upwards.");
}

#[test]
fn what_is_declared_is_what_the_engine_and_the_policy_go_by() {
    let known = Registry::with(tools()).unwrap();
    let spec = |name: &str| known.specs()[name].clone();
    let refund = spec("refund_order");
    assert_eq!((refund.effect, refund.mutates), (EffectClass::Reconcilable, Some(true)));
    assert_eq!(refund.timeout, Duration::from_millis(1_500));
    assert_eq!(spec("hello-there"), ToolSpec::default(), "what is not declared may be anything");
    let mirror = spec("mirror");
    assert_eq!((mirror.effect, mirror.mutates), (EffectClass::Pure, Some(false)));
    assert_eq!(spec("rest").timeout, Duration::from_hours(2));
    let meanings =
        [("note".to_owned(), Meaning::Text), ("receipt".to_owned(), Meaning::Touches(Effect::FsWrite))];
    let effects = &known.get("refund_order").unwrap().description().effects;
    assert_eq!(*effects, Declared::Members(meanings.into()));
    assert!(known.manual().contains("**refund_order**: Ask before you pay back."));
}

#[tokio::test]
async fn a_call_reads_typed_arguments_and_writes_what_the_function_gave() {
    let agent = agent();
    let lines = json!([{ "article": "tea", "count": 2 }]);
    let arguments = json!({ "order": 7, "way": "bank_transfer", "lines": lines });
    let given = agent.ok("refund_order", arguments).await;
    assert_eq!(given, json!({ "order": 7, "way": "bank_transfer", "lines": lines, "note": null }));
    let said = agent.outcome("hello-there", json!({ "type": "Ann", "times": 1 }), Attempt::FIRST).await;
    assert_eq!(words(&said), "Ann x2", "a text is words, not JSON");
    assert_eq!(agent.ok("mirror", json!({ "x": 1, "y": 2 })).await, json!({ "x": 2, "y": 1 }));
}

#[tokio::test]
async fn arguments_that_do_not_fit_never_reach_the_function() {
    let agent = agent();
    for (tool, arguments, fault) in [
        ("refund_order", json!({ "order": 7, "way": "cash" }), "\"cash\""),
        ("refund_order", json!({ "order": -7, "way": "card" }), "/order"),
        ("refund_order", json!({ "order": 7, "way": "card", "note": 1 }), "/note"),
        ("refund_order", json!({ "order": 7, "way": "card", "nots": "x" }), "did you mean note?"),
        ("refund_order", json!({ "order": 7, "way": "card", "bank": "mine" }), "'bank' was unexpected"),
        (
            "refund_order",
            json!({ "order": 7, "way": "card", "lines": [{ "article": "tea", "count": 0 }] }),
            "/lines/0/count",
        ),
        ("refund_order", json!({ "way": "card" }), "\"order\" is a required property"),
        // What no schema says is said by the type.
        ("mirror", json!({ "x": 1, "y": 1 }), "it lies on the diagonal"),
        ("mirror", json!({ "x": 1, "y": 4_294_967_296_u64 }), "4294967296"),
    ] {
        let said = agent.error(tool, arguments).await;
        assert!(
            said.starts_with(&format!(
                "the arguments do not fit the parameters of {tool}, so nothing was done:\n- "
            )) && said.contains(fault),
            "{said}"
        );
    }
}

#[tokio::test]
async fn a_function_that_fails_tells_its_error() {
    let agent = agent();
    assert_eq!(
        agent.error("refund_order", json!({ "order": 13, "way": "card" })).await,
        "the bank refuses 13"
    );
    let said = agent.error("rest", json!({})).await;
    assert!(said.contains("it was done, but what it gave can't be written"), "{said}");
}

#[tokio::test]
async fn a_reconcilable_function_is_asked_with_the_same_arguments_and_key() {
    let agent = agent();
    let arguments = json!({ "order": 7, "way": "card" });
    let found = agent.reconcile("refund_order", arguments.clone(), Attempt::FIRST).await;
    assert_eq!(found, Found::NotDone);
    let done = agent.outcome("refund_order", arguments.clone(), Attempt::FIRST).await;
    let found = agent.reconcile("refund_order", arguments.clone(), Attempt::FIRST.again()).await;
    assert_eq!(found, Found::Done { result: ToolResult { is_error: false, ..done.result } });
    let other = agent.reconcile("refund_order", arguments, Attempt::of_step(9)).await;
    assert_eq!(other, Found::NotDone, "another call");
    let unclear =
        agent.reconcile("refund_order", json!({ "order": 99, "way": "card" }), Attempt::FIRST).await;
    assert_eq!(unclear, Found::Unknown);
}

#[tokio::test]
async fn the_function_itself_stays_what_it_was() {
    assert_eq!(greet("Bob".to_owned(), 0).await, Ok("Bob x1".to_owned()));
    let shown: Value = serde_json::to_value(mirror(Point { x: 1, y: 2 }).await.unwrap()).unwrap();
    assert_eq!(shown, json!({ "x": 2, "y": 1 }));
}

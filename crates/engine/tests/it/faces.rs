//! What clients are told: the peer's channels, types and fields, each with a number of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use seawall_engine::{
    Block, Channel, Compress, Compressed, Event, Fact, FailureClass, Interrupt, Judgement, ModelFailed,
    ModelFailure, Note, Part, Ruling, SetSchedule, SetTodos, SetTools, StreamKind, Streamed, Tell, Todo,
    TodoStatus, ToolFinished, ToolResult, Trigger, Wake, project,
};
use serde_json::{Value, json};

use crate::stage::{Stage, answered, call, config, gave, judged, said, send, text, wish};

fn told(log: &[Event]) -> Vec<Value> {
    log.iter().flat_map(project).map(|face| serde_json::to_value(face).unwrap()).collect()
}

/// Type and channel of what was told, without what says only where the agent is.
fn types(log: &[Event]) -> Vec<String> {
    let told = log.iter().flat_map(project).map(|face| face.event.kind().to_owned());
    told.filter(|kind| !["breakpoint_changed", "state_changed", "agent_claimed"].contains(&kind.as_str()))
        .collect()
}

#[test]
fn a_turn_is_told_as_the_peer_tells_it() {
    let mut stage = Stage::asked(config());
    let part = Part::Delta { stream: StreamKind::Text, text: "I lo".into() };
    stage.give(Streamed { step: 1, attempt: 1, part });
    stage.give(answered(1, 1, vec![text("I look"), wish("pure")]));
    stage.give(judged(call(1, 1), Judgement::Ask { summary: "why".into() }));
    stage.give(said(call(1, 1), Ruling::Allow));
    stage.give(judged(call(1, 1), Judgement::Proceed));
    stage.give(gave(call(1, 1), 1, "r"));
    stage.give(answered(2, 1, vec![text("done")]));
    let expected = [
        "message_received",
        "step_started",
        "text_chunk_start",
        "text_chunk",
        "text_chunk_end",
        "token_usage",
        "permission_required",
        "permission_decided",
        "tool:start",
        "tool:end",
        "tool_executed",
        "step_complete",
        "step_started",
        "text_chunk_start",
        "text_chunk_end",
        "token_usage",
        "step_complete",
        "done",
    ];
    assert_eq!(types(&stage.log), expected);
}

#[test]
fn an_envelope_has_cursor_bookmark_and_event() {
    let mut stage = Stage::running(config(), &["pure"]);
    stage.give(gave(call(1, 1), 1, "r"));
    let told = told(&stage.log);
    let end = told.iter().find(|told| told["event"]["type"] == "tool:end").unwrap();
    let (seq, timestamp) = (end["cursor"].clone(), "2023-11-14T22:13:25.000000Z");
    assert_eq!(
        *end,
        json!({
            "cursor": seq,
            "bookmark": {"seq": seq, "timestamp": timestamp},
            "event": {
                "channel": "progress",
                "type": "tool:end",
                "call": {
                    "id": "call_1_1", "name": "pure", "state": "completed", "inputPreview": "{\"n\":1}",
                    "result": [{"type": "text", "text": "r"}], "isError": false,
                    "startedAt": "2023-11-14T22:13:24.000000Z", "completedAt": timestamp, "durationMs": 1000,
                },
                "bookmark": {"seq": seq, "timestamp": timestamp},
            },
        })
    );
    let moved = told.iter().rfind(|told| told["event"]["type"] == "breakpoint_changed").unwrap();
    assert_eq!(moved["event"]["previous"], "POST_TOOL");
    assert_eq!(moved["event"]["current"], "PRE_MODEL");
    let states: Vec<_> = told.iter().filter_map(|told| told["event"]["state"].as_str()).collect();
    assert_eq!(states, ["READY", "WORKING"]);
}

#[test]
fn every_end_of_a_turn_is_told_and_why() {
    let last = |stage: &Stage| {
        let told = told(&stage.log);
        let done = told.iter().rfind(|told| told["event"]["type"] == "done").unwrap();
        done["event"]["reason"].as_str().unwrap().to_owned()
    };
    let mut stage = Stage::asked(config());
    stage.give(answered(1, 1, vec![text("x")]));
    assert_eq!(last(&stage), "completed");
    stage.give(send("m2", "x"));
    stage.give(Interrupt { by: "ann".into(), note: None });
    assert_eq!(last(&stage), "interrupted");
    stage.give(send("m3", "x"));
    let failure = ModelFailure { class: FailureClass::RateLimit, message: "too many".into() };
    stage.give(ModelFailed { step: 3, attempt: 1, failure, spent: None });
    assert_eq!(last(&stage), "failed");
    let told = told(&stage.log);
    let error = told.iter().rfind(|told| told["event"]["type"] == "error").unwrap();
    assert_eq!(error["event"]["severity"], "error");
    assert_eq!(error["event"]["phase"], "model");
    assert_eq!(error["event"]["detail"], json!({"class": "rate_limit"}));
}

/// The peer's table: what its users subscribe to.
const PEER: [(&str, &str); 26] = [
    ("think_chunk_start", "progress"),
    ("think_chunk", "progress"),
    ("think_chunk_end", "progress"),
    ("text_chunk_start", "progress"),
    ("text_chunk", "progress"),
    ("text_chunk_end", "progress"),
    ("tool:start", "progress"),
    ("tool:end", "progress"),
    ("tool:error", "progress"),
    ("done", "progress"),
    ("permission_required", "control"),
    ("permission_decided", "control"),
    ("state_changed", "monitor"),
    ("breakpoint_changed", "monitor"),
    ("step_complete", "monitor"),
    ("error", "monitor"),
    ("token_usage", "monitor"),
    ("tool_executed", "monitor"),
    ("agent_resumed", "monitor"),
    ("todo_changed", "monitor"),
    ("todo_reminder", "monitor"),
    ("file_changed", "monitor"),
    ("reminder_sent", "monitor"),
    ("context_compression", "monitor"),
    ("scheduler_triggered", "monitor"),
    ("tool_custom_event", "monitor"),
];

#[test]
fn every_type_of_the_peer_is_told_on_its_channel() {
    let seen: BTreeMap<String, String> = everything()
        .iter()
        .flat_map(project)
        .map(|face| (face.event.kind().to_owned(), face.event.channel().as_str().to_owned()))
        .collect();
    for (kind, channel) in
        PEER.into_iter().chain([("tool_manual_updated", "monitor"), ("skills_metadata_updated", "monitor")])
    {
        assert_eq!(seen.get(kind).map(String::as_str), Some(channel), "{kind}");
    }
    assert_eq!(Channel::ALL.len(), 3);
}

#[test]
fn numbers_begin_with_one_and_none_is_left_out() {
    let numbers: Vec<_> = everything().iter().flat_map(project).map(|face| face.bookmark.seq).collect();
    let last = *numbers.last().unwrap();
    let missing: BTreeSet<_> = (1..=last).filter(|number| !numbers.contains(number)).collect();
    // The crash in the middle of an answer skips what may have been shown.
    assert!(missing.is_empty() || missing.len() > 1_000);
    assert!(numbers.is_sorted_by(|one, next| one < next));
}

/// A life in which everything happens.
pub(crate) fn everything() -> Vec<Event> {
    let mut stage = Stage::asked(config());
    let think = Part::Delta { stream: StreamKind::Think, text: "hm".into() };
    stage.give(Streamed { step: 1, attempt: 1, part: think });
    let thought = Block::Reasoning { text: "hm".into(), meta: None };
    stage.give(Streamed { step: 1, attempt: 1, part: Part::Whole(thought) });
    let words = Part::Delta { stream: StreamKind::Text, text: "I".into() };
    stage.give(Streamed { step: 1, attempt: 1, part: words });
    stage.claim();
    stage.give(answered(1, 2, vec![text("I look"), wish("unsafe"), wish("pure")]));
    stage.give(judged(call(1, 1), Judgement::Ask { summary: "why".into() }));
    stage.give(said(call(1, 1), Ruling::Allow));
    stage.give(judged(call(1, 1), Judgement::Proceed));
    stage.give(judged(call(1, 2), Judgement::Proceed));
    stage.give(ToolFinished {
        call: call(1, 2),
        attempt: 1,
        result: ToolResult::error("broken"),
        spent: None,
    });
    stage.claim();
    stage.give(answered(2, 1, vec![wish("keyed"), wish("pure")]));
    stage.give(judged(call(2, 1), Judgement::Proceed));
    stage.give(gave(call(2, 1), 1, "r"));
    stage.give(Interrupt { by: "ann".into(), note: Some("enough".into()) });
    let todo = Todo {
        id: "t".into(),
        title: "write".into(),
        status: TodoStatus::InProgress,
        assignee: None,
        notes: None,
    };
    stage.give(SetTodos { todos: Arc::new([todo.clone()]) });
    for note in notes(todo) {
        stage.give(Tell { note });
    }
    let at = stage.now;
    stage.give(SetSchedule { id: "s".into(), trigger: Trigger::Time { at }, text: "mind".into() });
    stage.give(Wake);
    stage.give(answered(3, 1, vec![text("ok")]));
    question(&mut stage);
    let reminder = seawall_engine::MessageKind::Reminder;
    stage.give(seawall_engine::SendMessage { kind: reminder, ..send("r", "mind you") });
    stage.give(SetTools { tools: Arc::default() });
    for turn in 4..12 {
        stage.give(send(&format!("m{turn}"), "more"));
        let step = stage.agent.steps();
        stage.give(answered(step, 1, vec![text("yes")]));
    }
    stage.give(Compress);
    let id = stage.log.last().unwrap().seq;
    stage.give(Compressed { id, summary: Ok("it was long".into()), spent: None });
    stage.log
}

/// A question in a step of its own, which the turn doesn't outlive.
fn question(stage: &mut Stage) {
    stage.give(send("q", "ask"));
    let step = stage.agent.steps();
    stage.give(answered(step, 1, vec![wish("pure")]));
    stage.give(judged(call(step, 1), Judgement::Ask { summary: "why".into() }));
    stage.give(said(call(step, 1), Ruling::Allow));
    stage.give(Interrupt { by: "ann".into(), note: None });
}

fn notes(todo: Todo) -> Vec<Note> {
    vec![
        Note::ToolCustomEvent { tool: "pure".into(), event: "half".into(), data: Some(Arc::new(json!(50))) },
        Note::FileChanged { path: "a.txt".into(), changed_at: crate::stage::START, content: Arc::default() },
        Note::SkillsMetadataUpdated { skills: Arc::new(["s".into()]) },
        Note::TodoReminder { todos: Arc::new([todo]), reason: "interval".into(), content: Arc::default() },
        Note::Error { message: "odd".into() },
    ]
}

#[test]
fn a_life_in_which_everything_happens_has_most_kinds_of_facts() {
    let kinds: BTreeSet<_> = everything().iter().map(|event| event.fact.kind()).collect();
    let rare = [
        "agent.archived",
        "agent.repaired",
        "history.inherited",
        "model.failed",
        "model.retried",
        "limit.reached",
        "tool.denied",
        "tool.answered",
        "tool.reviewed",
        "tool.resolved",
        "compression.failed",
        "snapshot.taken",
        "schedule.removed",
        "schedule.planned",
        "room.joined",
        "room.left",
        "room.said",
        "room.delivered",
    ];
    for kind in Fact::KINDS {
        assert!(kinds.contains(kind) || rare.contains(kind), "{kind}");
    }
}

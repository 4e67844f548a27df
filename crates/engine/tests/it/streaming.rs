//! Answers piece by piece: numbers are never given twice, and what was shown of a dead attempt is void.

use std::time::Duration;

use seawall_engine::{
    Agent, Block, Effect, Event, Fact, FailureClass, Interrupt, ModelFailure, Part, Refused, Retry,
    StreamKind, Streamed, project,
};

use crate::stage::{Stage, answered, config, send, text};

fn delta(stream: StreamKind, words: &str) -> Streamed {
    Streamed { step: 1, attempt: 1, part: Part::Delta { stream, text: words.into() } }
}

fn whole(block: Block) -> Streamed {
    Streamed { step: 1, attempt: 1, part: Part::Whole(block) }
}

fn streaming() -> Stage {
    let mut stage = Stage::asked(config());
    stage.give(delta(StreamKind::Text, "he"));
    stage.give(delta(StreamKind::Text, "llo"));
    stage
}

/// The numbers that all events together take.
fn numbers(log: &[Event]) -> Vec<u64> {
    log.iter().flat_map(|event| project(event).map(|face| face.bookmark.seq)).collect()
}

#[test]
fn a_live_client_sees_no_gap() {
    let mut stage = streaming();
    stage.give(answered(1, 1, vec![text("hello")]));
    let numbers = numbers(&stage.log);
    assert_eq!(numbers, (1..=stage.agent.seq()).collect::<Vec<_>>());
    assert_eq!(stage.roles_and_words(), ["go", "hello"]);
}

#[test]
fn a_text_that_was_streamed_stands_in_the_log_once() {
    let mut stage = streaming();
    stage.give(whole(Block::text("hello")));
    stage.give(answered(1, 1, vec![text("hello"), text("again")]));
    let log = serde_json::to_string(&stage.log).unwrap();
    assert_eq!(log.matches("\"hello\"").count(), 1);
    let last = stage.agent.history().newest_first().next().unwrap();
    assert_eq!(last.content[..], [Block::text("hello"), Block::text("again")]);
}

#[test]
fn thoughts_come_before_the_answer() {
    let mut stage = Stage::asked(config());
    let thought = Block::Reasoning { text: "hm".into(), meta: None };
    stage.give(delta(StreamKind::Think, "hm"));
    assert!(matches!(stage.refuse(delta(StreamKind::Text, "x")), Refused::Invalid(_)));
    stage.give(whole(thought.clone()));
    stage.give(delta(StreamKind::Text, "x"));
    stage.give(answered(1, 1, vec![seawall_engine::Answer::Block(thought), text("x")]));
    let types: Vec<_> = stage.log.iter().flat_map(project).map(|face| face.event.kind()).collect();
    let streamed: Vec<_> = types.into_iter().filter(|kind| kind.contains("chunk")).collect();
    assert_eq!(
        streamed,
        [
            "think_chunk_start",
            "think_chunk",
            "think_chunk_end",
            "text_chunk_start",
            "text_chunk",
            "text_chunk_end"
        ]
    );
}

#[test]
fn a_log_without_expired_pieces_makes_the_same_agent() {
    let mut stage = streaming();
    let lasting = |log: &[Event]| log.iter().filter(|event| !event.expires()).cloned().collect::<Vec<_>>();
    assert_eq!(Agent::fold(&lasting(&stage.log)).unwrap(), stage.agent.clone().settle());
    stage.give(answered(1, 1, vec![text("hello")]));
    assert!(stage.log.len() > lasting(&stage.log).len());
    assert_eq!(Agent::fold(&lasting(&stage.log)).unwrap(), stage.agent);
}

#[test]
fn numbers_of_lost_pieces_are_never_given_again() {
    let mut stage = streaming();
    let shown = stage.agent.seq();
    stage.log.retain(|event| !event.expires());
    let kept = stage.log.len();
    stage.claim();
    let next = stage.log[kept].seq;
    assert!(next > shown, "{next} comes after {shown}, which a client has seen");
    let void = |event: &Event| matches!(event.fact, Fact::StreamClosed { block: None, .. });
    assert!(stage.log[kept..].iter().any(void), "what was shown is void");
    stage.give(Streamed { attempt: 2, ..delta(StreamKind::Text, "anew") });
    stage.give(answered(1, 2, vec![text("anew")]));
    assert_eq!(stage.roles_and_words(), ["go", "anew"]);
}

#[test]
fn a_message_from_outside_gets_a_number_that_the_holder_has_not_given() {
    let mut stage = streaming();
    // Somebody else knows only what is in the log for good.
    let log: Vec<_> = stage.log.iter().filter(|event| !event.expires()).cloned().collect();
    let reader = Agent::fold(&log).unwrap();
    let outsider = seawall_engine::Authority::Outsider;
    let decision = seawall_engine::decide(&reader, send("m2", "more"), outsider, stage.now).unwrap();
    assert!(decision.events[0].seq > stage.agent.seq());
    for event in &decision.events {
        stage.agent.apply(event).unwrap();
    }
    stage.log.extend(decision.events);
    stage.give(delta(StreamKind::Text, "!"));
    let effects = stage.give(answered(1, 1, vec![text("hello!")]));
    assert!(matches!(&effects[..], [Effect::CallModel { step: 2, .. }]));
    let numbers = numbers(&stage.log);
    assert!(numbers.is_sorted_by(|one, next| one < next));
}

#[test]
fn an_interruption_voids_what_was_shown() {
    let mut stage = streaming();
    stage.give(Interrupt { by: "ann".into(), note: None });
    assert_eq!(stage.last_kinds(2), ["stream.closed", "turn.interrupted"]);
    assert_eq!(stage.roles_and_words(), ["go"]);
}

#[test]
fn an_answer_can_t_contradict_what_was_streamed() {
    let mut stage = streaming();
    stage.give(whole(Block::text("hello")));
    for content in [vec![text("other")], vec![]] {
        let refused = stage.attempt(answered(1, 1, content.clone()));
        assert!(content.is_empty() || matches!(refused, Err(Refused::Invalid(_))));
    }
    let mut stage = streaming();
    let tool = Block::ToolUse { id: crate::stage::call(1, 1), name: "x".into(), input: Default::default() };
    assert!(matches!(stage.refuse(whole(tool)), Refused::Invalid(_)));
}

#[test]
fn a_model_that_is_asked_once_more_begins_its_answer_anew() {
    let mut stage = streaming();
    let failure = ModelFailure { class: FailureClass::Unavailable, message: "the stream broke off".into() };
    let not_before = stage.now.saturating_add(Duration::from_secs(3));
    let again = |attempt| Retry { step: 1, attempt, failure: failure.clone(), not_before, spent: None };
    let effects = stage.give(again(1));
    assert_eq!(stage.last_kinds(2), ["stream.closed", "model.retried"]);
    assert!(matches!(
        &effects[..],
        [Effect::CallModel { step: 1, attempt: 2, retries: 1, not_before: Some(at), .. }] if *at == not_before
    ));
    assert!(matches!(stage.refuse(again(1)), Refused::Late { .. }), "the first one is over");
    // A crash in between is another attempt, and no other failure of the model.
    let effects = stage.claim();
    assert!(matches!(&effects[..], [Effect::CallModel { attempt: 3, retries: 1, .. }]));
    stage.give(answered(1, 3, vec![text("anew")]));
    assert_eq!(stage.roles_and_words(), ["go", "anew"]);
}

#[test]
fn thoughts_that_were_shown_get_their_signature_with_the_answer() {
    let mut stage = Stage::asked(config());
    stage.give(delta(StreamKind::Think, "hm, so"));
    stage.give(whole(Block::Reasoning { text: "hm, so".into(), meta: None }));
    stage.give(delta(StreamKind::Text, "hel"));
    let signed = |words: &str| Block::Reasoning {
        text: words.into(),
        meta: Some(std::sync::Arc::new(serde_json::json!({"signature": words}))),
    };
    let content = [signed("hm, "), signed("so"), Block::text("hello")];
    stage.give(answered(1, 1, content.iter().cloned().map(seawall_engine::Answer::Block).collect()));
    let said = stage.agent.history().newest_first().next().unwrap();
    assert_eq!(said.content[..], content);
    let ends = told(&stage).into_iter().filter(|kind| kind.ends_with("_end")).collect::<Vec<_>>();
    assert_eq!(ends, ["think_chunk_end", "text_chunk_end"], "each is told once");
}

fn told(stage: &Stage) -> Vec<&'static str> {
    stage.log.iter().flat_map(project).map(|told| told.event.kind()).collect()
}

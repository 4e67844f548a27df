//! What becomes of everything that a process was doing when it died.

use std::sync::Arc;

use seawall_engine::{
    AgentState, Breakpoint, CallState, Config, Effect, Found, Interrupt, Judgement, OnInDoubt, Reconciled,
    Refused, Resolution, Resolve, ToolResult,
};

use crate::stage::{Stage, answered, call, config, gave, judged, text};

fn parking() -> Config {
    Config { on_in_doubt: OnInDoubt::Park, ..config() }
}

fn found(found: Found) -> Reconciled {
    Reconciled { call: call(1, 1), attempt: 1, found }
}

fn result(words: &str) -> ToolResult {
    ToolResult { content: [seawall_engine::Block::text(words)].into(), is_error: false }
}

fn resolve(resolution: Resolution) -> Resolve {
    Resolve { call: call(1, 1), resolution, by: "ann".into(), note: "looked".into() }
}

#[test]
fn a_call_whose_process_died_goes_by_its_class() {
    for (tool, runs_again) in
        [("pure", true), ("idempotent", true), ("keyed", true), ("reconcilable", false), ("unsafe", false)]
    {
        let mut stage = Stage::running(config(), &[tool]);
        let first = stage.log.last().unwrap().clone();
        let effects = stage.claim();
        let again =
            matches!(&effects[..], [Effect::RunTool { attempt: 2, key, .. }] if key.ends_with("/1/1"));
        assert_eq!(again, runs_again, "{tool}: {effects:?}");
        assert_eq!(first.fact.kind(), "tool.started");
    }
}

#[test]
fn what_can_tell_is_asked_with_its_key() {
    let mut stage = Stage::running(config(), &["reconcilable"]);
    let effects = stage.claim();
    assert!(matches!(&effects[..], [Effect::Reconcile { attempt: 1, key, .. }] if key.ends_with("/1/1")));
    assert!(matches!(stage.refuse(gave(call(1, 1), 1, "x")), Refused::Late { .. }));
    let done = Found::Done { result: result("it was") };
    stage.give(found(done));
    assert_eq!(stage.results(), ["it was"]);

    let mut stage = Stage::running(config(), &["reconcilable"]);
    stage.claim();
    let effects = stage.give(found(Found::NotDone));
    assert!(matches!(&effects[..], [Effect::RunTool { attempt: 2, .. }]));

    let mut stage = Stage::running(config(), &["reconcilable"]);
    stage.claim();
    stage.give(found(Found::Unknown));
    assert!(stage.results()[0].contains("unknown"));
    assert!(matches!(stage.refuse(found(Found::NotDone)), Refused::NoSuchCall(_)));
}

#[test]
fn a_call_in_doubt_is_sealed_with_what_is_known() {
    let mut stage = Stage::running(config(), &["unsafe"]);
    let effects = stage.claim();
    assert!(matches!(&effects[..], [Effect::CallModel { step: 2, .. }]));
    assert_eq!(
        stage.last_kinds(6),
        ["agent.claimed", "agent.resumed", "tool.in_doubt", "tool.sealed", "step.completed", "step.started"]
    );
    assert!(stage.results()[0].contains("Whether it took effect is unknown"));
}

#[test]
fn a_call_in_doubt_waits_for_a_person_where_the_template_says_so() {
    let mut stage = Stage::running(parking(), &["unsafe", "pure"]);
    let effects = stage.claim();
    assert!(matches!(&effects[..], [Effect::RunTool { .. }]), "only the other call runs again");
    stage.give(gave(call(1, 2), 2, "fine"));
    assert_eq!(stage.state(), (AgentState::Parked, Breakpoint::AwaitingApproval));
    assert!(stage.claim().is_empty(), "nothing is done for it");

    let effects = stage.give(resolve(Resolution::Done { result: result("it went through") }));
    assert!(matches!(&effects[..], [Effect::CallModel { step: 2, .. }]));
    assert_eq!(stage.results(), ["it went through", "fine"]);
    assert!(matches!(stage.refuse(resolve(Resolution::NotDone)), Refused::NoSuchCall(_)));
}

#[test]
fn what_a_person_found_undone_is_judged_anew() {
    let mut stage = Stage::running(parking(), &["unsafe"]);
    stage.claim();
    let effects = stage.give(resolve(Resolution::NotDone));
    assert!(matches!(&effects[..], [Effect::Judge { .. }]));
    let effects = stage.give(judged(call(1, 1), Judgement::Proceed));
    assert!(matches!(&effects[..], [Effect::RunTool { attempt: 2, .. }]));
    assert!(matches!(stage.refuse(resolve(Resolution::NotDone)), Refused::Invalid(_)));
    let notes: Vec<_> =
        stage.agent.call(call(1, 1)).unwrap().audit.iter().map(|entry| entry.note.clone()).collect();
    assert!(notes.contains(&Some(Arc::from("ann: looked"))));
}

#[test]
fn a_parked_turn_can_be_given_up() {
    let mut stage = Stage::running(parking(), &["unsafe"]);
    stage.claim();
    stage.give(Interrupt { by: "ann".into(), note: None });
    assert_eq!(stage.state().0, AgentState::Ready);
    assert!(stage.results()[0].contains("nobody found out"));
}

#[test]
fn a_model_call_is_made_again_and_the_old_ones_answer_is_late() {
    let mut stage = Stage::asked(config());
    let effects = stage.claim();
    assert!(matches!(&effects[..], [Effect::CallModel { step: 1, attempt: 2, .. }]));
    assert!(matches!(stage.refuse(answered(1, 1, vec![text("old")])), Refused::Late { .. }));
    stage.give(answered(1, 2, vec![text("new")]));
    assert_eq!(stage.roles_and_words(), ["go", "new"]);
}

#[test]
fn calls_that_were_not_begun_are_judged_again() {
    let mut stage = Stage::wanting(config(), &["unsafe", "pure"]);
    let effects = stage.claim();
    assert!(matches!(&effects[..], [Effect::Judge { .. }, Effect::Judge { .. }]));
    assert_eq!(stage.call_state(call(1, 1)), CallState::Pending);
}

#[test]
fn an_outcome_that_was_recorded_is_kept_while_others_are_lost() {
    let mut stage = Stage::running(config(), &["unsafe", "unsafe", "unsafe"]);
    stage.give(gave(call(1, 2), 1, "kept"));
    stage.claim();
    let results = stage.results();
    assert!(results[0].contains("unknown") && results[2].contains("unknown"));
    assert_eq!(results[1], "kept");
}

#[test]
fn what_kills_every_process_is_given_up_in_the_end() {
    let mut limited = config();
    limited.limits.recoveries = 3;
    let mut stage = Stage::running(limited, &["pure"]);
    for attempt in 2..=4 {
        let effects = stage.claim();
        assert!(matches!(&effects[..], [Effect::RunTool { attempt: now, .. }] if *now == attempt));
    }
    assert!(stage.claim().is_empty());
    assert_eq!(stage.state().0, AgentState::Failed);
    assert_eq!(stage.last_kinds(2), ["tool.sealed", "limit.reached"]);
    assert!(stage.claim().is_empty(), "it stays given up");
    let effects = stage.give(crate::stage::send("m2", "once more"));
    assert!(matches!(&effects[..], [Effect::CallModel { .. }]));
}

#[test]
fn getting_somewhere_makes_up_for_crashes() {
    let mut limited = config();
    limited.limits.recoveries = 1;
    let mut stage = Stage::running(limited, &["pure"]);
    stage.claim();
    stage.give(gave(call(1, 1), 2, "x"));
    assert!(matches!(&stage.claim()[..], [Effect::CallModel { step: 2, attempt: 2, .. }]));
}

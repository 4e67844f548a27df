//! What becomes of everything that a process was doing when it died.

use std::sync::Arc;
use std::time::Duration;

use seawall_engine::{
    AgentState, Breakpoint, CallState, Config, Effect, FailureClass, Found, Interrupt, Judgement,
    ModelFailure, OnInDoubt, Reconciled, Refused, Resolution, Resolve, Retry, ToolResult, ToolSpec,
    ToolUnreached,
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

fn unreached(attempt: u32) -> ToolUnreached {
    ToolUnreached { call: call(1, 1), attempt, result: ToolResult::error("it is away") }
}

#[test]
fn a_tool_that_is_away_at_its_first_beginning_has_failed() {
    for tool in ["pure", "idempotent", "keyed", "unsafe"] {
        let mut stage = Stage::running(config(), &[tool]);
        stage.give(unreached(1));
        assert_eq!(stage.results(), ["it is away"], "{tool}");
    }
}

#[test]
fn a_call_that_nobody_can_judge_since_its_tool_is_away_has_failed_and_done_nothing() {
    let mut stage = Stage::wanting(config(), &["unsafe"]);
    stage.give(judged(call(1, 1), Judgement::Unreached { result: ToolResult::error("it is away") }));
    assert_eq!(stage.results(), ["it is away"]);
    assert_eq!(
        stage.last_kinds(4),
        ["tool.started", "tool.failed", "step.completed", "step.started"],
        "no process can die in between"
    );
}

#[test]
fn a_tool_that_is_away_after_a_crash_leaves_its_call_in_doubt() {
    for (tool, said) in [("pure", "it is away"), ("idempotent", "is unknown"), ("keyed", "is unknown")] {
        let mut stage = Stage::running(config(), &[tool]);
        stage.claim();
        assert!(matches!(stage.refuse(unreached(1)), Refused::Late { .. }));
        stage.give(unreached(2));
        assert!(stage.results()[0].contains(said), "{tool}: {:?}", stage.results());
    }
    let mut stage = Stage::running(parking(), &["idempotent"]);
    stage.claim();
    assert!(stage.give(unreached(2)).is_empty(), "a person finds out");
    assert_eq!(stage.state(), (AgentState::Parked, Breakpoint::AwaitingApproval));
    let effects = stage.give(resolve(Resolution::Done { result: result("it went through") }));
    assert!(matches!(&effects[..], [Effect::CallModel { step: 2, .. }]));
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

/// Agents that can be taken up twice without getting anywhere, with a tool that waits for others.
fn waiting() -> Config {
    let mut limited = config();
    limited.limits.recoveries = 2;
    let waits = ToolSpec { waits: true, ..limited.tools["idempotent"].clone() };
    Arc::make_mut(&mut limited.tools).insert("waits".into(), waits);
    limited
}

#[test]
fn who_waits_for_others_may_be_taken_up_at_every_restart() {
    let mut stage = Stage::running(waiting(), &["waits"]);
    for attempt in 2..=30 {
        let effects = stage.claim();
        assert!(matches!(&effects[..], [Effect::RunTool { attempt: now, .. }] if *now == attempt));
    }
    stage.give(gave(call(1, 1), 30, "at last"));
    assert_eq!(stage.results(), ["at last"]);
}

#[test]
fn who_waits_for_people_may_be_taken_up_at_every_restart() {
    let mut stage = Stage::running(waiting(), &["waits"]);
    let mut asking = Stage::wanting(waiting(), &["pure"]);
    asking.give(judged(call(1, 1), Judgement::Ask { summary: "may it?".into() }));
    for _restart in 0..30 {
        assert!(asking.claim().iter().all(|effect| matches!(effect, Effect::AskApproval { .. })));
        stage.claim();
    }
    assert_eq!(asking.state().0, AgentState::Paused);
    assert_eq!(stage.state().0, AgentState::Working);
}

#[test]
fn who_waits_for_a_time_may_be_taken_up_at_every_restart_before_it() {
    let mut stage = Stage::asked(waiting());
    let failure = ModelFailure { class: FailureClass::RateLimit, message: "later".into() };
    let not_before = stage.now.saturating_add(Duration::from_hours(1));
    stage.give(Retry { step: 1, attempt: 1, failure, not_before, spent: None });
    for attempt in 3..=30 {
        let effects = stage.claim();
        assert!(matches!(&effects[..], [Effect::CallModel { attempt: now, .. }] if *now == attempt));
    }
    // From then on the model is asked, and what breaks that off counts.
    stage.now = not_before;
    stage.claim();
    stage.claim();
    assert!(stage.claim().is_empty());
    assert_eq!(stage.last_kinds(1), ["limit.reached"]);
}

#[test]
fn what_crashes_beside_a_tool_that_waits_counts() {
    let mut stage = Stage::running(waiting(), &["waits", "pure"]);
    stage.claim();
    stage.claim();
    assert!(stage.claim().is_empty());
    assert_eq!(stage.last_kinds(1), ["limit.reached"]);
}

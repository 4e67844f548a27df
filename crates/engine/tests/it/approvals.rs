//! What a person allows, and what not.

use std::sync::Arc;
use std::time::Duration;

use seawall_engine::{
    Agent, AgentState, ApprovalScope, Binding, Breakpoint, CallState, Decide, Effect, Judged, Judgement,
    Refused, Ruling, Subject, Wake,
};
use serde_json::json;

use crate::stage::{Stage, answered, approval, call, config, gave, judged, permitted, said, text, wish};

fn ask() -> Judgement {
    Judgement::Ask { summary: "why".into() }
}

/// An agent that waits for a person.
fn waiting() -> Stage {
    let mut stage = Stage::wanting(config(), &["unsafe"]);
    let effects = stage.give(judged(call(1, 1), ask()));
    assert!(matches!(&effects[..], [Effect::AskApproval { .. }]));
    assert_eq!(stage.state(), (AgentState::Paused, Breakpoint::AwaitingApproval));
    stage
}

/// The same agent in its next step, which wants this tool with these arguments.
fn next_wish(stage: &mut Stage, step: u64, tool: &str, n: u64) {
    stage.give(gave(call(step - 1, 1), 1, "x"));
    let mut again = wish(tool);
    if let seawall_engine::Answer::Call { input, .. } = &mut again {
        *input = Arc::new(json!({"n": n}));
    }
    stage.give(answered(step, 1, vec![again]));
}

#[test]
fn a_hook_may_put_other_arguments_in_the_place_of_a_calls_own() {
    let mut stage = Stage::wanting(config(), &["unsafe", "unsafe"]);
    let safe = Arc::new(json!({"n": 0}));
    let rewrite = |summary| Judgement::Rewrite { arguments: Arc::clone(&safe), summary };
    let effects = stage.give(judged(call(1, 1), rewrite(None)));
    assert!(
        matches!(&effects[..], [Effect::RunTool { arguments, .. }] if **arguments == *safe),
        "{effects:?}"
    );
    // A person is asked about what would run, and a yes is good for exactly that.
    stage.give(judged(call(1, 2), rewrite(Some("why".into()))));
    let asked = stage.agent.call(call(1, 2)).unwrap();
    let binding = Binding::of("unsafe", &safe, "p1");
    assert_eq!((asked.arguments(), asked.approval.as_ref().unwrap().binding), (&safe, binding));
    stage.give(said(call(1, 2), Ruling::Allow));
    let effects = stage.give(judged(call(1, 2), rewrite(None)));
    assert!(matches!(&effects[..], [Effect::RunTool { arguments, .. }] if **arguments == *safe));
    stage.give(gave(call(1, 1), 1, "done"));
    stage.give(gave(call(1, 2), 1, "done"));
    assert!(stage.results()[0].contains("a hook of the operator changed the arguments"));
    assert_eq!(Agent::fold(&stage.log).unwrap(), stage.agent);
}

#[test]
fn what_is_allowed_is_judged_once_more_and_runs() {
    let mut stage = waiting();
    let effects = stage.give(said(call(1, 1), Ruling::Allow));
    assert!(matches!(&effects[..], [Effect::Judge { approved: Some(_), .. }]));
    assert_eq!(stage.state(), (AgentState::Working, Breakpoint::PreTool));
    let effects = stage.give(judged(call(1, 1), ask()));
    assert!(matches!(&effects[..], [Effect::RunTool { attempt: 1, .. }]));
    let states: Vec<_> =
        stage.agent.call(call(1, 1)).unwrap().audit.iter().map(|entry| entry.state).collect();
    assert_eq!(
        states,
        [CallState::Pending, CallState::ApprovalRequired, CallState::Approved, CallState::Executing]
    );
}

#[test]
fn under_another_policy_a_person_is_asked_anew() {
    let mut stage = waiting();
    stage.give(said(call(1, 1), Ruling::Allow));
    let effects =
        stage.give(Judged { policy: "p2".into(), approval: approval(99), ..judged(call(1, 1), ask()) });
    assert!(
        matches!(&effects[..], [Effect::AskApproval { approval: asked, .. }] if asked.id == approval(99))
    );
}

#[test]
fn what_is_denied_never_runs() {
    let mut stage = waiting();
    let effects = stage.give(Decide { note: Some("no way".into()), ..said(call(1, 1), Ruling::Deny) });
    assert!(matches!(&effects[..], [Effect::CallModel { step: 2, .. }]));
    assert_eq!(stage.results(), ["[seawall] denied APPROVAL_DENIED: a person refused this call: no way"]);
}

#[test]
fn the_first_decision_stands() {
    let mut stage = waiting();
    stage.give(said(call(1, 1), Ruling::Allow));
    let seq = stage.agent.seq();
    stage.give(Decide { subject: Subject::Approval(approval(17)), ..said(call(1, 1), Ruling::Allow) });
    assert_eq!(stage.agent.seq(), seq, "the same again changes nothing");
    assert_eq!(stage.refuse(said(call(1, 1), Ruling::Deny)), Refused::Decided);
    let other = Decide { arguments: Some(Arc::new(json!({}))), ..said(call(1, 1), Ruling::Allow) };
    assert_eq!(stage.refuse(other), Refused::Decided);
}

#[test]
fn a_decision_can_be_given_after_a_restart_by_somebody_without_a_lease() {
    let mut stage = waiting();
    let effects = stage.claim();
    assert!(matches!(&effects[..], [Effect::AskApproval { .. }]), "the question is asked again");
    assert_eq!(stage.last_kinds(1), ["agent.claimed"], "nothing was lost");
    assert!(stage.outside(said(call(1, 1), Ruling::Allow)).unwrap().is_empty());
    assert!(matches!(&stage.claim()[..], [Effect::Judge { .. }]));
}

#[test]
fn a_denial_from_outside_is_finished_by_who_comes_next() {
    let mut stage = waiting();
    stage.outside(said(call(1, 1), Ruling::Deny)).unwrap();
    assert!(matches!(&stage.claim()[..], [Effect::CallModel { step: 2, .. }]));
}

#[test]
fn nobody_deciding_in_time_is_a_denial() {
    let mut stage = Stage::wanting(config(), &["unsafe"]);
    let expiry = stage.now.saturating_add(Duration::from_secs(60));
    let effects = stage.give(Judged { expires_at: Some(expiry), ..judged(call(1, 1), ask()) });
    assert!(matches!(&effects[..], [Effect::AskApproval { .. }, Effect::WakeAt { at }] if *at == expiry));
    assert_eq!(stage.agent.wake_at(), Some(expiry));
    stage.give(Wake);
    assert_eq!(stage.state().0, AgentState::Paused, "not before");
    stage.now = expiry;
    assert_eq!(stage.refuse(said(call(1, 1), Ruling::Allow)), Refused::Expired);
    stage.give(Wake);
    assert_eq!(stage.results(), ["[seawall] denied APPROVAL_EXPIRED: nobody decided on this call in time"]);
    assert_eq!(stage.agent.wake_at(), None);
}

#[test]
fn a_call_runs_with_the_arguments_that_a_person_gave_it_and_the_model_is_told() {
    let mut stage = waiting();
    let arguments = Some(Arc::new(json!({"n": 2})));
    stage.give(Decide { arguments, ..said(call(1, 1), Ruling::Allow) });
    let effects = stage.give(judged(call(1, 1), ask()));
    assert!(matches!(&effects[..], [Effect::RunTool { arguments, .. }] if **arguments == json!({"n": 2})));
    stage.give(gave(call(1, 1), 1, "ok"));
    assert_eq!(stage.results(), ["[seawall] a person changed the arguments of this call to {\"n\":2}"]);
    let mut stage = waiting();
    let denied = Decide { arguments: Some(Arc::new(json!({}))), ..said(call(1, 1), Ruling::Deny) };
    assert!(matches!(stage.refuse(denied), Refused::Invalid(_)));
}

#[test]
fn a_decision_is_good_for_its_scope_and_nothing_else() {
    use ApprovalScope::{Arguments, Once, Run};
    // Scope of the first decision; tool and argument of the next call; whether it runs without asking.
    for (scope, tool, n, runs) in [
        (Once, "unsafe", 1, false),
        (Arguments, "unsafe", 1, true),
        (Arguments, "unsafe", 2, false),
        (Arguments, "keyed", 1, false),
        (Run, "unsafe", 1, true),
        (Run, "unsafe", 2, true),
        (Run, "keyed", 1, false),
    ] {
        let mut stage = waiting();
        stage.give(Decide { scope, ..said(call(1, 1), Ruling::Allow) });
        stage.give(judged(call(1, 1), ask()));
        next_wish(&mut stage, 2, tool, n);
        let effects = stage.give(judged(call(2, 1), ask()));
        let ran = matches!(&effects[..], [Effect::RunTool { .. }]);
        assert_eq!(ran, runs, "{scope:?} {tool} {n}");
    }
}

#[test]
fn a_denial_for_the_run_denies_also_what_nobody_would_ask_about() {
    let mut stage = waiting();
    stage.give(Decide { scope: ApprovalScope::Run, ..said(call(1, 1), Ruling::Deny) });
    stage.give(answered(2, 1, vec![wish("unsafe")]));
    stage.give(judged(call(2, 1), Judgement::Proceed));
    assert_eq!(stage.results(), ["[seawall] denied APPROVAL_DENIED: a person refused calls like this one"]);
}

#[test]
fn the_agents_permission_asks_and_denies_whatever_the_policy_says() {
    let permission = json!({
        "allow_tools": ["pure"], "require_approval_tools": ["unsafe"], "deny_tools": ["keyed"],
    });
    let mut stage = Stage::wanting(permitted(&permission), &["pure", "unsafe", "keyed", "idempotent"]);
    assert_eq!(stage.call_state(call(1, 3)), CallState::Denied);
    assert_eq!(stage.call_state(call(1, 4)), CallState::Denied);
    let effects = stage.give(judged(call(1, 2), Judgement::Proceed));
    assert!(matches!(&effects[..], [Effect::AskApproval { .. }]), "asking beats the list of what is allowed");
    let effects = stage.give(judged(call(1, 1), Judgement::Proceed));
    assert!(matches!(&effects[..], [Effect::RunTool { .. }]));
    assert_eq!(stage.state(), (AgentState::Working, Breakpoint::ToolExecuting));
    stage.give(gave(call(1, 1), 1, "x"));
    assert_eq!(stage.state(), (AgentState::Paused, Breakpoint::AwaitingApproval));
}

#[test]
fn a_question_that_nobody_asked_cant_be_decided() {
    let mut stage = Stage::running(config(), &["pure", "pure"]);
    assert!(matches!(stage.refuse(said(call(1, 1), Ruling::Allow)), Refused::Invalid(_)));
    let unknown = Decide { subject: Subject::Approval(approval(1)), ..said(call(1, 1), Ruling::Allow) };
    assert!(matches!(stage.refuse(unknown), Refused::NoSuchApproval(_)));
    stage.give(gave(call(1, 1), 1, "x"));
    stage.give(gave(call(1, 2), 1, "x"));
    stage.give(answered(2, 1, vec![text("done")]));
    assert!(matches!(stage.refuse(said(call(1, 1), Ruling::Allow)), Refused::NoSuchCall(_)));
}

#[test]
fn a_log_has_one_decision_on_a_question() {
    let mut stage = waiting();
    stage.outside(said(call(1, 1), Ruling::Deny)).unwrap();
    let mut twice = stage.log.last().unwrap().clone();
    twice.seq = stage.agent.seq() + 1;
    stage.log.push(twice);
    let error = seawall_engine::Agent::fold(&stage.log).unwrap_err();
    assert!(matches!(error, seawall_engine::LogError::Orphan { kind: "approval.decided", .. }), "{error}");
}

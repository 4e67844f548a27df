//! What operators mend by hand.

use seawall_engine::{
    AgentState, Block, CallState, Effect, EffectKey, Fact, FailureClass, Interrupt, Judgement, Mend,
    MessageId, MessageKind, ModelFailed, ModelFailure, OnInDoubt, Refused, Repair, Repaired, Role,
    ToolResult,
};
use seawall_engine::{Config, Note};

use crate::stage::{Stage, answered, call, config, gave, judged, send, text, wish};

fn by_hand(mend: Mend) -> Repair {
    Repair { mend, by: "ann".into(), note: Some("it hangs".into()) }
}

fn paid() -> ToolResult {
    ToolResult { content: [Block::text("paid")].into(), is_error: false }
}

fn failed(step: u64) -> ModelFailed {
    let failure = ModelFailure { class: FailureClass::Quota, message: "nothing left".into() };
    ModelFailed { step, attempt: 1, failure, spent: None }
}

fn last_result(stage: &Stage) -> String {
    stage.results().last().cloned().unwrap()
}

#[test]
fn a_step_that_is_skipped_gives_its_open_calls_up_and_the_turn_goes_on() {
    let mut stage = Stage::running(config(), &["unsafe", "pure"]);
    stage.give(gave(call(1, 2), 1, "kept"));
    let effects = stage.give(by_hand(Mend::SkipStep));
    let stopped = Effect::Abort { key: EffectKey::Run(call(1, 1), 1) };
    assert!(effects.contains(&stopped), "{effects:?}");
    assert!(effects.iter().any(|effect| matches!(effect, Effect::CallModel { step: 2, .. })), "{effects:?}");
    let results = stage.results();
    assert!(results[0].contains("may have taken effect") && results[1] == "kept", "{results:?}");
    let repaired = stage.log.iter().find_map(|event| match &event.fact {
        Fact::AgentRepaired { repair: Repaired::StepSkipped { step, calls }, by, note } => {
            Some((*step, calls.len(), by.to_string(), note.clone().unwrap().to_string()))
        }
        _ => None,
    });
    assert_eq!(repaired, Some((1, 1, "ann".to_owned(), "it hangs".to_owned())));
}

#[test]
fn a_question_that_nobody_answers_can_be_skipped() {
    let mut stage = Stage::wanting(config(), &["unsafe"]);
    stage.give(judged(call(1, 1), Judgement::Ask { summary: "pays".into() }));
    assert_eq!(stage.state().0, AgentState::Paused);
    stage.give(by_hand(Mend::SkipStep));
    assert_eq!(stage.state().0, AgentState::Working);
    assert!(last_result(&stage).contains("not run"), "{:?}", stage.results());
}

#[test]
fn a_call_that_is_answered_by_hand_is_told_so_to_the_model_and_to_the_audit() {
    for state in [CallState::Pending, CallState::ApprovalRequired, CallState::Executing, CallState::InDoubt] {
        let parking = Config { on_in_doubt: OnInDoubt::Park, ..config() };
        let mut stage = Stage::wanting(parking, &["unsafe", "pure"]);
        match state {
            CallState::ApprovalRequired => {
                stage.give(judged(call(1, 1), Judgement::Ask { summary: "pays".into() }));
            }
            CallState::Executing | CallState::InDoubt => {
                stage.give(judged(call(1, 1), Judgement::Proceed));
            }
            _ => {}
        }
        if state == CallState::InDoubt {
            stage.claim();
        }
        assert_eq!(stage.call_state(call(1, 1)), state);
        stage.give(by_hand(Mend::AnswerCall { call: call(1, 1), result: paid() }));
        let answered = stage.agent.call(call(1, 1)).unwrap();
        assert_eq!(answered.result, Some(paid()), "{state:?}");
        let notes: Vec<_> = answered.audit.iter().filter_map(|entry| entry.note.as_deref()).collect();
        assert!(notes.contains(&"ann: it hangs"), "{state:?}: {notes:?}");
        let again = stage.refuse(by_hand(Mend::AnswerCall { call: call(1, 1), result: paid() }));
        assert!(matches!(again, Refused::Invalid(_)), "{again}");
    }
}

#[test]
fn a_turn_that_failed_goes_on_where_it_was() {
    let mut stage = Stage::running(config(), &["pure"]);
    stage.give(gave(call(1, 1), 1, "r"));
    stage.give(failed(2));
    assert_eq!(stage.state().0, AgentState::Failed);
    let resume = Repair { note: None, ..by_hand(Mend::Resume) };
    let effects = stage.give(resume.clone());
    assert!(
        matches!(&effects[..], [Effect::CallModel { step: 3, messages, .. }] if messages.len() == 3),
        "{effects:?}"
    );
    assert!(matches!(stage.refuse(resume.clone()), Refused::NotNow { .. }), "it goes on already");
    stage.give(answered(3, 1, vec![text("done")]));
    assert!(matches!(stage.refuse(resume), Refused::NotNow { .. }), "nothing was left undone");
}

#[test]
fn who_resumes_from_outside_leaves_the_work_to_the_next_holder() {
    let mut stage = Stage::asked(config());
    stage.give(Interrupt { by: "ann".into(), note: None });
    let effects = stage.outside(by_hand(Mend::Resume)).unwrap();
    assert!(effects.is_empty() && !stage.agent.rests(), "{effects:?}");
    let effects = stage.claim();
    assert!(effects.iter().any(|effect| matches!(effect, Effect::CallModel { .. })), "{effects:?}");
}

#[test]
fn what_is_put_in_says_who_did_it() {
    let mut stage = Stage::new(config());
    let (id, content) = (MessageId("m".into()), [Block::text("go")].into());
    stage.give(by_hand(Mend::InjectMessage { id, kind: MessageKind::User, content }));
    assert_eq!(stage.roles_and_words(), ["go"]);
    stage.give(by_hand(Mend::InjectEvent { event: "looked_at".into(), data: None }));
    let [.., repaired, noted] = &stage.log[..] else { panic!("{:?}", stage.log) };
    assert!(matches!(&repaired.fact, Fact::AgentRepaired { repair: Repaired::EventInjected { .. }, .. }));
    assert!(
        matches!(&noted.fact, Fact::Noted { note: Note::ToolCustomEvent { tool, .. } } if &**tool == "operator")
    );
    assert!(stage.agent.history().newest_first().all(|message| message.role == Role::User));
}

#[test]
fn a_repair_without_a_reason_is_refused() {
    let mut stage = Stage::wanting(config(), &["unsafe"]);
    for note in [None, Some(" ".into())] {
        let refused = stage.refuse(Repair { note, ..by_hand(Mend::SkipStep) });
        assert!(matches!(refused, Refused::Invalid(_)), "{refused}");
    }
    assert_eq!(stage.call_state(call(1, 1)), CallState::Pending);
}

#[test]
fn where_nothing_waits_there_is_nothing_to_skip() {
    let mut stage = Stage::new(config());
    assert!(matches!(stage.refuse(by_hand(Mend::SkipStep)), Refused::NotNow { .. }));
    stage.give(send("m", "go"));
    assert!(matches!(stage.refuse(by_hand(Mend::SkipStep)), Refused::NotNow { .. }), "it is at the model");
    stage.give(answered(1, 1, vec![wish("unsafe")]));
    stage.give(by_hand(Mend::SkipStep));
}

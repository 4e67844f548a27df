//! Histories that are made shorter, and forked.

use std::sync::Arc;

use seawall_engine::{
    Agent, AgentState, Ancestor, Block, Compress, Compressed, Config, Context, Effect, FailureClass, History,
    Interrupt, Judgement, ModelFailed, ModelFailure, NewFork, Refused, SetTodos, Todo, TodoStatus, fork,
    outstanding,
};
use seawall_types::{Amount, Usd};

use crate::stage::{START, Stage, answered, call, config, gave, judged, run, send, text, wish};

fn keeping(keep: usize) -> Config {
    Config { context: Context { compress_at: None, keep }, ..config() }
}

/// An agent with so many turns behind it, each with a call of a tool: four messages.
fn experienced(config: Config, turns: u64) -> Stage {
    let mut stage = Stage::new(config);
    for turn in 0..turns {
        let step = turn * 2 + 1;
        stage.give(send(&format!("m{turn}"), "go"));
        stage.give(answered(step, 1, vec![wish("pure")]));
        stage.give(judged(call(step, 1), Judgement::Proceed));
        stage.give(gave(call(step, 1), 1, "r"));
        stage.give(answered(step + 1, 1, vec![text("done")]));
    }
    stage
}

/// Answers the compression that is under way.
fn summary(stage: &Stage, words: &str) -> Compressed {
    Compressed { id: compression(stage), summary: Ok(words.into()), spent: None }
}

pub(crate) fn compression(stage: &Stage) -> u64 {
    let id = |effect| if let Effect::Compress { id, .. } = effect { Some(id) } else { None };
    outstanding(&stage.agent).into_iter().find_map(|(_, effect)| id(effect)).unwrap_or_default()
}

#[test]
fn a_summary_takes_the_place_of_the_oldest_messages_and_parts_no_call_from_its_result() {
    // Messages to keep, and what is left of: go, +call, -call, done, go, +call, -call, done.
    for (keep, left) in [
        (1, vec!["sum", "done"]),
        (2, vec!["sum", "+call_3_1", "-call_3_1", "done"]),
        (3, vec!["sum", "+call_3_1", "-call_3_1", "done"]),
        (4, vec!["sum", "go", "+call_3_1", "-call_3_1", "done"]),
        (5, vec!["sum", "done", "go", "+call_3_1", "-call_3_1", "done"]),
    ] {
        let mut stage = experienced(keeping(keep), 2);
        let before = stage.agent.message_count();
        let effects = stage.give(Compress);
        let [Effect::Compress { messages, replaces, .. }] = &effects[..] else { panic!("{effects:?}") };
        assert_eq!(messages.len() - replaces, left.len() - 1, "keep {keep}");
        assert_eq!(stage.state().0, AgentState::Working);
        assert!(stage.give(summary(&stage, "sum")).is_empty());
        assert_eq!(stage.roles_and_words(), left, "keep {keep}");
        assert_eq!(stage.agent.message_count(), before + 1);
    }
}

#[test]
fn a_summary_makes_up_for_crashes() {
    let mut fragile = keeping(2);
    fragile.limits.recoveries = 1;
    let mut stage = experienced(fragile, 2);
    stage.give(Compress);
    assert!(matches!(&stage.claim()[..], [Effect::Compress { .. }]));
    stage.give(send("m2", "go"));
    let effects = stage.give(summary(&stage, "sum"));
    assert!(matches!(&effects[..], [Effect::CallModel { .. }]));
    assert!(matches!(&stage.claim()[..], [Effect::CallModel { .. }]), "it was not given up");
}

#[test]
fn a_history_that_is_short_stays_as_it_is() {
    for keep in [6, 7, 8, 100] {
        let mut stage = experienced(keeping(keep), 2);
        assert!(matches!(stage.refuse(Compress), Refused::Invalid(_)), "keep {keep}");
    }
    let mut stage = Stage::asked(keeping(1));
    assert!(matches!(stage.refuse(Compress), Refused::NotNow { .. }));
    assert!(matches!(stage.refuse(summary(&stage, "x")), Refused::Late { .. }));
}

#[test]
fn a_full_context_is_compressed_before_the_next_step() {
    let context = Context { compress_at: Some(15), keep: 1 };
    let mut stage = experienced(Config { context, ..config() }, 0);
    stage.give(send("m1", "one"));
    stage.give(answered(1, 1, vec![text("a")]));
    stage.give(send("m2", "two"));
    // Replacing one message by one gains nothing.
    stage.give(answered(2, 1, vec![text("b")]));
    let effects = stage.give(send("m3", "three"));
    assert!(matches!(&effects[..], [Effect::Compress { replaces: 3, .. }]), "{effects:?}");
    let effects = stage.give(summary(&stage, "sum"));
    assert!(matches!(&effects[..], [Effect::CallModel { step: 3, messages, .. }] if messages.len() == 3));
    assert_eq!(stage.roles_and_words(), ["sum", "b", "three"]);
}

#[test]
fn a_context_that_is_too_long_for_the_model_is_compressed_once() {
    let mut stage = experienced(keeping(1), 2);
    stage.give(send("m", "more"));
    let too_long = |step| ModelFailed {
        step,
        attempt: 1,
        failure: ModelFailure { class: FailureClass::ContextLength, message: "too long".into() },
        spent: Some(Amount { usd: Usd::from_picos(7), tokens: 9 }),
    };
    let before = stage.agent.spent();
    let effects = stage.give(too_long(5));
    assert_eq!(
        (stage.agent.spent().usd, stage.agent.tokens()),
        (before.usd.saturating_add(Usd::from_picos(7)), before.tokens + 9,)
    );
    assert!(matches!(&effects[..], [Effect::Compress { .. }]));
    let effects = stage.give(summary(&stage, "sum"));
    assert!(matches!(&effects[..], [Effect::CallModel { step: 6, .. }]));
    assert!(stage.give(too_long(6)).is_empty());
    assert_eq!(stage.state().0, AgentState::Failed);
}

#[test]
fn without_a_summary_the_history_stays_and_the_work_goes_on() {
    let context = Context { compress_at: Some(1), keep: 1 };
    let mut stage = experienced(Config { context, ..config() }, 0);
    stage.give(send("m1", "one"));
    stage.give(answered(1, 1, vec![text("a")]));
    stage.give(send("m2", "two"));
    stage.give(answered(2, 1, vec![text("b")]));
    stage.give(send("m3", "three"));
    let effects =
        stage.give(Compressed { id: compression(&stage), summary: Err("no model".into()), spent: None });
    assert!(matches!(&effects[..], [Effect::CallModel { messages, .. }] if messages.len() == 5));
}

#[test]
fn a_compression_survives_a_crash_and_an_interruption() {
    let mut stage = experienced(keeping(1), 2);
    stage.give(Compress);
    assert!(matches!(&stage.claim()[..], [Effect::Compress { .. }]));
    let late = summary(&stage, "late");
    let effects = stage.give(Interrupt { by: "ann".into(), note: None });
    assert!(matches!(&effects[..], [Effect::Abort { .. }]));
    assert_eq!(stage.agent.history().len(), 8);
    stage.give(Compress);
    assert!(matches!(stage.refuse(late), Refused::Late { .. }), "a summary answers its own compression");
}

fn forked(stage: &Stage) -> Agent {
    let new = NewFork { id: "b".parse().unwrap(), run: run(), config: None };
    Agent::fold(&fork(&stage.agent, new, START).unwrap().events).unwrap()
}

#[test]
fn a_fork_has_the_messages_and_goes_its_own_way() {
    let mut stage = experienced(config(), 20);
    let todo = Todo {
        id: "t".into(),
        title: "write".into(),
        status: TodoStatus::Pending,
        assignee: None,
        notes: None,
    };
    stage.give(SetTodos { todos: Arc::new([todo]) });
    let child = forked(&stage);
    let contents =
        |history: &History| history.iter().map(|message| message.content.clone()).collect::<Vec<_>>();
    assert_eq!(contents(child.history()), contents(stage.agent.history()));
    assert_eq!(child.todos(), stage.agent.todos());
    let parent = Ancestor { agent: "a".parse().unwrap(), seq: stage.agent.seq(), call: None };
    assert_eq!(child.lineage(), [parent]);
    assert_eq!(child.steps(), 40, "its calls have names of their own");
    let seqs: Vec<_> = child.history().iter().map(|message| message.seq).collect();
    assert!(seqs.is_sorted_by(|one, next| one < next), "each message has a number of its own");
}

#[test]
fn a_fork_has_no_call_without_a_result() {
    let mut stage = Stage::running(config(), &["pure", "unsafe"]);
    stage.give(gave(call(1, 1), 1, "half"));
    let child = forked(&stage);
    assert_eq!(child.history().len(), 1);
    assert!(child.calls().is_empty());
    assert_eq!(child.status().state, AgentState::Ready);
    let last = child.history().iter().last().unwrap();
    assert_eq!(last.content[..], [Block::text("go")]);
}

#[test]
fn a_fork_of_an_earlier_point_is_a_fork_of_what_the_log_made_until_then() {
    let stage = experienced(config(), 3);
    let until = stage.log.iter().position(|event| event.fact.kind() == "step.completed").unwrap();
    let earlier = Stage { agent: Agent::fold(&stage.log[..=until]).unwrap(), ..stage };
    assert_eq!(forked(&earlier).history().len(), 3);
}

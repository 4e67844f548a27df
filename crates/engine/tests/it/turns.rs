//! A turn from its message to its end, and what is refused on the way.

use seawall_engine::{
    AgentState, Answer, Archive, Authority, Block, Breakpoint, CallState, Claim, Effect, FailureClass,
    Interrupt, Judgement, MessageKind, ModelAnswered, ModelFailed, ModelFailure, Refused, Retry, SendMessage,
    ToolFinished, ToolResult, decide, outstanding,
};
use seawall_types::{Amount, Usage, Usd};

use crate::stage::{Stage, answered, call, config, gave, judged, send, text, wish};

fn fail(class: FailureClass) -> ModelFailed {
    let failure = ModelFailure { class, message: "no".into() };
    ModelFailed { step: 1, attempt: 1, failure, spent: None }
}

fn interrupt() -> Interrupt {
    Interrupt { by: "ann".into(), note: None }
}

#[test]
fn a_turn_goes_from_the_message_over_the_tools_to_the_answer() {
    let mut stage = Stage::new(config());
    assert_eq!(stage.state(), (AgentState::Ready, Breakpoint::Ready));
    let effects = stage.give(send("m1", "go"));
    assert!(
        matches!(&effects[..], [Effect::CallModel { step: 1, attempt: 1, messages, .. }] if messages.len() == 1)
    );
    assert_eq!(stage.state(), (AgentState::Working, Breakpoint::PreModel));

    let effects = stage.give(answered(1, 1, vec![text("I look"), wish("pure"), wish("keyed")]));
    assert!(matches!(&effects[..], [Effect::Judge { .. }, Effect::Judge { .. }]));
    assert_eq!(stage.state(), (AgentState::Working, Breakpoint::ToolPending));

    let effects = stage.give(judged(call(1, 1), Judgement::Proceed));
    assert!(matches!(&effects[..], [Effect::RunTool { attempt: 1, key, .. }] if key.ends_with("/1/1")));
    stage.give(judged(call(1, 2), Judgement::Proceed));
    assert_eq!(stage.state(), (AgentState::Working, Breakpoint::ToolExecuting));
    assert!(stage.give(gave(call(1, 1), 1, "one")).is_empty());
    let effects = stage.give(gave(call(1, 2), 1, "two"));
    assert!(matches!(&effects[..], [Effect::CallModel { step: 2, messages, .. }] if messages.len() == 3));

    assert!(stage.give(answered(2, 1, vec![text("done")])).is_empty());
    assert_eq!(stage.state(), (AgentState::Ready, Breakpoint::Ready));
    assert_eq!(stage.roles_and_words(), ["go", "I look +call_1_1 +call_1_2", "-call_1_1 -call_1_2", "done"]);
    assert_eq!((stage.agent.steps(), stage.agent.message_count(), stage.agent.tokens()), (2, 4, 30));
    assert!(outstanding(&stage.agent).is_empty());
}

#[test]
fn messages_that_come_while_it_works_go_with_the_next_step() {
    let mut stage = Stage::running(config(), &["pure"]);
    assert!(stage.give(send("m2", "and")).is_empty());
    assert!(stage.give(send("m2", "and")).is_empty(), "the same message twice is one");
    assert_eq!(stage.agent.queued().len(), 1);
    let effects = stage.give(gave(call(1, 1), 1, "r"));
    assert!(matches!(&effects[..], [Effect::CallModel { messages, .. }] if messages.len() == 4));
    stage.give(send("m3", "more"));
    let effects = stage.give(answered(2, 1, vec![text("ok")]));
    assert!(matches!(&effects[..], [Effect::CallModel { step: 3, .. }]), "what waits begins the next turn");
    let arrivals: Vec<_> = stage.agent.history().iter().map(|message| message.seq).collect();
    assert_eq!(arrivals.len(), 6);
}

#[test]
fn a_reminder_starts_nothing_and_goes_along() {
    let mut stage = Stage::new(config());
    let reminder = SendMessage { kind: MessageKind::Reminder, ..send("r", "mind") };
    assert!(stage.give(reminder).is_empty());
    assert_eq!(stage.state().0, AgentState::Ready);
    stage.give(send("m", "go"));
    assert_eq!(stage.roles_and_words(), ["mind", "go"]);
}

#[test]
fn calls_have_names_of_their_own_whatever_the_provider_calls_them() {
    let mut stage = Stage::running(config(), &["pure", "pure"]);
    stage.give(gave(call(1, 1), 1, "a"));
    stage.give(gave(call(1, 2), 1, "b"));
    stage.give(answered(2, 1, vec![wish("pure")]));
    let ids: Vec<_> = stage.agent.calls().iter().map(|call| call.id.to_string()).collect();
    assert_eq!(ids, ["call_2_1"]);
    assert_eq!(stage.agent.calls()[0].provider_id.as_deref(), Some("toolcall-0"));
}

#[test]
fn at_most_so_many_tools_run_at_once() {
    let mut stage = Stage::asked(config());
    let effects = stage.give(answered(1, 1, vec![wish("pure"), wish("pure"), wish("pure"), wish("pure")]));
    assert_eq!(effects.len(), 3);
    for index in 1..=3 {
        stage.give(judged(call(1, index), Judgement::Proceed));
    }
    assert!(matches!(stage.refuse(judged(call(1, 4), Judgement::Proceed)), Refused::NotNow { .. }));
    let effects = stage.give(gave(call(1, 2), 1, "x"));
    assert!(matches!(&effects[..], [Effect::Judge { call: id, .. }] if *id == call(1, 4)));
}

#[test]
fn a_failure_of_the_model_ends_the_turn_and_the_next_message_goes_on() {
    let mut stage = Stage::asked(config());
    assert!(stage.give(fail(FailureClass::RateLimit)).is_empty());
    assert_eq!(stage.state(), (AgentState::Failed, Breakpoint::Ready));
    let effects = stage.give(send("m2", "again"));
    assert!(matches!(&effects[..], [Effect::CallModel { step: 2, messages, .. }] if messages.len() == 2));
}

#[test]
fn an_empty_answer_is_a_failure() {
    let thoughts = Answer::Block(Block::Reasoning { text: "hm".into(), meta: None });
    for content in [vec![], vec![text("")], vec![text(" \n")], vec![thoughts]] {
        let mut stage = Stage::asked(config());
        stage.give(answered(1, 1, content));
        assert_eq!(stage.state().0, AgentState::Failed);
        assert_eq!(stage.last_kinds(1), ["model.failed"]);
        assert_eq!(stage.agent.history().len(), 1);
    }
}

#[test]
fn what_answers_another_attempt_is_late() {
    let mut stage = Stage::asked(config());
    for (step, attempt) in [(0, 1), (2, 1), (1, 0), (1, 2)] {
        assert!(matches!(stage.refuse(answered(step, attempt, vec![text("x")])), Refused::Late { .. }));
    }
    let mut stage = Stage::running(config(), &["pure", "pure"]);
    assert!(matches!(stage.refuse(gave(call(1, 1), 2, "x")), Refused::Late { .. }));
    assert!(matches!(stage.refuse(gave(call(9, 1), 1, "x")), Refused::NoSuchCall(_)));
    stage.give(gave(call(1, 1), 1, "x"));
    assert!(matches!(stage.refuse(gave(call(1, 1), 1, "x")), Refused::Late { .. }), "an outcome comes once");
    assert!(matches!(stage.refuse(judged(call(1, 1), Judgement::Proceed)), Refused::Late { .. }));
}

#[test]
fn hooks_and_policy_may_refuse_or_answer_in_the_tools_place() {
    let mut stage = Stage::wanting(config(), &["pure", "pure"]);
    let code = seawall_types::Code::FsTraversal;
    stage.give(judged(call(1, 1), Judgement::Deny { code, message: "not there".into() }));
    let result = ToolResult { content: [Block::text("cached")].into(), is_error: false };
    let effects = stage.give(judged(call(1, 2), Judgement::Answer { result }));
    assert!(matches!(&effects[..], [Effect::CallModel { .. }]));
    assert_eq!(stage.results(), ["[seawall] denied FS_TRAVERSAL: not there", "cached"]);
}

#[test]
fn a_tool_that_is_not_there_is_told_to_the_model() {
    let mut stage = Stage::asked(config());
    let effects = stage.give(answered(1, 1, vec![wish("invented")]));
    assert!(matches!(&effects[..], [Effect::CallModel { step: 2, .. }]));
    assert_eq!(
        stage.results(),
        ["[seawall] denied TOOL_NOT_ALLOWED: there is no tool \"invented\"; use one that you were told of"]
    );
}

#[test]
fn an_interruption_ends_every_call_honestly_and_stops_what_is_done() {
    let mut stage = Stage::wanting(config(), &["unsafe", "pure"]);
    stage.give(judged(call(1, 1), Judgement::Proceed));
    let effects = stage.give(interrupt());
    let stops = |effect: &Effect| matches!(effect, Effect::Abort { .. });
    assert_eq!(effects.iter().filter(|effect| stops(effect)).count(), 2);
    assert_eq!(stage.state(), (AgentState::Ready, Breakpoint::Ready));
    let results = stage.results();
    assert!(results[0].contains("may have taken effect"), "{results:?}");
    assert!(results[1].contains("not run"), "{results:?}");
    assert!(matches!(stage.refuse(gave(call(1, 1), 1, "late")), Refused::NoSuchCall(_)));
}

#[test]
fn an_interruption_stops_the_model_and_leaves_what_waits_waiting() {
    let mut stage = Stage::asked(config());
    stage.give(send("m2", "wait"));
    let effects = stage.give(interrupt());
    assert!(matches!(&effects[..], [Effect::Abort { .. }]));
    assert_eq!(stage.state().0, AgentState::Ready);
    assert_eq!(stage.agent.queued().len(), 1);
    assert!(stage.claim().is_empty(), "also after a restart");
    stage.give(send("m3", "go on"));
    assert_eq!(stage.roles_and_words(), ["go", "wait", "go on"]);
}

#[test]
fn an_interruption_between_turns_changes_nothing() {
    let mut stage = Stage::new(config());
    let seq = stage.agent.seq();
    assert!(stage.give(interrupt()).is_empty());
    assert_eq!(stage.agent.seq(), seq);
}

#[test]
fn a_stale_holder_changes_nothing() {
    let mut stage = Stage::asked(config());
    let old = stage.epoch;
    stage.claim();
    let stale = Authority::Holder { epoch: old };
    let refused = decide(&stage.agent, answered(1, 2, vec![text("x")]), stale, stage.now).unwrap_err();
    assert_eq!(refused, Refused::StaleEpoch { held: old, current: old + 1 });
    for epoch in [old, old + 1] {
        let claim = Claim { owner: "w".into() };
        let refused = decide(&stage.agent, claim, Authority::Holder { epoch }, stage.now).unwrap_err();
        assert!(matches!(refused, Refused::StaleEpoch { .. }), "a claim raises the epoch");
    }
}

#[test]
fn an_outsider_records_facts_and_begins_nothing() {
    let mut stage = Stage::new(config());
    assert!(stage.outside(send("m1", "go")).unwrap().is_empty());
    assert_eq!(stage.state().0, AgentState::Ready);
    assert_eq!(stage.outside(answered(1, 1, vec![])).unwrap_err(), Refused::NeedsLease);
    assert!(matches!(&stage.claim()[..], [Effect::CallModel { step: 1, attempt: 1, .. }]));
}

#[test]
fn messages_are_bounded_and_say_something() {
    let mut limited = config();
    limited.limits.queued = 2;
    let mut stage = Stage::asked(limited);
    stage.give(send("m2", "x"));
    stage.give(send("m3", "x"));
    assert_eq!(stage.refuse(send("m4", "x")), Refused::QueueFull(2));
    let tool = Block::ToolUse { id: call(1, 1), name: "pure".into(), input: Default::default() };
    for content in [vec![], vec![Block::text("")], vec![tool]] {
        let mut stage = Stage::new(config());
        let message = SendMessage { content: content.into(), ..send("m", "x") };
        assert!(matches!(stage.refuse(message), Refused::Invalid(_)));
    }
}

#[test]
fn an_archived_agent_does_nothing_more() {
    let mut stage = Stage::asked(config());
    let archive = || Archive { by: "ann".into() };
    assert!(matches!(stage.refuse(archive()), Refused::NotNow { .. }));
    stage.give(interrupt());
    stage.give(archive());
    assert_eq!(stage.refuse(send("m", "x")), Refused::Archived);
    assert!(outstanding(&stage.agent).is_empty());
}

#[test]
fn reasoning_is_kept_where_it_stood() {
    let mut stage = Stage::asked(config());
    let thought = Block::Reasoning { text: "hm".into(), meta: None };
    stage.give(answered(1, 1, vec![Answer::Block(thought.clone()), text("yes"), wish("pure")]));
    let last = stage.agent.history().newest_first().next().unwrap();
    assert_eq!(last.content[0], thought);
    assert_eq!(last.content[1], Block::text("yes"));
    assert_eq!(stage.call_state(call(1, 1)), CallState::Pending);
}

#[test]
fn what_others_cost_that_work_for_an_agent_counts_for_its_limits() {
    let spent = |usd, tokens| Some(Amount { usd: Usd::from_picos(usd), tokens });
    for (spent, goes_on) in
        [(None, true), (spent(998_999_999, 84), true), (spent(999_000_000, 0), false), (spent(0, 85), false)]
    {
        let mut limited = config();
        limited.limits.usd = Some(Usd::from_picos(1_000_000_000));
        limited.limits.tokens = Some(100);
        let mut stage = Stage::running(limited, &["pure"]);
        let effects = stage.give(ToolFinished { spent, ..gave(call(1, 1), 1, "x") });
        assert_eq!(matches!(&effects[..], [Effect::CallModel { .. }]), goes_on, "{spent:?}");
        assert_eq!((stage.agent.cost(), stage.agent.tokens()), (Usd::from_picos(1_000_000), 15), "its own");
        let whole = spent.unwrap_or_default();
        assert_eq!(stage.agent.spent().tokens, 15 + whole.tokens);
    }
}

#[test]
fn what_a_model_costs_that_gives_no_answer_counts_for_the_agents_limits() {
    let spent = |tokens| Some(Amount { usd: Usd::from_picos(1_000), tokens });
    let limited = |tokens| {
        let mut limited = config();
        limited.limits.tokens = Some(tokens);
        Stage::new(limited)
    };
    for (most, goes_on) in [(91, true), (90, false)] {
        let mut stage = limited(most);
        stage.give(send("m1", "go"));
        let failure = fail(FailureClass::Unavailable).failure;
        let (not_before, spent) = (stage.log.last().unwrap().at, spent(40));
        stage.give(Retry { step: 1, attempt: 1, failure, not_before, spent });
        let nothing = ModelAnswered {
            usage: Usage { input: 30, output: 20, ..Usage::default() },
            ..answered(1, 2, vec![text(" ")])
        };
        stage.give(nothing);
        assert_eq!(stage.last_kinds(1), ["model.failed"]);
        assert_eq!(stage.agent.tokens(), 90, "both that gave nothing");
        let effects = stage.give(send("m2", "again"));
        assert_eq!(matches!(&effects[..], [Effect::CallModel { .. }]), goes_on, "{most}");
    }
}

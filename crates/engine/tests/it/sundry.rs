//! Todos, schedules, limits, hooks after tools, tools that come and go.

use std::sync::Arc;
use std::time::Duration;

use seawall_engine::{
    Agent, AgentState, Authority, Block, Config, Effect, Fact, FilesChanged, Judgement, LimitKind, NewAgent,
    Note, Plan, Refused, Reviewed, SetSchedule, SetTodos, SetTools, TakeSnapshot, Tell, Todo, TodoStatus,
    ToolResult, Trigger, Unschedule, Wake, create, decide, spawn,
};
use seawall_types::Usd;

use crate::stage::{START, Stage, answered, call, config, gave, judged, run, send, text, wish};

fn todo(id: &str, title: &str, status: TodoStatus) -> Todo {
    Todo { id: id.into(), title: title.into(), status, assignee: None, notes: None }
}

fn set(id: &str, trigger: Trigger) -> SetSchedule {
    SetSchedule { id: id.into(), trigger, text: "mind".into() }
}

#[test]
fn todos_make_sense_or_are_refused() {
    use TodoStatus::{InProgress, Pending};
    let mut stage = Stage::new(config());
    for (todos, fits) in [
        (vec![todo("a", "x", Pending), todo("b", "y", InProgress)], true),
        (vec![todo("a", "x", Pending), todo("a", "y", Pending)], false),
        (vec![todo("a", " ", Pending)], false),
        (vec![todo("a", "x", InProgress), todo("b", "y", InProgress)], false),
        (vec![], true),
    ] {
        let done = stage.attempt(SetTodos { todos: todos.clone().into() });
        assert_eq!(done.is_ok(), fits, "{todos:?}");
    }
    let seq = stage.agent.seq();
    stage.give(SetTodos { todos: Arc::new([]) });
    assert_eq!(stage.agent.seq(), seq, "the same list is no change");
}

#[test]
fn a_reminder_at_a_time_wakes_the_agent_once() {
    let mut stage = Stage::new(config());
    let at = stage.now.saturating_add(Duration::from_secs(100));
    let effects = stage.give(set("t", Trigger::Time { at }));
    assert_eq!(effects, [Effect::WakeAt { at }]);
    assert!(stage.give(Wake).is_empty(), "not yet");
    stage.now = at;
    let effects = stage.give(Wake);
    assert!(matches!(&effects[..], [Effect::CallModel { .. }]));
    assert!(stage.agent.schedules().is_empty());
    assert_eq!(stage.roles_and_words(), ["mind"]);
}

#[test]
fn a_cron_reminder_is_planned_again_after_each_time() {
    let mut stage = Stage::new(config());
    let effects = stage.give(set("c", Trigger::Cron { spec: "0 9 * * 1".into() }));
    assert!(matches!(&effects[..], [Effect::PlanSchedule { .. }]));
    assert!(matches!(&stage.claim()[..], [Effect::PlanSchedule { .. }]), "also after a crash");
    let at = stage.now.saturating_add(Duration::from_secs(100));
    let plan = |next| Plan { id: "c".into(), next };
    assert_eq!(stage.give(plan(Some(at))), [Effect::WakeAt { at }]);
    assert!(matches!(stage.refuse(plan(Some(at))), Refused::Late { .. }));
    stage.now = at;
    let effects = stage.give(Wake);
    assert!(matches!(&effects[..], [Effect::CallModel { .. }, Effect::PlanSchedule { .. }]), "{effects:?}");
    stage.give(plan(None));
    assert!(stage.agent.schedules().is_empty(), "it never holds again");
}

#[test]
fn a_reminder_goes_along_with_every_nth_step() {
    let mut stage = Stage::new(config());
    stage.give(set("s", Trigger::Steps { every: 2 }));
    for step in 1..=4 {
        stage.give(send(&format!("m{step}"), "go"));
        stage.give(answered(step, 1, vec![text("ok")]));
    }
    let expected = ["go", "ok", "go", "mind", "ok", "go", "ok", "go", "mind", "ok"];
    assert_eq!(stage.roles_and_words(), expected);
    stage.give(Unschedule { id: "s".into() });
    stage.give(Unschedule { id: "s".into() });
    assert!(stage.agent.schedules().is_empty());
    assert!(matches!(stage.refuse(set("s", Trigger::Steps { every: 0 })), Refused::Invalid(_)));
}

#[test]
fn a_limit_ends_the_turn_and_says_which() {
    let reached = |stage: &Stage| match &stage.log.last().unwrap().fact {
        Fact::LimitReached { limit, .. } => *limit,
        other => panic!("{other:?}"),
    };
    let mut limited = config();
    limited.limits.steps = Some(1);
    let mut stage = Stage::running(limited, &["pure"]);
    assert!(stage.give(gave(call(1, 1), 1, "r")).is_empty());
    assert_eq!((reached(&stage), stage.state().0), (LimitKind::Steps, AgentState::Failed));
    assert!(
        matches!(&stage.give(send("m2", "go on"))[..], [Effect::CallModel { .. }]),
        "each turn has its own"
    );

    let picos = |count| Some(Usd::from_picos(count));
    for (usd, tokens, limit) in
        [(picos(1_000_000), None, LimitKind::Usd), (None, Some(15), LimitKind::Tokens)]
    {
        let mut limited = config();
        (limited.limits.usd, limited.limits.tokens) = (usd, tokens);
        let mut stage = Stage::asked(limited);
        stage.give(answered(1, 1, vec![text("ok")]));
        assert_eq!(stage.state().0, AgentState::Ready);
        assert!(stage.give(send("m2", "go on")).is_empty());
        assert_eq!((reached(&stage), stage.state().0), (limit, AgentState::Failed));
        assert_eq!(stage.agent.queued().len(), 1, "the message is kept");
        assert!(stage.claim().is_empty());
    }
}

#[test]
fn an_agent_that_could_never_work_is_not_created() {
    let mut limited = config();
    limited.limits.parallel_tools = 0;
    let new = NewAgent { id: "a".parse().unwrap(), run: run(), config: limited };
    assert!(matches!(create(new, START), Err(Refused::Invalid(_))));
}

#[test]
fn an_agent_is_made_for_a_call_while_it_runs_and_not_after() {
    let mut stage = Stage::wanting(config(), &["unsafe"]);
    let new = || NewAgent { id: "sub".parse().unwrap(), run: run(), config: config() };
    let late =
        |stage: &Stage| matches!(spawn(&stage.agent, call(1, 1), new(), START), Err(Refused::Late { .. }));
    assert!(late(&stage), "it has not begun");
    stage.give(judged(call(1, 1), Judgement::Proceed));
    let events = spawn(&stage.agent, call(1, 1), new(), START).unwrap().events;
    let child = Agent::fold(&events).unwrap();
    let maker = child.lineage().last().unwrap();
    assert_eq!((maker.agent.as_str(), maker.seq, maker.call), ("a", stage.agent.seq(), Some(call(1, 1))));
    stage.give(gave(call(1, 1), 1, "done"));
    assert!(late(&stage), "it has ended");
}

#[test]
fn hooks_may_put_something_in_a_results_place_and_the_result_stays_in_the_log() {
    let hooked = || {
        let mut config = config();
        let mut tools = (*config.tools).clone();
        tools.values_mut().for_each(|tool| tool.post_hook = true);
        config.tools = Arc::new(tools);
        config
    };
    let other = ToolResult { content: [Block::text("redacted")].into(), is_error: false };
    for (result, told) in [(Some(other), "redacted"), (None, "secret")] {
        let mut stage = Stage::running(hooked(), &["unsafe"]);
        let effects = stage.give(gave(call(1, 1), 1, "secret"));
        assert!(matches!(&effects[..], [Effect::Review { .. }]));
        assert!(
            matches!(&stage.claim()[..], [Effect::Review { .. }]),
            "the outcome is safe, the hook is asked again"
        );
        let effects = stage.give(Reviewed { call: call(1, 1), result });
        assert!(matches!(&effects[..], [Effect::CallModel { .. }]));
        assert_eq!(stage.results(), [told]);
    }
    let mut stage = Stage::running(config(), &["pure"]);
    assert!(matches!(stage.refuse(Reviewed { call: call(1, 1), result: None }), Refused::Late { .. }));
}

#[test]
fn a_tool_that_is_gone_is_refused_and_a_new_one_is_not() {
    let mut stage = Stage::wanting(config(), &["pure"]);
    stage.give(SetTools { tools: Arc::default() });
    stage.give(answered(2, 1, vec![wish("fresh")]));
    assert!(stage.results()[0].contains("no tool \"fresh\""));
    let fresh = Config::default().tools;
    assert_eq!(stage.agent.config().tools, fresh);
    let tools = Arc::new([("fresh".into(), Default::default())].into());
    stage.give(SetTools { tools });
    stage.give(answered(3, 1, vec![wish("fresh")]));
    let effects = stage.give(judged(call(3, 1), Judgement::Proceed));
    assert!(matches!(&effects[..], [Effect::RunTool { .. }]));
}

#[test]
fn an_open_list_of_todos_is_shown_with_every_nth_step_and_a_done_one_is_not() {
    let mut stage = Stage::new(Config { remind_todos_every: Some(2), ..config() });
    let listed = |status| SetTodos { todos: Arc::new([todo("a", "write", status)]) };
    stage.give(listed(TodoStatus::Pending));
    stage.give(send("m1", "go"));
    let reminders = |stage: &Stage| {
        let is_one = |event: &&seawall_engine::Event| matches!(&event.fact, Fact::Noted { note: Note::TodoReminder { content, .. } } if !content.is_empty());
        stage.log.iter().filter(is_one).count()
    };
    assert_eq!(reminders(&stage), 0, "the first step");
    stage.give(answered(1, 1, vec![wish("unsafe")]));
    stage.give(judged(call(1, 1), Judgement::Proceed));
    stage.give(gave(call(1, 1), 1, "done"));
    assert_eq!(reminders(&stage), 1, "the second");
    let last = stage.agent.history().newest_first().next().unwrap().content.clone();
    let Block::Text { text: words } = &last[0] else { panic!("{last:?}") };
    assert!(words.contains("- [pending] write"), "{words}");
    stage.give(listed(TodoStatus::Completed));
    stage.give(answered(2, 1, vec![wish("unsafe")]));
    stage.give(judged(call(2, 1), Judgement::Proceed));
    stage.give(gave(call(2, 1), 1, "done"));
    stage.give(answered(3, 1, vec![wish("unsafe")]));
    stage.give(judged(call(3, 1), Judgement::Proceed));
    stage.give(gave(call(3, 1), 1, "done"));
    assert_eq!((stage.agent.steps(), reminders(&stage)), (4, 1), "nothing is open with the fourth");
}

#[test]
fn a_snapshot_and_a_note_change_nothing_but_the_log() {
    let mut stage = Stage::asked(config());
    let before = stage.agent.history().len();
    stage.give(TakeSnapshot { id: "s".into(), label: Some("here".into()) });
    stage.give(Tell { note: Note::Error { message: "odd".into() } });
    assert_eq!(stage.last_kinds(2), ["snapshot.taken", "noted"]);
    assert_eq!(stage.agent.history().len(), before);
}

#[test]
fn a_clock_that_jumps_back_does_not_take_the_log_along() {
    let stage = Stage::asked(config());
    let holder = Authority::Holder { epoch: stage.epoch };
    let decision = decide(&stage.agent, send("m2", "x"), holder, START).unwrap();
    assert_eq!(decision.events[0].at, stage.agent.last_event_at());
}

#[test]
fn an_agent_that_waits_for_files_is_held_and_told_once_for_what_it_has_not_read() {
    let mut stage = Stage::new(config());
    let trigger = Trigger::Files { pattern: "inbox/*".into() };
    let watches =
        |effects: &[Effect]| effects.iter().any(|effect| matches!(effect, Effect::WatchFiles { .. }));
    assert!(watches(&stage.give(set("w", trigger))));
    assert!(!stage.agent.rests(), "somebody has to look");
    assert!(watches(&stage.claim()), "whoever takes it up looks on");
    let changed = |text: &str| FilesChanged { id: "w".into(), pattern: "inbox/*".into(), text: text.into() };
    stage.give(changed("inbox/a"));
    stage.give(changed("inbox/b"));
    assert_eq!(stage.roles_and_words(), ["inbox/a"]);
    assert!(
        matches!(stage.refuse(changed("inbox/c")), Refused::NotNow { .. }),
        "the last one is not read yet"
    );
    stage.give(answered(1, 1, vec![text("done")]));
    assert_eq!(stage.roles_and_words(), ["inbox/a", "done", "inbox/b"]);
    stage.give(answered(2, 1, vec![text("done")]));
    stage.give(set("w", Trigger::Files { pattern: "other/*".into() }));
    assert!(matches!(stage.refuse(changed("inbox/d")), Refused::Late { .. }));
    stage.give(Unschedule { id: "w".into() });
    assert!(stage.agent.rests());
}

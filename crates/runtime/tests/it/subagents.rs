//! Agents that work for agents: made once, waited for, found again, stopped and refused.

use std::sync::Arc;
use std::time::Duration;

use seawall_base::clock::SystemClock;
use seawall_engine::{
    AgentId, Answer, ApprovalScope, Authority, Block, CallId, Channel, Claim, Command, Compressed, Decide,
    Effect, EffectClass, Interrupt, Judged, Judgement, MessageId, MessageKind, ModelAnswered, Ruling,
    SendMessage, StopReason, Subject, ToolFinished, ToolResult, decide, outstanding,
};
use seawall_runtime::{AgentError, CreateAgent, Settings, Status, Template};
use seawall_store::AgentStore;
use seawall_store::agents::{Appended, CallQuery, Lease, Right, Worker, WorkerId};
use seawall_store::memory::MemoryAgents;
use seawall_types::{ApprovalId, Clock, Usage, Usd};
use serde_json::{Value, json};

use crate::stage::{Counted, Stage, settings, template, until, within};

/// A template whose agents may give work to others, one for those, and one whose agents give work to their own kind.
pub(crate) fn templates() -> [Template; 3] {
    [
        json!({"id": "boss", "tools": [], "subagents": {"templates": ["worker"], "depth": 1}}),
        json!({"id": "worker", "description": "works"}),
        json!({"id": "deep", "tools": [], "subagents": {"templates": ["deep"], "depth": 2}}),
    ]
    .map(|more| template("openai", &more))
}

fn stage() -> Stage {
    Stage::with(settings(), EffectClass::Idempotent)
}

/// A message that makes the model give this task, and then say something.
fn task(prompt: &str, then: &str) -> String {
    let arguments = json!({"description": "a task", "prompt": prompt});
    format!("sim:tool task_run {arguments}\nsim:turn 1 sim:text {then}")
}

const WORK: &str = "sim:tool work {\"n\": 7}\nsim:turn 1 sim:text worked";

/// What is told of an agent under this name, once it is.
async fn told(stage: &Stage, id: &AgentId, event: &str) -> Value {
    let mut feed = stage.runtime.follow(id, &[Channel::Monitor], 0);
    loop {
        let next = within(feed.next()).await.unwrap();
        let face: Value = serde_json::from_str(&next.json).unwrap();
        if face["event"]["eventType"] == event {
            return face["event"]["data"].clone();
        }
    }
}

async fn child(stage: &Stage, id: &AgentId) -> AgentId {
    told(stage, id, "agent_at_work").await["agent"].as_str().unwrap().parse().unwrap()
}

/// The end of an agent's first turn, as it is told.
async fn end_of(stage: &Stage, id: &AgentId) -> String {
    let mut feed = stage.runtime.follow(id, &[Channel::Progress], 0);
    loop {
        let next = within(feed.next()).await.unwrap();
        if next.kind == "done" {
            return next.json;
        }
    }
}

async fn result(stage: &Stage, id: &AgentId) -> ToolResult {
    let calls = CallQuery { agent: Some(id.clone()), most: 9, ..CallQuery::default() };
    stage.store.calls(&calls).await.unwrap()[0].call.result.clone().unwrap()
}

fn words(result: &ToolResult) -> &str {
    let Block::Text { text } = &result.content[0] else { panic!("{result:?}") };
    text
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_words_of_an_agent_that_was_given_a_task_are_the_result() {
    let stage = stage();
    stage.tool.ends.add_permits(1);
    let id = stage.agent_of("a", "boss", None).await;
    let completed = stage.complete(&id, "m1", &task(WORK, "thanks")).await;
    assert_eq!((completed.status, completed.text.as_deref()), (Status::Ok, Some("thanks")));
    let result = result(&stage, &id).await;
    let told: Value = serde_json::from_str(words(&result)).unwrap();
    assert_eq!(
        (&told["status"], &told["text"], &told["template"]),
        (&json!("ok"), &json!("worked"), &json!("worker"))
    );
    let child = child(&stage, &id).await;
    assert_eq!(told["agent"], child.as_str());
    let kept = stage.runtime.load(&child).await.unwrap();
    let maker = kept.agent().lineage().last().unwrap().clone();
    assert_eq!(
        (maker.agent, maker.call),
        (id, Some(CallId { step: 1, index: 1 })),
        "its lineage names the call"
    );
    assert_eq!(kept.owner().key, None);
    assert_eq!(stage.tool.begun(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_is_begun_anew_finds_its_agent_and_makes_no_other() {
    let store: Arc<dyn AgentStore> = Arc::new(MemoryAgents::new(Arc::new(SystemClock::new())));
    let work = || Counted::new("work", EffectClass::Idempotent);
    let first = Stage::on(Arc::clone(&store), settings(), work());
    let id = first.agent_of("a", "boss", None).await;
    let sent = first.send(&id, "m1", &task(WORK, "thanks")).await;
    until(|| first.tool.begun() == 1).await;
    let child = child(&first, &id).await;
    assert!(first.runtime.stop(Duration::from_secs(10)).await);
    let front = Settings { works: false, ..settings() };
    let looking = Stage::on(Arc::clone(&store), front, work());
    let state = looking.runtime.load(&child).await.unwrap().agent().status().state;
    assert_eq!(state.as_str(), "working", "a process that ends stops nobody for good");
    let second = Stage::on(Arc::clone(&store), settings(), work());
    second.tool.ends.add_permits(10);
    let completed = within(second.runtime.wait(&id, sent.first)).await.unwrap();
    assert_eq!((completed.status, completed.text.as_deref()), (Status::Ok, Some("thanks")));
    let calls = CallQuery { agent: Some(id.clone()), most: 9, ..CallQuery::default() };
    let call = store.calls(&calls).await.unwrap()[0].call.clone();
    assert!(call.attempt > 1, "it was begun anew");
    assert!(words(&call.result.unwrap()).contains("worked"));
    assert_eq!(told(&second, &id, "agent_at_work").await["agent"], child.as_str());
    let messages = second.runtime.load(&child).await.unwrap().agent().message_count();
    assert_eq!(messages, 4, "the task was given once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_interrupted_stops_those_who_work_for_it() {
    let stage = stage();
    let id = stage.agent_of("a", "boss", None).await;
    let sent = stage.send(&id, "m1", &task(WORK, "never")).await;
    until(|| stage.tool.begun() == 1).await;
    let child = child(&stage, &id).await;
    stage.runtime.interrupt(&id, "ann", None).await.unwrap();
    assert_eq!(within(stage.runtime.wait(&id, sent.first)).await.unwrap().status, Status::Interrupted);
    let done = end_of(&stage, &child).await;
    assert!(done.contains("\"reason\":\"interrupted\""), "{done}");
    assert_eq!(stage.complete(&id, "m2", "sim:text next").await.text.as_deref(), Some("next"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_was_not_stopped_since_a_process_died_is_stopped_when_it_is_taken_up() {
    let store: Arc<dyn AgentStore> = Arc::new(MemoryAgents::new(Arc::new(SystemClock::new())));
    let work = || Counted::new("work", EffectClass::Idempotent);
    let first = Stage::on(Arc::clone(&store), settings(), work());
    let id = first.agent_of("a", "boss", None).await;
    first.send(&id, "m1", &task(WORK, "never")).await;
    until(|| first.tool.begun() == 1).await;
    let child = child(&first, &id).await;
    assert!(first.runtime.stop(Duration::from_secs(10)).await);
    // As if somebody had written this down and died right after.
    let kept = store.load(&id).await.unwrap().unwrap();
    let interrupt = Interrupt { by: "ann".into(), note: None };
    let now = SystemClock::new().now();
    let decision = decide(kept.agent(), interrupt, Authority::Outsider, now).unwrap();
    let (_, append) = kept.append(Right::Outsider, &decision.events).unwrap();
    assert_eq!(store.append(append).await.unwrap(), Appended::Done);
    let second = Stage::on(Arc::clone(&store), settings(), work());
    let done = end_of(&second, &child).await;
    assert!(done.contains("\"reason\":\"interrupted\""), "{done}");
    // It can be talked to like every agent.
    assert_eq!(second.complete(&child, "m2", "sim:text here").await.text.as_deref(), Some("here"));
}

/// What a worker of another process writes for an agent, under the lease with this number.
async fn written(store: &Arc<dyn AgentStore>, id: &AgentId, epoch: u64, command: impl Into<Command>) {
    let kept = store.load(id).await.unwrap().unwrap();
    let now = SystemClock::new().now();
    let decision = decide(kept.agent(), command, Authority::Holder { epoch }, now).unwrap();
    let (_, append) = kept.append(Right::Holder { epoch }, &decision.events).unwrap();
    assert_eq!(store.append(append).await.unwrap(), Appended::Done);
}

/// The model of an agent asks for its tool once more, and the tool begins. Which call that is.
async fn at_work(store: &Arc<dyn AgentStore>, id: &AgentId, epoch: u64) -> CallId {
    let step = store.load(id).await.unwrap().unwrap().agent().steps();
    let call = CallId { step, index: 1 };
    let wish = Answer::Call { provider_id: None, name: "work".into(), input: Arc::new(json!({"n": 1})) };
    let usage = Usage { input: 90, output: 9, ..Usage::default() };
    let (attempt, content, stop, cost) = (1, vec![wish], StopReason::ToolUse, Usd::ZERO);
    written(store, id, epoch, ModelAnswered { step, attempt, content, stop, usage, cost }).await;
    let approval = ApprovalId::from_parts(1, &[1; 10]);
    let (policy, judgement, expires_at) = ("p".into(), Judgement::Proceed, None);
    written(store, id, epoch, Judged { call, policy, judgement, approval, expires_at }).await;
    call
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_persons_own_turn_goes_on_though_a_summary_has_taken_the_place_of_the_task() {
    let store: Arc<dyn AgentStore> = Arc::new(MemoryAgents::new(Arc::new(SystemClock::new())));
    let begun = || Stage::on(Arc::clone(&store), settings(), Counted::new("work", EffectClass::Idempotent));
    let first = begun();
    let short = json!({"id": "worker", "context": {"compress_at": 50, "keep": 1}});
    first.runtime.templates().add(template("openai", &short));
    let id = first.agent_of("a", "boss", None).await;
    first.complete(&id, "m1", &task("sim:text worked", "thanks")).await;
    let child = child(&first, &id).await;
    assert!(first.runtime.stop(Duration::from_secs(10)).await);
    // Somebody talks to the agent that had worked for the other one, and a process dies in the middle of it.
    let worker = Worker { id: WorkerId("dies".into()), lease: Duration::from_mins(1), max_agents: 1 };
    assert!(store.renew(&worker).await.unwrap());
    let Lease::Held { epoch } = store.claim(&child, &worker.id).await.unwrap() else { panic!("it is held") };
    written(&store, &child, epoch, Claim { owner: "dies".into() }).await;
    let content = [Block::text("and now for me")].into();
    let own = SendMessage { id: MessageId("m2".into()), kind: MessageKind::User, content };
    let before = store.load(&child).await.unwrap().unwrap().seq();
    written(&store, &child, epoch, own).await;
    let call = at_work(&store, &child, epoch).await;
    let result = ToolResult { content: [Block::text("done")].into(), is_error: false };
    written(&store, &child, epoch, ToolFinished { call, attempt: 1, result, spent: None }).await;
    let kept = store.load(&child).await.unwrap().unwrap();
    let compression = outstanding(kept.agent()).into_iter().find_map(|(_, effect)| match effect {
        Effect::Compress { id, .. } => Some(id),
        _ => None,
    });
    let summary = Ok("somebody wants something".into());
    written(&store, &child, epoch, Compressed { id: compression.unwrap(), summary, spent: None }).await;
    at_work(&store, &child, epoch).await;
    store.retire(&worker.id).await.unwrap();
    let second = begun();
    second.tool.ends.add_permits(1);
    let completed = within(second.runtime.wait(&child, before + 1)).await.unwrap();
    assert_eq!((completed.status, second.tool.begun()), (Status::Ok, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_persons_own_turn_goes_on_though_the_task_was_never_answered() {
    let store: Arc<dyn AgentStore> = Arc::new(MemoryAgents::new(Arc::new(SystemClock::new())));
    let begun = || Stage::on(Arc::clone(&store), settings(), Counted::new("work", EffectClass::Idempotent));
    let first = begun();
    let id = first.agent_of("a", "boss", None).await;
    let sent = first.send(&id, "m1", &task(WORK, "never")).await;
    until(|| first.tool.begun() == 1).await;
    let child = child(&first, &id).await;
    first.runtime.interrupt(&id, "ann", None).await.unwrap();
    assert_eq!(within(first.runtime.wait(&id, sent.first)).await.unwrap().status, Status::Interrupted);
    end_of(&first, &child).await;
    let own = first.send(&child, "m2", WORK).await;
    until(|| first.tool.begun() == 2).await;
    assert!(first.runtime.stop(Duration::from_secs(10)).await);
    let second = begun();
    second.tool.ends.add_permits(1);
    let completed = within(second.runtime.wait(&child, own.first)).await.unwrap();
    assert_eq!((completed.status, completed.text.as_deref()), (Status::Ok, Some("worked")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_agent_costs_counts_for_the_one_that_it_works_for() {
    const LIMIT: u64 = 1_000_000;
    let stage = stage();
    let id = stage.agent_of("a", "deep", Some(json!({"limits": {"tokens": LIMIT}}))).await;
    let completed = stage.complete(&id, "m1", &task(&task("sim:text two", "one"), "thanks")).await;
    assert_eq!(completed.text.as_deref(), Some("thanks"));
    let load = async |id: &AgentId| stage.runtime.load(id).await.unwrap().agent().clone();
    let second = child(&stage, &id).await;
    let third = child(&stage, &second).await;
    let (first, second, third) = (load(&id).await, load(&second).await, load(&third).await);
    assert!(third.spent().tokens > 0 && third.spent().tokens == third.tokens());
    assert_eq!(second.spent().tokens, second.tokens() + third.tokens());
    assert_eq!(first.spent().tokens, first.tokens() + second.tokens() + third.tokens());
    // Each gets what the one before it had left when it was made.
    let limits = [&first, &second, &third].map(|agent| agent.config().limits.tokens.unwrap());
    assert!(limits[0] == LIMIT && limits[0] > limits[1] && limits[1] > limits[2], "{limits:?}");
    assert!(limits[2] > LIMIT - first.spent().tokens, "{limits:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_has_nothing_left_gives_no_work() {
    let stage = stage();
    let id = stage.agent_of("a", "boss", Some(json!({"limits": {"tokens": 1}}))).await;
    let completed = stage.complete(&id, "m1", &task("sim:text never", "never")).await;
    assert_eq!(completed.status, Status::Failed);
    let result = result(&stage, &id).await;
    assert!(result.is_error && words(&result).contains("leave nothing for another one"), "{result:?}");
    assert_eq!(stage.sim.stats().requests, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_that_fails_is_an_error_and_the_work_goes_on() {
    let stage = stage();
    let id = stage.agent_of("a", "boss", None).await;
    let completed = stage.complete(&id, "m1", &task("sim:error 401", "a pity")).await;
    assert_eq!((completed.status, completed.text.as_deref()), (Status::Ok, Some("a pity")));
    let result = result(&stage, &id).await;
    assert!(result.is_error && words(&result).contains("failed: "), "{result:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn depth_is_counted_down_and_ends() {
    let stage = stage();
    let id = stage.agent_of("a", "deep", None).await;
    let third = task("sim:text never", "three");
    let completed = stage.complete(&id, "m1", &task(&task(&third, "two"), "one")).await;
    assert_eq!(completed.text.as_deref(), Some("one"));
    assert!(words(&result(&stage, &id).await).contains("two"));
    let second = child(&stage, &id).await;
    let last = child(&stage, &second).await;
    let refused = result(&stage, &last).await;
    assert!(refused.is_error && words(&refused).contains("there is no tool \"task_run\""), "{refused:?}");
    assert!(!stage.runtime.load(&last).await.unwrap().agent().config().tools.contains_key("task_run"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_that_people_have_to_decide_on_is_waited_for() {
    let stage = stage();
    stage.tool.ends.add_permits(1);
    let asking = json!({"id": "worker", "permission": {"mode": "approval"}});
    stage.runtime.templates().add(template("openai", &asking));
    let id = stage.agent_of("a", "boss", None).await;
    let sent = stage.send(&id, "m1", &task(WORK, "thanks")).await;
    let waits = told(&stage, &id, "agent_waits").await;
    let child: AgentId = waits["agent"].as_str().unwrap().parse().unwrap();
    let approval = serde_json::from_value(waits["approvals"][0].clone()).unwrap();
    assert_eq!(stage.tool.begun(), 0);
    let decision = Decide {
        subject: Subject::Approval(approval),
        ruling: Ruling::Allow,
        by: "ann".into(),
        scope: ApprovalScope::Once,
        note: None,
        arguments: None,
    };
    stage.runtime.decide(&child, decision).await.unwrap();
    let completed = within(stage.runtime.wait(&id, sent.first)).await.unwrap();
    assert_eq!(completed.text.as_deref(), Some("thanks"));
    assert!(words(&result(&stage, &id).await).contains("worked"));
}

/// How often the first call of an agent was begun.
async fn attempts(store: &Arc<dyn AgentStore>, id: &AgentId) -> u32 {
    let kept = store.load(id).await.unwrap().unwrap();
    kept.agent().calls().first().map_or(0, |call| call.attempt)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_for_an_agent_outlives_more_restarts_than_crashes() {
    let store: Arc<dyn AgentStore> = Arc::new(MemoryAgents::new(Arc::new(SystemClock::new())));
    let asking = json!({"id": "worker", "permission": {"mode": "approval"}});
    let begun = || {
        let stage = Stage::on(Arc::clone(&store), settings(), Counted::new("work", EffectClass::Idempotent));
        stage.runtime.templates().add(template("openai", &asking));
        stage
    };
    let mut stage = begun();
    stage.tool.ends.add_permits(1);
    let id = stage.agent_of("a", "boss", None).await;
    let sent = stage.send(&id, "m1", &task(WORK, "thanks")).await;
    let waits = told(&stage, &id, "agent_waits").await;
    let child: AgentId = waits["agent"].as_str().unwrap().parse().unwrap();
    let limit = store.load(&id).await.unwrap().unwrap().agent().config().limits.recoveries;
    for restarts in 1..=limit + 2 {
        assert!(stage.runtime.stop(Duration::from_secs(10)).await);
        stage = begun();
        within(async {
            while attempts(&store, &id).await <= restarts {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
    stage.tool.ends.add_permits(1);
    let approval = serde_json::from_value(waits["approvals"][0].clone()).unwrap();
    let decision = Decide {
        subject: Subject::Approval(approval),
        ruling: Ruling::Allow,
        by: "ann".into(),
        scope: ApprovalScope::Once,
        note: None,
        arguments: None,
    };
    stage.runtime.decide(&child, decision).await.unwrap();
    let completed = within(stage.runtime.wait(&id, sent.first)).await.unwrap();
    assert_eq!(completed.text.as_deref(), Some("thanks"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn agents_that_wait_leave_room_for_those_that_they_wait_for() {
    let one = Settings { max_agents: 1, ..settings() };
    let stage = Stage::with(one, EffectClass::Idempotent);
    stage.tool.ends.add_permits(2);
    let id = stage.agent_of("a", "deep", None).await;
    let deepest = task("sim:text never", "three");
    let completed = stage.complete(&id, "m1", &task(&task(&deepest, "two"), "one")).await;
    assert_eq!(completed.text.as_deref(), Some("one"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_template_that_is_not_there_can_be_given_no_work() {
    let stage = stage();
    let request = CreateAgent {
        template: "boss".to_owned(),
        overrides: Some(json!({"subagents": {"templates": ["wroker"]}})),
        ..CreateAgent::default()
    };
    let refused = stage.runtime.create(request).await.unwrap_err();
    assert!(matches!(&refused, AgentError::Template(_)), "{refused:?}");
    assert!(refused.to_string().contains("did you mean \"worker\"?"), "{refused}");
}

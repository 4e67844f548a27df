//! Turns from a message to an answer, with tools and people in between.

use std::time::Duration;

use seawall_engine::{
    ApprovalScope, Block, CallState, Decide, EffectClass, Media, MessageId, MessageKind, Role, Ruling,
    Source, Subject,
};
use seawall_llm_client::sim::Options;
use seawall_runtime::{AgentError, CreateAgent, ForkAt, Status};
use seawall_store::agents::CallQuery;
use serde_json::json;

use crate::stage::{Stage, settings, until, within};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_answers_in_every_format_after_a_tool() {
    let stage = Stage::new();
    stage.tool.ends.add_permits(100);
    for provider in ["openai", "openai-responses", "anthropic", "gemini"] {
        let id = stage.agent_of(provider, provider, None).await;
        let asked = "sim:tool work {\"n\": 7}\nsim:turn 1 sim:text all done";
        let completed = stage.complete(&id, "m1", asked).await;
        assert_eq!(
            (completed.status, completed.text.as_deref()),
            (Status::Ok, Some("all done")),
            "{provider}"
        );
        let kept = stage.runtime.load(&id).await.unwrap();
        let roles: Vec<_> = kept.agent().history().iter().map(|message| message.role).collect();
        assert_eq!(roles, [Role::User, Role::Assistant, Role::User, Role::Assistant], "{provider}");
        let result = kept.agent().history().iter().nth(2).unwrap().content[0].clone();
        let Block::ToolResult { content, is_error: false, .. } = result else { panic!("{result:?}") };
        assert_eq!(content[..], [Block::text("done 7")], "{provider}");
        // What was said before is part of the next request.
        let again = stage.complete(&id, "m2", "sim:text and more").await;
        assert_eq!(again.text.as_deref(), Some("and more"), "{provider}");
    }
    assert_eq!(stage.tool.begun(), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_is_asked_and_the_answer_holds_for_exactly_this_call() {
    let stage = Stage::new();
    stage.tool.ends.add_permits(100);
    let asking = json!({"permission": {"mode": "approval"}});
    let id = stage.agent_of("a", "openai", Some(asking)).await;
    let paused = stage.complete(&id, "m1", "sim:tool work {\"n\": 1}\nsim:turn 1 sim:text thanks").await;
    assert_eq!(paused.status, Status::Paused);
    let [approval] = paused.approvals[..] else { panic!("{paused:?}") };
    assert_eq!(stage.tool.begun(), 0);
    let decide = |ruling| Decide {
        subject: Subject::Approval(approval),
        ruling,
        by: "ann".into(),
        scope: ApprovalScope::Once,
        note: None,
        arguments: None,
    };
    let decided = stage.runtime.decide(&id, decide(Ruling::Allow)).await.unwrap();
    let completed = within(stage.runtime.wait(&id, decided.first)).await.unwrap();
    assert_eq!(completed.text.as_deref(), Some("thanks"));
    assert_eq!(stage.tool.begun(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn arguments_that_do_not_fit_are_told_to_the_model_and_run_nothing() {
    let stage = Stage::new();
    let id = stage.agent("a").await;
    let completed =
        stage.complete(&id, "m1", "sim:tool work {\"n\": \"seven\"}\nsim:turn 1 sim:text sorry").await;
    assert_eq!(completed.text.as_deref(), Some("sorry"));
    assert_eq!(stage.tool.begun(), 0);
    let calls =
        stage.store.calls(&CallQuery { agent: Some(id), most: 10, ..CallQuery::default() }).await.unwrap();
    let words = format!("{:?}", calls[0].call.result);
    assert!(words.contains("do not fit") && words.contains("integer"), "{words}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interruption_in_a_tool_ends_it_and_the_next_message_works() {
    let stage = Stage::new();
    let id = stage.agent("a").await;
    let sent = stage.send(&id, "m1", "sim:tool work {\"n\": 1}\nsim:turn 1 sim:text never").await;
    until(|| stage.tool.begun() == 1).await;
    stage.runtime.interrupt(&id, "ann", Some("enough")).await.unwrap();
    let completed = within(stage.runtime.wait(&id, sent.first)).await.unwrap();
    assert_eq!(completed.status, Status::Interrupted);
    let calls = CallQuery { agent: Some(id.clone()), most: 10, ..CallQuery::default() };
    assert_eq!(stage.store.calls(&calls).await.unwrap()[0].call.state, CallState::Sealed);
    let next = stage.complete(&id, "m2", "sim:text here I am").await;
    assert_eq!(next.text.as_deref(), Some("here I am"));
    // Idle: nothing happens, and the next message works too.
    stage.runtime.interrupt(&id, "ann", None).await.unwrap();
    assert_eq!(stage.complete(&id, "m3", "sim:text still").await.text.as_deref(), Some("still"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interruption_while_the_model_speaks_ends_its_call() {
    let stage = Stage::slow(Options { latency: Duration::from_millis(500), ..Options::default() });
    let id = stage.agent("a").await;
    let sent = stage.send(&id, "m1", "hello").await;
    until(|| stage.sim.stats().in_flight == 1).await;
    stage.runtime.interrupt(&id, "ann", None).await.unwrap();
    let completed = within(stage.runtime.wait(&id, sent.first)).await.unwrap();
    assert_eq!(completed.status, Status::Interrupted);
    until(|| stage.sim.stats().in_flight == 0).await;
    assert_eq!(stage.complete(&id, "m2", "sim:text next").await.text.as_deref(), Some("next"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_message_twice_is_one_and_another_under_its_name_is_refused() {
    let stage = Stage::new();
    let id = stage.agent("a").await;
    let first = stage.complete(&id, "m1", "sim:text once").await;
    let again = stage.send(&id, "m1", "sim:text once").await;
    assert!(again.first < first.bookmark.seq);
    let content = [Block::text("sim:text other")].into();
    let kind = seawall_engine::MessageKind::User;
    let refused = stage.runtime.send(&id, seawall_engine::MessageId("m1".into()), kind, content).await;
    assert!(matches!(refused, Err(AgentError::KeyReused)));
    assert_eq!(stage.sim.stats().requests, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_who_make_one_agent_at_once_have_one() {
    let stage = Stage::new();
    let request = || CreateAgent {
        id: Some("same".parse().unwrap()),
        template: "openai".to_owned(),
        ..CreateAgent::default()
    };
    let makers: Vec<_> = (0..5)
        .map(|_| {
            let (runtime, request) = (stage.runtime.clone(), request());
            tokio::spawn(async move { runtime.create(request).await.unwrap().1 })
        })
        .collect();
    let mut made = 0;
    for maker in makers {
        made += u32::from(maker.await.unwrap());
    }
    assert_eq!(made, 1);
    let other = CreateAgent { metadata: Some(json!({"other": true})), ..request() };
    assert!(matches!(stage.runtime.create(other).await, Err(AgentError::Exists(_))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fork_goes_on_from_where_it_was_taken() {
    let stage = Stage::new();
    let id = stage.agent("a").await;
    let first = stage.complete(&id, "m1", "sim:text one").await;
    stage.complete(&id, "m2", "sim:text two").await;
    let fork = stage.runtime.fork(&id, None, ForkAt::Seq(first.bookmark.seq)).await.unwrap();
    assert_eq!(fork.messages, 2);
    assert_eq!(fork.lineage[0].agent, id);
    assert_eq!(stage.complete(&fork.id, "m1", "sim:text three").await.text.as_deref(), Some("three"));
    assert_eq!(stage.runtime.load(&id).await.unwrap().agent().message_count(), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn agents_that_rest_make_room_for_others() {
    let few = seawall_runtime::Settings { max_agents: 2, ..settings() };
    let stage = Stage::with(few, EffectClass::Pure);
    for round in 0..3 {
        for name in 0..6 {
            let id = if round == 0 {
                stage.agent(&format!("a{name}")).await
            } else {
                format!("a{name}").parse().unwrap()
            };
            let completed = stage.complete(&id, &format!("m{round}"), "sim:text here").await;
            assert_eq!(completed.text.as_deref(), Some("here"), "{round} {name}");
            assert!(stage.runtime.gauges().held <= 2);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_picture_that_is_kept_as_a_blob_is_shown_to_the_model() {
    let stage = Stage::new();
    for provider in ["openai", "openai-responses", "anthropic", "gemini"] {
        let id = stage.agent_of(provider, provider, None).await;
        let blob = stage.store.put_blob(&id, b"a picture").await.unwrap().to_string();
        let picture = |name: &str| {
            let source = Source::Blob(name.into());
            Block::Image(Media { source, mime_type: "image/png".into() })
        };
        let content = [picture(&blob), picture(&"0".repeat(64)), Block::text("what is this?")].into();
        let sent = stage.runtime.send(&id, MessageId("m1".into()), MessageKind::User, content).await.unwrap();
        within(stage.runtime.wait(&id, sent.first)).await.unwrap();
        let asked = stage.last_request().await;
        assert!(asked.contains("YSBwaWN0dXJl"), "{provider}: {asked}");
        assert!(asked.contains("[image/png: it is not kept any more]"), "{provider}: {asked}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_comes_while_another_is_answered_has_an_answer_of_its_own() {
    let stage = Stage::slow(Options { latency: Duration::from_millis(300), ..Options::default() });
    let id = stage.agent("a").await;
    let first = stage.send(&id, "m1", "sim:text first").await;
    until(|| stage.sim.stats().in_flight == 1).await;
    let second = stage.send(&id, "m2", "sim:text second").await;
    let (first, second) = within(async {
        tokio::join!(stage.runtime.wait(&id, first.first), stage.runtime.wait(&id, second.first))
    })
    .await;
    assert_eq!(first.unwrap().text.as_deref(), Some("first"));
    assert_eq!(second.unwrap().text.as_deref(), Some("second"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_changes_nothing_of_where_a_model_is_however_it_is_written() {
    let stage = Stage::new();
    for overrides in [
        json!({"model": {"base_url": "http://evil.example"}}),
        json!({"model": ["openai", "m", "http://evil.example", "${HOME}"]}),
        json!({"model": null}),
        json!({"hooks": {"pre_tool": [{"command": ["true"]}]}}),
        json!({"id": "another"}),
    ] {
        let request = CreateAgent {
            template: "openai".to_owned(),
            overrides: Some(overrides.clone()),
            ..CreateAgent::default()
        };
        let refused = stage.runtime.create(request).await;
        assert!(matches!(refused, Err(AgentError::Template(_))), "{overrides}: {refused:?}");
    }
}

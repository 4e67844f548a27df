//! How turns end that don't go well: too long a history, a filter, a model that hangs, a person who stops it all.

use seawall_engine::{ApprovalScope, CallState, Decide, Ruling, Subject};
use seawall_runtime::{Completed, Status};
use seawall_store::agents::CallQuery;
use serde_json::{Value, json};

use crate::scripted::{COST, Does, Scripted, filtered, too_long};
use crate::stage::{Counted, Stage, settings, until, within};
use crate::wires::{WIRES, Wire};

fn stage(model: &std::sync::Arc<Scripted>) -> Stage {
    Stage::asking(std::sync::Arc::clone(model) as _, settings(), Counted::wordy("work"))
}

/// How a turn failed.
fn class(completed: &Completed) -> &str {
    assert_eq!(completed.status, Status::Failed, "{completed:?}");
    assert!(completed.text.is_none(), "no success with nothing: {completed:?}");
    &completed.error.as_ref().unwrap().0
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interruption_while_a_person_is_asked_ends_the_question_and_the_next_message_works() {
    let stage = Stage::new();
    stage.tool.ends.add_permits(100);
    for (provider, _) in WIRES {
        let asking = json!({ "permission": { "mode": "approval" } });
        let id = stage.agent_of(provider, provider, Some(asking)).await;
        let asked = "sim:tools [{\"name\":\"work\",\"arguments\":{\"n\":1}},{\"name\":\"work\",\"arguments\":{\"n\":2}}]";
        let paused = stage.complete(&id, "m1", asked).await;
        assert_eq!((paused.status, paused.approvals.len()), (Status::Paused, 2), "{provider}");
        let stopped = stage.runtime.interrupt(&id, "ann", Some("no need")).await.unwrap();
        let ended = within(stage.runtime.wait(&id, stopped.first)).await.unwrap();
        assert_eq!((ended.status, ended.approvals.len()), (Status::Interrupted, 0), "{provider}");
        let calls = CallQuery { agent: Some(id.clone()), most: 10, ..CallQuery::default() };
        let calls = stage.store.calls(&calls).await.unwrap();
        assert!(calls.iter().all(|row| row.call.state == CallState::Sealed), "{provider}: {calls:?}");
        let late = Decide {
            subject: Subject::Approval(paused.approvals[0]),
            ruling: Ruling::Allow,
            by: "ann".into(),
            scope: ApprovalScope::Once,
            note: None,
            arguments: None,
        };
        assert!(stage.runtime.decide(&id, late).await.is_err(), "{provider}: nobody asks any more");
        let next = stage.complete(&id, "m2", "sim:text here I am").await;
        assert_eq!(next.text.as_deref(), Some("here I am"), "{provider}");
        let request: Value = serde_json::from_str(&stage.last_request().await).unwrap();
        let request = request["requests"][0]["body"].to_string();
        assert_eq!(request.matches("not run: the turn was stopped").count(), 2, "{provider}: {request}");
        assert_eq!(stage.sim.stats().in_flight, 0, "{provider}");
    }
    assert_eq!(stage.tool.begun(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_history_that_is_too_long_for_the_model_is_made_shorter_and_the_turn_goes_on() {
    // More than three messages are too long for it.
    let model = Scripted::new(|wire, body| match wire.check(body).unwrap() {
        _ if Wire::is_summary(body) => Does::Says("we talked".to_owned()),
        messages if messages > 6 => too_long(wire),
        _ => Does::Says("fine".to_owned()),
    });
    let stage = stage(&model);
    for (provider, _) in WIRES {
        let id = stage.agent_of(provider, provider, Some(json!({ "context": { "keep": 2 } }))).await;
        for turn in 0..10 {
            let completed = stage.complete(&id, &format!("m{turn}"), "say something").await;
            assert_eq!(completed.text.as_deref(), Some("fine"), "{provider} {turn}: {completed:?}");
        }
        let kept = stage.runtime.load(&id).await.unwrap();
        let first = kept.agent().history().iter().next().unwrap().content[0].clone();
        assert!(format!("{first:?}").contains("we talked"), "{provider}: {first:?}");
        assert_eq!(kept.agent().status().state, seawall_engine::AgentState::Ready, "{provider}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_history_that_stays_too_long_ends_the_turn_with_its_class() {
    let model = Scripted::new(|wire, body| match &body.to_string() {
        _ if Wire::is_summary(body) => Does::Says("we talked".to_owned()),
        words if words.contains("HUGE") => too_long(wire),
        _ => Does::Says("fine".to_owned()),
    });
    let stage = stage(&model);
    for (provider, _) in WIRES {
        let id = stage.agent_of(provider, provider, Some(json!({ "context": { "keep": 2 } }))).await;
        for turn in 0..3 {
            stage.complete(&id, &format!("m{turn}"), "say something").await;
        }
        let before = model.asked();
        let failed = stage.complete(&id, "huge", "something HUGE").await;
        assert_eq!(class(&failed), "context_length", "{provider}: {failed:?}");
        assert_eq!(model.asked() - before, 3, "{provider}: once, its summary, and once more");
        // With nothing before it there is nothing to be made shorter.
        let alone = stage.agent_of(&format!("{provider}-alone"), provider, None).await;
        let before = model.asked();
        let failed = stage.complete(&alone, "huge", "something HUGE").await;
        assert_eq!((class(&failed), model.asked() - before), ("context_length", 1), "{provider}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_filter_leaves_nothing_of_is_a_failure_and_not_tried_again() {
    let model = Scripted::new(|wire, body| {
        let last = body.to_string();
        if last.contains("again") {
            Does::Says("fine".to_owned())
        } else if last.contains("refused prompt") {
            let error =
                json!({ "message": "The response was filtered", "code": "content_filter", "status": 400 });
            Does::Answers(400, json!({ "error": error }))
        } else {
            filtered(wire)
        }
    });
    let stage = stage(&model);
    for (provider, wire) in WIRES {
        let azure = matches!(wire, Wire::Chat | Wire::Responses).then_some("refused prompt");
        for words in ["something bad"].into_iter().chain(azure) {
            let id = stage.agent_of(&format!("{provider}-{}", words.len()), provider, None).await;
            let before = model.asked();
            let failed = stage.complete(&id, "m1", words).await;
            assert_eq!(class(&failed), "content_filter", "{provider}: {failed:?}");
            assert_eq!(model.asked() - before, 1, "{provider}");
            let next = stage.complete(&id, "m2", "and again?").await;
            assert_eq!(next.text.as_deref(), Some("fine"), "{provider}: {next:?}");
        }
    }
}

/// A model that hangs: what was asked of it, and how the turn ended.
async fn hung(does: fn() -> Does, timeout: Value, words: &str) {
    let model = Scripted::new(move |_, body| match body.to_string() {
        words if words.contains("again") => Does::Says("fine".to_owned()),
        _ => does(),
    });
    let stage = stage(&model);
    for (provider, _) in WIRES {
        let limits = json!({ "model": { "timeout": timeout } });
        let id = stage.agent_of(provider, provider, Some(limits)).await;
        let (asked, over) = (model.asked(), model.over());
        let failed = stage.complete(&id, "m1", "hello").await;
        assert_eq!(class(&failed), "timeout", "{provider}: {failed:?}");
        let message = &failed.error.as_ref().unwrap().1;
        assert!(message.contains(words), "{provider}: {message}");
        assert_eq!(model.asked() - asked, 4, "{provider}: once, and three times more");
        // Nothing is left under way at the provider.
        until(|| model.over() - over == 4).await;
        let next = stage.complete(&id, "m2", "and again?").await;
        assert_eq!(next.text.as_deref(), Some("fine"), "{provider}: {next:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_model_that_never_begins_is_given_up_after_its_first_byte_is_due() {
    hung(|| Does::Hangs, json!({ "first_byte": "30ms", "idle": "20s", "total": "20s" }), "begin").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_model_that_stops_in_the_middle_is_given_up_after_its_idle_time() {
    hung(|| Does::Stops, json!({ "first_byte": "20s", "idle": "30ms", "total": "20s" }), "in the middle")
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_model_that_goes_on_and_on_is_given_up_after_its_total_time() {
    hung(|| Does::Drips, json!({ "first_byte": "20s", "idle": "20s", "total": "100ms" }), "finish").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_that_break_off_cost_what_they_cost() {
    let model = Scripted::new(|_, _| Does::Stops);
    let stage = stage(&model);
    let limits = json!({ "model": { "timeout": { "first_byte": "20s", "idle": "30ms", "total": "20s" } } });
    let id = stage.agent_of("a", "anthropic", Some(limits)).await;
    assert_eq!(class(&stage.complete(&id, "m1", "hello").await), "timeout");
    let kept = stage.runtime.load(&id).await.unwrap();
    assert_eq!(kept.agent().spent().usd.as_picos(), 4 * COST.as_picos(), "once, and three times more");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_summary_costs_what_it_costs() {
    let model = Scripted::new(|_, _| Does::Says("fine".to_owned()));
    let stage = stage(&model);
    let id =
        stage.agent_of("a", "anthropic", Some(json!({ "context": { "compress_at": 1, "keep": 2 } }))).await;
    for turn in 0..4 {
        stage.complete(&id, &format!("m{turn}"), "say something").await;
    }
    let kept = stage.runtime.load(&id).await.unwrap();
    assert!(model.asked() > 4, "no summary was asked for");
    assert_eq!(kept.agent().spent().usd.as_picos(), u128::from(model.asked()) * COST.as_picos());
}

/// A model whose summaries hang: they are asked for before each turn but the first ones.
fn mute_about_the_past(does: fn() -> Does) -> std::sync::Arc<Scripted> {
    Scripted::new(move |_, body| if Wire::is_summary(body) { does() } else { Does::Says("fine".to_owned()) })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_model_that_hangs_at_a_summary_is_given_up_and_rules_make_it() {
    let ways: [(fn() -> Does, Value); 2] = [
        (|| Does::Hangs, json!({ "first_byte": "30ms", "idle": "20s", "total": "5m" })),
        (|| Does::Stops, json!({ "first_byte": "20s", "idle": "30ms", "total": "5m" })),
    ];
    for (does, timeout) in ways {
        let model = mute_about_the_past(does);
        let stage = stage(&model);
        for (provider, _) in WIRES {
            let small =
                json!({ "context": { "compress_at": 1, "keep": 2 }, "model": { "timeout": timeout } });
            let id = stage.agent_of(provider, provider, Some(small)).await;
            for turn in 0..4 {
                let completed = stage.complete(&id, &format!("m{turn}"), &format!("number {turn}")).await;
                assert_eq!(completed.text.as_deref(), Some("fine"), "{provider} {turn}: {completed:?}");
            }
            let kept = stage.runtime.load(&id).await.unwrap();
            let first = format!("{:?}", kept.agent().history().iter().next().unwrap().content[0]);
            assert!(first.contains("summed up") && first.contains("number 0"), "{provider}: {first}");
        }
        until(|| model.over() == model.asked()).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interruption_while_the_past_is_summed_up_ends_that_call() {
    let model = mute_about_the_past(|| Does::Hangs);
    let stage = stage(&model);
    let small = json!({ "context": { "compress_at": 1, "keep": 2 } });
    let id = stage.agent_of("a", "anthropic", Some(small)).await;
    for turn in 0..2 {
        stage.complete(&id, &format!("m{turn}"), "say something").await;
    }
    let sent = stage.send(&id, "m2", "say something").await;
    until(|| model.asked() == 3).await;
    stage.runtime.interrupt(&id, "ann", None).await.unwrap();
    assert_eq!(within(stage.runtime.wait(&id, sent.first)).await.unwrap().status, Status::Interrupted);
    until(|| model.over() == 3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_summary_is_the_models_own_in_every_format() {
    let stage = Stage::new();
    for (provider, _) in WIRES {
        let small = json!({ "context": { "compress_at": 1, "keep": 2 } });
        let id = stage.agent_of(provider, provider, Some(small)).await;
        for turn in 0..3 {
            stage.complete(&id, &format!("m{turn}"), &format!("number {turn}")).await;
        }
        let kept = stage.runtime.load(&id).await.unwrap();
        let first = format!("{:?}", kept.agent().history().iter().next().unwrap().content[0]);
        assert!(first.contains("Hello from the simulated provider"), "{provider}: {first}");
        assert!(!first.contains("number 0"), "{provider}: rules would have kept the words: {first}");
    }
}

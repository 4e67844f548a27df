//! Lists of todos: kept with tools that need not be named, and shown again.

use seawall_engine::{Block, Channel, EffectClass, Role};
use seawall_runtime::{CreateAgent, Status};
use serde_json::{Value, json};

use crate::stage::{Stage, settings, template};

const LISTED: &str = "sim:tool todo_write {\"todos\":[{\"id\":\"a\",\"title\":\"paint\",\"status\":\"pending\"}]}\n\
                      sim:turn 1 sim:tool todo_read {}\nsim:turn 2 sim:text on it";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_is_kept_without_naming_its_tools_and_shown_with_every_nth_step() {
    let stage = Stage::with(settings(), EffectClass::Pure);
    let todo = json!({"id": "lister", "tools": [], "todo": {"enabled": true, "remind_every": 3}});
    stage.runtime.templates().add(template("openai", &todo));
    let id = stage.agent_of("a", "lister", None).await;
    let completed = stage.complete(&id, "m1", LISTED).await;
    assert_eq!((completed.status, completed.text.as_deref()), (Status::Ok, Some("on it")));
    let kept = stage.runtime.load(&id).await.unwrap();
    assert_eq!(&*kept.agent().todos()[0].title, "paint");
    let mut feed = stage.runtime.follow(&id, &[Channel::Monitor], 0);
    let mut told = Vec::new();
    while let Some(next) = feed.try_next().await.unwrap() {
        told.push((next.kind, serde_json::from_str::<Value>(&next.json).unwrap()["event"].clone()));
    }
    let of = |kind: &str| {
        told.iter().filter(|(told, _)| *told == kind).map(|(_, event)| event).collect::<Vec<_>>()
    };
    let changed = of("todo_changed");
    assert_eq!((changed.len(), &changed[0]["current"][0]["title"]), (1, &json!("paint")));
    let reminded = of("todo_reminder");
    assert_eq!((reminded.len(), &reminded[0]["reason"]), (1, &json!("interval")), "{told:?}");
    assert_eq!(of("reminder_sent")[0]["category"], "todo");
    // Its model has read it: with the third step, after the result of the second.
    let history: Vec<_> = kept.agent().history().iter().cloned().collect();
    let shown = history.iter().rfind(|message| message.role == Role::User).unwrap();
    assert!(
        matches!(&shown.content[0], Block::Text { text } if text.contains("[pending] paint")),
        "{shown:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reminder_of_no_list_is_refused_in_words() {
    let stage = Stage::with(settings(), EffectClass::Pure);
    for (todo, words) in [
        (json!({"remind_every": 2}), "enabled: true"),
        (json!({"enabled": true, "remind_every": 0}), "1 or more"),
    ] {
        let request = CreateAgent {
            template: "openai".to_owned(),
            overrides: Some(json!({ "todo": todo })),
            ..CreateAgent::default()
        };
        let refused = stage.runtime.create(request).await.unwrap_err().to_string();
        assert!(refused.contains("todo.remind_every") && refused.contains(words), "{refused}");
    }
}

//! Each route does what it says.

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};

use super::stage::{Stage, until, within};
use crate::api::openapi;

#[tokio::test]
async fn an_agent_is_made_once_however_often_the_request_comes() {
    let stage = Stage::new();
    let body = json!({"id": "a", "template": "writer", "metadata": {"for": "ann"}});
    let made = stage.post("/api/agents", &body).await.ok(201);
    assert_eq!(
        (&made["id"], &made["template"], &made["state"]),
        (&json!("a"), &json!("writer"), &json!("ready"))
    );
    assert!(made["created_at"].is_string() && made["epoch"].is_u64(), "{made}");
    assert_eq!(stage.post("/api/agents", &body).await.ok(200), made);
    let shown = stage.get("/api/agents/a").await.ok(200);
    assert_eq!(shown["metadata"]["for"], "ann");
    for member in ["breakpoint", "step_count", "message_count", "bookmark", "cost_usd", "lineage"] {
        assert!(shown.get(member).is_some(), "{member}: {shown}");
    }
    let unnamed = stage.post("/api/agents", &json!({"template": "writer"})).await.ok(201);
    assert!(unnamed["id"].as_str().unwrap().starts_with("agt-"));
}

#[tokio::test]
async fn agents_are_listed_by_pages_and_filters() {
    let stage = Stage::new();
    for id in ["a1", "a2", "a3", "b1"] {
        stage.agent(id, json!({})).await;
    }
    let names = |listed: &Value| -> Vec<String> {
        listed["agents"]
            .as_array()
            .unwrap()
            .iter()
            .map(|agent| agent["id"].as_str().unwrap().to_owned())
            .collect()
    };
    let first = stage.get("/api/agents?prefix=a&order=name&limit=2").await.ok(200);
    assert_eq!((names(&first), &first["next_offset"]), (vec!["a1".to_owned(), "a2".to_owned()], &json!(2)));
    let second = stage.get("/api/agents?prefix=a&order=name&limit=2&offset=2").await.ok(200);
    assert_eq!(names(&second), ["a3"]);
    assert!(second.get("next_offset").is_none());
    assert_eq!(names(&stage.get("/api/agents?state=working").await.ok(200)), [""; 0]);
}

#[tokio::test]
async fn an_agent_is_put_away_and_then_removed() {
    let stage = Stage::new();
    stage.agent("a", json!({})).await;
    for _ in 0..2 {
        assert_eq!(stage.ask("DELETE", "/api/agents/a", &[], "").await.status, 204);
    }
    assert_eq!(stage.get("/api/agents/a").await.ok(200)["archived"], true);
    assert_eq!(stage.get("/api/agents").await.ok(200)["agents"], json!([]));
    assert_eq!(stage.get("/api/agents?archived=true").await.ok(200)["agents"][0]["id"], "a");
    assert_eq!(stage.ask("DELETE", "/api/agents/a?purge=true", &[], "").await.status, 204);
    stage.get("/api/agents/a").await.problem(404, "AGENT_NOT_FOUND");
}

#[tokio::test]
async fn a_message_is_acknowledged_at_once_or_answered_in_the_end() {
    let stage = Stage::new();
    stage.agent("a", json!({})).await;
    let ended = stage.complete("a", "sim:text hello").await;
    assert_eq!((&ended["status"], &ended["text"]), (&json!("ok"), &json!("hello")));
    let blocks = json!({"content": [{"type": "text", "text": "sim:text again"}]});
    let ended = stage.post("/api/agents/a/messages?wait=true&timeout=20", &blocks).await.ok(200);
    assert_eq!(ended["text"], "again");
    // A model that never answers: the time is up, and the message is safe all the same.
    let late = stage
        .post("/api/agents/a/messages?wait=true&timeout=0", &json!({"content": "sim:hang"}))
        .await
        .ok(202);
    assert!(late["message_id"].is_string() && late["bookmark"]["seq"].is_u64(), "{late}");
    stage.post("/api/agents/a/interrupt", &json!({"note": "enough"})).await.ok(200);
    // A reminder begins nothing, so nothing is waited for.
    let reminder = json!({"content": "be brief", "kind": "reminder"});
    stage.post("/api/agents/a/messages?wait=true", &reminder).await.ok(202);
    let listed = stage.get("/api/agents/a/messages").await.ok(200);
    let messages = listed["messages"].as_array().unwrap();
    let roles: Vec<_> = messages.iter().map(|message| message["role"].as_str().unwrap()).collect();
    assert_eq!(roles[..4], ["user", "assistant", "user", "assistant"], "{listed}");
    assert_eq!(messages[1]["content"], json!([{"type": "text", "text": "hello"}]));
    assert_eq!(messages.last().unwrap()["state"], "queued");
}

#[tokio::test]
async fn the_same_key_is_the_same_message() {
    let stage = Stage::new();
    stage.agent("a", json!({})).await;
    let send = |text: &'static str| {
        let body = json!({"content": text}).to_string();
        let stage = &stage;
        async move { stage.ask("POST", "/api/agents/a/messages", &[("idempotency-key", "k1")], &body).await }
    };
    let first = send("sim:text once").await.ok(202);
    assert_eq!(first["message_id"], "k1");
    let again = send("sim:text once").await.ok(202);
    assert!(again["bookmark"]["seq"].as_u64() <= first["bookmark"]["seq"].as_u64(), "{again} {first}");
    send("sim:text other").await.problem(422, "IDEMPOTENCY_KEY_REUSED");
}

#[tokio::test]
async fn a_turn_that_fails_says_so() {
    let stage = Stage::new();
    stage.agent("a", json!({})).await;
    let ended = stage.complete("a", "sim:error 401").await;
    assert_eq!(ended["status"], "failed");
    assert_eq!(ended["error"]["code"], "authentication", "{ended}");
    assert!(ended["error"]["message"].as_str().is_some_and(|text| !text.is_empty()));
}

#[tokio::test]
async fn snapshots_and_forks_go_on_from_where_they_were_taken() {
    let stage = Stage::new();
    stage.agent("a", json!({})).await;
    stage.complete("a", "sim:text one").await;
    let taken = stage.post("/api/agents/a/snapshots", &json!({"label": "first"})).await.ok(201);
    stage.complete("a", "sim:text two").await;
    let listed = stage.get("/api/agents/a/snapshots").await.ok(200);
    assert_eq!(
        (&listed["snapshots"][0]["id"], &listed["snapshots"][0]["label"]),
        (&taken["id"], &json!("first"))
    );
    assert_eq!(listed["snapshots"][0]["seq"], taken["seq"]);
    let at_snapshot =
        stage.post("/api/agents/a/fork", &json!({"snapshot": taken["id"], "id": "b"})).await.ok(201);
    assert_eq!((&at_snapshot["id"], &at_snapshot["message_count"]), (&json!("b"), &json!(2)));
    assert_eq!(at_snapshot["lineage"][0]["agent"], "a");
    let now = stage.ask("POST", "/api/agents/a/fork", &[], "").await.ok(201);
    assert_eq!(now["message_count"], 4);
    stage.post("/api/agents/a/fork", &json!({"seq": taken["seq"]})).await.ok(201);
    assert_eq!(stage.complete("b", "sim:text three").await["text"], "three");
}

#[tokio::test]
async fn todos_are_put_in_the_place_of_those_there_were() {
    let stage = Stage::new();
    stage.agent("a", json!({})).await;
    let todos = json!({"todos": [{"id": "1", "title": "write", "status": "in_progress"}]});
    let set = stage.ask("PUT", "/api/agents/a/todos", &[], &todos.to_string()).await.ok(200);
    assert_eq!(set, todos);
    assert_eq!(stage.get("/api/agents/a/todos").await.ok(200), todos);
}

#[tokio::test]
async fn calls_of_tools_and_figures_are_told() {
    let stage = Stage::new();
    stage.agent("a", json!({})).await;
    stage.complete("a", "sim:tool work {\"n\": 7}\nsim:turn 1 sim:text done").await;
    let listed = stage.get("/api/agents/a/tool-calls?tool=work").await.ok(200);
    let call = &listed["tool_calls"][0];
    assert_eq!(
        (&call["state"], &call["effect"], &call["input"]["n"]),
        (&json!("completed"), &json!("unsafe"), &json!(7))
    );
    assert_eq!(call["result"], json!([{"type": "text", "text": "done 7"}]));
    assert!(call["audit"].as_array().unwrap().len() > 1 && call["completed_at"].is_string(), "{call}");
    assert_eq!(stage.get("/api/agents/a/tool-calls?state=in_doubt").await.ok(200)["tool_calls"], json!([]));
    let stats = stage.get("/api/agents/a/stats").await.ok(200);
    assert_eq!((&stats["messages"], &stats["tool_calls_by_name"]), (&json!(4), &json!({"work": 1})));
    let checked = stage.get("/api/agents/a/consistency").await.ok(200);
    assert_eq!((&checked["consistent"], &checked["issues"]), (&json!(true), &json!([])));
}

#[tokio::test]
async fn a_call_in_doubt_is_settled_by_a_person() {
    let stage = Stage::on(Stage::new().store, &[], 0);
    stage.agent("a", json!({"on_in_doubt": "park"})).await;
    let asked = json!({"content": "sim:tool work {\"n\": 1}\nsim:turn 1 sim:text gone on"});
    stage.post("/api/agents/a/messages", &asked).await.ok(202);
    until(|| stage.tool.begun() == 1).await;
    assert!(stage.runtime.stop(Duration::from_secs(10)).await);
    let second = Stage::on(std::sync::Arc::clone(&stage.store), &[], 10);
    let parked = async {
        while second.get("/api/agents/a").await.ok(200)["state"] != "parked" {
            tokio::task::yield_now().await;
        }
    };
    within(parked).await;
    let path = "/api/agents/a/tool-calls/call_1_1/resolve";
    second.post(path, &json!({"outcome": "done", "note": " "})).await.problem(400, "BAD_REQUEST");
    let found = json!({"outcome": "done", "result": {"paid": true}, "note": "the bank says so"});
    let since = second.post(path, &found).await.ok(200)["bookmark"]["seq"].as_u64().unwrap();
    assert!(since > 0);
    let gone_on = async {
        loop {
            let messages = second.get("/api/agents/a/messages").await.ok(200);
            if messages.to_string().contains("gone on") {
                return messages;
            }
            tokio::task::yield_now().await;
        }
    };
    let messages = within(gone_on).await;
    assert!(messages.to_string().contains("{\\\"paid\\\":true}"), "{messages}");
}

#[tokio::test]
async fn the_store_tells_how_it_is_and_what_was_asked_of_it() {
    let stage = Stage::new();
    stage.agent("a", json!({})).await;
    let health = stage.get("/api/health/store").await.ok(200);
    assert_eq!((&health["healthy"], &health["database"]["connected"]), (&json!(true), &json!(true)));
    assert!(health["file_system"]["writable"].as_bool() == Some(true) && health["checked_at"].is_string());
    let metrics = stage.get("/api/metrics/store").await.ok(200);
    assert_eq!(metrics["storage"]["total_agents"], 1);
    assert!(metrics["operations"]["saves"].as_u64() >= Some(1), "{metrics}");
    assert!(metrics["performance"]["max_latency_ms"].is_f64());
    let text = stage.page("/metrics").await;
    for name in ["kode_agents_total", "seawall_agent_resting", "seawall_agent_model_calls_total"] {
        assert!(text.contains(&format!("\n{name} ")), "{name}");
    }
}

#[tokio::test]
async fn reminders_are_set_listed_and_taken_back() {
    let stage = Stage::new();
    stage.agent("a", json!({})).await;
    let of = async || stage.get("/api/agents/a/schedules").await.ok(200)["schedules"].clone();
    let monday = json!({"id": "monday", "text": "report", "cron": "0 9 * * 1"});
    let set = stage.post("/api/agents/a/schedules", &monday).await.ok(201);
    assert_eq!((&set["id"], &set["trigger"]["kind"]), (&json!("monday"), &json!("cron")));
    let steps = json!({"text": "be brief", "every_steps": 3});
    let unnamed = stage.post("/api/agents/a/schedules", &steps).await.ok(201);
    assert_eq!(of().await.as_array().unwrap().len(), 2);
    for wrong in [
        json!({"text": "x"}),
        json!({"text": "x", "every_steps": 1, "cron": "* * * * *"}),
        json!({"text": "x", "cron": "never"}),
        json!({"text": " ", "every_steps": 1}),
        json!({"text": "x", "every_steps": 0}),
    ] {
        stage.post("/api/agents/a/schedules", &wrong).await.problem(400, "BAD_REQUEST");
    }
    let path = format!("/api/agents/a/schedules/{}", unnamed["id"].as_str().unwrap());
    for _ in 0..2 {
        assert_eq!(stage.ask("DELETE", &path, &[], "").await.status, 204);
    }
    assert_eq!(of().await.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_reminder_whose_time_has_come_begins_a_turn() {
    let stage = Stage::new();
    stage.agent("a", json!({})).await;
    let soon = json!({"text": "sim:text I mind", "after_seconds": 0});
    stage.post("/api/agents/a/schedules", &soon).await.ok(201);
    within(async {
        while !stage.get("/api/agents/a/messages").await.ok(200).to_string().contains("\"I mind\"") {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(stage.get("/api/agents/a/schedules").await.ok(200)["schedules"], json!([]));
}

#[tokio::test]
async fn what_all_agents_have_said_and_done_is_found() {
    let stage = Stage::new();
    for id in ["a", "b"] {
        stage.agent(id, json!({})).await;
        stage.complete(id, "sim:tool work {\"n\":1}\nsim:turn 1 sim:text done").await;
    }
    let found = async |path: &str, what: &str| -> Vec<String> {
        let listed = stage.get(path).await.ok(200);
        listed[what].as_array().unwrap().iter().map(|row| row["agent"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(found("/api/messages?role=assistant", "messages").await, ["a", "a", "b", "b"]);
    assert_eq!(found("/api/messages?role=assistant&limit=1&offset=2", "messages").await, ["b"]);
    assert_eq!(found("/api/messages?agent=b", "messages").await.len(), 4);
    assert_eq!(found("/api/tool-calls?tool=work&state=completed", "tool_calls").await, ["a", "b"]);
    assert_eq!(found("/api/tool-calls?tool=play", "tool_calls").await, [""; 0]);
    let stats = stage.get("/api/stats").await.ok(200);
    assert_eq!((&stats["agents"], &stats["messages"]), (&json!(2), &json!(8)), "{stats}");
    assert_eq!((&stats["agents_by_state"]["ready"], &stats["waiting"]), (&json!(2), &json!(0)), "{stats}");
    assert_eq!(stats["tool_calls_by_name"]["work"], 2, "{stats}");
}

#[tokio::test]
async fn what_agents_do_is_in_the_metrics() {
    let stage = Stage::new();
    stage.agent("a", json!({})).await;
    stage.complete("a", "sim:tool work {\"n\":1}\nsim:turn 1 sim:text done").await;
    let page = stage.page("/metrics").await;
    let value = |series: &str| -> f64 {
        let line = page.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("{series} is missing: {page}")).parse().unwrap()
    };
    for (series, expected) in [
        ("seawall_agent_steps_total", 2.0),
        ("kode_tool_duration_seconds_count{tool=\"work\"}", 1.0),
        ("kode_tool_duration_seconds_bucket{tool=\"work\",le=\"0.1\"}", 1.0),
        ("kode_tool_duration_seconds_bucket{tool=\"work\",le=\"+Inf\"}", 1.0),
        ("seawall_agent_model_duration_seconds_count{provider=\"openai\"}", 2.0),
        ("seawall_agent_in_doubt_total", 0.0),
    ] {
        assert_eq!(value(series), expected, "{series}");
    }
    assert!(
        value("seawall_agent_tokens_total{kind=\"input\"}")
            > value("seawall_agent_tokens_total{kind=\"output\"}")
    );
    assert!(value("seawall_agent_store_duration_seconds_count{operation=\"save\"}") >= 2.0);
    let ready = "\nseawall_agents{state=\"ready\"} 1\n";
    within(async {
        while !stage.page("/metrics").await.contains(ready) {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let page = stage.page("/metrics").await;
    assert!(page.contains("\nseawall_agent_queue_depth 0\n"), "{page}");
    assert!(page.contains("\nseawall_agent_queue_age_seconds 0\n"), "{page}");
}

#[tokio::test]
async fn every_documented_route_is_there_and_answers_as_documented() {
    let stage = Stage::new();
    let document = openapi::document();
    let mut seen = 0;
    for (path, operations) in document["paths"].as_object().unwrap() {
        let is_ours = path.starts_with("/api/agents")
            || path.starts_with("/api/rooms")
            || path.ends_with("/store")
            || ["/api/messages", "/api/tool-calls", "/api/stats"].contains(&path.as_str());
        for (method, operation) in operations.as_object().unwrap().iter().filter(|_| is_ours) {
            let method: Method = method.to_uppercase().parse().unwrap();
            // A name with braces is none, so that every answer is about that, but for routes without a name.
            let body = if operation["requestBody"].is_object() { "{\"x\": 1}" } else { "" };
            let path = path.replace('{', "%7B").replace('}', "%7D");
            let answer = stage.ask(method.as_str(), &path, &[], body).await;
            let documented = &operation["responses"][answer.status.as_str()];
            assert!(documented.is_object(), "{method} {path}: {answer:?}");
            assert_ne!(answer.json["detail"], "there is no such path", "{method} {path}");
            seen += 1;
        }
    }
    assert_eq!(seen, 41);
}

#[test]
fn an_agent_outlives_the_thread_that_served_its_request() {
    let threads = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let stage = {
        let _entered = threads.enter();
        Stage::slow()
    };
    // What each thread that serves requests has; it ends here while the agent speaks.
    let serving = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    serving.block_on(async {
        stage.agent("a", json!({})).await;
        stage.post("/api/agents/a/messages", &json!({"content": "sim:repeat 40 word"})).await.ok(202);
    });
    drop(serving);
    threads.block_on(within(async {
        while stage.get("/api/agents/a").await.ok(200)["state"] != "ready" {
            tokio::task::yield_now().await;
        }
        let shown = stage.get("/api/agents/a").await.ok(200);
        assert_eq!(
            (&shown["epoch"], &shown["message_count"]),
            (&json!(1), &json!(2)),
            "it was taken up anew: {shown}"
        );
    }));
}

#[tokio::test]
async fn a_picture_is_kept_named_by_a_message_and_shown() {
    let stage = Stage::new();
    stage.agent("a", json!({})).await;
    let kept = stage.ask("POST", "/api/agents/a/blobs", &[], "a picture").await.ok(201);
    let blob = kept["blob"].as_str().unwrap();
    assert_eq!(kept["bytes"], 9);
    let shown = stage.open("GET", &format!("/api/agents/a/blobs/{blob}"), &[], "").await;
    assert_eq!(shown.headers()["x-content-type-options"], "nosniff");
    let bytes = http_body_util::BodyExt::collect(shown.into_body()).await.unwrap().to_bytes();
    assert_eq!(bytes, "a picture");
    let message = |blob: &str| {
        let picture = json!({"type": "image", "blob": blob, "mime_type": "image/png"});
        json!({"content": [picture, {"type": "text", "text": "sim:text I see"}]})
    };
    let ended = stage.post("/api/agents/a/messages?wait=true", &message(blob)).await.ok(200);
    assert_eq!(ended["text"], "I see");
    let large = "x".repeat(3 << 20);
    assert_eq!(stage.ask("POST", "/api/agents/a/blobs", &[], &large).await.ok(201)["bytes"], 3 << 20);
    stage.ask("POST", "/api/agents/a/message", &[], &large).await.problem(413, "BODY_TOO_LARGE");
    // Nobody answers about what is not there, and another agent's is not there.
    stage.agent("b", json!({})).await;
    for (agent, blob) in [("b", blob), ("a", &"0".repeat(64)), ("a", "../x")] {
        let refused = stage.post(&format!("/api/agents/{agent}/messages"), &message(blob)).await;
        assert_eq!(refused.problem(400, "BAD_REQUEST")["errors"][0]["pointer"], "/content/0/blob");
    }
    stage.get(&format!("/api/agents/b/blobs/{blob}")).await.problem(404, "NOT_FOUND");
}

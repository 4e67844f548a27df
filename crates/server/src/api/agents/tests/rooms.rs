//! Rooms over HTTP: what is said reaches members, and what makes no sense is refused by its code.

use std::time::Duration;

use serde_json::{Value, json};

use super::stage::{Stage, within};

/// A room with members of these names, which are agents of the same names.
async fn room(stage: &Stage, members: &[&str]) {
    stage.post("/api/rooms", &json!({"id": "team"})).await.ok(201);
    for name in members {
        stage.agent(name, json!({})).await;
        let joined =
            stage.post("/api/rooms/team/members", &json!({"name": name, "agent": name})).await.ok(201);
        assert_eq!(joined, json!({"name": name, "agent": name}));
    }
}

async fn say(stage: &Stage, body: Value) -> Value {
    stage.post("/api/rooms/team/messages", &body).await.ok(202)
}

/// What an agent was told, once there are so many messages of it.
async fn told(stage: &Stage, agent: &str, count: usize) -> Vec<String> {
    within(async {
        loop {
            let listed = stage.get(&format!("/api/agents/{agent}/messages?role=user")).await.ok(200);
            let messages = listed["messages"].as_array().unwrap();
            let words = |message: &Value| message["content"][0]["text"].as_str().unwrap().to_owned();
            if messages.len() >= count {
                return messages.iter().map(words).collect();
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
}

#[tokio::test]
async fn what_is_said_reaches_those_who_are_mentioned_or_all() {
    let stage = Stage::new();
    room(&stage, &["ann", "bob"]).await;
    let said = say(&stage, json!({"from": "user", "text": "@bob look"})).await;
    assert_eq!((&said["to"], &said["from"]), (&json!(["bob"]), &json!("user")));
    assert!(said["message_id"].is_string() && said["bookmark"]["seq"].is_u64(), "{said}");
    let said = say(&stage, json!({"from": "ann", "text": "hello"})).await;
    assert_eq!(said["to"], json!(["bob"]), "nobody hears itself");
    assert_eq!(told(&stage, "bob", 2).await, ["[from:user] @bob look", "[from:ann] hello"]);
    say(&stage, json!({"from": "user", "text": "not @nobody", "to": ["ann"]})).await;
    assert_eq!(told(&stage, "ann", 1).await, ["[from:user] not @nobody"]);
}

#[tokio::test]
async fn the_same_key_says_it_once() {
    let stage = Stage::new();
    room(&stage, &["ann"]).await;
    let key = [("idempotency-key", "k1")];
    let ask = |body: Value| {
        let stage = &stage;
        async move { stage.ask("POST", "/api/rooms/team/messages", &key, &body.to_string()).await }
    };
    let first = ask(json!({"from": "user", "text": "once"})).await.ok(202);
    assert_eq!(ask(json!({"from": "user", "text": "once"})).await.ok(202), first);
    ask(json!({"from": "user", "text": "twice"})).await.problem(422, "IDEMPOTENCY_KEY_REUSED");
    say(&stage, json!({"from": "user", "text": "last"})).await;
    assert_eq!(told(&stage, "ann", 2).await, ["[from:user] once", "[from:user] last"]);
}

#[tokio::test]
async fn a_room_shows_its_members_and_what_was_said() {
    let stage = Stage::new();
    room(&stage, &["ann", "bob"]).await;
    stage.post("/api/rooms", &json!({"id": "team"})).await.ok(200);
    for text in ["one", "two", "three"] {
        say(&stage, json!({"from": "user", "text": text})).await;
    }
    let first = stage.get("/api/rooms/team/messages?limit=2").await.ok(200);
    let texts = |page: &Value| -> Vec<Value> {
        page["messages"].as_array().unwrap().iter().map(|said| said["text"].clone()).collect()
    };
    assert_eq!(texts(&first), ["one", "two"]);
    let next = format!("/api/rooms/team/messages?since={}", first["next_since"]);
    let second = stage.get(&next).await.ok(200);
    assert_eq!((texts(&second), second.get("next_since")), (vec![json!("three")], None));
    assert_eq!(stage.ask("DELETE", "/api/rooms/team/members/bob", &[], "").await.status, 204);
    let members = json!([{"name": "ann", "agent": "ann"}]);
    assert_eq!(stage.get("/api/rooms/team/members").await.ok(200)["members"], members);
    assert_eq!(stage.get("/api/rooms/team").await.ok(200)["members"], members);
    assert_eq!(stage.get("/api/rooms").await.ok(200)["rooms"][0]["id"], "team");
    assert_eq!(stage.ask("DELETE", "/api/rooms/team?purge=true", &[], "").await.status, 204);
    stage.get("/api/rooms/team").await.problem(404, "NOT_FOUND");
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_by_its_code() {
    let stage = Stage::new();
    room(&stage, &["ann", "bob"]).await;
    stage.agent("cy", json!({})).await;
    let say = |body: Value| {
        let stage = &stage;
        async move { stage.post("/api/rooms/team/messages", &body).await }
    };
    let unknown = say(json!({"from": "user", "text": "@dan look"})).await;
    let detail = unknown.problem(404, "MEMBER_NOT_FOUND")["detail"].as_str().unwrap();
    assert!(detail.contains("dan") && detail.contains("ann, bob"), "{detail}");
    say(json!({"from": "user", "text": "x", "to": ["dan"]})).await.problem(404, "MEMBER_NOT_FOUND");
    say(json!({"from": "ann", "text": "@ann look"})).await.problem(400, "BAD_REQUEST");
    say(json!({"from": "no name", "text": "x"})).await.problem(400, "BAD_REQUEST");
    say(json!({"from": "user", "text": ""})).await.problem(400, "BAD_REQUEST");
    let join = |body: Value| {
        let stage = &stage;
        async move { stage.post("/api/rooms/team/members", &body).await }
    };
    join(json!({"name": "a b", "agent": "cy"})).await.problem(400, "BAD_REQUEST");
    join(json!({"name": "ann", "agent": "cy"})).await.problem(409, "CONFLICT");
    join(json!({"name": "x", "agent": "nobody"})).await.problem(404, "AGENT_NOT_FOUND");
    join(json!({"name": "x", "agent": "team"})).await.problem(409, "CONFLICT");
    let left = stage.ask("DELETE", "/api/rooms/team/members/dan", &[], "").await;
    left.problem(404, "MEMBER_NOT_FOUND");
    assert_eq!(stage.ask("DELETE", "/api/agents/bob?purge=true", &[], "").await.status, 204);
    say(json!({"from": "user", "text": "@bob look"})).await.problem(409, "MEMBER_GONE");
    stage.agent("bob", json!({})).await;
    say(json!({"from": "user", "text": "@bob look"})).await.problem(409, "MEMBER_GONE");
    join(json!({"name": "bob", "agent": "bob"})).await.ok(201);
    say(json!({"from": "user", "text": "@bob look"})).await.ok(202);
    stage.get("/api/rooms/ann").await.problem(404, "NOT_FOUND");
    stage.post("/api/agents/team/messages", &json!({"content": "x"})).await.problem(409, "CONFLICT");
    stage.post("/api/agents/team/fork", &json!({})).await.problem(409, "CONFLICT");
}

#[tokio::test]
async fn a_room_is_its_tenants() {
    let stage = Stage::with(&[("sk-sw-red", Some("red")), ("sk-sw-blue", Some("blue"))]);
    let as_of = |key: &str| format!("Bearer {key}");
    let (red, blue) = (as_of("sk-sw-red"), as_of("sk-sw-blue"));
    let ask = |who: &str, method: &'static str, path: &'static str, body: Value| {
        let (stage, who) = (&stage, who.to_owned());
        let body = if body.is_null() { String::new() } else { body.to_string() };
        async move { stage.ask(method, path, &[("authorization", &who)], &body).await }
    };
    ask(&red, "POST", "/api/rooms", json!({"id": "team"})).await.ok(201);
    ask(&blue, "POST", "/api/agents", json!({"id": "spy", "template": "writer"})).await.ok(201);
    ask(&blue, "GET", "/api/rooms/team", Value::Null).await.problem(404, "NOT_FOUND");
    assert_eq!(ask(&blue, "GET", "/api/rooms", Value::Null).await.ok(200)["rooms"], json!([]));
    let joined = ask(&red, "POST", "/api/rooms/team/members", json!({"name": "spy", "agent": "spy"})).await;
    joined.problem(404, "AGENT_NOT_FOUND");
}

//! A tenant sees its own agents and no others.

use serde_json::json;

use super::stage::Stage;

const KEYS: [(&str, Option<&str>); 3] =
    [("sk-sw-acme", Some("acme")), ("sk-sw-beta", Some("beta")), ("sk-sw-all", None)];

fn shows(key: &str) -> (&'static str, String) {
    ("authorization", format!("Bearer {key}"))
}

#[tokio::test]
async fn agents_of_other_tenants_are_not_there() {
    let stage = Stage::with(&KEYS);
    let as_caller = async |key: &str, method: &str, path: &str, body: &str| {
        let (name, value) = shows(key);
        stage.ask(method, path, &[(name, &value)], body).await
    };
    let body = json!({"id": "a", "template": "writer", "overrides": {"permission": {"mode": "approval"}}})
        .to_string();
    let made = as_caller("sk-sw-acme", "POST", "/api/agents", &body).await.ok(201);
    assert_eq!(made["tenant"], "acme");
    let message = json!({"message": "sim:tool work {\"n\": 1}"}).to_string();
    let paused = as_caller("sk-sw-acme", "POST", "/api/agents/a/message", &message).await.ok(200);
    let approval = paused["approvals"][0].as_str().unwrap();
    for path in ["", "/messages", "/events", "/tool-calls", "/stats", "/todos", "/snapshots", "/consistency"]
    {
        let answer = as_caller("sk-sw-beta", "GET", &format!("/api/agents/a{path}"), "").await;
        answer.problem(404, "AGENT_NOT_FOUND");
    }
    as_caller("sk-sw-beta", "DELETE", "/api/agents/a?purge=true", "").await.problem(404, "AGENT_NOT_FOUND");
    as_caller("sk-sw-beta", "POST", "/api/agents/a/message", &message).await.problem(404, "AGENT_NOT_FOUND");
    as_caller("sk-sw-beta", "POST", "/api/agents", &body).await.problem(409, "AGENT_EXISTS");
    for (key, count) in [("sk-sw-acme", 1), ("sk-sw-beta", 0), ("sk-sw-all", 1)] {
        let listed = as_caller(key, "GET", "/api/agents", "").await.ok(200);
        assert_eq!(listed["agents"].as_array().unwrap().len(), count, "{key}");
        let asked = as_caller(key, "GET", "/api/approvals?state=pending", "").await.ok(200);
        assert_eq!(asked["approvals"].as_array().unwrap().len(), count, "{key}");
    }
    let (path, deny) = (format!("/api/approvals/{approval}/decide"), r#"{"decision":"deny"}"#);
    as_caller("sk-sw-beta", "POST", &path, deny).await.problem(404, "NOT_FOUND");
    as_caller("sk-sw-all", "POST", &path, deny).await.ok(200);
    as_caller("sk-sw-acme", "GET", "/api/metrics/store", "").await.problem(403, "FORBIDDEN");
    stage.get("/api/agents").await.problem(401, "UNAUTHENTICATED");
}

#[tokio::test]
async fn a_tenant_changes_nothing_of_the_machine() {
    let stage = Stage::with(&KEYS);
    for (key, value) in [
        ("sandbox", json!({"root": "/etc"})),
        ("http_tools", json!([{"name": "inside", "url": "http://10.0.0.1/"}])),
        ("skills", json!(["/etc"])),
        ("tools", json!("*")),
        ("limits", json!({"usd": null})),
        ("permission", json!({"mode": "auto"})),
        ("permission", json!({"mode": "approval", "deny_tools": []})),
    ] {
        let body = json!({"template": "writer", "overrides": {key: value}}).to_string();
        let (name, value) = shows("sk-sw-acme");
        let refused = stage.ask("POST", "/api/agents", &[(name, &value)], &body).await;
        assert_eq!(refused.problem(403, "FORBIDDEN")["errors"][0]["pointer"], format!("/overrides/{key}"));
    }
    // Whoever has no tenant is the operator.
    let tool = json!([{"name": "inside", "url": "http://10.0.0.1/"}]);
    let body = json!({"template": "writer", "overrides": {"http_tools": tool}}).to_string();
    let (name, value) = shows("sk-sw-all");
    stage.ask("POST", "/api/agents", &[(name, &value)], &body).await.ok(201);
}

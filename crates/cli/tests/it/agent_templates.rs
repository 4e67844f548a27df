//! What templates promise, in the whole product: agents that work for agents through `kill -9`, hooks, tools of servers, skills.

use serde_json::{Value, json};

use crate::support::eventually;
use crate::support::program::{Program, Setup, one_upstream};
use crate::support::raw;

/// A server with one tool that tells which process it is, and one that may be run again.
const SERVER: &str = r#"
while read -r line; do
  id=$(printf '%s' "$line" | sed -n 's/.*"id":\("[^"]*"\|[0-9]*\).*/\1/p')
  case "$line" in
    *'"initialize"'*) result='{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"sh","version":"1"}}' ;;
    *'"tools/list"'*) result='{"tools":[{"name":"who.is","description":"tells","inputSchema":{"type":"object"},"annotations":{"readOnlyHint":true}},{"name":"odd","description":"x","inputSchema":{"type":"object"}}]}' ;;
    *'"tools/call"'*) result="{\"content\":[{\"type\":\"text\",\"text\":\"process $$\"}]}" ;;
    *) continue ;;
  esac
  printf '{"jsonrpc":"2.0","id":%s,"result":%s}\n' "$id" "$result"
done
"#;

pub(crate) fn setup(more: &str, templates: &[(&str, &str)]) -> Setup {
    let config = format!("agents: {{ lease: 1s }}\n{}{more}", one_upstream("sim:"));
    let setup = Setup::new("up").config(&config).args(["--listen", "127.0.0.1:0"]);
    std::fs::create_dir(setup.path("templates")).unwrap();
    for (name, text) in templates {
        setup.write(
            &format!("templates/{name}.yaml"),
            &format!("id: {name}\nmodel: {{ provider: openai, name: sim-small }}\n{text}"),
        );
    }
    setup
}

/// What a call of a tool has come to, in words.
pub(crate) async fn result(server: &Program, agent: &str) -> Value {
    server.got(&format!("/api/agents/{agent}/tool-calls")).await["tool_calls"][0].clone()
}

pub(crate) async fn complete(server: &Program, agent: &str, said: &str) -> Value {
    server.posted(&format!("/api/agents/{agent}/messages?wait=true"), &json!({ "content": said })).await
}

#[tokio::test]
async fn a_task_that_was_given_survives_kill_nine_and_is_given_once() {
    let boss = "subagents: { templates: [worker], depth: 1 }\n";
    let setup = setup("", &[("boss", boss), ("worker", "tools: [bash_run, fs_write]\n")]);
    let server = setup.start();
    server.posted("/api/agents", &json!({ "id": "a", "template": "boss" })).await;
    let task =
        "sim:tool bash_run {\"cmd\":\"echo ran >> witness; sleep 600\"}\nsim:turn 1 sim:text seen to it";
    let arguments = json!({ "description": "a task", "prompt": task });
    let said = format!("sim:tool task_run {arguments}\nsim:turn 1 sim:text thanks");
    server.posted("/api/agents/a/messages", &json!({ "content": said })).await;
    let child = eventually("the other agent works", async || {
        let listed = server.got("/api/agents?template=worker").await;
        let child = listed["agents"][0]["id"].as_str().unwrap_or_default().to_owned();
        let witness = setup.data_dir().join("agents").join(&child).join("work/witness");
        if !child.is_empty() && witness.exists() { Ok(child) } else { Err(listed) }
    })
    .await;
    server.kill();
    let server = setup.start();
    eventually("the first agent goes on", async || {
        let agent = server.got("/api/agents/a").await;
        if agent["state"] == "ready" { Ok(()) } else { Err(agent) }
    })
    .await;
    let call = result(&server, "a").await;
    assert_eq!(call["state"], "completed", "{call}");
    assert!(call.to_string().contains("seen to it"), "{call}");
    let listed = server.got("/api/agents?template=worker").await;
    assert_eq!(listed["agents"].as_array().unwrap().len(), 1, "{listed}");
    let agent = server.got(&format!("/api/agents/{child}")).await;
    let maker = agent["lineage"][0].clone();
    assert_eq!((&maker["agent"], &maker["call"]), (&json!("a"), &json!("call_1_1")), "{agent}");
    assert_eq!(agent["message_count"], 4, "{agent}");
    for name in ["a", child.as_str()] {
        assert_eq!(server.got(&format!("/api/agents/{name}/consistency")).await["consistent"], true);
    }
}

#[tokio::test]
async fn a_command_beside_the_template_is_asked_before_a_tool() {
    let hooks = "tools: [fs_write]\nhooks: { pre_tool: [{ command: [./guard.sh], tools: ['fs_*'] }] }\n";
    let setup = setup("", &[("guarded", hooks)]);
    let script = "#!/bin/sh\nread -r asked\ncase \"$asked\" in\n*secret*) echo '{\"decision\":\"deny\",\"reason\":\"it is secret\"}' ;;\n*broken*) exit 3 ;;\nesac\n";
    let path = setup.write("templates/guard.sh", script);
    std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let server = setup.start();
    for (agent, file, state, words) in [
        ("a", "plain", "completed", "\"bytes"),
        ("b", "secret", "denied", "it is secret"),
        ("c", "broken", "denied", "ended with code 3"),
    ] {
        server.posted("/api/agents", &json!({ "id": agent, "template": "guarded" })).await;
        let arguments = json!({ "path": file, "content": "x" });
        let said = format!("sim:tool fs_write {arguments}\nsim:turn 1 sim:text so be it");
        assert_eq!(complete(&server, agent, &said).await["text"], "so be it");
        let call = result(&server, agent).await;
        assert_eq!(call["state"], state, "{call}");
        let told = call.to_string();
        assert!(told.contains(words) || told.contains(&words.replace('"', "\\\"")), "{call}");
        let is_written = setup.data_dir().join("agents").join(agent).join("work").join(file).exists();
        assert_eq!(is_written, state == "completed", "{agent}");
    }
}

#[tokio::test]
async fn an_agent_calls_tools_of_servers_under_the_policys_names_for_them() {
    let template = "tools: ['mcp__here__*']\n";
    let policy = "version: 1\ntools: [{ name: here.odd, verdict: deny, reason: too odd }]\n";
    let setup = setup(
        "gateway: { mode: strict }\npolicy: policy.yaml\nmcp: { servers: { here: { command: [sh, server.sh] } } }\n",
        &[
            ("served", template),
            ("lost", "tools: [mcp__here__nothing]\n"),
            ("nowhere", "tools: [mcp__gone__x]\n"),
        ],
    );
    setup.write("server.sh", SERVER);
    setup.write("policy.yaml", policy);
    let server = setup.start();
    for agent in ["a", "b"] {
        server.posted("/api/agents", &json!({ "id": agent, "template": "served" })).await;
    }
    let mut processes = Vec::new();
    for agent in ["a", "a", "b"] {
        let said = "sim:tool mcp__here__who_is {}\nsim:turn 1 sim:text so it is";
        assert_eq!(complete(&server, agent, said).await["text"], "so it is");
        let calls = server.got(&format!("/api/agents/{agent}/tool-calls")).await;
        let call = calls["tool_calls"].as_array().unwrap().last().unwrap().clone();
        assert_eq!((&call["state"], &call["effect"]), (&json!("completed"), &json!("pure")), "{call}");
        processes.push(call["result"].to_string());
    }
    assert!(
        processes[0].contains("process ") && processes[0] == processes[1],
        "a session goes on: {processes:?}"
    );
    assert_ne!(processes[0], processes[2], "each agent has its own: {processes:?}");
    server.posted("/api/agents", &json!({ "id": "c", "template": "served" })).await;
    complete(&server, "c", "sim:tool mcp__here__odd {}\nsim:turn 1 sim:text no").await;
    let refused = result(&server, "c").await;
    assert_eq!(refused["state"], "denied", "{refused}");
    assert!(refused.to_string().contains("too odd"), "{refused}");
    let names: Vec<_> = setup.events().iter().map(|event| event["data"]["name"].clone()).collect();
    assert!(names.contains(&json!("here.who.is")), "{names:?}");
    for (template, words) in [("lost", "no tool mcp__here__nothing"), ("nowhere", "no server \\\"gone\\\"")] {
        let answer = server.ask(raw::post("/api/agents", json!({ "template": template }).to_string())).await;
        let told = String::from_utf8_lossy(&answer.body).into_owned();
        assert!(answer.status >= 400 && told.contains(words), "{told}");
    }
}

#[test]
fn a_template_that_promises_what_is_not_there_does_not_start() {
    for (text, words) in [
        ("skills: [nowhere]\n", "there is no folder"),
        ("todo: { remind_every: 3 }\n", "enabled: true"),
        ("subagents: { templates: [x] }\n", "depth: 1"),
        ("hooks: { pre_tool: [{}] }\n", "a url or a command"),
    ] {
        let output = setup("", &[("t", text)]).run();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(2) && said.contains(words), "{text}: {said}");
    }
}

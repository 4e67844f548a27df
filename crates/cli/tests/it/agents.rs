//! Durable agents, in the whole product: over HTTP, in the terminal, and through `kill -9`.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

use crate::support::eventually;
use crate::support::format::Format;
use crate::support::program::{Setup, one_upstream};
use crate::support::raw;
use crate::support::upstream::{Reply, Upstream};

const TEMPLATE: &str = "
id: helper
system_prompt: You help.
model: { provider: openai, name: sim-small }
tools: ['*']
permission: { require_approval_tools: [fs_write] }
";

/// Agents whose worker is missed after a second.
fn setup(command: &str) -> Setup {
    let config = format!("agents: {{ lease: 1s }}\n{}", one_upstream("sim:"));
    let setup = Setup::new(command).config(&config);
    std::fs::create_dir(setup.path("templates")).unwrap();
    setup.write("templates/helper.yaml", TEMPLATE);
    setup
}

#[tokio::test]
async fn a_tool_that_was_killed_is_not_run_again_and_the_agent_goes_on() {
    let setup = setup("up").args(["--listen", "127.0.0.1:0"]);
    let server = setup.start();
    server.posted("/api/agents", &json!({ "id": "a", "template": "helper" })).await;
    let said = "sim:tool bash_run {\"cmd\":\"echo ran >> witness; sleep 600\"}\nsim:turn 1 sim:text I see";
    let accepted = server.posted("/api/agents/a/messages", &json!({ "content": said })).await;
    assert!(accepted["bookmark"]["seq"].as_u64() > Some(0), "{accepted}");
    let witness = setup.data_dir().join("agents/a/work/witness");
    eventually("the tool runs", async || if witness.exists() { Ok(()) } else { Err("no witness") }).await;
    server.kill();
    let server = setup.start();
    let agent = eventually("the agent goes on", async || {
        let agent = server.got("/api/agents/a").await;
        if agent["state"] == "ready" { Ok(agent) } else { Err(agent) }
    })
    .await;
    assert_eq!(agent["message_count"], 4, "{agent}");
    assert_eq!(
        std::fs::read_to_string(&witness).unwrap(),
        "ran\n",
        "what nobody knows the end of is not done twice"
    );
    let calls = server.got("/api/agents/a/tool-calls").await;
    assert_eq!(calls["tool_calls"][0]["state"], "sealed", "{calls}");
    let messages = server.got("/api/agents/a/messages").await;
    let last = messages["messages"].as_array().unwrap().last().unwrap();
    assert_eq!(last["content"][0]["text"], "I see", "{messages}");
    let checked = server.got("/api/agents/a/consistency").await;
    assert_eq!(checked["consistent"], true, "{checked}");
}

#[tokio::test]
async fn an_answer_that_an_agent_gives_up_counts_for_its_limits() {
    let setup = setup("up").args(["--listen", "127.0.0.1:0"]);
    let model =
        "{ provider: openai, name: sim-small, timeout: { first_byte: 20s, idle: 300ms, total: 20s } }";
    setup.write("templates/hasty.yaml", &format!("id: hasty\nmodel: {model}\n"));
    let server = setup.start();
    server.posted("/api/agents", &json!({ "id": "a", "template": "hasty" })).await;
    let said =
        "sim:stall after=3\nsim:text many words of which only some ever come to whoever waits for them";
    server.posted("/api/agents/a/messages", &json!({ "content": said })).await;
    eventually("what the first try has cost is told", async || {
        let agent = server.got("/api/agents/a").await;
        let cost: f64 = agent["cost_usd"].as_str().unwrap().parse().unwrap();
        if cost > 0.0 { Ok(()) } else { Err(agent) }
    })
    .await;
}

#[tokio::test]
async fn a_question_outlives_the_server_and_is_answered_at_the_next_one() {
    let setup = setup("up").args(["--listen", "127.0.0.1:0"]);
    let server = setup.start();
    server.posted("/api/agents", &json!({ "id": "a", "template": "helper" })).await;
    let said = "sim:tool fs_write {\"path\":\"x\",\"content\":\"y\"}\nsim:turn 1 sim:text thanks";
    let paused = server.posted("/api/agents/a/messages?wait=true", &json!({ "content": said })).await;
    assert_eq!(paused["status"], "paused", "{paused}");
    server.kill();
    let server = setup.start();
    let waiting = server.got("/api/approvals?state=pending").await;
    let approval = waiting["approvals"][0]["id"].clone();
    assert_eq!(approval, paused["approvals"][0], "{waiting}");
    server.posted("/api/agents/a/decide", &json!({ "approval_id": approval, "decision": "allow" })).await;
    eventually("the agent goes on", async || {
        let agent = server.got("/api/agents/a").await;
        if agent["state"] == "ready" { Ok(()) } else { Err(agent) }
    })
    .await;
    assert_eq!(std::fs::read_to_string(setup.data_dir().join("agents/a/work/x")).unwrap(), "y");
    eventually("its actions are traced", async || {
        let events = setup.events();
        let is_told =
            |event: &Value| event["data"]["name"] == "fs_write" && event["kind"] == "action.settled";
        if events.iter().any(is_told) { Ok(()) } else { Err(events) }
    })
    .await;
}

/// A conversation in the terminal, with these lines typed.
fn chat(setup: &Setup, lines: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_seawall"));
    command.args(["agent", "chat", "friend", "--template", "helper"]).arg("--data-dir").arg(setup.data_dir());
    command.arg("--config").arg(setup.path("config.yaml")).env_clear().env("PATH", "/usr/bin:/bin");
    command.current_dir(setup.path("")).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn a_conversation_in_the_terminal_asks_and_goes_on_the_next_day() {
    let setup = setup("up");
    let first = chat(&setup, "sim:tool fs_write {\"path\":\"x\",\"content\":\"y\"}\n");
    let said = String::from_utf8_lossy(&first.stderr);
    assert!(
        first.status.success() && said.contains("fs_write {\"path\":\"x\",\"content\":\"y\"}"),
        "{first:?}"
    );
    // Nobody has answered. The next day the question is there again.
    let second = chat(&setup, "y\nsim:text good to see you\n");
    let answered = String::from_utf8_lossy(&second.stdout);
    assert!(second.status.success() && answered.contains("good to see you"), "{second:?}");
    assert_eq!(std::fs::read_to_string(setup.data_dir().join("agents/friend/work/x")).unwrap(), "y");
    let listed = setup.cli_json(&["agent", "list"]);
    assert_eq!(listed["agents"][0]["id"], "friend", "{listed}");
    let shown = setup.cli_json(&["agent", "show", "friend"]);
    assert_eq!(shown["message_count"], 6, "{shown}");
}

#[test]
fn an_agent_is_mended_in_its_store_while_nobody_runs_it() {
    let setup = setup("up");
    let first =
        chat(&setup, "sim:tool fs_write {\"path\":\"x\",\"content\":\"y\"}\nsim:turn 1 sim:text thanks\n");
    assert!(first.status.success(), "{first:?}");
    let shown = setup.cli_json(&["agent", "show", "friend"]);
    assert_eq!(
        (&shown["state"], &shown["calls"][0]["id"]),
        (&json!("paused"), &json!("call_1_1")),
        "{shown}"
    );
    let mended = ["agent", "repair", "friend", "--answer", "call_1_1", "--result", "{\"by\":\"hand\"}"];
    let refused = setup.cli(&mended);
    assert_eq!(refused.status.code(), Some(2), "a repair says why: {refused:?}");
    setup.cli_json(&[&mended[..], &["--note", "nobody is there"]].concat());
    let shown = setup.cli_json(&["agent", "show", "friend"]);
    assert_eq!(shown["state"], "working", "it goes on where it is run next: {shown}");
    let audit = shown["calls"][0]["audit"].to_string();
    assert!(audit.contains("terminal: nobody is there"), "{audit}");
    let second = chat(&setup, "");
    assert!(second.status.success(), "{second:?}");
    let shown = setup.cli_json(&["agent", "show", "friend"]);
    assert_eq!(shown["state"], "ready", "{shown}");
    assert!(shown["messages"].to_string().contains("{\\\"by\\\":\\\"hand\\\"}"), "{shown}");
    assert!(!setup.data_dir().join("agents/friend/work/x").exists(), "the tool never ran");
}

#[tokio::test]
async fn a_turn_that_failed_goes_on_from_the_terminal() {
    let setup = setup("up").args(["--listen", "127.0.0.1:0"]);
    let server = setup.start();
    server.posted("/api/agents", &json!({ "id": "a", "template": "helper" })).await;
    let said = "sim:error 401";
    let failed = server.posted("/api/agents/a/messages?wait=true", &json!({ "content": said })).await;
    assert_eq!(failed["status"], "failed", "{failed}");
    let listed = setup.cli_json(&["agent", "list", "--template", "helper"]);
    assert_eq!(listed["agents"][0]["state"], "failed", "{listed}");
    let steps = server.got("/api/agents/a").await["step_count"].clone();
    setup.cli_json(&["agent", "resume", "a", "--note", "the key is mended"]);
    eventually("the model is asked once more", async || {
        let agent = server.got("/api/agents/a").await;
        if agent["step_count"] != steps && agent["state"] == "failed" { Ok(()) } else { Err(agent) }
    })
    .await;
    server.posted("/api/agents", &json!({ "id": "b", "template": "helper" })).await;
    let note = ["--message", "sim:text hello", "--note", "to see whether it lives"];
    setup.cli_json(&[&["agent", "repair", "b"], &note[..]].concat());
    eventually("the message is answered", async || {
        let shown = setup.cli_json(&["agent", "show", "b"]);
        if shown["messages"].to_string().contains("\"hello\"") { Ok(()) } else { Err(shown) }
    })
    .await;
}

#[test]
fn agents_of_any_store_are_listed() {
    let setup = setup("up");
    let folder = setup.path("lines");
    let url = format!("json:{}", folder.display());
    let absent = setup.cli(&["agent", "list", "--store", &url]);
    assert_eq!(absent.status.code(), Some(2), "looking makes nothing: {absent:?}");
    assert!(!folder.exists());
    let config = std::fs::read_to_string(setup.path("config.yaml")).unwrap();
    setup.write("config.yaml", &format!("store: \"{url}\"\n{config}"));
    assert!(chat(&setup, "sim:text hello\n").status.success());
    setup.write("config.yaml", &config);
    let listed = setup.cli_json(&["agent", "list", "--store", &url]);
    assert_eq!(listed["agents"][0]["id"], "friend", "{listed}");
    let shown = setup.cli_json(&["agent", "show", "friend", "--store", &url]);
    assert!(shown["messages"].to_string().contains("hello"), "{shown}");
}

#[test]
fn an_answer_that_looks_like_a_question_is_shown_whole() {
    let setup = setup("up");
    let words = "> ".repeat(40) + "end";
    let said = chat(&setup, &format!("sim:text {words}\n"));
    assert!(String::from_utf8_lossy(&said.stdout).contains(&words), "{said:?}");
}

#[tokio::test]
async fn a_sandbox_around_the_data_directory_is_refused() {
    let setup = setup("up").args(["--listen", "127.0.0.1:0"]);
    let server = setup.start();
    let (around, within) = (setup.path(""), setup.data_dir().join("runs"));
    for (id, root) in [("around", around), ("within", within)] {
        let overrides = json!({ "sandbox": { "root": root } });
        server
            .posted("/api/agents", &json!({ "id": id, "template": "helper", "overrides": overrides }))
            .await;
        let said = "sim:tool bash_run {\"cmd\":\"echo ran >> witness\"}\nsim:turn 1 sim:text I see";
        let path = format!("/api/agents/{id}/messages?wait=true");
        let ended = server.posted(&path, &json!({ "content": said })).await;
        assert_eq!(ended["text"], "I see", "{ended}");
        let calls = server.got(&format!("/api/agents/{id}/tool-calls")).await.to_string();
        assert!(calls.contains("lie in one another"), "{calls}");
        assert!(!root.join("witness").exists());
    }
}

#[tokio::test]
async fn commands_are_held_to_the_policy_for_files() {
    let setup = setup("up").args(["--listen", "127.0.0.1:0"]);
    let policy = "policy: { files: { also: ['fixed:ro'] } }\n";
    let config = format!("{policy}{}", std::fs::read_to_string(setup.path("config.yaml")).unwrap());
    setup.write("config.yaml", &config);
    let root = setup.path("project");
    std::fs::create_dir_all(root.join("fixed")).unwrap();
    let server = setup.start();
    let overrides = json!({ "sandbox": { "root": root } });
    server.posted("/api/agents", &json!({ "id": "a", "template": "helper", "overrides": overrides })).await;
    let said =
        "sim:tool bash_run {\"cmd\":\"echo ran > here; echo ran > fixed/there\"}\nsim:turn 1 sim:text I see";
    server.posted("/api/agents/a/messages?wait=true", &json!({ "content": said })).await;
    assert_eq!(std::fs::read_to_string(root.join("here")).unwrap(), "ran\n");
    assert!(!root.join("fixed/there").exists());
}
#[test]
fn the_capacity_of_this_machine_is_measured_and_nothing_is_left_behind() {
    let setup = setup("up");
    for store in ["sqlite:kept/agents.db", "json:kept/agents"] {
        std::fs::create_dir_all(setup.path("kept")).unwrap();
        let measured = setup.cli_json(&["doctor", "--capacity", "--store", store]);
        assert_eq!(measured["store"], store.split(':').next().unwrap(), "{measured}");
        let turns = &measured["turns_per_second"];
        assert!(
            turns["one_agent"].as_f64() > Some(0.0) && turns["fifty_agents"].as_f64() > Some(0.0),
            "{measured}"
        );
        assert!(measured["bytes_per_agent"]["live"].as_u64() > Some(0), "{measured}");
        assert!(measured["fsync_ms"]["p99"].as_f64() >= measured["fsync_ms"]["p50"].as_f64(), "{measured}");
        let left: Vec<_> = std::fs::read_dir(setup.path("kept")).unwrap().collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

#[tokio::test]
async fn a_template_says_where_its_model_is_and_who_knows_the_key() {
    let upstream = Upstream::start(|_, _| Reply::events(Format::Chat.events(true)));
    let setup = setup("up").args(["--listen", "127.0.0.1:0"]).env("TEAM_KEY", "sk-of-the-team");
    let template = format!(
        "id: elsewhere\nmodel: {{ provider: openai, name: sim-small, base_url: \"{}\", api_key: \"${{TEAM_KEY}}\" }}\n",
        upstream.url()
    );
    setup.write("templates/elsewhere.yaml", &template);
    let lost = template.replace("TEAM_KEY", "NOBODYS_KEY").replace("id: elsewhere", "id: lost");
    setup.write("templates/lost.yaml", &lost);
    let server = setup.start();
    server.posted("/api/agents", &json!({ "id": "a", "template": "elsewhere" })).await;
    let ended = server.posted("/api/agents/a/messages?wait=true", &json!({ "content": "hi" })).await;
    assert_eq!(ended["status"], "ok", "{ended}");
    let seen = upstream.seen();
    assert_eq!(seen.len(), 1, "{seen:?}");
    assert_eq!(seen[0].header("authorization"), Some("Bearer sk-of-the-team"));
    // It was admitted, paid for and written down like every other call.
    let settled = eventually("the call is written down", async || {
        let events = setup.events();
        events.iter().find(|event| event["kind"] == "action.settled").cloned().ok_or(events)
    })
    .await;
    assert_eq!(settled["data"]["kind"], "model_call", "{settled}");
    let everything = std::fs::read(setup.data_dir().join("seawall.db")).unwrap();
    assert!(!everything.windows(14).any(|bytes| bytes == b"sk-of-the-team"), "the key is kept nowhere");

    // A caller can't have the team's key sent elsewhere.
    let stolen =
        json!({ "template": "elsewhere", "overrides": { "model": { "base_url": "http://evil.example" } } });
    let refused = server.ask(raw::post("/api/agents", stolen.to_string())).await;
    assert_eq!(refused.status, 400, "{refused:?}");
    let named = json!({ "template": "helper", "overrides": { "model": { "api_key": "${TEAM_KEY}" } } });
    assert_eq!(server.ask(raw::post("/api/agents", named.to_string())).await.status, 400);
    // Without its key it says so.
    server.posted("/api/agents", &json!({ "id": "b", "template": "lost" })).await;
    server.posted("/api/agents/b/messages", &json!({ "content": "hi" })).await;
    eventually("the agent says what is missing", async || {
        let answer = server.ask(raw::get("/metrics")).await;
        if answer.text().contains("seawall_agent_model_retries_total 1") { Ok(()) } else { Err("not yet") }
    })
    .await;
    assert_eq!(upstream.seen().len(), 1, "nobody is asked without a key");
}

#[test]
fn a_template_with_a_key_in_it_does_not_start() {
    let setup = setup("up").args(["--listen", "127.0.0.1:0"]);
    let model = "provider: openai, name: x, base_url: \"https://host/v1\", api_key: sk-secret-itself";
    setup.write("templates/loose.yaml", &format!("id: loose\nmodel: {{ {model} }}\n"));
    let refused = setup.run();
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && said.contains("write ${NAME}"), "{said}");
    setup.write(
        "templates/loose.yaml",
        "id: loose\nmodel: { provider: openai, name: x, api_key: \"${K}\" }\n",
    );
    let refused = setup.run();
    assert!(String::from_utf8_lossy(&refused.stderr).contains("model.base_url"), "{refused:?}");
}

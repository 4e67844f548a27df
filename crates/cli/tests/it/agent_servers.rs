//! Servers of tools that are away when an agent is taken up, and come back: programs, and one over streamable HTTP. Nothing
//! that a process died over is said to have failed because nobody could be asked.

use std::collections::HashSet;
use std::fs;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::agent_templates::{complete, setup};
use crate::support::eventually;
use crate::support::program::{Program, Setup};
use crate::support::raw;
use crate::support::upstream::{Reply, Seen, Upstream};

/// A server whose `note` may be run twice: it leaves a line, and waits for as long as there is a file called `hold`.
const SERVER: &str = r#"
while read -r line; do
  id=$(printf '%s' "$line" | sed -n 's/.*"id":\("[^"]*"\|[0-9]*\).*/\1/p')
  case "$line" in
    *'"initialize"'*) result='{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"sh","version":"1"}}' ;;
    *'"tools/list"'*) result='{"tools":[{"name":"who.is","description":"tells","inputSchema":{"type":"object"},"annotations":{"readOnlyHint":true}},{"name":"odd.one","description":"x","inputSchema":{"type":"object"}},{"name":"note","description":"notes","inputSchema":{"type":"object"},"annotations":{"idempotentHint":true}}]}' ;;
    *'"name":"note"'*)
      echo noted >> WITNESS
      while [ -e HOLD ]; do sleep 0.05; done
      result='{"content":[{"type":"text","text":"it is noted"}]}' ;;
    *'"tools/call"'*) result="{\"content\":[{\"type\":\"text\",\"text\":\"process $$\"}]}" ;;
    *) continue ;;
  esac
  printf '{"jsonrpc":"2.0","id":%s,"result":%s}\n' "$id" "$result"
done
"#;

/// A configuration with that server as `here`, which has so long to answer.
fn with_server(timeout: &str, more: &str, templates: &[(&str, &str)]) -> Setup {
    let server = format!("{{ command: [sh, server.sh], timeout: {timeout} }}");
    let setup = setup(&format!("mcp: {{ servers: {{ here: {server} }} }}\n{more}"), templates);
    bring_back(&setup);
    setup
}

fn bring_back(setup: &Setup) {
    let path = |name: &str| setup.path(name).to_str().unwrap().to_owned();
    let script = SERVER.replace("WITNESS", &path("witness")).replace("HOLD", &path("hold"));
    setup.write("server.sh.new", &script);
    fs::rename(setup.path("server.sh.new"), setup.path("server.sh")).unwrap();
}

fn take_away(setup: &Setup) {
    fs::remove_file(setup.path("server.sh")).unwrap();
}

/// The call that the agent made last.
async fn last_call(server: &Program, agent: &str) -> Value {
    let calls = server.got(&format!("/api/agents/{agent}/tool-calls")).await;
    calls["tool_calls"].as_array().unwrap().last().cloned().unwrap_or_default()
}

/// What clients of an agent are told, up to these words.
async fn told(server: &Program, agent: &str, words: &str) -> String {
    let mut connection = server.connect().await;
    connection.send(raw::get(&format!("/api/agents/{agent}/events?channels=monitor&since=0"))).await;
    connection.read_until(words).await
}

fn call(tool: &str) -> String {
    format!("sim:tool mcp__here__{tool} {{}}\nsim:turn 1 sim:text well")
}

#[tokio::test]
async fn an_agent_goes_on_without_a_server_that_is_away_and_has_its_tools_when_it_is_back() {
    let setup = with_server("5s", "", &[("served", "tools: ['mcp__here__*']\n")]);
    let server = setup.start();
    server.posted("/api/agents", &json!({ "id": "a", "template": "served" })).await;
    complete(&server, "a", &call("who_is")).await;
    assert_eq!(last_call(&server, "a").await["state"], "completed");
    server.kill();
    take_away(&setup);
    let server = setup.start();
    let done = complete(&server, "a", &call("who_is")).await;
    assert_eq!((&done["status"], &done["text"]), (&json!("ok"), &json!("well")), "{done}");
    let failed = last_call(&server, "a").await;
    assert_eq!(failed["state"], "failed", "{failed}");
    assert!(failed.to_string().contains("UPSTREAM_UNREACHABLE"), "{failed}");
    let told = told(&server, "a", "its tools stay").await;
    assert!(told.contains("the server of tools here is away"), "{told}");
    let epoch = server.got("/api/agents/a").await["epoch"].clone();
    bring_back(&setup);
    complete(&server, "a", &call("who_is")).await;
    let again = last_call(&server, "a").await;
    assert_eq!(again["state"], "completed", "{again}");
    assert_eq!(server.got("/api/agents/a").await["epoch"], epoch, "by the one who took it up without it");
    assert_eq!(server.got("/api/agents/a/consistency").await["consistent"], true);
}

#[tokio::test]
async fn a_tool_that_comes_back_within_a_turn_is_judged_by_the_name_that_policies_know() {
    let template = "tools: ['mcp__here__*', bash_run]\npermission: { require_approval_tools: [bash_run] }\n";
    let setup =
        with_server("5s", "gateway: { mode: strict }\npolicy: policy.yaml\n", &[("served", template)]);
    setup.write(
        "policy.yaml",
        "version: 1\ntools: [{ name: here.odd.one, verdict: deny, reason: too odd }]\n",
    );
    let server = setup.start();
    server.posted("/api/agents", &json!({ "id": "a", "template": "served" })).await;
    server.kill();
    take_away(&setup);
    let server = setup.start();
    let said = "sim:tool bash_run {\"cmd\":\"true\"}\nsim:turn 1 sim:tool mcp__here__odd_one {}\nsim:turn 2 sim:text well";
    let paused = complete(&server, "a", said).await;
    assert_eq!(paused["status"], "paused", "{paused}");
    bring_back(&setup);
    let approval = &paused["approvals"][0];
    server.posted("/api/agents/a/decide", &json!({ "approval_id": approval, "decision": "allow" })).await;
    let refused = eventually("the call is settled", async || {
        let call = last_call(&server, "a").await;
        let is_settled = call["name"] == "mcp__here__odd_one" && !call["completed_at"].is_null();
        if is_settled { Ok(call) } else { Err(call) }
    })
    .await;
    assert_eq!(refused["state"], "denied", "{refused}");
    assert!(refused.to_string().contains("too odd"), "{refused}");
}

/// A server of ours that was killed while `note` ran, for agents of these templates.
async fn killed_within(setup: &Setup, templates: &[&str]) {
    setup.write("hold", "");
    let server = setup.start();
    for template in templates {
        server.posted("/api/agents", &json!({ "id": template, "template": template })).await;
        let said = json!({ "content": call("note") });
        server.posted(&format!("/api/agents/{template}/messages"), &said).await;
    }
    eventually("the tools run", async || match lines(setup) {
        count if count == templates.len() => Ok(()),
        count => Err(count),
    })
    .await;
    server.kill();
    fs::remove_file(setup.path("hold")).unwrap();
    take_away(setup);
}

fn lines(setup: &Setup) -> usize {
    fs::read_to_string(setup.path("witness")).unwrap_or_default().lines().count()
}

#[tokio::test]
async fn a_call_that_a_process_died_over_waits_for_its_server_and_is_run_again() {
    let setup = with_server("60s", "", &[("served", "tools: ['mcp__here__*']\n")]);
    killed_within(&setup, &["served"]).await;
    let server = setup.start();
    told(&server, "served", "its tools stay").await;
    assert_eq!(last_call(&server, "served").await["state"], "executing", "nobody gives it up");
    bring_back(&setup);
    eventually("the agent goes on", async || {
        let agent = server.got("/api/agents/served").await;
        if agent["state"] == "ready" { Ok(()) } else { Err(agent) }
    })
    .await;
    let call = last_call(&server, "served").await;
    assert_eq!(call["state"], "completed", "{call}");
    assert!(call.to_string().contains("it is noted"), "{call}");
    assert_eq!(lines(&setup), 2, "it was run again, once");
}

#[tokio::test]
async fn a_call_that_a_process_died_over_is_in_doubt_where_its_server_stays_away() {
    let named = "tools: ['mcp__here__*']\n";
    let parking = format!("{named}on_in_doubt: park\n");
    let setup = with_server("3s", "", &[("sealed", named), ("parked", &parking)]);
    killed_within(&setup, &["sealed", "parked"]).await;
    let server = setup.start();
    eventually("nobody knows", async || {
        let states = [last_call(&server, "sealed").await, last_call(&server, "parked").await];
        let known = [&states[0]["state"], &states[1]["state"]] == ["sealed", "in_doubt"];
        if known { Ok(()) } else { Err(states) }
    })
    .await;
    let sealed = last_call(&server, "sealed").await;
    assert!(sealed.to_string().contains("Whether it took effect is unknown"), "{sealed}");
    bring_back(&setup);
    let resolution = json!({ "outcome": "not_done", "note": "looked" });
    let call = last_call(&server, "parked").await;
    let path = format!("/api/agents/parked/tool-calls/{}/resolve", call["id"].as_str().unwrap());
    server.posted(&path, &resolution).await;
    eventually("it is done after all", async || {
        let call = last_call(&server, "parked").await;
        if call["state"] == "completed" { Ok(()) } else { Err(call) }
    })
    .await;
    assert_eq!(lines(&setup), 3, "the one that is sealed was not run again");
}

#[tokio::test]
async fn a_server_that_was_never_known_is_done_without_until_it_is_there() {
    let setup = with_server("5s", "", &[("served", "tools: [todo_read]\n")]);
    let server = setup.start();
    server.posted("/api/agents", &json!({ "id": "a", "template": "served" })).await;
    server.kill();
    take_away(&setup);
    let template = "id: served\nmodel: { provider: openai, name: sim-small }\n";
    setup.write("templates/served.yaml", &format!("{template}tools: [todo_read, 'mcp__here__*']\n"));
    let server = setup.start();
    let said = "sim:tool todo_read {}\nsim:turn 1 sim:text well";
    assert_eq!(complete(&server, "a", said).await["text"], "well");
    assert_eq!(last_call(&server, "a").await["state"], "completed", "its other tools are there");
    told(&server, "a", "the agent goes on without its tools").await;
    let refused = server.ask(raw::post("/api/agents", json!({ "template": "served" }).to_string())).await;
    assert!(refused.status >= 400, "a new agent is not made without: {refused:?}");
    bring_back(&setup);
    complete(&server, "a", &call("who_is")).await;
    let call = last_call(&server, "a").await;
    assert_eq!(call["state"], "completed", "{call}");
}

#[tokio::test]
async fn servers_that_hang_are_asked_at_once_and_cost_one_turn_a_bounded_time() {
    const COUNT: u32 = 5;
    const TIME: Duration = Duration::from_secs(2);
    let servers: Vec<_> =
        (0..COUNT).map(|n| format!("s{n}: {{ command: [sh, server.sh], timeout: 2s }}")).collect();
    let more = format!("mcp: {{ servers: {{ {} }} }}\n", servers.join(", "));
    let names: Vec<_> = (0..COUNT).map(|n| format!("mcp__s{n}__note")).collect();
    let setup = setup(&more, &[("served", &format!("tools: [{}]\n", names.join(", ")))]);
    bring_back(&setup);
    let server = setup.start();
    server.posted("/api/agents", &json!({ "id": "a", "template": "served" })).await;
    server.kill();
    setup.replace("server.sh", "while read -r line; do :; done\n");
    let server = setup.start();
    let began = Instant::now();
    let done = complete(&server, "a", "sim:text well").await;
    assert_eq!(done["text"], "well", "{done}");
    assert!(began.elapsed() < TIME * (COUNT - 1), "one after the other: {:?}", began.elapsed());
    let began = Instant::now();
    for _ in 0..3 {
        assert_eq!(complete(&server, "a", "sim:text well").await["text"], "well");
    }
    assert!(began.elapsed() < TIME * 2, "each turn anew: {:?}", began.elapsed());
}

/// A server over streamable HTTP, which knows the sessions that were begun with it and no others.
fn streamable() -> impl Fn(&Seen, usize) -> Reply + Send + Sync + 'static {
    let sessions = Mutex::new(HashSet::new());
    move |seen, number| {
        if !seen.line().starts_with("POST") {
            return Reply::whole(405, &[], "");
        }
        let asked: Value = serde_json::from_str(seen.text()).unwrap();
        let told =
            |result: Value| json!({ "jsonrpc": "2.0", "id": asked["id"], "result": result }).to_string();
        let kind = ("content-type", "application/json");
        if asked["method"] == "initialize" {
            let name = format!("{}-{number}", std::process::id());
            sessions.lock().unwrap().insert(name.clone());
            let hello = json!({
                "protocolVersion": "2025-11-25", "capabilities": { "tools": {} },
                "serverInfo": { "name": "web", "version": "1" },
            });
            return Reply::whole(200, &[kind, ("mcp-session-id", &name)], told(hello));
        }
        if !seen.header("mcp-session-id").is_some_and(|name| sessions.lock().unwrap().contains(name)) {
            return Reply::whole(404, &[], "");
        }
        match asked["method"].as_str() {
            Some("tools/list") => {
                let tool = json!({
                    "name": "note", "description": "notes", "inputSchema": { "type": "object" },
                    "annotations": { "idempotentHint": true },
                });
                Reply::json(told(json!({ "tools": [tool] })))
            }
            Some("tools/call") => {
                // As most servers of this kind answer: in a stream.
                let result = told(json!({ "content": [{ "type": "text", "text": "it is noted" }] }));
                Reply::events([format!("event: message\ndata: {result}\n\n")])
            }
            _ => Reply::whole(202, &[], ""),
        }
    }
}

async fn back(address: SocketAddr) -> Upstream {
    Upstream::start_again(address, streamable()).await
}

#[tokio::test]
async fn a_server_over_http_is_used_while_it_is_there_and_said_to_be_away_while_it_is_not() {
    let web = Upstream::start(streamable());
    let address = web.address();
    let more = format!("mcp: {{ servers: {{ here: {{ url: \"{}/mcp\", timeout: 5s }} }} }}\n", web.url());
    let setup = setup(&more, &[("served", "tools: [mcp__here__note]\n")]);
    let server = setup.start();
    server.posted("/api/agents", &json!({ "id": "a", "template": "served" })).await;
    complete(&server, "a", &call("note")).await;
    let noted = last_call(&server, "a").await;
    assert_eq!((&noted["state"], &noted["effect"]), (&json!("completed"), &json!("idempotent")), "{noted}");
    // In the middle of an agent's life: its session is gone with the server.
    drop(web);
    complete(&server, "a", &call("note")).await;
    let failed = last_call(&server, "a").await;
    assert_eq!(failed["state"], "failed", "{failed}");
    let words = "UPSTREAM_BROKEN: the server here can't be reached; it may have taken effect";
    assert!(failed.to_string().contains(words), "it had a session, so nobody knows: {failed}");
    let web = back(address).await;
    complete(&server, "a", &call("note")).await;
    assert_eq!(last_call(&server, "a").await["state"], "completed", "in a session that is new");
    // When it is taken up.
    server.kill();
    drop(web);
    let server = setup.start();
    assert_eq!(complete(&server, "a", &call("note")).await["text"], "well");
    let failed = last_call(&server, "a").await;
    assert_eq!(failed["state"], "failed", "{failed}");
    told(&server, "a", "the server of tools here is away").await;
    let web = back(address).await;
    complete(&server, "a", &call("note")).await;
    let noted = last_call(&server, "a").await;
    assert!(noted["state"] == "completed" && noted.to_string().contains("it is noted"), "{noted}");
    assert!(web.seen().iter().all(|seen| seen.line().contains("/mcp")), "{:?}", web.seen());
}

//! Servers of tools behind `/mcp`: who may call them, what they are told of callers, and what is left of them. What passes is
//! tested in the crate and by the protocol's own clients.

use std::time::Duration;

use rustix::process::{Pid, test_kill_process};
use serde_json::{Value, json};

use crate::support::eventually;
use crate::support::program::{Program, Setup};
use crate::support::raw::{self, Answer};
use crate::support::reply::Reply;
use crate::support::upstream::Upstream;

/// A server that says which process it is, whatever tool is called.
pub(crate) const SERVER: &str = r#"
while read -r line; do
  id=$(printf '%s' "$line" | sed -n 's/.*"id":\("[^"]*"\|[0-9]*\).*/\1/p')
  case "$line" in
    *'"initialize"'*) result='{"protocolVersion":"2025-11-25","capabilities":{},"serverInfo":{"name":"sh","version":"1"}}' ;;
    *'"tools/call"'*) result="{\"content\":[{\"type\":\"text\",\"text\":\"$$\"}]}" ;;
    *) continue ;;
  esac
  printf '{"jsonrpc":"2.0","id":%s,"result":%s}\n' "$id" "$result"
done
"#;

const HELLO: &str = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}"#;
const CALL: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"who","arguments":{}}}"#;
pub(crate) const ANY: (&str, &str) = ("accept", "application/json");

/// A configuration with that server as `here`.
fn here(more: &str) -> Setup {
    running(SERVER, more)
}

/// A configuration with a server of this text as `here`.
fn running(script: &str, more: &str) -> Setup {
    with_servers(script, &json!({}), more)
}

/// The same with other servers beside it.
pub(crate) fn with_servers(script: &str, others: &Value, more: &str) -> Setup {
    let setup = Setup::simulated("");
    let script = setup.write("server.sh", script);
    let mut servers = others.clone();
    servers["here"] = json!({ "command": ["sh", script] });
    setup.config(&format!(
        "upstreams: [{{ name: sim, kind: any, base_url: \"sim:\" }}]\nmcp: {{ servers: {servers} }}\n{more}"
    ))
}

async fn post(server: &Program, headers: &[(&str, &str)], body: &str) -> Answer {
    server.ask(raw::request("POST", "/mcp/here", headers, body)).await
}

/// Begins a session; gives its name.
pub(crate) async fn begin(server: &Program, headers: &[(&str, &str)]) -> String {
    let answer = post(server, headers, HELLO).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.json()["result"]["serverInfo"]["name"], "sh");
    answer.header("mcp-session-id").unwrap().to_owned()
}

/// The process that answers a call.
async fn who(server: &Program, headers: &[(&str, &str)]) -> Pid {
    let answer = post(server, headers, CALL).await;
    let told = answer.json()["result"]["content"][0]["text"].as_str().unwrap().to_owned();
    Pid::from_raw(told.parse().unwrap()).unwrap()
}

async fn is_gone(process: Pid) {
    eventually("the server's process ends", async || match test_kill_process(process) {
        Err(_gone) => Ok(()),
        Ok(()) => Err("it lives"),
    })
    .await;
}

#[test]
fn everything_that_is_wrong_with_servers_is_said_before_any_starts() {
    let setup = Setup::simulated(
        "mcp:
  servers:
    none: {}
    a b: { command: [x] }
    odd: { command: [x], shell: true, timeout: soon }
    open: { url: \"http://x/\", headers: { authorization: \"${NOT_SET}\" } }
    boxed: { command: [x], sandbox: nowhere }
    bound: { url: \"http://x/\", policy: no-such-policy }
",
    );
    let output = setup.run();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let said = String::from_utf8(output.stderr).unwrap();
    for part in [
        "mcp.servers.none: a server needs a command or a url",
        "\"a b\" can't be the name of a server",
        "mcp.servers.odd.shell: unknown key",
        "mcp.servers.odd.timeout",
        "mcp.servers.open.headers",
        "mcp.servers.boxed.sandbox: nowhere can't be used",
        "mcp.servers.bound.policy: \"no-such-policy\" is no preset",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
}

#[test]
fn the_doctor_names_servers_whose_program_is_missing() {
    let state_of = |command: &str| {
        let setup = Setup::new("doctor")
            .config(&format!("mcp: {{ servers: {{ here: {{ command: [{command}] }} }} }}"));
        let report: Value = serde_json::from_slice(&setup.args(["--json"]).run().stdout).unwrap();
        let checks = report["checks"].as_array().unwrap().clone();
        let found = checks.into_iter().find(|check| check["check"] == "servers of tools").unwrap();
        (found["state"].clone(), found["evidence"].clone())
    };
    assert_eq!(state_of("/bin/sh"), (json!("PASS"), json!("here")));
    assert_eq!(state_of("no-such-program"), (json!("WARN"), json!("no program for here")));
}

#[tokio::test]
async fn a_caller_shows_a_key_and_it_stays_here() {
    let upstream = Upstream::always(Reply::json(r#"{"jsonrpc":"2.0","id":1,"result":{"content":[]}}"#));
    let servers =
        json!({ "web": { "url": upstream.url(), "headers": { "authorization": "Bearer theirs" } } });
    let setup = Setup::simulated(&format!("auth: {{ mode: required }}\nmcp: {{ servers: {servers} }}"));
    let key = setup.key(&["--name", "agent"]);
    let server = setup.start();
    let refused = server.ask(raw::post("/mcp/web", CALL)).await;
    assert_eq!(refused.status, 401);
    assert_eq!(refused.json()["error"]["data"]["seawall"]["code"], "UNAUTHENTICATED");
    assert!(upstream.seen().is_empty());
    let bearer = format!("Bearer {key}");
    let answer = server
        .ask(raw::request("POST", "/mcp/web", &[("authorization", &bearer), ("cookie", "a=b")], CALL))
        .await;
    assert_eq!((answer.status, &answer.json()["result"]["content"]), (200, &json!([])));
    let seen = upstream.only();
    assert_eq!(seen.headers("authorization"), ["Bearer theirs"]);
    assert!(seen.header("cookie").is_none() && !seen.text().contains(&key));
    server.stop();
    let events = setup.events();
    let of = |kind: &str| events.iter().filter(|event| event["kind"] == kind).collect::<Vec<_>>();
    assert_eq!(of("action.admitted")[0]["data"]["name"], "web.who");
    assert_eq!(of("action.admitted")[0]["actor"]["key"], "agent");
    assert_eq!(of("action.denied")[0]["data"]["kind"], "tool_call", "who was not let in is written down too");
}

#[tokio::test]
async fn a_page_of_another_site_is_kept_out_and_a_local_one_is_not() {
    let server = here("").start();
    let local = format!("127.0.0.1:{}", server.address.port());
    for (host, origin, status) in [
        (local.as_str(), "https://evil.example", 403),
        (&local, "null", 403),
        ("evil.example", "http://evil.example", 403),
        (&local, "http://localhost:3000", 200),
    ] {
        let length = HELLO.len();
        let head = format!(
            "POST /mcp/here HTTP/1.1\r\nhost: {host}\r\norigin: {origin}\r\ncontent-length: {length}\r\n"
        );
        let answer = server.ask(format!("{head}connection: close\r\n\r\n{HELLO}")).await;
        assert_eq!(answer.status, status, "{host} {origin} {answer:?}");
    }
}

#[tokio::test]
async fn a_session_has_a_process_of_its_own_for_its_caller_alone() {
    let setup = here("");
    let keys =
        [setup.key(&["--name", "one"]), setup.key(&["--name", "two"])].map(|key| format!("Bearer {key}"));
    let server = setup.start();
    let [one, two] = [("authorization", keys[0].as_str()), ("authorization", keys[1].as_str())];
    let (first, second) = (begin(&server, &[one]).await, begin(&server, &[two]).await);
    let [of_one, of_two] = [("mcp-session-id", first.as_str()), ("mcp-session-id", second.as_str())];
    let processes = [who(&server, &[one, ANY, of_one]).await, who(&server, &[two, ANY, of_two]).await];
    assert_ne!(processes[0], processes[1]);
    for headers in [[two, of_one], [one, of_two]] {
        assert_eq!(post(&server, &headers, CALL).await.status, 404);
    }
    let ended = server.ask(raw::request("DELETE", "/mcp/here", &[one, of_one], "")).await;
    assert_eq!(ended.status, 204);
    is_gone(processes[0]).await;
    assert!(test_kill_process(processes[1]).is_ok());
    assert_eq!(post(&server, &[one, of_one], CALL).await.status, 404);
}

#[tokio::test]
async fn what_the_protocol_refuses_is_refused() {
    let server = here("").start();
    let name = begin(&server, &[]).await;
    let session = ("mcp-session-id", name.as_str());
    for (headers, body, status) in [
        (vec![], CALL, 400),
        (vec![session], HELLO, 400),
        (vec![session, ("mcp-protocol-version", "1999-01-01")], CALL, 400),
        (vec![("mcp-session-id", "nobody")], CALL, 404),
        (vec![session], r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#, 202),
        (vec![session, ("mcp-protocol-version", "2025-11-25"), ANY], CALL, 200),
    ] {
        let answer = post(&server, &headers, body).await;
        assert_eq!(answer.status, status, "{headers:?} {answer:?}");
    }
    // Later versions have no handshake; their clients are told which do.
    let modern = post(
        &server,
        &[("mcp-protocol-version", "2026-07-28")],
        r#"{"jsonrpc":"2.0","id":1,"method":"server/discover"}"#,
    )
    .await;
    assert_eq!(modern.json()["error"]["code"], -32022);
    assert!(modern.json()["error"]["data"]["supported"].as_array().unwrap().contains(&json!("2025-11-25")));
    assert_eq!(server.get("/mcp/nobody").await.status, 404);
    assert_eq!(server.ask(raw::request("PUT", "/mcp/here", &[], "")).await.status, 405);
}

#[tokio::test]
async fn stopping_waits_for_no_listener_and_leaves_no_process() {
    let server = here("gateway: { timeouts: { drain: 20s } }").start();
    let name = begin(&server, &[]).await;
    let session = ("mcp-session-id", name.as_str());
    let process = who(&server, &[ANY, session]).await;
    let mut listener = server.connect().await;
    listener.send(raw::request("GET", "/mcp/here", &[session, ("accept", "text/event-stream")], "")).await;
    listener.read_until("text/event-stream").await;
    let begun = std::time::Instant::now();
    assert!(server.stop().success());
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    is_gone(process).await;
}

#[tokio::test]
async fn no_process_outlives_a_killed_server() {
    let server = here("").start();
    let name = begin(&server, &[]).await;
    let process = who(&server, &[ANY, ("mcp-session-id", &name)]).await;
    server.kill();
    is_gone(process).await;
}

/// Answers the handshake and ends; the process after it says which it is, and neither hears nor says anything.
const FORGETFUL: &str = r#"
if [ -e "$0.begun" ]; then echo $$ > "$0.pid"; exec sleep 1000; fi
: > "$0.begun"
read -r line
printf '{"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"2025-11-25","serverInfo":{"name":"sh"}}}\n'
"#;

async fn written(path: &std::path::Path) -> Pid {
    let text = eventually("the server says which process it is", async || {
        std::fs::read_to_string(path).ok().filter(|text| text.ends_with('\n')).ok_or(())
    })
    .await;
    Pid::from_raw(text.trim().parse().unwrap()).unwrap()
}

/// The errors that calls were settled with.
fn errors(setup: &Setup) -> Vec<Value> {
    let settled = |event: &Value| event["kind"] == "action.settled";
    setup.events().into_iter().filter(settled).map(|event| event["data"]["error"].clone()).collect()
}

#[tokio::test]
async fn who_hangs_up_while_the_server_is_started_again_leaves_no_call_and_no_process() {
    let setup = running(FORGETFUL, "");
    let server = setup.start();
    let name = begin(&server, &[]).await;
    server.stderr.wait_for("MCP server ended").unwrap();
    let mut caller = server.connect().await;
    caller.send(raw::request("POST", "/mcp/here", &[ANY, ("mcp-session-id", &name)], CALL)).await;
    let process = written(&setup.path("server.sh.pid")).await;
    drop(caller);
    let found = eventually("the call is settled", async || {
        let found = errors(&setup);
        if found.is_empty() { Err(()) } else { Ok(found) }
    })
    .await;
    assert_eq!(found, ["its client hung up"]);
    is_gone(process).await;
}

/// Says who it is, then talks without an end.
const TALKER: &str = r#"
read -r line
printf '{"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"2025-11-25","serverInfo":{"name":"sh"}}}\n'
read -r line
echo $$ > "$0.pid"
while :; do printf '{"jsonrpc":"2.0","method":"notifications/message","params":{"data":"%02000d"}}\n' 0; done
"#;

#[tokio::test]
async fn a_session_ends_also_while_its_client_reads_nothing() {
    let setup = running(TALKER, "");
    let server = setup.start();
    let name = begin(&server, &[]).await;
    let session = ("mcp-session-id", name.as_str());
    let events = ("accept", "text/event-stream");
    let mut listener = server.connect().await;
    listener.send(raw::request("GET", "/mcp/here", &[session, events], "")).await;
    listener.read_until("text/event-stream").await;
    let mut caller = server.connect().await;
    caller.send(raw::request("POST", "/mcp/here", &[session, ANY], CALL)).await;
    let process = written(&setup.path("server.sh.pid")).await;
    // It has talked so much that it has to wait for who listens.
    let (mut written, mut same) = (0, 0);
    eventually("the server waits", async || {
        let now = written_by(process);
        same = if now == written { same + 1 } else { 0 };
        written = now;
        if written > 100_000 && same > 20 { Ok(()) } else { Err(written) }
    })
    .await;
    let ended = server.ask(raw::request("DELETE", "/mcp/here", &[session], "")).await;
    assert_eq!(ended.status, 204);
    let told = caller.answer().await;
    assert_eq!(told.json()["error"]["message"], "the session has ended", "{told:?}");
    is_gone(process).await;
}

/// How many bytes a process has written so far.
fn written_by(process: Pid) -> u64 {
    let io = std::fs::read_to_string(format!("/proc/{}/io", process.as_raw_nonzero())).unwrap();
    io.lines().find_map(|line| line.strip_prefix("wchar: ")).unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_stream_whose_session_ends_says_so() {
    let setup = running(&SERVER.replace("\"tools/call\"", "\"never\""), "");
    let server = setup.start();
    let name = begin(&server, &[]).await;
    let session = ("mcp-session-id", name.as_str());
    let mut caller = server.connect().await;
    caller.send(raw::request("POST", "/mcp/here", &[session], CALL)).await;
    caller.read_until("text/event-stream").await;
    server.ask(raw::request("DELETE", "/mcp/here", &[session], "")).await;
    caller.read_until("the session has ended").await;
    assert!(server.stop().success());
    assert_eq!(errors(&setup), ["the session has ended"]);
}

#[tokio::test]
async fn what_a_program_does_not_read_is_bounded_like_everything_that_is_buffered() {
    let script = r#"
read -r line
printf '{"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"2025-11-25","serverInfo":{"name":"sh"}}}\n'
exec sleep 1000
"#;
    let setup = running(script, "gateway: { limits: { body: 2M, buffer: 8M } }\n");
    let server = setup.start();
    let name = begin(&server, &[]).await;
    let padding = "x".repeat(1 << 20);
    let message =
        format!(r#"{{"jsonrpc":"2.0","method":"notifications/x","params":{{"padding":"{padding}"}}}}"#);
    let mut statuses = Vec::new();
    for _ in 0..12 {
        statuses.push(post(&server, &[ANY, ("mcp-session-id", &name)], &message).await.status);
    }
    assert_eq!(statuses[..4], [202; 4]);
    assert!(statuses.contains(&502) || statuses.contains(&503), "{statuses:?}");
    let hello = HELLO.replace("\"t\"", &format!("{:?}", "t".repeat(70_000)));
    assert_eq!(post(&server, &[], &hello).await.status, 413, "it would be kept as long as the session");
}

#[tokio::test]
async fn what_nobody_listens_to_takes_little_memory() {
    let large = r#"for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
printf '{"jsonrpc":"2.0","method":"notifications/message","params":{"data":"%0500000d"}}\n' 0; done; result="#;
    let server = running(
        &SERVER.replace("result=\"{", &format!("{large}\"{{")),
        "gateway: { limits: { body: 2M, buffer: 8M } }\n",
    )
    .start();
    let name = begin(&server, &[]).await;
    who(&server, &[ANY, ("mcp-session-id", &name)]).await;
}

#[tokio::test]
async fn a_reload_adds_and_removes_servers_and_keeps_the_sessions_of_others() {
    let setup = here("");
    let server = setup.start();
    let name = begin(&server, &[]).await;
    let session = ("mcp-session-id", name.as_str());
    let process = who(&server, &[ANY, session]).await;
    let script = setup.path("server.sh");
    let with = |servers: Value| {
        format!(
            "upstreams: [{{ name: sim, kind: any, base_url: \"sim:\" }}]\nmcp: {{ servers: {servers} }}\n"
        )
    };
    let command = json!({ "command": ["sh", script] });
    setup.replace("config.yaml", &with(json!({ "here": command, "more": command })));
    eventually("the new server is there", async || {
        let answer = server.ask(raw::post("/mcp/more", HELLO)).await;
        if answer.status == 200 { Ok(()) } else { Err(answer) }
    })
    .await;
    assert_eq!(who(&server, &[ANY, session]).await, process, "the old one has not noticed");
    setup.replace("config.yaml", &with(json!({ "more": command })));
    is_gone(process).await;
    assert_eq!(post(&server, &[session], CALL).await.status, 404);
}

#[tokio::test]
async fn calls_are_counted_by_their_server_and_how_they_ended() {
    let server = here("policy: { mode: strict, tools: [{ name: here.never, verdict: deny }] }").start();
    let name = begin(&server, &[]).await;
    let session = ("mcp-session-id", name.as_str());
    who(&server, &[ANY, session]).await;
    let denied = post(&server, &[session], &CALL.replace("who", "never")).await;
    assert_eq!(denied.json()["result"]["isError"], true, "{denied:?}");
    let metrics = server.metrics().await;
    for outcome in ["answered", "denied"] {
        let labels = [("server", "here"), ("outcome", outcome)];
        assert_eq!(metrics.sum("seawall_mcp_calls_total", &labels), 1.0, "{outcome}");
    }
    assert_eq!(metrics.sum("seawall_mcp_starts_total", &[("server", "here")]), 1.0);
    let route = [("route", "/mcp/{server}"), ("method", "POST"), ("status", "200")];
    assert_eq!(metrics.sum("seawall_requests_total", &route), 3.0);
    assert_eq!(
        metrics.sum("seawall_violations_total", &[("code", "TOOL_NOT_ALLOWED"), ("verdict", "deny")]),
        1.0
    );
    assert_eq!(server.get("/ready").await.status, 200);
}

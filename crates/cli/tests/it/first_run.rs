//! The first minute: a fresh folder, no keys, no network, and three lines to paste.

use std::process::Command;

use serde_json::Value;

use crate::support::program::{Program, Setup};
use crate::support::raw;

fn up() -> Program {
    Setup::new("up").args(["--listen", "127.0.0.1:0"]).start()
}

/// The line of the banner that begins so.
fn pasted(server: &Program, beginning: &str) -> String {
    let line = server.stderr.wait_for(beginning).unwrap_or_else(|| panic!("no {beginning:?} in the banner"));
    assert!(line.starts_with(beginning), "{line:?} can be pasted as it is");
    line
}

#[test]
fn the_banner_names_the_simulated_provider_and_the_curl_in_it_works() {
    let server = up();
    server.stderr.wait_for("simulated provider").expect("a word about the simulated provider");
    let curl = pasted(&server, "curl ");
    let output = Command::new("sh").arg("-c").arg(&curl).output().unwrap();
    let took = server.begun.elapsed();
    println!("from the start to the first answer: {took:?}");
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["object"], "chat.completion", "{answer}");
    assert_eq!(answer["choices"][0]["message"]["role"], "assistant", "{answer}");
    assert!(took.as_secs() < 10, "{took:?}");
}

/// What the shell makes of an `export` line, and the host and path in it.
fn exported(line: &str, variable: &str) -> (String, String) {
    let output =
        Command::new("sh").arg("-c").arg(format!("{line}; printf %s \"${variable}\"")).output().unwrap();
    let url = String::from_utf8(output.stdout).unwrap();
    let rest = url.strip_prefix("http://").unwrap();
    let (host, path) =
        rest.split_once('/').map_or((rest, String::new()), |(host, path)| (host, format!("/{path}")));
    (host.to_owned(), path)
}

#[tokio::test]
async fn the_exported_base_urls_answer_the_way_the_sdks_use_them() {
    let server = up();
    let (host, path) = exported(&pasted(&server, "export OPENAI_BASE_URL="), "OPENAI_BASE_URL");
    let body = r#"{"model":"gpt-4o","messages":[{"role":"user","content":"sim:text pong"}]}"#;
    let answer =
        raw::exchange(host.parse().unwrap(), raw::post(&format!("{path}/chat/completions"), body)).await;
    assert_eq!(answer.json()["choices"][0]["message"]["content"], "pong");
    assert_eq!(answer.header("x-seawall-upstream"), Some("sim"));

    let (host, path) = exported(&pasted(&server, "export ANTHROPIC_BASE_URL="), "ANTHROPIC_BASE_URL");
    let body = r#"{"model":"claude-sonnet-4-5","max_tokens":9,"messages":[{"role":"user","content":"sim:text pong"}]}"#;
    let answer = raw::exchange(host.parse().unwrap(), raw::post(&format!("{path}/v1/messages"), body)).await;
    assert_eq!(answer.json()["content"][0]["text"], "pong");
    assert_eq!(answer.header("x-seawall-upstream"), Some("sim"));
}

#[tokio::test]
async fn readiness_and_the_home_page_say_that_the_provider_is_simulated() {
    let server = up();
    assert_eq!(server.get("/ready").await.json()["simulated_provider"], true);
    assert!(server.get("/").await.text().contains("simulated provider"));
}

#[test]
fn stdout_has_the_ready_line_and_nothing_else() {
    let server = up();
    let line = server.stdout.all();
    assert!(
        line.starts_with(&format!("seawall ready listen=http://{} pid={} run=", server.address, server.pid)),
        "{line}"
    );
    assert!(server.stop().success());
    assert_eq!(server.stdout.all(), line);
}

#[tokio::test]
async fn where_a_provider_answers_the_banner_says_which_ones_do_not() {
    let sim = "{ name: made-up, kind: any, base_url: \"sim:\" }";
    let real = "{ name: real, kind: openai, base_url: \"http://127.0.0.1:9\", api_key: k }";
    let server = Setup::proxy(&format!("upstreams: [ {sim}, {real} ]")).start();
    let line = server.stderr.wait_for("Model calls go").expect("where calls go");
    assert!(line.contains("of which made-up is simulated"), "{line}");
    let ready = server.get("/ready").await;
    assert!(!ready.text().contains("the simulated provider answers"), "{ready:?}");
    assert!(!server.get("/").await.text().contains("simulated"), "not all are");

    let server =
        Setup::new("up").args(["--listen", "127.0.0.1:0"]).env("SEAWALL_UPSTREAM_API_KEY", "k").start();
    server.stderr.wait_for("SEAWALL_UPSTREAM_API_KEY is set and no upstream takes it").expect("a warning");
}

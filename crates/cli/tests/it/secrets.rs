//! Logs are one JSON object a line, and no credential is in anything that a server writes or says.

use serde_json::Value;

use crate::support::format::Format;
use crate::support::program::{Setup, files_named};
use crate::support::raw;
use crate::support::upstream::{Reply, Upstream};

const UPSTREAM_KEY: &str = "sk-upstream-0123456789abcdefABCDEF";
const UPSTREAM_HEADER: &str = "header-secret-zzyzx-42";
const CLIENT_KEY: &str = "sk-client-fedcba9876543210FEDCBA";
const GEMINI_KEY: &str = "AIzaSyClient01234567890123456789012345";
const PROMPT: &str = "the prompt is nobody's business";

#[tokio::test]
async fn no_log_trace_database_or_answer_holds_a_credential() {
    let upstream = Upstream::start(|seen, number| {
        let echo = format!(
            "{{\"error\":{{\"message\":\"Incorrect API key provided: {}\"}}}}",
            seen.header("authorization").unwrap_or("none")
        );
        if number % 3 == 0 {
            Reply::whole(401, &[("content-type", "application/json")], echo)
        } else {
            Reply::json(Format::Chat.answer())
        }
    });
    let setup = Setup::proxy(&format!(
        "upstreams:\n  - {{ name: main, base_url: \"{}\", api_key: \"${{KEY}}\", headers: {{ x-extra: \"${{HEADER}}\" }} }}\n  - {{ name: open, base_url: \"{}\", auth: passthrough }}\nlogging: {{ level: trace }}\ntrace: {{ content: none }}\n",
        upstream.url(),
        upstream.url(),
    ))
    .env("KEY", UPSTREAM_KEY)
    .env("HEADER", UPSTREAM_HEADER)
    .args(["-v", "-v", "--log-format", "json", "--log-file", "server.log"]);
    let own = setup.key(&["--name", "ci", "--role", "admin"]);
    let server = setup.start();
    let bearer = |key: &str| format!("Bearer {key}");
    for key in [own.as_str(), CLIENT_KEY, "sk-sw-unknown0123456789", GEMINI_KEY] {
        for prefix in ["", "/u/open"] {
            for format in Format::ALL {
                let path = format!("{prefix}{}?key={key}", format.path(false));
                let headers = [
                    ("authorization", bearer(key)),
                    ("x-api-key", key.to_owned()),
                    ("x-goog-api-key", key.to_owned()),
                    ("cookie", format!("session={key}")),
                ];
                let headers: Vec<(&str, &str)> =
                    headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
                server.ask(raw::request("POST", &path, &headers, format.body(PROMPT, false))).await;
            }
        }
        server
            .ask(raw::request(
                "GET",
                &format!("/api/budgets?key={key}"),
                &[("authorization", &bearer(key))],
                "",
            ))
            .await;
        server.ask(raw::request("GET", &format!("/{key}"), &[], "")).await;
        server.ask(raw::request("POST", &format!("/v1/{key}"), &[], "{")).await;
    }
    let metrics = server.get("/metrics").await;
    let ready = server.get("/ready").await;
    assert!(server.stop().success());

    let config = setup.path("config.yaml");
    let shown = {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_seawall"));
        command.args(["config", "show", "--json", "--config"]).arg(config).env_clear();
        command.env("KEY", UPSTREAM_KEY).env("HEADER", UPSTREAM_HEADER).output().unwrap()
    };
    assert!(shown.status.success(), "{shown:?}");
    let mut written = vec![
        ("metrics".to_owned(), metrics.body.clone()),
        ("ready".to_owned(), ready.body),
        ("config show".to_owned(), shown.stdout),
        ("keys list".to_owned(), setup.cli(&["keys", "list", "--json"]).stdout),
        ("stdout".to_owned(), server.stdout.all().into_bytes()),
        ("stderr".to_owned(), server.stderr.all().into_bytes()),
        ("log".to_owned(), std::fs::read(setup.path("server.log")).unwrap()),
    ];
    written.extend(
        files_named(&setup.data_dir(), "")
            .into_iter()
            .map(|file| (file.display().to_string(), std::fs::read(file).unwrap())),
    );
    assert!(
        written.iter().any(|(name, _)| name.ends_with("seawall.db"))
            && written.iter().any(|(name, _)| name.ends_with(".jsonl"))
    );
    for (name, bytes) in &written {
        let text = String::from_utf8_lossy(bytes);
        for secret in
            [UPSTREAM_KEY, UPSTREAM_HEADER, CLIENT_KEY, GEMINI_KEY, own.as_str(), "unknown0123456789", PROMPT]
        {
            let found = text.find(secret);
            let around =
                found.map(|at| text.chars().skip(at.saturating_sub(120)).take(300).collect::<String>());
            assert!(found.is_none(), "{secret} is in {name}: {around:?}");
        }
    }
}

#[tokio::test]
async fn every_log_line_is_one_json_object() {
    let setup = Setup::simulated("logging: { level: debug }").args([
        "--log-format",
        "json",
        "--log-file",
        "server.log",
    ]);
    let server = setup.start();
    server.ask(raw::post("/v1/messages", "{\"a\nb\": \"\u{7}\"")).await;
    server.ask(raw::request("GET", "/%0a%0d{\"level\":\"forged\"}", &[("user-agent", "x\"y")], "")).await;
    setup.write("config.yaml", "colour: \"blue\\nred\"");
    server.ask(raw::request("POST", "/admin/reload", &[], "")).await;
    assert!(server.stop().success());
    let log = std::fs::read_to_string(setup.path("server.log")).unwrap();
    let lines: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect();
    assert!(!lines.is_empty());
    for line in &lines {
        let time = line["ts"].as_str().unwrap();
        assert!(time.len() >= 20 && time.ends_with('Z'), "{line}");
        assert!(
            ["TRACE", "DEBUG", "INFO", "WARN", "ERROR"]
                .contains(&line["level"].as_str().unwrap().to_uppercase().as_str()),
            "{line}"
        );
        assert!(line["target"].is_string() && line["message"].is_string(), "{line}");
    }
    assert!(lines.iter().any(|line| line["message"].as_str().unwrap().contains("configuration refused")));
}

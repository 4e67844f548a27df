//! What traces hold of payloads: nothing, all but secrets, or all.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::client::{self, Call};
use crate::support::format::Format;
use crate::support::program::{Setup, files_named};
use crate::support::raw;
use crate::support::trace::Trace;
use crate::support::upstream::{Reply, Upstream};

const KEY: &str = "sk-proj-Zx81mQ0vTt7RkWn2LbYpAcEdGfHiJkLmT3BlbkFJNoPqRsTuVwXyZa0123456789";
const MAIL: &str = "ada.lovelace@example.org";
const PASSWORD: &str = "Tr0ub4dor-and-3";

/// Stretches of the secrets that must be nowhere, however they were cut.
const STRETCHES: [&str; 6] = [KEY, "Zx81mQ0vTt7R", "NoPqRsTuVwXyZa", MAIL, "lovelace", PASSWORD];

/// Everything that is in a state folder, by file.
fn written(folder: &Path) -> Vec<(String, String)> {
    let read =
        |file: &std::path::PathBuf| String::from_utf8_lossy(&std::fs::read(file).unwrap()).into_owned();
    files_named(folder, "").iter().map(|file| (file.display().to_string(), read(file))).collect()
}

fn assert_nowhere(setup: &Setup) {
    for (name, text) in written(&setup.data_dir()) {
        for stretch in STRETCHES {
            let at = text.find(stretch);
            let around = at.map(|at| &text[text.floor_char_boundary(at.saturating_sub(100))..at]);
            assert!(at.is_none(), "{stretch} is in {name} behind {around:?}");
        }
    }
}

/// The same text with its first characters written as escapes of JSON.
fn escaped(text: &str) -> String {
    let (first, rest) = text.split_at(4);
    let first: String = first.chars().map(|character| format!("\\u{:04x}", u32::from(character))).collect();
    first + rest
}

/// A stream of one answer, its text and arguments one character an event.
fn character_by_character(text: &str, arguments: &str) -> Reply {
    let mut events = Vec::new();
    let mut event = |delta: Value, finish: Value| {
        events.push(format!(
            "data: {}\n\n",
            json!({ "model": "sim-c", "choices": [{ "index": 0, "delta": delta, "finish_reason": finish }] })
        ));
    };
    for character in text.chars() {
        event(json!({ "content": character }), Value::Null);
    }
    event(json!({ "tool_calls": [{ "index": 0, "id": "c1", "function": { "name": "send" } }] }), Value::Null);
    for character in arguments.chars() {
        event(json!({ "tool_calls": [{ "index": 0, "function": { "arguments": character } }] }), Value::Null);
    }
    event(json!({}), json!("tool_calls"));
    events.push("data: [DONE]\n\n".to_owned());
    Reply::events(events)
}

#[tokio::test]
async fn redacted_content_holds_no_secret_wherever_it_came_from() {
    let arguments = json!({ "to": MAIL, "note": format!("use {KEY}"), "password": PASSWORD }).to_string();
    let told = format!("the key is {KEY}, says {MAIL}");
    let (streamed, argued) = (told.clone(), arguments.clone());
    let upstream = Upstream::start(move |seen, _| {
        if seen.text().contains("\"stream\":true") {
            return character_by_character(&streamed, &argued);
        }
        let body = json!({ "model": "sim-c", "choices": [{ "index": 0, "finish_reason": "stop", "message": {
            "role": "assistant", "content": streamed, "reasoning": format!("hm, {KEY}"),
            "tool_calls": [{ "id": "c1", "type": "function", "function": { "name": "send", "arguments": argued } }],
        } }], "usage": { "prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5 } });
        Reply::json(body.to_string())
    });
    let setup = Setup::proxy(&format!(
        "upstreams: [{{ name: main, base_url: \"{}\", retries: {{ attempts: 0 }} }}]\ntrace: {{ content: redacted }}",
        upstream.url()
    ));
    let server = setup.start();
    let long = format!("{} {KEY} {}", "padding ".repeat((64 * 1024 - 260) / 8), "more ".repeat(9_000));
    for stream in [false, true] {
        for prompt in [told.clone(), arguments.clone(), long.clone()] {
            let body = json!({ "model": "sim-c", "stream": stream, "messages": [
                { "role": "user", "content": prompt },
                { "role": "assistant", "tool_calls": [{ "id": "c0", "type": "function", "function": { "name": "look", "arguments": arguments } }] },
                { "role": "tool", "tool_call_id": "c0", "content": arguments },
                { "role": "user", "content": [{ "type": "text", "text": prompt }] },
            ] });
            let body = body.to_string().replace(KEY, &escaped(KEY));
            let path = format!("/v1/chat/completions?key={KEY}");
            let headers = [
                ("authorization", format!("Bearer {KEY}")),
                ("cookie", format!("session={KEY}")),
                ("x-note", KEY.to_owned()),
            ];
            let headers: Vec<(&str, &str)> =
                headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
            assert_eq!(server.ask(raw::request("POST", &path, &headers, body)).await.status, 200);
        }
    }
    assert!(server.stop().success());
    assert_nowhere(&setup);

    let trace = Trace::of(&setup);
    trace.assert_complete();
    for called in trace.of_kind("tool.called") {
        let wanted = json!({ "to": "[REDACTED:email]", "note": "use [REDACTED:openai_key]", "password": "[REDACTED:secret]" });
        assert_eq!(called.data["arguments"], wanted, "{called:?}");
    }
    assert_eq!((trace.count("tool.called"), trace.count("tool.returned")), (6, 6));
    for returned in trace.of_kind("tool.returned") {
        assert!(returned.data["output"].as_str().unwrap().contains("[REDACTED:email]"), "{returned:?}");
    }
    for settled in trace.of_kind("action.settled") {
        let answer = settled.data["answer"].to_string();
        assert!(answer.contains("the key is [REDACTED:openai_key], says [REDACTED:email]"), "{answer}");
    }
    let cut = trace.of_kind("action.admitted").filter(|event| event.data["cut"]["prompt"].is_u64()).count();
    assert_eq!(cut, 2, "the long prompts say that they are cut");
}

#[tokio::test]
async fn each_format_is_kept_as_far_as_the_configuration_says() {
    for (content, kept) in [("none", None), ("redacted", Some("[REDACTED:email]")), ("full", Some(MAIL))] {
        let setup = Setup::simulated(&format!("trace: {{ content: {content} }}"));
        let server = setup.start();
        for format in Format::ALL {
            for stream in [false, true] {
                let text = format!("sim:chunk 1\nsim:text write to {MAIL}");
                client::send(server.address, Call::say(format, &text, stream)).await;
                let text = format!("sim:tool mail {{\"to\":\"{MAIL}\"}}");
                client::send(server.address, Call::say(format, &text, stream)).await;
            }
        }
        assert!(server.stop().success());
        let trace = Trace::of(&setup);
        let Some(kept) = kept else {
            assert_nowhere(&setup);
            let has = |field: &str| trace.0.iter().any(|event| event.data.get(field).is_some());
            assert!(!["prompt", "answer", "arguments", "output", "cut"].into_iter().any(has));
            continue;
        };
        let called: Vec<_> =
            trace.of_kind("tool.called").map(|event| &event.data["arguments"]["to"]).collect();
        assert_eq!(called.len(), 8, "{content}");
        assert!(called.iter().all(|to| *to == kept), "{content}: {called:?}");
        let answered = trace
            .of_kind("action.settled")
            .filter(|event| event.data["answer"][0]["text"].as_str().is_some_and(|text| text.contains(kept)));
        assert_eq!(answered.count(), 8, "{content}");
        assert!(
            trace.of_kind("action.admitted").all(|event| event.data["prompt"].to_string().contains(kept))
        );
        if content == "redacted" {
            assert_nowhere(&setup);
        }
    }
}

#[tokio::test]
async fn what_is_kept_changes_with_the_configuration_while_the_server_runs() {
    let setup = Setup::simulated("trace: { content: none }");
    let server = setup.start();
    let ask = || client::send(server.address, Call::say(Format::Chat, "sim:text one", false));
    ask().await;
    let config =
        std::fs::read_to_string(setup.path("config.yaml")).unwrap().replace("content: none", "content: full");
    setup.write("config.yaml", &config);
    assert_eq!(server.ask(raw::request("POST", "/admin/reload", &[], "")).await.status, 200);
    ask().await;
    assert!(server.stop().success());
    let trace = Trace::of(&setup);
    let answers: Vec<&Value> = trace.of_kind("action.settled").map(|event| &event.data["answer"]).collect();
    assert_eq!(answers, [&Value::Null, &json!([{ "text": "one" }])]);
}

#[tokio::test]
async fn recorded_calls_are_judged_by_another_policy() {
    let setup = Setup::simulated("policy: off\ntrace: { content: redacted }");
    let server = setup.start();
    for prompt in [
        "hi",
        "sim:tool bash {\"command\":\"rm -rf /\"}",
        "sim:tool bash {\"command\":\"ls\"}",
        &format!("use {KEY}"),
    ] {
        client::send(server.address, Call::say(Format::Chat, prompt, false)).await;
    }
    assert!(server.stop().success());
    let policy = setup.write("team.yaml", "commands: { deny: ['rm *'] }\nsecrets: { in: deny }\n");
    let args = ["policy", "replay", "--trace", "last", "--policy", policy.to_str().unwrap()];
    let replayed = setup.cli_json(&args);
    assert_eq!(replayed["actions"], 6, "{replayed}");
    let changed: Vec<_> = replayed["changed"]
        .as_array()
        .unwrap()
        .iter()
        .map(|change| {
            (
                change["kind"].as_str().unwrap(),
                change["from"].as_str().unwrap(),
                change["to"].as_str().unwrap(),
                change["findings"][0]["code"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        changed,
        [
            ("model_call", "allow", "deny", "CMD_FORBIDDEN"),
            ("tool_call", "allow", "deny", "CMD_FORBIDDEN"),
            ("model_call", "allow", "deny", "SECRET_FOUND"),
        ]
    );
    let saved = replayed["cost_delta_usd"].as_str().unwrap();
    let trace = Trace::of(&setup);
    let last = trace.of_kind("action.settled").last().unwrap();
    assert_eq!(saved, format!("-{}", last.data["cost_usd"].as_str().unwrap()));
    assert_eq!(setup.cli_json(&args), replayed, "it repeats exactly");
    let table = String::from_utf8(setup.cli(&args).stdout).unwrap();
    assert!(
        table.starts_with("6 actions")
            && table.contains("CMD_FORBIDDEN")
            && table.contains("not known: 1 actions with parts"),
        "{table}"
    );
}

//! The trace tells of every call, once where it begins and once where it ends, and shows whatever is done to it after.

use serde_json::Value;
use tokio::task::JoinSet;

use crate::support::client::{self, Call, Connection};
use crate::support::format::Format;
use crate::support::program::{Setup, files_named};
use crate::support::raw;
use crate::support::sim::Sim;
use crate::support::trace::Trace;

const CLIENTS: usize = 64;
const CALLS_EACH: usize = 160;

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Answered,
    Streamed,
    OutOfBudget,
    BadJson,
    UnknownKey,
    UpstreamFails,
    HungUp,
}

impl Fate {
    const ALL: [Self; 7] = [
        Self::Answered,
        Self::Streamed,
        Self::OutOfBudget,
        Self::BadJson,
        Self::UnknownKey,
        Self::UpstreamFails,
        Self::HungUp,
    ];

    /// The status that the trace has of it, and whether it was admitted.
    fn recorded(self) -> (u64, bool) {
        match self {
            Self::Answered | Self::Streamed => (200, true),
            Self::UpstreamFails => (500, true),
            Self::HungUp => (499, true),
            Self::OutOfBudget => (402, false),
            Self::BadJson => (400, false),
            Self::UnknownKey => (401, false),
        }
    }

    fn call(self, format: Format, poor: &str) -> Call {
        let ask = |text, stream| Call::say(format, text, stream);
        match self {
            Self::Answered => ask("hi", false),
            Self::Streamed => ask("hi", true),
            Self::OutOfBudget => ask("hi", false).with_key(poor),
            Self::BadJson => Call::post(format.path(false), r#"{"model": "#),
            Self::UnknownKey => ask("hi", false).with_key("sk-sw-nobody"),
            Self::UpstreamFails => ask("sim:error 500", false),
            Self::HungUp => ask("sim:pace 1s\nsim:chunk 4\nsim:text a long answer", true),
        }
    }

    /// Makes the call and sees it end so, on a connection that is used again where that goes.
    async fn happen(self, connection: &mut Connection, format: Format, poor: &str) {
        let call = self.call(format, poor);
        if self == Self::HungUp {
            let mut answering = client::begin(connection.address, call).await;
            assert_eq!(answering.status, 200);
            answering.piece().await.expect("the first event");
            return;
        }
        let answer = connection.send(call).await.expect("an answer");
        assert_eq!(
            (u64::from(answer.status), answer.complete),
            (self.recorded().0, true),
            "{self:?}: {answer:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_of_ten_thousand_calls_is_admitted_or_denied_once_and_ends_once() {
    let sim = Sim::start();
    let setup = Setup::proxy(&sim.as_upstream(""));
    let poor = setup.key(&["--name", "poor", "--budget", "0"]);
    let proxy = setup.start();
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        let (address, poor) = (proxy.address, poor.clone());
        clients.spawn(async move {
            let mut connection = Connection::open(address).await;
            for turn in 0..CALLS_EACH {
                let fate = Fate::ALL[(client + turn) % Fate::ALL.len()];
                fate.happen(&mut connection, Format::ALL[turn % Format::ALL.len()], &poor).await;
            }
        });
    }
    clients.join_all().await;
    sim.at_rest().await;
    assert!(proxy.stop().success());

    let trace = Trace::of(&setup);
    let (admitted, denied) = trace.assert_complete();
    assert_eq!(admitted + denied, CLIENTS * CALLS_EACH);
    assert_eq!(trace.count("action.abandoned"), 0);
    for fate in Fate::ALL {
        let (status, was_admitted) = fate.recorded();
        let kind = if was_admitted { "action.settled" } else { "action.denied" };
        let recorded = trace.of_kind(kind).filter(|event| event.data["status"] == status).count();
        let happened = (0..CLIENTS * CALLS_EACH)
            .filter(|call| {
                Fate::ALL[(call / CALLS_EACH + call % CALLS_EACH) % Fate::ALL.len()].recorded().0 == status
            })
            .count();
        assert_eq!(recorded, happened, "{status}");
    }
    let verdict = setup.cli_json(&["trace", "verify"]);
    assert_eq!((&verdict["ok"], &verdict["checked"]), (&true.into(), &trace.0.len().into()));
}

/// A finished run of some lines, on the disk.
async fn finished_run() -> (Setup, std::path::PathBuf, Vec<String>) {
    let sim = Sim::start();
    let setup = Setup::proxy(&sim.as_upstream(""));
    let proxy = setup.start();
    for format in Format::ALL {
        client::send(proxy.address, Call::say(format, "hi", false)).await;
    }
    assert!(proxy.stop().success());
    let [file] = &files_named(&setup.data_dir().join("runs"), ".jsonl")[..] else { panic!("one file") };
    let text = std::fs::read_to_string(file).unwrap();
    let lines: Vec<String> = text.lines().map(str::to_owned).collect();
    assert!(lines.len() >= 9, "{text}");
    (setup, file.clone(), lines)
}

/// Verifies; the exit code and what was said.
fn verify(setup: &Setup, target: &[&str]) -> (i32, Value) {
    let output = setup.cli(&[&["trace", "verify", "--json"], target].concat());
    let verdict =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    (output.status.code().unwrap(), verdict)
}

/// Asserts that the file as it now is fails, at this line (from 1).
fn assert_bad_at(setup: &Setup, what: &str, line: usize) {
    let run = setup.cli_json(&["trace", "list"])["runs"][0]["run"].clone();
    for target in [&[][..], &[run.as_str().unwrap()]] {
        let (code, verdict) = verify(setup, target);
        assert_eq!((code, &verdict["ok"]), (1, &false.into()), "{what}: {verdict}");
        let bad = &verdict["first_bad"];
        assert_eq!((&bad["line"], &bad["run"]), (&line.into(), &run), "{what}: {verdict}");
        // Sequence numbers begin at 0, lines at 1.
        let good = Value::from(line - 1);
        assert_eq!((&bad["seq"], &verdict["checked"]), (&good, &good), "{what}: {verdict}");
        assert!(bad["reason"].as_str().is_some_and(|reason| !reason.is_empty()), "{what}: {verdict}");
    }
    let told = setup.cli(&["trace", "verify"]);
    assert_eq!(told.status.code(), Some(1), "{what}");
    let told = String::from_utf8(told.stdout).unwrap();
    assert!(told.contains(&format!("line {line}:")), "{what}: {told}");
}

fn joined(lines: &[String]) -> String {
    lines.iter().map(|line| format!("{line}\n")).collect()
}

#[tokio::test]
async fn whatever_is_done_to_a_trace_shows_at_the_first_bad_line() {
    let (setup, file, lines) = finished_run().await;
    let last = lines.len();
    assert_eq!(verify(&setup, &[]).0, 0);

    type Tampering = fn(&mut Vec<String>);
    let tamperings: [(&str, Tampering, usize); 10] = [
        ("a changed value", |lines| lines[4] = lines[4].replacen("\"allow\"", "\"alloW\"", 1), 5),
        ("a changed hash", |lines| lines[4] = flipped(&lines[4], 10), 5),
        ("a space put in", |lines| lines[4] = lines[4].replacen(',', ", ", 1), 5),
        ("a line taken out", |lines| drop(lines.remove(4)), 5),
        ("the first line taken out", |lines| drop(lines.remove(0)), 1),
        ("a line repeated", |lines| lines.insert(5, lines[2].clone()), 6),
        ("two lines exchanged", |lines| lines.swap(4, 5), 5),
        ("an empty line", |lines| lines.insert(3, String::new()), 4),
        ("a line of something else", |lines| lines.insert(3, "hello".to_owned()), 4),
        ("the tail cut off", |lines| lines.truncate(lines.len() - 2), usize::MAX),
    ];
    for (what, tamper, line) in tamperings {
        let mut changed = lines.clone();
        tamper(&mut changed);
        assert_ne!(changed, lines, "{what}");
        std::fs::write(&file, joined(&changed)).unwrap();
        assert_bad_at(&setup, what, line.min(last - 1));
    }
    let whole = joined(&lines);
    std::fs::write(&file, &whole[..whole.len() - 30]).unwrap();
    assert_bad_at(&setup, "the last line cut in two", last);
    std::fs::write(&file, "").unwrap();
    assert_bad_at(&setup, "an empty file", 1);
    std::fs::remove_file(&file).unwrap();
    assert_bad_at(&setup, "no file", 1);

    std::fs::write(&file, whole).unwrap();
    assert_eq!(verify(&setup, &[]).0, 0, "as it was");
}

/// With another digit at this place from the end.
fn flipped(line: &str, from_end: usize) -> String {
    let mut bytes = line.as_bytes().to_vec();
    let at = bytes.len() - from_end;
    bytes[at] = if bytes[at] == b'0' { b'1' } else { b'0' };
    String::from_utf8(bytes).unwrap()
}

#[tokio::test]
async fn each_single_changed_byte_shows() {
    let (setup, file, lines) = finished_run().await;
    let line = lines[6].len();
    for at in (2..line).step_by(line / 12) {
        let mut changed = lines.clone();
        changed[6] = flipped(&changed[6], at);
        std::fs::write(&file, joined(&changed)).unwrap();
        let (code, verdict) = verify(&setup, &[]);
        assert_eq!(
            (code, &verdict["first_bad"]["line"]),
            (1, &7.into()),
            "byte {at} from the end: {verdict}"
        );
    }
}

#[tokio::test]
async fn a_loose_file_verifies_alone_and_says_that_its_head_is_unknown() {
    let (setup, _file, lines) = finished_run().await;
    let loose = setup.write("loose.jsonl", &joined(&lines));
    let (code, verdict) = verify(&setup, &[loose.to_str().unwrap()]);
    assert_eq!((code, &verdict["ok"], &verdict["head"]), (0, &true.into(), &"unknown".into()), "{verdict}");
    let cut = setup.write("cut.jsonl", &joined(&lines[..lines.len() - 2]));
    let (code, verdict) = verify(&setup, &[cut.to_str().unwrap()]);
    assert_eq!((code, &verdict["head"]), (0, &"unknown".into()), "a cut tail can't be seen: {verdict}");
    let mut changed = lines;
    changed.remove(3);
    let bad = setup.write("bad.jsonl", &joined(&changed));
    let (code, verdict) = verify(&setup, &[bad.to_str().unwrap()]);
    assert_eq!((code, &verdict["first_bad"]["line"]), (1, &4.into()), "{verdict}");
}

#[tokio::test]
async fn a_settled_call_names_its_usage_its_cost_and_its_upstream() {
    let sim = Sim::start();
    let setup = Setup::proxy(&sim.as_upstream(""));
    let key = setup.key(&["--name", "ci", "--tenant", "acme"]);
    let proxy = setup.start();
    for (format, name) in [(Format::Chat, "sim-c"), (Format::Messages, "sim-m"), (Format::Gemini, "sim-g")] {
        for stream in [false, true] {
            let answer =
                client::send(proxy.address, Call::say(format, "sim:text four", stream).with_key(&key)).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            let action = answer.header("x-seawall-action").unwrap().to_owned();
            let settled = crate::support::eventually("the end in the trace", async || {
                let trace = Trace::of(&setup);
                trace.about(&action, "action.settled").cloned().ok_or("not yet")
            })
            .await;
            let data = &settled.data;
            assert_eq!((&data["kind"], &data["name"]), (&"model_call".into(), &name.into()), "{data}");
            assert_eq!((&data["status"], &data["verdict"]), (&200.into(), &"allow".into()), "{data}");
            // "sim:text four" is 13 bytes, "four" is 4.
            let usage = &data["usage"];
            assert_eq!((&usage["input_tokens"], &usage["output_tokens"]), (&4.into(), &1.into()), "{data}");
            assert_eq!(
                (&usage["estimated"], &data["cost_usd"]),
                (&false.into(), &"0.000006".into()),
                "{data}"
            );
            assert_eq!(data["attempts"][0]["upstream"], "witness", "{data}");
            assert_eq!((&settled.actor["key"], &settled.actor["tenant"]), (&"ci".into(), &"acme".into()));
            if !stream {
                assert_eq!(answer.header("x-seawall-cost-usd"), Some("0.000006"), "{answer:?}");
            }
        }
    }
    assert_eq!(sim.at_rest().await.cost_usd.to_string(), "0.000036");
}

#[tokio::test]
async fn a_tools_result_is_written_once_and_the_conversation_repeats_it() {
    let sim = Sim::start();
    let setup = Setup::proxy(&sim.as_upstream(""));
    let proxy = setup.start();
    let asked = r#"{"role":"user","content":"list"},{"role":"assistant","tool_calls":[{"id":"c1","type":"function","function":{"name":"ls","arguments":"{}"}}]},{"role":"tool","tool_call_id":"c1","content":"a.txt"}"#;
    for more in ["", r#",{"role":"assistant","content":"one file"},{"role":"user","content":"thanks"}"#] {
        let body = format!(r#"{{"model":"sim-c","messages":[{asked}{more}]}}"#);
        assert_eq!(proxy.ask(raw::post("/v1/chat/completions", &body)).await.status, 200);
    }
    proxy.stop();
    let trace = Trace::of(&setup);
    let returned: Vec<_> = trace.of_kind("tool.returned").map(|event| event.data.clone()).collect();
    assert_eq!(returned, [serde_json::json!({ "name": "ls", "call_id": "c1", "output": "a.txt" })]);
}

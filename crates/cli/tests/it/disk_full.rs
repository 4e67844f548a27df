//! A full disk under the state folder: strict refuses, warn counts and goes on, both recover.
//!
//! The server gets a mount namespace of its own with a small tmpfs in the place of its state folder; the test reaches
//! into it through `/proc/PID/root`.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output};

use tokio::task::JoinSet;

use crate::support::eventually;
use crate::support::format::Format;
use crate::support::program::{Program, Setup, one_upstream};
use crate::support::raw::{self, Answer};
use crate::support::trace::{Event, Trace};
use crate::support::upstream::{Reply, Upstream};

/// A server whose state folder is a disk of so many megabytes.
fn cramped(config: &str, upstream: &Upstream, megabytes: u32) -> Program {
    let setup = Setup::proxy(&format!("{config}\n{}", one_upstream(&upstream.url())));
    let data = setup.data_dir();
    std::fs::create_dir(&data).unwrap();
    let namespaces: &[&str] = if rustix::process::geteuid().is_root() {
        &["--mount"]
    } else {
        &["--user", "--map-root-user", "--mount"]
    };
    let script = format!("mount -t tmpfs -o size={megabytes}m,mode=700 seawall-test \"$0\" && exec \"$@\"");
    let shell = ["sh", "-c", &script, data.to_str().unwrap()];
    setup.under(["unshare"].iter().chain(namespaces).chain(&shell).copied()).start()
}

/// The state folder, as the server sees it.
fn inside(server: &Program) -> PathBuf {
    let data = server.setup.data_dir();
    PathBuf::from(format!("/proc/{}/root{}", server.pid, data.display()))
}

/// Takes all the room that is left.
fn fill(server: &Program) {
    let mut ballast = File::create(inside(server).join("ballast")).unwrap();
    for size in [1 << 16, 1 << 12, 1] {
        while ballast.write_all(&vec![b'x'; size]).is_ok() {}
    }
}

fn make_room(server: &Program) {
    std::fs::remove_file(inside(server).join("ballast")).unwrap();
}

/// A command on what the server has on its disk.
fn beside(server: &Program, args: &[&str]) -> Output {
    let mut command = Command::new("nsenter");
    command.args(["--target", &server.pid.to_string(), "--mount"]);
    if !rustix::process::geteuid().is_root() {
        command.args(["--user", "--preserve-credentials"]);
    }
    command.arg(env!("CARGO_BIN_EXE_seawall")).args(args).arg("--data-dir").arg(server.setup.data_dir());
    command.output().unwrap()
}

fn answering() -> Upstream {
    Upstream::start(|seen, _| {
        Reply::json(match seen.line() {
            line if line.contains("/chat/") => Format::Chat.answer(),
            line if line.contains("/responses") => Format::Responses.answer(),
            line if line.contains("/messages") => Format::Messages.answer(),
            _ => Format::Gemini.answer(),
        })
    })
}

/// Calls that were made, by how they ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Calls {
    served: usize,
    refused: usize,
}

impl Calls {
    async fn make(&mut self, server: &Program, format: Format, stream: bool) -> Answer {
        let answer = server.ask(format.request("hi", stream)).await;
        match answer.status {
            200 => self.served += 1,
            503 => self.refused += 1,
            _ => panic!("{answer:?}"),
        }
        answer
    }

    /// Calls until one ends so.
    async fn make_until(&mut self, server: &Program, status: u16) {
        eventually("the status", async || {
            let answer = self.make(server, Format::Chat, false).await;
            if answer.status == status { Ok(()) } else { Err(answer) }
        })
        .await;
    }

    /// One call of each kind, all of which are to be served.
    async fn make_all_well(&mut self, server: &Program) {
        for format in Format::ALL {
            for stream in [false, true] {
                let answer = self.make(server, format, stream).await;
                assert_eq!(answer.status, 200, "{answer:?}");
            }
        }
    }
}

async fn wait_for_status(server: &Program, status: u16) {
    Calls::default().make_until(server, status).await;
}

/// The server's run, as far as it is on its disk.
fn trace(server: &Program) -> Trace {
    let shown = beside(server, &["trace", "export", "last", "--jsonl"]);
    let lines = String::from_utf8(shown.stdout).unwrap();
    Trace(lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

/// The trace, once it is as wanted.
async fn trace_once(server: &Program, what: &str, wanted: impl Fn(&Trace) -> bool) -> Trace {
    eventually(what, async || {
        let trace = trace(server);
        if wanted(&trace) { Ok(trace) } else { Err(trace.0.len()) }
    })
    .await
}

/// How many events the notes about an outage say were lost, note by note.
fn losses(trace: &Trace) -> Vec<u64> {
    trace.of_kind("note").map(|event| event.data["dropped"].as_u64().unwrap()).collect()
}

/// Asserts that each of these calls is on the disk from its beginning to its end, and the outage too.
async fn assert_all_written(server: &Program, calls: Calls) {
    let ends = |trace: &Trace| trace.count("action.settled") + trace.count("action.denied");
    let written = calls.served + calls.refused;
    let trace = trace_once(server, "all ends are on the disk", |trace| ends(trace) >= written).await;
    assert_eq!(trace.assert_complete(), (calls.served, calls.refused));
    let losses = losses(&trace);
    assert!(!losses.is_empty() && losses.iter().all(|lost| *lost == 0), "{losses:?}");
    assert_eq!(server.metrics().await.sum("seawall_trace_dropped_total", &[]), 0.0);
}

async fn assert_verifies(server: &Program) {
    eventually("the trace verifies", async || {
        let output = beside(server, &["trace", "verify", "--json"]);
        if output.status.success() { Ok(()) } else { Err(output) }
    })
    .await;
}

#[tokio::test]
async fn strict_refuses_while_the_disk_is_full_and_goes_on_when_it_is_not() {
    for budget in ["", "budgets: [ { scope: global, usd: \"10\" } ]"] {
        let (upstream, mut calls) = (answering(), Calls::default());
        let server = cramped(&format!("gateway: {{ mode: strict }}\n{budget}"), &upstream, 8);
        calls.make_until(&server, 200).await;
        fill(&server);
        // A group is forced after its calls were served: those that the disk then refuses wait, and are not lost.
        calls.make_until(&server, 503).await;
        server.wait_for_ready(|ready| ready["checks"]["trace"]["healthy"] == false).await;
        let before = upstream.seen().len();
        for format in Format::ALL {
            for stream in [false, true] {
                let answer = calls.make(&server, format, stream).await;
                assert_eq!(answer.status, 503, "{answer:?}");
                let part = format.error(&answer);
                assert_eq!(part["code"], "TRACE_UNAVAILABLE");
                assert!(!answer.text().contains("/tmp"), "no path of the machine in it: {answer:?}");
            }
        }
        assert_eq!(upstream.seen().len(), before, "what can't be traced is not done");
        let ready = server.get("/ready").await;
        assert_eq!(ready.status, 503, "{ready:?}");
        assert_eq!(ready.json()["checks"]["disk"]["degraded"], true, "{ready:?}");
        assert_eq!(server.get("/health").await.status, 200);

        make_room(&server);
        calls.make_until(&server, 200).await;
        server.wait_for_ready(|ready| ready["ready"] == true).await;
        calls.make_all_well(&server).await;
        assert_all_written(&server, calls).await;
        assert_eq!(upstream.seen().len(), calls.served, "and nothing else was done");
        assert_verifies(&server).await;
        assert!(server.stop().success());
    }
}

#[tokio::test]
async fn where_each_admission_must_be_on_disk_nothing_goes_out_without() {
    let upstream = answering();
    let server = cramped("gateway: { mode: strict }\ntrace: { durability: each }", &upstream, 8);
    fill(&server);
    for _ in 0..60 {
        let answer = server.ask(Format::Messages.request("hi", false)).await;
        assert!(matches!(answer.status, 200 | 503), "{answer:?}");
    }
    make_room(&server);
    wait_for_status(&server, 200).await;
    assert_verifies(&server).await;
    let shown = beside(&server, &["trace", "show", "last"]);
    let admitted = String::from_utf8(shown.stdout).unwrap().matches("\"kind\":\"action.admitted\"").count();
    let sent = upstream.seen().len();
    assert!(sent >= 1 && admitted >= sent, "{sent} sent, {admitted} admitted on the disk");
}

/// The journal allocates its space ahead, so that a full disk is met when that is used up: by a refusal, not by a signal.
#[tokio::test]
async fn a_budget_that_can_not_be_written_refuses_and_goes_on_when_it_can() {
    const ROUNDS: usize = 10;
    let upstream = answering();
    let server =
        cramped("gateway: { mode: warn }\nbudgets: [ { scope: global, usd: \"10\" } ]", &upstream, 64);
    wait_for_status(&server, 200).await;
    fill(&server);
    let mut connections = Vec::new();
    for _ in 0..16 {
        connections.push(server.connect().await);
    }
    let batch = Format::Chat.request("hi", false).repeat(50);
    let mut refused = None;
    for _ in 0..ROUNDS {
        for connection in &mut connections {
            connection.send(&batch).await;
        }
        for connection in &mut connections {
            for _ in 0..50 {
                let answer = connection.answer().await;
                refused = refused.or_else(|| (answer.status != 200).then_some(answer));
            }
        }
        if refused.is_some() {
            break;
        }
    }
    let refused = refused.expect("space that was allocated ahead ends");
    assert_eq!(refused.status, 503, "{refused:?}");
    assert_eq!(Format::Chat.error(&refused)["code"], "LEDGER_UNAVAILABLE");
    make_room(&server);
    wait_for_status(&server, 200).await;
    assert!(server.stop().success());
}

/// Asserts that of all events of these calls, a served one's two and a bad one's one, each is on the disk or counted as
/// lost, that the trace says how many it lacks, and that the newest calls are there from beginning to end.
async fn assert_none_unaccounted(server: &Program, calls: Calls, bad: usize, newest: usize) {
    let after_loss = |trace: &Trace| {
        let behind: Vec<_> = trace.0.iter().rev().take_while(|event| event.kind != "note").cloned().collect();
        Trace(behind.into_iter().rev().collect())
    };
    let trace = trace_once(server, "the newest calls are on the disk", |trace| {
        after_loss(trace).count("action.settled") == newest
    })
    .await;
    assert_eq!(after_loss(&trace).count("action.admitted"), newest);
    let settled_after =
        |events: Vec<&Event>| events.first().unwrap().kind == "action.admitted" && events.len() == 2;
    assert!(after_loss(&trace).actions().into_values().all(settled_after));

    let metrics = server.metrics().await;
    let counted = |name: &str| metrics.sum(name, &[]);
    let written: usize =
        ["action.admitted", "action.settled", "action.denied"].iter().map(|kind| trace.count(kind)).sum();
    let made = 2 * calls.served + bad;
    let lost = made - written;
    assert!(lost > 0, "{written} of {made}");
    assert_eq!(counted("seawall_trace_dropped_total"), as_f64(lost), "{written} of {made} written");
    assert_eq!(counted("seawall_trace_events_total"), as_f64(trace.0.len()));
    assert_eq!(losses(&trace).iter().sum::<u64>(), u64::try_from(lost).unwrap());
    let report = beside(server, &["trace", "report", "last", "--format", "json"]);
    let report: serde_json::Value = serde_json::from_slice(&report.stdout).unwrap();
    assert_eq!(report["dropped"], lost, "who reads the report is told");
}

fn as_f64(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap())
}

#[tokio::test]
async fn warn_goes_on_counts_what_is_lost_and_recovers() {
    const WAITING: usize = 65_536;
    const BATCHES: usize = WAITING / 400 + 5;
    let (upstream, mut calls) = (answering(), Calls::default());
    let server = cramped("gateway: { mode: warn }", &upstream, 256);
    fill(&server);
    for format in Format::ALL {
        for _ in 0..10 {
            let answer = calls.make(&server, format, false).await;
            assert_eq!(answer.status, 200, "{answer:?}");
        }
    }
    server.wait_for_ready(|ready| ready["checks"]["trace"]["degraded"] == true).await;

    // Events wait for the disk in memory; past what may wait they are lost, and counted.
    let mut floods = JoinSet::new();
    for _ in 0..4 {
        let mut connection = server.connect().await;
        floods.spawn(async move {
            let batch = raw::get("/v1/messages").repeat(100);
            for _ in 0..BATCHES {
                connection.send(&batch).await;
                for _ in 0..100 {
                    assert_eq!(connection.answer().await.status, 405);
                }
            }
        });
    }
    while let Some(ended) = floods.join_next().await {
        ended.unwrap();
    }
    assert!(server.metrics().await.sum("seawall_trace_dropped_total", &[]) > 0.0);
    calls.make_all_well(&server).await;
    let ready = server.get("/ready").await;
    assert_eq!((ready.status, &ready.json()["status"]), (200, &"degraded".into()), "{ready:?}");

    make_room(&server);
    server.wait_for_ready(|ready| ready["checks"]["trace"]["degraded"] == false).await;
    // The note stands behind what had waited, and what comes now behind the note.
    trace_once(&server, "the loss is written down", |trace| losses(trace).iter().sum::<u64>() > 0).await;
    let before = calls;
    calls.make_all_well(&server).await;
    let new = calls.served - before.served;
    assert_none_unaccounted(&server, calls, 400 * BATCHES, new).await;
    assert_verifies(&server).await;
    assert!(server.peak_memory() < 600 << 20, "{}", server.peak_memory());
    assert!(server.stop().success());
}

#[tokio::test]
async fn a_reload_to_strict_refuses_on_a_full_disk_and_one_to_warn_goes_on() {
    let upstream = answering();
    let server = cramped("gateway: { mode: warn }", &upstream, 8);
    wait_for_status(&server, 200).await;
    fill(&server);
    // What is left of the last block takes some lines more.
    for _ in 0..30 {
        assert_eq!(server.ask(Format::Chat.request("hi", false)).await.status, 200);
    }
    server.wait_for_ready(|ready| ready["checks"]["trace"]["degraded"] == true).await;
    for (mode, status) in [("strict", 503), ("warn", 200)] {
        let config = format!("gateway: {{ mode: {mode} }}\n{}", one_upstream(&upstream.url()));
        server.setup.replace("config.yaml", &config);
        let answer = server.ask(raw::request("POST", "/admin/reload", &[], "")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let answer = server.ask(Format::Chat.request("hi", false)).await;
        assert_eq!(answer.status, status, "{mode}: {answer:?}");
    }
}

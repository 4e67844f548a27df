//! SIGTERM: what is under way finishes within the drain time, nothing new begins, and everybody is told.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::support::eventually;
use crate::support::format::Format;
use crate::support::program::{Program, Setup, one_upstream};
use crate::support::raw::{self, Connection};
use crate::support::sim::Sim;
use crate::support::trace::Trace;
use crate::support::upstream::{Reply, Upstream};

const DRAIN: &str = "gateway: { timeouts: { drain: 25s } }";

/// Streams that have begun.
async fn streams(server: &Program, count: usize, text: &str, sign: &str) -> Vec<(Format, Connection)> {
    let mut streams = Vec::new();
    for number in 0..count {
        let format = Format::ALL[number % Format::ALL.len()];
        let mut client = server.connect().await;
        client.send(format.request(text, true)).await;
        streams.push((format, client));
    }
    for (_, client) in &mut streams {
        client.read_until(sign).await;
    }
    streams
}

async fn wait_until_draining(server: &Program) -> raw::Answer {
    eventually("/ready says that it drains", async || {
        let answer = server.get("/ready").await;
        if answer.status == 503 { Ok(answer) } else { Err(answer) }
    })
    .await
}

/// Fifty streams are under way when it is told to end: all finish, nothing new begins.
async fn assert_fifty_streams_finish(server: &Program) {
    let streams = streams(server, 50, "sim:pace 40\nsim:repeat 50 word", "word").await;
    let begun = Instant::now();
    server.signal(Signal::TERM);

    let ready = wait_until_draining(server).await;
    assert_eq!((&ready.json()["status"], &ready.json()["ready"]), (&"draining".into(), &false.into()));
    for format in Format::ALL {
        let answer = server.ask(format.request("hi", false)).await;
        assert_eq!((answer.status, answer.header("connection")), (503, Some("close")), "{answer:?}");
        assert_eq!(format.error(&answer)["code"], "DRAINING");
        assert!(answer.retry_after().is_some());
    }

    for (format, mut client) in streams {
        let answer = client.answer().await;
        assert!(answer.complete, "{answer:?}");
        // How it ends, and how often it says everything until then.
        let (end, times) = match format {
            Format::Chat => ("data: [DONE]\n\n", 1),
            Format::Responses => ("response.completed", 5),
            Format::Messages => ("message_stop", 1),
            Format::Gemini => ("\"finishReason\":\"STOP\"", 1),
        };
        assert_eq!(answer.text().matches("word").count(), 50 * times, "{answer:?}");
        assert!(answer.text().contains(end), "{answer:?}");
    }
    let status = server.wait();
    assert!(status.success(), "{status}");
    assert!(begun.elapsed() < Duration::from_secs(25), "{:?}", begun.elapsed());
    let trace = Trace::of(&server.setup);
    assert_eq!(trace.assert_complete(), (50, Format::ALL.len()));
    assert!(trace.of_kind("action.settled").all(|event| event.data["ended"].is_null()), "none was cut off");
    assert!(server.setup.cli(&["trace", "verify"]).status.success());
}

#[tokio::test]
async fn fifty_streams_finish_and_the_process_ends_well() {
    assert_fifty_streams_finish(&Setup::simulated(DRAIN).start()).await;
}

#[tokio::test]
async fn fifty_streams_from_a_real_socket_finish_and_the_process_ends_well() {
    let sim = Sim::start();
    let server = Setup::proxy(&format!("{DRAIN}\n{}", sim.as_upstream(""))).start();
    assert_fifty_streams_finish(&server).await;
    let seen = sim.at_rest().await;
    assert_eq!((seen.requests, seen.completed), (50, 50), "{seen:?}");
}

#[tokio::test]
async fn a_request_on_its_way_is_answered() {
    let server = Setup::simulated("").start();
    let mut unused = Vec::new();
    for _ in 0..50 {
        unused.push(server.connect().await);
    }
    let mut used = server.connect().await;
    used.send(raw::get("/health")).await;
    assert_eq!(used.answer().await.status, 200);
    // A head that has begun, as it comes when two packets carry it.
    used.send("GET /health HT").await;
    server.wait_for_metric("seawall_connections", &[], 52.0).await;
    server.signal(Signal::TERM);
    wait_until_draining(&server).await;

    for client in &mut unused {
        client.send_what_is_taken(Format::Chat.request("hi", false)).await;
    }
    used.send("TP/1.1\r\nhost: seawall\r\n\r\n").await;
    for client in &mut unused {
        let answer = client.answer().await;
        assert_eq!((answer.status, answer.header("connection")), (503, Some("close")), "{answer:?}");
        assert!(client.is_closed().await);
    }
    let answer = used.answer().await;
    assert_eq!((answer.status, answer.header("connection")), (200, Some("close")), "{answer:?}");
    assert!(used.is_closed().await);
    assert!(server.wait().success());
}

#[tokio::test]
async fn for_the_drain_delay_it_says_that_it_is_not_ready_and_answers_all_the_same() {
    let server = Setup::simulated("gateway: { timeouts: { drain_delay: 1h } }").start();
    let mut kept = server.connect().await;
    kept.send(Format::Chat.request("hi", false)).await;
    assert_eq!(kept.answer().await.header("connection"), None);
    server.signal(Signal::TERM);
    assert_eq!(wait_until_draining(&server).await.json()["status"], "draining");

    let answer = server.ask(Format::Chat.request("hi", false)).await;
    assert_eq!((answer.status, answer.header("connection")), (200, Some("close")), "{answer:?}");
    kept.send(Format::Chat.request("hi", false)).await;
    let answer = kept.answer().await;
    assert_eq!((answer.status, answer.header("connection")), (200, Some("close")), "{answer:?}");
    assert!(kept.is_closed().await && !server.has_ended());
    server.signal(Signal::TERM);
    assert!(server.wait().success(), "a second signal does not wait for it");
}

#[tokio::test]
async fn with_nothing_under_way_it_ends_at_once() {
    let server = Setup::simulated("").start();
    // A connection that was used, and one that never was, keep nobody waiting.
    let mut used = server.connect().await;
    used.send(Format::Chat.request("hi", false)).await;
    assert_eq!(used.answer().await.status, 200);
    let mut unused = server.connect().await;
    let begun = Instant::now();
    server.signal(Signal::TERM);
    assert!(server.wait().success());
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert!(used.is_closed().await && unused.is_closed().await);
}

/// A server with streams whose upstream says nothing more.
async fn stalled(drain: &str) -> (Program, Upstream, Vec<(Format, Connection)>) {
    let upstream = Upstream::start(|seen, _| {
        let format = match seen.line() {
            line if line.contains("/chat/") => Format::Chat,
            line if line.contains("/responses") => Format::Responses,
            line if line.contains("/messages") => Format::Messages,
            _ => Format::Gemini,
        };
        let events = format.events(true);
        let first_text = events.iter().position(|event| event.contains("hello")).unwrap();
        Reply::begin_events(&events[..=first_text]).hang()
    });
    let config = format!("gateway: {{ timeouts: {{ drain: {drain} }} }}\n{}", one_upstream(&upstream.url()));
    let server = Setup::proxy(&config).start();
    let streams = streams(&server, 12, "hi", "hello").await;
    (server, upstream, streams)
}

/// Everything was settled from what was seen.
fn assert_settled(server: &Program) {
    let trace = Trace::of(&server.setup);
    assert_eq!(trace.assert_complete(), (12, 0));
    for event in trace.of_kind("action.settled") {
        assert_eq!(event.data["usage"]["estimated"], true, "{event:?}");
        assert!(event.data["usage"]["output_tokens"].as_u64().unwrap() > 0, "{event:?}");
    }
    assert!(server.setup.cli(&["trace", "verify"]).status.success());
    let budgets = server.setup.cli_json(&["budget", "show"]);
    for account in budgets["budgets"].as_array().unwrap() {
        assert_eq!((&account["held_usd"], &account["holds"]), (&"0.000000".into(), &0.into()), "{account}");
    }
}

#[tokio::test]
async fn a_second_signal_ends_it_at_once() {
    let (server, upstream, streams) = stalled("60s").await;
    server.signal(Signal::TERM);
    wait_until_draining(&server).await;
    let begun = Instant::now();
    server.signal(Signal::TERM);
    assert_eq!(server.wait().code(), Some(0));
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    upstream.wait_for_hang_ups(12).await;
    for (_, mut client) in streams {
        assert!(!client.answer().await.complete, "what was cut off does not look whole");
    }
    assert_settled(&server);
}

#[tokio::test]
async fn what_does_not_finish_in_time_is_cut_off_and_settled() {
    let (server, upstream, streams) = stalled("700ms").await;
    let begun = Instant::now();
    server.signal(Signal::TERM);
    assert_eq!(server.wait().code(), Some(0));
    let took = begun.elapsed();
    assert!((Duration::from_millis(700)..Duration::from_secs(8)).contains(&took), "{took:?}");
    upstream.wait_for_hang_ups(12).await;
    for (_, mut client) in streams {
        assert!(!client.answer().await.complete, "what was cut off does not look whole");
    }
    assert_settled(&server);
}

#[tokio::test]
async fn a_drained_server_leaves_its_folder_to_the_next() {
    let setup = Setup::simulated("");
    for _ in 0..3 {
        let server = setup.start();
        assert_eq!(server.ask(Format::Chat.request("hi", false)).await.status, 200);
        assert!(server.stop().success());
        assert!(!setup.data_dir().join("server.json").exists());
    }
    assert_eq!(setup.cli_json(&["trace", "list"])["runs"].as_array().unwrap().len(), 3);
}

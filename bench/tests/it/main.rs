//! The generator against the provider, with nothing in between: what one counts the other has served.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test is to panic when something is not as claimed"
)]

use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use seawall_bench::load::{self, Plan, Report, Streams};
use seawall_bench::process::Tree;
use seawall_bench::provider;
use tokio::net::TcpListener;
use tokio::task::LocalSet;

const SHORT: Duration = Duration::from_millis(50);

/// A provider on a thread of its own, which ends with the test's process.
fn provider() -> SocketAddr {
    let (send, receive) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        LocalSet::new().block_on(&runtime, async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            send.send(listener.local_addr().unwrap()).unwrap();
            provider::serve(listener).await.unwrap();
        });
    });
    receive.recv().unwrap()
}

fn plan(target: SocketAddr, prompt: &str) -> Plan {
    let body = format!(r#"{{"model":"gpt-4o-mini","messages":[{{"role":"user","content":"{prompt}"}}]}}"#);
    Plan {
        target,
        request: Plan::post(target, "/v1/chat/completions", &["x-a: b".to_owned()], body.as_bytes()),
        watched: Tree::new(vec![std::process::id()]),
        warm_up: Duration::ZERO,
        counted: SHORT,
        patience: Duration::from_secs(20),
    }
}

fn served(target: SocketAddr) -> u64 {
    use std::io::{Read, Write};
    let mut stream = TcpStream::connect(target).unwrap();
    stream.write_all(b"GET /stats HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    serde_json::from_str::<serde_json::Value>(body).unwrap()["requests"].as_u64().unwrap()
}

fn assert_all_answered(report: &Report) {
    assert!(report.answered > 0);
    assert_eq!(report.failed, 0, "{:?}", report.first_failure);
    assert!(report.resident_kib_most > 0);
}

#[test]
fn closed_load_counts_what_was_served() {
    let target = provider();
    let report = load::closed(&plan(target, "hello"), 4).unwrap();
    assert_all_answered(&report);
    let latency = report.latency_us.unwrap();
    assert!(latency.min > 0.0 && latency.min <= latency.p50 && latency.p50 <= latency.max);
    // Requests that were under way at the end were served and are not counted.
    let served = served(target);
    assert!((report.answered..=report.answered + 8).contains(&served), "{} and {served}", report.answered);
}

#[test]
fn open_load_sends_as_many_as_were_asked_for() {
    let target = provider();
    let report = load::open(&plan(target, "hello"), 1_000).unwrap();
    assert_all_answered(&report);
    assert!((48..=50).contains(&report.answered), "{}", report.answered);
    assert!(report.latency_us.unwrap().p50 >= report.service_us.unwrap().p50);
}

#[test]
fn every_event_of_every_stream_is_timed() {
    let target = provider();
    for gap in [0, 100] {
        let plan = plan(target, &format!("bench:stream=20,{gap}"));
        let streams = Streams { at_once: 5, apart: Duration::from_micros(100), events: 20 };
        let report = load::streams(&plan, streams).unwrap();
        assert_all_answered(&report);
        assert_eq!((report.answered, report.events), (5, 100));
        assert_eq!(report.first_event_us.unwrap().count, 5);
    }
}

#[test]
fn a_stream_with_an_event_too_few_is_a_failure() {
    let target = provider();
    let streams = Streams { at_once: 2, apart: SHORT / 50, events: 4 };
    let report = load::streams(&plan(target, "bench:stream=3,0"), streams).unwrap();
    assert_eq!((report.answered, report.failed), (0, 2));
    assert!(report.first_failure.unwrap().contains("3 events"));
}

#[test]
fn a_server_that_refuses_everything_is_an_error() {
    let target = provider();
    let mut plan = plan(target, "hello");
    plan.request = b"GARBAGE\r\n\r\n".to_vec();
    plan.counted = Duration::from_secs(20);
    let error = load::closed(&plan, 2).unwrap_err();
    assert!(error.to_string().contains("nothing but failures"), "{error}");
}

//! The simulated provider on a port, as clients over TCP see it.

use std::future::pending;
use std::time::Duration;

use seawall_llm_client::sim::{Sim, serve};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::sim_support::{CHAT, chat, chat_stream, sim};

/// A server that ends with the test.
struct Server {
    sim: Sim,
    address: std::net::SocketAddr,
    _task: JoinSet<()>,
}

async fn server(sim: Sim) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut task = JoinSet::new();
    task.spawn(serve(listener, sim.clone(), pending()));
    Server { sim, address, _task: task }
}

async fn send(server: &Server, body: &Value) -> TcpStream {
    let body = body.to_string();
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let head = format!("POST {CHAT} HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n", body.len());
    stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
    stream
}

/// Reads until the text has come.
async fn read_until(stream: &mut TcpStream, text: &str) -> String {
    let mut read = String::new();
    while !read.contains(text) {
        let mut buffer = [0; 4096];
        let length = stream.read(&mut buffer).await.unwrap();
        assert!(length > 0, "the connection ended after {read}");
        read.push_str(std::str::from_utf8(&buffer[..length]).unwrap());
    }
    read
}

/// Lets the server work until the condition holds.
async fn becomes_true(condition: impl Fn() -> bool) {
    let waiting = async {
        while !condition() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), waiting).await.expect("the condition did not become true");
}

#[tokio::test]
async fn a_stream_comes_over_the_wire_and_the_connection_stays() {
    let server = server(sim()).await;
    let mut stream = send(&server, &chat_stream("sim:text hello world")).await;
    let answer = read_until(&mut stream, "\r\n0\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"));
    assert!(answer.contains("data: [DONE]"));
    stream.write_all(b"GET /sim/stats HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    assert!(read_until(&mut stream, "\"in_flight\"").await.contains("\"completed\":1"));
}

#[tokio::test]
async fn a_frame_is_sent_when_it_is_made() {
    let server = server(sim()).await;
    let mut stream = send(&server, &chat_stream("sim:stall after=1\nsim:text hello world")).await;
    read_until(&mut stream, "hello").await;
}

#[tokio::test]
async fn a_client_that_hangs_up_is_noticed_while_nothing_is_sent() {
    for body in
        [chat("sim:hang"), chat("sim:delay 600s"), chat_stream("sim:stall after=1\nsim:text abcd efgh")]
    {
        let server = server(sim()).await;
        let stream = send(&server, &body).await;
        becomes_true(|| server.sim.stats().in_flight == 1).await;
        drop(stream);
        becomes_true(|| server.sim.stats().cancelled == 1).await;
    }
}

#[tokio::test]
async fn a_paced_stream_that_is_left_costs_what_was_sent() {
    let server = server(sim()).await;
    let mut stream = send(&server, &chat_stream("sim:pace 600s\nsim:text a b c")).await;
    read_until(&mut stream, "\"role\"").await;
    drop(stream);
    becomes_true(|| server.sim.stats().cancelled == 1).await;
    let stats = server.sim.stats();
    assert_eq!((stats.input_tokens, stats.output_tokens), (7, 0));
}

#[tokio::test]
async fn a_disconnect_sends_what_there_is_and_breaks_the_connection() {
    let server = server(sim()).await;
    for (body, sent) in [
        (chat_stream("sim:disconnect after=2\nsim:text one two three"), " two"),
        (chat("sim:disconnect\nsim:text whole"), "chat.completion"),
    ] {
        let mut stream = send(&server, &body).await;
        let mut answer = Vec::new();
        // A reset is as good an end as any.
        let _ = stream.read_to_end(&mut answer).await;
        let answer = String::from_utf8(answer).unwrap();
        assert!(answer.contains(sent), "{answer}");
        assert!(!answer.contains("three") && !answer.ends_with("\r\n0\r\n\r\n"), "{answer}");
    }
    assert_eq!(server.sim.stats().broken, 2);
}

#[tokio::test]
async fn serving_ends_when_it_is_told_to() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    serve(listener, sim(), async {}).await;
    assert!(TcpStream::connect(address).await.is_err());
}

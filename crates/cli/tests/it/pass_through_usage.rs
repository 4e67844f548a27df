//! What no wire format claims is passed through, and charged all the same where its answer tells what it used.

use crate::support::eventually;
use crate::support::program::{Setup, one_upstream};
use crate::support::raw;
use crate::support::trace::Trace;
use crate::support::upstream::{Reply, Upstream};

const USED: &str = r#"{"model":"gpt-4o","usage":{"input_tokens":1000,"output_tokens":500}}"#;

async fn spent_after(path: &str, reply: Reply) -> String {
    let upstream = Upstream::always(reply);
    let server = Setup::proxy(&one_upstream(&upstream.url())).start();
    let answer = server.ask(raw::post(path, r#"{"model":"gpt-4o","input":"hi"}"#)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    // The end of the answer reaches the client a moment before the books are closed.
    let settled = eventually("the call is settled", async || {
        let trace = Trace::of(&server.setup);
        trace.of_kind("action.settled").next().cloned().ok_or("nothing is settled")
    });
    settled.await.data["cost_usd"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn an_answer_that_tells_its_usage_is_charged() {
    assert_eq!(spent_after("/v1/audio/transcriptions", Reply::json(USED)).await, "0.007500");
}

#[tokio::test]
async fn an_answer_that_tells_none_is_free() {
    assert_eq!(spent_after("/v1/moderations", Reply::json("{\"results\":[]}")).await, "0.000000");
}

//! The simulated provider: any body on any of its paths is answered or refused, in virtual time.
#![no_main]

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use libfuzzer_sys::fuzz_target;
use seawall_fuzz::Input;
use seawall_llm_client::sim::{Options, Script, Sim};
use seawall_types::{ManualClock, Timestamp};

const PATHS: [&str; 16] = [
    "/v1/chat/completions",
    "/v1/responses",
    "/v1/completions",
    "/v1/embeddings",
    "/v1/messages",
    "/v1/messages/count_tokens",
    "/v1beta/models/m:generateContent",
    "/v1beta/models/m:streamGenerateContent?alt=sse",
    "/v1beta/models/m:countTokens",
    "/v1beta/models/m:batchEmbedContents",
    "/v1/responses/input_tokens",
    "/v1/moderations",
    "/v1/models",
    "/v1beta/models/m:embedContent",
    "/v1beta/models/m:streamGenerateContent",
    "/sim/requests?last=3",
];
/// Enough to see every part of a stream; `sim:repeat` makes them by the million.
const FRAMES: usize = 400;

fuzz_target!(|data: &[u8]| {
    let mut input = Input::new(data);
    let path = input.pick(&PATHS);
    let is_script = input.flag();
    let method = if path.starts_with("/sim") { Method::GET } else { Method::POST };
    let clock = Arc::new(ManualClock::new(Timestamp::from_micros(1_767_225_600_000_000)));
    if is_script {
        let _ = std::str::from_utf8(input.rest()).map(Script::parse);
        return;
    }
    let sim = Sim::new(Options::default(), clock);
    let body = Full::new(Bytes::copy_from_slice(input.rest()));
    let Ok(request) = Request::builder().method(method).uri(path).body(body) else { panic!("no request") };
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()
    else {
        panic!("no runtime")
    };
    let answered = async {
        let response = sim.call(request).await;
        assert!(response.status() == 200 || response.status().as_u16() >= 400, "{}", response.status());
        let mut body = response.into_body();
        for _ in 0..FRAMES {
            let Some(Ok(_)) = body.frame().await else { break };
        }
    };
    // A day of virtual time: what hangs on purpose is left alone.
    let _ = runtime.block_on(async { tokio::time::timeout(Duration::from_secs(86_400), answered).await });
    assert_eq!(sim.stats().in_flight, 0, "a request that is over still counts as in flight");
});

//! A client that hangs up stops the call at its upstream at once, and pays for what the upstream did until then.

use std::time::{Duration, Instant};

use seawall_types::{Usd, Window};
use serde_json::Value;
use tokio::task::JoinSet;

use crate::support::client::{self, Call};
use crate::support::eventually;
use crate::support::format::Format;
use crate::support::program::{Program, Setup, one_upstream};
use crate::support::sim::Sim;
use crate::support::trace::Trace;
use crate::support::upstream::{Reply, Upstream};

/// How soon the upstream must be free.
const AT_ONCE: Duration = Duration::from_millis(100);
/// Hang-ups of each kind. The middle one counts, as one of them may meet a busy machine.
const TRIES: usize = 5;

/// When the client hangs up.
#[derive(Debug, Clone, Copy)]
enum Moment {
    /// The upstream has said nothing yet.
    BeforeHeaders { stream: bool },
    /// Some events have come.
    MidStream,
    /// A part of an answer in one piece has come, which the client does not get before it is whole.
    MidAnswer,
}

impl Moment {
    fn streams(self) -> bool {
        matches!(self, Self::BeforeHeaders { stream: true } | Self::MidStream)
    }

    /// What the upstream does until then.
    fn reply(self, format: Format) -> Reply {
        match self {
            Self::BeforeHeaders { .. } => Reply::nothing().hang(),
            Self::MidStream => Reply::begin_events(beginning(format)).hang(),
            Self::MidAnswer => {
                let headers = [("content-type", "application/json"), ("content-length", "100000")];
                Reply::nothing()
                    .send("HTTP/1.1 200 OK\r\n")
                    .send(headers.map(|(name, value)| format!("{name}: {value}\r\n")).concat())
                    .send("\r\n")
                    .send(format.answer())
                    .hang()
            }
        }
    }
}

/// The first events of a stream: something of an answer, but not its end.
fn beginning(format: Format) -> Vec<String> {
    let keep = match format {
        Format::Chat => 3,
        Format::Responses | Format::Messages => 5,
        Format::Gemini => 1,
    };
    format.events(true).into_iter().take(keep).collect()
}

/// Calls, hangs up at that moment, and tells how long the upstream was kept waiting after that.
async fn hang_up(
    proxy: &Program,
    upstream: &Upstream,
    format: Format,
    moment: Moment,
    number: usize,
) -> Duration {
    let call = Call::say(format, "tell me everything", moment.streams());
    let mut begun = JoinSet::new();
    begun.spawn(client::begin(proxy.address, call));
    upstream.wait_for_requests(number).await;
    match moment {
        Moment::MidStream => {
            let mut answering = begun.join_next().await.unwrap().unwrap();
            answering.piece().await.expect("the beginning of a stream");
            let left = Instant::now();
            drop(answering);
            upstream.wait_for_hang_ups(number).await;
            left.elapsed()
        }
        Moment::BeforeHeaders { .. } | Moment::MidAnswer => {
            if matches!(moment, Moment::MidAnswer) {
                // The request's body and what came of the answer; nothing else tells from outside that it came.
                let held = format.body("tell me everything", false).len() + format.answer().len();
                let held = f64::from(u32::try_from(held).unwrap());
                proxy.wait_for_metric("seawall_buffered_bytes", &[], held).await;
            }
            let left = Instant::now();
            drop(begun);
            upstream.wait_for_hang_ups(number).await;
            left.elapsed()
        }
    }
}

/// Hangs up several times at that moment; gives the `data` of what was settled.
async fn settled_after(format: Format, moment: Moment) -> Vec<Value> {
    let upstream = Upstream::always(moment.reply(format));
    let proxy = Setup::proxy(&one_upstream(&upstream.url())).args(["--budget", "100"]).start();
    let mut times = Vec::new();
    for number in 1..=TRIES {
        times.push(hang_up(&proxy, &upstream, format, moment, number).await);
    }
    times.sort();
    assert!(times[TRIES / 2] < AT_ONCE, "{format:?} {moment:?}: {times:?}");

    let account = proxy.settled("global", Window::Total).await;
    assert!(proxy.stop().success());
    let trace = Trace::of(&proxy.setup);
    assert_eq!(trace.assert_complete(), (TRIES, 0));
    let settled: Vec<Value> = trace.of_kind("action.settled").map(|event| event.data.clone()).collect();
    for data in &settled {
        assert_eq!((&data["status"], &data["ended"]), (&499.into(), &"cancelled".into()), "{data}");
        assert_eq!(data["usage"]["estimated"], true, "{data}");
    }
    let charged: Usd = trace.of_kind("action.settled").map(|event| event.usd("cost_usd")).sum();
    assert_eq!(account.spent_usd, charged);
    assert!(charged > Usd::ZERO && charged <= trace.reserved(), "{charged}");
    settled
}

fn tokens(data: &Value, key: &str) -> u64 {
    data["usage"][key].as_u64().unwrap_or_else(|| panic!("no {key} in {data}"))
}

#[tokio::test]
async fn before_the_headers_what_there_was_time_for_is_charged() {
    for format in Format::ALL {
        for stream in [false, true] {
            let prompt = u64::try_from(format.body("tell me everything", stream).len()).unwrap();
            for data in settled_after(format, Moment::BeforeHeaders { stream }).await {
                let output = tokens(&data, "output_tokens");
                if stream {
                    assert_eq!(tokens(&data, "input_tokens"), prompt.div_ceil(3), "{prompt} bytes: {data}");
                    assert!((32..=100).contains(&output), "a stream is seen as it is written: {data}");
                } else {
                    // The frame that a provider may put around a prompt has at most 2,048 tokens.
                    let most = prompt..=prompt + 2_048;
                    assert!(most.contains(&tokens(&data, "input_tokens")), "{prompt} bytes: {data}");
                    assert_eq!(output, 100, "the whole answer may be under way: {data}");
                }
            }
        }
    }
}

#[tokio::test]
async fn in_the_middle_of_a_stream_what_came_is_charged() {
    for format in Format::ALL {
        for data in settled_after(format, Moment::MidStream).await {
            // "hello you" has two tokens; more may have been under way.
            assert!((2..100).contains(&tokens(&data, "output_tokens")), "{data}");
            // OpenAI tells at the end of a stream what it has read.
            if matches!(format, Format::Messages | Format::Gemini) {
                assert_eq!(tokens(&data, "input_tokens"), 3, "the provider's own count: {data}");
            }
        }
    }
}

#[tokio::test]
async fn in_the_middle_of_an_answer_in_one_piece_what_came_is_charged() {
    for format in Format::ALL {
        let came = u64::try_from(format.answer().len()).unwrap();
        for data in settled_after(format, Moment::MidAnswer).await {
            assert!(tokens(&data, "output_tokens") >= came / 4, "{came} bytes: {data}");
        }
    }
}

/// Clients that hang up after a first part of a long answer, which comes so fast; the spend and the truth.
async fn spend_and_truth(format: Format, pace: &str) -> (Usd, Usd) {
    let sim = Sim::start();
    let proxy = Setup::proxy(&sim.as_upstream("")).args(["--budget", "100"]).start();
    let says = format!("{pace}\nsim:chunk 40\nsim:repeat 20000 word");
    let mut clients = JoinSet::new();
    for client in 0..16 {
        let call = Call::say_within(format, &says, true, 50_000);
        let address = proxy.address;
        clients.spawn(async move {
            let mut answering = client::begin(address, call).await;
            answering.read_at_least(1_000 + 500 * client).await;
        });
    }
    clients.join_all().await;
    let truth = sim.at_rest().await;
    assert_eq!(truth.cancelled + truth.completed, 16, "{truth:?}");
    (proxy.settled("global", Window::Total).await.spent_usd, truth.cost_usd)
}

#[tokio::test]
async fn a_stream_that_was_hung_up_on_costs_at_least_what_the_upstream_counted() {
    for format in Format::ALL {
        let (spent, truth) = spend_and_truth(format, "sim:pace 2ms").await;
        assert!(spent >= truth, "{format:?}: spent {spent}, truth {truth}");
        assert!(spent <= truth.times(3), "{format:?}: spent {spent}, truth {truth}");
    }
}

#[tokio::test]
async fn a_stream_as_fast_as_the_wire_that_was_hung_up_on_costs_at_least_what_the_upstream_counted() {
    for format in Format::ALL {
        let (spent, truth) = spend_and_truth(format, "").await;
        assert!(spent >= truth, "{format:?}: spent {spent}, truth {truth}");
    }
}

#[tokio::test]
async fn a_client_that_hangs_up_while_it_is_refused_costs_nothing() {
    let sim = Sim::start();
    let proxy = Setup::proxy(&sim.as_upstream("")).args(["--budget", "0"]).start();
    let mut callers = JoinSet::new();
    for _ in 0..20 {
        callers.spawn(client::try_begin(proxy.address, Call::say(Format::Chat, "hi", false)));
    }
    callers.abort_all();
    while callers.join_next().await.is_some() {}
    let answer = client::send(proxy.address, Call::say(Format::Chat, "hi", false)).await;
    assert_eq!(answer.status, 402, "{answer:?}");
    let account = eventually("nothing under way", async || {
        let account = proxy.total().await;
        if account.holds == 0 { Ok(account) } else { Err(account) }
    })
    .await;
    assert_eq!(account.committed(), Usd::ZERO);
    assert_eq!(sim.stats().await.requests, 0);
}

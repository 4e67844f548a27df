//! Histories that are made shorter all the time: whatever was said, every request keeps its provider's rules.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use fastrand::Rng;
use seawall_engine::AgentId;
use seawall_runtime::Status;
use seawall_store::agents::check_consistency;
use serde_json::{Value, json};

use crate::scripted::{Does, Scripted, too_long};
use crate::stage::{Counted, Stage, settings, within};
use crate::wires::{WIRES, Wire};

/// Requests to the model in all formats together.
const REQUESTS: u64 = 10_000;

/// What is counted of them.
#[derive(Debug, Default)]
struct Seen {
    requests: AtomicU64,
    summaries: AtomicU64,
    with_results: AtomicU64,
    longest: AtomicUsize,
    /// What is wrong with the first request that breaks a rule: nobody would see a panic of the model's.
    broken: Mutex<Option<String>>,
}

/// Checks a request and draws what the model does.
fn answered(wire: Wire, body: &Value, seen: &Seen, lots: &Mutex<Rng>) -> Does {
    let messages = wire.check(body).unwrap_or_else(|why| {
        seen.broken.lock().unwrap().get_or_insert_with(|| format!("{wire:?}: {why}\n{body:#}"));
        0
    });
    seen.requests.fetch_add(1, Ordering::SeqCst);
    let mut lots = lots.lock().unwrap();
    if Wire::is_summary(body) {
        seen.summaries.fetch_add(1, Ordering::SeqCst);
        // Where no model sums up, rules do.
        return match lots.u8(..10) {
            0 => Does::Answers(500, json!({ "error": { "message": "broken" } })),
            _ => Does::Says("summary ".repeat(lots.usize(1..100))),
        };
    }
    let has_results = ["\"tool_result\"", "\"tool\"", "\"function_call_output\"", "\"functionResponse\""];
    if has_results.iter().any(|word| body.to_string().contains(word)) {
        seen.with_results.fetch_add(1, Ordering::SeqCst);
    }
    seen.longest.fetch_max(messages, Ordering::SeqCst);
    match lots.u8(..100) {
        0..45 => Does::Calls((0..lots.usize(1..4)).map(|_| lots.u64(..300)).collect()),
        45..47 => too_long(wire),
        47..48 => Does::Answers(503, json!({ "error": { "message": "busy" } })),
        _ => Does::Says("answer ".repeat(lots.usize(1..200))),
    }
}

/// Says something of any length, sometimes more than one thing at once, and sometimes stops the agent.
async fn talk(stage: &Stage, id: &AgentId, turn: usize, lots: &mut Rng) -> Status {
    let words = |lots: &mut Rng| "text ".repeat(lots.usize(1..400));
    let sent = stage.send(id, &format!("m{turn}"), &words(lots)).await;
    if lots.u8(..8) == 0 {
        stage.send(id, &format!("n{turn}"), &words(lots)).await;
    }
    if lots.u8(..20) == 0 {
        stage.runtime.interrupt(id, "ann", None).await.unwrap();
    }
    within(stage.runtime.wait(id, sent.first)).await.unwrap().status
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_requests_of_histories_that_shrink_keep_every_providers_rules() {
    let (seen, lots) = (Arc::new(Seen::default()), Mutex::new(Rng::with_seed(11)));
    let watching = Arc::clone(&seen);
    let model = Scripted::new(move |wire, body| answered(wire, body, &watching, &lots));
    let stage = Stage::asking(model, settings(), Counted::wordy("work"));
    let small = json!({ "context": { "compress_at": 2_500, "keep": 6 } });
    let agents = WIRES.map(|(provider, _)| {
        let (stage, seen, small) = (&stage, &seen, &small);
        async move {
            let id = stage.agent_of(provider, provider, Some(small.clone())).await;
            let (mut turn, mut ok, mut lots) = (0, 0, Rng::with_seed(7));
            while seen.requests.load(Ordering::SeqCst) < REQUESTS && seen.broken.lock().unwrap().is_none() {
                let status = talk(stage, &id, turn, &mut lots).await;
                ok += usize::from(status == Status::Ok);
                turn += 1;
            }
            let checked = check_consistency(&*stage.store, &id).await.unwrap();
            assert!(checked.is_consistent(), "{provider}: {checked:?}");
            (turn, ok)
        }
    });
    let [chat, responses, anthropic, gemini] = agents;
    let turns: [_; 4] = tokio::join!(chat, responses, anthropic, gemini).into();
    for ((provider, _), (turns, ok)) in WIRES.iter().zip(turns) {
        assert!(turns > 300 && ok * 10 > turns * 8, "{provider}: {ok} of {turns} turns ended well");
    }
    assert_eq!(*seen.broken.lock().unwrap(), None);
    let count = |counter: &AtomicU64| counter.load(Ordering::SeqCst);
    assert!(count(&seen.summaries) > 200, "{seen:?}");
    assert!(count(&seen.with_results) > 2_000, "{seen:?}");
    assert!(seen.longest.load(Ordering::SeqCst) < 80, "{seen:?}");
}

//! Following an agent: everything once, in order, however often a client comes and goes.

use seawall_engine::Channel;
use seawall_llm_client::sim::Options;
use seawall_runtime::Told;

use crate::stage::{Stage, within};

async fn all(stage: &Stage, id: &seawall_engine::AgentId) -> Vec<Told> {
    let mut feed = stage.runtime.follow(id, &Channel::ALL, 0);
    let mut told = Vec::new();
    loop {
        let next = within(feed.next()).await.unwrap();
        let ends = next.kind == "done";
        told.push(next);
        if ends {
            return told;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_comes_back_a_hundred_times_has_read_what_the_others_have() {
    let stage = Stage::slow(Options { tokens_per_second: Some(800), ..Options::default() });
    let id = stage.agent("a").await;
    stage.send(&id, "m1", "sim:repeat 800 word").await;
    let (runtime, agent) = (stage.runtime.clone(), id.clone());
    let restless = tokio::spawn(async move {
        let mut told: Vec<Told> = Vec::new();
        let mut visits = 0_u32;
        loop {
            let since = told.last().map_or(0, |last| last.seq);
            let mut feed = runtime.follow(&agent, &Channel::ALL, since);
            visits += 1;
            for _ in 0..3 {
                let next = within(feed.next()).await.unwrap();
                let ends = next.kind == "done";
                told.push(next);
                if ends {
                    return (told, visits);
                }
            }
        }
    });
    let patient = all(&stage, &id).await;
    let (restless, visits) = restless.await.unwrap();
    assert_eq!(restless, patient, "after {visits} visits");
    assert!(patient.is_sorted_by(|one, next| one.seq < next.seq));
    let chunks = patient.iter().filter(|told| told.kind == "text_chunk").count();
    let word = |told: &Told, name: &str| {
        let face: serde_json::Value = serde_json::from_str(&told.json).unwrap();
        face.pointer(&format!("/event/{name}")).unwrap().as_str().unwrap().to_owned()
    };
    let pieces: String =
        patient.iter().filter(|told| told.kind == "text_chunk").map(|told| word(told, "delta")).collect();
    let whole = patient.iter().find(|told| told.kind == "text_chunk_end").map(|told| word(told, "text"));
    assert_eq!(Some(pieces), whole, "the pieces are all of it");
    assert!(chunks >= 5, "it was streamed: {chunks} pieces");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn channels_are_told_apart() {
    let stage = Stage::new();
    let id = stage.agent("a").await;
    stage.complete(&id, "m1", "sim:text words").await;
    let mut feed = stage.runtime.follow(&id, &[Channel::Progress], 0);
    let mut kinds = Vec::new();
    while let Some(told) = feed.try_next().await.unwrap() {
        kinds.push(told.kind);
    }
    assert_eq!(kinds, ["text_chunk_start", "text_chunk_end", "done"]);
}

//! What payloads in the trace cost: processor time for each chat of 2 KB, over all threads, for every setting of
//! `trace.content`.
//!
//! `cargo run --release -p seawall-checkpoint --example content [CHATS]`

#![expect(clippy::print_stdout, reason = "it is what it is for")]

use std::error::Error;
use std::sync::Arc;
use std::time::Instant;

use seawall_checkpoint::PayloadRedactor;
use seawall_trace::content::{Content, Payload};
use seawall_trace::{Durability, Handle, NoHeads, OnUnavailable, Options, Writer};
use seawall_types::{ActionId, Actor, Clock, Event, EventKind, ManualClock, RunId, Timestamp};
use serde_json::json;

/// How long a tick of the kernel's accounts of processes is: that of every Linux that people run.
const MICROSECONDS_PER_TICK: u64 = 10_000;
/// How many chats wait for the writer at most.
const BATCH: u64 = 1_000;

fn main() -> Result<(), Box<dyn Error>> {
    let chats: u64 = std::env::args().nth(1).as_deref().unwrap_or("200000").parse()?;
    let contents = [
        ("none", Content::None),
        ("redacted", Content::Redacted(Arc::new(PayloadRedactor::new()))),
        ("full", Content::Full),
    ];
    for (name, content) in contents {
        let folder = tempfile::tempdir()?;
        let options = Options {
            durability: Durability::Buffered,
            on_unavailable: OnUnavailable::Refuse,
            content,
            ..Options::new(folder.path().to_owned())
        };
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(Timestamp::from_micros(1_767_323_045_000_000)));
        let (writer, handle) = Writer::start(options, Arc::new(NoHeads), Arc::clone(&clock))?;
        let (begun, used) = (Instant::now(), processor_time()?);
        produce(&handle, &*clock, chats);
        let dropped = writer.stop().dropped;
        let (took, used) = (begun.elapsed(), processor_time()? - used);
        let nanoseconds = used * 1_000 / chats.max(1);
        println!("{name:<9} {nanoseconds:>7} ns of processor a chat, {took:.1?} in all, {dropped} dropped");
    }
    Ok(())
}

/// Admits and settles chats of 2 KB with answers of 300 bytes.
fn produce(handle: &Handle, clock: &dyn Clock, chats: u64) {
    let run = RunId::from_parts(1_767_323_045_000, &[1; 10]);
    let action = ActionId::from_parts(1_767_323_045_000, &[2; 10]);
    let actor = Arc::new(Actor::default());
    let words =
        "Please compare the two reports and say in which of them the figures of the last quarter differ. ";
    let prompt = json!([{ "role": "user", "content": words.repeat(20) }]).to_string();
    let answer = words.repeat(3);
    let data =
        json!({ "kind": "model_call", "name": "gpt-4o", "verdict": "allow", "reserved_usd": "0.010000" });
    for chat in 0..chats {
        let event = |kind| Event::new(clock.now(), run, kind, &data).about(action, Arc::clone(&actor));
        let bytes = |text: &str| u64::try_from(text.len()).unwrap_or(u64::MAX);
        let asked = |keeps: bool| keeps.then(|| Payload::json("prompt", prompt.clone(), bytes(&prompt)));
        let said = |keeps: bool| {
            keeps.then(|| Payload::text("answer", answer.clone(), bytes(&answer)).as_element("text"))
        };
        let keeps = handle.keeps_payloads();
        handle.record_with(event(EventKind::ActionAdmitted), asked(keeps).into_iter().collect());
        handle.record_with(event(EventKind::ActionSettled), said(keeps).into_iter().collect());
        if chat % BATCH == BATCH - 1 && handle.flush().is_err() {
            return;
        }
    }
}

/// What this process has used of processors, in microseconds (proc(5), `/proc/pid/stat`: utime and stime).
fn processor_time() -> Result<u64, Box<dyn Error>> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let behind_name = stat.rsplit_once(')').map(|(_, rest)| rest).unwrap_or_default();
    let ticks: Result<Vec<u64>, _> =
        behind_name.split_whitespace().skip(11).take(2).map(str::parse).collect();
    Ok(ticks?.iter().sum::<u64>() * MICROSECONDS_PER_TICK)
}

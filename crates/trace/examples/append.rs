//! Measures the trace on this machine: events a second appended, bytes a second verified.
//!
//! `cargo run --release -p seawall-trace --example append [EVENTS [THREADS]]`, with room for about 600 bytes an event in
//! the folder for temporary files.

#![expect(clippy::print_stdout, reason = "printing what it measured is what it is for")]

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use seawall_trace::verify::verify_run;
use seawall_trace::{Durability, Handle, Heads, MemoryHeads, OnUnavailable, Options, Writer};
use seawall_types::{ActionId, Actor, Clock, Event, EventKind, RunId, Timestamp, Usd};
use serde_json::json;

/// A clock whose day begins when the program does.
#[derive(Debug)]
struct Stopwatch(Instant);

impl Clock for Stopwatch {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(1_767_323_045_000_000).saturating_add(self.monotonic())
    }

    fn monotonic(&self) -> Duration {
        self.0.elapsed()
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let events: u64 = arguments.next().as_deref().unwrap_or("1000000").parse()?;
    let threads: u64 = arguments.next().as_deref().unwrap_or("1").parse()?;
    let folder = tempfile::tempdir()?;
    let heads = Arc::new(MemoryHeads::default());
    let clock: Arc<dyn Clock> = Arc::new(Stopwatch(Instant::now()));
    let options = Options {
        durability: Durability::Group { every: Duration::from_millis(20) },
        on_unavailable: OnUnavailable::Refuse,
        ..Options::new(folder.path().to_owned())
    };
    let (writer, handle) = Writer::start(options, Arc::clone(&heads) as Arc<dyn Heads>, Arc::clone(&clock))?;
    let run = RunId::from_parts(1_767_323_045_000, &[1; 10]);

    let begun = Instant::now();
    handle.start_run(run, "benchmark", &());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| produce(&handle, &*clock, run, events / threads));
        }
    });
    handle.finish_run(run, &());
    let stats = writer.stop();
    let took = begun.elapsed().as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "for people")]
    let (written, megabytes) = (stats.events as f64, stats.bytes as f64 / 1e6);
    println!(
        "append  {:>9.0} events/s  {:>6.0} MB/s  {} events, {} dropped, {threads} threads",
        written / took,
        megabytes / took,
        stats.events,
        stats.dropped,
    );

    let row = heads.runs()?.pop().ok_or("the run was not listed")?;
    let begun = Instant::now();
    let report = verify_run(folder.path(), &row, heads.head(run)?.as_ref());
    let took = begun.elapsed().as_secs_f64();
    println!("verify  {:>9.0} events/s  {:>6.0} MB/s  ok: {}", written / took, megabytes / took, report.ok);
    Ok(())
}

/// Records pairs of admitted and settled actions, as a gateway does, as fast as the trace takes them.
fn produce(handle: &Handle, clock: &dyn Clock, run: RunId, events: u64) {
    let actor = Arc::new(Actor { key: Some("ci".into()), tenant: Some("acme".into()), agent: None });
    let admitted = json!({
        "kind": "model_call", "name": "gpt-4o", "verdict": "allow", "wire": "openai_chat", "stream": true,
        "reserved_usd": "0.012500", "reserved_tokens": 1_500,
    });
    let settled = json!({
        "kind": "model_call", "name": "gpt-4o", "verdict": "allow", "cost_usd": "0.001350", "status": 200,
        "usage": { "input_tokens": 500, "output_tokens": 200, "estimated": false }, "duration_us": 12_345,
        "findings": [], "attempts": [{ "upstream": "openai", "model": "gpt-4o", "status": 200, "cost_usd": "0.001350" }],
    });
    for number in 0..events / 2 {
        while handle.check().is_err() {
            std::thread::yield_now();
        }
        let action = ActionId::from_parts(number, &[7; 10]);
        for (kind, data) in [(EventKind::ActionAdmitted, &admitted), (EventKind::ActionSettled, &settled)] {
            let event = Event::new(clock.now(), run, kind, data).about(action, Arc::clone(&actor));
            handle.record(event.charging(Usd::from_picos(1_350_000_000)));
        }
    }
}

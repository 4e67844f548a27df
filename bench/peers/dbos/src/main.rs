//! Durable steps of DBOS: workflows of ten steps that do nothing and return 1 KiB each, begun and awaited in one process, as
//! DBOS is meant to be used. One line of JSON for each number of workflows at once. It starts no database and checks none:
//! `bench/peers/steps.sh` does.
//!
//! Usage: `seawall-bench-dbos URL VERSION SECONDS CONCURRENCY…`

use std::error::Error;
use std::time::{Duration, Instant};

use dbos::{Config, DBOS, WorkflowRef};
use serde_json::json;
use tokio::task::JoinSet;

const STEPS: usize = 10;
const BYTES: usize = 1024;
const WARM_UP: Duration = Duration::from_secs(1);
/// DBOS takes 10 where nobody says otherwise; with 64 workflows at once that is too few to show what it can do.
const CONNECTIONS: u32 = 20;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;
type Steps = WorkflowRef<u32, usize>;

#[tokio::main]
async fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, version, seconds, concurrencies @ ..] = arguments.as_slice() else {
        return Err("usage: seawall-bench-dbos URL VERSION SECONDS CONCURRENCY…".into());
    };
    let span = Duration::from_secs_f64(seconds.parse()?);
    let config = Config {
        app_version: Some("bench".to_owned()),
        max_connections: CONNECTIONS,
        ..Config::new("seawall-bench", url.as_str())
    };
    let engine = DBOS::new(config);
    let steps = engine.register_workflow("steps", ten_steps)?;
    engine.launch().await?;
    for concurrency in concurrencies {
        let concurrency = concurrency.parse()?;
        many(&steps, concurrency, WARM_UP).await?;
        let began = Instant::now();
        let took = many(&steps, concurrency, span).await?;
        println!("{}", line(version, concurrency, began.elapsed().as_secs_f64(), took));
    }
    engine.shutdown().await;
    Ok(())
}

async fn ten_steps(_: u32) -> dbos::Result<usize> {
    let mut bytes = 0;
    for _ in 0..STEPS {
        let text = dbos::step("step", || async { dbos::Result::Ok("x".repeat(BYTES)) }).await?;
        bytes += text.len();
    }
    Ok(bytes)
}

/// Keeps this many workflows going for a while, each begun when one before it has ended. Gives what each of them took.
async fn many(steps: &Steps, concurrency: usize, span: Duration) -> Outcome<Vec<Duration>> {
    let end = Instant::now() + span;
    let mut clients = JoinSet::new();
    for _ in 0..concurrency {
        clients.spawn(one_after_another(steps.clone(), end));
    }
    let mut took = Vec::new();
    while let Some(client) = clients.join_next().await {
        took.extend(client??);
    }
    Ok(took)
}

async fn one_after_another(steps: Steps, end: Instant) -> Outcome<Vec<Duration>> {
    let mut took = Vec::new();
    while Instant::now() < end {
        let began = Instant::now();
        let bytes = steps.run(0).await?;
        if bytes != STEPS * BYTES {
            return Err(format!("a workflow gave {bytes} bytes").into());
        }
        took.push(began.elapsed());
    }
    Ok(took)
}

fn line(version: &str, concurrency: usize, seconds: f64, mut took: Vec<Duration>) -> serde_json::Value {
    took.sort_unstable();
    let steps = (took.len() * STEPS) as f64;
    json!({
        "peer": "dbos",
        "version": version,
        "concurrency": concurrency,
        "workflows": took.len(),
        "seconds": rounded(seconds),
        "steps_a_second": rounded(steps / seconds),
        "workflow_ms": {"p50": quantile(&took, 0.5), "p99": quantile(&took, 0.99)},
    })
}

/// The smallest time that this share of the workflows did not exceed, in milliseconds.
fn quantile(sorted: &[Duration], share: f64) -> Option<f64> {
    let rank = (sorted.len() as f64 * share).ceil() as usize;
    let time = sorted.get(rank.saturating_sub(1))?;
    Some(rounded(time.as_secs_f64() * 1000.0))
}

fn rounded(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

//! The load generator. Prints one JSON document: what it has seen.

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand};
use seawall_bench::load::{self, Plan, Report, Streams};
use seawall_bench::process::Tree;

/// Sends one request again and again and measures the answers
#[derive(Debug, Parser)]
struct Arguments {
    /// Address and port of the server
    #[arg(long)]
    target: SocketAddr,
    /// The path of the request
    #[arg(long, default_value = "/v1/chat/completions")]
    path: String,
    /// A header of the request: `name: value`
    #[arg(long)]
    header: Vec<String>,
    /// A file with its body
    #[arg(long)]
    body: PathBuf,
    /// Processes whose processor time and memory is told, children included
    #[arg(long, value_delimiter = ',')]
    watch: Vec<u32>,
    /// Seconds of load before anything counts
    #[arg(long, default_value_t = 1.0)]
    warm_up: f64,
    /// Seconds of load that count
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// Seconds that answers are waited for after that; for streams: for everything
    #[arg(long, default_value_t = 20.0)]
    patience: f64,
    #[command(subcommand)]
    shape: Shape,
}

#[derive(Debug, Clone, Copy, Subcommand)]
enum Shape {
    /// Each connection asks again as soon as it was answered
    Closed {
        #[arg(long, default_value_t = 32)]
        connections: usize,
    },
    /// Requests at fixed times
    Open {
        /// Requests a second
        #[arg(long, default_value_t = 200)]
        rate: u32,
    },
    /// Answers that come event by event
    Streams {
        /// Streams at the same time
        #[arg(long, default_value_t = 64)]
        at_once: usize,
        /// Microseconds between the beginnings of two of them
        #[arg(long, default_value_t = 5_000)]
        apart_us: u64,
        /// Events that each must bring
        #[arg(long, default_value_t = 500)]
        events: u64,
    },
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let body = std::fs::read(&arguments.body)?;
    let plan = Plan {
        target: arguments.target,
        request: Plan::post(arguments.target, &arguments.path, &arguments.header, &body),
        watched: Tree::new(arguments.watch),
        warm_up: Duration::try_from_secs_f64(arguments.warm_up)?,
        counted: Duration::try_from_secs_f64(arguments.seconds)?,
        patience: Duration::try_from_secs_f64(arguments.patience)?,
    };
    let report = run(&plan, arguments.shape)?;
    writeln!(std::io::stdout(), "{}", serde_json::to_string_pretty(&report)?)?;
    Ok(())
}

fn run(plan: &Plan, shape: Shape) -> anyhow::Result<Report> {
    match shape {
        Shape::Closed { connections } => load::closed(plan, connections),
        Shape::Open { rate } => load::open(plan, rate),
        Shape::Streams { at_once, apart_us, events } => {
            let apart = Duration::from_micros(apart_us.max(1));
            load::streams(plan, Streams { at_once, apart, events })
        }
    }
}

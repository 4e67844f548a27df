//! What the phases of a request cost that read its body: checking it, finding what it costs and which tools were used,
//! finding its texts.
//!
//! `cargo run --release -p seawall-llm --example request -- BODY…` prints microseconds for each file with the body of a chat
//! completion. Nobody looks at the texts: what detectors cost is theirs to measure.

#![expect(clippy::print_stdout, reason = "it prints a table")]

use std::error::Error;
use std::hint::black_box;
use std::time::Instant;

use bytes::Bytes;
use seawall_llm::json::Document;
use seawall_llm::screen::prompt::screen_prompt;
use seawall_llm::{Wire, read_request};

const ROUNDS: usize = 1_000;
const DEPTH: usize = 128;

fn main() -> Result<(), Box<dyn Error>> {
    println!("{:>9} {:>8} {:>8} {:>8}", "bytes", "check/µs", "read/µs", "texts/µs");
    for path in std::env::args().skip(1) {
        let body = Bytes::from(std::fs::read(path)?);
        let document = Document::parse(body.clone(), DEPTH)?;
        let checked = median(|| drop(black_box(Document::parse(body.clone(), DEPTH))));
        let read = median(|| drop(black_box(read_request(Wire::OpenAiChat, None, &document))));
        let found = median(|| {
            let changed = screen_prompt(Wire::OpenAiChat, &document, |text| {
                black_box(text);
                None
            });
            drop(black_box(changed));
        });
        println!("{:>9} {checked:>8.1} {read:>8.1} {found:>8.1}", body.len());
    }
    Ok(())
}

/// Microseconds of the median round.
fn median(mut once: impl FnMut()) -> f64 {
    let mut rounds: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let begun = Instant::now();
            once();
            begun.elapsed().as_secs_f64() * 1e6
        })
        .collect();
    rounds.sort_unstable_by(f64::total_cmp);
    rounds.get(ROUNDS / 2).copied().unwrap_or_default()
}

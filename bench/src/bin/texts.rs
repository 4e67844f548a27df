//! Measures the text detectors and the redactor on a file, on one thread: bytes a second, what was found, what was held.
//!
//! Prints a JSON object a round. The file is read before, and nothing of it is copied while the clock runs but what the
//! redactor copies itself.

#![expect(clippy::print_stdout, reason = "the figures go to the script that started it")]

use std::path::PathBuf;
use std::time::Instant;

use clap::{Parser, ValueEnum};
use seawall_detect::{Kind, PiiKinds, Redactor, Selection, TextDetector, redact_json};
use serde_json::json;

/// What is done with the text.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Work {
    /// Every match is told.
    Scan,
    /// It goes through a redactor in pieces.
    Redact,
    /// Each of its lines is a document whose strings are redacted.
    Json,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Wanted {
    Secrets,
    SecretsPii,
    All,
}

/// Measures the text detectors and the redactor.
#[derive(Debug, Parser)]
struct Arguments {
    /// The text.
    file: PathBuf,
    #[arg(long, value_enum)]
    work: Work,
    #[arg(long, value_enum, default_value = "all")]
    select: Wanted,
    /// How long the pieces are, in bytes; up to three more where a character ends later.
    #[arg(long, default_value_t = 64)]
    piece: usize,
    #[arg(long, default_value_t = 1)]
    rounds: u32,
}

/// What one round came to.
#[derive(Debug, Default)]
struct Round {
    matches: usize,
    held_most: usize,
}

fn scan(detector: &TextDetector, text: &str) -> Round {
    let mut round = Round::default();
    detector.scan(text, |found| round.matches += usize::from(found.kind != Kind::Injection));
    round
}

fn redact(detector: &TextDetector, pieces: &[&str]) -> Round {
    let (mut round, mut out) = (Round::default(), String::with_capacity(1 << 16));
    let mut redactor: Redactor = detector.redactor();
    for piece in pieces {
        redactor.push_telling(detector, piece, &mut out, |_| round.matches += 1);
        round.held_most = round.held_most.max(redactor.held());
        if out.len() > 1 << 15 {
            out.clear();
        }
    }
    redactor.finish_telling(detector, &mut out, |_| round.matches += 1);
    round
}

fn documents(detector: &TextDetector, text: &str) -> Round {
    let redacted = text.lines().filter_map(|document| redact_json(detector, document));
    Round { matches: redacted.map(|document| document.matches("[REDACTED:").count()).sum(), held_most: 0 }
}

fn pieces(text: &str, length: usize) -> Vec<&str> {
    let mut pieces = Vec::with_capacity(text.len() / length.max(1) + 1);
    let mut rest = text;
    while !rest.is_empty() {
        let (piece, behind) = rest.split_at(rest.ceil_char_boundary(length.clamp(1, rest.len())));
        pieces.push(piece);
        rest = behind;
    }
    pieces
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let text = std::fs::read_to_string(&arguments.file)?;
    let secrets = Selection { secrets: true, ..Selection::default() };
    let detector = TextDetector::new(match arguments.select {
        Wanted::Secrets => secrets,
        Wanted::SecretsPii => Selection { pii: PiiKinds::all(), ..secrets },
        Wanted::All => Selection::all(),
    });
    let cut =
        if matches!(arguments.work, Work::Redact) { pieces(&text, arguments.piece) } else { Vec::new() };
    for _ in 0..arguments.rounds {
        let begun = Instant::now();
        let round = match arguments.work {
            Work::Scan => scan(&detector, &text),
            Work::Redact => redact(&detector, &cut),
            Work::Json => documents(&detector, &text),
        };
        let seconds = begun.elapsed().as_secs_f64();
        println!(
            "{}",
            json!({ "bytes": text.len(), "seconds": seconds, "matches": round.matches, "held_most": round.held_most })
        );
    }
    Ok(())
}

//! Measures the text detectors on this machine: bytes a second scanned, clean and dirty, and redacted in small deltas.
//!
//! `cargo run --release -p seawall-detect --example scan [MEGABYTES [ROUNDS [TEXT [SELECTION]]]]`. The best of the rounds counts: what is
//! slower was disturbed. `mixed` has a dozen matches in 3 KB, `dirty` one in every 33 bytes.

#![expect(clippy::print_stdout, reason = "printing what it measured is what it is for")]

use std::error::Error;
use std::hint::black_box;
use std::time::Instant;

use seawall_detect::{PiiKinds, Selection, TextDetector};

const PROSE: &str = "The committee met in the morning and agreed on three points: the budget, the timetable, and the staff. \
Nobody asked about the password policy, and the token of appreciation was a book (a good one, as it turned out). Sales \
rose by 12.5% in 2024, which is more than anyone had hoped for; the well-known reasons need not be repeated here. ";
const CODE: &str = "    let mut found = Vec::with_capacity(self.items.len());\n    for (index, item) in self.items.iter().enumerate() \
{\n        if item.state == State::Ready && item.retries_left > 0 {\n            found.push(index + OFFSET);\n        }\n    }\n\
    tracing::info!(count = found.len(), name = %self.name, \"looked at all of them\");\n    Ok(found)\n}\n\n";
const LOG: &str = "2026-11-21T10:24:03.123456Z INFO request=018bcfe5-6800-7000-8000-000000000000 took=1234us bytes=56789 \
sha256=9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08 status=200 ratio=0.4111\n";
const DIRTY: &str = "Write to bob@example.com or call +1 415 555 2671; the card is 4111 1111 1111 1111, the account \
DE89 3704 0044 0532 0130 00.\nexport API_KEY=f3a9c17e0b5d48261122334455667788 DB=postgres://app:s3cr3tpw@db/x\n\
password: \"hunter2hunter\", from 93.184.216.34, 110105194912310021, 2606:4700:4700::1111, SSN 123-45-6789.\n";

/// The bytes a second of the fastest round, in MB.
fn fastest(rounds: u32, bytes: usize, mut work: impl FnMut()) -> f64 {
    let seconds = (0..rounds).map(|_| {
        let begun = Instant::now();
        work();
        begun.elapsed().as_secs_f64()
    });
    #[expect(clippy::cast_precision_loss, reason = "for people")]
    let megabytes = bytes as f64 / 1e6;
    megabytes / seconds.fold(f64::INFINITY, f64::min)
}

fn repeated(text: &str, bytes: usize) -> String {
    text.repeat(bytes.div_ceil(text.len()))
}

fn pieces(text: &str, length: usize) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (piece, behind) = rest.split_at(rest.ceil_char_boundary(length.min(rest.len())));
        pieces.push(piece);
        rest = behind;
    }
    pieces
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let bytes: usize = arguments.next().as_deref().unwrap_or("32").parse::<usize>()? * 1_000_000;
    let rounds: u32 = arguments.next().as_deref().unwrap_or("5").parse()?;
    let only = arguments.next();
    let only_selection = arguments.next();
    let selections = [
        ("secrets", Selection { secrets: true, ..Selection::default() }),
        ("secrets+pii", Selection { secrets: true, pii: PiiKinds::all(), injection: false }),
        ("all", Selection::all()),
    ];
    let mixed = PROSE.repeat(8) + DIRTY;
    let texts = [("prose", PROSE), ("code", CODE), ("log", LOG), ("mixed", mixed.as_str()), ("dirty", DIRTY)]
        .map(|(name, text)| (name, repeated(text, bytes)));
    let wanted = |selected: &str| only_selection.as_deref().is_none_or(|only| only == selected);
    for (selected, selection) in selections.into_iter().filter(|(selected, _)| wanted(selected)) {
        let detector = TextDetector::new(selection);
        for (name, text) in texts.iter().filter(|(name, _)| only.as_deref().is_none_or(|only| only == *name))
        {
            let scanned = fastest(rounds, text.len(), || {
                detector.scan(black_box(text), |one| {
                    black_box(one);
                })
            });
            let mut redacted = [0.0; 2];
            for (length, figure) in [64, 8].into_iter().zip(&mut redacted) {
                let pieces = pieces(text, length);
                let mut out = String::with_capacity(4096);
                *figure = fastest(rounds, text.len(), || {
                    let mut redactor = detector.redactor();
                    for piece in &pieces {
                        redactor.push(&detector, piece, &mut out);
                        out.clear();
                    }
                    redactor.finish(&detector, &mut out);
                });
            }
            let [wide, narrow] = redacted;
            println!(
                "{selected:<12} {name:<6} scan {scanned:>6.0} MB/s  redact 64-byte deltas {wide:>5.0} MB/s  8-byte {narrow:>5.0} MB/s"
            );
        }
    }
    Ok(())
}

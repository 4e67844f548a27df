//! What a screen costs for an event in which nothing changes.
//!
//! `cargo run --release -p seawall-llm --example screen` prints nanoseconds per event for each wire format: what reading
//! it for the meter costs, and what screening it costs more. The judge copies each text and keeps nothing back: what
//! detectors cost is theirs to measure.

#![expect(clippy::print_stdout, reason = "it prints a table")]

use std::time::Instant;

use bytes::Bytes;
use seawall_llm::screen::{Call, CallVerdict, Field, Judge, Screen, Stopped};
use seawall_llm::sse::RawEvent;
use seawall_llm::{StreamReader, Wire};

const ROUNDS: u32 = 1_000_000;

const EVENTS: [(Wire, &str); 4] = [
    (
        Wire::OpenAiChat,
        "data: {\"id\":\"chatcmpl-CZ9yBlAH2Yb4Kfjv1bTlaSnQ4nEaM\",\"object\":\"chat.completion.chunk\",\"created\":1763000000,\"model\":\"gpt-4o-2024-08-06\",\"service_tier\":\"default\",\"system_fingerprint\":\"fp_1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\" tokens\"},\"logprobs\":null,\"finish_reason\":null}],\"usage\":null}\n\n",
    ),
    (
        Wire::OpenAiResponses,
        "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"sequence_number\":2,\"item_id\":\"msg_68d3f0\",\"output_index\":0,\"content_index\":0,\"delta\":\" tokens\",\"logprobs\":[],\"obfuscation\":\"aX3\"}\n\n",
    ),
    (
        Wire::AnthropicMessages,
        "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\" tokens\"}}\n\n",
    ),
    (
        Wire::GeminiStream,
        "data: {\"candidates\":[{\"content\":{\"role\":\"model\",\"parts\":[{\"text\":\" tokens\"}]},\"index\":0}],\"usageMetadata\":{\"promptTokenCount\":1000,\"totalTokenCount\":1040},\"modelVersion\":\"gemini-2.5-pro\",\"responseId\":\"r1\"}\n\n",
    ),
];

/// Lets everything pass.
#[derive(Debug)]
struct Blind;

impl Judge for Blind {
    type Filter = ();

    fn begin(&mut self, _field: Field) {}

    fn push(&mut self, (): &mut (), piece: &str, out: &mut String) {
        out.push_str(piece);
    }

    fn finish(&mut self, (): &mut (), _out: &mut String) {}

    fn is_holding(&self, (): &()) -> bool {
        false
    }

    fn call(&mut self, _call: &Call<'_>) -> CallVerdict {
        CallVerdict::Pass
    }

    fn too_large(&mut self, name: &str, _limit: usize) -> String {
        name.to_owned()
    }

    fn must_stop(&self) -> bool {
        false
    }
}

fn main() -> Result<(), Stopped> {
    println!("{:<20} {:>8} {:>16}", "format", "read/ns", "screened/ns more");
    for (wire, event) in EVENTS {
        let event = RawEvent::new(Bytes::from_static(event.as_bytes()));
        let mut reader = StreamReader::new(wire, false);
        let read = timed(|| {
            std::hint::black_box(reader.event(&event));
            Ok(())
        })?;
        let (mut screen, mut out) = (Screen::new(wire, Blind), Vec::new());
        let screened = timed(|| {
            out.clear();
            screen.event(&event, &mut out)
        })?;
        println!("{:<20} {read:>8} {screened:>16}", wire.name());
    }
    Ok(())
}

/// Nanoseconds for each of many rounds.
fn timed(mut once: impl FnMut() -> Result<(), Stopped>) -> Result<u128, Stopped> {
    let start = Instant::now();
    for _ in 0..ROUNDS {
        once()?;
    }
    Ok(start.elapsed().as_nanos() / u128::from(ROUNDS))
}

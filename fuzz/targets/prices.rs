//! Price tables: any text is a table or an error, and no call costs more than was reserved for it.
#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use seawall_fuzz::Input;
use seawall_llm::{Prices, Provider};
use seawall_types::{Usage, Usd};

const PROVIDERS: [Provider; 4] = [Provider::OpenAi, Provider::Anthropic, Provider::Gemini, Provider::Other];

fuzz_target!(|data: &[u8]| {
    let mut input = Input::new(data);
    let provider = input.pick(&PROVIDERS);
    let premium = input.flag();
    let counts: [u64; 5] = std::array::from_fn(|_| 1_u64 << (input.decision() % 24));
    let Ok(text) = std::str::from_utf8(input.rest()) else { return };
    let prices = match Prices::parse(text, "a file") {
        Ok(prices) => prices,
        Err(error) => return assert!(error.to_string().contains("a file"), "{error}"),
    };
    let [read, written, cached, cache_write, cache_write_1h] = counts;
    let input = read.saturating_add(cached).saturating_add(cache_write).saturating_add(cache_write_1h);
    let usage = Usage { input, output: written, cached, cache_write, cache_write_1h, ..Usage::default() };
    for model in ["sim-1", "m", "m-2024-08-06", "openai/m", "m-latest", "models/m", "a/b/c", ""] {
        let Some(plain) = prices.find(provider, model) else { continue };
        let price = plain.tier(premium).cloned().unwrap_or_else(|| Arc::new(plain.assumed_premium()));
        let most = price.upper(usage.input, usage.output);
        assert!(price.cost(&usage) <= most, "a call with {usage:?} costs more than its bound {most}");
        assert!(price.cost(&Usage::default()) == Usd::ZERO);
        let sound =
            Usage { sound_in: read.min(usage.input), sound_out: written, ..Usage { input: read, ..usage } };
        let plain = Usage { cached: 0, cache_write: 0, cache_write_1h: 0, ..sound };
        assert!(price.cost(&plain) <= price.with_sound().upper(plain.input, plain.output));
        if let Some(output) = price.output_for(most) {
            let bought = Usage { output, ..Usage::default() };
            assert!(price.cost(&bought) <= most, "the output that is paid for costs more");
        }
    }
    let count = prices.len();
    let mut twice = prices.clone();
    twice.overlay(prices);
    assert_eq!(twice.len(), count);
});

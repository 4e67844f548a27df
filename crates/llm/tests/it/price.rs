//! Prices are found or not found, never guessed; money is exact and errs towards more.

use std::sync::LazyLock;

use proptest::prelude::*;
use seawall_llm::{Prices, Provider};
use seawall_types::{Usage, Usd};

fn usd(text: &str) -> Usd {
    text.parse().unwrap()
}

fn table(models: &str) -> Prices {
    Prices::parse(&format!("{{\"models\":{{{models}}}}}"), "test").unwrap()
}

fn id(prices: &Prices, provider: Provider, model: &str) -> Option<String> {
    prices.find(provider, model).map(|price| price.id.to_string())
}

#[test]
fn the_built_in_table_is_whole_and_says_where_it_is_from() {
    let prices = Prices::embedded().unwrap();
    assert!(prices.len() > 1_000 && !prices.is_empty());
    assert!(prices.source().licence.contains("MIT") && prices.source().name.starts_with("litellm"));
    assert_eq!(prices.source().date.len(), "2026-01-31".len());
    let price = prices.find(Provider::OpenAi, "gpt-4o").unwrap();
    assert_eq!((price.input, price.output, price.cached), (usd("2.5e-6"), usd("1e-5"), usd("1.25e-6")));
    assert_eq!((price.max_input, price.max_output), (Some(128_000), Some(16_384)));
    assert_eq!(price.tier(true).unwrap().input, usd("4.25e-6"));
    let claude = prices.find(Provider::Anthropic, "claude-opus-4-8").unwrap();
    assert_eq!((claude.cache_write, claude.cache_write_1h), (usd("6.25e-6"), usd("1e-5")));
    let gemini = prices.find(Provider::Gemini, "models/gemini-2.5-pro").unwrap();
    assert_eq!(gemini.long_context.map(|tier| (tier.above, tier.output)), Some((200_000, usd("1.5e-5"))));
}

#[test]
fn names_are_found_with_prefix_date_and_version() {
    let prices = table(
        r#""gpt-4o":{"in":1,"out":1},"gpt-4o-2024-05-13":{"in":5,"out":5},"openai/o9":{"in":1,"out":1},
        "claude-x-4":{"in":1,"out":1},"gemini-2.5-pro":{"in":1,"out":1},"groq/llama":{"in":1,"out":1},
        "ft:gpt-4o":{"in":3,"out":3}"#,
    );
    for (provider, model, found) in [
        (Provider::OpenAi, "gpt-4o", Some("gpt-4o")),
        (Provider::OpenAi, "gpt-4o-2024-05-13", Some("gpt-4o-2024-05-13")),
        (Provider::OpenAi, "gpt-4o-2024-08-06", Some("gpt-4o")),
        (Provider::OpenAi, "openai/gpt-4o-latest", Some("gpt-4o")),
        (Provider::OpenAi, "o9-2026-01-01", Some("openai/o9")),
        (Provider::OpenAi, "ft:gpt-4o-2024-08-06:acme::x1", Some("ft:gpt-4o")),
        (Provider::Anthropic, "claude-x-4-20250514", Some("claude-x-4")),
        (Provider::Anthropic, "claude-x-4@20250514", Some("claude-x-4")),
        (Provider::Gemini, "models/gemini-2.5-pro-preview-05-06", Some("gemini-2.5-pro")),
        (Provider::Gemini, "gemini-2.5-pro-001", Some("gemini-2.5-pro")),
        (Provider::Other, "groq/llama", Some("groq/llama")),
        (Provider::OpenAi, "gpt-4o-mini", None),
        (Provider::OpenAi, "gpt-4o-mini-2024-07-18", None),
        (Provider::OpenAi, "gpt-4", None),
        (Provider::OpenAi, "gpt-4o2024-08-06", None),
        (Provider::OpenAi, "GPT-4o", None),
        (Provider::Anthropic, "claude-x-4-5", None),
        (Provider::Other, "llama", None),
        (Provider::OpenAi, "", None),
        (Provider::OpenAi, "-latest", None),
        (Provider::OpenAi, "@", None),
        (Provider::OpenAi, "ft:", None),
        (Provider::OpenAi, "é-2024-08-06", None),
    ] {
        assert_eq!(id(&prices, provider, model).as_deref(), found, "{model}");
    }
}

#[test]
fn simulated_models_have_their_price_everywhere() {
    let prices = table("");
    for provider in [Provider::OpenAi, Provider::Anthropic, Provider::Gemini, Provider::Other] {
        let price = prices.find(provider, "sim-anything").unwrap();
        let usage = Usage { input: 1_000_000, output: 1_000_000, cached: 500_000, ..Usage::default() };
        assert_eq!(price.cost(&usage), usd("3"));
        assert_eq!((price.max_input, price.max_output), (Some(1_000_000), Some(8_192)));
    }
}

#[test]
fn each_kind_of_token_has_its_own_price() {
    let prices = table(
        r#""m":{"in":"1","out":10,"cached":0.1,"write":1.25,"write_1h":2,"long":{"above":200,"in":2,"out":15,"cached":0.2}}"#,
    );
    let price = prices.find(Provider::Other, "m").unwrap();
    let usage = |input| Usage {
        input,
        output: 10,
        cached: 100,
        cache_write: 20,
        cache_write_1h: 10,
        ..Usage::default()
    };
    // 70 fresh, 100 cached, 20 and 10 written to caches; at exactly the threshold still the lower price.
    assert_eq!(price.cost(&usage(200)), usd("0.000225"));
    // 71 at 2, 100 at 0.2, 20 at max(1.25, 2), 10 at 2, 10 at 15.
    assert_eq!(price.cost(&usage(201)), usd("0.000372"));
    assert_eq!(price.upper(200, 10), usd("0.0005"));
    assert_eq!(price.upper(201, 10), usd("0.000552"));
    assert_eq!(price.output_for(usd("0.0015")), Some(100));
    assert_eq!(
        table(r#""e":{"in":1,"out":0}"#).find(Provider::Other, "e").unwrap().output_for(usd("1")),
        None
    );
}

#[test]
fn what_a_price_leaves_out_is_charged_in_full() {
    let prices = table(r#""m":{"in":4,"out":8,"long":{"above":10,"in":6},"premium":{"in":9,"out":18}}"#);
    let price = prices.find(Provider::Other, "m").unwrap();
    assert_eq!(
        (price.cached, price.cache_write, price.cache_write_1h),
        (price.input, price.input, price.input)
    );
    let long = price.long_context.unwrap();
    assert_eq!((long.cached, long.cache_write, long.output), (usd("6e-6"), usd("6e-6"), usd("8e-6")));
    let premium = price.tier(true).unwrap().long_context.unwrap();
    assert_eq!((premium.input, premium.output), (usd("9e-6"), usd("18e-6")));
}

#[test]
fn prices_are_read_exactly_and_rounded_up() {
    for (text, picos) in [
        ("2.5", 2_500_000),
        ("\"0.0375\"", 37_500),
        ("2.5e-2", 25_000),
        ("1E2", 100_000_000),
        ("0.000001", 1),
        ("0.0000001", 1),
        ("0.0000011", 2),
        ("1e-300", 1),
        ("0", 0),
        ("0.1", 100_000),
    ] {
        let prices = table(&format!("\"m\":{{\"in\":{text},\"out\":1}}"));
        assert_eq!(prices.find(Provider::Other, "m").unwrap().input, Usd::from_picos(picos), "{text}");
    }
}

#[test]
fn all_that_is_wrong_is_said_at_once() {
    let error = Prices::parse(
        r#"{"models":{"a":{"in":-1,"out":2},"b":{"in":1},"c":{"in":1,"out":2,"inn":3},"d":{"in":"x","out":1},
        "e":7,"f":{"in":1,"out":1},"f":{"in":1,"out":1},"g":{"in":1,"out":1,"long":{"in":2}}},"extra":1}"#,
        "prices.json",
    )
    .unwrap_err();
    let text = error.to_string();
    for part in [
        "prices.json can't be used",
        "a: in is negative",
        "b: out is missing (dollars for a million tokens)",
        "c: inn is no key; known are in, out",
        "d: in is not a price",
        "e: prices are not an object",
        "f: model is named twice",
        "g: long.above is missing (the tokens above which it holds)",
        "extra is not",
    ] {
        assert!(text.contains(part), "{part:?} in {text}");
    }
    assert_eq!(error.problems.len(), 8, "{text}");
    for text in ["", "[]", "{}", "{\"models\":{}} x"] {
        assert!(Prices::parse(text, "t").is_err(), "{text}");
    }
}

#[test]
fn an_overlay_replaces_what_it_names() {
    let mut prices = table(r#""a":{"in":1,"out":1},"b":{"in":1,"out":1}"#);
    prices.overlay(table(r#""b":{"in":2,"out":2},"c":{"in":3,"out":3}"#));
    let input = |model| prices.find(Provider::Other, model).map(|price| price.input.as_picos());
    assert_eq!([input("a"), input("b"), input("c")], [Some(1_000_000), Some(2_000_000), Some(3_000_000)]);
}

proptest! {
    #[test]
    fn the_upper_bound_is_never_below_the_cost(
        parts in prop::array::uniform4(0_u64..700_000),
        output in 0_u64..200_000,
        sound in 0_u64..2_000_000,
        slack in 0_u64..1_000_000,
    ) {
        static PRICES: LazyLock<Prices> = LazyLock::new(|| Prices::embedded().unwrap());
        let [fresh, cached, cache_write, cache_write_1h] = parts;
        let input = fresh + cached + cache_write + cache_write_1h;
        for (provider, model) in [
            (Provider::OpenAi, "gpt-4o"), (Provider::OpenAi, "gpt-5.4"), (Provider::Anthropic, "claude-opus-4-8"),
            (Provider::Gemini, "gemini-2.5-pro"), (Provider::Gemini, "gemini-2.5-flash"),
            (Provider::OpenAi, "gpt-audio"), (Provider::Other, "sim-x"),
        ] {
            let usage = Usage { input, output, cached, cache_write, cache_write_1h, ..Usage::default() };
            for premium in [false, true] {
                let Some(price) = PRICES.find(provider, model).unwrap().tier(premium) else { continue };
                prop_assert!(price.cost(&usage) <= price.upper(input + slack, output + slack));
                let spoken = Usage { sound_in: sound.min(input), sound_out: sound.min(output), ..usage };
                prop_assert!(price.cost(&spoken) <= price.with_sound().upper(input + slack, output + slack));
                if let Some(bought) = price.output_for(usd("0.25")) {
                    prop_assert!(price.upper(0, bought) <= usd("0.25"));
                }
            }
        }
    }
}

#[test]
fn the_embedded_table_says_whose_it_is_and_comes_with_its_licence() {
    let prices = Prices::embedded().unwrap();
    assert!(prices.source().name.starts_with("litellm ") && prices.source().licence.starts_with("MIT"));
    let notice = include_str!("../../data/LICENSE.litellm");
    for words in [
        "MIT License",
        "Copyright (c) 2023 Berri AI",
        "The above copyright notice and this permission notice",
    ] {
        assert!(notice.contains(words), "{words}");
    }
}

#[test]
fn a_faster_service_without_a_price_is_not_taken_for_the_plain_one() {
    let prices = table(r#""m":{"in":1,"out":5,"cached":0.1,"search":10,"long":{"above":9,"in":2}}"#);
    let price = prices.find(Provider::Other, "m").unwrap();
    assert_eq!(price.tier(false), Some(price));
    assert_eq!(price.tier(true), None);
    let assumed = price.assumed_premium();
    assert_eq!((assumed.input, assumed.output, assumed.cached), (usd("6e-6"), usd("3e-5"), usd("6e-7")));
    assert_eq!(assumed.long_context.map(|long| long.input), Some(usd("1.2e-5")));
    let embedded = Prices::embedded().unwrap();
    let opus = embedded.find(Provider::Anthropic, "claude-opus-4-6").unwrap();
    let fast = opus.tier(true).unwrap();
    assert_eq!((fast.input, fast.output), (usd("3e-5"), usd("1.5e-4")));
}

#[test]
fn sound_and_searches_have_prices_of_their_own() {
    let prices = table(
        r#""m":{"in":1,"out":2,"sound_in":16,"sound_out":32,"search":10,"premium":{"in":2,"out":4}},
        "ears":{"in":1,"out":2,"sound_in":3}"#,
    );
    let price = prices.find(Provider::Other, "m").unwrap();
    let usage =
        Usage { input: 100, output: 50, sound_in: 40, sound_out: 50, searches: 2, ..Usage::default() };
    // 60 at 1, 40 at 16, 50 at 32 millionths of a dollar, and two searches at a hundredth.
    assert_eq!(price.cost(&usage), usd("0.0223"));
    assert_eq!(price.with_sound().upper(100, 50), usd("0.0032"));
    assert_eq!(price.tier(true).unwrap().sound.map(|sound| sound.input), Some(usd("3.2e-5")));
    let ears = prices.find(Provider::Other, "ears").unwrap();
    assert_eq!(ears.sound.map(|sound| sound.output), Some(usd("2e-6")));
    let embedded = Prices::embedded().unwrap();
    let audio = embedded.find(Provider::OpenAi, "gpt-audio").unwrap();
    assert_eq!(audio.sound.map(|sound| sound.output), Some(usd("6.4e-5")));
    assert_eq!(embedded.find(Provider::Anthropic, "claude-opus-4-8").unwrap().search, Some(usd("0.01")));
}

#[test]
fn sound_from_a_cache_is_charged_once() {
    let prices = table(r#""m":{"in":1,"out":2,"cached":0.1,"sound_in":16}"#);
    let price = prices.find(Provider::Gemini, "m").unwrap();
    let usage = Usage { input: 100, sound_in: 60, cached: 50, ..Usage::default() };
    // 60 at 16; of the 40 others all may be from the cache, and no more.
    assert_eq!(price.cost(&usage), usd("0.000964"));
    let usage = Usage { cached: 30, ..usage };
    assert_eq!(price.cost(&usage), usd("0.000973"), "what need not be sound is not taken for it");
}

#[test]
fn a_fee_that_is_not_known_is_taken_for_the_dearest_that_is() {
    let prices =
        table(r#""m":{"in":0,"out":0,"premium":{"in":0,"out":0}},"free":{"in":0,"out":0,"search":0}"#);
    let unknown = prices.find(Provider::Other, "m").unwrap();
    assert_eq!((unknown.search, unknown.tier(true).unwrap().search), (None, None));
    let usage = Usage { searches: 2, tool_runs: 3, ..Usage::default() };
    assert_eq!(unknown.cost(&usage), usd("0.175"));
    assert_eq!(prices.find(Provider::Other, "free").unwrap().cost(&usage), usd("0.105"));
    let table = include_str!("../../data/prices.json");
    let table: serde_json::Value = serde_json::from_str(table).unwrap();
    let fees = table["models"].as_object().unwrap().values().filter_map(|model| model["search"].as_f64());
    assert_eq!(fees.reduce(f64::max), Some(35.0), "for a thousand: the dearest of the table");
}

#[test]
fn a_model_may_reason_unless_the_table_says_that_it_does_not() {
    let prices = table(r#""m":{"in":1,"out":2},"plain":{"in":1,"out":2,"reasons":false}"#);
    let may_reason = |prices: &Prices, model| prices.find(Provider::OpenAi, model).unwrap().may_reason;
    assert!(may_reason(&prices, "m") && !may_reason(&prices, "plain") && !may_reason(&prices, "sim-x"));
    let embedded = Prices::embedded().unwrap();
    for model in ["gpt-5", "o3-pro", "gpt-5-search-api", "o4-mini-deep-research"] {
        assert!(may_reason(&embedded, model), "{model}");
    }
    assert!(!may_reason(&embedded, "gpt-4o") && !may_reason(&embedded, "gpt-4.1-mini"));
}

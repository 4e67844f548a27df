//! Token counts as providers report them, brought into one form.
//!
//! Where a provider's numbers do not add up, the larger reading is taken: usage is what is charged.

use seawall_types::Usage;

use crate::json::{Object, Value};

/// OpenAI's counts, of chat, completions, embeddings and responses alike.
///
/// The prompt includes cached tokens and the completion includes reasoning. Some that speak this dialect keep
/// reasoning outside the completion (xAI, Gemini's compatible endpoint): then the total shows it.
pub(crate) fn openai(value: Value<'_>) -> Option<Usage> {
    let usage = value.as_object()?;
    let input = number(&usage, &["prompt_tokens", "input_tokens"]);
    let output = number(&usage, &["completion_tokens", "output_tokens"]);
    let total = number(&usage, &["total_tokens"]);
    input.or(output).or(total)?;
    let read = details(&usage, &["prompt_tokens_details", "input_tokens_details"]);
    let written = details(&usage, &["completion_tokens_details", "output_tokens_details"]);
    let input = input.unwrap_or(0);
    let detail = |object: &Option<Object<'_>>, key| object.as_ref().and_then(|object| number(object, &[key]));
    let cached = detail(&read, "cached_tokens").or_else(|| number(&usage, &["prompt_cache_hit_tokens"]));
    let cached = cached.unwrap_or(0).min(input);
    Some(Usage {
        input,
        output: output.unwrap_or(0).max(total.unwrap_or(0).saturating_sub(input)),
        cached,
        cache_write: detail(&read, "cache_write_tokens").unwrap_or(0).min(input - cached),
        reasoning: detail(&written, "reasoning_tokens").unwrap_or(0),
        sound_in: detail(&read, "audio_tokens").unwrap_or(0).min(input),
        sound_out: detail(&written, "audio_tokens").unwrap_or(0),
        ..Usage::default()
    })
}

/// Gemini's counts: thoughts stand outside the candidates, tool prompts outside the prompt, the cache inside it, and sound
/// inside both the prompt and the cache.
pub(crate) fn gemini(value: Value<'_>) -> Option<Usage> {
    let usage = value.as_object()?;
    let prompt = number(&usage, &["promptTokenCount"]);
    let total = number(&usage, &["totalTokenCount"]);
    prompt.or(total)?;
    let of = |key| number(&usage, &[key]).unwrap_or(0);
    let input = prompt.unwrap_or(0).saturating_add(of("toolUsePromptTokenCount"));
    let reasoning = of("thoughtsTokenCount");
    let output = of("candidatesTokenCount").saturating_add(reasoning);
    // It is charged as sound then, and is not to be charged as cached too.
    let cached_sound = sound(&usage, &["cacheTokensDetails"]);
    Some(Usage {
        input,
        output: output.max(total.unwrap_or(0).saturating_sub(input)),
        cached: of("cachedContentTokenCount").saturating_sub(cached_sound).min(input),
        reasoning,
        sound_in: sound(&usage, &["promptTokensDetails", "toolUsePromptTokensDetails"]).min(input),
        sound_out: sound(&usage, &["candidatesTokensDetails", "responseTokensDetails"]),
        ..Usage::default()
    })
}

/// Gemini's tokens of sound: each kind of token has its own count in a list.
fn sound(usage: &Object<'_>, lists: &[&str]) -> u64 {
    let counts = lists.iter().filter_map(|key| usage.get(key)).flat_map(|list| list.elements());
    let sounds = counts
        .filter_map(|count| count.as_object())
        .filter(|count| count.get("modality").and_then(|kind| kind.as_str()).as_deref() == Some("AUDIO"));
    sounds.filter_map(|count| number(&count, &["tokenCount"])).fold(0, u64::saturating_add)
}

/// Anthropic's counts, as they stand: they come in two parts of a stream, cumulative, so the largest of each counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct AnthropicCounts {
    fresh: u64,
    cache_read: u64,
    cache_creation: u64,
    hour_creation: u64,
    output: u64,
    searches: u64,
    seen: bool,
}

impl AnthropicCounts {
    /// Takes in one more `usage`. Where the provider ran the model several times for one answer (`iterations`, of
    /// which the totals show only the last), their sum counts.
    pub(crate) fn add(&mut self, value: Value<'_>) {
        let Some(usage) = value.as_object() else { return };
        let top = Self::of(&usage);
        let mut sum = Self::default();
        for run in usage.get("iterations").into_iter().flat_map(|runs| runs.elements()) {
            if let Some(run) = run.as_object() {
                sum = sum.combine(Self::of(&run), u64::saturating_add);
            }
        }
        *self = self.combine(top, u64::max).combine(sum, u64::max);
    }

    fn of(usage: &Object<'_>) -> Self {
        let of = |key| number(usage, &[key]);
        let (fresh, output) = (of("input_tokens"), of("output_tokens"));
        let split = details(usage, &["cache_creation"]);
        let part = |key| split.as_ref().and_then(|split| number(split, &[key])).unwrap_or(0);
        let hour_creation = part("ephemeral_1h_input_tokens");
        let parts = hour_creation.saturating_add(part("ephemeral_5m_input_tokens"));
        Self {
            fresh: fresh.unwrap_or(0),
            cache_read: of("cache_read_input_tokens").unwrap_or(0),
            cache_creation: of("cache_creation_input_tokens").unwrap_or(0).max(parts),
            hour_creation,
            output: output.unwrap_or(0),
            searches: details(usage, &["server_tool_use"])
                .and_then(|tools| number(&tools, &["web_search_requests"]))
                .unwrap_or(0),
            seen: fresh.or(output).is_some(),
        }
    }

    fn combine(self, other: Self, with: impl Fn(u64, u64) -> u64) -> Self {
        Self {
            fresh: with(self.fresh, other.fresh),
            cache_read: with(self.cache_read, other.cache_read),
            cache_creation: with(self.cache_creation, other.cache_creation),
            hour_creation: with(self.hour_creation, other.hour_creation),
            output: with(self.output, other.output),
            searches: with(self.searches, other.searches),
            seen: self.seen || other.seen,
        }
    }

    /// All that was read, cache included, which `input_tokens` is not.
    pub(crate) fn usage(&self) -> Option<Usage> {
        self.seen.then(|| Usage {
            input: self.fresh.saturating_add(self.cache_read).saturating_add(self.cache_creation),
            output: self.output,
            cached: self.cache_read,
            cache_write: self.cache_creation.saturating_sub(self.hour_creation),
            cache_write_1h: self.hour_creation,
            searches: self.searches,
            ..Usage::default()
        })
    }
}

/// Usage of an answer in a format that we don't know, should it have some that we do.
pub(crate) fn any(answer: &Object<'_>) -> Option<Usage> {
    if let Some(usage) = answer.some("usageMetadata") {
        return gemini(usage);
    }
    let usage = answer.some("usage")?;
    if usage.as_object()?.get("cache_read_input_tokens").is_none() {
        return openai(usage);
    }
    let mut counts = AnthropicCounts::default();
    counts.add(usage);
    counts.usage()
}

/// Of two readings of one call, the larger of each number: providers repeat usage in a stream, cumulatively.
pub(crate) fn larger(first: Option<Usage>, second: Option<Usage>) -> Option<Usage> {
    let (Some(a), Some(b)) = (first, second) else { return first.or(second) };
    Some(Usage {
        input: a.input.max(b.input),
        output: a.output.max(b.output),
        cached: a.cached.max(b.cached),
        cache_write: a.cache_write.max(b.cache_write),
        cache_write_1h: a.cache_write_1h.max(b.cache_write_1h),
        reasoning: a.reasoning.max(b.reasoning),
        sound_in: a.sound_in.max(b.sound_in),
        sound_out: a.sound_out.max(b.sound_out),
        searches: a.searches.max(b.searches),
        tool_runs: a.tool_runs.max(b.tool_runs),
        estimated: a.estimated && b.estimated,
    })
}

fn number(object: &Object<'_>, keys: &[&str]) -> Option<u64> {
    keys.iter().find_map(|key| object.get(key)?.as_u64())
}

fn details<'a>(object: &Object<'a>, keys: &[&str]) -> Option<Object<'a>> {
    keys.iter().find_map(|key| object.get(key)?.as_object())
}

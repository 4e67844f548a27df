//! Finds a model by the name that a client or a provider uses for it. Exact, but for what names add to themselves: a
//! prefix that says whose it is, and a date or version at the end.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Price, Provider};

/// What may follow a name without changing the price; `#` is a digit.
const SUFFIXES: &[&str] =
    &["-latest", "-preview-##-####", "-preview-##-##", "-####-##-##", "-########", "-####", "-###"];

/// How many of them a name may have.
const MAX_SUFFIXES: usize = 3;

pub(super) fn price<'p>(
    models: &'p HashMap<Arc<str>, Arc<Price>>,
    provider: Provider,
    model: &str,
) -> Option<&'p Arc<Price>> {
    let prefixes = prefixes(provider);
    let bare = prefixes.iter().find_map(|prefix| model.strip_prefix(prefix)).unwrap_or(model);
    let mut name = base_of_tuned(bare);
    for _ in 0..=MAX_SUFFIXES {
        let found = models
            .get(name)
            .or_else(|| prefixes.iter().find_map(|prefix| models.get(format!("{prefix}{name}").as_str())));
        if found.is_some() {
            return found;
        }
        name = shorter(name)?;
    }
    None
}

fn prefixes(provider: Provider) -> &'static [&'static str] {
    match provider {
        Provider::OpenAi => &["openai/"],
        Provider::Anthropic => &["anthropic/"],
        Provider::Gemini => &["models/", "gemini/", "google/"],
        Provider::Other => &[],
    }
}

/// A fine-tuned model costs what its base does when tuned: `ft:gpt-4o:acme::id` stands in the table as `ft:gpt-4o`.
fn base_of_tuned(name: &str) -> &str {
    let Some(tuned) = name.strip_prefix("ft:") else { return name };
    let base = tuned.find(':').map_or(tuned.len(), |colon| colon);
    name.get(..base + "ft:".len()).unwrap_or(name)
}

/// The name without the last thing that does not change the price.
fn shorter(name: &str) -> Option<&str> {
    if let Some((base, _)) = name.split_once('@') {
        return Some(base);
    }
    SUFFIXES.iter().find_map(|suffix| without(name, suffix))
}

fn without<'n>(name: &'n str, suffix: &str) -> Option<&'n str> {
    let (base, end) = name.split_at_checked(name.len().checked_sub(suffix.len())?)?;
    let fits = end.bytes().zip(suffix.bytes()).all(|(byte, pattern)| match pattern {
        b'#' => byte.is_ascii_digit(),
        literal => byte == literal,
    });
    (fits && !base.is_empty()).then_some(base)
}

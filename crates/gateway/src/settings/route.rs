//! A route as it is configured: a name for a model, and what serves it.

use seawall_config::Reader;

/// `routes[]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteSettings {
    /// The name that clients use.
    pub model: String,
    /// One of these, by weight.
    pub to: Vec<TargetSettings>,
    /// Then these, in order.
    pub fallback: Vec<TargetSettings>,
}

/// Where a route leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetSettings {
    /// The upstream's name.
    pub upstream: String,
    /// The model's name there; `None`: as it was asked for.
    pub model: Option<String>,
    /// Its share.
    pub weight: u32,
}

pub(super) fn declare(reader: &mut Reader<'_>) -> RouteSettings {
    let model = reader.required_text("model", "The name that clients use.");
    let to = reader.list("to", "One of these serves it, by weight.", target);
    let fallback = reader.list("fallback", "These are tried when that fails, in order.", target);
    if to.is_empty() {
        reader.error("to", "a route leads somewhere", "add to: [{ upstream: NAME }]");
    }
    RouteSettings { model, to, fallback }
}

fn target(reader: &mut Reader<'_>) -> TargetSettings {
    let upstream = reader.required_text("upstream", "The upstream's name.");
    let model = reader.optional_text("model", "The model's name there; default: the same.");
    let weight =
        reader.integer("weight", "Its share; 10 beside 90 is a canary of ten percent.", 1, 0..=1_000_000);
    TargetSettings { upstream, model, weight: u32::try_from(weight).unwrap_or(u32::MAX) }
}

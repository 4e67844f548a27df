//! The attributes of an action's span: first those of the semantic conventions, then ours under `seawall.`.

use super::wire::Attribute;
use crate::export::{ActionRow, End, provider};

/// The span's name and its attributes.
pub(super) fn of_action(row: &ActionRow) -> (String, Vec<Attribute>) {
    let mut attributes = Vec::with_capacity(24);
    let name = match row.kind() {
        "model_call" => model_call(row, &mut attributes),
        "tool_call" => tool_call(row, &mut attributes),
        other => format!("{other} {}", row.name()),
    };
    outcome(row, &mut attributes);
    ours(row, &mut attributes);
    (name, attributes)
}

fn model_call(row: &ActionRow, attributes: &mut Vec<Attribute>) -> String {
    let known = row.begun.wire.as_deref().and_then(provider::of_wire);
    let operation = known.map_or("chat", |(_, operation)| operation);
    attributes.push(Attribute::text("gen_ai.operation.name", operation));
    // What nobody knows the format of is named by who was asked.
    let provider = known.map(|(provider, _)| provider).or_else(|| row.last_attempt().map(|(name, _)| name));
    attributes.extend(provider.map(|provider| Attribute::text("gen_ai.provider.name", provider)));
    attributes.push(Attribute::text("gen_ai.request.model", row.name()));
    attributes.extend(row.begun.stream.map(|stream| Attribute::boolean("gen_ai.request.stream", stream)));
    let answered = row.over.status.is_some_and(|status| (200..300).contains(&status));
    let model = row.last_attempt().map(|(_, model)| model).filter(|model| answered && !model.is_empty());
    attributes.extend(model.map(|model| Attribute::text("gen_ai.response.model", model)));
    usage(row, attributes);
    format!("{operation} {}", row.name())
}

/// The parts of the input and output are only named where there are any.
fn usage(row: &ActionRow, attributes: &mut Vec<Attribute>) {
    let Some(usage) = row.usage() else { return };
    attributes.push(Attribute::integer("gen_ai.usage.input_tokens", usage.input_tokens));
    attributes.push(Attribute::integer("gen_ai.usage.output_tokens", usage.output_tokens));
    let parts = [
        ("gen_ai.usage.cache_read.input_tokens", usage.cached_tokens),
        ("gen_ai.usage.cache_creation.input_tokens", usage.cache_write_tokens),
        ("gen_ai.usage.reasoning.output_tokens", usage.reasoning_tokens),
    ];
    let named = parts.into_iter().filter(|(_, tokens)| *tokens > 0);
    attributes.extend(named.map(|(key, tokens)| Attribute::integer(key, tokens)));
    attributes.push(Attribute::boolean("seawall.usage.estimated", usage.estimated));
}

fn tool_call(row: &ActionRow, attributes: &mut Vec<Attribute>) -> String {
    attributes.push(Attribute::text("gen_ai.operation.name", "execute_tool"));
    attributes.push(Attribute::text("gen_ai.tool.name", row.name()));
    format!("execute_tool {}", row.name())
}

fn outcome(row: &ActionRow, attributes: &mut Vec<Attribute>) {
    attributes.extend(row.actor.agent.as_deref().map(|agent| Attribute::text("gen_ai.agent.name", agent)));
    attributes.extend(row.over.status.map(|status| Attribute::integer("http.response.status_code", status)));
    attributes.extend(error_type(row).map(|error| Attribute::text("error.type", error)));
}

fn ours(row: &ActionRow, attributes: &mut Vec<Attribute>) {
    attributes.push(Attribute::text("seawall.run.id", row.run.to_string()));
    attributes.push(Attribute::text("seawall.action.id", row.action.to_string()));
    attributes.push(Attribute::text("seawall.end", row.end.as_str()));
    let texts = [
        ("seawall.verdict", row.verdict()),
        ("seawall.would", row.begun.would.as_deref()),
        ("seawall.key", row.actor.key.as_deref()),
        ("seawall.tenant", row.actor.tenant.as_deref()),
        ("seawall.upstream", row.last_attempt().map(|(upstream, _)| upstream)),
        ("seawall.cache", row.cache()),
    ];
    attributes.extend(texts.into_iter().filter_map(|(key, text)| Some(Attribute::text(key, text?))));
    let codes: Vec<String> = row.findings().map(|finding| finding.code.clone()).collect();
    if !codes.is_empty() {
        attributes.push(Attribute::texts("seawall.codes", codes));
    }
    if let Some(cost) = row.cost() {
        // A float so that backends can sum it; the exact amount is in the trace and the tables.
        attributes.push(Attribute::float("seawall.cost_usd", cost.as_f64_for_metrics()));
    }
}

/// What went wrong, in a word of small cardinality; `None` when nothing did.
pub(super) fn error_type(row: &ActionRow) -> Option<String> {
    let status = row.over.status.filter(|status| *status >= 400).map(|status| status.to_string());
    let code = || row.over.findings.first().map(|finding| finding.code.clone());
    match row.end {
        End::Denied => code().or(status).or_else(|| Some("denied".to_owned())),
        End::Abandoned => Some("abandoned".to_owned()),
        End::Settled => row.over.ended.clone().or(status),
        End::Open => None,
    }
}

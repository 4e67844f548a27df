//! The sections beside the models: retries, time-outs, budgets, rate limits, and why the rest stays behind.

use seawall_types::Usd;
use serde_json::{Map, Value, json};

use super::fallback::Fallbacks;
use super::group::Groups;
use super::source::{Section, literal};
use super::upstream::{Treatment, duration, timeouts};

/// What holds for every deployment that says nothing else. The router's settings go before the library's, as they do there.
pub(super) fn treatment(router: Option<&Section<'_>>, library: Option<&Section<'_>>) -> Treatment {
    let mut treatment = Treatment::default();
    if let Some(library) = library {
        treatment.timeouts = timeouts(library, "request_timeout");
        treatment.attempts = library.integer("num_retries");
    }
    let Some(router) = router else { return treatment };
    treatment.timeouts.extend(timeouts(router, "timeout"));
    treatment.attempts = router.integer("num_retries").or(treatment.attempts);
    // More than this many failures there, this many here.
    if let Some(failures) = router.integer("allowed_fails") {
        treatment.breaker.insert("failures".to_owned(), json!(failures.saturating_add(1).min(1_000_000)));
    }
    if let Some(time) = duration(router, "cooldown_time") {
        treatment.breaker.insert("open".to_owned(), json!(time));
    }
    if router.flag("disable_cooldowns") {
        treatment.breaker = Map::from_iter([("failures".to_owned(), json!(0))]);
    }
    treatment
}

/// Who stands in for whom.
pub(super) fn fallbacks<'v>(router: Option<&Section<'v>>, library: Option<&Section<'v>>) -> Fallbacks {
    let mut fallbacks = Fallbacks::default();
    for section in [router, library].into_iter().flatten() {
        fallbacks.read(section);
        let names = section.list("default_fallbacks").iter().filter_map(Value::as_str).map(literal);
        fallbacks.all.extend(names);
    }
    fallbacks
}

/// Other names for models.
pub(super) fn aliases(router: &Section<'_>, groups: &mut Groups) {
    let Some(Value::Object(aliases)) = router.take("model_group_alias") else { return };
    for (alias, of) in aliases {
        let model = of.as_str().or_else(|| of.get("model")?.as_str());
        if !model.is_some_and(|model| groups.alias(alias, &literal(model))) {
            router.skip(&format!("model_group_alias.{alias}"), "there is no such model");
        }
    }
}

/// The budget of everything.
pub(super) fn budget(library: &Section<'_>) -> Option<Value> {
    let amount = library.take("max_budget");
    let time = library.text("budget_duration");
    let usd = match amount? {
        Value::Number(number) => number.to_string().parse::<Usd>().ok(),
        Value::String(text) => text.parse::<Usd>().ok(),
        _ => None,
    };
    let Some(usd) = usd else {
        library.skip("max_budget", "is no amount of dollars");
        return None;
    };
    let (window, exact) = window(time.as_deref());
    if !exact {
        library.skip(
            "budget_duration",
            format_args!(
                "there is no such window here; the budget is for a {window} instead, which allows less"
            ),
        );
    }
    Some(json!({ "scope": "global", "window": window, "usd": plain(usd) }))
}

/// Without zeros that say nothing.
fn plain(usd: Usd) -> String {
    let text = usd.to_string();
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// The window that lasts as long, or the next longer one: the same money for a longer time allows less.
fn window(time: Option<&str>) -> (&'static str, bool) {
    let Some(time) = time else { return ("total", true) };
    let digits = time.len() - time.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = time.split_at(digits);
    let seconds: u64 = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        "w" => 604_800,
        "mo" => 2_592_000,
        _ => return ("total", false),
    };
    let seconds = number.parse::<u64>().map_or(u64::MAX, |number| number.saturating_mul(seconds));
    match seconds {
        60 => ("minute", true),
        86_400 => ("day", true),
        2_592_000 => ("month", true),
        0..60 => ("minute", false),
        61..86_400 => ("day", false),
        86_401..2_592_000 => ("month", false),
        _ => ("total", false),
    }
}

/// What every key gets unless it says otherwise.
pub(super) fn rate_limit(library: &Section<'_>) -> Option<Value> {
    let defaults = library.section("default_key_generate_params")?;
    let (rpm, tpm) = (defaults.integer("rpm_limit"), defaults.integer("tpm_limit"));
    defaults.finish(|_| Some("give it to each key: `seawall keys create`"));
    let limits = [("rpm", rpm), ("tpm", tpm)];
    let limits = limits
        .into_iter()
        .filter_map(|(key, limit)| Some((key.to_owned(), json!(limit.filter(|&n| n > 0)?))));
    let rule: Map<String, Value> =
        std::iter::once(("scope".to_owned(), json!("key"))).chain(limits).collect();
    (rule.len() > 1).then_some(Value::Object(rule))
}

/// Requests at the same time, and whether callers need a key.
pub(super) fn general(general: &Section<'_>, config: &mut Map<String, Value>) {
    if let Some(most) = general.integer("global_max_parallel_requests").filter(|most| *most > 0) {
        config.insert("gateway".to_owned(), json!({ "limits": { "in_flight": most.min(1_000_000) } }));
    }
    if general.take("master_key").is_some() {
        config.insert("auth".to_owned(), json!({ "mode": "required" }));
        general.skip("master_key", "make a key for it: `seawall keys create --name admin --role admin`");
    }
}

/// Why a setting is not taken over.
pub(super) fn why(key: &str) -> Option<&'static str> {
    Some(match key {
        "drop_params" | "modify_params" | "add_function_to_prompt" => "bodies pass as the client wrote them",
        "callbacks" | "success_callback" | "failure_callback" | "service_callback" | "callback_settings" => {
            "see the trace, /metrics and the logs"
        }
        "set_verbose" | "json_logs" | "turn_off_message_logging" | "redact_user_api_key_info" => {
            "see logging; the trace holds no text of requests"
        }
        "context_window_fallbacks" | "content_policy_fallbacks" => {
            "fallbacks are for upstreams that fail, not for answers of one kind"
        }
        "routing_strategy" | "routing_strategy_args" => "targets are drawn by weight",
        "redis_host" | "redis_port" | "redis_password" | "redis_url" => {
            "budgets and limits are those of one server"
        }
        "database_url" | "store_model_in_db" | "database_connection_pool_limit" | "disable_spend_logs" => {
            "state is in the data directory"
        }
        "provider_budget_config" => "budgets are for keys, tenants, runs and everything, not for a provider",
        "enable_jwt_auth" | "litellm_jwtauth" => "see auth.jwt",
        "guardrails" => "see policy",
        "alerting" | "alert_types" | "alerting_threshold" | "alerting_args" => {
            "alerts are made from /metrics"
        }
        "environment_variables" => "set them where the server is started",
        "mcp_servers" => "there is no MCP gateway yet",
        "include" => "import each file by itself",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budgets_window_is_never_shorter_than_it_was() {
        for (time, expected) in [
            (None, ("total", true)),
            (Some("1d"), ("day", true)),
            (Some("24h"), ("day", true)),
            (Some("60s"), ("minute", true)),
            (Some("30d"), ("month", true)),
            (Some("1mo"), ("month", true)),
            (Some("1h"), ("day", false)),
            (Some("7d"), ("month", false)),
            (Some("1w"), ("month", false)),
            (Some("90d"), ("total", false)),
            (Some("soon"), ("total", false)),
            (Some("d"), ("total", false)),
            (Some("99999999999999999999d"), ("total", false)),
        ] {
            assert_eq!(window(time), expected, "{time:?}");
        }
    }
}

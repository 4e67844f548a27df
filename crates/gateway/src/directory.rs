//! Which upstreams there are and which of them may serve a request, in what order.

use std::sync::Arc;

use seawall_llm::wire::Dialect;
use seawall_llm_client::Upstream;
use smallvec::SmallVec;

/// Where a route leads: an upstream, and the name that the model has there.
#[derive(Debug, Clone)]
pub struct Target {
    /// The upstream.
    pub upstream: Arc<Upstream>,
    /// The model's name there; `None`: as it was asked for.
    pub model: Option<Arc<str>>,
    /// Its share among the targets of a route.
    pub weight: u32,
}

/// A name for a model, and what serves it.
#[derive(Debug, Clone)]
pub struct Route {
    /// The name that clients use.
    pub model: String,
    /// One of these, by weight.
    pub to: Vec<Target>,
    /// Then these, in order.
    pub fallback: Vec<Target>,
}

/// All upstreams and routes. Immutable; a reload makes a new one.
#[derive(Debug, Clone, Default)]
pub struct Directory {
    /// Upstreams in the order of the configuration.
    pub upstreams: Vec<Arc<Upstream>>,
    /// Routes.
    pub routes: Vec<Route>,
}

/// Targets in the order in which they are to be tried.
pub(crate) type Plan = SmallVec<[Target; 2]>;

impl Directory {
    /// The upstream of this name.
    #[must_use]
    pub fn upstream(&self, name: &str) -> Option<&Arc<Upstream>> {
        self.upstreams.iter().find(|upstream| upstream.settings.name == name)
    }

    /// The route for a model.
    pub(crate) fn route(&self, model: &str) -> Option<&Route> {
        self.routes.iter().find(|route| route.model == model)
    }

    /// Who of this kind may serve `model`, in order; empty when nobody does. `random` gives numbers below its argument.
    ///
    /// Upstreams of another kind are never asked, wherever a route leads: nothing here translates.
    pub(crate) fn plan(
        &self,
        explicit: Option<&str>,
        kind: Dialect,
        model: Option<&str>,
        random: impl Fn(u32) -> u32,
    ) -> Plan {
        if let Some(name) = explicit {
            return self.upstream(name).map(direct).into_iter().collect();
        }
        if let Some(route) = model.and_then(|model| self.route(model)) {
            let able = |targets: &[Target]| -> Vec<Target> {
                targets.iter().filter(|target| is_of(&target.upstream, kind)).cloned().collect()
            };
            let mut plan = by_weight(able(&route.to), &random);
            plan.extend(able(&route.fallback));
            return plan;
        }
        let mut able: Vec<Target> = self
            .upstreams
            .iter()
            .filter(|upstream| is_of(upstream, kind))
            .filter(|upstream| upstream.serves(model))
            .map(direct)
            .collect();
        able.sort_by_key(|target| target.upstream.settings.priority);
        able.chunk_by(|a, b| a.upstream.settings.priority == b.upstream.settings.priority)
            .flat_map(|equals| by_weight(equals.to_vec(), &random))
            .collect()
    }
}

/// Whether it is of this kind; one of any kind is.
fn is_of(upstream: &Upstream, kind: Dialect) -> bool {
    upstream.settings.dialect.is_none_or(|own| own == kind)
}

/// This upstream and no other.
pub(crate) fn only(upstream: &Arc<Upstream>) -> Plan {
    std::iter::once(direct(upstream)).collect()
}

fn direct(upstream: &Arc<Upstream>) -> Target {
    Target { upstream: Arc::clone(upstream), model: None, weight: upstream.settings.weight }
}

/// All targets: a draw by weight decides each place in turn, so that the first carries its share of the traffic and the
/// others remain as fallbacks. A weight of nothing is never drawn while another has some.
fn by_weight(mut targets: Vec<Target>, random: &impl Fn(u32) -> u32) -> Plan {
    let mut plan = Plan::new();
    while !targets.is_empty() {
        let total: u32 = targets.iter().map(|target| target.weight).fold(0, u32::saturating_add);
        let mut drawn = if total == 0 { 0 } else { random(total) };
        let index = targets
            .iter()
            .position(|target| {
                let hit = total == 0 || drawn < target.weight;
                drawn = drawn.saturating_sub(target.weight);
                hit
            })
            .unwrap_or(0);
        plan.push(targets.remove(index));
    }
    plan
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use seawall_llm_client::sim::{Options, Sim};
    use seawall_llm_client::{BreakerSettings, Credentials, Transport, UpstreamSettings};
    use seawall_types::{ManualClock, Timestamp};

    use super::*;
    use crate::default_timeouts;

    fn upstream(
        name: &str,
        dialect: Option<Dialect>,
        models: &[&str],
        weight: u32,
        priority: u32,
    ) -> Arc<Upstream> {
        let settings = UpstreamSettings {
            name: name.to_owned(),
            dialect,
            credentials: Credentials::None,
            models: models.iter().map(|model| model.parse().unwrap()).collect(),
            weight,
            priority,
            headers: HeaderMap::new(),
            max_in_flight: 1,
            timeouts: default_timeouts(),
            retry_attempts: 0,
            retry_budget: 0.0,
            breaker: BreakerSettings { failures: 0, open: std::time::Duration::ZERO },
            output_limit: seawall_llm::LimitName::default(),
            include_usage: true,
        };
        let clock = Arc::new(ManualClock::new(Timestamp::default()));
        Arc::new(Upstream::new(settings, Transport::Sim(Sim::new(Options::default(), clock)), 1))
    }

    fn names(plan: &Plan) -> Vec<&str> {
        plan.iter().map(|target| target.upstream.settings.name.as_str()).collect()
    }

    #[test]
    fn the_dialect_the_models_and_the_priority_decide_and_the_rest_are_fallbacks() {
        let directory = Directory {
            upstreams: vec![
                upstream("backup", Some(Dialect::OpenAi), &[], 1, 2),
                upstream("claude", Some(Dialect::Anthropic), &[], 1, 1),
                upstream("main", Some(Dialect::OpenAi), &["gpt-*"], 1, 1),
                upstream("relay", None, &[], 1, 3),
            ],
            routes: Vec::new(),
        };
        let plan = |dialect, model| names(&directory.plan(None, dialect, model, |_| 0)).join(" ");
        assert_eq!(plan(Dialect::OpenAi, Some("gpt-4o")), "main backup relay");
        assert_eq!(plan(Dialect::OpenAi, Some("o3")), "backup relay");
        assert_eq!(plan(Dialect::OpenAi, None), "main backup relay");
        assert_eq!(plan(Dialect::Anthropic, Some("x")), "claude relay");
        assert_eq!(plan(Dialect::Gemini, Some("x")), "relay");
        assert_eq!(
            names(&directory.plan(Some("claude"), Dialect::OpenAi, Some("gpt-4o"), |_| 0)),
            ["claude"]
        );
        assert!(directory.plan(Some("nobody"), Dialect::OpenAi, None, |_| 0).is_empty());
    }

    #[test]
    fn a_route_goes_before_everything_and_renames_the_model() {
        let (one, two) = (upstream("one", None, &[], 1, 1), upstream("two", None, &[], 1, 1));
        let target = |upstream: &Arc<Upstream>, model: &str, weight| Target {
            upstream: Arc::clone(upstream),
            model: Some(model.into()),
            weight,
        };
        let route = Route {
            model: "fast".to_owned(),
            to: vec![target(&one, "small", 90), target(&two, "mini", 10)],
            fallback: vec![target(&two, "last", 1)],
        };
        let directory = Directory { upstreams: vec![one, two], routes: vec![route] };
        let plan = |draw| {
            let plan = directory.plan(None, Dialect::OpenAi, Some("fast"), |_| draw);
            plan.iter().map(|target| target.model.as_deref().unwrap_or("-").to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(plan(0), ["small", "mini", "last"]);
        assert_eq!(plan(89), ["small", "mini", "last"]);
        assert_eq!(plan(90)[0], "mini");
    }

    #[test]
    fn a_route_never_leads_to_another_kind() {
        let (claude, relay) =
            (upstream("claude", Some(Dialect::Anthropic), &[], 1, 1), upstream("relay", None, &[], 1, 1));
        let route =
            Route { model: "fast".to_owned(), to: vec![direct(&claude)], fallback: vec![direct(&relay)] };
        let directory = Directory { upstreams: vec![claude, relay], routes: vec![route] };
        let plan = |kind| names(&directory.plan(None, kind, Some("fast"), |_| 0)).join(" ");
        assert_eq!(plan(Dialect::Anthropic), "claude relay");
        assert_eq!(plan(Dialect::OpenAi), "relay");
    }

    #[test]
    fn weights_are_shares_and_a_weight_of_nothing_is_never_drawn_first() {
        let directory = Directory {
            upstreams: vec![
                upstream("a", None, &[], 3, 1),
                upstream("b", None, &[], 1, 1),
                upstream("c", None, &[], 0, 1),
            ],
            routes: Vec::new(),
        };
        let mut first = std::collections::BTreeMap::new();
        for draw in 0..400 {
            let plan = directory.plan(None, Dialect::OpenAi, None, |below| draw % below);
            assert_eq!(plan.len(), 3);
            *first.entry(names(&plan)[0].to_owned()).or_insert(0) += 1;
        }
        assert_eq!(first.keys().map(String::as_str).collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(first["a"], 300);
    }
}

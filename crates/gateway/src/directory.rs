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

    /// Who may serve `model` in the wire formats of `dialect`, in order; empty when nobody does. `random` gives numbers
    /// below its argument.
    pub(crate) fn plan(
        &self,
        explicit: Option<&str>,
        dialect: Dialect,
        model: Option<&str>,
        random: impl Fn(u32) -> u32,
    ) -> Plan {
        if let Some(name) = explicit {
            return self.upstream(name).map(direct).into_iter().collect();
        }
        let route = model.and_then(|model| self.routes.iter().find(|route| route.model == model));
        if let Some(route) = route {
            let mut plan = by_weight(route.to.clone(), &random);
            plan.extend(route.fallback.iter().cloned());
            return plan;
        }
        let mut able: Vec<Target> = self
            .upstreams
            .iter()
            .filter(|upstream| upstream.settings.dialect.is_none_or(|spoken| spoken == dialect))
            .filter(|upstream| upstream.serves(model))
            .map(direct)
            .collect();
        able.sort_by_key(|target| target.upstream.settings.priority);
        able.chunk_by(|a, b| a.upstream.settings.priority == b.upstream.settings.priority)
            .flat_map(|equals| by_weight(equals.to_vec(), &random))
            .collect()
    }
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

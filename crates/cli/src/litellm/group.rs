//! The models: groups of deployments under one name, and who stands in for whom.

use serde_json::{Map, Value, json};

use super::fallback::Fallbacks;
use super::source::{Notes, Section, literal};
use super::upstream::{Treatment, Upstream, Upstreams};

/// Why a limit of a deployment stays behind.
const NOT_FOR_A_DEPLOYMENT: &str = "limits are for each key, address or model, not for a deployment";
/// The most that a weight can be.
const MAX_WEIGHT: f64 = 1_000_000.0;

/// One way to serve a model.
#[derive(Debug, Clone)]
struct Deployment {
    upstream: usize,
    /// The model's name there.
    model: String,
    weight: Option<f64>,
    rpm: Option<f64>,
    /// Lower is tried first.
    order: u64,
}

/// The deployments under one name.
#[derive(Debug, Clone)]
struct Group {
    name: String,
    /// Whose fallbacks it has: its own, or those of the group that it is another name for.
    origin: String,
    deployments: Vec<Deployment>,
}

/// All groups, in the order of the file.
#[derive(Default)]
pub(super) struct Groups(Vec<Group>);

impl Groups {
    /// Reads one entry of `model_list`.
    pub(super) fn add(&mut self, entry: &Section<'_>, upstreams: &mut Upstreams, standard: &Treatment) {
        let Some(name) = entry.text("model_name") else {
            return entry.skip("model_name", "is absent, so nobody can ask for it");
        };
        if name.is_empty() {
            return entry.skip("model_name", "is empty, so nobody can ask for it");
        }
        let Some(params) = entry.section("litellm_params") else {
            return entry.skip("litellm_params", "is absent, so nothing can be called");
        };
        let info = entry.section("model_info");
        if let Some((upstream, model)) = upstreams.add(&params, standard) {
            let deployment = Deployment {
                upstream,
                model,
                weight: params.number("weight"),
                rpm: params.number("rpm"),
                order: params.integer("order").unwrap_or(0),
            };
            if deployment.rpm.is_some() {
                params.skip("rpm", NOT_FOR_A_DEPLOYMENT);
            }
            self.place(&params, name, deployment, upstreams);
            params.finish(why);
        }
        if let Some(info) = info {
            info.take("id");
            info.take("mode");
            info.finish(why);
        }
        entry.finish(why);
    }

    /// Puts it into its group, or where a pattern belongs.
    fn place(
        &mut self,
        params: &Section<'_>,
        name: String,
        deployment: Deployment,
        upstreams: &mut Upstreams,
    ) {
        let Some(upstream) = upstreams.0.get_mut(deployment.upstream) else { return };
        if name.contains('*') || deployment.model.contains('*') {
            return place_pattern(params, &name, &deployment.model, upstream);
        }
        upstream.serve(&name);
        match self.0.iter_mut().find(|group| group.name == name) {
            Some(group) => group.deployments.push(deployment),
            None => self.0.push(Group { origin: name.clone(), name, deployments: vec![deployment] }),
        }
    }

    /// Another name for a group.
    pub(super) fn alias(&mut self, alias: &str, of: &str) -> bool {
        let Some(group) = self.find(of).cloned() else { return false };
        self.0.push(Group { name: literal(alias), ..group });
        true
    }

    fn find(&self, name: &str) -> Option<&Group> {
        self.0.iter().find(|group| group.name == name)
    }

    /// The routes. A model that is served under its own name at one place needs none.
    pub(super) fn to_routes(
        &self,
        fallbacks: &Fallbacks,
        upstreams: &Upstreams,
        notes: &Notes,
    ) -> Vec<Value> {
        let maker = Maker { groups: self, fallbacks, upstreams, notes };
        self.0.iter().filter_map(|group| maker.route(group)).collect()
    }
}

/// A pattern is no route, since names are not rewritten by one; it can say which models an upstream serves.
fn place_pattern(params: &Section<'_>, name: &str, model: &str, upstream: &mut Upstream) {
    let is_beginning = name.strip_suffix('*').is_some_and(|rest| !rest.contains('*'));
    if name == "*" && model == "*" {
        upstream.models = None;
    } else if is_beginning && name == model {
        upstream.serve(name);
    } else if is_beginning && model == "*" && name.ends_with("/*") {
        // Under this pattern nobody finds it by chance: names without the prefix may be another upstream's.
        upstream.serve(name);
        let at = &upstream.name;
        let why =
            format_args!("clients call /u/{at}/… with the provider's own names: the prefix is not taken off");
        params.skip("model", why);
    } else {
        let why = format_args!("the pattern {name:?} can't be a route: names are not rewritten by pattern");
        params.skip("model", why);
    }
}

struct Maker<'a> {
    groups: &'a Groups,
    fallbacks: &'a Fallbacks,
    upstreams: &'a Upstreams,
    notes: &'a Notes,
}

impl Maker<'_> {
    fn route(&self, group: &Group) -> Option<Value> {
        let name = group.name.as_str();
        let first = group.deployments.iter().map(|deployment| deployment.order).min()?;
        let kind = self.kind(group.deployments.iter().find(|one| one.order == first)?);
        let own = self.able(kind, name, group);
        let (to, later): (Vec<_>, Vec<_>) = own.into_iter().partition(|one| one.order == first);
        let primary: Vec<Value> = to.iter().map(|one| self.target(name, one, None)).collect();
        let fallback = self.fallback(kind, group, &later, &primary);
        if let ([only], true) = (&*to, fallback.is_empty())
            && only.model == name
            && !self.is_found_elsewhere(name, only.upstream)
        {
            return None;
        }
        let weights = weights(&to);
        let to: Vec<Value> =
            to.iter().zip(weights).map(|(one, weight)| self.target(name, one, weight)).collect();
        let mut route = Map::from_iter([("model".to_owned(), json!(name)), ("to".to_owned(), json!(to))]);
        if !fallback.is_empty() {
            route.insert("fallback".to_owned(), json!(fallback));
        }
        Some(Value::Object(route))
    }

    /// Whether an upstream that takes any model, or a pattern of them, would get some of the requests for this one.
    fn is_found_elsewhere(&self, name: &str, own: usize) -> bool {
        let mut upstreams = self.upstreams.0.iter().enumerate();
        upstreams.any(|(index, upstream)| index != own && upstream.answers_to(name))
    }

    /// Who is tried when the primary targets fail: the group's later deployments, then other groups; each once.
    fn fallback(&self, kind: &str, group: &Group, later: &[&Deployment], primary: &[Value]) -> Vec<Value> {
        let name = group.name.as_str();
        let others = self.fallbacks.of(&group.origin).into_iter();
        let others = others.flat_map(|other| self.stand_ins(kind, name, other));
        let mut fallback = Vec::new();
        for target in later.iter().copied().chain(others).map(|one| self.target(name, one, None)) {
            if !primary.contains(&target) && !fallback.contains(&target) {
                fallback.push(target);
            }
        }
        fallback
    }

    /// The deployments of another model, which stand in for `name`.
    fn stand_ins(&self, kind: &str, name: &str, other: &str) -> Vec<&Deployment> {
        if let Some(group) = self.groups.find(other) {
            return self.able(kind, name, group);
        }
        self.notes.skip(format_args!("fallback from {name} to {other}"), "there is no such model");
        Vec::new()
    }

    /// The deployments of a group that a request for `name` in the wire format `kind` can go to, in their order.
    fn able<'g>(&self, kind: &str, name: &str, group: &'g Group) -> Vec<&'g Deployment> {
        let able = group.deployments.iter().filter(|one| self.speaks(kind, name, &group.name, one));
        let mut able: Vec<&Deployment> = able.collect();
        able.sort_by_key(|deployment| deployment.order);
        able
    }

    fn kind(&self, deployment: &Deployment) -> &'static str {
        self.upstreams.0.get(deployment.upstream).map_or("openai", |upstream| upstream.kind)
    }

    /// Whether a request in the wire format `kind` can go there: a client speaks one, and nothing is translated.
    fn speaks(&self, kind: &str, name: &str, other: &str, deployment: &Deployment) -> bool {
        let own = self.kind(deployment);
        if own == kind {
            return true;
        }
        let what = if name == other {
            format!("{name} at {own}")
        } else {
            format!("fallback from {name} to {other}")
        };
        self.notes
            .skip(what, format_args!("a request for {kind} can't go to {own}: there is no translation"));
        false
    }

    fn target(&self, name: &str, deployment: &Deployment, weight: Option<u64>) -> Value {
        let upstream = self.upstreams.0.get(deployment.upstream).map_or("", |upstream| &upstream.name);
        let mut target = Map::from_iter([("upstream".to_owned(), json!(upstream))]);
        if deployment.model != name {
            target.insert("model".to_owned(), json!(deployment.model));
        }
        if let Some(weight) = weight {
            target.insert("weight".to_owned(), json!(weight));
        }
        Value::Object(target)
    }
}

/// The shares of deployments: their weights, else their requests a minute, where each of them has one.
fn weights(deployments: &[&Deployment]) -> Vec<Option<u64>> {
    let all = |value: fn(&Deployment) -> Option<f64>| {
        deployments.iter().map(|deployment| value(deployment)).collect::<Option<Vec<f64>>>()
    };
    let found =
        if deployments.len() < 2 { None } else { all(|one| one.weight).or_else(|| all(|one| one.rpm)) };
    let Some(weights) = found else { return vec![None; deployments.len()] };
    let is_whole = weights.iter().all(|weight| weight.fract() == 0.0);
    let scale = if is_whole { 1.0 } else { 100.0 };
    weights.into_iter().map(|weight| Some(whole(weight * scale))).collect()
}

fn whole(weight: f64) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between nothing and a million"
    )]
    let whole = weight.clamp(0.0, MAX_WEIGHT).round() as u64;
    whole
}

/// Why a parameter of a deployment is not taken over.
fn why(key: &str) -> Option<&'static str> {
    Some(match key {
        "tpm" => NOT_FOR_A_DEPLOYMENT,
        "litellm_credential_name" => "write the key into the upstream's api_key, as ${NAME}",
        "drop_params" | "additional_drop_params" | "temperature" | "max_tokens" | "top_p" | "extra_body" => {
            "bodies pass as the client wrote them"
        }
        "input_cost_per_token" | "output_cost_per_token" | "cache_read_input_token_cost" | "base_model" => {
            "prices are in the file that prices.file names"
        }
        "max_budget" | "budget_duration" => {
            "budgets are for keys, tenants, runs and everything, not for a deployment"
        }
        "tags" | "tag_regex" => {
            "routes are by model; give tenants keys of their own with `seawall keys create --models`"
        }
        "mock_response" => "use the simulated provider: base_url: \"sim:\"",
        _ => return None,
    })
}

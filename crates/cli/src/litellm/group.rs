//! The models: groups of deployments under one name, and who stands in for whom.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::source::{Notes, Section, literal};
use super::upstream::{Treatment, Upstreams};

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
        let is_pattern = name.contains('*') || deployment.model.contains('*');
        if !is_pattern {
            upstream.serve(&name);
            match self.0.iter_mut().find(|group| group.name == name) {
                Some(group) => group.deployments.push(deployment),
                None => self.0.push(Group { origin: name.clone(), name, deployments: vec![deployment] }),
            }
            return;
        }
        let is_beginning = name.strip_suffix('*').is_some_and(|rest| !rest.contains('*'));
        if deployment.model == "*" || name == "*" {
            upstream.models = None;
            let prefix = name.strip_suffix('*').filter(|prefix| !prefix.is_empty());
            if let Some(prefix) = prefix {
                let why = format!(
                    "clients leave the {prefix:?} before a model's name out: names are not rewritten by pattern"
                );
                params.skip("model", why);
            }
        } else if is_beginning && name == deployment.model {
            upstream.serve(&name);
        } else {
            params.skip(
                "model",
                format_args!("the pattern {name:?} can't be a route: names are not rewritten by pattern"),
            );
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

/// Who stands in for a model, in order.
#[derive(Debug, Default)]
pub(super) struct Fallbacks {
    named: BTreeMap<String, Vec<String>>,
    /// For every model that has none of its own.
    pub(super) all: Vec<String>,
}

impl Fallbacks {
    /// Reads a list of tables, each from a model to those that stand in for it.
    pub(super) fn read(&mut self, section: &Section<'_>) {
        for (index, entry) in section.list("fallbacks").iter().enumerate() {
            let entries = entry.as_object().into_iter().flatten();
            for (model, others) in entries {
                let names = others.as_array().into_iter().flatten().filter_map(|other| {
                    let name = other.as_str();
                    if name.is_none() {
                        section.skip(
                            &format!("fallbacks[{index}].{model}"),
                            "a fallback with parameters has no counterpart",
                        );
                    }
                    name.map(literal)
                });
                match model.as_str() {
                    "*" => self.all.extend(names),
                    _ => self.named.entry(literal(model)).or_default().extend(names),
                }
            }
        }
    }

    /// Everybody who stands in for `model`, those who stand in for them included.
    fn of<'a>(&'a self, model: &'a str) -> Vec<&'a str> {
        let mut found = vec![model];
        let mut next = 0;
        while let Some(&name) = found.get(next) {
            for other in self.named.get(name).unwrap_or(&self.all) {
                if !found.contains(&other.as_str()) {
                    found.push(other);
                }
            }
            next += 1;
        }
        found.remove(0);
        found
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
        let others =
            self.fallbacks.of(&group.origin).into_iter().flat_map(|other| self.stand_ins(kind, name, other));
        let mut fallback: Vec<Value> = Vec::new();
        let primary: Vec<Value> = to.iter().map(|one| self.target(name, one, None)).collect();
        for target in later.into_iter().chain(others).map(|one| self.target(name, one, None)) {
            if !primary.contains(&target) && !fallback.contains(&target) {
                fallback.push(target);
            }
        }
        if let ([only], true) = (&*to, fallback.is_empty())
            && only.model == name
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

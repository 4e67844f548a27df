//! From the configuration of a LiteLLM proxy to one of ours.
//!
//! Models become upstreams and routes, their fallbacks, retries, time-outs and cool-downs with them; the proxy's budget and
//! the default rate of keys become a budget and a rate limit. Whatever has no counterpart is named in a comment: nothing is
//! dropped in silence. Keys that stand in the file in clear are not copied. This reads a text and writes one; it knows the
//! format as version 1.106 has it.

mod fallback;
mod group;
mod limits;
mod provider;
mod source;
mod upstream;
mod yaml;

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use group::Groups;
use source::{Notes, Section};
use upstream::Upstreams;

/// What an import gives.
#[derive(Debug)]
pub(crate) struct Imported {
    /// The configuration, with comments for what is not in it.
    pub(crate) yaml: String,
    /// What has no counterpart, and why.
    pub(crate) not_imported: Vec<String>,
    /// Variables that must be set.
    pub(crate) variables: BTreeSet<String>,
    /// How many upstreams there are.
    pub(crate) upstreams: usize,
}

/// Reads a proxy's YAML.
///
/// # Errors
/// When it is no YAML, or no table.
pub(crate) fn import(text: &str) -> Result<Imported, String> {
    let value: Value = serde_saphyr::from_str(text)
        .map_err(|error| error.without_snippet().to_string().replace('\n', ", "))?;
    let Value::Object(map) = value else { return Err("the file is no table".to_owned()) };
    let notes = Notes::default();
    let config = convert(&Section::new(String::new(), &map, &notes));
    let upstreams = config.get("upstreams").and_then(Value::as_array).map_or(0, Vec::len);
    let not_imported = notes.into_lines();
    let body = yaml::write(&config);
    let variables = variables(&body);
    let yaml = format!("{}\n{body}", comments(&not_imported, &variables));
    Ok(Imported { yaml, not_imported, variables, upstreams })
}

fn convert(root: &Section<'_>) -> Map<String, Value> {
    let (router, library) = (root.section("router_settings"), root.section("litellm_settings"));
    let standard = limits::treatment(router.as_ref(), library.as_ref());
    let mut config = Map::new();
    if let Some(general) = root.section("general_settings") {
        limits::general(&general, &mut config);
        general.finish(limits::why);
    }
    let (mut upstreams, mut groups) = (Upstreams::default(), Groups::default());
    for (index, entry) in root.list("model_list").iter().enumerate() {
        let path = format!("model_list[{index}]");
        match entry {
            Value::Object(map) => groups.add(&Section::new(path, map, root.notes), &mut upstreams, &standard),
            _ => root.notes.skip(path, "is no table"),
        }
    }
    if let Some(router) = &router {
        limits::aliases(router, &mut groups);
    }
    let fallbacks = limits::fallbacks(router.as_ref(), library.as_ref());
    let routes = groups.to_routes(&fallbacks, &upstreams, root.notes);
    let used = upstreams.0.iter().filter(|upstream| !upstream.is_idle());
    let list: Vec<Value> = used.map(|upstream| upstream.to_value(root.notes)).collect();
    let budgets: Vec<Value> = library.as_ref().and_then(limits::budget).into_iter().collect();
    let rates: Vec<Value> = library.as_ref().and_then(limits::rate_limit).into_iter().collect();
    for (key, values) in
        [("upstreams", list), ("routes", routes), ("budgets", budgets), ("rate_limits", rates)]
    {
        if !values.is_empty() {
            config.insert(key.to_owned(), json!(values));
        }
    }
    for section in [&router, &library].into_iter().flatten() {
        section.finish(limits::why);
    }
    root.finish(limits::why);
    config
}

/// Every variable that the configuration refers to.
fn variables(yaml: &str) -> BTreeSet<String> {
    let meant = yaml.replace("$${", "");
    let references = meant.split("${").skip(1).filter_map(|rest| rest.split_once('}'));
    references.map(|(name, _)| name.to_owned()).collect()
}

fn comments(not_imported: &[String], variables: &BTreeSet<String>) -> String {
    let mut text = String::from("# Made from the configuration of a LiteLLM proxy.\n");
    if !variables.is_empty() {
        let names: Vec<&str> = variables.iter().map(String::as_str).collect();
        text.push_str(&format!("# To be set in the environment: {}\n", names.join(", ")));
    }
    for line in not_imported {
        // A name in it is anybody's text and must not end the comment.
        let line: String = line.chars().map(|c| if yaml::is_forbidden(c) { ' ' } else { c }).collect();
        text.push_str(&format!("# not imported: {line}\n"));
    }
    text
}

#[cfg(test)]
mod tests;

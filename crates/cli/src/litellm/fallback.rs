//! Who stands in for which model when it fails.

use std::collections::BTreeMap;

use super::source::{Section, literal};

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
    pub(super) fn of<'a>(&'a self, model: &'a str) -> Vec<&'a str> {
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

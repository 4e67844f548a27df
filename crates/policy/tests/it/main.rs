//! Claims about policies as their users see them: what is written, and what it leads to.
#![expect(clippy::unwrap_used, reason = "clippy knows test functions, and not the functions that they call")]

mod drift;
mod files;
mod flow;
mod judging;
mod presets;
mod schema;

use std::path::{Path, PathBuf};

use seawall_config::{Document, Environment, read};
use seawall_policy::load::{self, Files};
use seawall_policy::{Asked, Decision, Declared, FlowState, Performer, Policy, PolicyFile, Setting};
use seawall_types::{Actor, Mode};
use serde_json::Value;

/// A policy written in YAML, in strict mode, with a folder as its root where it names none.
fn policy_in(folder: &Path, text: &str) -> Policy {
    let environment = Environment::default();
    let document = Document::from_text(Path::new("policy.yaml"), text, &environment).unwrap();
    let file = read(&document, PolicyFile::declare).unwrap();
    file.compile(&Setting { mode: Mode::Strict, folder, sandbox: None }, "policy.yaml")
}

fn policy(text: &str) -> Policy {
    policy_in(Path::new("/nowhere"), text)
}

/// What a preset, or a file of `files`, says in strict mode.
fn named(name: &str, folder: &Path, files: &Memory) -> Policy {
    let loaded = load::named(name, Path::new(""), &Environment::default(), files);
    let file = loaded.file.unwrap();
    file.compile(&Setting { mode: Mode::Strict, folder, sandbox: None }, name)
}

fn judged(policy: &Policy, tool: &str, args: &Value) -> Decision {
    judged_with(policy, tool, args, &Declared::Nothing, None)
}

fn judged_with(
    policy: &Policy,
    tool: &str,
    args: &Value,
    effects: &Declared,
    flow: Option<&FlowState>,
) -> Decision {
    let actor = Actor { key: Some("ci".into()), tenant: None, agent: None };
    policy.judge(&Asked { tool, args, effects, actor: &actor, run: "", flow, performer: Performer::Us })
}

/// Code and place of every finding.
fn findings(decision: &Decision) -> Vec<(&'static str, &str)> {
    decision.findings.iter().map(|finding| (finding.code.as_str(), finding.location.as_str())).collect()
}

/// Files that are on no disk.
#[derive(Default)]
struct Memory(Vec<(PathBuf, String)>);

impl Memory {
    fn of(files: &[(&str, &str)]) -> Self {
        Self(files.iter().map(|(path, text)| (PathBuf::from(path), (*text).to_owned())).collect())
    }
}

impl Files for Memory {
    fn read(&self, path: &Path) -> std::io::Result<String> {
        let found = self.0.iter().find(|(known, _)| known == path).map(|(_, text)| text.clone());
        found.ok_or_else(|| std::io::ErrorKind::NotFound.into())
    }
}

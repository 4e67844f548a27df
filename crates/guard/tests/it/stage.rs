//! A folder for a run, and what its trace says.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use seawall_guard::{PolicyChoice, Resolver, Run, RunOptions};
use serde_json::Value;
use tempfile::TempDir;

/// Every name leads to the same public address, but for those that begin with `private` or `nowhere`.
#[derive(Debug)]
pub(crate) struct Names;

impl Resolver for Names {
    fn resolve(&self, host: &str) -> std::io::Result<Vec<std::net::IpAddr>> {
        Ok(match host {
            _ if host.starts_with("private") => vec!["10.1.2.3".parse().unwrap()],
            _ if host.starts_with("nowhere") => Vec::new(),
            _ => vec!["93.184.215.14".parse().unwrap()],
        })
    }
}

/// A folder with `data` and `sandbox` in it.
pub(crate) struct Stage {
    folder: TempDir,
}

impl Stage {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("secret"), "PRIVATE KEY").unwrap();
        Self { folder }
    }

    pub(crate) fn folder(&self) -> PathBuf {
        self.folder.path().canonicalize().unwrap()
    }

    pub(crate) fn data_dir(&self) -> PathBuf {
        self.folder().join("data")
    }

    pub(crate) fn sandbox(&self) -> PathBuf {
        self.folder().join("sandbox")
    }

    /// Options under a policy: a preset, or the text of one.
    pub(crate) fn options(&self, policy: &str) -> RunOptions {
        let policy = if policy.contains(':') {
            let file = self.folder().join("policy.yaml");
            std::fs::write(&file, format!("version: 1\n{policy}\n")).unwrap();
            file.to_str().unwrap().to_owned()
        } else {
            policy.to_owned()
        };
        RunOptions {
            policy: PolicyChoice::named(&policy),
            allow_outside_root: true,
            resolver: Arc::new(Names),
            ..RunOptions::default()
        }
        .sandbox(self.sandbox())
        .data_dir(self.data_dir())
    }

    pub(crate) fn run(&self, policy: &str) -> Run {
        Run::begin(self.options(policy), None).unwrap()
    }
}

/// Every line of a trace file.
pub(crate) fn lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The kinds of a run's lines that are about actions, and its end. Ends the run.
pub(crate) fn kinds(run: &Run) -> Vec<String> {
    run.finish();
    let told = |line: &Value| line["kind"].as_str().unwrap().to_owned();
    let about = |kind: &String| kind.starts_with("action.") || kind == "run.finished";
    lines(run.trace_path().unwrap()).iter().map(told).filter(about).collect()
}

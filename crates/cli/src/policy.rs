//! The policy that a configuration names: a preset, a file, or written in the configuration itself.

use std::io;
use std::path::{Path, PathBuf};

use seawall_config::{ConfigError, Environment, Errors, Origin};
use seawall_gateway::{PolicySource, Settings};
use seawall_policy::load::{self, Files, Loaded};
use seawall_policy::{Policy, PolicyFile, Setting};
use seawall_types::Mode;

/// The files of this machine.
pub(crate) struct Disk;

impl Files for Disk {
    fn read(&self, path: &Path) -> io::Result<String> {
        std::fs::read_to_string(path)
    }
}

/// A policy in force, or to be, with the files that it was made of. Those are to be watched, also when it is faulty.
pub(crate) struct Named {
    pub(crate) policy: Result<Policy, Errors>,
    pub(crate) files: Vec<PathBuf>,
}

/// Loads the configured policy.
pub(crate) fn configured(settings: &Settings, environment: &Environment) -> Named {
    configured_in(settings, environment, None)
}

/// The same for what happens in this sandbox.
pub(crate) fn configured_in(settings: &Settings, environment: &Environment, sandbox: Option<&Path>) -> Named {
    match &settings.policy {
        PolicySource::Inline(value) => {
            let loaded = load::inline(value, Path::new(""), environment, &Disk);
            compiled(loaded, settings.mode, "the configuration", sandbox)
        }
        PolicySource::Named(name) => named_in(name, settings.mode, environment, sandbox),
    }
}

/// Loads a preset, or a policy from a file. One that says no mode has this one.
pub(crate) fn named(name: &str, mode: Mode, environment: &Environment) -> Named {
    named_in(name, mode, environment, None)
}

/// The same for what happens in this sandbox.
pub(crate) fn named_in(name: &str, mode: Mode, environment: &Environment, sandbox: Option<&Path>) -> Named {
    compiled(load::named(name, Path::new(""), environment, &Disk), mode, name, sandbox)
}

fn compiled(loaded: Loaded, mode: Mode, source: &str, sandbox: Option<&Path>) -> Named {
    let folder = working_folder();
    let setting = Setting { mode, folder: &folder, sandbox };
    let policy = loaded.file.map(|file: PolicyFile| file.compile(&setting, source));
    Named { policy, files: loaded.files }
}

/// Where relative paths begin. A folder that was removed under the process opens nothing.
pub(crate) fn working_folder() -> PathBuf {
    std::env::current_dir().unwrap_or_else(|_gone| PathBuf::from("/nowhere"))
}

/// Faults of the policy that stands at this key, one a line: with a key below it, or with the file that it names.
pub(crate) fn faults(key: &str, errors: &Errors) -> String {
    let line = |error: &ConfigError| match error.origin {
        Origin::Default if !error.key.is_empty() => {
            let line = error.to_string();
            format!("{key}.{}", line.strip_prefix("configuration: ").unwrap_or(&line))
        }
        Origin::Default => format!("{key}: {}", error.to_string().trim_start_matches("configuration: ")),
        Origin::File(_) | Origin::Env(_) | Origin::Flag => format!("{key}: {error}"),
    };
    errors.0.iter().map(line).collect::<Vec<_>>().join("\n")
}

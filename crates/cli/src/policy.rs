//! The policy that a configuration names: a preset, a file, or written in the configuration itself.

use std::path::{Path, PathBuf};

use seawall_config::{Document, Environment, read};
use seawall_gateway::{PolicySource, Settings};
use seawall_policy::{PRESETS, Policy, PolicyFile};
use seawall_types::Mode;

/// Loads the configured policy. With it comes the file it was in, if it was in one.
///
/// # Errors
/// What is wrong with it, all at once.
pub(crate) fn load(
    settings: &Settings,
    environment: &Environment,
) -> Result<(Policy, Option<PathBuf>), String> {
    match &settings.policy {
        PolicySource::Inline(value) => {
            let file = read(&Document::from_value(value), PolicyFile::declare)
                .map_err(|errors| format!("policy: {errors}"))?;
            Ok((file.compile(settings.mode, "the configuration"), None))
        }
        PolicySource::Named(name) => named(name, settings.mode, environment),
    }
}

/// Loads a preset, or a policy from a file, which comes with it. One that says no mode has this one.
///
/// # Errors
/// What is wrong with it, all at once.
pub(crate) fn named(
    name: &str,
    mode: Mode,
    environment: &Environment,
) -> Result<(Policy, Option<PathBuf>), String> {
    if name == "off" {
        return Ok((Policy::off(mode), None));
    }
    let path = Path::new(name);
    let text = std::fs::read_to_string(path).map_err(|error| unknown(name, &error))?;
    let document = Document::from_text(path, &text, environment).map_err(|errors| errors.to_string())?;
    let file = read(&document, PolicyFile::declare).map_err(|errors| errors.to_string())?;
    Ok((file.compile(mode, name), Some(path.to_owned())))
}

fn unknown(name: &str, error: &std::io::Error) -> String {
    let needs_detectors = ["fs_safe", "net_safe", "safe", "strict", "readonly"].contains(&name);
    if needs_detectors {
        return format!(
            "policy: the preset {name:?} needs detectors, which this build does not have; use off, or a file with models and limits"
        );
    }
    format!(
        "policy: {name:?} is neither a preset ({}) nor a file that can be read: {error}",
        PRESETS.join(", ")
    )
}

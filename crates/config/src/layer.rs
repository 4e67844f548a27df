//! Which files make up a configuration, and reading one of them.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;

use super::error::ConfigError;
use super::node::{Node, Origin, Spelling};
use super::parse::{Format, parse};

/// The endings of a layer's name in a folder, as the messages name them.
const EXTENSIONS: [&str; 4] = ["toml", "yaml", "yml", "json"];
const ENDINGS: &str = "{toml,yaml,yml,json}";

/// No configuration is this large; a file that is has been named by mistake.
const LARGEST_FILE: u64 = 8 * 1024 * 1024;

/// The files that `paths` name, lowest layer first.
///
/// A file is one layer. A folder is two, `defaults.*` and `<environment>.*`; the second must be in one of the folders
/// when an environment is named, because whoever names one means it.
pub(crate) fn files(
    paths: &[PathBuf],
    environment: Option<&str>,
    errors: &mut Vec<ConfigError>,
) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut environment_found = false;
    for path in paths {
        if !path.is_dir() {
            found.push(path.clone());
            continue;
        }
        let defaults = find(path, "defaults", errors);
        let overlay = environment.filter(|name| is_sound(name)).and_then(|name| find(path, name, errors));
        if defaults.is_none() && overlay.is_none() && environment.is_none() {
            errors.push(fault(
                path,
                &format!("the folder holds no defaults.{ENDINGS}"),
                "add one, or name a file",
            ));
        }
        environment_found |= overlay.is_some();
        found.extend(defaults.into_iter().chain(overlay));
    }
    if let Some(name) = environment.filter(|_| !environment_found) {
        errors.push(missing_environment(name));
    }
    found
}

/// The file of one layer in a folder.
fn find(folder: &Path, stem: &str, errors: &mut Vec<ConfigError>) -> Option<PathBuf> {
    let candidates = EXTENSIONS.iter().map(|extension| folder.join(format!("{stem}.{extension}")));
    let mut existing = candidates.filter(|path| path.exists());
    let first = existing.next()?;
    if let Some(second) = existing.next() {
        let message = format!("{} holds the same layer", second.display());
        errors.push(fault(&first, &message, "keep one of the two files"));
    }
    Some(first)
}

/// Whether a name can't lead out of its folder.
fn is_sound(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}

fn missing_environment(name: &str) -> ConfigError {
    let message = if is_sound(name) {
        format!("the environment {name:?} has no file {name}.{ENDINGS} in a configuration folder")
    } else {
        format!("{name:?} can't be the name of an environment: use letters, digits, _ and -")
    };
    ConfigError::new(Origin::Default, "", &message, "check SEAWALL_ENV, and that --config names the folder")
}

/// Reads one file into a tree.
pub(crate) fn read(path: &Path) -> Result<Node, ConfigError> {
    let text = read_text(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => fault(path, "there is no such file", "check --config"),
        io::ErrorKind::InvalidData => fault(path, "the file is not UTF-8 text", ""),
        _ => fault(path, &format!("the file can't be read: {error}"), ""),
    })?;
    from_text(path, &text)
}

fn read_text(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    let read = File::open(path)?.take(LARGEST_FILE + 1).read_to_string(&mut text)?;
    if u64::try_from(read).unwrap_or(u64::MAX) > LARGEST_FILE {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is larger than 8M"));
    }
    Ok(text)
}

/// Reads the text of a file into a tree.
pub(crate) fn from_text(path: &Path, text: &str) -> Result<Node, ConfigError> {
    let format = Format::of(path).ok_or_else(|| {
        fault(path, "this is no configuration file", "end its name in .toml, .yaml, .yml or .json")
    })?;
    let value = parse(text, format).map_err(|message| fault(path, &message, ""))?;
    if !matches!(value, Value::Object(_)) {
        return Err(fault(path, "the file must hold a table of sections", ""));
    }
    Ok(Node::from_value(&value, &Arc::new(Origin::File(path.to_owned())), &Spelling::Literal))
}

fn fault(path: &Path, message: &str, hint: &str) -> ConfigError {
    ConfigError::new(Origin::File(path.to_owned()), "", message, hint)
}

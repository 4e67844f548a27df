//! The environment variables of the process, read once.
//!
//! Everything else takes an [`Environment`], so tests hand in their own and nothing depends on a process-wide table
//! that other threads may change.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io::{self, Read};
use std::path::Path;

/// What all configuration variables begin with.
const PREFIX: &str = "SEAWALL";

/// A secret is a line of text; a file that is larger than this is something else.
const LARGEST_SECRET_FILE: u64 = 64 * 1024;

/// Environment variables, by name. Shows only the names: the values may be secrets.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// The variables of this process. Called once, in `main`.
    ///
    /// Variables that are not Unicode are left out: no name or value of ours is.
    #[must_use]
    pub fn capture() -> Self {
        std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect()
    }

    /// The value of a variable, if it is set.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Adds the files of a secrets folder as Docker and Kubernetes mount it: one variable a file, named after it,
    /// its value the contents without the last line break. Variables that are set already stay.
    ///
    /// Folders, hidden files, files that are not text and files above 64 KiB are left out.
    ///
    /// # Errors
    /// The folder, or a file in it, can't be read.
    pub fn with_secrets_folder(mut self, folder: &Path) -> io::Result<Self> {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            if name.starts_with('.') || self.0.contains_key(&name) {
                continue;
            }
            if let Some(value) = read_secret(&entry.path())? {
                self.0.insert(name, value);
            }
        }
        Ok(self)
    }

    /// The variables that set configuration keys, each with the path of its key.
    pub(crate) fn config_keys(&self) -> impl Iterator<Item = (&str, Vec<String>, &str)> {
        self.0.iter().filter_map(|(name, value)| Some((name.as_str(), key_path(name)?, value.as_str())))
    }
}

/// `SEAWALL_GATEWAY__LIMITS__BODY` is `gateway`, `limits`, `body`; `SEAWALL__STORE` is the top-level `store`.
///
/// A name without two underscores in a row is no configuration key: `SEAWALL_HOME`, `SEAWALL_ENV` and the like, and
/// whatever an orchestrator sets for a service that happens to be called `seawall`.
fn key_path(name: &str) -> Option<Vec<String>> {
    let rest = name.strip_prefix(PREFIX)?;
    let path = match rest.strip_prefix("__") {
        Some(path) => path,
        None => rest.strip_prefix('_').filter(|path| path.contains("__"))?,
    };
    Some(path.split("__").map(str::to_lowercase).collect())
}

fn read_secret(path: &Path) -> io::Result<Option<String>> {
    let file = fs::File::open(path)?;
    let about = file.metadata()?;
    if !about.is_file() || about.len() > LARGEST_SECRET_FILE {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    file.take(LARGEST_SECRET_FILE).read_to_end(&mut bytes)?;
    let Ok(mut text) = String::from_utf8(bytes) else { return Ok(None) };
    text.truncate(text.strip_suffix('\n').map_or(text.len(), |line| line.trim_end_matches('\r').len()));
    Ok(Some(text))
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(variables: I) -> Self {
        Self(variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_with_two_underscores_are_configuration_keys() {
        for (name, path) in [
            ("SEAWALL_GATEWAY__LISTEN", Some("gateway.listen")),
            ("SEAWALL_GATEWAY__LIMITS__BODY", Some("gateway.limits.body")),
            ("SEAWALL_RATE_LIMITS__0__RPM", Some("rate_limits.0.rpm")),
            ("SEAWALL__STORE", Some("store")),
            ("SEAWALL_HOME", None),
            ("SEAWALL_UPSTREAM_API_KEY", None),
            ("SEAWALL_SERVICE_HOST", None),
            ("SEAWALLS__STORE", None),
            ("MY_SEAWALL__STORE", None),
        ] {
            assert_eq!(key_path(name).map(|path| path.join(".")).as_deref(), path, "{name}");
        }
    }

    #[test]
    fn debug_shows_names_alone() {
        let environment = Environment::from_iter([("TOKEN", "hush")]);
        assert_eq!(format!("{environment:?}"), r#"{"TOKEN"}"#);
    }

    #[test]
    fn a_secrets_folder_adds_what_is_not_set() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("API_KEY"), "from the file\r\n").unwrap();
        fs::write(folder.path().join("TOKEN"), "from the file").unwrap();
        fs::write(folder.path().join(".hidden"), "x").unwrap();
        fs::write(folder.path().join("BINARY"), [0xff]).unwrap();
        fs::create_dir(folder.path().join("FOLDER")).unwrap();
        let environment =
            Environment::from_iter([("TOKEN", "set")]).with_secrets_folder(folder.path()).unwrap();
        let expected = Environment::from_iter([("API_KEY", "from the file"), ("TOKEN", "set")]);
        assert_eq!(environment, expected);
        assert!(Environment::default().with_secrets_folder(&folder.path().join("none")).is_err());
    }
}

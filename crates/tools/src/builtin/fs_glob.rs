//! `fs_glob`: files by their names.

use std::path::{Path, PathBuf};

use globset::{GlobBuilder, GlobMatcher};
use seawall_engine::EffectClass;
use seawall_types::Effect;
use serde::Deserialize;
use serde_json::{Value, json};

use super::blocking::{Blocking, Work};
use super::{FILE_TIME, described, spec};
use crate::Failure;
use crate::place::{Visit, Walk};

/// So many files are given where nobody says how many, and at most.
const FILES: usize = 200;
const MOST_FILES: usize = 2_000;
/// The names that are given take at most so much.
const MOST_BYTES: usize = 48 * 1024;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Arguments {
    pattern: String,
    cwd: Option<String>,
    #[serde(default)]
    dot: bool,
    #[serde(default)]
    ignored: bool,
    limit: Option<usize>,
}

pub(super) fn tool() -> Blocking<impl serde::de::DeserializeOwned + std::fmt::Debug + Send> {
    let parameters = json!({
        "type": "object",
        "properties": {
            "pattern": {
                "type": "string", "minLength": 1,
                "description": "A glob such as src/**/*.rs: * and ? stay within a name, ** goes through folders, {a,b} is either"
            },
            "cwd": { "type": "string", "description": "The folder to begin in, from the working folder (default: that)" },
            "dot": { "type": "boolean", "description": "Also what begins with a dot (default: false)" },
            "ignored": { "type": "boolean", "description": "Also what .gitignore names (default: false)" },
            "limit": { "type": "integer", "minimum": 1, "maximum": MOST_FILES, "description": "How many files (default: 200)" },
        },
        "required": ["pattern"],
        "additionalProperties": false,
    });
    let description = "Finds files by a pattern of their paths. Gives matches, from the working folder and in order, and \
        truncated: whether there are more.";
    let spec = spec(EffectClass::Pure, false, FILE_TIME);
    let description = described("fs_glob", description, parameters, spec)
        .touching(Effect::FsRead, &["cwd"])
        .texts(&["pattern"]);
    Blocking::new(description, perform)
}

fn perform(work: &Work, arguments: &Arguments) -> Result<Value, Failure> {
    let cwd = arguments.cwd.as_deref().unwrap_or(".");
    let sought = Sought::read(&arguments.pattern, cwd)?;
    let limit = arguments.limit.unwrap_or(FILES);
    let begin = work.place.locate(Effect::FsRead, &sought.folder)?;
    let walk = Walk::begin(&work.place, &begin, arguments.dot, arguments.ignored)?;
    let (mut matches, mut bytes) = (Vec::new(), 0);
    let all = walk.each(&work.stop, |entry| {
        if !sought.matches(entry.path) {
            return Ok(Visit::GoOn);
        }
        if matches.len() >= limit || bytes >= MOST_BYTES {
            return Ok(Visit::Enough);
        }
        let shown = work.place.shown(&walk.base_path().join(entry.path));
        bytes += shown.len();
        matches.push(shown);
        Ok(Visit::GoOn)
    })?;
    Ok(json!({ "cwd": cwd, "matches": matches, "truncated": !all }))
}

/// A pattern, taken apart into the folder where its search begins and what is sought there.
pub(crate) struct Sought {
    /// From the working folder, or absolute.
    pub(crate) folder: String,
    glob: GlobMatcher,
}

impl Sought {
    /// Reads a pattern that begins in `cwd`.
    pub(crate) fn read(pattern: &str, cwd: &str) -> Result<Self, Failure> {
        let means = |name: &str| name.contains(['*', '?', '[', ']', '{', '}', '\\']);
        let mut names: Vec<&str> = pattern.split('/').filter(|name| *name != ".").collect();
        let plain = names.iter().take_while(|name| !means(name)).count().min(names.len().saturating_sub(1));
        let rest = names.split_off(plain);
        let below = names.join("/");
        let folder = match (pattern.starts_with('/'), below.is_empty()) {
            (true, true) => "/".to_owned(),
            (true, false) => below,
            (false, true) => cwd.to_owned(),
            (false, false) => PathBuf::from(cwd).join(below).to_string_lossy().into_owned(),
        };
        let glob = GlobBuilder::new(&rest.join("/")).literal_separator(true).empty_alternates(true).build();
        let glob = glob.map_err(|error| {
            Failure::new(format!("{pattern:?} is no pattern: {}; write it as in src/**/*.rs", error.kind()))
        })?;
        Ok(Self { folder, glob: glob.compile_matcher() })
    }

    pub(crate) fn matches(&self, path: &Path) -> bool {
        self.glob.is_match(path)
    }
}

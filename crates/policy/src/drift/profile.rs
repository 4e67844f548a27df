//! The profile of a baseline: which tools, hosts and folders recorded runs knew, and how often they called each tool.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use seawall_types::{Actor, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Pace;
use crate::judge::footprint;
use crate::{Asked, Performer};

/// The version of the format that is read and written.
const VERSION: u64 = 1;

/// What runs of a baseline did. As a file it is one JSON object.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    version: u64,
    /// How many runs it was made of.
    runs: u64,
    /// Each tool, with its most calls in a minute of one caller in one run.
    tools: BTreeMap<String, u64>,
    hosts: BTreeSet<String>,
    /// Folders: below the root, absolute, or from `~` on.
    paths: BTreeSet<String>,
}

/// A text is no profile.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// It is no JSON, or has other fields.
    #[error("it is no profile of runs: {0}")]
    Malformed(#[from] serde_json::Error),
    /// It is of a version that this program does not know.
    #[error("it is a profile of version {0}, and this program reads version {version}", version = VERSION)]
    Version(Value),
}

impl Profile {
    /// Reads the text of a file.
    ///
    /// # Errors
    /// It is no profile, or one of another version.
    pub fn parse(text: &str) -> Result<Self, ProfileError> {
        let written: Value = serde_json::from_str(text)?;
        match written.get("version") {
            Some(version) if version.as_u64() != Some(VERSION) => Err(ProfileError::Version(version.clone())),
            _ => Ok(serde_json::from_value(written)?),
        }
    }

    /// The most calls of a tool in a minute; `None` for a tool that was never called.
    pub(super) fn most_calls_a_minute(&self, tool: &str) -> Option<u64> {
        self.tools.get(tool).copied()
    }

    pub(super) fn has_host(&self, host: &str) -> bool {
        self.hosts.contains(host)
    }

    pub(super) fn has_folder(&self, folder: &str) -> bool {
        self.paths.contains(folder)
    }
}

/// Makes a profile of the calls of runs, one run after the other. Several runs add up; of a rate the highest of one caller
/// in one run counts.
#[derive(Debug)]
pub struct ProfileBuilder {
    profile: Profile,
    /// The tools of the run that is being read. By who performs their calls: one that a model asked for and the same one
    /// when it is performed are written down both, and would count twice. And by caller, as they are counted when they are
    /// made: a server's run is of many.
    paces: HashMap<(bool, Actor, String), Pace>,
}

impl Default for ProfileBuilder {
    fn default() -> Self {
        Self { profile: Profile { version: VERSION, ..Profile::default() }, paces: HashMap::new() }
    }
}

impl ProfileBuilder {
    /// Takes the next calls as those of another run.
    pub fn begin_run(&mut self) {
        self.paces.clear();
        self.profile.runs = self.profile.runs.saturating_add(1);
    }

    /// Takes in a call of a tool. Paths are below this root, absolute.
    pub fn call(&mut self, root: &Path, asked: &Asked<'_>, at: Timestamp) {
        let was_only_asked_for = asked.performer == Performer::Client;
        let caller = (was_only_asked_for, asked.actor.clone(), asked.tool.to_owned());
        let calls = self.paces.entry(caller).or_default().call(at);
        let most = self.profile.tools.entry(asked.tool.to_owned()).or_default();
        *most = calls.max(*most);
        let footprint = footprint(root, asked);
        self.profile.hosts.extend(footprint.hosts.into_keys());
        self.profile.paths.extend(footprint.folders.into_keys());
    }

    /// The profile of everything that was taken in.
    #[must_use]
    pub fn finish(self) -> Profile {
        self.profile
    }
}

//! A policy as it is written: the keys of its file. One declaration gives the values, all errors and the JSON Schema.

mod keys;
mod merge;

use std::path::{Path, PathBuf};

use seawall_config::Reader;
use seawall_detect::commands::CommandRules;
use seawall_detect::network::NetworkRules;
use seawall_detect::paths::FileRules;
use seawall_types::{Mode, Pattern, Verdict};
use serde_json::Value;

use crate::drift::{DriftRule, Profile};
use crate::flow::FlowRule;
use crate::place::Place;
use crate::text::Way;
use crate::tool::ToolRule;
use crate::{Policy, PolicyLimits, TextRules};
pub(crate) use keys::{CommandKeys, FileKeys, NetworkKeys, PiiKeys, TextKeys};

/// What one file says, or several that were laid over each other.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PolicyFile {
    name: Option<String>,
    extends: Vec<String>,
    mode: Option<Mode>,
    files: Option<FileKeys>,
    network: Option<NetworkKeys>,
    commands: Option<CommandKeys>,
    secrets: TextKeys,
    pii: PiiKeys,
    injection: Option<Verdict>,
    tools: Vec<ToolRule>,
    models: Option<Vec<Pattern>>,
    max_output_tokens: Option<u64>,
    limits: PolicyLimits,
    flow: Vec<FlowRule>,
    sensitive: Vec<Place>,
    sinks: Vec<Place>,
    drift: Option<DriftRule>,
}

/// Where a policy is to hold.
#[derive(Debug, Clone, Copy)]
pub struct Setting<'a> {
    /// The mode of a policy that says none.
    pub mode: Mode,
    /// The folder that paths are under when the policy names no root, absolute: the working folder.
    pub folder: &'a Path,
    /// A folder that takes the place of any root: the sandbox.
    pub sandbox: Option<&'a Path>,
}

impl PolicyFile {
    /// Reads the keys of a policy file.
    pub fn declare(reader: &mut Reader<'_>) -> Self {
        // The range allows no other, so there is nothing to keep.
        reader.integer("version", "Version of this format.", 1, 1..=1);
        let name = reader.optional_text("name", "What the policy is called in traces.");
        let extends = reader.strings(
            "extends",
            "Presets, and files beside this one, that this policy begins with. Later ones win; lists add up.",
        );
        let modes = [("warn", Mode::Warn), ("strict", Mode::Strict)];
        let mode = reader.optional_choice("mode", "Whether findings refuse; default: gateway.mode.", &modes);
        let (models, max_output_tokens) =
            reader.section("models", "Models that may be called.", keys::models);
        Self {
            name,
            extends,
            mode,
            files: reader.optional_section(
                "files",
                "Files that tools may touch. Absent: not judged.",
                FileKeys::declare,
            ),
            network: reader.optional_section(
                "network",
                "Hosts that tools may talk to. Absent: not judged.",
                NetworkKeys::declare,
            ),
            commands: reader.optional_section(
                "commands",
                "Commands that tools may run. Absent: not judged.",
                CommandKeys::declare,
            ),
            secrets: reader.section("secrets", "What secrets in texts lead to.", TextKeys::declare),
            pii: reader.section("pii", "What personal data in texts leads to.", PiiKeys::declare),
            injection: reader.optional_choice(
                "injection",
                "What a text leads to that tries to instruct the model; default: allow.",
                &keys::VERDICTS,
            ),
            tools: reader.list(
                "tools",
                "Rules about tools by name; every one that matches counts.",
                ToolRule::declare,
            ),
            models,
            max_output_tokens,
            limits: reader.section("limits", "What one run may use.", PolicyLimits::declare),
            flow: reader
                .list("flow", "Rules about the order of a run's actions.", FlowRule::declare)
                .into_iter()
                .flatten()
                .collect(),
            sensitive: reader.list(
                "sensitive",
                "Sources whose data must not leave by a sink.",
                Place::declare,
            ),
            sinks: reader.list("sinks", "Ways on which data leaves.", Place::declare),
            drift: reader.optional_section(
                "drift",
                "What becomes of actions that the runs of a baseline did not do. Absent: not judged.",
                DriftRule::declare,
            ),
        }
    }

    /// The JSON Schema of a policy file.
    #[must_use]
    pub fn schema() -> Value {
        seawall_config::schema(Self::declare)
    }

    /// What this policy begins with, by name or path, as written.
    #[must_use]
    pub fn extends(&self) -> &[String] {
        &self.extends
    }

    /// The file of the baseline that this file names, as written.
    pub(crate) fn baseline(&self) -> Option<&Path> {
        self.drift.as_ref().map(DriftRule::baseline)
    }

    /// The same, compared with the baseline that it names.
    pub(crate) fn compared_with(mut self, profile: Profile) -> Self {
        self.drift = self.drift.take().map(|drift| drift.compared_with(profile));
        self
    }

    /// Takes the paths that this file names as relative to its folder.
    pub(crate) fn rooted_at(mut self, folder: &Path) -> Self {
        if let Some(files) = &mut self.files {
            files.root = files.root.take().map(|root| folder.join(root));
        }
        self
    }

    /// The policy that holds in this setting. `source` tells it from others of its name.
    #[must_use]
    pub fn compile(self, setting: &Setting<'_>, source: &str) -> Policy {
        let (kinds, injection) = (self.pii.kinds(), self.injection.unwrap_or_default());
        let text = |way, secrets: Option<Verdict>, pii: Option<Verdict>| {
            TextRules::new(way, secrets.unwrap_or_default(), pii.unwrap_or_default(), kinds, injection)
        };
        let files = self.files.map(|files| files.compile(setting));
        let root = files.as_ref().map_or_else(|| setting.root(None), |files| files.root.clone());
        Policy {
            towards: text(Way::In, self.secrets.inwards, self.pii.verdicts.inwards),
            back: text(Way::Out, self.secrets.outwards, self.pii.verdicts.outwards),
            name: self.name.unwrap_or_else(|| "unnamed".to_owned()),
            source: source.to_owned(),
            mode: self.mode.unwrap_or(setting.mode),
            models: self.models,
            max_output_tokens: self.max_output_tokens,
            limits: self.limits,
            root,
            files,
            network: self.network.map(NetworkKeys::compile),
            commands: self.commands.map(CommandKeys::compile),
            tools: self.tools,
            flow: self.flow,
            sensitive: self.sensitive,
            sinks: self.sinks,
            drift: self.drift,
        }
    }
}

impl Setting<'_> {
    /// The folder that paths are under, where the policy names this one. Written without `.` and doubled slashes, which would
    /// otherwise be taken out anew for every path under it.
    fn root(&self, named: Option<PathBuf>) -> PathBuf {
        let written = self.folder.join(self.sandbox.map(PathBuf::from).or(named).unwrap_or_default());
        written.components().collect()
    }
}

impl FileKeys {
    fn compile(self, setting: &Setting<'_>) -> FileRules {
        FileRules {
            root: setting.root(self.root),
            also: self.also,
            max_file_bytes: self.max_file_bytes,
            symlinks: self.symlinks.unwrap_or_default(),
        }
    }
}

impl NetworkKeys {
    fn compile(self) -> NetworkRules {
        NetworkRules {
            hosts: self.hosts,
            ports: self.ports,
            schemes: self.schemes,
            private: self.private.unwrap_or_default(),
        }
    }
}

impl CommandKeys {
    fn compile(self) -> CommandRules {
        let mut deny =
            if self.dangerous == Some(false) { Vec::new() } else { CommandRules::dangerous().deny };
        deny.extend(self.deny);
        CommandRules { allow: self.allow, deny }
    }
}

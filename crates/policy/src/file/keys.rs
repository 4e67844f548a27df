//! The sections of a policy file.

use std::path::PathBuf;
use std::time::Duration;

use seawall_config::{Reader, nearest};
use seawall_detect::commands::CommandPattern;
use seawall_detect::network::{HostPattern, Private};
use seawall_detect::paths::{Opened, Symlinks};
use seawall_detect::{PiiKind, PiiKinds};
use seawall_types::{Pattern, Verdict};

use crate::PolicyLimits;

/// What a finding in a text can lead to.
pub(super) const VERDICTS: [(&str, Verdict); 5] = [
    ("allow", Verdict::Allow),
    ("warn", Verdict::Warn),
    ("redact", Verdict::Redact),
    ("ask", Verdict::Ask),
    ("deny", Verdict::Deny),
];

/// No tool runs for longer than a week.
const LONGEST_TOOL_SECONDS: u64 = 7 * 24 * 3600;

pub(super) fn models(reader: &mut Reader<'_>) -> (Option<Vec<Pattern>>, Option<u64>) {
    (
        reader.optional_parsed_list("allow", "Names; one `*` stands for any text. Absent: any; empty: none."),
        reader.optional_integer("max_output_tokens", "The most tokens of one answer.", 1..=u64::MAX),
    )
}

/// `files`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct FileKeys {
    pub(crate) root: Option<PathBuf>,
    pub(crate) also: Vec<Opened>,
    pub(crate) max_file_bytes: Option<u64>,
    pub(crate) symlinks: Option<Symlinks>,
}

impl FileKeys {
    pub(super) fn declare(reader: &mut Reader<'_>) -> Self {
        let root =
            "The folder that is open, relative to this file; default: the sandbox, else the working folder.";
        let also = "More places, as `PATH`, or `PATH:ro` to read only; relative means under the root. The most specific decides.";
        Self {
            root: reader.optional_text("root", root).map(PathBuf::from),
            also: opened(reader, "also", also),
            max_file_bytes: reader.optional_size(
                "max_file_bytes",
                "The most bytes of one file.",
                1..=u64::MAX,
            ),
            symlinks: reader.optional_choice(
                "follow_symlinks",
                "Whether links are followed inside of what is open, or never; default: inside.",
                &[("inside", Symlinks::Inside), ("never", Symlinks::Never)],
            ),
        }
    }
}

/// The places of a list. Their type has no way to show itself, so they are parsed here.
fn opened(reader: &mut Reader<'_>, key: &str, doc: &str) -> Vec<Opened> {
    let mut opened = Vec::new();
    for (index, text) in reader.strings(key, doc).iter().enumerate() {
        match text.parse() {
            Ok(place) => opened.push(place),
            Err(error) => reader.error(&format!("{key}[{index}]"), format!("{error}"), ""),
        }
    }
    opened
}

/// `network`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct NetworkKeys {
    pub(crate) hosts: Option<Vec<HostPattern>>,
    pub(crate) ports: Option<Vec<u16>>,
    pub(crate) schemes: Option<Vec<String>>,
    pub(crate) private: Option<Private>,
}

impl NetworkKeys {
    pub(super) fn declare(reader: &mut Reader<'_>) -> Self {
        let hosts = "Names, `*.example.com` for all below, addresses, networks. Absent: any; empty: none.";
        let ports = reader.optional_integers("ports", "Absent: any; empty: none.", 1..=u64::from(u16::MAX));
        Self {
            hosts: reader.optional_parsed_list("hosts", hosts),
            ports: ports.map(|ports| ports.into_iter().filter_map(|port| u16::try_from(port).ok()).collect()),
            schemes: schemes(reader),
            private: reader.optional_choice(
                "private",
                "What becomes of addresses that aren't reachable from the internet; default: deny.",
                &[("deny", Private::Deny), ("allow", Private::Allow)],
            ),
        }
    }
}

fn schemes(reader: &mut Reader<'_>) -> Option<Vec<String>> {
    let mut schemes = reader.optional_strings("schemes", "As in `https`. Absent: any; empty: none.")?;
    for (index, scheme) in schemes.iter_mut().enumerate() {
        scheme.make_ascii_lowercase();
        let sound = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
        if scheme.is_empty() || !scheme.chars().all(sound) {
            reader.error(
                &format!("schemes[{index}]"),
                format!("{scheme:?} is no scheme"),
                "write it like https",
            );
        }
    }
    Some(schemes)
}

/// `commands`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct CommandKeys {
    pub(crate) allow: Option<Vec<CommandPattern>>,
    pub(crate) deny: Vec<CommandPattern>,
    /// Whether the built-in list of what no agent should run is refused.
    pub(crate) dangerous: Option<bool>,
}

impl CommandKeys {
    pub(super) fn declare(reader: &mut Reader<'_>) -> Self {
        let allow = "What may run, as in `git *`. Absent: any; empty: none.";
        Self {
            allow: reader.optional_parsed_list("allow", allow),
            deny: reader.parsed_list("deny", "What may not, whatever `allow` says."),
            dangerous: reader
                .optional_choice(
                    "dangerous",
                    "What becomes of commands that destroy the machine or hand it to somebody else; default: deny.",
                    &[("deny", true), ("allow", false)],
                ),
        }
    }
}

/// What a finding leads to, by the way that a text goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct TextKeys {
    pub(crate) inwards: Option<Verdict>,
    pub(crate) outwards: Option<Verdict>,
}

impl TextKeys {
    pub(super) fn declare(reader: &mut Reader<'_>) -> Self {
        Self {
            inwards: reader.optional_choice(
                "in",
                "In what goes to a model or a tool; default: allow.",
                &VERDICTS,
            ),
            outwards: reader.optional_choice("out", "In what comes back; default: allow.", &VERDICTS),
        }
    }
}

/// `pii`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct PiiKeys {
    pub(crate) verdicts: TextKeys,
    pub(crate) kinds: Option<Vec<PiiKind>>,
}

impl PiiKeys {
    pub(super) fn declare(reader: &mut Reader<'_>) -> Self {
        let known = PiiKind::ALL.iter().map(|kind| kind.as_str()).collect::<Vec<_>>().join(", ");
        let doc = format!("Which kinds, of {known}. Absent: all but ip; empty: none.");
        Self { verdicts: TextKeys::declare(reader), kinds: kinds(reader, &doc) }
    }

    /// The kinds that are looked for. Addresses of machines are personal data in few texts, so they are asked for by name.
    pub(super) fn kinds(&self) -> PiiKinds {
        let usual = || PiiKind::ALL.iter().copied().filter(|kind| *kind != PiiKind::Ip).collect();
        self.kinds.as_ref().map_or_else(usual, |kinds| kinds.iter().copied().collect())
    }
}

/// The kinds of a list. Their type reads and shows nothing itself, so that is done here.
fn kinds(reader: &mut Reader<'_>, doc: &str) -> Option<Vec<PiiKind>> {
    let mut kinds = Vec::new();
    for (index, name) in reader.optional_strings("kinds", doc)?.iter().enumerate() {
        match PiiKind::parse(name) {
            Some(kind) => kinds.push(kind),
            None => {
                let known = nearest(name, PiiKind::ALL.iter().map(|kind| kind.as_str()));
                let hint = known.map(|known| format!("did you mean {known}?")).unwrap_or_default();
                reader.error(
                    &format!("kinds[{index}]"),
                    format!("{name:?} is no kind of personal data"),
                    hint,
                );
            }
        }
    }
    Some(kinds)
}

impl PolicyLimits {
    pub(super) fn declare(reader: &mut Reader<'_>) -> Self {
        let concurrent = reader.optional_integer("concurrent", "Actions at the same time.", 1..=1_000_000);
        Self {
            usd: reader.optional_usd("usd", "Money, in total."),
            usd_per_minute: reader.optional_usd("usd_per_minute", "Money in any sixty seconds."),
            tokens: reader.optional_integer("tokens", "Tokens, in total.", 0..=u64::MAX),
            concurrent: concurrent.and_then(|count| usize::try_from(count).ok()),
            tool_time: reader
                .optional_integer(
                    "tool_seconds",
                    "How long one tool may take, in seconds.",
                    1..=LONGEST_TOOL_SECONDS,
                )
                .map(Duration::from_secs),
            output_bytes: reader.optional_size(
                "output_bytes",
                "The most bytes that one tool may give.",
                0..=u64::MAX,
            ),
        }
    }
}

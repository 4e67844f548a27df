//! What rules about sources, sinks and orders of actions are about: an effect, a tool, a path, a host.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use seawall_config::Reader;
use seawall_detect::network::{HostPattern, Target};
use seawall_types::{Effect, Pattern};

/// The effects by the names that policies have for them.
pub(crate) const EFFECTS: [(&str, Effect); 5] = [
    (Effect::FsRead.as_str(), Effect::FsRead),
    (Effect::FsWrite.as_str(), Effect::FsWrite),
    (Effect::FsDelete.as_str(), Effect::FsDelete),
    (Effect::Net.as_str(), Effect::Net),
    (Effect::Exec.as_str(), Effect::Exec),
];

/// What an action touches: one effect on one thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Touch {
    pub(crate) effect: Effect,
    /// Where in the arguments it is said.
    pub(crate) location: String,
    /// The path that it leads to and the path as it was written, below the root where they are there: a rule holds for
    /// either, an exception for both.
    pub(crate) paths: Vec<String>,
    pub(crate) target: Option<Target>,
}

impl Touch {
    /// An effect of which nothing more is known.
    pub(crate) fn of(effect: Effect, location: String) -> Self {
        Self { effect, location, paths: Vec::new(), target: None }
    }
}

/// A path without `.`, `..` and doubled slashes, and without the root where it is below it. The file system is not asked.
pub(crate) fn below_root(path: &str, root: Option<&Path>) -> String {
    let mut kept: Vec<&str> = Vec::new();
    for name in names(path) {
        if name == ".." {
            kept.pop();
        } else {
            kept.push(name);
        }
    }
    let start = if path.starts_with('/') { "/" } else { "" };
    let clean = format!("{start}{}", kept.join("/"));
    let below = root.and_then(|root| Path::new(&clean).strip_prefix(root).ok()?.to_str().map(str::to_owned));
    below.unwrap_or(clean)
}

/// A condition on what is touched. Everything that is said must hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Place {
    effect: Option<Effect>,
    tool: Option<Pattern>,
    path: Option<PathPattern>,
    host: Option<HostPattern>,
}

impl Place {
    pub(crate) fn declare(reader: &mut Reader<'_>) -> Self {
        let place = Self {
            effect: reader.optional_choice("effect", "What is done.", &EFFECTS),
            tool: reader.optional_parsed("tool", "The tool's name; one `*` stands for any text."),
            path: reader.optional_parsed(
                "path",
                "The path, below the root or absolute; `*` stands for any text in a name, `**` for any folders.",
            ),
            host: reader.optional_parsed("host", "The host, as in network.hosts."),
        };
        if place == Self::default()
            && ["effect", "tool", "path", "host"].iter().all(|key| !reader.is_set(key))
        {
            reader.error("", "this says nothing", "name an effect, a tool, a path or a host");
        }
        place
    }

    /// Whether an action of this tool that touches this is meant. One that touches nothing is meant by its tool alone.
    pub(crate) fn matches(&self, tool: &str, touched: &[Touch]) -> bool {
        if self.tool.as_ref().is_some_and(|pattern| !pattern.matches(tool)) {
            return false;
        }
        let by_tool_alone = self.effect.is_none() && self.path.is_none() && self.host.is_none();
        by_tool_alone || touched.iter().any(|touch| self.is_about(touch))
    }

    /// Whether this touch is meant.
    pub(crate) fn is_about(&self, touch: &Touch) -> bool {
        self.effect.is_none_or(|effect| effect == touch.effect)
            && self.path.as_ref().is_none_or(|pattern| touch.paths.iter().any(|path| pattern.matches(path)))
            && self.host.as_ref().is_none_or(|pattern| {
                touch.target.as_ref().is_some_and(|target| pattern.matches(&target.host, target.literal))
            })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        parts.extend(self.effect.map(|effect| effect.as_str().to_owned()));
        parts.extend(self.tool.as_ref().map(|tool| format!("tool {tool}")));
        parts.extend(self.path.as_ref().map(|path| format!("of {path}")));
        parts.extend(self.host.as_ref().map(|host| format!("to {host}")));
        f.write_str(&parts.join(" "))
    }
}

/// A path with `*` for any text within a name, and `**` for any number of folders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PathPattern {
    text: Box<str>,
}

/// The text is no pattern of paths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a path pattern needs a name and no `..`, as in `secrets/**` or `/etc/*.conf`")]
pub(crate) struct ParsePathPatternError;

impl PathPattern {
    /// Whether a path, without `.` and `..`, is meant.
    pub(crate) fn matches(&self, path: &str) -> bool {
        let pattern: Vec<&str> = names(&self.text).collect();
        let path_names: Vec<&str> = names(path).collect();
        self.text.starts_with('/') == path.starts_with('/') && matches_names(&pattern, &path_names)
    }
}

fn names(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|name| !name.is_empty() && *name != ".")
}

/// The classic two-pointer match: on a mismatch, the last `**` takes one name more. No step is taken twice for one of them.
fn matches_names(pattern: &[&str], path: &[&str]) -> bool {
    glob(
        pattern,
        path,
        |name| *name == "**",
        |pattern, name| {
            let pattern: Vec<char> = pattern.chars().collect();
            let name: Vec<char> = name.chars().collect();
            glob(&pattern, &name, |c| *c == '*', |pattern, c| pattern == c)
        },
    )
}

fn glob<P, T>(
    pattern: &[P],
    text: &[T],
    is_star: impl Fn(&P) -> bool,
    same: impl Fn(&P, &T) -> bool,
) -> bool {
    let (mut at, mut read) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while let Some(item) = text.get(read) {
        match pattern.get(at) {
            Some(part) if is_star(part) => {
                retry = Some((at + 1, read));
                at += 1;
            }
            Some(part) if same(part, item) => {
                at += 1;
                read += 1;
            }
            _ => {
                let Some((after, taken)) = retry else { return false };
                retry = Some((after, taken + 1));
                at = after;
                read = taken + 1;
            }
        }
    }
    pattern.get(at..).is_none_or(|rest| rest.iter().all(is_star))
}

impl FromStr for PathPattern {
    type Err = ParsePathPatternError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if names(text).next().is_none() || names(text).any(|name| name == "..") {
            return Err(ParsePathPatternError);
        }
        Ok(Self { text: text.into() })
    }
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_compared_below_the_root() {
        let root = Some(Path::new("/srv/work"));
        for (path, expected) in [
            ("a//./b", "a/b"),
            ("a/../secrets/x", "secrets/x"),
            ("../../x", "x"),
            ("/srv/work/secrets/x", "secrets/x"),
            ("/srv/workshop/x", "/srv/workshop/x"),
            ("/etc/passwd", "/etc/passwd"),
        ] {
            assert_eq!(below_root(path, root), expected, "{path}");
        }
    }

    #[test]
    fn stars_stand_for_text_and_double_stars_for_folders() {
        for (pattern, path, matches) in [
            ("secrets/**", "secrets/a", true),
            ("secrets/**", "secrets/a/b", true),
            ("secrets/**", "secrets", true),
            ("secrets/**", "secretsauce/a", false),
            ("secrets/**", "a/secrets/b", false),
            ("**/secrets/**", "a/b/secrets/c", true),
            ("**/*.pem", "key.pem", true),
            ("**/*.pem", "a/b/key.pem", true),
            ("**/*.pem", "a/b/key.pem.txt", false),
            ("*.pem", "a/key.pem", false),
            ("./a", "a", true),
            ("/etc/*", "/etc/passwd", true),
            ("/etc/*", "etc/passwd", false),
            ("/etc/*", "/etc/ssh/key", false),
            ("a*b*c", "axxbxxc", true),
            ("a*b*c", "axxbxx", false),
            ("**", "anything/at/all", true),
        ] {
            assert_eq!(pattern.parse::<PathPattern>().unwrap().matches(path), matches, "{pattern} {path}");
        }
        for text in ["", "/", "../a", "a/../b"] {
            assert!(text.parse::<PathPattern>().is_err(), "{text}");
        }
    }
}

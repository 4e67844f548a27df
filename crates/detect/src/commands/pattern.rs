//! Commands as policies write them.

use std::fmt;
use std::str::FromStr;

use super::dangers::Danger;
use super::script::{Command, Script, Word};

/// Words that the words of a command are compared with, one by one.
///
/// `*` as a word of its own stands for any number of words, also none: `git *` is `git` and `git status`. Within a word
/// it stands for any text. The first word is compared with the program's name; a program with a folder (`/bin/rm`) is
/// the one of that name where it is denied, and where it is allowed only if the folder is one of the system's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandPattern(Kind);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Words(Vec<String>),
    Danger(&'static Danger),
}

/// The text is no pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a command pattern needs words, as in `git *` or `cargo test`")]
pub struct ParseCommandPatternError;

/// Folders whose programs are what their names say (Filesystem Hierarchy Standard 3.0).
const SYSTEM_FOLDERS: [&str; 6] =
    ["/bin/", "/sbin/", "/usr/bin/", "/usr/sbin/", "/usr/local/bin/", "/usr/local/sbin/"];

impl CommandPattern {
    pub(super) fn danger(danger: &'static Danger) -> Self {
        Self(Kind::Danger(danger))
    }

    /// Whether the command is one of those that are allowed. A word that only the shell knows fits a `*` alone.
    pub(super) fn allows(&self, words: &[Word]) -> bool {
        let (Kind::Words(pattern), Some(program)) = (&self.0, words.first()) else { return false };
        let name = name_of(&program.text);
        let folder = program.text.strip_suffix(name).unwrap_or_default();
        let is_plain = folder.is_empty() || SYSTEM_FOLDERS.contains(&folder);
        fits(pattern, words, is_plain, |word| word.is_known)
    }

    /// Whether the command is one of those that are denied.
    pub(super) fn denies(&self, command: &Command, script: &Script) -> bool {
        match &self.0 {
            Kind::Words(pattern) => fits(pattern, &command.words, true, |_| true),
            Kind::Danger(danger) => danger.is_in(command, script),
        }
    }
}

fn fits(pattern: &[String], words: &[Word], by_name: bool, counts: impl Fn(&Word) -> bool) -> bool {
    let (Some(first), Some(program)) = (pattern.first(), words.first()) else { return false };
    let name = if by_name && !first.contains('/') { name_of(&program.text) } else { &program.text };
    if first == "*" {
        return wild(
            pattern,
            words,
            |part| part == "*",
            |part, word| counts(word) && text_fits(part, &word.text),
        );
    }
    let (rest, arguments) = (pattern.get(1..).unwrap_or_default(), words.get(1..).unwrap_or_default());
    counts(program)
        && text_fits(first, name)
        && wild(rest, arguments, |part| part == "*", |part, word| counts(word) && text_fits(part, &word.text))
}

/// Whether a text fits a pattern in which `*` stands for any text.
#[inline]
pub(super) fn text_fits(pattern: &str, text: &str) -> bool {
    // Most patterns tell themselves apart by their first byte.
    let first = pattern.as_bytes().first();
    (first == text.as_bytes().first() || first == Some(&b'*')) && text_fits_to_its_end(pattern, text)
}

fn text_fits_to_its_end(pattern: &str, text: &str) -> bool {
    if !pattern.contains('*') {
        return pattern == text;
    }
    wild(pattern.as_bytes(), text.as_bytes(), |part| *part == b'*', |part, byte| part == byte)
}

/// Fits a sequence to a pattern with gaps. Only the last gap is ever tried again, so it takes no longer than the product
/// of both lengths.
fn wild<P, T>(
    pattern: &[P],
    items: &[T],
    is_gap: impl Fn(&P) -> bool,
    fits: impl Fn(&P, &T) -> bool,
) -> bool {
    let (mut at, mut item) = (0, 0);
    let mut gap: Option<(usize, usize)> = None;
    while let Some(next) = items.get(item) {
        match pattern.get(at) {
            Some(part) if is_gap(part) => {
                gap = Some((at, item));
                at += 1;
            }
            Some(part) if fits(part, next) => {
                at += 1;
                item += 1;
            }
            _ => {
                let Some((gap_at, gap_item)) = gap else { return false };
                gap = Some((gap_at, gap_item + 1));
                at = gap_at + 1;
                item = gap_item + 1;
            }
        }
    }
    pattern.iter().skip(at).all(is_gap)
}

/// The program's name, without its folder.
pub(super) fn name_of(program: &str) -> &str {
    let slash = program.bytes().rposition(|byte| byte == b'/');
    slash.and_then(|slash| program.get(slash + 1..)).unwrap_or(program)
}

impl FromStr for CommandPattern {
    type Err = ParseCommandPatternError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
        if words.is_empty() { Err(ParseCommandPatternError) } else { Ok(Self(Kind::Words(words))) }
    }
}

impl fmt::Display for CommandPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Words(words) => f.write_str(&words.join(" ")),
            Kind::Danger(danger) => f.write_str(danger.what),
        }
    }
}

//! Commands as policies write them.

use std::fmt;
use std::str::FromStr;

/// Words that the words of a command are compared with, one by one.
///
/// `*` as a word of its own stands for any number of words, also none: `git *` is `git` and `git status`. Within a word
/// it stands for any text. The first word is compared with the program's name without its folder, unless the pattern has
/// a folder itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandPattern {
    words: Vec<String>,
}

/// The text is no pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a command pattern needs words, as in `git *` or `cargo test`")]
pub struct ParseCommandPatternError;

impl FromStr for CommandPattern {
    type Err = ParseCommandPatternError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
        if words.is_empty() { Err(ParseCommandPatternError) } else { Ok(Self { words }) }
    }
}

impl fmt::Display for CommandPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words.join(" "))
    }
}

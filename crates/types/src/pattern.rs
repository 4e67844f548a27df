//! Names and beginnings of names, as configuration, keys and policies write them: one grammar for all of them.
//!
//! What a pattern is matched against (models, paths) is the caller's.

use std::fmt;
use std::str::FromStr;

/// A name, or all names that begin and end as it says: `gpt-4o`, `gpt-*`, `claude-*-latest`, `*`.
///
/// A `*` stands for any text, also for none. Case counts.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Pattern {
    text: Box<str>,
    /// Where the star is, in bytes.
    star: Option<usize>,
}

/// The text is no pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ParsePatternError {
    /// It would match nothing.
    #[error("an empty name matches nothing; write a name, or `*` for all")]
    Empty,
    /// There are several stars.
    #[error("a name can hold one `*`; write several names instead")]
    Stars,
}

impl Pattern {
    /// Whether `name` is one of those that are meant.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        let Some((begin, end)) = self.star.and_then(|star| self.text.split_at_checked(star)) else {
            return *self.text == *name;
        };
        let end = end.strip_prefix('*').unwrap_or(end);
        name.strip_prefix(begin).is_some_and(|rest| rest.ends_with(end))
    }

    /// The pattern as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl FromStr for Pattern {
    type Err = ParsePatternError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() {
            return Err(ParsePatternError::Empty);
        }
        let star = text.find('*');
        if star != text.rfind('*') {
            return Err(ParsePatternError::Stars);
        }
        Ok(Self { text: text.into(), star })
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.text, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text_and_everything_else_for_itself() {
        for (pattern, name, matches) in [
            ("gpt-4o", "gpt-4o", true),
            ("gpt-4o", "gpt-4o-mini", false),
            ("gpt-4o", "GPT-4o", false),
            ("gpt-*", "gpt-4o", true),
            ("gpt-*", "gpt-", true),
            ("gpt-*", "gpt", false),
            ("*", "", true),
            ("*", "anything", true),
            ("*-mini", "gpt-4o-mini", true),
            ("*-mini", "gpt-4o-mini-2024", false),
            ("claude-*-latest", "claude-sonnet-latest", true),
            ("claude-*-latest", "claude-latest", false),
            ("ab*ba", "aba", false),
            ("ab*ba", "abba", true),
            ("/api/*", "/api/budgets", true),
        ] {
            assert_eq!(pattern.parse::<Pattern>().unwrap().matches(name), matches, "{pattern} {name}");
        }
    }

    #[test]
    fn what_would_match_nothing_or_could_be_read_in_two_ways_is_refused() {
        assert_eq!("".parse::<Pattern>(), Err(ParsePatternError::Empty));
        assert_eq!("a*b*".parse::<Pattern>(), Err(ParsePatternError::Stars));
        assert_eq!("**".parse::<Pattern>(), Err(ParsePatternError::Stars));
    }
}

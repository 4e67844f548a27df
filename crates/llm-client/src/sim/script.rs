//! A list of answers for prompts that hold no directive.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::directive::{self, DirectiveError};
use super::turn::{self, Turn};

/// Answers in order. Each is used once, for the first prompt that it matches; the last goes on.
///
/// In a file it is YAML or JSON: `[{match?: "part of the prompt", answer: "sim:tool read {}"}, …]`. An answer without a
/// directive is a text.
#[derive(Debug, Clone)]
pub struct Script {
    answers: Vec<Scripted>,
}

#[derive(Debug, Clone)]
struct Scripted {
    part_of_prompt: Option<String>,
    turn: Turn,
}

/// A script that can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ScriptError {
    /// The file can't be read.
    #[error("can't read the script {}: {error}", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// It is no list of answers.
    #[error("the script is no list of {{match?, answer}}: {0}")]
    Malformed(String),
    /// It has no answer.
    #[error("the script holds no answer")]
    Empty,
    /// A directive in it is not complete.
    #[error("answer {number} of the script: {error}")]
    Directive {
        /// Counted from one.
        number: usize,
        /// What is wrong.
        error: DirectiveError,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    #[serde(rename = "match")]
    part_of_prompt: Option<String>,
    answer: String,
}

impl Script {
    /// Reads a script from its text.
    ///
    /// # Errors
    /// When it is no YAML or JSON list of answers, is empty, or holds an incomplete directive.
    pub fn parse(text: &str) -> Result<Self, ScriptError> {
        let lines: Vec<Line> =
            serde_saphyr::from_str(text).map_err(|error| ScriptError::Malformed(error.to_string()))?;
        if lines.is_empty() {
            return Err(ScriptError::Empty);
        }
        let answers = lines.into_iter().enumerate().map(|(index, line)| {
            let turn = read_answer(&line.answer)
                .map_err(|error| ScriptError::Directive { number: index + 1, error })?;
            Ok(Scripted { part_of_prompt: line.part_of_prompt, turn })
        });
        Ok(Self { answers: answers.collect::<Result<_, _>>()? })
    }

    /// Reads a script from a file. Blocks.
    ///
    /// # Errors
    /// When the file can't be read, and as [`Script::parse`].
    pub fn load(path: &Path) -> Result<Self, ScriptError> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| ScriptError::Unreadable { path: path.to_owned(), error })?;
        Self::parse(&text)
    }

    /// The answer for a prompt; none when what is left does not match it.
    pub(crate) fn next(&self, prompt: &str, progress: &mut Progress) -> Option<&Turn> {
        progress.used.resize(self.answers.len(), false);
        let matches = |answer: &Scripted| {
            answer.part_of_prompt.as_ref().is_none_or(|part| prompt.contains(part.as_str()))
        };
        let unused =
            self.answers.iter().zip(&mut progress.used).find(|(answer, used)| !**used && matches(answer));
        if let Some((answer, used)) = unused {
            *used = true;
            return Some(&answer.turn);
        }
        self.answers.last().filter(|last| matches(last)).map(|last| &last.turn)
    }
}

fn read_answer(answer: &str) -> Result<Turn, DirectiveError> {
    if directive::any_in(answer) {
        return turn::first(answer);
    }
    Ok(Turn { says: vec![directive::Say::Text(answer.to_owned())], manners: Vec::new() })
}

/// Which answers have been given.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    used: Vec<bool>,
}

#[cfg(test)]
mod tests {
    use super::super::directive::Say;
    use super::*;

    fn texts(script: &Script, prompts: &[&str]) -> Vec<Option<String>> {
        let mut progress = Progress::default();
        prompts
            .iter()
            .map(|prompt| match script.next(prompt, &mut progress)?.says.as_slice() {
                [Say::Text(text)] => Some(text.clone()),
                _ => None,
            })
            .collect()
    }

    #[test]
    fn answers_are_used_once_in_order_and_the_last_goes_on() {
        let script =
            Script::parse("- answer: one\n- match: beta\n  answer: sim:text two\n- answer: three\n").unwrap();
        let found = texts(&script, &["alpha", "alpha", "a beta", "alpha"]);
        let found: Vec<_> = found.iter().flatten().collect();
        assert_eq!(found, ["one", "three", "two", "three"]);
    }

    #[test]
    fn json_is_read_too_and_a_last_answer_that_does_not_match_is_not_given() {
        let script = Script::parse(r#"[{"match": "x", "answer": "one"}]"#).unwrap();
        assert_eq!(
            texts(&script, &["y", "x", "x", "y"]),
            [None, Some("one".into()), Some("one".into()), None]
        );
    }

    #[test]
    fn a_script_that_cannot_be_used_is_refused_with_the_reason() {
        for (text, reason) in [
            ("[]", "the script holds no answer"),
            ("- answer: sim:tool", "answer 1 of the script: sim:tool needs the name"),
            ("- anwser: x", "the script is no list of {match?, answer}"),
            ("hello", "the script is no list of {match?, answer}"),
        ] {
            let error = Script::parse(text).unwrap_err().to_string();
            assert!(error.starts_with(reason), "{error}");
        }
    }
}

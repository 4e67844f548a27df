//! Whether a danger shows in a command.

use super::dangers::{CONNECTORS, Danger, Operands, Sign};
use super::pattern::{name_of, text_fits};
use super::reader::read;
use super::script::{Command, Script, Word};
use super::starters::{SHELLS, Started, started_by};

impl Danger {
    /// Whether the command shows this danger, in the line that it is part of.
    pub(super) fn is_in(&self, command: &Command, script: &Script) -> bool {
        match &self.sign {
            Sign::Program { names, options, operands } => {
                is_one_of(names, command) && has_options(options, command) && has_operand(operands, command)
            }
            Sign::Piped { from, into } => is_one_of(into, command) && is_fed_by(from, command, script),
            Sign::Redirected(targets) => command.redirected.iter().any(|word| fits_one(targets, &word.text)),
            Sign::ForkBomb => is_fork_bomb(command, script),
        }
    }
}

fn fits_one(patterns: &[&str], text: &str) -> bool {
    patterns.iter().any(|pattern| text_fits(pattern, text))
}

fn is_one_of(names: &[&str], command: &Command) -> bool {
    command.words.first().is_some_and(|program| fits_one(names, name_of(&program.text)))
}

/// Whether the program is one of these, or starts one (`sudo curl`). What is started has fewer words each time.
fn runs_one_of(names: &[&str], words: &[Word]) -> bool {
    let is_it = words.first().is_some_and(|program| fits_one(names, name_of(&program.text)));
    is_it
        || started_by(words).iter().any(
            |started| matches!(started, Started::Words(inner) if inner.len() < words.len() && runs_one_of(names, inner)),
        )
}

fn has_operand(operands: &Operands, command: &Command) -> bool {
    let mut words = command.words.iter().skip(1);
    match operands {
        Operands::Any => true,
        Operands::Like(patterns) => words.any(|word| fits_one(patterns, &word.text)),
        Operands::Written(texts) => words.any(|word| texts.contains(&word.text.as_str())),
    }
}

fn has_options(groups: &[&[&str]], command: &Command) -> bool {
    let has = |options: &[&str]| command.words.iter().skip(1).any(|word| is_option_of(options, word));
    groups.iter().all(|options| has(options))
}

/// An option of one letter may stand among others (`-rf`).
fn is_option_of(options: &[&str], word: &Word) -> bool {
    let short = word.text.strip_prefix('-').filter(|letters| !letters.starts_with('-'));
    options.iter().any(|option| match option.strip_prefix('-') {
        Some(_) => {
            word.text == *option || word.text.strip_prefix(option).is_some_and(|rest| rest.starts_with('='))
        }
        None => short.is_some_and(|letters| letters.contains(option)),
    })
}

/// Whether one of the programs comes before in the pipeline, or in a substitution among the words.
fn is_fed_by(from: &[&str], command: &Command, script: &Script) -> bool {
    let before = || script.commands.iter().take(command.position);
    // A group or a loop has no place in the pipeline; then all that runs before may be what feeds.
    let is_fed_by_group = script.has_pipes && !before().any(|other| other.pipeline == command.pipeline);
    let document = command.document.and_then(|document| script.documents.get(document));
    let mut words = command.words.iter().skip(1).chain(&command.redirected).chain(document);
    (runs_input(command)
        && before().any(|other| {
            (is_fed_by_group || other.pipeline == command.pipeline) && runs_one_of(from, &other.words)
        }))
        || words.any(|word| brings(from, word))
}

/// Whether the program does what its input says: one that got a program among its words does not.
fn runs_input(command: &Command) -> bool {
    let is_shell = command.words.first().is_some_and(|program| SHELLS.contains(&name_of(&program.text)));
    if is_shell {
        return started_by(&command.words) == [Started::Input];
    }
    let mut arguments = command.words.iter().skip(1).map(|word| word.text.as_str());
    is_one_of(CONNECTORS, command)
        || arguments
            .all(|text| text.starts_with('-') && (text == "-" || !text.contains(['c', 'e', 'm', 'n', 'p'])))
}

fn brings(from: &[&str], word: &Word) -> bool {
    let has_substitution = !word.is_known && (word.text.contains('(') || word.text.contains('`'));
    // The last command is the word itself, which is none.
    let inside = |script: Script| script.commands.iter().rev().skip(1).any(|inner| is_one_of(from, inner));
    has_substitution && inside(read(&word.text).0)
}

fn is_fork_bomb(command: &Command, script: &Script) -> bool {
    let is_own =
        |other: &Command| other.words.first().is_some_and(|program| script.functions.contains(&program.text));
    let is_twice =
        script.commands.iter().filter(|other| other.pipeline == command.pipeline && is_own(other)).count()
            > 1;
    is_own(command) && (is_twice || command.in_background)
}

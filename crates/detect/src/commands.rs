//! Commands that an agent wants to run.
//!
//! Rules about the text of a command are advice: they catch accidents and the plain form of an attack, and tell a model
//! early what it may not do. A program can always be told to do the same in words that no rule foresaw. The boundary is
//! the sandbox that the command runs in. What can't be told from the text is said so (`CMD_SHELL_META`), never guessed.
//! What another language runs (`python -c`, a script's file) is not looked into.
//!
//! The line is read by a reader of our own: of the parsers that exist, one is GPL, one is left alone since 2019, and the
//! kept one (brush-parser) builds a whole program's tree, bounds neither depth nor its cache, and brings forty crates.

use seawall_types::{Code, Severity};

use crate::Found;

mod dangers;
mod pattern;
mod quoting;
mod reader;
mod script;
mod signs;
mod starters;

use dangers::DANGERS;
pub use pattern::{CommandPattern, ParseCommandPatternError};
use script::{Command, Opaque, Script, Word};
use starters::Started;

/// Which commands may run. Every command of a line counts, also those that another one starts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CommandRules {
    /// What may run. `None` means unrestricted, empty means nothing.
    pub allow: Option<Vec<CommandPattern>>,
    /// What may not, whatever `allow` says.
    pub deny: Vec<CommandPattern>,
}

impl CommandRules {
    /// What no agent should run: nothing is restricted but what destroys the machine, hands it to somebody else, or runs
    /// what was fetched unseen. For the presets; its `deny` adds to another list.
    #[must_use]
    pub fn dangerous() -> Self {
        Self { allow: None, deny: DANGERS.iter().map(CommandPattern::danger).collect() }
    }

    /// Judges a line that a shell is to read.
    #[must_use]
    pub fn judge_line(&self, shell_line: &str) -> Vec<Found> {
        let mut case = Case { rules: self, found: Vec::new() };
        case.judge_line(shell_line, 0);
        case.found
    }

    /// Judges a program with its arguments, as they are given to the kernel: no shell reads them.
    #[must_use]
    pub fn judge_argv(&self, argv: &[impl AsRef<str>]) -> Vec<Found> {
        let mut case = Case { rules: self, found: Vec::new() };
        let words = argv.iter().map(|word| Word::given(word.as_ref())).collect();
        let script = Script { commands: vec![Command { words, ..Command::default() }], ..Script::default() };
        for command in &script.commands {
            case.judge_command(command, &script, 0);
        }
        case.found
    }
}

const USE_ALLOWED: &str = "use one of the policy's `commands.allow`";

/// Commands that start each other, at most.
const DEEPEST: usize = 16;

/// Variables that change which program a command runs, or what a program runs besides.
const STEERING: [&str; 17] = [
    "BASH_ENV",
    "ENV",
    "GIT_EXEC_PATH",
    "GIT_EXTERNAL_DIFF",
    "GIT_PAGER",
    "GIT_SSH",
    "GIT_SSH_COMMAND",
    "IFS",
    "LD_AUDIT",
    "LD_LIBRARY_PATH",
    "LD_PRELOAD",
    "NODE_OPTIONS",
    "PATH",
    "PERL5OPT",
    "PROMPT_COMMAND",
    "PYTHONPATH",
    "PYTHONSTARTUP",
];

/// One command line under judgement.
struct Case<'a> {
    rules: &'a CommandRules,
    found: Vec<Found>,
}

impl Case<'_> {
    fn judge_line(&mut self, line: &str, depth: usize) {
        let (script, opaque) = reader::read(line);
        for command in &script.commands {
            self.judge_command(command, &script, depth);
        }
        if let Some(opaque) = opaque {
            self.hidden(opaque.says());
        }
    }

    fn judge_command(&mut self, command: &Command, script: &Script, depth: usize) {
        if depth > DEEPEST {
            return self.hidden(Opaque::TooDeep.says());
        }
        if let Some(name) = starters::assigned_by(command).find(|name| STEERING.contains(name)) {
            self.hidden(&format!("`{name}` is set, which changes what a command runs"));
        }
        let is_denied = self.judge_denied(command, script);
        let Some(program) = command.words.first() else { return };
        if !program.is_known || program.text.is_empty() {
            return self.hidden(&format!("the program {} is only known when it runs", quoted(&program.text)));
        }
        if !is_denied && !self.is_allowed(&command.words) && !script.functions.contains(&program.text) {
            let message = format!("the command {} is not on the list of allowed ones", quoted(&program.text));
            self.note(Code::CmdNotAllowed, Severity::High, message, USE_ALLOWED);
        }
        for started in starters::started_by(&command.words) {
            self.judge_started(started, command, script, depth + 1);
        }
    }

    fn judge_denied(&mut self, command: &Command, script: &Script) -> bool {
        let denied = self.rules.deny.iter().find(|pattern| pattern.denies(command, script));
        if let Some(pattern) = denied {
            let program = command.words.first().map_or("", |program| &program.text);
            let message = format!("the command {} is forbidden ({pattern})", quoted(program));
            self.note(
                Code::CmdForbidden,
                Severity::Critical,
                message,
                "do it in another way, or ask a person",
            );
        }
        denied.is_some()
    }

    fn is_allowed(&self, words: &[Word]) -> bool {
        self.rules.allow.as_ref().is_none_or(|allow| allow.iter().any(|pattern| pattern.allows(words)))
    }

    fn judge_started(&mut self, started: Started, command: &Command, script: &Script, depth: usize) {
        match started {
            Started::Words(words) => {
                // It stands in the same place of the line, and reads the same input.
                let inner = Command { words, assigned: Vec::new(), ..command.clone() };
                self.judge_command(&inner, script, depth);
            }
            Started::Line(line) => self.judge_line(&line.text, depth),
            Started::File(file) if file.is_known => {}
            Started::File(file) => {
                self.hidden(&format!(
                    "what the shell reads from {} is only known when it runs",
                    quoted(&file.text)
                ));
            }
            Started::Input => self.judge_input(command, script, depth),
        }
    }

    /// Judges what a shell reads from its input, where that stands in the line itself.
    fn judge_input(&mut self, command: &Command, script: &Script, depth: usize) {
        if let Some(document) = command.document.and_then(|document| script.documents.get(document)) {
            return self.judge_line(&document.text, depth);
        }
        let mut before = script.commands.iter().take(command.position);
        match before.rfind(|other| other.pipeline == command.pipeline).map(said_by) {
            Some(Some(text)) => self.judge_line(&text, depth),
            // What feeds it may be a group or a loop, which has no place in the pipeline.
            None if !script.has_pipes => {}
            Some(None) | None => self.hidden("a shell runs what another program writes"),
        }
    }

    fn hidden(&mut self, why: &str) {
        let message = format!("what would run can't be told: {why}");
        self.note(
            Code::CmdShellMeta,
            Severity::Medium,
            message,
            "write the command plainly, without the shell's means",
        );
        if self.rules.allow.is_some() {
            let message = "what can't be told is not on the list of allowed commands".to_owned();
            self.note(Code::CmdNotAllowed, Severity::High, message, USE_ALLOWED);
        }
    }

    fn note(&mut self, code: Code, severity: Severity, message: String, remedy: &str) {
        let found = Found { code, severity, message, remedy: remedy.to_owned() };
        if !self.found.contains(&found) {
            self.found.push(found);
        }
    }
}

/// What `echo` or `printf` writes, when that is what stands there.
fn said_by(command: &Command) -> Option<String> {
    let (program, arguments) = command.words.split_first()?;
    let says = matches!(pattern::name_of(&program.text), "echo" | "printf");
    let text = starters::joined(arguments);
    let is_plain = says && text.is_known && !text.text.contains(['%', '\\']);
    let is_option = |text: &str| matches!(text, "-n" | "-e" | "-en" | "-ne" | "-E");
    let spoken = arguments.iter().position(|word| !is_option(&word.text)).unwrap_or(arguments.len());
    is_plain.then(|| starters::joined(arguments.get(spoken..).unwrap_or_default()).text)
}

/// So many characters of a command are repeated in a message: enough to find it, too few to carry a secret's text far.
const MOST_QUOTED: usize = 60;

fn quoted(text: &str) -> String {
    match text.char_indices().nth(MOST_QUOTED) {
        Some((end, _)) => format!("{:?}…", text.get(..end).unwrap_or_default()),
        None => format!("{text:?}"),
    }
}

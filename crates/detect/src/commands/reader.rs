//! A shell line, read as POSIX and bash do (POSIX.1-2024, XCU 2): its commands and how they hang together.
//!
//! Nothing is run and nothing expanded. Where the grammar has more than is needed to find the commands (`case`, arrays,
//! extended patterns) reading stops, and the line counts as one that can't be told.

use super::script::{Command, Opaque, Script, Word};

/// Substitutions and groups within each other.
const DEEPEST: usize = 16;

/// A longer line is a program, not a command.
const LONGEST_BYTES: usize = 64 * 1024;

/// More commands are a program too; it also bounds what judging them takes.
const MOST_COMMANDS: usize = 512;

/// Words of the shell after which a command begins.
const RESERVED: [&str; 14] =
    ["!", "{", "}", "if", "then", "else", "elif", "fi", "while", "until", "do", "done", "time", "coproc"];

/// Reads one line, or several. What stops the reading comes with what was read before it: a shell runs that.
pub(super) fn read(line: &str) -> (Script, Option<Opaque>) {
    let (mut script, opaque) = read_at(line, 0);
    for (position, command) in script.commands.iter_mut().enumerate() {
        command.position = position;
    }
    (script, opaque)
}

pub(super) fn read_at(line: &str, depth: usize) -> (Script, Option<Opaque>) {
    if line.len() > LONGEST_BYTES {
        return (Script::default(), Some(Opaque::TooLong));
    }
    let mut reader = Reader::new(line, depth);
    let opaque = reader.commands(None).err();
    (reader.script, opaque)
}

/// A here-document whose text comes after the end of the line.
pub(super) struct Awaited {
    end: Word,
    strips_tabs: bool,
    document: usize,
}

pub(super) struct Reader<'a> {
    pub(super) rest: &'a str,
    pub(super) depth: usize,
    pub(super) script: Script,
    awaited: Vec<Awaited>,
}

impl<'a> Reader<'a> {
    fn new(text: &'a str, depth: usize) -> Self {
        Self { rest: text, depth, script: Script::default(), awaited: Vec::new() }
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    pub(super) fn next(&mut self) -> Option<char> {
        let mut characters = self.rest.chars();
        let next = characters.next();
        self.rest = characters.as_str();
        next
    }

    /// Goes past `text`, if it stands here.
    pub(super) fn take(&mut self, text: &str) -> bool {
        let rest = self.rest.strip_prefix(text);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    /// What was read since `before` was the rest.
    pub(super) fn since(&self, before: &'a str) -> &'a str {
        before.get(..before.len().saturating_sub(self.rest.len())).unwrap_or_default()
    }

    /// Reads commands up to `end`, or to the end of the text.
    pub(super) fn commands(&mut self, end: Option<char>) -> Result<(), Opaque> {
        if self.depth > DEEPEST {
            return Err(Opaque::TooDeep);
        }
        let mut current = Current::new(&mut self.script);
        let read = self.commands_into(&mut current, end);
        current.finish(&mut self.script);
        read.and_then(|()| self.read_documents())
    }

    fn commands_into(&mut self, current: &mut Current, end: Option<char>) -> Result<(), Opaque> {
        loop {
            if self.script.commands.len() > MOST_COMMANDS {
                return Err(Opaque::TooLong);
            }
            self.skip_blanks();
            let Some(next) = self.peek() else {
                return if end.is_some() { Err(Opaque::Unclosed) } else { Ok(()) };
            };
            if Some(next) == end {
                self.next();
                return Ok(());
            }
            match next {
                '\n' => {
                    self.next();
                    current.finish(&mut self.script);
                    self.read_documents()?;
                }
                ';' | '&' | '|' if !self.rest.starts_with("&>") => self.separator(current),
                '(' => self.parenthesis(current)?,
                ')' => return Err(Opaque::Unusual),
                '#' => {
                    self.rest = self.rest.find('\n').and_then(|at| self.rest.get(at..)).unwrap_or_default()
                }
                _ if self.redirection(current)? => {}
                _ => self.command_word(current)?,
            }
        }
    }

    fn skip_blanks(&mut self) {
        while self.take(" ") || self.take("\t") || self.take("\r") || self.take("\\\n") {}
    }

    fn separator(&mut self, current: &mut Current) {
        if self.take("&&") || self.take("||") || self.take(";") {
            current.finish(&mut self.script);
        } else if self.take("|&") || self.take("|") {
            current.continue_pipeline(&mut self.script);
            self.script.has_pipes = true;
        } else {
            self.next();
            current.command.in_background = true;
            current.finish(&mut self.script);
        }
    }

    /// A group, a function's name, or the head of a counting loop.
    fn parenthesis(&mut self, current: &mut Current) -> Result<(), Opaque> {
        self.next();
        match current.command.words.as_slice() {
            _ if current.is_ignored => self.arithmetic(),
            // To bash `((` begins arithmetic, to others two groups: the latter is judged, where both can be read.
            [] if self.peek() == Some('(')
                && self.rest.split("))").next().is_some_and(|inside| inside.contains("<<")) =>
            {
                Err(Opaque::Unusual)
            }
            [] => self.nested(')'),
            [name] if name.quoted_at.is_none() => {
                self.script.functions.push(name.text.clone());
                current.command.words.clear();
                self.skip_blanks();
                if self.take(")") { Ok(()) } else { Err(Opaque::Unusual) }
            }
            _ => Err(Opaque::Unusual),
        }
    }

    /// Skips `(( … ))`, of which the first parenthesis is behind. It computes; it runs nothing, unless by a substitution.
    pub(super) fn arithmetic(&mut self) -> Result<(), Opaque> {
        let inside = self.rest.find("))").and_then(|end| self.rest.get(..end)).ok_or(Opaque::Unclosed)?;
        if inside.contains("$(") || inside.contains('`') {
            return Err(Opaque::Unusual);
        }
        self.rest = self.rest.get(inside.len() + 2..).unwrap_or_default();
        Ok(())
    }

    /// Reads what stands in parentheses, of which the first is behind.
    pub(super) fn nested(&mut self, end: char) -> Result<(), Opaque> {
        self.depth += 1;
        let read = self.commands(Some(end));
        self.depth -= 1;
        read
    }

    fn redirection(&mut self, current: &mut Current) -> Result<bool, Opaque> {
        let digits =
            self.rest.len() - self.rest.trim_start_matches(|digit: char| digit.is_ascii_digit()).len();
        let behind = self.rest.get(digits..).unwrap_or_default();
        let is_substitution = behind.starts_with("<(") || behind.starts_with(">(");
        if is_substitution || !(behind.starts_with(['<', '>']) || self.rest.starts_with("&>")) {
            return Ok(false);
        }
        self.rest = behind;
        let operator = ["<<<", "<<-", "<<", "&>>", "&>", ">>", ">|", ">&", "<&", "<>", "<", ">"];
        let operator = operator.into_iter().find(|operator| self.take(operator)).ok_or(Opaque::Unusual)?;
        self.skip_blanks();
        let target = self.word()?;
        if operator.starts_with("<<") {
            let document = self.script.documents.len();
            current.command.document = Some(document);
            if operator == "<<<" {
                self.script.documents.push(target);
            } else {
                self.script.documents.push(Word::empty());
                self.awaited.push(Awaited { end: target, strips_tabs: operator == "<<-", document });
            }
        } else {
            current.command.redirected.push(target);
        }
        Ok(true)
    }

    /// Reads the texts of the here-documents that were announced on the line before.
    fn read_documents(&mut self) -> Result<(), Opaque> {
        for awaited in std::mem::take(&mut self.awaited) {
            let mut text = String::new();
            while !self.rest.is_empty() {
                let (line, rest) = self.rest.split_once('\n').unwrap_or((self.rest, ""));
                self.rest = rest;
                let line = if awaited.strips_tabs { line.trim_start_matches('\t') } else { line };
                if line == awaited.end.text {
                    break;
                }
                text.push_str(line);
                text.push('\n');
            }
            let quoted_at = awaited.end.quoted_at;
            let is_known = quoted_at.is_some() || !text.contains(['$', '`']);
            if !is_known {
                let mut inside = Reader::new(&text, self.depth + 1);
                let read = inside.substitutions();
                self.script.take_over(inside.script);
                read?;
            }
            if let Some(document) = self.script.documents.get_mut(awaited.document) {
                *document = Word { text, is_known, quoted_at };
            }
        }
        Ok(())
    }

    fn command_word(&mut self, current: &mut Current) -> Result<(), Opaque> {
        let word = self.word()?;
        let begins = current.command.words.is_empty();
        if begins && word.quoted_at.is_none() {
            if RESERVED.contains(&word.text.as_str()) {
                return Ok(());
            }
            match word.text.as_str() {
                "case" => return Err(Opaque::Unusual),
                "for" | "select" => current.is_ignored = true,
                "function" => return self.function(),
                "[[" => return self.condition(),
                _ => {}
            }
        }
        if let Some(name) = assigned(&word).filter(|_| begins) {
            if self.peek() == Some('(') {
                return Err(Opaque::Unusual);
            }
            current.command.assigned.push(name.to_owned());
            return Ok(());
        }
        current.push(word);
        Ok(())
    }

    fn function(&mut self) -> Result<(), Opaque> {
        self.skip_blanks();
        let name = self.word()?;
        self.script.functions.push(name.text);
        self.skip_blanks();
        self.take("()");
        Ok(())
    }

    /// Goes past `[[ … ]]`; what is substituted in it is read.
    fn condition(&mut self) -> Result<(), Opaque> {
        loop {
            self.skip_blanks();
            match self.peek() {
                None => return Err(Opaque::Unclosed),
                Some('<' | '>' | '&' | '|' | '(' | ')' | ';' | '\n') => drop(self.next()),
                Some(_) if self.word()?.text == "]]" => return Ok(()),
                Some(_) => {}
            }
        }
    }
}

/// The name, when the word is `NAME=value`.
fn assigned(word: &Word) -> Option<&str> {
    let (name, _) = word.text.split_once('=')?;
    let name = name.strip_suffix('+').unwrap_or(name);
    let is_name = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let is_plain = word.quoted_at.is_none_or(|at| at > name.len());
    (is_name && is_plain).then_some(name)
}

/// The command that is being read.
struct Current {
    command: Command,
    /// It is the head of a loop, whose words are no command.
    is_ignored: bool,
}

impl Current {
    fn new(script: &mut Script) -> Self {
        let mut current = Self { command: Command::default(), is_ignored: false };
        current.begin_pipeline(script);
        current
    }

    fn begin_pipeline(&mut self, script: &mut Script) {
        script.pipelines += 1;
        self.command.pipeline = script.pipelines;
    }

    fn push(&mut self, word: Word) {
        self.command.words.extend(braces(word));
    }

    fn continue_pipeline(&mut self, script: &mut Script) {
        let next = Command { pipeline: self.command.pipeline, ..Command::default() };
        let command = std::mem::replace(&mut self.command, next);
        let is_ignored = std::mem::take(&mut self.is_ignored);
        let holds_something =
            !command.words.is_empty() || !command.assigned.is_empty() || !command.redirected.is_empty();
        if holds_something && !is_ignored {
            script.commands.push(command);
        }
    }

    fn finish(&mut self, script: &mut Script) {
        self.continue_pipeline(script);
        self.begin_pipeline(script);
    }
}

/// `{rm,-rf,/}` is three words; any other use of braces is left for the shell.
fn braces(word: Word) -> Vec<Word> {
    let inside = word.text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
    match inside.filter(|inside| !word.is_known && word.quoted_at.is_none() && inside.contains(',')) {
        Some(inside) if !inside.contains(['{', '}', '$', '`', '*', '?']) => {
            inside.split(',').map(Word::given).collect()
        }
        _ => vec![word],
    }
}

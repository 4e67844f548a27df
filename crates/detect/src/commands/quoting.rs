//! The words of a shell line: quotes taken off, substitutions read, everything else left as it stands.

use super::reader::{Reader, read_at};
use super::script::{Opaque, Word};

impl<'a> Reader<'a> {
    /// Reads one word. An unquoted `$IFS` ends it, as the blanks would that it stands for.
    pub(super) fn word(&mut self) -> Result<Word, Opaque> {
        let mut word = Word::empty();
        while let Some(next) = self.peek() {
            match next {
                ' ' | '\t' | '\r' | '\n' | ';' | '&' | '|' | '(' | ')' => break,
                '<' | '>' if !self.rest.get(1..).is_some_and(|rest| rest.starts_with('(')) => break,
                '<' | '>' => self.process(&mut word)?,
                '$' if self.take("${IFS}") || self.take_ifs() => break,
                '$' => self.dollar(&mut word, false)?,
                '`' => self.backticks(&mut word)?,
                '\'' => self.single(&mut word)?,
                '"' => self.double(&mut word)?,
                '\\' => self.backslash(&mut word),
                '*' | '?' | '[' | '{' => {
                    // `[` and `{` alone are a command and a word of the shell.
                    let stands_alone = word.text.is_empty() && self.rest.get(1..).is_none_or(begins_blank);
                    word.is_known &= stands_alone;
                    self.push(&mut word);
                }
                _ => self.push_plain(&mut word),
            }
        }
        Ok(word)
    }

    /// What no shell looks at twice, in one piece: as most words are.
    fn push_plain(&mut self, word: &mut Word) {
        let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_./=:,@%+".contains(byte);
        let length = self.rest.bytes().take_while(is_plain).count();
        match self.rest.split_at_checked(length).filter(|_| length > 0) {
            Some((plain, rest)) => {
                word.text.push_str(plain);
                self.rest = rest;
            }
            None => self.push(word),
        }
    }

    fn push(&mut self, word: &mut Word) {
        word.text.extend(self.next());
    }

    fn take_ifs(&mut self) -> bool {
        let behind = self.rest.strip_prefix("$IFS").filter(|rest| !rest.starts_with(is_name_character));
        let cut = || {
            let inside = self.rest.strip_prefix("${IFS")?;
            inside.split_once('}').filter(|(cut, _)| !cut.contains(['$', '`'])).map(|(_, rest)| rest)
        };
        let behind = behind.or_else(cut);
        self.rest = behind.unwrap_or(self.rest);
        behind.is_some()
    }

    fn backslash(&mut self, word: &mut Word) {
        self.next();
        if !self.take("\n") {
            word.quote();
            self.push(word);
        }
    }

    fn single(&mut self, word: &mut Word) -> Result<(), Opaque> {
        self.next();
        let (inside, rest) = self.rest.split_once('\'').ok_or(Opaque::Unclosed)?;
        word.quote();
        word.text.push_str(inside);
        self.rest = rest;
        Ok(())
    }

    fn double(&mut self, word: &mut Word) -> Result<(), Opaque> {
        self.next();
        word.quote();
        loop {
            match self.peek().ok_or(Opaque::Unclosed)? {
                '"' => {
                    self.next();
                    return Ok(());
                }
                '\\' => {
                    self.next();
                    match self.peek() {
                        Some('\n') => drop(self.next()),
                        Some('$' | '`' | '"' | '\\') => self.push(word),
                        _ => word.text.push('\\'),
                    }
                }
                '$' => self.dollar(word, true)?,
                '`' => self.backticks(word)?,
                _ => self.push(word),
            }
        }
    }

    /// `<(…)`: a command whose output is read like a file.
    fn process(&mut self, word: &mut Word) -> Result<(), Opaque> {
        let before = self.rest;
        self.next();
        self.next();
        self.nested(')')?;
        self.left_to_shell(word, before);
        Ok(())
    }

    /// Everything that begins with `$`.
    pub(super) fn dollar(&mut self, word: &mut Word, in_quotes: bool) -> Result<(), Opaque> {
        let before = self.rest;
        self.next();
        match self.peek() {
            Some('\'') if !in_quotes => return self.escaped(word),
            Some('"') if !in_quotes => return self.double(word),
            Some('(') => {
                self.next();
                if self.take("(") { self.arithmetic()? } else { self.nested(')')? }
            }
            Some('{') => self.parameter()?,
            Some(first) if is_name_character(first) => {
                let rest = self.rest.trim_start_matches(is_name_character);
                self.rest =
                    if first.is_ascii_digit() { self.rest.get(1..).unwrap_or_default() } else { rest };
            }
            Some('@' | '*' | '#' | '?' | '-' | '$' | '!') => drop(self.next()),
            _ => {
                word.text.push('$');
                return Ok(());
            }
        }
        self.left_to_shell(word, before);
        Ok(())
    }

    fn left_to_shell(&self, word: &mut Word, before: &'a str) {
        word.text.push_str(self.since(before));
        word.is_known = false;
    }

    /// `${…}`, of which the `$` is behind; what is substituted in it is read.
    fn parameter(&mut self) -> Result<(), Opaque> {
        self.depth += 1;
        if self.depth > 16 {
            return Err(Opaque::TooDeep);
        }
        self.next();
        let mut inside = Word::empty();
        loop {
            match self.peek().ok_or(Opaque::Unclosed)? {
                '}' => break,
                '$' => self.dollar(&mut inside, true)?,
                '`' => self.backticks(&mut inside)?,
                '\'' => self.single(&mut inside)?,
                '"' => self.double(&mut inside)?,
                '\\' => self.backslash(&mut inside),
                _ => drop(self.next()),
            }
        }
        self.next();
        self.depth -= 1;
        Ok(())
    }

    fn backticks(&mut self, word: &mut Word) -> Result<(), Opaque> {
        let before = self.rest;
        self.next();
        let mut inside = String::new();
        loop {
            match self.next().ok_or(Opaque::Unclosed)? {
                '`' => break,
                '\\' if self.peek().is_some_and(|next| matches!(next, '`' | '\\' | '$')) => {
                    inside.extend(self.next())
                }
                other => inside.push(other),
            }
        }
        let (script, opaque) = read_at(&inside, self.depth + 1);
        self.script.take_over(script);
        self.left_to_shell(word, before);
        opaque.map_or(Ok(()), Err)
    }

    /// Reads the substitutions in a text that is quoted as a whole, like that of a here-document.
    pub(super) fn substitutions(&mut self) -> Result<(), Opaque> {
        let mut text = Word::empty();
        loop {
            match self.peek() {
                None => return Ok(()),
                Some('$') => self.dollar(&mut text, true)?,
                Some('`') => self.backticks(&mut text)?,
                Some('\\') => {
                    self.next();
                    self.next();
                }
                Some(_) => drop(self.next()),
            }
        }
    }

    /// `$'…'`, of which the `$` is behind (POSIX.1-2024, XCU 2.2.4).
    fn escaped(&mut self, word: &mut Word) -> Result<(), Opaque> {
        self.next();
        word.quote();
        loop {
            match self.next().ok_or(Opaque::Unclosed)? {
                '\'' => return Ok(()),
                '\\' => {
                    let escape = self.next().ok_or(Opaque::Unclosed)?;
                    self.push_escape(word, escape);
                }
                other => word.text.push(other),
            }
        }
    }

    fn push_escape(&mut self, word: &mut Word, escape: char) {
        let character = match escape {
            'a' => '\x07',
            'b' => '\x08',
            'e' | 'E' => '\x1b',
            'f' => '\x0c',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\x0b',
            'x' => self.number(16, 2, 0),
            'u' => self.number(16, 4, 0),
            'U' => self.number(16, 8, 0),
            'c' => self.next().and_then(|key| char::from_u32(u32::from(key) & 0x1F)).unwrap_or('c'),
            digit @ '0'..='7' => self.number(8, 2, digit.to_digit(8).unwrap_or(0)),
            other => other,
        };
        word.text.push(character);
    }

    /// Up to so many digits. What they make is no character: the word is then no name of a program either.
    fn number(&mut self, radix: u32, most_digits: usize, first: u32) -> char {
        let mut value = first;
        for _ in 0..most_digits {
            let Some(digit) = self.peek().and_then(|digit| digit.to_digit(radix)) else { break };
            value = value.saturating_mul(radix).saturating_add(digit);
            self.next();
        }
        char::from_u32(value).unwrap_or(char::REPLACEMENT_CHARACTER)
    }
}

fn is_name_character(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '_'
}

fn begins_blank(rest: &str) -> bool {
    rest.is_empty() || rest.starts_with([' ', '\t', '\n'])
}

//! What the text of a path says, before the file system is asked.
//!
//! Only what every program reads in the same way goes further. Refused are the ways upwards in any spelling and any layer
//! of encoding, and everything that means one place to us and may mean another to a tool: `~`, URLs, drive letters,
//! backslashes, control characters. (`a:b` counts as a drive, `ab:c` is a name.)
//!
//! On Linux a dot or a space is a character like others, so `..foo`, `a..b`, `foo.`, `.foo` and `foo ` are names and pass.
//! A name of nothing but dots and spaces (`...`, `.. `) is none that anybody gives a file, and some programs read it as
//! `..`: it is refused, as is what some servers cut down to `..` (`..;x`).

use std::borrow::Cow;

use seawall_types::{Code, Severity};

use super::encoding::{loosely_decoded, percent_decoded};
use super::lookalike::{Role, is_lookalike, role, turns_text_around};
use crate::Found;

/// The longest path that Linux takes, in bytes, with the NUL at its end (PATH_MAX, limits.h).
const LONGEST_BYTES: usize = 4096;

/// So many layers of encoding are taken off. Two are refused already; more are only for the message's sake.
const MOST_LAYERS: usize = 3;

/// What is wrong with the text of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trouble {
    Empty,
    TooLong,
    Control,
    Backslash,
    Up,
    Home,
    Url,
    Drive,
    Share,
    LookAlike,
    TurnedAround,
    Encoded,
    EncodedTwice,
    NotUtf8,
}

impl Trouble {
    fn says(self) -> (&'static str, &'static str) {
        match self {
            Self::Empty => ("is empty", "name a file or a folder"),
            Self::TooLong => ("is longer than any path can be", "name a file by a shorter path"),
            Self::Control => ("holds a control character", "take it out"),
            Self::Backslash => {
                ("holds a backslash, which some programs read as `/`", "write `/` between names")
            }
            Self::Up => ("leads upwards, or can be read so", "write the path from the root, without `..`"),
            Self::Home => ("begins with `~`, which stands for a home folder", "write the path from the root"),
            Self::Url => ("is a URL", "write the path alone"),
            Self::Drive => ("begins with a drive letter", "write the path from the root"),
            Self::Share => ("begins with `//`, which can name another machine", "begin with a single `/`"),
            Self::LookAlike => {
                ("holds a character that looks like `/`, `\\`, `%` or `:`", "write the plain character")
            }
            Self::TurnedAround => ("holds a character that turns the text around", "take it out"),
            Self::Encoded => {
                ("hides plain characters behind an encoding", "write the path as it is, not encoded")
            }
            Self::EncodedTwice => ("is encoded more than once", "write the path as it is, not encoded"),
            Self::NotUtf8 => ("is not UTF-8 once it is decoded", "write the path as it is, not encoded"),
        }
    }

    /// The finding about the path `written`.
    pub(super) fn found(self, written: &str) -> Found {
        let (what, remedy) = self.says();
        Found {
            code: Code::FsTraversal,
            severity: Severity::High,
            message: format!("the path {} {what}", super::quoted(written)),
            remedy: remedy.to_owned(),
        }
    }
}

/// Everything that is wrong with the text; empty when nothing is.
pub(super) fn troubles(written: &str) -> Vec<Trouble> {
    if is_ordinary(written) { Vec::new() } else { read_in_every_way(written) }
}

fn read_in_every_way(written: &str) -> Vec<Trouble> {
    let mut troubles = Troubles(Vec::new());
    troubles.note_if(written.is_empty(), Trouble::Empty);
    troubles.note_if(written.len() >= LONGEST_BYTES, Trouble::TooLong);
    if !troubles.0.is_empty() {
        return troubles.0;
    }
    troubles.read(written);
    if written.contains('%') {
        troubles.decode(written);
    }
    troubles.0
}

/// Whether one look at each byte shows that nothing can be wrong: letters, digits and a few signs that mean nothing to
/// anybody, no two dots or slashes in a row, and no `0x`. Most paths are like this; the others are read in every way.
fn is_ordinary(written: &str) -> bool {
    let mut before = 0;
    let is_plain = |byte: u8| {
        let pair = (std::mem::replace(&mut before, byte), byte);
        (byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'.' | b'_' | b'-'))
            && !matches!(pair, (b'.', b'.') | (b'/', b'/') | (b'0', b'x' | b'X'))
    };
    (1..LONGEST_BYTES).contains(&written.len()) && written.bytes().all(is_plain)
}

/// What was found so far, each once.
struct Troubles(Vec<Trouble>);

impl Troubles {
    fn note_if(&mut self, condition: bool, trouble: Trouble) {
        if condition && !self.0.contains(&trouble) {
            self.0.push(trouble);
        }
    }

    /// Takes off one layer after the other and reads what comes out.
    fn decode(&mut self, written: &str) {
        let mut reading = Cow::Borrowed(written);
        for layer in 1..=MOST_LAYERS {
            let Some(decoded) = percent_decoded(&reading) else { return };
            self.note_if(layer > 1, Trouble::EncodedTwice);
            self.note_if(decoded.disguised, Trouble::Encoded);
            let Ok(next) = String::from_utf8(decoded.bytes) else {
                return self.note_if(true, Trouble::NotUtf8);
            };
            self.read(&next);
            reading = Cow::Owned(next);
        }
    }

    /// Reads the text as it stands.
    fn read(&mut self, text: &str) {
        self.read_beginning(text);
        self.note_if(leads_up(text), Trouble::Up);
        self.note_if(text.bytes().any(|byte| byte.is_ascii_control()), Trouble::Control);
        self.note_if(text.contains('\\'), Trouble::Backslash);
        if !text.is_ascii() {
            self.note_if(text.chars().any(is_lookalike), Trouble::LookAlike);
            self.note_if(text.chars().any(turns_text_around), Trouble::TurnedAround);
            self.note_if(
                text.chars().any(|character| ('\u{80}'..'\u{A0}').contains(&character)),
                Trouble::Control,
            );
        }
        self.note_if(loosely_decoded(text).is_some_and(|loose| leads_up(&loose)), Trouble::Up);
    }

    fn read_beginning(&mut self, text: &str) {
        // A program that trims would see what is behind the spaces.
        let begin = text.trim_start();
        self.note_if(begin.starts_with('~') || begin.starts_with('\u{FF5E}'), Trouble::Home);
        self.note_if(begin.starts_with("//") || begin.starts_with("\\\\"), Trouble::Share);
        self.note_if(
            matches!(begin.as_bytes(), [letter, b':', ..] if letter.is_ascii_alphabetic()),
            Trouble::Drive,
        );
        self.note_if(is_url(begin), Trouble::Url);
    }
}

/// `word://` with any scheme, and `file:` without the slashes.
fn is_url(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    is_scheme && (rest.starts_with("//") || scheme.eq_ignore_ascii_case("file"))
}

/// Whether a name in it is `..`, or is read as that by some program.
fn leads_up(text: &str) -> bool {
    // Without any of these no name can consist of two dots, or of dots and spaces.
    if text.is_ascii()
        && !text.as_bytes().windows(2).any(|pair| matches!(pair, b".." | [b' ', _] | [_, b' ']))
    {
        return text == " ";
    }
    let mut name = Name::default();
    for character in text.chars() {
        match role(character) {
            Role::Separator if name.is_up() => return true,
            Role::Separator => name = Name::default(),
            Role::Delimiter if !name.has_text && name.dots >= 2 => name.is_cut = true,
            Role::Dots(dots) if !name.is_cut => name.dots += usize::from(dots),
            Role::Space if !name.is_cut => name.has_space = true,
            Role::Name | Role::Delimiter if !name.is_cut => name.has_text = true,
            Role::Invisible | Role::Name | Role::Delimiter | Role::Dots(_) | Role::Space => {}
        }
    }
    name.is_up()
}

/// What is known of a name, from its beginning on.
#[derive(Default)]
struct Name {
    dots: usize,
    has_space: bool,
    has_text: bool,
    /// What follows is cut off by some servers.
    is_cut: bool,
}

impl Name {
    /// Nothing but dots and spaces, and neither `.` nor nothing at all.
    fn is_up(&self) -> bool {
        !self.has_text && (self.dots >= 2 || self.has_space)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn harmless_names_pass() {
        for written in [
            ".",
            "./a",
            "a/./b",
            "a",
            "a/b/c.txt",
            "/srv/data/a",
            "..foo",
            "foo..",
            "a..b",
            "v1...v2.diff",
            "foo.",
            "foo ",
            ".git/config",
            "a b/c d",
            "100%",
            "100%25",
            "a%20b",
            "caf%C3%A9",
            "naïve/文件。txt",
            "Wait…what.txt",
            "backup~",
            "a/~b",
            "ab:c",
            "12:30",
            "reg_0x2f.txt",
            "Tom & Jerry",
            "c++/a",
            "👨\u{200D}👩\u{200D}👧.png",
            "a//b",
            "a/",
            "@scope/pkg",
            "[id].tsx",
            "$id.tsx",
        ] {
            assert_eq!(troubles(written), [], "{written:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn nothing_is_wrong_with_an_ordinary_path(written in "[/a.x0A_-]{0,12}|[ -~]{0,6}|[./0x]{0,8}") {
            if is_ordinary(&written) {
                proptest::prop_assert_eq!(read_in_every_way(&written), []);
            }
        }
    }

    #[test]
    fn each_trouble_is_named() {
        for (written, trouble) in [
            ("", Trouble::Empty),
            ("..", Trouble::Up),
            ("a/../b", Trouble::Up),
            ("a/..", Trouble::Up),
            ("...", Trouble::Up),
            (".. /a", Trouble::Up),
            (" ../a", Trouble::Up),
            (" /etc", Trouble::Up),
            ("..;a/b", Trouble::Up),
            (".\u{200B}./a", Trouble::Up),
            ("\u{2024}\u{2024}/a", Trouble::Up),
            ("\u{2025}/a", Trouble::Up),
            ("..0x2fetc", Trouble::Up),
            ("&#46;&#46;/etc", Trouble::Up),
            ("a\0b", Trouble::Control),
            ("a\nb", Trouble::Control),
            ("a%00b", Trouble::Control),
            ("a\\b", Trouble::Backslash),
            ("~/a", Trouble::Home),
            ("~root", Trouble::Home),
            ("%7E/a", Trouble::Home),
            ("file:///etc/passwd", Trouble::Url),
            ("FILE:/etc/passwd", Trouble::Url),
            ("https://example.com/a", Trouble::Url),
            ("C:/a", Trouble::Drive),
            ("c:a", Trouble::Drive),
            ("//server/share", Trouble::Share),
            ("\\\\?\\C:\\a", Trouble::Share),
            ("a\u{2215}b", Trouble::LookAlike),
            ("a\u{FF0F}b", Trouble::LookAlike),
            ("a\u{202E}txt.exe", Trouble::TurnedAround),
            ("%2e%2e/a", Trouble::Up),
            ("%2e%2e%2fa", Trouble::Encoded),
            ("%2egit/config", Trouble::Encoded),
            ("%252e", Trouble::EncodedTwice),
            ("%2541", Trouble::EncodedTwice),
            ("%%32%65", Trouble::EncodedTwice),
            ("..%c0%af", Trouble::NotUtf8),
            ("%e0%80%ae", Trouble::NotUtf8),
            ("%uff0e%uff0e/a", Trouble::Up),
        ] {
            assert!(troubles(written).contains(&trouble), "{written:?}: {:?}", troubles(written));
        }
        assert_eq!(troubles(&"a/".repeat(2048)), [Trouble::TooLong]);
    }
}

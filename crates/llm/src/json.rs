//! A validating JSON scanner that keeps spans instead of building a tree.
//!
//! One pass over the bytes checks all of RFC 8259 and notes where the members of one object lie; a value is read
//! only when it is asked for. What is forwarded stays the bytes that came. This is no general JSON library: it
//! builds no documents and it does not repair what is broken.
//!
//! Stricter than the RFC, because two readers that disagree about a body are a hole in a guard: the same key twice
//! in an object that is decided on, too deep nesting and too many keys are refused. Lone surrogates in `\u` escapes
//! are let through, as the RFC does; they read as U+FFFD.

mod digest;
mod document;
mod object;
mod scan;
mod strings;
mod text;
mod value;
mod walk;

pub use digest::{Digest, digest};
pub use document::Document;
pub use object::Object;
use scan::{Scanner, Source};
pub(crate) use text::quote;
pub use value::{Elements, Kind, Value};
pub(crate) use walk::Walk;

/// How deep answers of upstreams may nest. Scanning needs no stack and a byte of memory for each level, so this bounds
/// nothing but nonsense.
pub const ANSWER_DEPTH: usize = 65_536;

/// What is wrong with a JSON text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JsonErrorKind {
    /// A byte stands where JSON does not allow it.
    Syntax,
    /// Objects and arrays nest too deep.
    Depth,
    /// An object has the same key twice.
    DuplicateKey,
    /// A key differs from one that decides by nothing but case.
    LookalikeKey,
    /// The bytes are not UTF-8.
    Utf8,
    /// An object has too many keys.
    TooManyKeys,
    /// The text is no object.
    NotAnObject,
    /// Something follows the object.
    TrailingData,
    /// The text ends too early.
    UnexpectedEnd,
}

impl JsonErrorKind {
    fn message(self) -> &'static str {
        match self {
            Self::Syntax => "unexpected character",
            Self::Depth => "nested too deep",
            Self::DuplicateKey => "the same key twice in one object",
            Self::LookalikeKey => "a key that differs only in case from one that decides",
            Self::Utf8 => "not UTF-8",
            Self::TooManyKeys => "too many keys in one object",
            Self::NotAnObject => "expected an object",
            Self::TrailingData => "something follows the object",
            Self::UnexpectedEnd => "the text ends too early",
        }
    }
}

/// A JSON text that can't be used, and where. Shows the position, never the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{} at line {line}, column {column} (byte {offset})", kind.message())]
pub struct JsonError {
    /// What is wrong.
    pub kind: JsonErrorKind,
    /// Where, in bytes from the start.
    pub offset: usize,
    /// The line, counted from 1.
    pub line: usize,
    /// The byte within the line, counted from 1.
    pub column: usize,
}

impl JsonError {
    /// Describes a fault at `offset` of `text`; line and column are worked out here, off the good path.
    pub(crate) fn at(kind: JsonErrorKind, text: &[u8], offset: usize) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        let line = memchr::memchr_iter(b'\n', before).count() + 1;
        let column = offset - memchr::memrchr(b'\n', before).map_or(0, |newline| newline + 1) + 1;
        Self { kind, offset, line, column }
    }
}

fn check_utf8(text: &[u8]) -> Result<&[u8], JsonError> {
    match std::str::from_utf8(text) {
        Ok(_) => Ok(text),
        Err(error) => Err(JsonError::at(JsonErrorKind::Utf8, text, error.valid_up_to())),
    }
}

fn nothing_after(text: &[u8], end: usize) -> Result<(), JsonError> {
    let mut scanner = Scanner::new(Source::new(text), end);
    scanner.space();
    match scanner.peek() {
        None => Ok(()),
        Some(_) => Err(JsonError::at(JsonErrorKind::TrailingData, text, scanner.at)),
    }
}

//! A call of a tool, gathered from its pieces and judged once.

use super::{CallVerdict, Judge};
use crate::splice::quoted;

/// The most that the arguments of one call may have, in bytes. What is longer is refused.
pub const MAX_ARGUMENTS: usize = 4 * 1024 * 1024;
/// The most that the events of one answer may have, in bytes, that wait for their calls. A small piece of arguments comes
/// in an event that is many times as large.
pub(super) const MAX_HELD: usize = 32 * 1024 * 1024;

/// A call of a tool that the client is to run.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// Its id, where the wire format has one.
    pub id: Option<&'a str>,
    /// The tool.
    pub name: &'a str,
    /// What the tool is given: JSON as the model wrote it, which may be broken. Free text is a JSON string.
    pub arguments: &'a str,
    /// Whether these are all arguments of the call. Gemini can be asked to stream them in pieces, each of which is shown
    /// here alone.
    pub is_whole: bool,
}

/// A call as far as it has come.
#[derive(Debug, Default, Clone)]
pub(super) struct Pending {
    pub(super) id: Option<String>,
    pub(super) name: String,
    arguments: String,
    /// The arguments are free text, not JSON.
    is_free_text: bool,
    pub(super) is_too_large: bool,
}

impl Pending {
    pub(super) fn new(id: Option<String>, name: String, is_free_text: bool) -> Self {
        Self { id, name, is_free_text, ..Self::default() }
    }

    /// The next piece of its arguments.
    pub(super) fn add(&mut self, piece: &str) {
        if self.arguments.len() + piece.len() > MAX_ARGUMENTS {
            self.is_too_large = true;
        } else {
            self.arguments.push_str(piece);
        }
    }

    /// All its arguments, whatever the pieces were.
    pub(super) fn set(&mut self, arguments: &str) {
        self.arguments.clear();
        self.is_too_large = false;
        self.add(arguments);
    }

    pub(super) fn has_arguments(&self) -> bool {
        !self.arguments.is_empty()
    }

    /// What stands for the call, so that it is known again.
    pub(super) fn digest(&self) -> blake3::Hash {
        let parts = [self.id.as_deref().unwrap_or_default(), &self.name, &self.arguments];
        let mut hasher = blake3::Hasher::new();
        for part in parts {
            hasher.update(&part.len().to_le_bytes());
            hasher.update(part.as_bytes());
        }
        hasher.finalize()
    }

    /// What is to happen with it. Changed arguments come as they are to stand in the place of the old ones.
    pub(super) fn judge<J: Judge>(&self, judge: &mut J) -> CallVerdict {
        if self.is_too_large {
            return CallVerdict::Refuse(judge.too_large(&self.name, MAX_ARGUMENTS));
        }
        match self.show(|call| judge.call(call)) {
            CallVerdict::Arguments(new) if self.is_free_text => {
                CallVerdict::Arguments(serde_json::from_str(&new).unwrap_or(new))
            }
            verdict => verdict,
        }
    }

    /// Whether that can be said now.
    pub(super) fn is_ready<J: Judge>(&self, judge: &mut J) -> bool {
        self.is_too_large || self.show(|call| judge.is_ready(call))
    }

    fn show<T>(&self, see: impl FnOnce(&Call<'_>) -> T) -> T {
        let free_text = self.is_free_text.then(|| quoted(&self.arguments));
        // A tool without parameters is called with nothing by some models.
        let arguments = match &free_text {
            Some(text) => text,
            None if self.arguments.trim().is_empty() => "{}",
            None => &self.arguments,
        };
        see(&Call { id: self.id.as_deref(), name: &self.name, arguments, is_whole: true })
    }
}

//! What is asked of a policy: one call of a tool, before it is performed.

use std::collections::BTreeMap;

use seawall_types::{Actor, Effect};
use serde_json::Value;

use crate::FlowState;

/// A call that is to be judged.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The tool's name; empty where there is no tool, and then no rule about tools applies.
    pub tool: &'a str,
    /// Its arguments, an object by rule.
    pub args: &'a Value,
    /// What it touches, as far as somebody said so.
    pub effects: &'a Declared,
    /// On whose behalf.
    pub actor: &'a Actor,
    /// The run's id; empty outside of any run.
    pub run: &'a str,
    /// What has happened in the run before.
    pub flow: Option<&'a FlowState>,
    /// Who performs it.
    pub performer: Performer,
}

/// Who performs a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Performer {
    /// We do: its texts are on their way to a tool, and paths in it mean those of this machine.
    #[default]
    Us,
    /// The client whose model asked for it: its texts come from the model, and a path that is written relative to some
    /// folder stays so, since only the client knows which.
    Client,
    /// A server of tools that we pass the call to: its texts are on their way to a tool, and a relative path stays as it
    /// is written, since only the server knows its folder.
    Server,
}

/// What was said about the effects of a tool. What was not said is derived from the names and values of parameters.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Declared {
    /// Nothing.
    #[default]
    Nothing,
    /// The tool does these, wherever its parameters say on what.
    Tool(Vec<Effect>),
    /// What these parameters are for; `None`: for nothing that is to be judged. Others are derived.
    Parameters(BTreeMap<String, Option<Effect>>),
    /// What members of these names are, wherever in the arguments they stand. Others are derived.
    Members(BTreeMap<String, Meaning>),
}

/// What a member of a tool's arguments is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// The name of what this is done to.
    Touches(Effect),
    /// Text and all that is in it: looked through like any, and neither a path nor a URL, whatever it looks like. The
    /// contents of a file are.
    Text,
}

/// What a tool does to a path that is given to it, when nobody said: by the words of its name, else it writes. What stands before
/// the last dot names the tool's family or server, and says nothing about what one tool does.
pub(crate) fn file_effect(tool: &str) -> Effect {
    let name = tool.rsplit('.').next().unwrap_or(tool);
    let effects = crate::parameters::words(name).filter_map(word_effect);
    // A word that removes counts more than one that writes, and that more than one that reads.
    effects
        .max_by_key(|effect| (*effect == Effect::FsDelete, *effect == Effect::FsWrite))
        .unwrap_or(Effect::FsWrite)
}

/// What a word in the name of a tool says that it does to paths.
fn word_effect(word: &str) -> Option<Effect> {
    // None of them is longer.
    let mut letters = [0; 6];
    let letters = letters.get_mut(..word.len())?;
    letters.copy_from_slice(word.as_bytes());
    letters.make_ascii_lowercase();
    Some(match &*letters {
        b"delete" | b"remove" | b"rm" | b"unlink" | b"rmdir" | b"erase" | b"purge" => Effect::FsDelete,
        b"write" | b"edit" | b"save" | b"move" | b"mv" | b"copy" | b"cp" | b"create" | b"append" => {
            Effect::FsWrite
        }
        b"read" | b"get" | b"list" | b"ls" | b"cat" | b"open" | b"view" | b"show" | b"stat" => Effect::FsRead,
        b"search" | b"find" | b"grep" | b"glob" | b"load" | b"head" | b"tail" | b"fetch" | b"diff" => {
            Effect::FsRead
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_a_tools_name_say_what_it_does_to_paths() {
        let words: [(Effect, &str); 3] = [
            (Effect::FsDelete, "delete remove rm unlink rmdir erase purge"),
            (Effect::FsWrite, "write edit save move mv copy cp create append"),
            (
                Effect::FsRead,
                "read get list ls cat open view show stat search find grep glob load head tail fetch diff",
            ),
        ];
        for (effect, words) in words {
            for word in words.split(' ') {
                assert_eq!(word_effect(word), Some(effect), "{word}");
                assert_eq!(file_effect(&format!("fs.{}_it", word.to_uppercase())), effect, "{word}");
            }
        }
    }

    #[test]
    fn of_several_words_the_gravest_counts_and_without_any_it_is_a_write() {
        for (tool, effect) in [
            ("readOrDelete", Effect::FsDelete),
            ("write_and_remove", Effect::FsDelete),
            ("read_write", Effect::FsWrite),
            ("list_files", Effect::FsRead),
            ("delete.read_file", Effect::FsRead),
            ("frobnicate", Effect::FsWrite),
            ("readable", Effect::FsWrite),
            ("", Effect::FsWrite),
        ] {
            assert_eq!(file_effect(tool), effect, "{tool}");
        }
    }
}

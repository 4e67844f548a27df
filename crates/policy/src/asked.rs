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
    const READ: [&str; 18] = [
        "read", "get", "list", "ls", "cat", "open", "view", "show", "stat", "search", "find", "grep", "glob",
        "load", "head", "tail", "fetch", "diff",
    ];
    const DELETE: [&str; 7] = ["delete", "remove", "rm", "unlink", "rmdir", "erase", "purge"];
    let name = tool.rsplit('.').next().unwrap_or(tool);
    let is_one = |words: &[&str]| {
        crate::parameters::words(name).any(|word| words.iter().any(|known| word.eq_ignore_ascii_case(known)))
    };
    if is_one(&DELETE) {
        Effect::FsDelete
    } else if is_one(&READ)
        && !is_one(&["write", "edit", "save", "move", "mv", "copy", "cp", "create", "append"])
    {
        Effect::FsRead
    } else {
        Effect::FsWrite
    }
}

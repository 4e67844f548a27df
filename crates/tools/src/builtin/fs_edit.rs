//! `fs_edit`: one literal replacement in one file.

use seawall_engine::{EffectClass, Found};
use seawall_types::Effect;
use serde::Deserialize;
use serde_json::{Value, json};

use super::blocking::{Blocking, Work};
use super::edits::{self, Done, Edit};
use super::replacing::Replacement;
use super::{FILE_TIME, described, spec};
use crate::Failure;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Arguments {
    path: String,
    old_string: String,
    new_string: String,
    #[serde(default)]
    replace_all: bool,
}

impl Arguments {
    fn edit(&self) -> Edit<'_> {
        let Self { path, old_string: old, new_string: new, replace_all } = self;
        Edit { path, replacement: Replacement { old, new, all: *replace_all } }
    }
}

pub(super) fn tool() -> Blocking<impl serde::de::DeserializeOwned + std::fmt::Debug + Send> {
    let parameters = json!({
        "type": "object",
        "properties": {
            "path": { "type": "string", "description": "The file, from the working folder" },
            "old_string": {
                "type": "string", "minLength": 1,
                "description": "The text to be replaced, exactly as it is in the file, with so much around it that it is there once"
            },
            "new_string": { "type": "string", "description": "What it is replaced by" },
            "replace_all": { "type": "boolean", "description": "Replace it wherever it is (default: false)" },
        },
        "required": ["path", "old_string", "new_string"],
        "additionalProperties": false,
    });
    let description = "Replaces a text in a file by another. Both are literal: no character has a special meaning. Refused \
        when the file was changed since you last saw it.";
    let spec = spec(EffectClass::Reconcilable, true, FILE_TIME);
    let description = described("fs_edit", description, parameters, spec)
        .touching(Effect::FsWrite, &["path"])
        .texts(&["old_string", "new_string"]);
    Blocking::new(description, perform).reconciled_by(find_out)
}

fn perform(work: &Work, arguments: &Arguments) -> Result<Value, Failure> {
    report(arguments, &edits::perform(work, &[arguments.edit()])?)
}

fn find_out(work: &Work, arguments: &Arguments) -> Found {
    edits::find_out(work, &[arguments.edit()]).found(|done| report(arguments, &done).into())
}

fn report(arguments: &Arguments, done: &[Done]) -> Result<Value, Failure> {
    match done.first() {
        Some(Done::Replaced(count)) => {
            Ok(json!({ "ok": true, "path": arguments.path, "replacements": count }))
        }
        Some(Done::Failed(words)) => Err(Failure::new(words)),
        Some(Done::Skipped) | None => Err(Failure::new("nothing was changed")),
    }
}

//! `fs_multi_edit`: literal replacements in one or more files; of each file all of them or none.

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
    edits: Vec<Wish>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wish {
    path: String,
    find: String,
    replace: String,
    #[serde(default)]
    replace_all: bool,
}

impl Arguments {
    fn edits(&self) -> Vec<Edit<'_>> {
        self.edits.iter().map(Wish::edit).collect()
    }
}

impl Wish {
    fn edit(&self) -> Edit<'_> {
        let Self { path, find: old, replace: new, replace_all } = self;
        Edit { path, replacement: Replacement { old, new, all: *replace_all } }
    }
}

pub(super) fn tool() -> Blocking<impl serde::de::DeserializeOwned + std::fmt::Debug + Send> {
    let parameters = json!({
        "type": "object",
        "properties": {
            "edits": {
                "type": "array", "minItems": 1, "maxItems": 100,
                "description": "What is replaced. Those of one file are made one after the other, all or none",
                "items": {
                    "type": "object",
                    "properties": {
                        "path": { "type": "string", "description": "The file, from the working folder" },
                        "find": {
                            "type": "string", "minLength": 1,
                            "description": "The text to be replaced, exactly as it is in the file and there once"
                        },
                        "replace": { "type": "string", "description": "What it is replaced by" },
                        "replace_all": { "type": "boolean", "description": "Replace it wherever it is (default: false)" },
                    },
                    "required": ["path", "find", "replace"],
                    "additionalProperties": false,
                },
            },
        },
        "required": ["edits"],
        "additionalProperties": false,
    });
    let description = "Replaces several texts, in one or more files. Tells for each edit whether it was made (ok), could \
        not be made (error), or was left out because another one of its file could not be made (skipped).";
    let spec = spec(EffectClass::Reconcilable, true, FILE_TIME);
    let description = described("fs_multi_edit", description, parameters, spec)
        .touching(Effect::FsWrite, &["path"])
        .texts(&["find", "replace"]);
    Blocking::new(description, perform).reconciled_by(find_out)
}

fn perform(work: &Work, arguments: &Arguments) -> Result<Value, Failure> {
    report(arguments, &edits::perform(work, &arguments.edits())?)
}

fn find_out(work: &Work, arguments: &Arguments) -> Found {
    edits::find_out(work, &arguments.edits()).found(|done| report(arguments, &done).into())
}

/// What became of each edit; a failure when one was not made.
fn report(arguments: &Arguments, done: &[Done]) -> Result<Value, Failure> {
    let told = arguments.edits.iter().zip(done).map(|(wish, done)| match done {
        Done::Replaced(count) => json!({ "path": wish.path, "status": "ok", "replacements": count }),
        Done::Failed(words) => json!({ "path": wish.path, "status": "error", "message": words }),
        Done::Skipped => json!({ "path": wish.path, "status": "skipped" }),
    });
    let ok = done.iter().all(|done| matches!(done, Done::Replaced(_)));
    let told = json!({ "ok": ok, "edits": told.collect::<Vec<_>>() });
    if ok { Ok(told) } else { Err(Failure::new(told.to_string())) }
}

//! `fs_write`: a file, whole.

use memchr::memchr_iter;
use seawall_engine::EffectClass;
use seawall_types::Effect;
use serde::Deserialize;
use serde_json::{Value, json};

use super::blocking::{Blocking, Work};
use super::fs_read::stale;
use super::{FILE_TIME, described, spec};
use crate::Failure;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Arguments {
    path: String,
    content: String,
}

pub(super) fn tool() -> Blocking<impl serde::de::DeserializeOwned + std::fmt::Debug + Send> {
    let parameters = json!({
        "type": "object",
        "properties": {
            "path": { "type": "string", "description": "The file, from the working folder; folders are made" },
            "content": { "type": "string", "description": "All that is to be in it" },
        },
        "required": ["path", "content"],
        "additionalProperties": false,
    });
    let description = "Writes a whole file: a new one, or over one that you have read and that nobody has changed since. \
        To change a part of a file use fs_edit.";
    let spec = spec(EffectClass::Idempotent, true, FILE_TIME);
    let description = described("fs_write", description, parameters, spec)
        .touching(Effect::FsWrite, &["path"])
        .texts(&["content"]);
    Blocking::new(description, perform)
}

fn perform(work: &Work, arguments: &Arguments) -> Result<Value, Failure> {
    let located = work.place.locate(Effect::FsWrite, &arguments.path)?;
    let new = arguments.content.as_bytes();
    let hash = blake3::hash(new);
    let mut pool = work.place.pool();
    let old = work.place.read_whole(&located)?;
    // A second run after a crash finds what the first has written.
    let is_written = old.as_ref().is_some_and(|old| old.bytes == new);
    if let Some(old) = old.as_ref().filter(|_| !is_written) {
        let known = pool.know(&located.path, &blake3::hash(&old.bytes));
        stale(&located.shown, known).map_or(Ok(()), Err)?;
    }
    if !is_written {
        located.replace(old.as_ref(), new)?;
    }
    pool.note(&located.path, hash);
    let lines = memchr_iter(b'\n', new).count() + usize::from(!new.is_empty() && !new.ends_with(b"\n"));
    Ok(json!({ "ok": true, "path": located.shown, "bytes": new.len(), "lines": lines }))
}

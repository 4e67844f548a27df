//! `bash_logs`: what a command in the background has said, also while it runs.

use std::fs::File;

use seawall_engine::EffectClass;
use serde::Deserialize;
use serde_json::{Value, json};

use super::blocking::{Blocking, Work};
use super::{FILE_TIME, described, spec};
use crate::Failure;
use crate::place::{ShellEnd, characters};

/// So much is shown at once.
const SHOWN: u64 = 48 * 1024;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Arguments {
    shell_id: String,
    offset: Option<u64>,
}

pub(super) fn tool() -> Blocking<impl serde::de::DeserializeOwned + std::fmt::Debug + Send> {
    let parameters = json!({
        "type": "object",
        "properties": {
            "shell_id": { "type": "string", "description": "What bash_run gave" },
            "offset": {
                "type": "integer", "minimum": 0,
                "description": "Only what came from this byte on, as nextOffset said (default: the end of what there is)"
            },
        },
        "required": ["shell_id"],
        "additionalProperties": false,
    });
    let description = "Shows what a command in the background has written, also while it runs. Gives status (running, ended, \
        or gone: with a process that died), code once it has ended, output, and nextOffset: where the rest begins.";
    let spec = spec(EffectClass::Pure, false, FILE_TIME);
    Blocking::new(described("bash_logs", description, parameters, spec), perform)
}

fn perform(work: &Work, arguments: &Arguments) -> Result<Value, Failure> {
    let Arguments { shell_id, offset } = arguments;
    let shells = work.place.shells();
    let shell = shells.get(shell_id);
    // Asked before the output is read: what an ended command has written is all there.
    let (status, code, words) = match shell.as_ref().map(|shell| shell.end()) {
        Some(None) => ("running", None, None),
        Some(Some(ShellEnd::Ran(report))) => ("ended", Some(report.ending.exit_code()), None),
        Some(Some(ShellEnd::Failed(failure))) => ("ended", None, Some(failure.to_string())),
        None => ("gone", None, None),
    };
    let log = shell.map(|shell| shell.log().to_owned()).or_else(|| shells.log_of(shell_id));
    let Some(log) = log else {
        let known = shells.running_ids();
        return Err(Failure::new(format!("there is no command {shell_id:?}; those that run: {known:?}")));
    };
    let failed = |error| Failure::system("the output can't be read", &error);
    let file = File::open(log).map_err(failed)?;
    let bytes = file.metadata().map_err(failed)?.len();
    let offset = offset.unwrap_or_else(|| bytes.saturating_sub(SHOWN)).min(bytes);
    let (text, next) = characters(&file, offset, SHOWN).map_err(failed)?;
    let mut told = json!({
        "shell_id": shell_id, "status": status, "offset": offset, "nextOffset": next, "bytes": bytes, "output": text,
    });
    if let Some(fields) = told.as_object_mut() {
        fields.extend(code.map(|code| ("code".to_owned(), json!(code))));
        fields.extend(words.map(|words| ("error".to_owned(), json!(words))));
    }
    Ok(told)
}

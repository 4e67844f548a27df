//! `bash_run`: a command of a shell, held by the kernel. What it may touch was decided by the place, not by its text.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use seawall_engine::EffectClass;
use seawall_sandbox::Command;
use seawall_types::Effect;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{described, read, spec};
use crate::place::{Attended, Shell, ShellEnd, output, start};
use crate::{BoxFuture, Call, Description, Failure, Outcome, Tool};

/// How long a command may run where nobody says how long, and at most while somebody waits for it.
const TIME: Duration = Duration::from_mins(2);
const LONGEST: Duration = Duration::from_mins(10);
/// How long it takes at most to start one, and to end one with all that it has started.
const AROUND: Duration = Duration::from_secs(15);
/// So much of what it says is shown: with what JSON needs to write it, less than a result may have.
const SHOWN: usize = 48 * 1024;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Arguments {
    cmd: String,
    timeout_ms: Option<u64>,
    #[serde(default)]
    background: bool,
}

/// Runs commands.
#[derive(Debug)]
pub(super) struct BashRun {
    description: Description,
}

impl BashRun {
    pub(super) fn new() -> Self {
        let longest = u64::try_from(LONGEST.as_millis()).unwrap_or(u64::MAX);
        let parameters = json!({
            "type": "object",
            "properties": {
                "cmd": { "type": "string", "minLength": 1, "description": "What bash is to do, in the working folder" },
                "timeout_ms": {
                    "type": "integer", "minimum": 1,
                    "description": format!("After so many milliseconds it is ended (default: 120000; at most {longest} but in the background, where the default is no limit)")
                },
                "background": { "type": "boolean", "description": "Give a shell_id at once and let it run on (default: false)" },
            },
            "required": ["cmd"],
            "additionalProperties": false,
        });
        let description = "Runs a command in bash. Gives code (0: it succeeded; 128 and more: a signal ended it) and output: \
            what it wrote to both streams. It may write below the working folder only; /tmp is empty and its own; everything \
            that it starts ends with it. With background it runs on: look with bash_logs, end it with bash_kill.";
        let spec = spec(EffectClass::Unsafe, true, LONGEST + AROUND);
        let description = described("bash_run", description, parameters, spec);
        Self { description: description.touching(Effect::Exec, &["cmd"]) }
    }
}

impl Tool for BashRun {
    fn description(&self) -> &Description {
        &self.description
    }

    fn call<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            match read::<Arguments>(call.arguments) {
                Ok(Arguments { cmd, timeout_ms, background }) => {
                    let command = Command::new(shell()).arg("-c").arg(cmd);
                    let limit = timeout_ms.map(Duration::from_millis);
                    if background {
                        in_background(call, command, limit).await
                    } else {
                        let limit = limit.unwrap_or(TIME).min(LONGEST);
                        attended(call, command, limit, Vec::new()).await
                    }
                }
                Err(failure) => failure.into(),
            }
        })
    }
}

fn shell() -> &'static str {
    if Path::new("/bin/bash").exists() { "/bin/bash" } else { "/bin/sh" }
}

/// Runs a command and waits for it. It ends with the call. `readable` are more folders that it may read.
pub(crate) async fn attended(
    call: Call<'_>,
    command: Command,
    limit: Duration,
    readable: Vec<std::path::PathBuf>,
) -> Outcome {
    let shell = match call.place.shells().begin(&id(call)) {
        Ok(shell) => shell,
        Err(failure) => return failure.into(),
    };
    let _ended_when_dropped = Attended::new(&shell);
    begin(call, &shell, command, Some(limit), readable);
    let (end, interrupted) = tokio::select! {
        end = shell.ended() => (end, false),
        () = call.cancel.cancelled() => {
            shell.kill();
            (shell.ended().await, true)
        }
    };
    let place = Arc::clone(call.place);
    let told = move || match told(&shell, end, interrupted, limit) {
        Ok((outcome, is_whole)) => {
            if is_whole {
                place.shells().forget(&shell);
            }
            outcome
        }
        Err(failure) => failure.into(),
    };
    match tokio::task::spawn_blocking(told).await {
        Ok(outcome) => outcome,
        Err(error) => Outcome::error(format!("the command's output could not be read: {error}")),
    }
}

/// Starts a command that outlives the call.
async fn in_background(call: Call<'_>, command: Command, limit: Option<Duration>) -> Outcome {
    let shell = match call.place.shells().begin(&id(call)) {
        Ok(shell) => shell,
        Err(failure) => return failure.into(),
    };
    let ended_when_dropped = Attended::new(&shell);
    let started = begin(call, &shell, command, limit, Vec::new());
    tokio::select! {
        _done = started => {}
        () = call.cancel.cancelled() => return Outcome::error("interrupted"),
    }
    if let Some(ShellEnd::Failed(failure)) = shell.end() {
        return failure.into();
    }
    ended_when_dropped.leave();
    let (id, log) = (shell.id(), shell.log().display().to_string());
    Outcome::json(&json!({ "shell_id": id, "status": "running", "log": log }))
}

fn begin(
    call: Call<'_>,
    shell: &Arc<Shell>,
    command: Command,
    limit: Option<Duration>,
    readable: Vec<std::path::PathBuf>,
) -> tokio::task::JoinHandle<()> {
    let (place, shell) = (Arc::clone(call.place), Arc::clone(shell));
    tokio::task::spawn_blocking(move || start(&place, &shell, command, limit, readable))
}

/// The name of a command: that of its call, which no other has.
fn id(call: Call<'_>) -> String {
    format!("shell_{}_{}", call.id.step, call.id.index)
}

/// What the model is told of a command that has ended, and whether that is all that it said.
fn told(
    shell: &Shell,
    end: ShellEnd,
    interrupted: bool,
    limit: Duration,
) -> Result<(Outcome, bool), Failure> {
    let report = match end {
        ShellEnd::Ran(report) => report,
        ShellEnd::Failed(failure) => return Err(failure),
    };
    let (output, truncated) = output(shell.log(), SHOWN)
        .map_err(|error| Failure::system("the command ended, and its output can't be read", &error))?;
    let mut told = json!({ "code": report.ending.exit_code(), "output": output });
    let mut say = |name: &str, value: Value| {
        if let Some(fields) = told.as_object_mut() {
            fields.insert(name.to_owned(), value);
        }
    };
    if truncated {
        say("truncated", true.into());
    }
    let cut_short = if interrupted {
        Some("interrupted, and ended with everything that it had started".to_owned())
    } else if report.timed_out {
        let seconds = limit.as_secs_f64();
        Some(format!(
            "not done within {seconds}s, and ended with everything that it had started; use background, or a longer timeout_ms"
        ))
    } else {
        None
    };
    let Some(words) = cut_short else { return Ok((Outcome::json(&told), !truncated)) };
    say("error", words.into());
    Ok((Outcome::error(told.to_string()), !truncated))
}

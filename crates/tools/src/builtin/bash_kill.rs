//! `bash_kill`: ends a command with everything that it has started.

use std::time::Duration;

use seawall_engine::EffectClass;
use serde::Deserialize;
use serde_json::json;

use super::{described, read, spec};
use crate::place::ShellEnd;
use crate::{BoxFuture, Call, Description, Outcome, Tool};

/// How long it takes at most.
const TIME: Duration = Duration::from_secs(15);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Arguments {
    shell_id: String,
}

/// Ends commands.
#[derive(Debug)]
pub(super) struct BashKill {
    description: Description,
}

impl BashKill {
    pub(super) fn new() -> Self {
        let parameters = json!({
            "type": "object",
            "properties": { "shell_id": { "type": "string", "description": "What bash_run gave" } },
            "required": ["shell_id"],
            "additionalProperties": false,
        });
        let description = "Ends a command in the background with everything that it has started, and waits until nothing of \
            it is left. One that has ended already stays ended.";
        Self {
            description: described(
                "bash_kill",
                description,
                parameters,
                spec(EffectClass::Idempotent, true, TIME),
            ),
        }
    }
}

impl Tool for BashKill {
    fn description(&self) -> &Description {
        &self.description
    }

    fn call<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            let Arguments { shell_id } = match read(call.arguments) {
                Ok(arguments) => arguments,
                Err(failure) => return failure.into(),
            };
            let shells = call.place.shells();
            let Some(shell) = shells.get(&shell_id) else {
                // Of an earlier process of ours: it ended with that.
                if shells.log_of(&shell_id).is_some() {
                    return Outcome::json(&json!({ "ok": true, "shell_id": shell_id, "ended": "before" }));
                }
                let known = shells.running_ids();
                return Outcome::error(format!(
                    "there is no command {shell_id:?}; those that run: {known:?}"
                ));
            };
            let was_over = shell.end().is_some();
            shell.kill();
            match shell.ended().await {
                ShellEnd::Ran(report) => Outcome::json(&json!({
                    "ok": report.survivors == 0, "shell_id": shell_id, "ended": if was_over { "before" } else { "now" },
                    "code": report.ending.exit_code(), "survivors": report.survivors,
                })),
                ShellEnd::Failed(failure) => failure.into(),
            }
        })
    }
}

//! Servers of tools, made of their settings: their policies are read, and what their commands may touch is worked out.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use seawall_config::Environment;
use seawall_guard::confinement::{self, Granted};
use seawall_mcp::{Launch, Place, ServerPlan, ServerSettings};
use seawall_policy::Policy;
use std::time::Duration;

use crate::policy::{self, Named};
use crate::settings::Settings;

/// What every command gets of our environment, as clients of the protocol commonly pass it on: enough to find programs and
/// the user's own folder, and nothing that could be a secret.
const INHERITED: [&str; 7] = ["HOME", "LANG", "LOGNAME", "PATH", "SHELL", "TMPDIR", "USER"];

/// The servers, or everything that is wrong with them. Files that they are made of come to `files`.
pub(crate) fn plans(
    settings: &Settings,
    environment: &Environment,
    files: &mut Vec<PathBuf>,
) -> Result<Vec<ServerPlan>, String> {
    let (mut plans, mut faults) = (Vec::new(), Vec::new());
    for (name, server) in &settings.mcp {
        match plan(name, server, settings, environment, files) {
            Ok(plan) => plans.push(plan),
            Err(fault) => faults.push(fault),
        }
    }
    if faults.is_empty() { Ok(plans) } else { Err(faults.join("\n")) }
}

fn plan(
    name: &str,
    server: &ServerSettings,
    settings: &Settings,
    environment: &Environment,
    files: &mut Vec<PathBuf>,
) -> Result<ServerPlan, String> {
    let sandbox = match &server.place {
        Place::Command { sandbox: Some(folder), .. } => Some(real(name, folder)?),
        Place::Command { sandbox: None, .. } | Place::Url { .. } => None,
    };
    let policy = policy_of(name, server, settings, environment, sandbox.as_deref(), files)?;
    let launch = match &server.place {
        Place::Command { command, .. } => {
            Some(launch(name, command, environment, policy.as_deref(), sandbox.as_deref())?)
        }
        Place::Url { .. } => None,
    };
    Ok(ServerPlan { name: name.to_owned(), settings: server.clone(), policy, launch })
}

/// The server's own policy. In a sandbox the configured one is another: relative paths mean the sandbox.
fn policy_of(
    name: &str,
    server: &ServerSettings,
    settings: &Settings,
    environment: &Environment,
    sandbox: Option<&Path>,
    files: &mut Vec<PathBuf>,
) -> Result<Option<Arc<Policy>>, String> {
    let (key, loaded) = match (&server.policy, sandbox) {
        (Some(policy), _) => {
            let key = format!("mcp.servers.{name}.policy");
            (key, policy::named_in(policy, settings.gateway.mode, environment, sandbox))
        }
        (None, Some(_)) => {
            ("policy".to_owned(), policy::configured_in(&settings.gateway, environment, sandbox))
        }
        (None, None) => return Ok(None),
    };
    let Named { policy, files: read } = loaded;
    files.extend(read);
    Ok(Some(Arc::new(policy.map_err(|errors| policy::faults(&key, &errors))?)))
}

fn launch(
    name: &str,
    command: &[String],
    environment: &Environment,
    policy: Option<&Policy>,
    sandbox: Option<&Path>,
) -> Result<Launch, String> {
    let (Some(policy), Some(root)) = (policy, sandbox) else {
        let value = |name: &str| Some((name.to_owned(), environment.get(name)?.to_owned()));
        return Ok(Launch {
            confinement: None,
            inherited: INHERITED.into_iter().filter_map(value).collect(),
        });
    };
    // A program that is named by its path may be run wherever it is.
    let program = command.first().map(PathBuf::from).filter(|program| program.is_absolute());
    let granted = Granted {
        readable: program.into_iter().collect(),
        wall_time: Some(Duration::ZERO),
        ..Granted::default()
    };
    let confinement = confinement::of(policy, root, &granted)
        .map_err(|error| format!("mcp.servers.{name}.sandbox: {error}"))?;
    Ok(Launch { confinement: Some(confinement), inherited: Vec::new() })
}

/// Where a folder really is.
fn real(name: &str, folder: &Path) -> Result<PathBuf, String> {
    folder.canonicalize().map_err(|error| {
        let folder = folder.display().to_string();
        let folder = folder.escape_debug();
        format!("mcp.servers.{name}.sandbox: {folder} can't be used: {error}; make the folder")
    })
}

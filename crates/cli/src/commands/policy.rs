//! `seawall policy`: which policies there are, whether one is good, and what it says about an action, or about recorded ones.

mod replay;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

use seawall_config::{Errors, Origin, show};
use seawall_gateway::PolicySource;
use seawall_policy::load::{self, Loaded};
use seawall_policy::{Asked, Decision, Declared, PRESETS, Performer, Policy, PolicyFile, Preset, Setting};
use seawall_types::{Actor, Effect, Mode, Verdict};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::World;
use crate::args::{ExplainArgs, FileEffect, PolicyCommand};
use crate::exit::{Failure, Outcome};
use crate::policy::{Disk, faults, working_folder};
use crate::{output, settings};

pub(crate) fn run(world: &World<'_>, command: PolicyCommand) -> Outcome {
    match command {
        PolicyCommand::List => list(world),
        PolicyCommand::Show { policy } => show_text(world, &policy),
        PolicyCommand::Check { policy } => check(world, &policy),
        PolicyCommand::Explain(args) => explain(world, &args),
        PolicyCommand::Replay(args) => replay::run(world, &args),
        PolicyCommand::Schema => {
            output::json(&PolicyFile::schema());
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn list(world: &World<'_>) -> Outcome {
    if world.global.json {
        let presets: Vec<Value> = PRESETS
            .iter()
            .map(|preset| json!({ "name": preset.name, "summary": preset.summary() }))
            .collect();
        output::json(&json!({ "policies": presets }));
    } else {
        let rows: Vec<Vec<String>> =
            PRESETS.iter().map(|preset| vec![preset.name.to_owned(), preset.summary().to_owned()]).collect();
        output::table(&["POLICY", "WHAT IT SAYS"], &rows);
    }
    Ok(ExitCode::SUCCESS)
}

/// The text as it is written. It must be a policy: this is not there to read any file.
fn show_text(world: &World<'_>, name: &str) -> Outcome {
    let loaded = loaded(world, name);
    loaded.file.map_err(|errors| Failure::usage(faults("policy", &errors)))?;
    let text = match Preset::named(name) {
        Some(preset) => preset.text.to_owned(),
        None => std::fs::read_to_string(name)?,
    };
    if world.global.json {
        output::json(&json!({ "name": name, "text": text, "files": loaded.files }));
    } else {
        output::line(text.trim_end());
    }
    Ok(ExitCode::SUCCESS)
}

fn loaded(world: &World<'_>, name: &str) -> Loaded {
    load::named(name, Path::new(""), world.environment, &Disk)
}

fn check(world: &World<'_>, name: &str) -> Outcome {
    let errors = loaded(world, name).file.err();
    if world.global.json {
        let errors: Vec<CheckError> = errors.as_ref().map(check_errors).unwrap_or_default();
        output::json(&json!({ "ok": errors.is_empty(), "errors": errors }));
        return Ok(ExitCode::from(if errors.is_empty() { 0 } else { 2 }));
    }
    match errors {
        Some(errors) => Err(Failure::usage(faults("policy", &errors))),
        None => {
            output::line(format!("the policy {name} is good"));
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// One fault in the shape of the contract.
#[derive(Serialize)]
struct CheckError<'e> {
    /// The key.
    path: &'e str,
    message: &'e str,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'e str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<&'e Path>,
}

fn check_errors(errors: &Errors) -> Vec<CheckError<'_>> {
    errors
        .0
        .iter()
        .map(|error| CheckError {
            path: &error.key,
            message: &error.message,
            hint: error.hint.as_deref(),
            file: match &error.origin {
                Origin::File(path) => Some(path),
                Origin::Env(_) | Origin::Flag | Origin::Default => None,
            },
        })
        .collect()
}

fn explain(world: &World<'_>, args: &ExplainArgs) -> Outcome {
    let (policy, called) = policy_of(world, args.policy.as_deref(), args.sandbox.as_deref())?;
    let action = Action::of(args)?;
    let actor = Actor::default();
    let asked = Asked {
        tool: &action.tool,
        args: &action.args,
        effects: &action.effects,
        actor: &actor,
        run: "",
        flow: None,
        performer: Performer::Us,
    };
    let decision = policy.judge(&asked);
    if world.global.json {
        output::json(&json!({
            "verdict": decision.verdict,
            "would": decision.would,
            "policy": called,
            "mode": policy.mode,
            "findings": decision.findings,
        }));
    } else {
        tell(&policy, &called, &decision);
    }
    Ok(ExitCode::from(match decision.verdict {
        Verdict::Allow | Verdict::Warn | Verdict::Redact => 0,
        Verdict::Deny => 3,
        Verdict::Ask => 6,
    }))
}

/// The policy that is asked, and what it is called. One that says no mode is taken strictly: that is the question.
fn policy_of(
    world: &World<'_>,
    policy: Option<&str>,
    sandbox: Option<&Path>,
) -> Result<(Policy, String), Failure> {
    let (file, called) = match policy {
        Some(name) => {
            let file = loaded(world, name).file;
            (file.map_err(|errors| Failure::usage(faults("policy", &errors)))?, name.to_owned())
        }
        None => configured(world)?,
    };
    let folder = working_folder();
    let setting = Setting { mode: Mode::Strict, folder: &folder, sandbox };
    Ok((file.compile(&setting, &called), called))
}

/// The policy of the configuration, where it names one.
fn configured(world: &World<'_>) -> Result<(PolicyFile, String), Failure> {
    let sources = settings::sources(world.global, world.environment, Vec::new());
    let (document, settings, outcome) = settings::attempt(&sources).map_err(Failure::usage)?;
    outcome.map_err(Failure::usage)?;
    let says_one = show(&document, settings::Settings::declare)
        .iter()
        .any(|entry| entry.key == "policy" && entry.origin != Origin::Default);
    let (loaded, called) = match settings.gateway.policy {
        PolicySource::Inline(value) => {
            (load::inline(&value, Path::new(""), world.environment, &Disk), "the configuration's".to_owned())
        }
        PolicySource::Named(name) if says_one => (loaded(world, &name), name),
        PolicySource::Named(_) => (loaded(world, "safe"), "safe".to_owned()),
    };
    let told =
        |errors: Errors| Failure::usage(settings::placed(&document, &faults("policy", &errors)).join("\n"));
    Ok((loaded.file.map_err(told)?, called))
}

/// The action that the flags describe.
struct Action {
    tool: String,
    args: Value,
    effects: Declared,
}

impl Action {
    fn of(flags: &ExplainArgs) -> Result<Self, Failure> {
        let mut args = match flags.args.as_deref() {
            None => Map::new(),
            Some(text) => match serde_json::from_str(text) {
                Ok(Value::Object(args)) => args,
                Ok(_) => {
                    return Err(Failure::usage("--args: give a JSON object, such as '{\"path\":\"a.txt\"}'"));
                }
                Err(error) => {
                    return Err(Failure::usage(format!(
                        "--args: this is no JSON: {error}; write it like '{{\"path\":\"a.txt\"}}'"
                    )));
                }
            },
        };
        let mut effects = BTreeMap::new();
        let on_file = match flags.effect {
            FileEffect::Read => Effect::FsRead,
            FileEffect::Write => Effect::FsWrite,
            FileEffect::Delete => Effect::FsDelete,
        };
        let given = [
            ("url", &flags.url, Effect::Net),
            ("path", &flags.path, on_file),
            ("command", &flags.command, Effect::Exec),
        ];
        for (name, value, effect) in given {
            if let Some(value) = value {
                args.insert(name.to_owned(), Value::String(value.clone()));
                effects.insert(name.to_owned(), Some(effect));
            }
        }
        let tool = flags.tool.clone().unwrap_or_default();
        Ok(Self { tool, args: Value::Object(args), effects: Declared::Parameters(effects) })
    }
}

/// The decision for people.
fn tell(policy: &Policy, called: &str, decision: &Decision) {
    let mode = if policy.mode == Mode::Strict { "strict" } else { "warn" };
    output::line(format!("{} (policy {called}, {mode} mode)", decision.verdict.as_str()));
    if decision.would != decision.verdict {
        output::line(format!("strict mode would {}", decision.would.as_str()));
    }
    if decision.findings.is_empty() {
        output::line("no rule speaks against it");
    }
    for finding in &decision.findings {
        let place = if finding.location.is_empty() { "the call" } else { &finding.location };
        output::line(format!("- {} by {} at {place}: {}", finding.code, finding.rule, finding.message));
        output::line(format!("  {}", finding.remedy));
    }
    for replacement in &decision.replacements {
        output::line(format!("{} becomes {}", replacement.location, replacement.text));
    }
}

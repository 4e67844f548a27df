//! Hooks, as templates declare them.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use seawall_llm_client::Requester;
use seawall_sandbox::Sandbox;
use seawall_types::Pattern;
use serde::{Deserialize, Serialize};

use super::settings::duration;
use crate::hooks::{self, Declared, Hook, How, Moment, OnFailure, Program};

/// The hooks of a template, by the moments at which they are asked; several of one moment in their order.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HooksSettings {
    /// Before a call of a tool.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pre_tool: Vec<HookSettings>,
    /// After it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub post_tool: Vec<HookSettings>,
    /// Before a model is asked.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pre_model: Vec<HookSettings>,
    /// After it has answered.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub post_model: Vec<HookSettings>,
    /// When there are more messages.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub messages_changed: Vec<HookSettings>,
}

/// A hook: a URL, or a command.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HookSettings {
    /// Where it is posted to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The program and its arguments.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// About which tools; one `*` in a name stands for any text. None: about all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<String>,
    /// How long it may take.
    #[serde(default = "time", with = "duration")]
    pub timeout: Duration,
    /// What becomes of what it was asked about, where it fails: `deny` (default) or `allow`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_failure: Option<OnFailure>,
}

fn time() -> Duration {
    hooks::TIME
}

impl HooksSettings {
    fn all(&self) -> [(Moment, &[HookSettings]); 5] {
        [
            (Moment::PreTool, &self.pre_tool),
            (Moment::PostTool, &self.post_tool),
            (Moment::PreModel, &self.pre_model),
            (Moment::PostModel, &self.post_model),
            (Moment::MessagesChanged, &self.messages_changed),
        ]
    }

    /// Programs with a path that is relative are found from the template's file.
    pub(super) fn root(&mut self, file: &Path) {
        let base = file.parent().map(Path::to_owned).unwrap_or_default();
        let all = [
            &mut self.pre_tool,
            &mut self.post_tool,
            &mut self.pre_model,
            &mut self.post_model,
            &mut self.messages_changed,
        ];
        for program in all.into_iter().flatten().filter_map(|hook| hook.command.first_mut()) {
            if program.contains('/')
                && let Ok(whole) = std::path::absolute(base.join(&*program))
            {
                *program = whole.to_string_lossy().into_owned();
            }
        }
    }

    /// Makes them.
    ///
    /// # Errors
    /// What is wrong with the first that can't be one, in words.
    pub(crate) fn build(
        &self,
        requester: &Requester,
        launcher: &Sandbox,
    ) -> Result<Vec<Arc<dyn Hook>>, String> {
        let mut made: Vec<Arc<dyn Hook>> = Vec::new();
        for (moment, hooks) in self.all() {
            for hook in hooks {
                let wrong = |reason: String| format!("hooks.{}: {reason}", moment.as_str());
                made.push(Arc::new(hook.build(moment, requester, launcher).map_err(wrong)?));
            }
        }
        Ok(made)
    }

    /// Whether they could be made.
    ///
    /// # Errors
    /// As [`build`](Self::build).
    pub(super) fn check(&self) -> Result<(), String> {
        for (moment, hooks) in self.all() {
            for hook in hooks {
                hook.parts(moment).map_err(|reason| format!("hooks.{}: {reason}", moment.as_str()))?;
            }
        }
        Ok(())
    }
}

/// A URL, if it is not a command; and about which tools.
type Checked = (Option<Uri>, Vec<Pattern>);

impl HookSettings {
    fn parts(&self, moment: Moment) -> Result<Checked, String> {
        let is_of_tools = matches!(moment, Moment::PreTool | Moment::PostTool);
        if !is_of_tools && !self.tools.is_empty() {
            return Err("tools: only hooks before and after tools are about some; leave it out".to_owned());
        }
        if moment == Moment::MessagesChanged && self.on_failure.is_some() {
            return Err("on_failure: nothing waits for this hook; leave it out".to_owned());
        }
        if self.timeout.is_zero() {
            return Err("timeout: nothing is done in no time; write for example 5s".to_owned());
        }
        let tools = self.tools.iter().map(|name| name.parse::<Pattern>().map_err(|error| error.to_string()));
        let tools = tools.collect::<Result<_, _>>()?;
        match (&self.url, &self.command[..]) {
            (Some(url), []) => Ok((Some(address(url)?), tools)),
            (None, [_, ..]) => Ok((None, tools)),
            _ => Err("a hook has a url or a command; write one of them".to_owned()),
        }
    }

    fn build(&self, moment: Moment, requester: &Requester, launcher: &Sandbox) -> Result<Declared, String> {
        let (url, tools) = self.parts(moment)?;
        let (name, how) = match url {
            Some(url) => {
                // Without the path, which may be a secret: the name is told to whoever follows the agent.
                let port = url.port_u16().map_or_else(String::new, |port| format!(":{port}"));
                (
                    format!("{}{port}", url.host().unwrap_or_default()),
                    How::Url(url, Box::new(requester.clone())),
                )
            }
            None => {
                let folder = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
                let program = Program { command: self.command.clone(), folder, launcher: launcher.clone() };
                (self.command.first().cloned().unwrap_or_default(), How::Command(program))
            }
        };
        let on_failure = self.on_failure.unwrap_or_default();
        Ok(Declared { name, moment, tools, timeout: self.timeout, on_failure, how })
    }
}

fn address(url: &str) -> Result<Uri, String> {
    let uri: Option<Uri> = url.parse().ok();
    if uri.as_ref().and_then(Uri::authority).is_some_and(|authority| authority.as_str().contains('@')) {
        return Err(
            "a URL with a name and a password in it is shown in logs; authenticate by a path or a proxy"
                .to_owned(),
        );
    }
    let is_whole = |uri: &Uri| {
        matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some_and(|host| !host.is_empty())
    };
    uri.filter(is_whole)
        .ok_or_else(|| format!("{url:?} can't be posted to; write an absolute URL with http or https"))
}

//! What an agent has by its template: its tools, those that are built in and those that are declared, and its skills.

use std::collections::BTreeMap;
use std::sync::Arc;

use seawall_engine::ToolSpec;
use seawall_tools::{Registry, Skills, Tool};

use crate::hooks::{Hook, Moment};
use crate::served::{self, is_served};
use crate::shared::Shared;
use crate::subagents::TaskRun;
use crate::template::{ToolChoice, skills};
use crate::{Template, TemplateError};

/// What an agent has by its template.
#[derive(Debug, Default)]
pub(crate) struct Equipment {
    pub(crate) tools: Registry,
    /// What others have written down for it.
    pub(crate) skills: Skills,
    /// What is asked around what it does: this program's, then the template's.
    pub(crate) hooks: Vec<Arc<dyn Hook>>,
}

impl Equipment {
    /// What agents of this template have today.
    ///
    /// # Errors
    /// [`TemplateError::Tools`].
    pub(crate) async fn of(shared: &Arc<Shared>, template: &Template) -> Result<Self, TemplateError> {
        let wrong = |reason: String| TemplateError::Tools { name: template.id.clone(), reason };
        template.check().map_err(wrong)?;
        let mut tools = match &template.tools {
            ToolChoice::All(_) => (*shared.tools).clone(),
            ToolChoice::Named(names) => {
                let (served, own): (Vec<_>, Vec<_>) =
                    names.iter().map(String::as_str).partition(|name| is_served(name));
                let mut tools = shared.tools.select(own).map_err(|error| wrong(error.to_string()))?;
                let servers = shared.servers.as_deref();
                tools.join(served::select(servers, &served).await.map_err(wrong)?);
                tools
            }
        };
        if template.todo.enabled {
            for tool in seawall_tools::todo_tools() {
                tools.add(tool).map_err(|error| wrong(error.to_string()))?;
            }
        }
        let skills = skills::find(&template.skills).map_err(wrong)?;
        for refused in skills.refused() {
            tracing::warn!(template = %template.id, error = %refused, "a skill was left out");
        }
        let mut declared: Vec<Arc<dyn Tool>> = Vec::new();
        if !template.skills.is_empty() {
            declared.extend(skills.tools());
        }
        if template.subagents.depth > 0 {
            declared.push(Arc::new(TaskRun::new(shared, &template.subagents)?));
        }
        for tool in &template.http_tools {
            declared.push(tool.build(&shared.requester).map_err(wrong)?);
        }
        for tool in declared {
            tools.register(tool).map_err(|error| wrong(error.to_string()))?;
        }
        let mut hooks = shared.hooks.clone();
        hooks.extend(template.hooks.build(&shared.requester, &shared.sandbox).map_err(wrong)?);
        Ok(Self { tools, skills, hooks })
    }

    /// What the engine decides by.
    pub(crate) fn specs(&self) -> Arc<BTreeMap<Arc<str>, ToolSpec>> {
        let mut specs = self.tools.specs();
        let is_looked_at =
            |tool: &str| self.hooks.iter().any(|hook| hook.wants(Moment::PostTool, Some(tool)));
        for (name, spec) in Arc::make_mut(&mut specs) {
            spec.post_hook |= is_looked_at(name);
        }
        specs
    }

    /// The system prompt: the template's, with the manuals of the tools and what skills there are.
    pub(crate) fn system_prompt(&self, template: &Template) -> String {
        let (manual, skills) = (self.tools.manual(), self.skills.prompt());
        let parts = [template.system_prompt.trim(), manual.trim(), skills.trim()];
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n\n")
    }
}

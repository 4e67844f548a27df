//! What an agent has by its template: its tools, those that are built in and those that are declared, and its skills.

use std::collections::BTreeMap;
use std::sync::Arc;

use seawall_engine::ToolSpec;
use seawall_tools::{Registry, Skills, Tool};

use crate::hooks::{Hook, Moment};
use crate::served::{self, Asking, Served, is_served};
use crate::shared::Shared;
use crate::subagents::TaskRun;
use crate::template::{ToolChoice, skills};
use crate::{Template, TemplateError};

/// What an agent has by its template.
#[derive(Debug, Default)]
pub(crate) struct Equipment {
    pub(crate) tools: Registry,
    /// What its template names of other servers, and which of these are away.
    pub(crate) named: Vec<String>,
    pub(crate) away: BTreeMap<String, String>,
    /// What is not as the template has it, for clients.
    pub(crate) told: Vec<String>,
    /// What others have written down for it.
    pub(crate) skills: Skills,
    /// What is asked around what it does: this program's, then the template's.
    pub(crate) hooks: Vec<Arc<dyn Hook>>,
}

/// Whose equipment it is.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Of<'a> {
    /// An agent's that is to be made: everything must be there.
    New,
    /// An agent's that had these tools before: it goes on without servers that are away.
    Known(&'a BTreeMap<Arc<str>, ToolSpec>),
}

impl Equipment {
    /// What agents of this template have today.
    ///
    /// # Errors
    /// [`TemplateError::Tools`].
    pub(crate) async fn of(
        shared: &Arc<Shared>,
        template: &Template,
        whose: Of<'_>,
    ) -> Result<Self, TemplateError> {
        let wrong = |reason: String| TemplateError::Tools { name: template.id.clone(), reason };
        template.check().map_err(wrong)?;
        let (named, own): (Vec<String>, Vec<String>) = match &template.tools {
            ToolChoice::All(_) => (Vec::new(), vec!["*".to_owned()]),
            ToolChoice::Named(names) => names.iter().cloned().partition(|name| is_served(name)),
        };
        let mut tools = shared.tools.select(own).map_err(|error| wrong(error.to_string()))?;
        let asking = if matches!(whose, Of::New) { Asking::Needed } else { Asking::Once };
        let mut served = served::select(shared.servers.as_ref(), &named, asking).await.map_err(wrong)?;
        match whose {
            Of::New => served = served.whole().map_err(wrong)?,
            Of::Known(known) => served.keep_known(&named, known),
        }
        let told = served.told();
        let Served { tools: of_servers, away, lacking: _told } = served;
        tools.join(of_servers);
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
        Ok(Self { tools, named, away, told, skills, hooks })
    }

    /// What the engine decides by, of these tools.
    pub(crate) fn specs(&self, tools: &Registry) -> Arc<BTreeMap<Arc<str>, ToolSpec>> {
        let mut specs = tools.specs();
        let is_looked_at =
            |tool: &str| self.hooks.iter().any(|hook| hook.wants(Moment::PostTool, Some(tool)));
        for (name, spec) in Arc::make_mut(&mut specs) {
            spec.post_hook |= is_looked_at(name);
        }
        specs
    }

    /// The system prompt: the template's, with the manuals of the tools and what skills there are.
    pub(crate) fn system_prompt(&self, template: &Template, tools: &Registry) -> String {
        let (manual, skills) = (tools.manual(), self.skills.prompt());
        let parts = [template.system_prompt.trim(), manual.trim(), skills.trim()];
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n\n")
    }
}

//! The tool itself: makes the other agent, or finds it, and waits for it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use seawall_engine::{AgentId, Ancestor, Block, EffectClass, MessageId, MessageKind, ToolSpec};
use seawall_policy::{Declared, Meaning};
use seawall_store::agents::{Kept, Owner};
use seawall_tools::{BoxFuture, Call, Description, Outcome, Tool};
use serde::Deserialize;
use serde_json::json;

use super::{TASK_RUN, child_of, outcome, tell};
use crate::live::Lent;
use crate::shared::Shared;
use crate::{AgentError, CreateAgent, Runtime, SubagentSettings, Template, TemplateError};

/// As long as an agent may work for another one, and people may take to decide.
const LONGEST: Duration = Duration::from_hours(24 * 30);

/// The name of the one message that the other agent is sent.
const TASK: &str = "task";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Arguments {
    description: String,
    prompt: String,
    #[serde(alias = "agent_template_id")]
    template: Option<String>,
    context: Option<String>,
}

/// Gives work to other agents.
#[derive(Debug)]
pub(crate) struct TaskRun {
    description: Description,
    shared: Arc<Shared>,
    /// The templates that may be chosen.
    templates: Vec<String>,
    /// How deep: the other agents have one less.
    depth: u32,
}

impl TaskRun {
    /// For agents that may give work to others of these templates.
    ///
    /// # Errors
    /// A template that is not there.
    pub(crate) fn new(shared: &Arc<Shared>, settings: &SubagentSettings) -> Result<Self, TemplateError> {
        let templates: Vec<_> = match &settings.templates {
            Some(named) => named.iter().map(|name| shared.templates.get(name)).collect::<Result<_, _>>()?,
            None => shared.templates.list(),
        };
        let description = described(&templates);
        let templates = templates.iter().map(|template| template.id.clone()).collect();
        Ok(Self { description, shared: Arc::clone(shared), templates, depth: settings.depth })
    }

    async fn perform(&self, call: Call<'_>) -> Result<Outcome, String> {
        let wanted = Arguments::deserialize(call.arguments).map_err(|error| error.to_string())?;
        let runtime = Runtime { shared: Arc::clone(&self.shared) };
        let child = child_of(call.run, call.id).ok_or("there is no name for the agent that is to do this")?;
        let words = |error: AgentError| error.to_string();
        let template = match self.shared.store.load(&child).await.map_err(|error| error.to_string())? {
            Some(found) => whose(&found, call)?,
            None => self.make(&runtime, &child, call, &wanted).await?,
        };
        tell(&runtime, call.agent, "agent_at_work", json!({ "agent": child, "template": template })).await;
        let _place = Lent::by(&self.shared);
        let content = [Some(wanted.prompt), wanted.context.map(|words| format!("What is known:\n{words}"))];
        let content: Vec<_> = content.into_iter().flatten().map(Block::text).collect();
        let task = MessageId(TASK.into());
        let sent = runtime.deliver(&child, task, MessageKind::User, content.into()).await.map_err(words)?;
        let text = outcome::of(&runtime, call.agent, &child, sent.first).await?;
        Ok(Outcome::json(&json!({ "status": "ok", "agent": child, "template": template, "text": text })))
    }

    /// Makes the agent that is to work for this call. Gives its template.
    async fn make(
        &self,
        runtime: &Runtime,
        child: &AgentId,
        call: Call<'_>,
        wanted: &Arguments,
    ) -> Result<String, String> {
        let words = |error: AgentError| error.to_string();
        let name = match (&wanted.template, &self.templates[..]) {
            (Some(name), known) if known.contains(name) => name,
            (None, [only]) => only,
            (_, known) => {
                return Err(format!("nothing was done: choose a template; there are: {}", known.join(", ")));
            }
        };
        let template = self.shared.templates.get(name).map_err(|error| error.to_string())?;
        let depth = template.subagents.depth.min(self.depth.saturating_sub(1));
        let is_less = depth != template.subagents.depth;
        let overrides = is_less.then(|| json!({ "subagents": { "depth": depth } }));
        let metadata = Some(json!({ "task": wanted.description, "parent": call.agent, "call": call.id }));
        let parent = runtime.load(call.agent).await.map_err(words)?;
        let owner = Owner { request: None, ..parent.owner().clone() };
        let (id, template) = (Some(child.clone()), name.clone());
        let request = CreateAgent { id, template, template_version: None, overrides, metadata, owner };
        runtime.make(request, Some((parent.agent(), call.id))).await.map_err(words)?;
        Ok(name.clone())
    }
}

/// The template of an agent that was found, if it is one of this call's.
fn whose(found: &Kept, call: Call<'_>) -> Result<String, String> {
    let is_it = |maker: &Ancestor| maker.agent == *call.agent && maker.call == Some(call.id);
    if found.agent().lineage().last().is_some_and(is_it) {
        return Ok(found.agent().config().template.to_string());
    }
    Err(format!("nothing was done: there is an agent {} already that is somebody else's", found.id()))
}

fn described(templates: &[Arc<Template>]) -> Description {
    let names: Vec<_> = templates.iter().map(|template| template.id.as_str()).collect();
    let text = |description: &str| json!({ "type": "string", "description": description });
    let choice = |description: &str| json!({ "type": "string", "enum": names, "description": description });
    let parameters = json!({
        "type": "object",
        "properties": {
            "description": text("The task in a few words, for people"),
            "prompt": text("What the other agent is to do. It knows nothing but this and the context"),
            "template": choice("Which kind of agent does it"),
            "agent_template_id": choice("Another name of template"),
            "context": text("What it has to know besides"),
        },
        "required": ["description", "prompt"],
        "additionalProperties": false,
    });
    let mut words = "Gives a task to another agent, waits until it is done, and gives its answer.".to_owned();
    for template in templates {
        let what = template.description.as_deref().unwrap_or("no description");
        words.push_str(&format!(" {}: {what}.", template.id));
    }
    let spec = ToolSpec {
        effect: EffectClass::Idempotent,
        mutates: Some(true),
        timeout: LONGEST,
        ..ToolSpec::default()
    };
    let texts = ["description", "prompt", "template", "agent_template_id", "context"];
    let texts: BTreeMap<_, _> = texts.into_iter().map(|name| (name.to_owned(), Meaning::Text)).collect();
    let effects = Declared::Members(texts);
    Description { spec, effects, ..Description::new(TASK_RUN, words, parameters) }
}

impl Tool for TaskRun {
    fn description(&self) -> &Description {
        &self.description
    }

    fn call<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Outcome> {
        Box::pin(async move { self.perform(call).await.unwrap_or_else(Outcome::error) })
    }
}

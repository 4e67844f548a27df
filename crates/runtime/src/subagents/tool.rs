//! The tool itself: makes the other agent, or finds it, and waits for it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use seawall_engine::{Agent, AgentId, Ancestor, Block, EffectClass, MessageId, MessageKind, ToolSpec};
use seawall_policy::{Declared, Meaning};
use seawall_store::agents::{Kept, Owner};
use seawall_tools::{BoxFuture, Call, Description, Outcome, Request, Tool};
use seawall_types::Usd;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{TASK, TASK_RUN, child_of, outcome, tell};
use crate::live::Lent;
use crate::shared::Shared;
use crate::{AgentError, CreateAgent, Runtime, SubagentSettings, Template, TemplateError};

/// As long as an agent may work for another one, and people may take to decide.
const LONGEST: Duration = Duration::from_hours(24 * 30);

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
        let text = outcome::of(&runtime, call.agent, &child, sent.first).await;
        let mut outcome = match text {
            Ok(text) => {
                Outcome::json(&json!({ "status": "ok", "agent": child, "template": template, "text": text }))
            }
            Err(words) => Outcome::error(words),
        };
        match runtime.load(&child).await {
            Ok(kept) => outcome.requests.push(Request::Charge(kept.agent().spent())),
            Err(error) => {
                tracing::warn!(agent = %child, %error, "what an agent cost does not count for the one that it worked for");
            }
        }
        Ok(outcome)
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
        let mut overrides: Map<String, Value> = Map::new();
        if is_less {
            overrides.insert("subagents".to_owned(), json!({ "depth": depth }));
        }
        let metadata = Some(json!({ "task": wanted.description, "parent": call.agent, "call": call.id }));
        let parent = runtime.load(call.agent).await.map_err(words)?;
        if let Some(limits) = left(parent.agent(), &template)? {
            overrides.insert("limits".to_owned(), limits);
        }
        let overrides = Some(Value::Object(overrides)).filter(|changes| *changes != json!({}));
        let owner = Owner { request: None, ..parent.owner().clone() };
        let (id, template) = (Some(child.clone()), name.clone());
        let request = CreateAgent { id, template, template_version: None, overrides, metadata, owner };
        runtime.make(request, Some((parent.agent(), call.id))).await.map_err(words)?;
        Ok(name.clone())
    }
}

/// The limits of an agent that works for another one, where that one's leave it less than its template does.
///
/// # Errors
/// Where nothing is left.
fn left(parent: &Agent, template: &Template) -> Result<Option<Value>, String> {
    let (limits, spent, own) = (&parent.config().limits, parent.spent(), &template.limits);
    let usd = limits.usd.map(|limit| limit.saturating_sub(spent.usd));
    let tokens = limits.tokens.map(|limit| limit.saturating_sub(spent.tokens));
    if usd == Some(Usd::ZERO) || tokens == Some(0) {
        return Err("nothing was done: the limits of this agent leave nothing for another one".to_owned());
    }
    let mut less = Map::new();
    if let Some(usd) = usd.filter(|left| own.usd.is_none_or(|own| *left < own)) {
        less.insert("usd".to_owned(), json!(usd));
    }
    if let Some(tokens) = tokens.filter(|left| own.tokens.is_none_or(|own| *left < own)) {
        less.insert("tokens".to_owned(), json!(tokens));
    }
    Ok(Some(Value::Object(less)).filter(|less| *less != json!({})))
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
        waits: true,
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

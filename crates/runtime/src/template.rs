//! Templates: what agents are made of, as people write it.
//!
//! A template is a file (YAML, JSON) or a value made by code. An agent keeps what decisions depend on from the day it was made
//! (its permission, limits and tools, in the engine's [`Config`]); how its model is called and what it is told is the
//! template's as it is today, with what was changed of it for this agent.

mod files;
mod hooks;
mod http_tool;
mod place;
mod settings;
pub(crate) mod skills;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use seawall_engine::{Config, Context, Limits, ToolSpec};
use serde_json::Value;

pub use hooks::{HookSettings, HooksSettings};
pub use http_tool::HttpToolSettings;
pub use place::{KeyReference, ModelPlace, ModelUrl};
pub use settings::{
    ContextSettings, LimitSettings, ModelSettings, SandboxSettings, SubagentSettings, Template,
    TimeoutSettings, TodoSettings, ToolChoice,
};

/// No agent can be made of this.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// There is no such template.
    #[error("there is no template {name:?}{}; templates are files in {folders}", meant(.nearest.as_deref()))]
    Unknown {
        /// What was asked for.
        name: String,
        /// What was probably meant.
        nearest: Option<String>,
        /// Where templates are looked for.
        folders: String,
    },
    /// There is one, but of another version.
    #[error("the template {name:?} has version {found:?}, not {wanted:?}")]
    Version {
        /// The template.
        name: String,
        /// What was asked for.
        wanted: String,
        /// What there is.
        found: String,
    },
    /// It can't be read.
    #[error("{}: {reason}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and where.
        reason: String,
    },
    /// What was changed of it for one agent makes no sense.
    #[error("overrides: {0}")]
    Overrides(String),
    /// It asks for a tool that is not there, or declares one that can't be.
    #[error("template {name:?}: {reason}")]
    Tools {
        /// The template.
        name: String,
        /// What is wrong.
        reason: String,
    },
}

fn meant(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |nearest| format!(" (did you mean {nearest:?}?)"))
}

/// The templates of a process, by their ids.
#[derive(Debug, Default)]
pub struct Templates {
    by_id: RwLock<BTreeMap<String, Arc<Template>>>,
    folders: Vec<PathBuf>,
}

impl Templates {
    /// Without any.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Those in the files of these folders (`*.yaml`, `*.yml`, `*.json`); of two with one id, that of the first folder. A
    /// folder that is not there has none.
    ///
    /// # Errors
    /// Everything that is wrong with the files.
    pub fn load(folders: &[PathBuf]) -> Result<Self, Vec<TemplateError>> {
        let by_id = RwLock::new(files::load(folders)?);
        Ok(Self { by_id, folders: folders.to_vec() })
    }

    /// Reads the files anew. Where one of them is wrong, everything stays as it was.
    ///
    /// # Errors
    /// Everything that is wrong with the files.
    pub fn reload(&self) -> Result<(), Vec<TemplateError>> {
        let read = files::load(&self.folders)?;
        *self.by_id.write().unwrap_or_else(PoisonError::into_inner) = read;
        Ok(())
    }

    /// Adds one, in the place of the one with its id.
    pub fn add(&self, template: Template) {
        let id = template.id.clone();
        self.by_id.write().unwrap_or_else(PoisonError::into_inner).insert(id, Arc::new(template));
    }

    /// The one with this id.
    ///
    /// # Errors
    /// [`TemplateError::Unknown`].
    pub fn get(&self, id: &str) -> Result<Arc<Template>, TemplateError> {
        let by_id = self.by_id.read().unwrap_or_else(PoisonError::into_inner);
        by_id.get(id).cloned().ok_or_else(|| TemplateError::Unknown {
            name: id.to_owned(),
            nearest: seawall_config::nearest(id, by_id.keys().map(String::as_str)).map(str::to_owned),
            folders: self.show_folders(),
        })
    }

    /// All of them, by their ids.
    #[must_use]
    pub fn list(&self) -> Vec<Arc<Template>> {
        self.by_id.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    fn show_folders(&self) -> String {
        let folders: Vec<_> = self.folders.iter().map(|folder| folder.display().to_string()).collect();
        if folders.is_empty() { "no folder".to_owned() } else { folders.join(", ") }
    }
}

impl Template {
    /// Reads a template from the text of a file.
    ///
    /// # Errors
    /// [`TemplateError::Unreadable`], with the place in the text.
    pub fn parse(text: &str, path: &Path) -> Result<Self, TemplateError> {
        let wrong = |reason: String| TemplateError::Unreadable { path: path.to_owned(), reason };
        let mut template: Self = serde_saphyr::from_str(text).map_err(|error| wrong(error.to_string()))?;
        template.skills = skills::rooted(&template.skills, path).map_err(wrong)?;
        skills::check(&template.skills).map_err(wrong)?;
        template.hooks.root(path);
        template.check().map_err(wrong)?;
        if let Some(fault) = template.model.fault() {
            return Err(wrong(fault.to_owned()));
        }
        // For one agent the depth may have come down to this; for all of them it makes no sense.
        if template.subagents.depth == 0 && template.subagents.templates.is_some() {
            let reason =
                "subagents.templates: nobody is given work to with depth 0; write depth: 1, or leave it out";
            return Err(wrong(reason.to_owned()));
        }
        Ok(template)
    }

    /// Whether every key does something: one that can't is refused, and not passed over.
    ///
    /// # Errors
    /// In words: which one, and what to do.
    pub(crate) fn check(&self) -> Result<(), String> {
        // As the index has rooms.
        if self.id.starts_with('@') {
            return Err("id: names that begin with @ are the product's own; choose another".to_owned());
        }
        match self.todo {
            TodoSettings { enabled: false, remind_every: Some(_) } => {
                Err("todo.remind_every: there is no list to be reminded of; add enabled: true".to_owned())
            }
            TodoSettings { remind_every: Some(0), .. } => {
                Err("todo.remind_every: with every first step at the most; write 1 or more".to_owned())
            }
            TodoSettings { .. } => self.hooks.check(),
        }
    }

    /// The template as it is for one agent. What is changed takes the place of what there is; objects are merged.
    ///
    /// # Errors
    /// [`TemplateError::Overrides`] where that makes no template, or another one than this.
    pub fn with(&self, overrides: Option<&Value>) -> Result<Self, TemplateError> {
        let Some(overrides) = overrides else { return Ok(self.clone()) };
        let wrong = |reason: String| TemplateError::Overrides(reason);
        if !overrides.is_object() {
            return Err(wrong("this is an object of the template's keys".to_owned()));
        }
        let mut value = serde_json::to_value(self).map_err(|error| wrong(error.to_string()))?;
        merge(&mut value, overrides).map_err(|key| wrong(format!("{key}: this is an object")))?;
        let changed: Self = serde_json::from_value(value).map_err(|error| wrong(error.to_string()))?;
        self.own(&changed).map_err(|reason| wrong(reason.to_owned()))?;
        Ok(changed)
    }

    /// What stays as the template has it, whatever is changed for an agent: overrides come from callers. Of what came out is
    /// asked, not of what was written: there is more than one way to write it.
    fn own(&self, changed: &Self) -> Result<(), &'static str> {
        if changed.id != self.id {
            return Err("the id of the template can't be changed");
        }
        // They run as this program does: whoever may make an agent need not be allowed that.
        if changed.hooks != self.hooks {
            return Err("hooks are the operator's and stand in the template alone");
        }
        // Callers would have somebody else's key sent wherever they like.
        let (model, own) = (&changed.model, &self.model);
        if model.base_url != own.base_url || model.api_key != own.api_key {
            return Err(
                "where a model is, and with which key, is the template's to say: write another template",
            );
        }
        // A way to a model is made for each of these, and kept.
        if model.base_url.is_some() && (model.provider != own.provider || model.timeout != own.timeout) {
            return Err("the provider and the timeout of a model with a base_url are the template's to say");
        }
        Ok(())
    }

    /// What the engine decides by, for a new agent.
    #[must_use]
    pub fn config(
        &self,
        tools: Arc<BTreeMap<Arc<str>, ToolSpec>>,
        overrides: Option<Arc<Value>>,
        metadata: Option<Arc<Value>>,
    ) -> Config {
        let defaults = Limits::default();
        Config {
            template: self.id.as_str().into(),
            template_version: self.version.as_deref().map(Into::into),
            overrides,
            metadata,
            permission: self.permission.clone(),
            tools,
            limits: Limits {
                usd: self.limits.usd,
                tokens: self.limits.tokens,
                steps: self.limits.steps,
                parallel_tools: self.limits.parallel_tools.unwrap_or(defaults.parallel_tools),
                ..defaults
            },
            context: Context {
                compress_at: self.context.compress_at.or_else(|| self.model.usable_context()),
                keep: self.context.keep.unwrap_or_else(|| Context::default().keep),
            },
            on_in_doubt: self.on_in_doubt,
            remind_todos_every: self.todo.remind_every.filter(|_| self.todo.enabled),
            is_room: false,
        }
    }
}

/// RFC 7396 without removing: objects are merged, all else is replaced. An object stays one: the key of what is none.
fn merge(base: &mut Value, over: &Value) -> Result<(), String> {
    match (base, over) {
        (Value::Object(base), Value::Object(over)) => {
            for (key, value) in over {
                let below =
                    |inner: String| if inner.is_empty() { key.clone() } else { format!("{key}.{inner}") };
                merge(base.entry(key).or_insert(Value::Null), value).map_err(below)?;
            }
            Ok(())
        }
        (Value::Object(_), _) => Err(String::new()),
        (base, over) => {
            base.clone_from(over);
            Ok(())
        }
    }
}

//! Tools by their names.

mod arguments;
mod run;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use seawall_config::nearest;
use seawall_engine::ToolSpec;
use seawall_types::{ParsePatternError, Pattern};

use crate::{Description, Tool};
use arguments::Arguments;

/// The longest name that every provider takes.
const LONGEST_NAME: usize = 64;

/// Tools by their names, each with its compiled schema. A clone shares them.
#[derive(Debug, Clone, Default)]
pub struct Registry {
    tools: BTreeMap<Arc<str>, Arc<Entry>>,
}

/// A tool that can be called.
#[derive(Debug)]
struct Entry {
    tool: Arc<dyn Tool>,
    arguments: Arguments,
}

/// A tool can't be registered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RegisterError {
    /// There is one of this name.
    #[error("there are two tools called {0}; give one of them another name")]
    Duplicate(Arc<str>),
    /// Not every provider takes this name.
    #[error("{0:?} can't name a tool: use 1 to 64 of A-Z a-z 0-9 _ -")]
    Name(Arc<str>),
    /// Its parameters are no schema.
    #[error("the parameters of {name} are no JSON Schema of an object: {reason}")]
    Schema {
        /// The tool.
        name: Arc<str>,
        /// What is wrong with them.
        reason: String,
    },
}

/// What is asked for can't be selected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SelectError {
    /// No tool has this name, or one like it.
    #[error("there is no tool {name}{}", meant(.nearest.as_deref()))]
    Unknown {
        /// What was asked for.
        name: String,
        /// What was probably meant.
        nearest: Option<String>,
    },
    /// It is no name and no pattern.
    #[error("{name:?} selects nothing: {reason}")]
    Pattern {
        /// What was asked for.
        name: String,
        /// What is wrong with it.
        #[source]
        reason: ParsePatternError,
    },
}

fn meant(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |nearest| format!("; did you mean {nearest}?"))
}

impl Registry {
    /// Without tools.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// With these tools.
    ///
    /// # Errors
    /// As [`register`](Self::register).
    pub fn with(tools: impl IntoIterator<Item = Arc<dyn Tool>>) -> Result<Self, RegisterError> {
        let mut registry = Self::new();
        for tool in tools {
            registry.register(tool)?;
        }
        Ok(registry)
    }

    /// Adds a tool. Its schema is compiled here, once.
    ///
    /// # Errors
    /// When its name is taken or no provider's, or its parameters are no schema.
    pub fn register(&mut self, tool: Arc<dyn Tool>) -> Result<(), RegisterError> {
        let Description { name, parameters, .. } = tool.description();
        let name = Arc::clone(name);
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
        if name.is_empty() || name.len() > LONGEST_NAME || !name.bytes().all(is_plain) {
            return Err(RegisterError::Name(name));
        }
        if self.tools.contains_key(&name) {
            return Err(RegisterError::Duplicate(name));
        }
        match Arguments::compile(parameters) {
            Ok(arguments) => {
                self.tools.insert(name, Arc::new(Entry { tool, arguments }));
                Ok(())
            }
            Err(reason) => Err(RegisterError::Schema { name, reason }),
        }
    }

    /// Adds a tool that is the same wherever it is: one of its name that is there already stays.
    ///
    /// # Errors
    /// As [`register`](Self::register), but for its name being taken.
    pub fn add(&mut self, tool: Arc<dyn Tool>) -> Result<(), RegisterError> {
        if self.tools.contains_key(&tool.description().name) {
            return Ok(());
        }
        self.register(tool)
    }

    /// Adds those of another registry, in the place of those of the same names.
    pub fn join(&mut self, other: Self) {
        self.tools.extend(other.tools);
    }

    /// Keeps those whose names are such.
    pub fn retain(&mut self, mut keep: impl FnMut(&str) -> bool) {
        self.tools.retain(|name, _| keep(name));
    }

    /// Those that are named; one `*` in a name stands for any text, so `*` is all of them.
    ///
    /// # Errors
    /// When a name is of no tool, or a pattern matches none but `*`.
    pub fn select<S: AsRef<str>>(&self, names: impl IntoIterator<Item = S>) -> Result<Self, SelectError> {
        let mut selected = Self::new();
        for name in names {
            let name = name.as_ref();
            let pattern: Pattern =
                name.parse().map_err(|reason| SelectError::Pattern { name: name.to_owned(), reason })?;
            let mut found = self.tools.iter().filter(|(known, _)| pattern.matches(known)).peekable();
            if found.peek().is_none() && name != "*" {
                let nearest = nearest(name, self.names()).map(str::to_owned);
                return Err(SelectError::Unknown { name: name.to_owned(), nearest });
            }
            selected.tools.extend(found.map(|(name, entry)| (Arc::clone(name), Arc::clone(entry))));
        }
        Ok(selected)
    }

    /// The tool of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Arc<dyn Tool>> {
        self.tools.get(name).map(|entry| &entry.tool)
    }

    /// What models are shown, sorted by name.
    pub fn descriptions(&self) -> impl ExactSizeIterator<Item = &Description> {
        self.tools.values().map(|entry| entry.tool.description())
    }

    /// What the engine decides by: an agent's [`tools`](seawall_engine::Config::tools).
    #[must_use]
    pub fn specs(&self) -> Arc<BTreeMap<Arc<str>, ToolSpec>> {
        let spec = |entry: &Arc<Entry>| entry.tool.description().spec.clone();
        Arc::new(self.tools.iter().map(|(name, entry)| (Arc::clone(name), spec(entry))).collect())
    }

    /// The manuals of all tools that have one, for a system prompt; empty when none has. It is made anew each time: who
    /// keeps a prompt adds it once.
    #[must_use]
    pub fn manual(&self) -> String {
        let manuals = self.descriptions().filter_map(|tool| Some((&tool.name, tool.manual.as_deref()?)));
        let mut text = String::new();
        for (name, manual) in manuals {
            let heading = if text.is_empty() { "### Tools\n" } else { "" };
            let _never_fails =
                fmt::write(&mut text, format_args!("{heading}\n**{name}**: {}\n", manual.trim()));
        }
        text
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.tools.keys().map(|name| &**name)
    }
}

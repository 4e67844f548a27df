//! A statement with its values, which never stand in its text.

use tokio_postgres::types::{ToSql, Type};

use crate::value::Column;

/// SQL with values. What the text is depends on which parts a statement has and never on what is in them, so there are few
/// texts, and a server that is spoken to directly parses each once.
#[derive(Debug, Default)]
pub(crate) struct Statement<'a> {
    text: String,
    values: Vec<Box<dyn ToSql + Send + Sync + 'a>>,
    types: Vec<Type>,
}

impl<'a> Statement<'a> {
    /// SQL without values.
    pub(crate) fn new(text: &str) -> Self {
        Self { text: text.to_owned(), ..Self::default() }
    }

    /// With one value more, for the next `$n` that the text has already.
    pub(crate) fn with<T: Column + 'a>(mut self, value: T) -> Self {
        self.bind(value);
        self
    }

    /// Takes a value, and gives the `$n` that stands for it.
    pub(crate) fn bind<T: Column + 'a>(&mut self, value: T) -> String {
        self.values.push(Box::new(value));
        self.types.push(T::column());
        format!("${}", self.values.len())
    }

    /// More text.
    pub(crate) fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    pub(crate) fn types(&self) -> &[Type] {
        &self.types
    }

    pub(crate) fn values(&self) -> Vec<&(dyn ToSql + Sync)> {
        self.values.iter().map(|value| -> &(dyn ToSql + Sync) { &**value }).collect()
    }

    pub(crate) fn typed_values(&self) -> Vec<(&(dyn ToSql + Sync), Type)> {
        self.values().into_iter().zip(self.types.iter().cloned()).collect()
    }
}

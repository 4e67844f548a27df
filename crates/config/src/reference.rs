//! `${NAME}` and `${NAME:-default}` in the texts of files; `$${` stands for a plain `${`.
//!
//! References are resolved after the files were parsed and merged: a value can't change the structure of a file, and
//! a reference that a higher layer has replaced need not resolve.

use super::environment::Environment;
use super::error::ConfigError;
use super::node::{Content, Node, Spelling};

/// What a text is once its references are resolved.
#[derive(Debug, PartialEq, Eq)]
enum Resolved {
    /// It has none; an escape in it may have been undone.
    Plain(String),
    /// It had at least one.
    Referring(String),
}

/// Why a text can't be resolved.
#[derive(Debug, PartialEq, Eq)]
enum Fault {
    /// The variable is not set and there is no default.
    Unset(String),
    /// What stands between the braces is no reference, or they don't end.
    Malformed,
}

/// Resolves every reference below `node`, collecting one error for each text that can't be.
pub(crate) fn resolve(node: &mut Node, key: &str, environment: &Environment, errors: &mut Vec<ConfigError>) {
    match &mut node.content {
        Content::Text(text) if node.spelling == Spelling::Literal && text.contains("${") => {
            match resolve_text(text, environment) {
                Ok(Resolved::Plain(plain)) => *text = plain,
                Ok(Resolved::Referring(value)) => {
                    node.spelling = Spelling::Reference(std::mem::replace(text, value).into());
                }
                Err(fault) => {
                    errors.push(fault.describe(node, key));
                    node.content = Content::Unresolved;
                }
            }
        }
        Content::List(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                resolve(item, &format!("{key}[{index}]"), environment, errors);
            }
        }
        Content::Table(table) => {
            for (name, value) in table {
                let key = if key.is_empty() { name.clone() } else { format!("{key}.{name}") };
                resolve(value, &key, environment, errors);
            }
        }
        Content::Text(_) | Content::Null | Content::Unresolved | Content::Boolean(_) | Content::Number(_) => {
        }
    }
}

impl Fault {
    fn describe(&self, node: &Node, key: &str) -> ConfigError {
        let origin = (*node.origin).clone();
        match self {
            Self::Unset(name) => ConfigError::new(
                origin,
                key,
                &format!("the variable {name} is not set"),
                &format!("set it, or give a default with ${{{name}:-…}}"),
            ),
            Self::Malformed => ConfigError::new(
                origin,
                key,
                "this is no reference",
                "write ${NAME} or ${NAME:-default}, and $${ for a plain ${",
            ),
        }
    }
}

/// A default stands in, as in a shell, where the variable is not set or is empty.
fn resolve_text(text: &str, environment: &Environment) -> Result<Resolved, Fault> {
    let mut resolved = String::with_capacity(text.len());
    let mut referring = false;
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        if let Some(before) = before.strip_suffix('$') {
            resolved.push_str(before);
            resolved.push_str("${");
            rest = after;
            continue;
        }
        let (inside, behind) = after.split_once('}').ok_or(Fault::Malformed)?;
        resolved.push_str(before);
        resolved.push_str(look_up(inside, environment)?);
        referring = true;
        rest = behind;
    }
    resolved.push_str(rest);
    Ok(if referring { Resolved::Referring(resolved) } else { Resolved::Plain(resolved) })
}

fn look_up<'a>(inside: &'a str, environment: &'a Environment) -> Result<&'a str, Fault> {
    let (name, default) =
        inside.split_once(":-").map_or((inside, None), |(name, default)| (name, Some(default)));
    if !is_name(name) {
        return Err(Fault::Malformed);
    }
    match (environment.get(name), default) {
        (None | Some(""), Some(default)) => Ok(default),
        (Some(value), _) => Ok(value),
        (None, None) => Err(Fault::Unset(name.to_owned())),
    }
}

/// Whether this can be the name of a variable.
pub(crate) fn is_name(text: &str) -> bool {
    let mut characters = text.chars();
    characters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && characters.all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(text: &str) -> Result<Resolved, Fault> {
        resolve_text(text, &Environment::from_iter([("A", "one"), ("B", "${A}"), ("EMPTY", "")]))
    }

    #[test]
    fn references_take_the_value_of_their_variable() {
        for (text, value) in [
            ("${A}", "one"),
            ("x${A}y${A}", "xoneyone"),
            ("${NONE:-}", ""),
            ("${NONE:-a:-b c}", "a:-b c"),
            ("${EMPTY:-full}", "full"),
            ("${EMPTY}", ""),
            ("${A:-unused}", "one"),
            // A value is taken as it is: whoever sets a variable does not write configuration.
            ("${B}", "${A}"),
            ("$${A} ${A}", "${A} one"),
        ] {
            assert_eq!(resolved(text), Ok(Resolved::Referring(value.to_owned())), "{text}");
        }
    }

    #[test]
    fn without_a_reference_only_the_escape_changes() {
        for (text, plain) in [("", ""), ("$A {A} $", "$A {A} $"), ("$${A}", "${A}"), ("a$$b", "a$$b")] {
            assert_eq!(resolved(text), Ok(Resolved::Plain(plain.to_owned())), "{text}");
        }
    }

    #[test]
    fn what_leads_nowhere_is_refused() {
        assert_eq!(resolved("${NONE}"), Err(Fault::Unset("NONE".to_owned())));
        for text in ["${", "${A", "${}", "${1A}", "${A-x}", "${A:?x}", "${ A }", "${a.b}"] {
            assert_eq!(resolved(text), Err(Fault::Malformed), "{text}");
        }
    }
}

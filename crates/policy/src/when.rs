//! Conditions: `when: "args.amount_usd > 50"`, in CEL, the Common Expression Language (<https://cel.dev>).
//!
//! A condition is read once, when the policy is loaded: what is misspelt or can't be right is refused there, with its
//! place. What it may cost is bounded there too, by its length, its depth and by how it may loop: over one list at a time,
//! and no longer one than [`LONGEST_LIST`]. It sees the facts of one action and nothing else: no clock, no files.

mod check;
mod values;

use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, LazyLock};

use cel::common::ast::{IdedExpr, SourceInfo};
use cel::{Context, Env, ExecutionError, Value};
use seawall_types::{Actor, Effect};

use check::Wants;

/// The most bytes of one condition.
const LONGEST: usize = 1000;
/// How deep a condition may nest.
const DEEPEST: u16 = 24;
/// How many elements a list of arguments may have that a condition looks at.
pub const LONGEST_LIST: usize = 1000;

/// What every condition may call.
static LIBRARY: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(Env::stdlib()));

/// A condition that was read and checked.
#[derive(Clone)]
pub struct Condition {
    text: Arc<str>,
    expression: Arc<IdedExpr>,
    wants: Arc<Wants>,
}

/// What a condition may look at.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// `tool`: its name.
    pub tool: &'a str,
    /// `args`: its arguments.
    pub args: &'a serde_json::Value,
    /// `effects`: the names of what it touches.
    pub effects: &'a [Effect],
    /// `actor`: who asks; `actor.key`, `actor.tenant`, `actor.agent`, each empty where unknown.
    pub actor: &'a Actor,
    /// `run.id`, empty outside of any run.
    pub run: &'a str,
}

/// Why a condition can't be taken into a policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseConditionError {
    /// It is not CEL.
    #[error("at column {column}: {message}")]
    Syntax {
        /// Where, in characters from 1.
        column: usize,
        /// What is wrong there.
        message: String,
    },
    /// It is CEL, and can't be right or could cost too much.
    #[error("at column {column}: {message}")]
    Check {
        /// Where, in characters from 1.
        column: usize,
        /// What is wrong there.
        message: String,
    },
    /// It is too long.
    #[error("a condition has at most {LONGEST} bytes; split it into several rules")]
    TooLong,
}

/// Why a condition could not be decided for one action. Holds no argument's value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UndecidedError {
    /// It asks for what the arguments have not.
    #[error("the action has no {0:?}; write has(…) where it may be missing")]
    Missing(String),
    /// It compares or computes with what can't be.
    #[error("{0}")]
    Type(String),
    /// A list or table that it looks at is too large, or nests too deep.
    #[error("a list that the condition looks at has more than {LONGEST_LIST} elements, or nests too deep")]
    TooLarge,
    /// Its result is neither true nor false.
    #[error("its result is neither true nor false")]
    NotBoolean,
    /// It divides by zero, or its numbers grow too large.
    #[error("its numbers can't be computed")]
    Arithmetic,
}

impl Condition {
    /// Whether it holds for an action.
    ///
    /// # Errors
    /// When that can't be decided, which a rule that refuses must take for true.
    pub fn holds(&self, facts: &Facts<'_>) -> Result<bool, UndecidedError> {
        let mut context = Context::with_env(Arc::clone(&LIBRARY));
        values::bind(&mut context, &self.wants, facts)?;
        let result = Value::resolve_val(&self.expression, &context).map_err(|error| self.undecided(error))?;
        match result.downcast_ref::<cel::common::types::CelBool>() {
            Some(result) => Ok(*result.inner()),
            None => Err(UndecidedError::NotBoolean),
        }
    }

    /// The error in words that can't hold an argument's value.
    fn undecided(&self, error: ExecutionError) -> UndecidedError {
        match error {
            // A key that was computed may itself be a value of the arguments.
            ExecutionError::NoSuchKey(key) if self.text.contains(key.as_str()) => {
                UndecidedError::Missing(key.as_ref().clone())
            }
            ExecutionError::NoSuchKey(_) | ExecutionError::IndexOutOfBounds(_) => {
                UndecidedError::Missing("element of that name or number".to_owned())
            }
            ExecutionError::NoSuchOverload(error) => UndecidedError::Type(error.to_string()),
            ExecutionError::DivisionByZero(_)
            | ExecutionError::RemainderByZero(_)
            | ExecutionError::Overflow(..) => UndecidedError::Arithmetic,
            _ => UndecidedError::Type("a value has another type than the condition expects".to_owned()),
        }
    }
}

impl FromStr for Condition {
    type Err = ParseConditionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() > LONGEST {
            return Err(ParseConditionError::TooLong);
        }
        let parser = LIBRARY.parser().enable_optional_syntax(false).max_recursion_depth(DEEPEST);
        let (expression, places) =
            parser.parse_with_source_info(text).map_err(|errors| syntax(&errors, text))?;
        let wants = check::check(&expression).map_err(|fault| ParseConditionError::Check {
            column: column(text, &places, fault.node),
            message: fault.message,
        })?;
        Ok(Self { text: text.into(), expression: Arc::new(expression), wants: Arc::new(wants) })
    }
}

fn syntax(errors: &cel::ParseErrors, text: &str) -> ParseConditionError {
    let Some(first) = errors.errors.first() else {
        return ParseConditionError::Syntax { column: 1, message: "this is no condition".to_owned() };
    };
    let line = usize::try_from(first.pos.0).unwrap_or(1).saturating_sub(1);
    let before: usize = text.lines().take(line).map(|line| line.chars().count() + 1).sum();
    let column = before + usize::try_from(first.pos.1).unwrap_or(1).max(1);
    ParseConditionError::Syntax { column, message: first.msg.clone() }
}

/// Where a node stands in the text.
fn column(text: &str, places: &SourceInfo, node: u64) -> usize {
    let start = places.offset_for(node).map_or(0, |(start, _)| usize::try_from(start).unwrap_or(0));
    text.get(..start).map_or(start, |before| before.chars().count()) + 1
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.text, f)
    }
}

impl PartialEq for Condition {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Condition {}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn condition(text: &str) -> Condition {
        text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    fn decided(text: &str, args: &serde_json::Value) -> Result<bool, UndecidedError> {
        let actor = Actor { key: Some("ci".into()), tenant: None, agent: Some("bot".into()) };
        let facts = Facts {
            tool: "payments.refund",
            args,
            effects: &[Effect::Net, Effect::FsRead],
            actor: &actor,
            run: "018bcfe5-6800-7000-8000-000000000000",
        };
        condition(text).holds(&facts)
    }

    #[test]
    fn conditions_see_the_facts_of_the_action() {
        let args = json!({
            "amount_usd": 50.5, "count": 3, "big": 18_446_744_073_709_551_615_u64, "to": "ann@example.com",
            "tags": ["a", "b"], "nested": { "deep": { "flag": true } }, "none": null, "big-name": 1,
        });
        for (text, holds) in [
            ("args.amount_usd > 50", true),
            ("args.amount_usd > 50.5", false),
            ("args.count == 3 && args.count < 3.5", true),
            ("args.big > 1", true),
            ("args.to.endsWith('@example.com')", true),
            ("!args.to.contains('bob') && args.to.startsWith(\"ann\")", true),
            ("'a' in args.tags && !('c' in args.tags)", true),
            ("args.tags[1] == 'b' && size(args.tags) == 2 && args.tags.size() == 2", true),
            ("args.nested.deep.flag", true),
            ("has(args.nested.deep) && !has(args.missing)", true),
            ("args['big-name'] == 1", true),
            ("'count' in args", true),
            ("args.none == null", true),
            ("args.tags.exists(tag, tag == 'b') && args.tags.all(tag, size(tag) == 1)", true),
            ("tool == 'payments.refund' || tool == 'other'", true),
            ("tool in ['a', 'b']", false),
            ("'net' in effects && !('exec' in effects)", true),
            ("actor.key == 'ci' && actor.tenant == '' && actor.agent == 'bot'", true),
            ("run.id != ''", true),
            ("(args.count > 1 ? 'many' : 'few') == 'many'", true),
            ("args.count * 2 + 1 == 7 && args.count % 2 == 1 && -args.count == -3", true),
            ("int(args.amount_usd) == 50 && string(args.count) == '3'", true),
            ("true", true),
        ] {
            assert_eq!(decided(text, &args), Ok(holds), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_decided_is_told_without_the_arguments_values() {
        let args = json!({ "amount": "hush-4711", "name": "hush-4712", "zero": 0, "list": vec![0; LONGEST_LIST + 1] });
        for (text, expected) in [
            ("args.missing > 50", "the action has no \"missing\"; write has(…) where it may be missing"),
            ("args.amount > 50", "found no matching overload for '_>_' applied to '(string, int)'"),
            ("args.amount", "its result is neither true nor false"),
            ("1 / args.zero == 1", "its numbers can't be computed"),
            (
                "0 in args.list",
                "a list that the condition looks at has more than 1000 elements, or nests too deep",
            ),
        ] {
            let error = decided(text, &args).unwrap_err().to_string();
            assert_eq!(error, expected, "{text}");
        }
        for text in [
            "args[args.name] == 1",
            "args.amount + 1 == 2",
            "args.amount in args.name",
            "int(args.amount) == 1",
        ] {
            let error = decided(text, &args).unwrap_err().to_string();
            assert!(!error.contains("hush"), "{text}: {error}");
        }
        assert_eq!(decided("args.zero == 0", &args), Ok(true), "what is not looked at does not count");
    }

    #[test]
    fn what_cannot_be_right_is_refused_with_its_place() {
        for (text, expected) in [
            ("", "at column 1"),
            ("args.amount >", "at column 1"),
            ("args.amount_usd > > 50", "at column 19"),
            ("arg.amount > 50", "at column 1: there is no \"arg\"; did you mean args?"),
            ("args.amount > 50 && tol == 'x'", "at column 21: there is no \"tol\"; did you mean tool?"),
            ("args.to.startWith('x')", "there is no function \"startWith\"; did you mean startsWith?"),
            ("'a' + 1 == 'a1'", "+ can't be applied to a text and an integer"),
            ("1 + 1", "a condition is true or false, and this is an integer"),
            ("tool", "a condition is true or false, and this is a text"),
            ("tool > 1", "> can't be applied to a text and an integer"),
            ("tool && true", "&& can't be applied to a text"),
            ("!tool", "! can't be applied to a text"),
            ("actor.kye == 'ci'", "actor has no \"kye\"; did you mean key?"),
            ("size(1) == 1", "size can't be applied to an integer"),
            ("args.a.exists(x, args.b.exists(y, x == y))", "a loop within a loop could take too long"),
            ("matches(tool, '(a+)+')", "there is no function \"matches\""),
        ] {
            let error = text.parse::<Condition>().unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn size_and_depth_are_bounded() {
        let long = vec!["tool == 'x'"; 100].join(" || ");
        assert_eq!(long.parse::<Condition>(), Err(ParseConditionError::TooLong));
        for open in ["(", "[", "!", "-", "{1:", "[[", "size("] {
            let text = open.repeat(LONGEST / open.len());
            assert!(text.parse::<Condition>().is_err(), "{open}");
        }
        let chain = vec!["1"; 300].join("+") + " == 1";
        assert!(chain.parse::<Condition>().is_err(), "too deep a chain");
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in "\\PC{0,60}|[a-z.()\\[\\]{}'\"0-9!&|+*/<>=?: -]{0,80}") {
            if let Ok(condition) = text.parse::<Condition>() {
                let args = json!({ "a": 1 });
                let facts = Facts { tool: "t", args: &args, effects: &[], actor: &Actor::default(), run: "" };
                let _ = condition.holds(&facts);
            }
        }
    }
}

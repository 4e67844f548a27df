//! The facts of an action as values of CEL. Texts are borrowed, and only what a condition looks at is converted.

use cel::Context;
use cel::common::types::{
    CelBool, CelDouble, CelInt, CelList, CelMap, CelMapKey, CelNull, CelString, CelUInt,
};
use cel::common::value::Val;
use serde_json::Value;

use super::check::Arguments;
use super::{Facts, LONGEST_LIST, UndecidedError, Wants};

/// How deep arguments may nest that a condition looks at.
const DEEPEST: usize = 32;

type Boxed<'v> = Box<dyn Val + 'v>;

/// Gives the condition what it looks at.
pub(super) fn bind<'v>(
    context: &mut Context<'_, 'v>,
    wants: &'v Wants,
    facts: &Facts<'v>,
) -> Result<(), UndecidedError> {
    if wants.tool {
        context.add_variable_as_val("tool", text(facts.tool));
    }
    if wants.effects {
        let names: Vec<Boxed<'v>> = facts.effects.iter().map(|effect| text(effect.as_str())).collect();
        context.add_variable_as_val("effects", Box::new(CelList::from(names)));
    }
    if wants.actor {
        let known = |name: &'v Option<std::sync::Arc<str>>| text(name.as_deref().unwrap_or_default());
        let actor = facts.actor;
        let actor =
            [("key", known(&actor.key)), ("tenant", known(&actor.tenant)), ("agent", known(&actor.agent))];
        context.add_variable_as_val("actor", table(actor.into_iter()));
    }
    if wants.run {
        context.add_variable_as_val("run", table([("id", text(facts.run))].into_iter()));
    }
    let mut left = LONGEST_LIST;
    match &wants.args {
        Arguments::None => {}
        Arguments::All => context.add_variable_as_val("args", value(facts.args, DEEPEST, &mut left)?),
        Arguments::Named(names) => {
            let mut fields = Vec::with_capacity(names.len());
            for name in names {
                if let Some(argument) = facts.args.get(name) {
                    fields.push((name.as_str(), value(argument, DEEPEST, &mut left)?));
                }
            }
            context.add_variable_as_val("args", table(fields.into_iter()));
        }
    }
    Ok(())
}

fn text<'v>(text: &'v str) -> Boxed<'v> {
    Box::new(CelString::from(text))
}

fn table<'v>(fields: impl Iterator<Item = (&'v str, Boxed<'v>)>) -> Boxed<'v> {
    let fields: std::collections::HashMap<CelMapKey<'v>, Boxed<'v>> =
        fields.map(|(name, value)| (CelMapKey::from(name), value)).collect();
    Box::new(CelMap::from(fields))
}

/// A JSON value, as long as there are elements left.
fn value<'v>(json: &'v Value, deeper: usize, left: &mut usize) -> Result<Boxed<'v>, UndecidedError> {
    *left = left.checked_sub(1).ok_or(UndecidedError::TooLarge)?;
    let deeper = deeper.checked_sub(1).ok_or(UndecidedError::TooLarge)?;
    Ok(match json {
        Value::Null => Box::new(CelNull),
        Value::Bool(value) => Box::new(CelBool::from(*value)),
        Value::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(number), ..) => Box::new(CelInt::from(number)),
            (None, Some(number), _) => Box::new(CelUInt::from(number)),
            (None, None, number) => Box::new(CelDouble::from(number.unwrap_or(f64::NAN))),
        },
        Value::String(string) => text(string),
        Value::Array(items) => {
            let items: Result<Vec<Boxed<'v>>, _> =
                items.iter().map(|item| value(item, deeper, left)).collect();
            Box::new(CelList::from(items?))
        }
        Value::Object(fields) => {
            let mut converted = Vec::with_capacity(fields.len());
            for (name, field) in fields {
                converted.push((name.as_str(), value(field, deeper, left)?));
            }
            table(converted.into_iter())
        }
    })
}

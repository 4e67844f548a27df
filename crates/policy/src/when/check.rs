//! Checks a condition when it is loaded: names, types as far as they are known, and what it may cost.
//!
//! Arguments may be anything, so what comes from them is checked when the condition is asked. Only what is listed here is
//! let through to the evaluator.

use std::fmt;

use cel::common::ast::{CallExpr, ComprehensionExpr, EntryExpr, Expr, IdedExpr, LiteralValue, SelectExpr};
use seawall_config::nearest;

/// The most nodes of one condition, and the most levels: the evaluator walks them on the stack.
const MOST_NODES: usize = 300;
const MOST_LEVELS: usize = 48;

/// What is wrong, and with which node.
pub(super) struct Fault {
    pub(super) node: u64,
    pub(super) message: String,
}

/// Which facts a condition looks at, so that no others are made ready for it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Wants {
    pub(super) tool: bool,
    pub(super) effects: bool,
    pub(super) actor: bool,
    pub(super) run: bool,
    pub(super) args: Arguments,
}

/// Which arguments.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) enum Arguments {
    /// None of them.
    #[default]
    None,
    /// Those of these names.
    Named(Vec<String>),
    /// All of them.
    All,
}

impl Arguments {
    fn add(&mut self, name: &str) {
        match self {
            Self::None => *self = Self::Named(vec![name.to_owned()]),
            Self::Named(names) if !names.iter().any(|known| known == name) => names.push(name.to_owned()),
            Self::Named(_) | Self::All => {}
        }
    }
}

/// A type, as far as it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Type {
    Any,
    Boolean,
    Integer,
    Fraction,
    Text,
    List,
    Map,
    Nothing,
}

impl Type {
    /// Whether a value of this type may be one of those.
    fn may_be(self, types: &[Self]) -> bool {
        self == Self::Any || types.contains(&self)
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Any => "anything",
            Self::Boolean => "true or false",
            Self::Integer => "an integer",
            Self::Fraction => "a fraction",
            Self::Text => "a text",
            Self::List => "a list",
            Self::Map => "a table",
            Self::Nothing => "null",
        })
    }
}

const NUMBERS: [Type; 2] = [Type::Integer, Type::Fraction];
const ORDERED: [Type; 4] = [Type::Integer, Type::Fraction, Type::Text, Type::Boolean];
const SIZED: [Type; 3] = [Type::Text, Type::List, Type::Map];

const VARIABLES: [&str; 5] = ["tool", "args", "effects", "actor", "run"];
const OF_ACTOR: [&str; 3] = ["key", "tenant", "agent"];
const OF_RUN: [&str; 1] = ["id"];
/// What can be called by name, macros included.
const FUNCTIONS: [&str; 13] = [
    "size",
    "contains",
    "startsWith",
    "endsWith",
    "int",
    "double",
    "string",
    "has",
    "all",
    "exists",
    "exists_one",
    "filter",
    "map",
];

/// Checks the whole condition.
pub(super) fn check(expression: &IdedExpr) -> Result<Wants, Fault> {
    let mut checker = Checker { wants: Wants::default(), nodes: 0, level: 0, bound: Vec::new() };
    let result = checker.node(expression)?;
    if result.may_be(&[Type::Boolean]) {
        Ok(checker.wants)
    } else {
        Err(fault(expression, format!("a condition is true or false, and this is {result}")))
    }
}

fn fault(node: &IdedExpr, message: impl Into<String>) -> Fault {
    Fault { node: node.id, message: message.into() }
}

/// `there is no "arg"; did you mean args?`
fn unknown<'a>(what: &str, name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    match nearest(name, known) {
        Some(known) => format!("{what} {name:?}; did you mean {known}?"),
        None => format!("{what} {name:?}"),
    }
}

struct Checker {
    wants: Wants,
    nodes: usize,
    level: usize,
    /// The names that a loop has bound; there is one loop at most.
    bound: Vec<String>,
}

impl Checker {
    fn node(&mut self, node: &IdedExpr) -> Result<Type, Fault> {
        self.nodes += 1;
        self.level += 1;
        if self.nodes > MOST_NODES || self.level > MOST_LEVELS {
            return Err(fault(
                node,
                "the condition is too large or nests too deep; split it into several rules",
            ));
        }
        let found = match &node.expr {
            Expr::Literal(literal) => literal_type(node, literal),
            Expr::Ident(name) => self.name(node, name),
            Expr::Select(select) => self.select(node, select),
            Expr::Call(call) => self.call(node, call),
            Expr::List(list) => {
                list.elements.iter().try_for_each(|element| self.node(element).map(drop))?;
                Ok(Type::List)
            }
            Expr::Map(map) => self.entries(node, map.entries.iter().map(|entry| &entry.expr)),
            Expr::Comprehension(comprehension) => self.comprehension(node, comprehension),
            Expr::Struct(_) | Expr::Unspecified => Err(fault(node, "this can't stand in a condition")),
        };
        self.level -= 1;
        found
    }

    fn entries<'e>(
        &mut self,
        node: &IdedExpr,
        entries: impl Iterator<Item = &'e EntryExpr>,
    ) -> Result<Type, Fault> {
        for entry in entries {
            let EntryExpr::MapEntry(entry) = entry else {
                return Err(fault(node, "this can't stand in a condition"));
            };
            self.node(&entry.key)?;
            self.node(&entry.value)?;
        }
        Ok(Type::Map)
    }

    fn name(&mut self, node: &IdedExpr, name: &str) -> Result<Type, Fault> {
        if self.bound.iter().any(|bound| bound == name) {
            return Ok(Type::Any);
        }
        match name {
            "tool" => self.wants.tool = true,
            "effects" => self.wants.effects = true,
            "actor" => self.wants.actor = true,
            "run" => self.wants.run = true,
            "args" => self.wants.args = Arguments::All,
            _ => return Err(fault(node, unknown("there is no", name, VARIABLES))),
        }
        Ok(match name {
            "tool" => Type::Text,
            "effects" => Type::List,
            _ => Type::Map,
        })
    }

    fn select(&mut self, node: &IdedExpr, select: &SelectExpr) -> Result<Type, Fault> {
        let of = match &select.operand.expr {
            Expr::Ident(name) if !self.bound.contains(name) => name.as_str(),
            _ => "",
        };
        let fields: &[&str] = match of {
            "args" => {
                self.wants.args.add(&select.field);
                return Ok(if select.test { Type::Boolean } else { Type::Any });
            }
            "actor" => &OF_ACTOR,
            "run" => &OF_RUN,
            _ => &[],
        };
        let operand = self.node(&select.operand)?;
        if !operand.may_be(&[Type::Map]) {
            return Err(fault(node, format!("{operand} has no {:?}", select.field)));
        }
        if !fields.is_empty() && !fields.contains(&select.field.as_str()) {
            let what = format!("{of} has no");
            return Err(fault(node, unknown(&what, &select.field, fields.iter().copied())));
        }
        Ok(match (select.test, fields.is_empty()) {
            (true, _) => Type::Boolean,
            (false, false) => Type::Text,
            (false, true) => Type::Any,
        })
    }

    fn call(&mut self, node: &IdedExpr, call: &CallExpr) -> Result<Type, Fault> {
        let mut types = Vec::new();
        for operand in call.target.as_deref().into_iter().chain(&call.args) {
            types.push(self.node(operand)?);
        }
        let function = call.func_name.as_str();
        let sign = function.trim_matches(['_', '@']);
        let refused = || {
            let listed = types.iter().map(Type::to_string).collect::<Vec<_>>().join(" and ");
            Err(fault(node, format!("{sign} can't be applied to {listed}")))
        };
        let all = |allowed: &[Type]| types.iter().all(|operand| operand.may_be(allowed));
        match (function, types.as_slice()) {
            ("_&&_" | "_||_", [..]) if all(&[Type::Boolean]) => Ok(Type::Boolean),
            ("!_", [_]) if all(&[Type::Boolean]) => Ok(Type::Boolean),
            ("@not_strictly_false", [_]) => Ok(Type::Boolean),
            ("_==_" | "_!=_", [_, _]) => Ok(Type::Boolean),
            ("_<_" | "_<=_" | "_>_" | "_>=_", [a, b]) if all(&ORDERED) && comparable(*a, *b) => {
                Ok(Type::Boolean)
            }
            ("_+_", [a, b]) if all(&[Type::Integer, Type::Fraction, Type::Text, Type::List]) => {
                same(*a, *b).map_or_else(refused, Ok)
            }
            ("_-_" | "_*_" | "_/_", [a, b]) if all(&NUMBERS) => same(*a, *b).map_or_else(refused, Ok),
            ("_%_", [_, _]) if all(&[Type::Integer]) => Ok(Type::Integer),
            ("-_", [operand]) if all(&NUMBERS) => Ok(*operand),
            ("@in", [_, within]) if within.may_be(&[Type::List, Type::Map]) => Ok(Type::Boolean),
            ("_[_]", [of, _]) if of.may_be(&[Type::List, Type::Map]) => Ok(Type::Any),
            ("_?_:_", [condition, yes, no]) if condition.may_be(&[Type::Boolean]) => {
                Ok(if yes == no { *yes } else { Type::Any })
            }
            ("size", [of]) if of.may_be(&SIZED) => Ok(Type::Integer),
            ("contains" | "startsWith" | "endsWith", [_, _])
                if call.target.is_some() && all(&[Type::Text]) =>
            {
                Ok(Type::Boolean)
            }
            ("int", [of]) if of.may_be(&[Type::Integer, Type::Fraction, Type::Text]) => Ok(Type::Integer),
            ("double", [of]) if of.may_be(&[Type::Integer, Type::Fraction, Type::Text]) => Ok(Type::Fraction),
            ("string", [of]) if of.may_be(&[Type::Integer, Type::Fraction, Type::Text, Type::Boolean]) => {
                Ok(Type::Text)
            }
            _ if function == sign && !FUNCTIONS.contains(&sign) => {
                Err(fault(node, unknown("there is no function", sign, FUNCTIONS)))
            }
            _ => refused(),
        }
    }

    /// What `all`, `exists` and the like stand for.
    fn comprehension(&mut self, node: &IdedExpr, loops: &ComprehensionExpr) -> Result<Type, Fault> {
        if !self.bound.is_empty() {
            return Err(fault(
                node,
                "a loop within a loop could take too long; split the condition into several rules",
            ));
        }
        let range = self.node(&loops.iter_range)?;
        if !range.may_be(&[Type::List, Type::Map]) {
            return Err(fault(
                &loops.iter_range,
                format!("only a list can be gone through, and this is {range}"),
            ));
        }
        let result = self.node(&loops.accu_init)?;
        self.bound.extend([loops.iter_var.clone(), loops.accu_var.clone()]);
        self.bound.extend(loops.iter_var2.clone());
        for part in [&loops.loop_cond, &loops.loop_step, &loops.result] {
            self.node(part)?;
        }
        self.bound.clear();
        // `exists_one` counts, and compares its count at the end.
        Ok(if result == Type::Integer { Type::Boolean } else { result })
    }
}

fn literal_type(node: &IdedExpr, literal: &LiteralValue) -> Result<Type, Fault> {
    Ok(match literal {
        LiteralValue::Boolean(_) => Type::Boolean,
        LiteralValue::Int(_) | LiteralValue::UInt(_) => Type::Integer,
        LiteralValue::Double(_) => Type::Fraction,
        LiteralValue::String(_) => Type::Text,
        LiteralValue::Null => Type::Nothing,
        LiteralValue::Bytes(_) => return Err(fault(node, "bytes can't stand in a condition")),
    })
}

/// Whether one can be less than the other.
fn comparable(a: Type, b: Type) -> bool {
    a == b || a == Type::Any || b == Type::Any || (NUMBERS.contains(&a) && NUMBERS.contains(&b))
}

/// The type of both, as operands of an operator that gives the same again.
fn same(a: Type, b: Type) -> Option<Type> {
    match (a, b) {
        (Type::Any, other) | (other, Type::Any) => Some(other),
        (a, b) => (a == b).then_some(a),
    }
}

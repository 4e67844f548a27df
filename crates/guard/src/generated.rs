//! What functions made by `#[guard]` call. Not for hands.
//!
//! What a function gives may be of any type, and only some types can be looked into. Which of the four ways it is settled
//! is chosen by the compiler: the traits below are tried in order, by how many references stand before their receiver.

use std::cell::Cell;
use std::fmt::{self, Display};

use seawall_types::{Code, Mode};
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use serde_json::{Map, Value};

use crate::{Admitted, Call, Declared, Error, PolicyDenied, Run, ToolEnd, current};

/// The run that a guarded function belongs to.
///
/// # Errors
/// When there is none.
pub fn run_of(function: &str) -> Result<Run, Error> {
    current().ok_or_else(|| {
        Error::Config(format!(
            "{function} is guarded and was called outside of any run; begin one with run(), or enter one"
        ))
    })
}

/// Gives an argument to the policy.
///
/// # Errors
/// When it can't be written.
pub fn give(arguments: &mut Map<String, Value>, name: &str, argument: &impl Serialize) -> Result<(), Error> {
    let value = serde_json::to_value(argument).map_err(|error| {
        Error::Config(format!("the argument {name} can't be written for the policy: {error}"))
    })?;
    arguments.insert(name.to_owned(), value);
    Ok(())
}

/// Admits the call.
///
/// # Errors
/// When it must not happen.
pub fn admit(
    run: &Run,
    tool: &str,
    arguments: Map<String, Value>,
    effects: &Declared,
    cost: &str,
) -> Result<Admitted, Error> {
    let cost_usd =
        cost.parse().map_err(|error| Error::Config(format!("the cost of {tool} can't be read: {error}")))?;
    run.admit(Call { effects, cost_usd, ..Call::new(tool, Value::Object(arguments)) })
}

/// One argument back from what the policy made of it.
///
/// # Errors
/// When it is not of its type any more.
pub fn argument<T: DeserializeOwned>(arguments: &mut Value, name: &str) -> Result<T, Error> {
    let value = arguments.get_mut(name).map(Value::take).unwrap_or_default();
    serde_json::from_value(value)
        .map_err(|error| Error::Config(format!("the argument {name} can't be handed to the tool: {error}")))
}

/// What a function gave, to be taken out once.
pub struct Gave<R>(Cell<Option<R>>);

impl<R> fmt::Debug for Gave<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gave").finish_non_exhaustive()
    }
}

impl<R> Gave<R> {
    /// Holds it.
    #[must_use]
    pub fn new(gave: R) -> Self {
        Self(Cell::new(Some(gave)))
    }

    fn take(&self) -> Result<R, Error> {
        self.0.take().ok_or_else(|| Error::Config("the call was settled before".to_owned()))
    }
}

/// A `Result` whose value can be looked into.
pub trait InspectedResult<R> {
    /// Settles the call.
    ///
    /// # Errors
    /// When what it gave must not go on.
    fn settle(&self, admitted: Admitted) -> Result<R, Error>;
}

impl<T: Serialize + DeserializeOwned, E: Display> InspectedResult<Result<T, E>> for &&&Gave<Result<T, E>> {
    fn settle(&self, admitted: Admitted) -> Result<Result<T, E>, Error> {
        match self.take()? {
            Ok(value) => inspected(value, admitted).map(Ok),
            Err(error) => failed(error, admitted).map(Err),
        }
    }
}

/// A value that can be looked into.
pub trait Inspected<R> {
    /// Settles the call.
    ///
    /// # Errors
    /// When what it gave must not go on.
    fn settle(&self, admitted: Admitted) -> Result<R, Error>;
}

impl<R: Serialize + DeserializeOwned> Inspected<R> for &&Gave<R> {
    fn settle(&self, admitted: Admitted) -> Result<R, Error> {
        inspected(self.take()?, admitted)
    }
}

/// A `Result` that can't be looked into.
pub trait AnyResult<R> {
    /// Settles the call.
    ///
    /// # Errors
    /// When the policy wants to look into what it gave.
    fn settle(&self, admitted: Admitted) -> Result<R, Error>;
}

impl<T, E: Display> AnyResult<Result<T, E>> for &Gave<Result<T, E>> {
    fn settle(&self, admitted: Admitted) -> Result<Result<T, E>, Error> {
        match self.take()? {
            Ok(value) => opaque(value, admitted).map(Ok),
            Err(error) => failed(error, admitted).map(Err),
        }
    }
}

/// Anything else.
pub trait Any<R> {
    /// Settles the call.
    ///
    /// # Errors
    /// When the policy wants to look into what it gave.
    fn settle(&self, admitted: Admitted) -> Result<R, Error>;
}

impl<R> Any<R> for Gave<R> {
    fn settle(&self, admitted: Admitted) -> Result<R, Error> {
        opaque(self.take()?, admitted)
    }
}

fn inspected<T: Serialize + DeserializeOwned>(value: T, admitted: Admitted) -> Result<T, Error> {
    if !admitted.looks_into_result() && !admitted.limits_output() {
        return unlooked(value, admitted);
    }
    let mut looked_at = serde_json::to_value(&value).map_err(|error| {
        Error::Config(format!("what the tool gave can't be written for the policy: {error}"))
    })?;
    let settled = admitted.settle(ToolEnd::Returned(&mut looked_at), None)?;
    if !settled.redacted {
        return Ok(value);
    }
    serde_json::from_value(looked_at).map_err(|error| {
        Error::Config(format!("what the tool gave is not of its type without its secrets: {error}"))
    })
}

/// Nobody looks into it, so it goes on as it is. What can't be written down is left out of the trace.
fn unlooked<T: Serialize>(value: T, admitted: Admitted) -> Result<T, Error> {
    let kept = admitted.keeps_result().then(|| serde_json::to_value(&value).ok()).flatten();
    match kept {
        Some(mut kept) => admitted.settle(ToolEnd::Returned(&mut kept), None)?,
        None => admitted.settle(ToolEnd::ReturnedBytes(0), None)?,
    };
    Ok(value)
}

fn failed<E: Display>(error: E, admitted: Admitted) -> Result<E, Error> {
    admitted.settle(ToolEnd::Failed(&error.to_string()), None)?;
    Ok(error)
}

/// Fails closed: what can't be looked into does not go on where the policy wants to look.
fn opaque<T>(value: T, admitted: Admitted) -> Result<T, Error> {
    let wants_to_look = admitted.looks_into_result() || admitted.limits_output();
    if wants_to_look && admitted.policy().mode == Mode::Strict {
        let action = admitted.action();
        let message = "the policy looks into what tools give, and this function's type can't be looked into";
        admitted.settle(ToolEnd::Failed(message), None)?;
        return Err(Error::PolicyDenied(Box::new(PolicyDenied {
            code: Code::ToolContract,
            message: message.to_owned(),
            remedy: "let it give what serde can write and read".to_owned(),
            findings: Vec::new(),
            action,
        })));
    }
    admitted.settle(ToolEnd::ReturnedBytes(0), None)?;
    Ok(value)
}

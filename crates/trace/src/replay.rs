//! Stepping through a recorded run without doing anything: what was asked then, what came of it, and where another
//! course of the same work first departs from it.
//!
//! A [`Replayer`] hands out what was recorded, in order, to somebody who asks for it by [`Fingerprint`]: what kind of
//! action, by which name, with which arguments. The first question that was not asked then is a [`Divergence`]. To
//! compare two runs, [`compare`] asks the one what the other did, and looks at what came of it too.
//!
//! It performs nothing and decides nothing. What differs from run to run anyway (identifiers, times, tokens, cost) is
//! left out. Arguments and outputs can only be compared as far as the trace holds them, or hashes of them.

mod step;

use std::fmt;

use serde::Serialize;

pub use step::{Fingerprint, Outcome, Step};

use crate::Error;
use crate::read::Line;

/// Where a course departs from the recorded one. Steps count from 1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Divergence {
    /// At which step of the recorded run.
    pub step: usize,
    /// What is different.
    pub what: Difference,
    /// The recorded step; `None` where the recorded run was over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recorded: Option<Step>,
    /// What was asked, or done, instead; `None` where nothing was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asked: Option<Fingerprint>,
    /// What came of it instead, where that is what is different.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
}

/// In what a course departs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Difference {
    /// The same action with other arguments.
    Arguments,
    /// The same action, of which something else came.
    Output,
    /// A recorded action that was passed over.
    Missing,
    /// An action that was not recorded.
    Additional,
}

/// A recorded run, handed out step by step.
#[derive(Debug)]
pub struct Replayer {
    steps: Vec<Step>,
    next: usize,
}

impl Replayer {
    /// Reads a run into memory, all of it.
    ///
    /// # Errors
    /// When a line can't be read: a replay with holes would name the wrong divergence.
    pub fn load(lines: impl IntoIterator<Item = Result<Line, Error>>) -> Result<Self, Error> {
        Ok(Self { steps: step::steps(lines)?, next: 0 })
    }

    /// All steps, in order.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The next recorded step, which must be what is asked for.
    ///
    /// After a divergence it stays where it is.
    ///
    /// # Errors
    /// When something else was recorded there: how it differs.
    pub fn next(&mut self, asked: &Fingerprint) -> Result<&Step, Box<Divergence>> {
        let at = self.next;
        match self.steps.get(at) {
            Some(step) if step.fingerprint == *asked => {
                self.next += 1;
                Ok(step)
            }
            recorded => Err(Box::new(Divergence {
                step: at + 1,
                what: self.difference(asked),
                recorded: recorded.cloned(),
                asked: Some(asked.clone()),
                outcome: None,
            })),
        }
    }

    /// The course is over; so must the recorded run be.
    ///
    /// # Errors
    /// When it is not: the first step that is missing.
    pub fn finish(&self) -> Result<(), Box<Divergence>> {
        let Some(step) = self.steps.get(self.next) else { return Ok(()) };
        Err(Box::new(Divergence {
            step: self.next + 1,
            what: Difference::Missing,
            recorded: Some(step.clone()),
            asked: None,
            outcome: None,
        }))
    }

    /// What to call it when this is asked and the next step is another.
    fn difference(&self, asked: &Fingerprint) -> Difference {
        let mut rest = self.steps.get(self.next..).unwrap_or_default().iter().map(|step| &step.fingerprint);
        let Some(next) = rest.next() else { return Difference::Additional };
        if rest.any(|later| later == asked) {
            return Difference::Missing;
        }
        let is_same_action = (&next.kind, &next.name) == (&asked.kind, &asked.name);
        if is_same_action { Difference::Arguments } else { Difference::Additional }
    }
}

/// The first divergence of another run from the recorded one; `None` when they take the same course.
#[must_use]
pub fn compare(recorded: &mut Replayer, other: &Replayer) -> Option<Divergence> {
    for done in other.steps() {
        match recorded.next(&done.fingerprint) {
            Err(divergence) => return Some(*divergence),
            Ok(step) if step.outcome == done.outcome => {}
            Ok(step) => {
                let step = step.clone();
                return Some(Divergence {
                    step: recorded.next,
                    what: Difference::Output,
                    recorded: Some(step),
                    asked: Some(done.fingerprint.clone()),
                    outcome: Some(done.outcome.clone()),
                });
            }
        }
    }
    recorded.finish().err().map(|divergence| *divergence)
}

impl fmt::Display for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "step {}: ", self.step)?;
        let recorded = self.recorded.as_ref();
        match self.what {
            Difference::Arguments => write!(f, "other arguments")?,
            Difference::Output => write!(f, "another output")?,
            Difference::Missing => write!(f, "a recorded step is missing")?,
            Difference::Additional => write!(f, "a step that was not recorded")?,
        }
        if let Some(step) = recorded {
            write!(
                f,
                "; recorded (line {}): {}, {}",
                step.seq.saturating_add(1),
                step.fingerprint,
                step.outcome
            )?;
        }
        if let Some(asked) = &self.asked {
            write!(f, "; now: {asked}")?;
        }
        self.outcome.as_ref().map_or(Ok(()), |outcome| write!(f, ", {outcome}"))
    }
}

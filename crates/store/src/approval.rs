//! Approvals: questions to a person whether a call of a tool may happen, and what was decided.
//!
//! What an approval is good for is decided here, in one place for all stores ([`answering`]); when a person must be
//! asked is the policy's.

use std::cmp::Reverse;
use std::fmt;
use std::str::FromStr;

use seawall_types::{ActionId, Actor, ApprovalId, Finding, RunId, Timestamp};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

use crate::StoreError;

macro_rules! words {
    ($(#[$doc:meta])* $name:ident: $what:literal { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name {$($(#[$variant_doc])* $variant,)*}

        impl $name {
            /// The word that is written for it.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {$(Self::$variant => $word,)*}
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = ParseWordError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($word => Ok(Self::$variant),)*
                    _ => Err(ParseWordError { text: text.to_owned(), what: $what, known: &[$($word),*] }),
                }
            }
        }
    };
}

/// A word that is none of those that are known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no {what}; write one of {}", known.join(", "))]
pub struct ParseWordError {
    text: String,
    what: &'static str,
    known: &'static [&'static str],
}

words! {
    /// How far an approval has come.
    ApprovalState: "state of an approval" {
        /// Nobody has decided yet.
        Pending = "pending",
        /// The call may happen.
        Allowed = "allowed",
        /// It must not.
        Denied = "denied",
        /// Nobody decided in time: it must not.
        Expired = "expired",
    }
}

words! {
    /// What a decision is good for, within the run, the actor and the tool that it was asked for.
    ApprovalScope: "scope of a decision" {
        /// One call with exactly these arguments. A denial holds for every call with them.
        Once = "once",
        /// Every call with exactly these arguments.
        Arguments = "arguments",
        /// Every call of the tool, whatever its arguments.
        Run = "run",
    }
}

/// One approval.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ApprovalRow {
    /// Its identifier.
    pub id: ApprovalId,
    /// The run that asked.
    pub run: RunId,
    /// The agent that asked, if it is one of ours.
    pub agent: Option<String>,
    /// The action that waits for it.
    pub action: Option<ActionId>,
    /// On whose behalf.
    pub actor: Actor,
    /// The tool that is to be called.
    pub tool: String,
    /// How the model named the call.
    pub call_id: Option<String>,
    /// The arguments as people may see them, without secrets.
    pub arguments: Value,
    /// The hash of the exact arguments, which is what the approval is bound to.
    #[serde(serialize_with = "as_hex")]
    pub arguments_hash: [u8; 32],
    /// What the call would do, in a line.
    pub summary: String,
    /// Why a person is asked.
    pub findings: Vec<Finding>,
    /// When it was asked.
    pub asked_at: Timestamp,
    /// When it is denied by itself.
    pub expires_at: Timestamp,
    /// How far it has come.
    pub state: ApprovalState,
    /// What the decision is good for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<ApprovalScope>,
    /// Who decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decided_by: Option<String>,
    /// When it was decided, or expired.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decided_at: Option<Timestamp>,
    /// What the caller is told beside the decision.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// When it was used up: by the one call that it let through, or, expired, by the caller who was told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub used_at: Option<Timestamp>,
    /// Whether the decision stands in a trace.
    #[serde(skip)]
    pub recorded: bool,
}

fn as_hex<S: Serializer>(hash: &[u8; 32], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&Hex(hash))
}

struct Hex<'a>(&'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// What a person, or what speaks for one, has decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApprovalDecision {
    /// Whether the call may happen.
    pub allow: bool,
    /// What the decision is good for; [`ApprovalScope::Once`] where nothing is said.
    pub scope: Option<ApprovalScope>,
    /// Who decides.
    pub by: String,
    /// What the caller is to be told beside it.
    pub note: Option<String>,
}

/// What came of asking.
#[derive(Debug, Clone, PartialEq)]
pub struct AskedApproval {
    /// The approval that answers, as it stands now.
    pub row: ApprovalRow,
    /// Whether it was made by this question.
    pub is_new: bool,
}

/// Keeps approvals.
///
/// Whatever is done first makes those expire whose time is up, so that no call depends on anybody who tidies up.
pub trait Approvals: Send + Sync {
    /// Gives what answers the question `wanted`, which is kept as a new pending approval when nothing does.
    /// An approval that is good for one call is used up by this, atomically: of callers that ask at once,
    /// in whatever processes, one is let through.
    ///
    /// `shown` is an approval that the caller holds. It answers also when it was asked for in another run (the caller
    /// was started again since), if actor, tool and arguments are the same. What is allowed for more than one call is used up
    /// by that, and answers only until it would have expired.
    ///
    /// # Errors
    /// When the store can't be read or written.
    fn ask(&self, wanted: &ApprovalRow, shown: Option<ApprovalId>) -> Result<AskedApproval, StoreError>;

    /// The newest approval that is good for the question `wanted` but for its run, if that was one of the same kind that
    /// has ended: who asks is the same caller after a new start. One whose time to be decided is up, or that is used up, is
    /// left where it is.
    ///
    /// # Errors
    /// When the store can't be read.
    fn asked_before(&self, wanted: &ApprovalRow) -> Result<Option<ApprovalId>, StoreError>;

    /// Decides on a pending approval, and gives it as it stands then. The same decision again changes nothing.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such approval; [`StoreError::Decided`] when another decision was made,
    /// or its time is up.
    fn decide(
        &self,
        id: ApprovalId,
        decision: &ApprovalDecision,
        at: Timestamp,
    ) -> Result<ApprovalRow, StoreError>;

    /// Makes those expire whose time is up.
    ///
    /// # Errors
    /// When the store can't be written.
    fn expire(&self, at: Timestamp) -> Result<(), StoreError>;

    /// One approval.
    ///
    /// # Errors
    /// When the store can't be read.
    fn approval(&self, id: ApprovalId) -> Result<Option<ApprovalRow>, StoreError>;

    /// The newest of all, or of those in one state, oldest first.
    ///
    /// # Errors
    /// When the store can't be read.
    fn approvals(&self, state: Option<ApprovalState>, most: u32) -> Result<Vec<ApprovalRow>, StoreError>;

    /// Those that were decided, or expired, without it standing in a trace.
    ///
    /// # Errors
    /// When the store can't be read.
    fn unrecorded(&self) -> Result<Vec<ApprovalRow>, StoreError>;

    /// Says that the caller writes the decision into a trace; `false` when another one does, or did.
    ///
    /// # Errors
    /// When the store can't be written.
    fn claim_record(&self, id: ApprovalId) -> Result<bool, StoreError>;

    /// Forgets those that were decided, or expired, if that stands in a trace and the time that people had was over
    /// before `before`. How many they were. Who asks again what one of them answered asks a person anew.
    ///
    /// # Errors
    /// When the store can't be written.
    fn forget_decided(&self, before: Timestamp) -> Result<u64, StoreError>;
}

/// The approval among `rows` that answers the question, if one does. The gravest speaks: a denial goes before what
/// allows, what lasts before what is used up, and what is decided before what is not.
pub fn answering(
    rows: impl IntoIterator<Item = ApprovalRow>,
    wanted: &ApprovalRow,
    shown: Option<ApprovalId>,
) -> Option<ApprovalRow> {
    let answers = rows.into_iter().filter(|row| answers(row, wanted, shown));
    answers.max_by_key(|row| (weight(row), Reverse((row.asked_at, row.id))))
}

fn answers(row: &ApprovalRow, wanted: &ApprovalRow, shown: Option<ApprovalId>) -> bool {
    let is_same_run = row.run == wanted.run;
    // What was allowed for more than one call ends with its run. Who comes from there in another one is let through once,
    // for as long as there was time to decide.
    let is_good_elsewhere = !row.lasts() || wanted.asked_at < row.expires_at;
    let is_shown = shown == Some(row.id) && is_good_elsewhere;
    let is_same_call = row.is_of_the_same_call(wanted) && (is_same_run || is_shown);
    let is_for_the_run =
        row.is_of_the_same_caller(wanted) && row.scope == Some(ApprovalScope::Run) && is_same_run;
    row.used_at.is_none() && (is_same_call || is_for_the_run)
}

fn weight(row: &ApprovalRow) -> u8 {
    match (row.state, row.scope) {
        (ApprovalState::Denied, _) => 4,
        (ApprovalState::Allowed, Some(ApprovalScope::Run | ApprovalScope::Arguments)) => 3,
        (ApprovalState::Allowed, _) => 2,
        (ApprovalState::Expired, _) => 1,
        (ApprovalState::Pending, _) => 0,
    }
}

impl ApprovalRow {
    /// Whether nothing is left to be done about it, and its time to be decided was up before `before`.
    pub(crate) fn is_over(&self, before: Timestamp) -> bool {
        self.state != ApprovalState::Pending && self.recorded && self.expires_at < before
    }

    fn is_of_the_same_caller(&self, other: &Self) -> bool {
        self.actor == other.actor && self.tool == other.tool
    }

    /// Whether both are about a call of the same tool with the same arguments on behalf of the same, in whatever run.
    #[must_use]
    pub fn is_of_the_same_call(&self, other: &Self) -> bool {
        self.is_of_the_same_caller(other) && self.arguments_hash == other.arguments_hash
    }

    /// Whether it lets through more than one call.
    fn lasts(&self) -> bool {
        let lasts = matches!(self.scope, Some(ApprovalScope::Run | ApprovalScope::Arguments));
        self.state == ApprovalState::Allowed && lasts
    }

    /// Whether answering the question `wanted` with it uses it up: what lets one call through, what lets calls of another
    /// run through, and what has expired, since who asks after having been told so asks anew.
    #[must_use]
    pub fn is_used_up_by_answering(&self, wanted: &Self) -> bool {
        match self.state {
            ApprovalState::Allowed => !self.lasts() || self.run != wanted.run,
            ApprovalState::Expired => true,
            ApprovalState::Denied | ApprovalState::Pending => false,
        }
    }

    /// The same after its time is up, if it is at `now` and nobody has decided.
    #[must_use]
    pub fn expired_by(self, now: Timestamp) -> Self {
        if self.state != ApprovalState::Pending || now < self.expires_at {
            return self;
        }
        Self { state: ApprovalState::Expired, decided_at: Some(self.expires_at), ..self }
    }

    /// The same after this decision.
    ///
    /// # Errors
    /// [`StoreError::Decided`] when another one stands.
    pub fn decided(self, decision: &ApprovalDecision, at: Timestamp) -> Result<Self, StoreError> {
        let state = if decision.allow { ApprovalState::Allowed } else { ApprovalState::Denied };
        match self.state {
            ApprovalState::Pending => Ok(Self {
                state,
                scope: Some(decision.scope.unwrap_or(ApprovalScope::Once)),
                decided_by: Some(decision.by.clone()),
                decided_at: Some(at),
                note: decision.note.clone(),
                ..self
            }),
            decided if decided == state && decision.scope.is_none_or(|scope| self.scope == Some(scope)) => {
                Ok(self)
            }
            state => Err(StoreError::Decided { what: format!("approval {}", self.id), state }),
        }
    }
}

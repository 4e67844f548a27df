//! A run: what is begun, what its calls share, and how it ends.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use seawall_base::id;
use seawall_budget::{Limit, OnStoreDown};
use seawall_checkpoint::Approver;
use seawall_checkpoint::tool::{Resolver, RunState, ToolCall, ToolEnd};
use seawall_policy::{Performer, Policy};
use seawall_trace::{Heads, OnUnavailable};
use seawall_types::{Actor, ApprovalId, EventKind, Mode, RunId, Scope, Usd, Window};
use serde::Serialize;
use serde_json::Value;

use crate::home::{self, Home};
use crate::people::{Asking, People};
use crate::policy::working_folder;
use crate::{
    Admitted, Call, CallError, Entered, Error, Patience, PolicyChoice, PolicySource, ReportFormat,
    RunOptions, TraceContent, current, report,
};

/// Begins a run, inside the [current] one of this thread if there is one, and makes it the current one until it ends.
///
/// # Errors
/// [`Error::Config`] when an option, the policy or the data folder is not good.
pub fn run(options: RunOptions) -> Result<Run, Error> {
    let run = Run::begin(options, current().as_ref())?;
    run.enter().for_as_long_as_the_run();
    Ok(run)
}

/// A run. Clones are the same run; it ends when [finished](Run::finish), or when the last clone is dropped.
#[derive(Debug, Clone)]
pub struct Run {
    pub(crate) inner: Arc<Inner>,
}

/// What the calls of a run share.
#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) id: RunId,
    pub(crate) home: Arc<Home>,
    pub(crate) policy: Arc<Policy>,
    pub(crate) actor: Arc<Actor>,
    pub(crate) state: Arc<RunState>,
    /// Whose budgets pay: its own, and those of the runs that it is in.
    pub(crate) scopes: Vec<Scope>,
    pub(crate) resolver: Arc<dyn Resolver>,
    people: People,
    /// Who asks in the place of `people`.
    approver: Option<Arc<dyn Approver>>,
    approvals: Vec<ApprovalId>,
    wait_for_approval: Duration,
    patience: Patience,
    /// Whether any of those budgets is one of money.
    pub(crate) limits_money: bool,
    /// Runs that it is in.
    outer: Option<Run>,
    sandbox: PathBuf,
    own_sandbox: bool,
    trace_path: Option<PathBuf>,
    progress: Mutex<Progress>,
}

/// What changes while a run goes on.
#[derive(Debug, Default)]
struct Progress {
    spent: Usd,
    /// Calls that are admitted and not ended.
    open: usize,
    /// Nothing more is admitted.
    closing: bool,
    /// `run.finished` is written.
    finished: bool,
}

/// `data` of `run.started`.
#[derive(Serialize)]
struct Started<'a> {
    version: &'a str,
    policy: &'a str,
    mode: Mode,
    sandbox: &'a Path,
    #[serde(skip_serializing_if = "Option::is_none")]
    inside: Option<RunId>,
    #[serde(skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    tags: &'a std::collections::BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_cost_usd: Option<Usd>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_usd_per_minute: Option<Usd>,
}

impl Run {
    /// Begins a run, inside another if one is given: what it spends, that one pays too. No thread's current run is looked
    /// at or changed.
    ///
    /// # Errors
    /// As [`run`].
    pub fn begin(options: RunOptions, inside: Option<&Self>) -> Result<Self, Error> {
        let data_dir = data_dir(&options);
        let home = Home::open(&data_dir, options.trace, content(&options, inside)?)?;
        let clock = home.checkpoint.clock();
        let id = match &options.run_id {
            Some(text) => unused(text, &home)?,
            None => id::new_run(&**clock),
        };
        let source = source(&options)?;
        let place = place(&options, source.as_deref(), id, &home)?;
        let policy = Arc::new(place.policy);
        let limits = limits(&options, &policy, id);
        // Budgets of a run that has another home can't be reserved in one step with these.
        let outer = inside.filter(|outer| Arc::ptr_eq(&outer.inner.home, &home));
        let mut scopes: Vec<Scope> = (!limits.is_empty()).then_some(Scope::Run(id)).into_iter().collect();
        scopes.extend(outer.into_iter().flat_map(|outer| outer.inner.scopes.clone()));
        let limits_money = limits.iter().any(|limit| limit.usd.is_some())
            || outer.is_some_and(|outer| outer.inner.limits_money);
        for limit in limits {
            home.checkpoint.ledger().set_limit(limit, clock.now()).map_err(Error::config)?;
        }
        let started = Started {
            version: env!("CARGO_PKG_VERSION"),
            policy: &policy.name,
            mode: policy.mode,
            sandbox: &place.sandbox,
            inside: inside.map(|outer| outer.inner.id),
            tags: &options.tags,
            max_cost_usd: options.max_cost_usd,
            max_tokens: options.max_tokens,
            max_usd_per_minute: options.max_usd_per_minute,
        };
        let path = home.checkpoint.trace().start_run(id, "guard", &started);
        home.checkpoint.announce_policy(id, EventKind::PolicyLoaded, &policy);
        let trace_path = home.archive.as_ref().map(|archive| archive.runs.join(path));
        Ok(Self {
            inner: Arc::new(Inner {
                id,
                policy,
                actor: Arc::new(options.actor),
                state: Arc::default(),
                scopes,
                resolver: options.resolver,
                people: People::new(&home, options.approvals_expire_after),
                patience: options.patience,
                approver: options.approver,
                approvals: options.approvals,
                wait_for_approval: options.wait_for_approval,
                limits_money,
                outer: inside.cloned(),
                sandbox: place.sandbox,
                own_sandbox: place.own,
                trace_path,
                progress: Mutex::default(),
                home,
            }),
        })
    }

    /// Its identifier.
    #[must_use]
    pub fn id(&self) -> RunId {
        self.inner.id
    }

    /// The folder that relative paths mean.
    #[must_use]
    pub fn sandbox(&self) -> &Path {
        &self.inner.sandbox
    }

    /// Its `trace.jsonl`; none when it is not written down.
    #[must_use]
    pub fn trace_path(&self) -> Option<&Path> {
        self.inner.trace_path.as_deref()
    }

    /// The policy that it is under.
    #[must_use]
    pub fn policy(&self) -> &Arc<Policy> {
        &self.inner.policy
    }

    /// What its ended calls cost, those of runs inside it included.
    #[must_use]
    pub fn spent_usd(&self) -> Usd {
        self.inner.lock().spent
    }

    /// Whether it has ended, or is about to when its last call does.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.inner.lock().closing
    }

    /// Decides on a call. What comes back is the proof, with the arguments that the tool is to get.
    ///
    /// # Errors
    /// When the call must not happen, or the run has ended.
    pub fn admit(&self, call: Call<'_>) -> Result<Admitted, Error> {
        let inner = &self.inner;
        inner.begin_call()?;
        let mut open = OpenCall { run: self.clone(), cost: Usd::ZERO };
        let checkpoint = &inner.home.checkpoint;
        let action = id::new_action(&**checkpoint.clock());
        let admitted = self.with(&call, |asked| checkpoint.admit_tool(action, asked));
        let permit = admitted.map_err(|denial| Error::denied(action, denial))?;
        open.cost = call.cost_usd;
        let mut arguments = call.arguments;
        permit.apply(&mut arguments);
        Ok(Admitted::new(permit, arguments, open, call.cost_usd))
    }

    /// The call as the checkpoint takes it.
    fn with<T>(&self, call: &Call<'_>, use_it: impl FnOnce(&ToolCall<'_>) -> T) -> T {
        let inner = &self.inner;
        let named = call.approval.map(|approval| [&[approval], inner.approvals.as_slice()].concat());
        let on_unavailable = match inner.policy.mode {
            Mode::Strict => OnUnavailable::Refuse,
            Mode::Warn => OnUnavailable::Count,
        };
        let patience = call.patience.as_ref().unwrap_or(&inner.patience);
        let people = inner.approver.as_deref().unwrap_or(&inner.people);
        let asking = Asking::new(people, patience, &**inner.home.checkpoint.clock());
        use_it(&ToolCall {
            run: inner.id,
            state: &inner.state,
            actor: &inner.actor,
            name: call.tool,
            arguments: &call.arguments,
            binding: &call.binding,
            effects: call.effects,
            performer: Performer::Us,
            cost: call.cost_usd,
            scopes: &inner.scopes,
            policy: &inner.policy,
            resolver: &*inner.resolver,
            approver: Some(&asking),
            approvals: named.as_deref().unwrap_or(&inner.approvals),
            wait_for_approval: if patience.waits() { inner.wait_for_approval } else { Duration::ZERO },
            on_unavailable,
        })
    }

    /// Whether this call would be one that a person is asked about, as things stand. Nobody is asked, and nothing is
    /// written down.
    #[must_use]
    pub fn asks(&self, call: &Call<'_>) -> bool {
        let now = self.inner.home.checkpoint.clock().now();
        self.with(call, |asked| asked.asks(now))
    }

    /// Admits a call, performs it with the arguments that the policy decided on, and settles it.
    ///
    /// How long it takes is not bounded here: a function of this process can't be ended from outside.
    ///
    /// # Errors
    /// When the call or what it gave is refused, or the tool fails.
    pub fn call<E: std::fmt::Display>(
        &self,
        call: Call<'_>,
        perform: impl FnOnce(&Value) -> Result<Value, E>,
    ) -> Result<Value, CallError<E>> {
        let admitted = self.admit(call)?;
        match perform(admitted.arguments()) {
            Ok(mut value) => {
                admitted.settle(ToolEnd::Returned(&mut value), None)?;
                Ok(value)
            }
            Err(error) => {
                // What a failed tool said goes to its caller as it is; the settling has nothing to refuse.
                let _settled = admitted.settle(ToolEnd::Failed(&error.to_string()), None);
                Err(CallError::Tool(error))
            }
        }
    }

    /// Makes it the current run of this thread until the result is dropped.
    pub fn enter(&self) -> Entered {
        Entered::new(self)
    }

    /// A report of what happened until now.
    ///
    /// # Errors
    /// When nothing is written down, or the trace can't be read.
    pub fn report(&self, format: ReportFormat) -> Result<String, Error> {
        report::of(&self.inner, format)
    }

    /// Ends the run: nothing more is admitted, and when the last call has ended, the trace does. What was written until
    /// now is on the disk when this returns. A second time does nothing.
    pub fn finish(&self) {
        self.inner.finish();
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, Progress> {
        // Numbers and flags are never half-changed.
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin_call(&self) -> Result<(), Error> {
        if !self.home.is_of_this_process() {
            return Err(Error::Config(
                "the run belongs to the process that this one was forked from; begin one here".to_owned(),
            ));
        }
        let mut progress = self.lock();
        if progress.closing {
            return Err(Error::Config(format!("the run {} has ended; begin another", self.id)));
        }
        progress.open += 1;
        Ok(())
    }

    fn end_call(&self) {
        let mut progress = self.lock();
        progress.open = progress.open.saturating_sub(1);
        self.end_if_due(progress);
    }

    /// Adds what a call cost to this run and those that it is in.
    pub(crate) fn add_spent(&self, cost: Usd) {
        if cost == Usd::ZERO {
            return;
        }
        let mut progress = self.lock();
        progress.spent = progress.spent.saturating_add(cost);
        drop(progress);
        if let Some(outer) = &self.outer {
            outer.inner.add_spent(cost);
        }
    }

    fn finish(&self) {
        if !self.home.is_of_this_process() {
            return;
        }
        let mut progress = self.lock();
        let again = std::mem::replace(&mut progress.closing, true);
        self.end_if_due(progress);
        if again {
            return;
        }
        if self.home.archive.is_some()
            && let Err(error) = self.home.checkpoint.trace().flush()
        {
            tracing::error!(run = %self.id, %error, "the end of a run is not on the disk yet");
        }
        if self.own_sandbox {
            // A sandbox with something in it stays.
            let _not_empty = std::fs::remove_dir(&self.sandbox);
        }
    }

    /// Writes the last line when nothing more can come.
    fn end_if_due(&self, mut progress: MutexGuard<'_, Progress>) {
        #[derive(Serialize)]
        struct Finished {
            reason: &'static str,
            cost_usd: Usd,
        }
        if !progress.closing || progress.open > 0 || progress.finished {
            return;
        }
        progress.finished = true;
        let finished = Finished { reason: "finished", cost_usd: progress.spent };
        drop(progress);
        self.people.write_down_decisions();
        self.home.checkpoint.trace().finish_run(self.id, &finished);
        let scope = Scope::Run(self.id);
        for window in [Window::Total, Window::Minute] {
            self.home.checkpoint.ledger().remove_limit(&scope, window);
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.finish();
    }
}

/// A call that is under way, counted among those of its run until dropped.
#[derive(Debug)]
pub(crate) struct OpenCall {
    pub(crate) run: Run,
    /// What it cost. Until somebody says so, what was declared: a call that is dropped stays charged at that.
    pub(crate) cost: Usd,
}

impl Drop for OpenCall {
    fn drop(&mut self) {
        self.run.inner.add_spent(self.cost);
        self.run.inner.end_call();
    }
}

/// The folder of all state.
fn data_dir(options: &RunOptions) -> PathBuf {
    let named = || options.environment.get("SEAWALL_HOME").map(PathBuf::from);
    options.data_dir.clone().or_else(named).unwrap_or_else(|| PathBuf::from(".seawall"))
}

/// What is kept of contents. What a run spends the one around it pays, so both have to be written by the same.
fn content(options: &RunOptions, inside: Option<&Run>) -> Result<TraceContent, Error> {
    let Some(around) = inside.map(|outer| outer.inner.home.content) else {
        return Ok(options.content.unwrap_or_default());
    };
    match options.content {
        Some(content) if content != around => Err(Error::Config(
            "a run inside another keeps as much of contents as that; leave content out, or begin it outside"
                .to_owned(),
        )),
        _ => Ok(around),
    }
}

/// An identifier that somebody chose, if nobody used it before.
fn unused(text: &str, home: &Home) -> Result<RunId, Error> {
    let id: RunId = text.parse().map_err(|_not_one| {
        Error::Config(format!("run_id {text:?} is not a UUID; names of your own belong into tags"))
    })?;
    let Some(archive) = &home.archive else { return Ok(id) };
    let known = archive.heads.runs().map_err(Error::config)?.iter().any(|row| row.run == id);
    if known {
        return Err(Error::Config(format!("there is a run {id} already; leave run_id out, or take another")));
    }
    Ok(id)
}

fn source(options: &RunOptions) -> Result<Option<Arc<PolicySource>>, Error> {
    match &options.policy {
        PolicyChoice::Named(name) => Ok(Some(Arc::new(PolicySource::load(name, &options.environment)?))),
        PolicyChoice::Loaded(source) => Ok(Some(Arc::clone(source))),
        PolicyChoice::Off => Ok(None),
    }
}

/// Where a run is, and under what.
struct Place {
    policy: Policy,
    sandbox: PathBuf,
    /// The folder was made for this run.
    own: bool,
}

fn place(
    options: &RunOptions,
    source: Option<&PolicySource>,
    id: RunId,
    home: &Home,
) -> Result<Place, Error> {
    let asked = options.sandbox.as_deref().or_else(|| source.and_then(PolicySource::sandbox));
    let sandbox = asked.map(|folder| checked_sandbox(folder, options.allow_outside_root)).transpose()?;
    let own = home.data_dir.join("sandboxes").join(id.to_string());
    let mode = if options.strict { Mode::Strict } else { Mode::Warn };
    let policy = source
        .map_or_else(|| Policy::off(mode), |source| source.compile(options.strict, sandbox.as_deref(), &own));
    let root = policy.files().map(|files| files.root.clone());
    let folder = sandbox.or(root).unwrap_or_else(|| own.clone());
    home::make_private(&folder)?;
    let own = folder == own;
    let sandbox = folder
        .canonicalize()
        .map_err(|error| Error::Config(format!("the sandbox {} can't be used: {error}", folder.display())))?;
    Ok(Place { policy, sandbox, own })
}

/// The folder that was asked for, where it really is. Nothing is made before it is clear that it may be.
fn checked_sandbox(folder: &Path, allow_outside: bool) -> Result<PathBuf, Error> {
    let working = working_folder();
    let absolute = working.join(folder);
    let root = working.canonicalize().map_err(Error::config)?;
    let real = where_it_would_be(&absolute)?;
    if allow_outside || real.starts_with(&root) {
        return Ok(real);
    }
    Err(Error::Config(format!(
        "the sandbox {} lies outside of the working folder {}; set allow_outside_root if that is meant",
        real.display(),
        root.display()
    )))
}

/// Where a folder is once it is made: its existing part with links followed, the rest as it is written.
fn where_it_would_be(folder: &Path) -> Result<PathBuf, Error> {
    if let Ok(real) = folder.canonicalize() {
        return Ok(real);
    }
    match (folder.parent(), folder.file_name()) {
        (Some(parent), Some(name)) => Ok(where_it_would_be(parent)?.join(name)),
        // It ends with `..` below something that isn't there.
        _ => Err(Error::Config(format!("the sandbox {} can't be followed", folder.display()))),
    }
}

/// The limits of the options and of the policy; the least of both.
fn limits(options: &RunOptions, policy: &Policy, id: RunId) -> Vec<Limit> {
    let usd = options.max_cost_usd.into_iter().chain(policy.limits.usd).min();
    let tokens = options.max_tokens.into_iter().chain(policy.limits.tokens).min();
    let per_minute = options.max_usd_per_minute.into_iter().chain(policy.limits.usd_per_minute).min();
    let limit = |window, usd, tokens| Limit {
        scope: Scope::Run(id),
        window,
        usd,
        tokens,
        on_store_down: OnStoreDown::Closed,
    };
    let total = (usd.is_some() || tokens.is_some()).then(|| limit(Window::Total, usd, tokens));
    let minute = per_minute.map(|usd| limit(Window::Minute, Some(usd), None));
    total.into_iter().chain(minute).collect()
}

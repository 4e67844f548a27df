//! What belongs to an agent while it is held, beside its state: its template, its tools, its place and its policy.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use seawall_base::id;
use seawall_checkpoint::tool::RunState;
use seawall_engine::{Agent, AgentId, Binding, CallId, Command, Todo, ToolSpec};
use seawall_policy::Policy;
use seawall_store::agents::{Kept, Owner};
use seawall_tools::{Place, Registry};
use seawall_types::{Actor, RunId, Scope};
use serde_json::json;
use tokio::sync::{OnceCell, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::equipment::{Equipment, Of};
use crate::holder::{Begun, Job};
use crate::hooks::{self, Hook, Moment};
use crate::member::Member;
use crate::shared::Shared;
use crate::toolbox::Toolbox;
use crate::{Template, place};

/// How long an agent that is let go of waits for a disk that hangs.
const FINISHING: Duration = Duration::from_secs(5);

/// What belongs to an agent while it is held.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) shared: Arc<Shared>,
    pub(crate) member: Arc<Member>,
    pub(crate) agent: AgentId,
    /// The run that names its calls for tools, for life.
    pub(crate) run: RunId,
    /// The run of the trace, while there is one.
    traced: Mutex<Option<RunId>>,
    pub(crate) epoch: u64,
    pub(crate) owner: Owner,
    pub(crate) actor: Arc<Actor>,
    /// Whose budgets pay.
    pub(crate) scopes: Vec<Scope>,
    /// What its template is today, with what was changed for it; why there is none.
    pub(crate) template: Result<Template, String>,
    pub(crate) equipment: Equipment,
    /// Its tools, those that come back among them.
    pub(crate) toolbox: Toolbox,
    system_prompt: OnceLock<String>,
    /// Where its files and processes are, once it was opened; why nowhere.
    place: OnceCell<Result<Arc<Place>, String>>,
    /// Whether it was opened in an earlier time.
    was_used: OnceCell<bool>,
    /// The policy for its calls, with the number of the configuration that it is of.
    policy: Mutex<Option<(u64, JudgedBy)>>,
    /// How calls were judged that have not begun.
    judged: Mutex<HashMap<CallId, JudgedBefore>>,
    /// What the agent still wants to do.
    todos: Mutex<Arc<[Todo]>>,
    /// How many messages there were when hooks were last told.
    messages: AtomicU64,
    /// What its earlier calls mean for its later ones.
    pub(crate) state: Arc<RunState>,
    /// Cancelled when the agent is held no more.
    pub(crate) ending: CancellationToken,
    /// What is brought to its end before the agent is let go of.
    finishing: TaskTracker,
    holder: mpsc::Sender<Job>,
    tools_before: Arc<BTreeMap<Arc<str>, ToolSpec>>,
}

/// How a call was judged before it begins.
#[derive(Debug)]
pub(crate) struct JudgedBefore {
    /// The version of the policy.
    pub(crate) version: Arc<str>,
    /// What was judged, where no name has to be looked up for it.
    pub(crate) nowhere: Option<Binding>,
}

impl Session {
    pub(crate) async fn open(
        shared: &Arc<Shared>,
        member: &Arc<Member>,
        kept: &Kept,
        epoch: u64,
        holder: mpsc::Sender<Job>,
    ) -> Arc<Self> {
        let agent = kept.agent();
        let (template, mut equipment) = template(shared, agent).await;
        let tools = std::mem::take(&mut equipment.tools);
        let toolbox = Toolbox::new(tools, std::mem::take(&mut equipment.away));
        let owner = kept.owner().clone();
        let actor = Arc::new(Actor {
            key: owner.key.clone(),
            tenant: owner.tenant.clone(),
            agent: Some(agent.id().as_str().into()),
        });
        let mut scopes = vec![Scope::Run(agent.run()), Scope::Global];
        scopes.extend(owner.key.clone().map(Scope::Key));
        scopes.extend(owner.tenant.clone().map(Scope::Tenant));
        Arc::new(Self {
            shared: Arc::clone(shared),
            member: Arc::clone(member),
            agent: agent.id().clone(),
            run: agent.run(),
            traced: Mutex::default(),
            epoch,
            owner,
            actor,
            scopes,
            template,
            equipment,
            toolbox,
            system_prompt: OnceLock::new(),
            place: OnceCell::new(),
            // Who has not made a step has seen no file.
            was_used: OnceCell::new_with((agent.steps() == 0).then_some(false)),
            policy: Mutex::default(),
            judged: Mutex::default(),
            todos: Mutex::new(agent.todos().into()),
            messages: AtomicU64::new(agent.message_count()),
            state: Arc::default(),
            ending: CancellationToken::new(),
            finishing: TaskTracker::new(),
            holder,
            tools_before: Arc::clone(&agent.config().tools),
        })
    }

    /// The tools that the agent has now, where they are others than before. An agent without its template keeps those that
    /// it had: calls of them fail in words.
    pub(crate) fn tools_now(&self) -> Option<Arc<BTreeMap<Arc<str>, ToolSpec>>> {
        self.template.as_ref().ok()?;
        Some(self.equipment.specs(&self.tools())).filter(|now| *now != self.tools_before)
    }

    /// Where its files and processes are. Opened when it is first asked for, or before ([`Self::prepare_place`]): many agents
    /// never touch a file.
    pub(crate) async fn place(&self) -> Result<Arc<Place>, String> {
        let opening = self.place.get_or_init(|| async {
            match &self.template {
                Ok(template) => {
                    place::open(&self.shared, (&self.agent, self.run), &self.owner, &template.sandbox).await
                }
                Err(why) => Err(why.clone()),
            }
        });
        opening.await.clone()
    }

    /// Opens the place beside whatever else goes on, if the agent has tools: its calls are judged for the folder that they are
    /// made in, and what is judged at once is written together with the answer that makes them.
    pub(crate) fn prepare_place(self: &Arc<Self>) {
        if self.has_place() || self.tools().descriptions().len() == 0 {
            return;
        }
        let session = Arc::clone(self);
        let opening = async move {
            tokio::select! {
                // Why there is none is told to the first call.
                _place = session.place() => {}
                () = session.ending.cancelled() => {}
            }
        };
        drop(self.shared.tasks.spawn("place of an agent", self.finishing.track_future(opening)));
    }

    /// Whether it was opened already.
    pub(crate) fn has_place(&self) -> bool {
        self.place.initialized()
    }

    /// The same, if the agent may have seen files in it.
    pub(crate) async fn place_with_files(&self) -> Option<Arc<Place>> {
        let may_have = self.has_place()
            || *self.was_used.get_or_init(|| place::was_used(&self.shared, &self.agent, self.run)).await;
        if !may_have {
            return None;
        }
        self.place().await.ok().filter(|place| place.knows_files())
    }

    /// The run that its actions are written down for. A trace is one process's, and an open run has files open: so there is
    /// one from the first action on until the agent has rested for a while.
    pub(crate) fn traced(&self) -> RunId {
        *self.trace().get_or_insert_with(|| {
            let run = id::new_run(&*self.shared.clock);
            let of = json!({"agent": self.agent, "agent_run": self.run, "epoch": self.epoch});
            let _file = self.shared.checkpoint.trace().start_run(run, "agent", &of);
            run
        })
    }

    /// The run of the trace is over; the next action begins another one.
    pub(crate) fn end_trace(&self) {
        if let Some(run) = self.trace().take() {
            self.shared.checkpoint.trace().finish_run(run, &json!({"agent": self.agent}));
        }
    }

    fn trace(&self) -> MutexGuard<'_, Option<RunId>> {
        self.traced.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The policy for its calls, as it is now, for the folder that it works in.
    pub(crate) async fn policy(&self) -> Result<JudgedBy, String> {
        let place = self.place().await?;
        let generation = self.shared.policies.generation();
        let mut known = self.policy.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, judge)) = known.as_ref().filter(|(of, _)| *of == generation) {
            return Ok(judge.clone());
        }
        let judge = JudgedBy::new(self.shared.policies.policy_for(&self.owner, place.root()));
        *known = Some((generation, judge.clone()));
        Ok(judge)
    }

    /// The system prompt. Put together once: it is the same for as long as the agent is held.
    pub(crate) fn system_prompt(&self, template: &Template) -> &str {
        self.system_prompt.get_or_init(|| self.equipment.system_prompt(template, &self.tools()))
    }

    /// Its tools, as they are now.
    pub(crate) fn tools(&self) -> Arc<Registry> {
        self.toolbox.tools()
    }

    /// The hooks that are asked at a moment, in their order.
    pub(crate) fn hooks<'s>(
        &'s self,
        moment: Moment,
        tool: Option<&'s str>,
    ) -> impl Iterator<Item = &'s Arc<dyn Hook>> {
        self.equipment.hooks.iter().filter(move |hook| hook.wants(moment, tool))
    }

    /// Whether there are any.
    pub(crate) fn has_hooks(&self, moment: Moment) -> bool {
        self.hooks(moment, None).next().is_some()
    }

    /// Tells the holder what an effect has come to. It waits as long as the holder has much to do.
    pub(crate) async fn report(&self, command: impl Into<Command> + Send) {
        let _gone = self.holder.send(Job::Command(Box::new(command.into()), None)).await;
    }

    /// Tells the holder that an effect is not performed any more.
    pub(crate) async fn ended(&self, begun: Begun) {
        let _gone = self.holder.send(Job::Ended(Box::new(begun))).await;
    }

    /// Asks the holder for something, and waits for the answer. Words where it refuses.
    pub(crate) async fn ask(&self, command: impl Into<Command> + Send) -> Result<(), String> {
        let (reply, answer) = tokio::sync::oneshot::channel();
        let asked = self.holder.send(Job::Command(Box::new(command.into()), Some(reply))).await;
        match (asked, answer.await) {
            (Ok(()), Ok(Ok(_))) => Ok(()),
            (Ok(()), Ok(Err(crate::holder::NotDone::Refused(error)))) => Err(error.to_string()),
            _ => Err("the agent is held elsewhere by now".to_owned()),
        }
    }

    /// Asks the holder for something, and does what has to follow if it was done: also where whoever asks is stopped in
    /// between. The agent is not let go of before that. Waits for it; words where the holder refuses go into the log only.
    pub(crate) async fn ask_and_then(
        self: &Arc<Self>,
        command: impl Into<Command> + Send + 'static,
        then: impl Future<Output = ()> + Send + 'static,
    ) {
        let session = Arc::clone(self);
        let asking = async move {
            let asked = tokio::select! {
                // First: an answer that is there counts.
                biased;
                asked = session.ask(command) => asked,
                () = session.ending.cancelled() => return,
            };
            match asked {
                Ok(()) => then.await,
                Err(why) => tracing::debug!(agent = %session.agent, why, "not now"),
            }
        };
        let asking = self.finishing.track_future(asking);
        let _panicked = self.shared.tasks.spawn("what an agent asks for", asking).await;
    }

    /// Remembers how a call was judged.
    pub(crate) fn note_judged(&self, call: CallId, judged: JudgedBefore) {
        self.judged.lock().unwrap_or_else(PoisonError::into_inner).insert(call, judged);
    }

    /// How a call was judged by this process, if it was under this version of the policy. Asked once.
    pub(crate) fn was_judged(&self, call: CallId, version: &str) -> Option<JudgedBefore> {
        let judged = self.judged.lock().unwrap_or_else(PoisonError::into_inner).remove(&call);
        judged.filter(|judged| *judged.version == *version)
    }

    /// What the agent still wants to do.
    pub(crate) fn todos(&self) -> Arc<[Todo]> {
        Arc::clone(&self.todos.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The agent wants to do something else by now, has said more, and some of its calls are over.
    pub(crate) fn follow(self: &Arc<Self>, agent: &Agent) {
        self.tell_hooks(agent);
        let is_open = |call: &CallId| agent.call(*call).is_some_and(|call| !call.state.is_settled());
        self.judged.lock().unwrap_or_else(PoisonError::into_inner).retain(|call, _| is_open(call));
        let mut known = self.todos.lock().unwrap_or_else(PoisonError::into_inner);
        if **known != *agent.todos() {
            *known = agent.todos().into();
        }
    }

    /// Tells hooks of messages that are new. Nothing waits for them.
    fn tell_hooks(self: &Arc<Self>, agent: &Agent) {
        let count = agent.message_count();
        let before = self.messages.swap(count, Ordering::Relaxed);
        if count <= before || !self.has_hooks(Moment::MessagesChanged) {
            return;
        }
        let new = usize::try_from(count - before).unwrap_or(usize::MAX);
        let mut messages: Vec<_> = agent.history().newest_first().take(new).cloned().collect();
        messages.reverse();
        let session = Arc::clone(self);
        let telling = async move { hooks::has_changed(&session, count, &messages).await };
        drop(self.shared.tasks.spawn("hook of an agent", telling));
    }

    /// Ends what the agent has started.
    pub(crate) async fn close(&self) {
        self.ending.cancel();
        self.shared.shown.forget(self.run);
        self.end_trace();
        if let Some(Ok(place)) = self.place.get() {
            place.end_processes().await;
        }
        self.finishing.close();
        if tokio::time::timeout(FINISHING, self.finishing.wait()).await.is_err() {
            tracing::warn!(agent = %self.agent, "the disk does not keep what the agent was told; it may be told again");
        }
    }
}

/// A policy, with a name for exactly what it says: what people have approved holds under no other.
#[derive(Debug, Clone)]
pub(crate) struct JudgedBy {
    pub(crate) policy: Arc<Policy>,
    pub(crate) version: Arc<str>,
}

impl JudgedBy {
    fn new(policy: Arc<Policy>) -> Self {
        let hash = blake3::hash(format!("{policy:?}").as_bytes());
        let version = format!("{}@{}", policy.name, hash.to_hex().get(..16).unwrap_or_default()).into();
        Self { policy, version }
    }
}

/// What the agent's template is now, and what it has by it.
async fn template(shared: &Arc<Shared>, agent: &Agent) -> (Result<Template, String>, Equipment) {
    let config = agent.config();
    let found = shared.templates.get(&config.template);
    let found = found.and_then(|template| template.with(config.overrides.as_deref()));
    let equipped = match &found {
        Ok(template) => Equipment::of(shared, template, Of::Known(&config.tools)).await,
        Err(error) => Err(error.clone()),
    };
    match (found, equipped) {
        (Ok(template), Ok(equipment)) => (Ok(template), equipment),
        (_, Err(error)) | (Err(error), _) => (Err(error.to_string()), Equipment::default()),
    }
}

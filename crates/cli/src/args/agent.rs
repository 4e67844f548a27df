//! `seawall agent`.

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub(crate) enum AgentCommand {
    /// Talk to an agent in the terminal; it goes on where it was, whatever ended the last time
    Chat(ChatArgs),
    /// The agents that there are
    List {
        #[command(flatten)]
        place: PlaceArgs,
        /// Of this template
        #[arg(long, value_name = "ID")]
        template: Option<String>,
        /// Also those that were put away
        #[arg(long)]
        archived: bool,
    },
    /// One agent, with what was said
    Show {
        /// The agent
        id: String,
        #[command(flatten)]
        place: PlaceArgs,
    },
    /// Stop what an agent does
    Interrupt {
        /// The agent
        id: String,
        #[command(flatten)]
        place: PlaceArgs,
        /// Why
        #[arg(long)]
        note: Option<String>,
    },
    /// Go on with a turn that failed or was stopped; whoever runs the agent does it
    Resume {
        /// The agent
        id: String,
        #[command(flatten)]
        place: PlaceArgs,
        /// Why
        #[arg(long)]
        note: Option<String>,
    },
    /// Mend an agent by hand; who did it, when and why is in its log
    Repair(RepairArgs),
    /// Decide on a call that an agent waits for
    Approve {
        /// The agent
        id: String,
        #[command(flatten)]
        place: PlaceArgs,
        /// The call, as `agent show` names it
        call: String,
        /// Refuse it
        #[arg(long)]
        deny: bool,
        /// What the agent is told
        #[arg(long)]
        note: Option<String>,
        /// What it holds for: once; arguments, every call with these; run, every call of the tool
        #[arg(long = "for", value_name = "once|run|arguments", default_value = "once")]
        scope: String,
    },
    /// Make another agent that goes on from where this one was (at the running server)
    Fork {
        /// The agent
        id: String,
        /// After this number of its log
        #[arg(long)]
        seq: Option<u64>,
        /// At this snapshot
        #[arg(long, conflicts_with = "seq")]
        snapshot: Option<String>,
    },
}

/// Where agents are looked for.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct PlaceArgs {
    /// In this store: sqlite:PATH, json:FOLDER, postgres://… [default: at the server that works on the data directory; where
    /// none runs, in the store of the configuration]
    #[arg(long, value_name = "URL")]
    pub(crate) store: Option<String>,
}

/// Flags of `doctor`.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct DoctorArgs {
    /// Measure how many agents this machine carries, for some seconds
    #[arg(long)]
    pub(crate) capacity: bool,
    /// On a store of this kind: sqlite:PATH, json:FOLDER (measured beside it), or a PostgreSQL database without agents
    /// [default: that of the configuration]
    #[arg(long, value_name = "URL", requires = "capacity")]
    pub(crate) store: Option<String>,
}

/// Flags of `agent repair`.
#[derive(Debug, Clone, Args)]
#[command(group = clap::ArgGroup::new("mend").required(true))]
pub(crate) struct RepairArgs {
    /// The agent
    pub(crate) id: String,
    #[command(flatten)]
    pub(crate) place: PlaceArgs,
    /// Give up what the step at hand waits for, tools, people or a summary, and go on with the next
    #[arg(long, group = "mend")]
    pub(crate) skip_step: bool,
    /// Give this call its result (--result), in the place of its tool
    #[arg(long, value_name = "CALL", group = "mend", requires = "result")]
    pub(crate) answer: Option<String>,
    /// This call in doubt took effect, with --result if it is known
    #[arg(long, value_name = "CALL", group = "mend")]
    pub(crate) done: Option<String>,
    /// This call in doubt did not take effect: it is judged anew and may run
    #[arg(long, value_name = "CALL", group = "mend", conflicts_with = "result")]
    pub(crate) not_done: Option<String>,
    /// Put this message in, as a user's
    #[arg(long, value_name = "TEXT", group = "mend")]
    pub(crate) message: Option<String>,
    /// Put this reminder in, which is read with the next step and begins none
    #[arg(long, value_name = "TEXT", group = "mend")]
    pub(crate) reminder: Option<String>,
    /// Tell clients an event of this name, with --data
    #[arg(long, value_name = "NAME", group = "mend")]
    pub(crate) event: Option<String>,
    /// JSON, or else a text
    #[arg(long, value_name = "JSON")]
    pub(crate) result: Option<String>,
    /// The result is a failure
    #[arg(long, requires = "answer")]
    pub(crate) failed: bool,
    /// What the event is about
    #[arg(long, value_name = "JSON", requires = "event")]
    pub(crate) data: Option<String>,
    /// Why
    #[arg(long)]
    pub(crate) note: String,
}

/// Flags of `agent chat`.
#[derive(Debug, Clone, Args)]
pub(crate) struct ChatArgs {
    /// The agent's name; it is made if there is none
    pub(crate) name: String,
    /// The template of a new agent
    #[arg(long, value_name = "ID")]
    pub(crate) template: Option<String>,
    /// Where model calls go; `sim:` is the simulated provider
    #[arg(long, value_name = "URL")]
    pub(crate) upstream: Option<String>,
}

/// Flags of what runs agents.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct AgentArgs {
    /// Where agents live: sqlite:PATH, json:FOLDER, postgres://… [default: sqlite in the data directory]
    #[arg(long, value_name = "URL")]
    pub(crate) store: Option<String>,
    /// The folder of templates [default: templates/ in the data directory, then in the working directory]
    #[arg(long, value_name = "DIR")]
    pub(crate) templates: Option<String>,
    /// Run no agents here: accept messages for workers elsewhere
    #[arg(long)]
    pub(crate) no_workers: bool,
    /// How many agents are held at the same time [default: 1000]
    #[arg(long, value_name = "N")]
    pub(crate) max_agents: Option<u64>,
    /// How long a worker that says nothing is taken for alive: 10s [default: 30s]
    #[arg(long, value_name = "TIME")]
    pub(crate) lease: Option<String>,
}

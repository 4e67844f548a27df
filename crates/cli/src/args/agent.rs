//! `seawall agent`.

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub(crate) enum AgentCommand {
    /// Talk to an agent in the terminal; it goes on where it was, whatever ended the last time
    Chat(ChatArgs),
    /// The agents of the data directory
    List {
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
    },
    /// Stop what an agent does (at the running server)
    Interrupt {
        /// The agent
        id: String,
        /// Why
        #[arg(long)]
        note: Option<String>,
    },
    /// Decide on a call that an agent waits for (at the running server)
    Approve {
        /// The agent
        id: String,
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

//! The command line: what can be typed.

mod agent;
mod store;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use seawall_store::ApprovalScope;
use seawall_trace::sign::{KeyError, PublicKey};

use crate::otlp::Endpoint;

pub(crate) use agent::{AgentArgs, AgentCommand, ChatArgs, DoctorArgs, PlaceArgs, RepairArgs};
pub(crate) use store::StoreCommand;

/// Takes AI agents to production: one checkpoint for every model call and tool call.
#[derive(Debug, Parser)]
#[command(name = "seawall", version, about, max_term_width = 100, propagate_version = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes.
#[derive(Debug, Clone, Args)]
pub(crate) struct Global {
    /// A configuration file (TOML, YAML, JSON), or a folder with defaults.* and {env}.*; later ones win
    #[arg(long, global = true, value_name = "PATH")]
    pub(crate) config: Vec<PathBuf>,
    /// The folder of all state [default: $SEAWALL_HOME, else ./.seawall]
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Print one JSON document on stdout
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Say only what was asked for
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
    /// Log more; twice: everything
    #[arg(long, short, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    /// How log lines look [default: text on a terminal, else json]
    #[arg(long, global = true, value_enum)]
    pub(crate) log_format: Option<LogFormat>,
    /// Log into this file instead of to stderr
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) log_file: Option<PathBuf>,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Everything in one process, on an embedded default
    Up(ServeArgs),
    /// The gateway: point an SDK's base URL here
    Proxy(ServeArgs),
    /// The HTTP API of agents, with workers in the same process or, with --no-workers, without
    Serve(ServeArgs),
    /// Workers alone: they run the agents of a store that several processes share
    Worker(ServeArgs),
    /// The simulated provider on its own port; record and replay of cassettes
    Sim(SimArgs),
    /// Read, verify and keep traces
    #[command(subcommand)]
    Trace(TraceCommand),
    /// The runs that were traced (short for `trace list`)
    List(ListArgs),
    /// A report of one run (short for `trace report`)
    Report(ReportArgs),
    /// What budgets allow, and limits set by hand
    #[command(subcommand)]
    Budget(BudgetCommand),
    /// API keys of this server's callers
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Durable agents
    #[command(subcommand)]
    Agent(AgentCommand),
    /// Where agents are kept: from one store to another, and whether all of it fits together
    #[command(subcommand)]
    Store(StoreCommand),
    /// Calls of tools that wait for a person
    #[command(subcommand)]
    Approvals(ApprovalsCommand),
    /// The configuration: effective values, check, schema
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Policies: presets, check of a file, what one says about an action
    #[command(subcommand)]
    Policy(PolicyCommand),
    /// Run a command that the kernel confines: files, network, processes, memory, time
    Exec(ExecArgs),
    /// Check this machine and configuration, or measure what it carries
    Doctor(DoctorArgs),
    /// Shell completions
    Completions {
        /// The shell
        shell: Shell,
    },
}

/// Flags of `up`, `proxy`, `serve` and `worker`.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct ServeArgs {
    /// Address and port; port 0 takes a free one [default: 127.0.0.1:8000]
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) listen: Option<String>,
    /// Where model calls go, with or without /v1; `sim:` is the simulated provider
    #[arg(long, value_name = "URL")]
    pub(crate) upstream: Option<String>,
    /// Whether findings refuse (strict) or are recorded (warn)
    #[arg(long, value_name = "warn|strict")]
    pub(crate) mode: Option<String>,
    /// The most that may be spent in total, in dollars; kept over restarts
    #[arg(long, value_name = "USD", allow_negative_numbers = true)]
    pub(crate) budget: Option<String>,
    /// A policy: a preset's name or a file
    #[arg(long, value_name = "FILE|PRESET")]
    pub(crate) policy: Option<String>,
    /// Listen beyond loopback without authentication
    #[arg(long)]
    pub(crate) insecure: bool,
    /// Write the process id here
    #[arg(long, value_name = "FILE")]
    pub(crate) pid_file: Option<PathBuf>,
    /// Worker threads [default: one for each processor]
    #[arg(long, value_name = "N")]
    pub(crate) workers: Option<usize>,
    #[command(flatten)]
    pub(crate) agents: AgentArgs,
}

/// Flags of `sim`.
#[derive(Debug, Clone, Args)]
pub(crate) struct SimArgs {
    /// Address and port; port 0 takes a free one
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8001")]
    pub(crate) listen: String,
    /// A list of turns that answer prompts without directives (YAML or JSON)
    #[arg(long, value_name = "FILE")]
    pub(crate) script: Option<PathBuf>,
    /// Milliseconds before each answer
    #[arg(long, value_name = "MS", default_value_t = 0)]
    pub(crate) latency: u64,
    /// How fast tokens come
    #[arg(long, value_name = "N")]
    pub(crate) tokens_per_second: Option<u32>,
    /// Record a real upstream's traffic to cassettes in --cassettes
    #[arg(long, value_name = "URL", requires = "cassettes", conflicts_with = "replay")]
    pub(crate) record: Option<String>,
    /// Answer from the cassettes in --cassettes
    #[arg(long, requires = "cassettes")]
    pub(crate) replay: bool,
    /// The folder of cassettes
    #[arg(long, value_name = "DIR")]
    pub(crate) cassettes: Option<PathBuf>,
}

/// Flags of `exec`.
#[derive(Debug, Clone, Args)]
pub(crate) struct ExecArgs {
    /// What it may touch, as far as the kernel can hold it: a preset's name or a policy file
    #[arg(long, value_name = "FILE|PRESET", default_value = "safe")]
    pub(crate) policy: String,
    /// The command's working directory and HOME, made if it is missing [default: the policy's root, else the working
    /// directory]
    #[arg(long, value_name = "DIR")]
    pub(crate) sandbox: Option<PathBuf>,
    /// How long it may run: 500ms, 60s, 5m; 0s: without end [default: 60s; with off: without end]
    #[arg(long, value_name = "TIME")]
    pub(crate) timeout: Option<String>,
    /// How much memory it may take: 512M, 4G [default: 1G; with off: any]
    #[arg(long, value_name = "SIZE")]
    pub(crate) memory: Option<String>,
    /// How many processes and threads it may have [default: 64; with off: any]
    #[arg(long, value_name = "N")]
    pub(crate) pids: Option<u64>,
    /// A variable of its environment; may be given more than once
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) env: Vec<OsString>,
    /// Let it use the network
    #[arg(long)]
    pub(crate) network: bool,
    /// The command and its arguments, after `--`
    #[arg(last = true, required = true, value_name = "COMMAND")]
    pub(crate) command: Vec<OsString>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    /// The presets
    List,
    /// The text of a preset or of a policy file
    Show {
        /// A preset's name or a file
        policy: String,
    },
    /// Whether a policy file is good, with everything that it begins with
    Check {
        /// A policy file, or a preset's name
        policy: String,
    },
    /// What a policy says about one action, and which rules say it; nothing is performed
    Explain(ExplainArgs),
    /// What another policy would have changed in recorded runs; nothing is performed
    Replay(PolicyReplayArgs),
    /// The JSON Schema of policy files
    Schema,
}

/// Flags of `trace profile`.
#[derive(Debug, Clone, Args)]
pub(crate) struct ProfileArgs {
    /// Runs (an id, the beginning of one, or `last`) or trace files; several add up
    #[arg(value_name = "RUN|FILE", default_value = "last")]
    pub(crate) runs: Vec<String>,
    /// Write it to this file instead of printing it
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// The folder that paths are under [default: the sandbox that a run was recorded with, else the working folder]
    #[arg(long, value_name = "DIR")]
    pub(crate) root: Option<PathBuf>,
}

/// Flags of `policy replay`.
#[derive(Debug, Clone, Args)]
pub(crate) struct PolicyReplayArgs {
    /// Runs (an id, the beginning of one, or `last`) or trace files
    #[arg(long, value_name = "RUN|FILE", num_args = 1.., default_value = "last")]
    pub(crate) trace: Vec<String>,
    /// A preset's name or a policy file [default: the configured policy, else safe]
    #[arg(long, value_name = "FILE|PRESET")]
    pub(crate) policy: Option<String>,
    /// The folder that paths are under, in the place of the policy's root
    #[arg(long, value_name = "DIR")]
    pub(crate) sandbox: Option<PathBuf>,
}

/// Flags of `policy explain`.
#[derive(Debug, Clone, Args)]
#[command(group(clap::ArgGroup::new("action").required(true).multiple(true).args(["tool", "url", "path", "command"])))]
pub(crate) struct ExplainArgs {
    /// A call of this tool
    #[arg(long, value_name = "NAME")]
    pub(crate) tool: Option<String>,
    /// The arguments of the tool
    #[arg(long, value_name = "JSON", requires = "tool")]
    pub(crate) args: Option<String>,
    /// A request to this URL
    #[arg(long)]
    pub(crate) url: Option<String>,
    /// Touching this file
    #[arg(long)]
    pub(crate) path: Option<String>,
    /// Running this command line
    #[arg(long)]
    pub(crate) command: Option<String>,
    /// What is done with --path
    #[arg(long, value_enum, default_value = "read", requires = "path")]
    pub(crate) effect: FileEffect,
    /// A preset's name or a policy file [default: the configured policy, else safe]
    #[arg(long, value_name = "FILE|PRESET")]
    pub(crate) policy: Option<String>,
    /// The folder that paths are under, in the place of the policy's root
    #[arg(long, value_name = "DIR")]
    pub(crate) sandbox: Option<PathBuf>,
}

/// What is done with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FileEffect {
    /// It is read.
    Read,
    /// It is written or made.
    Write,
    /// It is removed.
    Delete,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TraceCommand {
    /// The runs that were traced
    List(ListArgs),
    /// The events of one run: in short at a terminal, else (and with --json) as they are on disk
    Show {
        /// The run: its id, the beginning of one, or `last`
        #[arg(default_value = "last")]
        run: String,
    },
    /// The events of one run as they come
    Tail {
        /// The run: its id, the beginning of one, or `last`
        #[arg(default_value = "last")]
        run: String,
        /// Begin with this many of the last events
        #[arg(long, short = 'n', default_value_t = 10)]
        lines: usize,
        /// Stop at the end instead of waiting for more
        #[arg(long)]
        no_follow: bool,
    },
    /// Check the hash chain: of one run, of one file, or of all
    Verify {
        /// The run or the file
        target: Option<String>,
        /// Also check that the heads are signed with this key: a file, a PEM, base64 or hexadecimal
        #[arg(long, value_name = "KEY|FILE", value_parser = public_key)]
        public_key: Option<PublicKey>,
    },
    /// Step through a recorded run, or name the first divergence of another from it
    Replay {
        /// The run (its id, the beginning of one, or `last`) or a trace file
        #[arg(default_value = "last")]
        run: String,
        /// The other run or trace file; exit code 1 when it takes another course
        #[arg(long, value_name = "RUN|FILE")]
        against: Option<String>,
        /// One step for each line that is typed
        #[arg(long, conflicts_with = "against")]
        step: bool,
    },
    /// What runs did, as a baseline for `drift` in a policy: tools and their rates, hosts, folders
    Profile(ProfileArgs),
    /// The key that signs the heads of traces (`trace.sign_key`)
    #[command(subcommand)]
    Key(TraceKeyCommand),
    /// A report of one run
    Report(ReportArgs),
    /// Actions or events of runs as a table (CSV, Parquet), as spans (OTLP), or as they are on disk
    Export(ExportArgs),
    /// Remove old traces
    Gc {
        /// Runs that ended longer ago than this: 30d, 12h
        #[arg(long, value_name = "AGE")]
        older_than: Option<String>,
        /// Oldest first, until all together have at most this size: 10G
        #[arg(long, value_name = "SIZE")]
        max_size: Option<String>,
        /// Compress what is finished
        #[arg(long)]
        compress: bool,
        /// Only say what would be done
        #[arg(long)]
        dry_run: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum TraceKeyCommand {
    /// Make a key in a new file and print its public half
    New {
        /// The file
        file: PathBuf,
    },
    /// Print the public half of a key
    Public {
        /// The file of the key
        file: PathBuf,
    },
}

/// A public key, or the file that it is in.
fn public_key(text: &str) -> Result<PublicKey, String> {
    let file = std::fs::read_to_string(text);
    file.as_deref().unwrap_or(text).parse().map_err(|error: KeyError| error.to_string())
}

/// Flags of `list`.
#[derive(Debug, Clone, Args)]
pub(crate) struct ListArgs {
    /// At most this many, the newest
    #[arg(long, default_value_t = 50)]
    pub(crate) limit: usize,
}

/// Flags of `report`.
#[derive(Debug, Clone, Args)]
pub(crate) struct ReportArgs {
    /// The run (its id, the beginning of one, or `last`) or a trace file
    #[arg(default_value = "last")]
    pub(crate) run: String,
    /// The format
    #[arg(long, value_enum, default_value_t = ReportFormat::Html)]
    pub(crate) format: ReportFormat,
    /// Where to [default: stdout; for html `report-RUN.html`]
    #[arg(long, short, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

/// Formats of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReportFormat {
    /// One self-contained page.
    Html,
    /// Markdown.
    Md,
    /// JSON.
    Json,
}

/// Flags of `trace export`.
#[derive(Debug, Clone, Args)]
#[command(group(clap::ArgGroup::new("format").args(["csv", "parquet", "otlp", "jsonl"])))]
pub(crate) struct ExportArgs {
    /// The runs: their ids, the beginnings of some, `last`, or trace files
    #[arg(value_name = "RUN", default_value = "last")]
    pub(crate) runs: Vec<String>,
    /// A CSV table; this is the default
    #[arg(long)]
    pub(crate) csv: bool,
    /// A Parquet table with typed columns
    #[arg(long)]
    pub(crate) parquet: bool,
    /// Spans as OTLP in JSON, one request a line; with a URL, sent to that collector (write runs before it)
    #[arg(long, value_name = "URL", num_args = 0..=1, conflicts_with = "events")]
    pub(crate) otlp: Option<Option<Endpoint>>,
    /// The lines as they are, of all segments
    #[arg(long, conflicts_with = "events")]
    pub(crate) jsonl: bool,
    /// One row an event instead of one row an action
    #[arg(long)]
    pub(crate) events: bool,
    /// Where to; default: stdout
    #[arg(long, short, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum BudgetCommand {
    /// Limits, spent, held, and the last refusals
    Show,
    /// Set a limit
    Set {
        /// global, key:NAME, tenant:NAME or run:ID
        scope: String,
        /// Dollars
        #[arg(long, required_unless_present = "tokens")]
        usd: Option<String>,
        /// Tokens
        #[arg(long)]
        tokens: Option<u64>,
        /// total, minute, day or month
        #[arg(long, default_value = "total")]
        window: String,
    },
    /// Take a limit away that was set by hand
    Remove {
        /// global, key:NAME, tenant:NAME or run:ID
        scope: String,
        /// total, minute, day or month
        #[arg(long, default_value = "total")]
        window: String,
    },
    /// Set what was spent back to nothing
    Reset {
        /// global, key:NAME, tenant:NAME or run:ID
        scope: String,
        /// total, minute, day or month; default: all of them
        #[arg(long)]
        window: Option<String>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeysCommand {
    /// Make a key; it is shown once
    Create(NewKey),
    /// All keys, without the keys themselves
    List,
    /// Make another key under the same name
    Rotate {
        /// The name
        name: String,
        /// How long the old one stays good
        #[arg(long, default_value = "0s")]
        overlap: String,
    },
    /// End a key at once
    Revoke {
        /// The name
        name: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum ApprovalsCommand {
    /// What waits, or was decided
    List {
        /// pending, allowed, denied, expired, or all
        #[arg(long, default_value = "pending")]
        state: String,
    },
    /// Everything about one
    Show {
        /// Its identifier, or the beginning of it
        id: String,
    },
    /// Let the call happen
    Allow(DecideArgs),
    /// Refuse the call
    Deny(DecideArgs),
}

/// Flags of `approvals allow` and `approvals deny`.
#[derive(Debug, Clone, Args)]
pub(crate) struct DecideArgs {
    /// Its identifier, or the beginning of it
    pub(crate) id: String,
    /// What the caller is told
    #[arg(long, value_name = "TEXT")]
    pub(crate) note: Option<String>,
    /// What it holds for: once; arguments, every call with these; run, every call of the tool in the run [default: once]
    #[arg(long = "for", value_name = "once|run|arguments")]
    pub(crate) scope: Option<ApprovalScope>,
}

/// Flags of `keys create`.
#[derive(Debug, Clone, Args)]
pub(crate) struct NewKey {
    /// The name, for budgets, traces and metrics
    #[arg(long)]
    pub(crate) name: String,
    /// The tenant it belongs to
    #[arg(long)]
    pub(crate) tenant: Option<String>,
    /// The most it may spend: 10, 1/minute, 5/day, 100/month
    #[arg(long, value_name = "USD[/minute|day|month]")]
    pub(crate) budget: Option<String>,
    /// Requests a minute
    #[arg(long)]
    pub(crate) rpm: Option<u64>,
    /// Tokens a minute
    #[arg(long)]
    pub(crate) tpm: Option<u64>,
    /// Models it may call; one `*` stands for any text
    #[arg(long, value_delimiter = ',')]
    pub(crate) models: Vec<String>,
    /// The policy for what is done with it: a preset or a file
    #[arg(long, value_name = "PRESET|FILE")]
    pub(crate) policy: Option<String>,
    /// How long it is good: 30d
    #[arg(long)]
    pub(crate) expires: Option<String>,
    /// Addresses that may use it
    #[arg(long, value_name = "CIDR", value_delimiter = ',')]
    pub(crate) ip: Vec<String>,
    /// What it may do on our own API: viewer, operator or admin
    #[arg(long, value_delimiter = ',')]
    pub(crate) role: Vec<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Every key with its value and where that comes from, secrets hidden
    Show,
    /// Whether the configuration is good
    Check,
    /// The JSON Schema of a configuration file
    Schema,
    /// Another gateway's configuration as one of this program
    Import {
        /// Whose configuration it is
        from: ImportFormat,
        /// The file
        file: PathBuf,
        /// Where to, a new file [default: stdout]
        #[arg(long, short, value_name = "FILE")]
        out: Option<PathBuf>,
    },
}

/// Gateways whose configurations can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ImportFormat {
    /// The YAML of a LiteLLM proxy.
    Litellm,
}

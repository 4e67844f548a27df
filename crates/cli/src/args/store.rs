//! `seawall store`.

use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(crate) enum StoreCommand {
    /// Copy all agents to another store; nothing is overwritten, and doing it again brings over what was added since
    Copy {
        /// The store that they are in: sqlite:PATH, json:FOLDER or postgres://…
        from: String,
        /// The store that they are to be in too
        to: String,
        /// Copy also while workers run the agents of FROM: what they write meanwhile is copied the next time
        #[arg(long)]
        live: bool,
    },
    /// Fold every agent's log, compare all that is kept of it, and name what does not fit
    Check {
        /// The store [default: the configured one]
        store: Option<String>,
    },
}

//! The commands, each in its file.

mod agent;
mod approvals;
mod budget;
mod config;
mod doctor;
mod exec;
mod import;
mod keys;
mod policy;
mod report;
mod runs;
mod serve;
mod simulate;
mod store;
mod trace;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::CommandFactory;
use seawall_config::Environment;

use crate::args::{Cli, Command, Global};
use crate::exit::{Failure, Outcome};
use crate::{logging, output, settings};

/// What every command sees of the world.
pub(crate) struct World<'a> {
    pub(crate) global: &'a Global,
    pub(crate) environment: &'a Environment,
}

impl World<'_> {
    /// The folder of all state.
    pub(crate) fn data_dir(&self) -> PathBuf {
        settings::data_dir(self.global, self.environment)
    }
}

/// Runs the command.
pub(crate) fn run(cli: Cli, environment: &Environment) -> Outcome {
    let world = World { global: &cli.global, environment };
    match cli.command {
        Command::Up(args) | Command::Proxy(args) | Command::Serve(args) => return serve::run(&world, args),
        Command::Worker(args) => return serve::run(&world, serve::of_a_worker(args)),
        Command::Sim(args) => return simulate::run(&world, &args),
        Command::Completions { shell } => {
            // By way of memory: what makes it panics where nobody reads any more (`| head`).
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "seawall", &mut script);
            let printed = output::bytes(&script);
            return ended(printed.map(|()| ExitCode::SUCCESS).map_err(Failure::from));
        }
        _ => logging::quietly(&cli.global)?,
    }
    ended(answer(&world, cli.command))
}

/// How a command ends that had an answer to give.
fn ended(outcome: Outcome) -> Outcome {
    match (outcome, output::complete()) {
        (Err(Failure::Failed(error)), _) if output::was_ended(&error) => Ok(ExitCode::SUCCESS),
        // A key, say, is shown but once: who has not got it must hear of that.
        (Ok(ExitCode::SUCCESS), Err(refused)) => Err(refused.into()),
        (outcome, _) => outcome,
    }
}

/// Runs a command that does something and says what came of it.
fn answer(world: &World<'_>, command: Command) -> Outcome {
    match command {
        Command::Trace(command) => trace::run(world, command),
        Command::List(args) => runs::list(world, &args),
        Command::Report(args) => report::run(world, &args),
        Command::Budget(command) => budget::run(world, command),
        Command::Keys(command) => keys::run(world, command),
        Command::Agent(command) => agent::run(world, command),
        Command::Store(command) => store::run(world, command),
        Command::Approvals(command) => approvals::run(world, command),
        Command::Config(command) => config::run(world, &command),
        Command::Policy(command) => policy::run(world, command),
        Command::Exec(args) => exec::run(world, args),
        Command::Doctor(args) if args.capacity => doctor::capacity(world, args.store),
        Command::Doctor(_) => doctor::run(world),
        Command::Up(_)
        | Command::Proxy(_)
        | Command::Serve(_)
        | Command::Worker(_)
        | Command::Sim(_)
        | Command::Completions { .. } => Ok(ExitCode::SUCCESS),
    }
}

//! `flowc`: checks, shows, runs, compiles and deploys flows.

mod bundle;
mod commands;
mod describe;
mod help;
mod load;
mod modules;
mod operate;
mod output;
mod packing;
mod parameters;
mod place;
mod question;
mod run;
mod scene;
mod sources;
mod store;
mod surroundings;
mod tasks;
mod tree;
mod values;
mod words;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use flowc_local::settings::SettingError;

use commands::{
    artifacts, check, compile, delete, deploy, dump, explain, logs, package, resume,
    run as run_flow, show, status, stop, sync, test, trigger,
};

/// How a command ended (DESIGN §9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Everything is fine.
    Fine,
    /// The author's flow is wrong, or a run failed.
    FlowFailed,
    /// Usage, or the world.
    Trouble,
    /// What was compared differs.
    Differs,
    /// Stopped by the user.
    Interrupted,
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        Self::from(match outcome {
            Outcome::Fine => 0,
            Outcome::FlowFailed => 1,
            Outcome::Trouble => 2,
            Outcome::Differs => 3,
            Outcome::Interrupted => 130,
        })
    }
}

/// Compiles Metaflow-style flows for the orchestrators you already run.
#[derive(Parser)]
#[command(
    name = "flowc",
    version,
    max_term_width = 100,
    arg_required_else_help = true
)]
#[command(after_help = "\
Examples:
  flowc check flow.py                          find mistakes, run nothing
  flowc run flow.py --alpha 0.5                run it on this machine
  flowc compile flow.py --target all -o out    write the files for three orchestrators
  flowc deploy flow.py --target argo           bring it to one of them
  flowc explain FC0112                         what a diagnostic means")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Find mistakes in a flow without running it
    Check(check::Args),
    /// Show a flow's steps and how they hang together
    Show(show::Args),
    /// Run a flow on this machine
    Run(run_flow::Args),
    /// Go on from a run that failed or was stopped, on this machine
    Resume(resume::Args),
    /// Write the files that an orchestrator needs to run a flow
    Compile(compile::Args),
    /// List what a flow's code package holds, with sizes and digests
    Package(package::Args),
    /// Bring a flow to an orchestrator, or up to date there
    Deploy(deploy::Args),
    /// Start a run of a deployed flow
    Trigger(trigger::Args),
    /// Show how far a run on an orchestrator is, and what went wrong
    Status(status::Args),
    /// Show what the tasks of a run printed
    Logs(logs::Args),
    /// List the artifacts that the tasks of a run left
    Artifacts(artifacts::Args),
    /// Show the values of artifacts, or save them to a file
    Dump(dump::Args),
    /// Run one step by itself, on artifacts of a past run or of a file
    Test(test::Args),
    /// End a run on an orchestrator
    Stop(stop::Args),
    /// Make runs of an orchestrator visible to Metaflow's client
    Sync(sync::Args),
    /// Remove a deployed flow; its runs and artifacts stay
    Delete(delete::Args),
    /// Say what a diagnostic's code means and what to do about it
    Explain(explain::Args),
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return output::usage(&error),
    };
    let outcome = match cli.command {
        Command::Check(args) => check::run(&args),
        Command::Show(args) => show::run(&args),
        Command::Run(args) => run_flow::run(&args),
        Command::Resume(args) => resume::run(&args),
        Command::Compile(args) => compile::run(&args),
        Command::Package(args) => package::run(&args),
        Command::Deploy(args) => deploy::run(&args),
        Command::Trigger(args) => trigger::run(&args),
        Command::Status(args) => status::run(&args),
        Command::Logs(args) => logs::run(&args),
        Command::Artifacts(args) => artifacts::run(&args),
        Command::Dump(args) => dump::run(&args),
        Command::Test(args) => test::run(&args),
        Command::Stop(args) => stop::run(&args),
        Command::Sync(args) => sync::run(&args),
        Command::Delete(args) => delete::run(&args),
        Command::Explain(args) => explain::run(&args),
    };
    match outcome {
        Ok(outcome) => outcome.into(),
        Err(error) => {
            match error.downcast_ref::<SettingError>() {
                Some(setting) => output::finding(run::settings::refused(setting)),
                None => output::error(&error),
            }
            Outcome::Trouble.into()
        }
    }
}

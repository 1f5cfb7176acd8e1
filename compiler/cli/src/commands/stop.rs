//! `flowc stop`: ends a run on its orchestrator.

use anyhow::{Context, bail};
use flowc_target::deploy::{DeployError, FlowRef};
use flowc_task::history;

use crate::operate::{self, Asked, Where};
use crate::{Outcome, output, store};

/// Arguments of `flowc stop`.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  flowc stop TrainFlow/argo-trainflow-x7k2p --target argo
  flowc stop TrainFlow/sfn-5f2c --target step-functions --profile production
  flowc stop argo-trainflow-x7k2p --target argo           if only one flow has such a run")]
pub(crate) struct Args {
    /// The run, `Flow/run` or its id alone
    run: String,
    #[command(flatten)]
    place: Where,
}

/// Stops the run.
pub(crate) fn run(args: &Args) -> anyhow::Result<Outcome> {
    // Only the store knows which flow a run is of that is named by its id alone.
    let asked = if args.run.contains('/') {
        Asked::Nothing
    } else {
        Asked::Store
    };
    let needed = asked.placeholders(args.place.target);
    let Some(profile) = operate::profile_here(args.place.profile.as_deref(), &needed)? else {
        return Ok(Outcome::Trouble);
    };
    operate::block_on(async {
        let (flow, run) = if let Some((flow, run)) = args.run.split_once('/') {
            (flow.to_owned(), run.to_owned())
        } else {
            let store = store::open(&profile.store).await?;
            let found = history::find(&store, &args.run).await;
            let found = found.context("name the run as Flow/run, as `flowc status` shows it")?;
            (found.flow, found.run)
        };
        if flow.is_empty() || run.is_empty() || run.contains('/') {
            bail!(
                "`{}` does not name a run; write it as Flow/run, as `flowc status` shows it",
                args.run
            );
        }
        let operator = args.place.target.connect(&profile).await?;
        let (flow, run) = (flow.as_str(), run.as_str());
        let flow = FlowRef { flow, plan: None };
        let Some(before) = operator.stop(flow, run).await? else {
            return Err(DeployError::Missing {
                object: format!("run {}", args.run),
                help: format!(
                    "`flowc status FLOW --target {}` shows the newest run",
                    args.place.target.target().name()
                ),
            }
            .into());
        };
        if before.phase.is_end() {
            output::status(
                "Unchanged",
                format_args!("{} had {} already", args.run, before.phase),
            );
        } else {
            output::status("Stopped", &args.run);
        }
        Ok(Outcome::Fine)
    })
}

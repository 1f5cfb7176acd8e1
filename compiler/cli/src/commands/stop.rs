//! `flowc stop`: ends a run on its orchestrator.

use flowc_target::deploy::{DeployError, FlowRef};

use crate::operate::{self, Where};
use crate::{Outcome, output};

/// Arguments of `flowc stop`.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  flowc stop TrainFlow/argo-trainflow-x7k2p --target argo
  flowc stop TrainFlow/sfn-5f2c --target step-functions --profile production")]
pub(crate) struct Args {
    /// The run, `Flow/run`
    run: String,
    #[command(flatten)]
    place: Where,
}

/// Stops the run.
pub(crate) fn run(args: &Args) -> anyhow::Result<Outcome> {
    let Some((flow, run)) = args
        .run
        .split_once('/')
        .filter(|(flow, run)| !flow.is_empty() && !run.is_empty() && !run.contains('/'))
    else {
        anyhow::bail!(
            "`{}` does not name a run; write it as Flow/run, as `flowc status` shows it",
            args.run
        );
    };
    let Some(profile) = operate::profile_here(args.place.profile.as_deref())? else {
        return Ok(Outcome::Trouble);
    };
    operate::block_on(async {
        let operator = args.place.target.connect(&profile).await?;
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

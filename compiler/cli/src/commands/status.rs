//! `flowc status`: how far a run on an orchestrator is, and what went wrong in it.

use flowc_target::deploy::DeployError;

use crate::load::BranchArgs;
use crate::operate::summary::Summary;
use crate::operate::{self, Asked, Deployed, Where};
use crate::{Outcome, output};

/// Arguments of `flowc status`.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  flowc status flow.py --target argo                          the newest run
  flowc status flow.py argo-trainflow-x7k2p --target argo")]
pub(crate) struct Args {
    /// The flow's file, `flow.py` or `flow.py:ClassName`
    flow: String,
    /// The run's id [default: the newest]
    run: Option<String>,
    #[command(flatten)]
    place: Where,
    #[command(flatten)]
    branch: BranchArgs,
    /// Write the state as JSON
    #[arg(long)]
    json: bool,
}

/// Shows the state of a run.
pub(crate) fn run(args: &Args) -> anyhow::Result<Outcome> {
    let profile = args.place.profile.as_deref();
    let branch = args.branch.choice();
    let Some(deployed) = Deployed::load(
        &args.flow,
        args.place.target,
        profile,
        &branch,
        Asked::Store,
    )?
    else {
        return Ok(Outcome::FlowFailed);
    };
    operate::block_on(async {
        let operator = deployed.connect().await?;
        let flow = deployed.flow()?;
        let wanted = if let Some(run) = &args.run {
            run.rsplit_once('/')
                .map_or(run.as_str(), |(_, run)| run)
                .to_owned()
        } else {
            let newest = operator.runs(flow, 1).await?;
            let Some(newest) = newest.into_iter().next() else {
                output::status("None", format_args!("{} has not run there yet", flow.flow));
                return Ok(Outcome::Fine);
            };
            newest.run.id
        };
        let state = operator.state(flow, &wanted).await?;
        // What tasks left outlives what the orchestrator remembers of the run.
        let record = operate::record(&deployed, &wanted).await;
        if record.is_none() && state.is_none() {
            return Err(DeployError::Missing {
                object: format!("run {}/{wanted}", flow.flow),
                help: "leave the run out to see the newest".to_owned(),
            }
            .into());
        }
        let summary = Summary::new(flow.flow, &wanted, record.as_ref(), state.as_ref());
        output::data(&if args.json {
            summary.json()?
        } else {
            summary.text()
        })?;
        Ok(Outcome::Fine)
    })
}

//! `flowc delete`: removes a deployed flow from its orchestrator; runs and artifacts stay.

use serde_json::json;

use crate::load::BranchArgs;
use crate::operate::{self, Asked, Console, Deployed, Where};
use crate::{Outcome, output};

/// Arguments of `flowc delete`.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  flowc delete flow.py --target argo
  flowc delete flow.py --target step-functions --profile production --dry-run    shows what would go")]
pub(crate) struct Args {
    /// The flow's file, `flow.py` or `flow.py:ClassName`
    flow: String,
    #[command(flatten)]
    place: Where,
    #[command(flatten)]
    branch: BranchArgs,
    /// Show what would be deleted; delete nothing
    #[arg(long)]
    dry_run: bool,
    /// Write what was deleted as JSON
    #[arg(long)]
    json: bool,
}

/// Removes the deployment.
pub(crate) fn run(args: &Args) -> anyhow::Result<Outcome> {
    let profile = args.place.profile.as_deref();
    let branch = args.branch.choice();
    let Some(deployed) = Deployed::load(
        &args.flow,
        args.place.target,
        profile,
        &branch,
        Asked::Nothing,
    )?
    else {
        return Ok(Outcome::FlowFailed);
    };
    let console = Console::new();
    let outcome = operate::block_on(delete(args, &deployed, &console));
    console.finish();
    outcome
}

async fn delete(args: &Args, deployed: &Deployed, console: &Console) -> anyhow::Result<Outcome> {
    let flow = deployed.flow()?;
    let operator = deployed.connect().await?;
    let changes = operator.deletions(flow).await?;
    if !args.dry_run {
        operator.delete(flow, &changes, console).await?;
    }
    console.finish();
    if args.json {
        let changes: Vec<_> = changes.iter().map(operate::change_json).collect();
        output::data(&format!("{:#}\n", json!({"changes": changes})))?;
    } else if changes.is_empty() {
        output::status(
            "Unchanged",
            format_args!("{} is not deployed there", flow.flow),
        );
    } else if args.dry_run {
        output::data(&operate::listing(&changes))?;
    } else {
        output::status(
            "Deleted",
            format_args!("{}; its runs and artifacts stay", flow.flow),
        );
    }
    Ok(Outcome::Fine)
}

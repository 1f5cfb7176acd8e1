//! `flowc check`: finds mistakes, runs nothing.

use clap::ValueEnum;

use crate::describe::Given;
use crate::load::{self, BranchArgs, Compilation};
use crate::{Outcome, output, packing};

/// Arguments of `flowc check`.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  flowc check flow.py
  flowc check flow.py:TrainFlow --target argo --target airflow
  flowc check flow.py --message-format github")]
pub(crate) struct Args {
    /// The flow's file, `flow.py` or `flow.py:ClassName`
    flow: String,
    /// Also check what this orchestrator can do and its limits (repeatable; `all` for all of them)
    #[arg(long, value_name = "TARGET")]
    target: Vec<load::TargetName>,
    /// Profile of flowc.toml that the targets' checks use
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// How findings are written: for people, one JSON object per line, or as GitHub annotations
    #[arg(long, value_enum, default_value_t = MessageFormat::Text, value_name = "FORMAT")]
    message_format: MessageFormat,
    #[command(flatten)]
    branch: BranchArgs,
    #[command(flatten)]
    given: Given,
    /// Do not ask Python for what cannot be read of the flow; say where it would have been asked
    #[arg(long = "static")]
    statically: bool,
}

/// How findings are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum MessageFormat {
    /// For people, on stderr.
    Text,
    /// One object per line, on stdout.
    Json,
    /// Workflow commands, on stdout.
    Github,
}

/// Checks the flow.
pub(crate) fn run(args: &Args) -> anyhow::Result<Outcome> {
    let targets = load::targets(&args.target);
    let given = args.given.statically(args.statically);
    let given = if targets.is_empty() {
        given
    } else {
        given.in_containers(args.profile.as_deref())
    };
    let mut compilation = Compilation::load_with(&args.flow, &given)?;
    let mut links = Vec::new();
    if targets.is_empty() {
        compilation.choose_branch(&args.branch.choice(), None);
        if compilation.plan.is_some() {
            links = compilation.links_out();
        }
    } else if compilation.plan.is_some() {
        let prepared = compilation.prepare(args.profile.as_deref(), &args.branch.choice())?;
        if let Some(prepared) = prepared {
            for target in targets {
                compilation.emit(target, &prepared);
            }
            links = prepared.packed.links;
        }
    }
    if let Some(warning) = packing::leading_out(&links) {
        compilation.diagnostics.push(warning);
    }
    compilation.diagnostics.sort();
    compilation.report(args.message_format)?;
    if compilation.diagnostics.has_errors() {
        return Ok(Outcome::FlowFailed);
    }
    if let (Some(plan), MessageFormat::Text) = (&compilation.plan, args.message_format) {
        let steps = plan.steps.len();
        let plural = if steps == 1 { "" } else { "s" };
        output::status(
            "Checked",
            format_args!("{} ({steps} step{plural})", plan.flow),
        );
    }
    Ok(Outcome::Fine)
}

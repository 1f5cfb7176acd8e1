//! `flowc compile`: writes the files that an orchestrator needs, or compares them with what is there.

use std::path::{Path, PathBuf};

use flowc_core::diag::{Diagnostics, render};

use crate::bundle::{self, Bundle};
use crate::describe::Given;
use crate::load::{self, BranchArgs, Compilation};
use crate::{Outcome, output};

use super::check::MessageFormat;

/// Arguments of `flowc compile`.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  flowc compile flow.py --target argo -o deploy/
  flowc compile flow.py --target all --profile production -o deploy/
  flowc compile flow.py --target all --profile production -o deploy/ --check    exits 3 with a diff if deploy/ is stale")]
pub(crate) struct Args {
    /// The flow's file, `flow.py` or `flow.py:ClassName`
    flow: String,
    /// The orchestrator (repeatable; `all` for all of them)
    #[arg(long, required = true, value_name = "TARGET")]
    target: Vec<load::TargetName>,
    /// Folder for the bundle; with several targets one folder below it for each [default: bundles/FLOW, in a project bundles/PROJECT.BRANCH.FLOW]
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,
    /// Profile of flowc.toml
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// Write nothing; compare with what is in the folder and exit 3 if it differs
    #[arg(long)]
    check: bool,
    #[command(flatten)]
    branch: BranchArgs,
    #[command(flatten)]
    given: Given,
    /// Do not ask Python for what cannot be read of the flow; say where it would have been asked
    #[arg(long = "static")]
    statically: bool,
}

/// Compiles the flow.
pub(crate) fn run(args: &Args) -> anyhow::Result<Outcome> {
    let given = args.given.in_containers(args.profile.as_deref());
    let mut compilation = Compilation::load_with(&args.flow, &given.statically(args.statically))?;
    let targets = load::targets(&args.target);
    let prepared = compilation.prepare(args.profile.as_deref(), &args.branch.choice())?;
    let mut emitted = Vec::new();
    if let Some(prepared) = &prepared {
        for target in &targets {
            if let Some(files) = compilation.emit(*target, prepared) {
                emitted.push((target.name(), files));
            }
        }
    }
    compilation.diagnostics.sort();
    compilation.report(MessageFormat::Text)?;
    let Some(plan) = compilation
        .plan
        .as_ref()
        .filter(|_| !compilation.diagnostics.has_errors())
    else {
        return Ok(Outcome::FlowFailed);
    };
    let root = args
        .output
        .clone()
        .unwrap_or_else(|| PathBuf::from("bundles").join(bundle::full_name(plan)));
    let one_folder_each =
        args.output.is_none() || targets.len() > 1 || args.target.contains(&load::TargetName::All);
    let bundles = emitted.into_iter().map(|(name, files)| {
        let folder = if one_folder_each {
            root.join(name)
        } else {
            root.clone()
        };
        Bundle::new(plan, name, folder, files)
    });
    let bundles: Vec<_> = bundles.collect();
    // None is written if one cannot be.
    let mut obstacles = Diagnostics::default();
    for bundle in &bundles {
        if let Some(obstacle) = bundle.obstacle()? {
            obstacles.push(obstacle);
        }
    }
    if !obstacles.is_empty() {
        let text = render::text(&compilation.tree, &obstacles, output::colour());
        output::remark(&text);
        return Ok(Outcome::Trouble);
    }
    if args.check {
        return compare(&bundles, &root);
    }
    for bundle in &bundles {
        let written = bundle.write()?;
        output::status(
            written.verb(),
            format_args!(
                "{} ({})",
                bundle.folder.display(),
                bundle::summary(&bundle.files)
            ),
        );
    }
    Ok(Outcome::Fine)
}

/// Shows how the bundles differ from what is there.
fn compare(bundles: &[Bundle], root: &Path) -> anyhow::Result<Outcome> {
    let mut differs = false;
    for bundle in bundles {
        let diff = bundle.diff()?;
        output::data(&diff)?;
        differs |= !diff.is_empty();
    }
    if differs {
        output::remark(
            "the bundle is not what the flow compiles to; compile without --check to bring it up to date\n",
        );
        return Ok(Outcome::Differs);
    }
    output::status("Same", root.display());
    Ok(Outcome::Fine)
}

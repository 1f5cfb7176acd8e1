//! `flowc package`: lists what goes into a flow's code package.

use std::fmt::Write as _;

use flowc_core::diag::Severity;
use flowc_target::package::Content;
use flowc_target::project;
use serde_json::json;

use crate::describe::Given;
use crate::load::{BranchArgs, Compilation};
use crate::{Outcome, output};

use super::check::MessageFormat;

/// Arguments of `flowc package`.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  flowc package flow.py
  flowc package flow.py --profile production --json")]
pub(crate) struct Args {
    /// The flow's file, `flow.py` or `flow.py:ClassName`
    flow: String,
    /// Profile of flowc.toml
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// Write it as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    branch: BranchArgs,
    #[command(flatten)]
    given: Given,
}

/// Lists the package.
pub(crate) fn run(args: &Args) -> anyhow::Result<Outcome> {
    let given = args.given.in_containers(args.profile.as_deref());
    let mut compilation = Compilation::load_with(&args.flow, &given)?;
    let prepared = compilation.prepare(args.profile.as_deref(), &args.branch.choice())?;
    // Another branch is another plan, and so another package.
    if let Some(undecided) = compilation.plan.as_ref().and_then(project::undecided) {
        compilation.diagnostics.push(undecided);
    }
    compilation.diagnostics.sort();
    compilation.report(MessageFormat::Text)?;
    let failed = compilation.diagnostics.iter();
    let mut failed = failed.filter(|item| item.severity == Severity::Error);
    let (Some(prepared), None) = (prepared, failed.next()) else {
        return Ok(Outcome::FlowFailed);
    };
    let package = &prepared.packed.package;
    let files = package.contents()?;
    output::data(&if args.json {
        let listed: Vec<_> = files
            .iter()
            .map(|file| {
                json!({
                    "path": file.path,
                    "size": file.size,
                    "sha256": file.sha256,
                    "executable": file.executable,
                })
            })
            .collect();
        let report = json!({
            "package": prepared.options.package,
            "sha256": package.sha256,
            "size": package.tar.len(),
            "files": listed,
        });
        format!("{report:#}\n")
    } else {
        let mut text = table(&files);
        // Writing to a string cannot fail.
        let _ = writeln!(text, "\n{}", prepared.options.package);
        text
    })?;
    let bytes: u64 = files.iter().map(|file| file.size).sum();
    let plural = if files.len() == 1 { "" } else { "s" };
    output::status(
        "Packaged",
        format_args!(
            "{} file{plural}, {:.1} kB",
            files.len(),
            bytes as f64 / 1000.0
        ),
    );
    Ok(Outcome::Fine)
}

/// A line for each file: path, bytes, digest.
fn table(files: &[Content]) -> String {
    let width = |of: &dyn Fn(&Content) -> usize| files.iter().map(of).max().unwrap_or_default();
    let paths = width(&|file| file.path.chars().count());
    let sizes = width(&|file| file.size.to_string().len());
    files.iter().fold(String::new(), |mut text, file| {
        let (path, size) = (&file.path, file.size);
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{path:paths$}  {size:>sizes$}  {}", file.sha256);
        text
    })
}

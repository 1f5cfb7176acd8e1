//! `flowc show`: a flow's steps and how they hang together.

use clap::ValueEnum;
use flowc_core::show;

use super::check::MessageFormat;
use crate::load::Compilation;
use crate::{Outcome, output};

/// Arguments of `flowc show`.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  flowc show flow.py
  flowc show flow.py --format mermaid
  flowc show flow.py --format dot
  flowc show flow.py --format json")]
pub(crate) struct Args {
    /// The flow's file, `flow.py` or `flow.py:ClassName`
    flow: String,
    /// What to print: text for people, a diagram's source, or JSON
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

/// What to print.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    Text,
    /// A Mermaid flowchart.
    Mermaid,
    /// A Graphviz digraph.
    Dot,
    /// Steps and edges as JSON.
    Json,
}

/// Prints the flow.
pub(crate) fn run(args: &Args) -> anyhow::Result<Outcome> {
    let compilation = Compilation::load(&args.flow)?;
    compilation.report(MessageFormat::Text)?;
    let Some(plan) = &compilation.plan else {
        return Ok(Outcome::FlowFailed);
    };
    output::data(&match args.format {
        Format::Text => show::text(plan),
        Format::Mermaid => show::mermaid(plan),
        Format::Dot => show::dot(plan),
        Format::Json => show::json(plan),
    })?;
    Ok(Outcome::Fine)
}

//! `flowc explain`: the page of a diagnostic.

use anyhow::bail;
use flowc_core::diag::Code;

use crate::{Outcome, output};

include!(concat!(env!("OUT_DIR"), "/pages.rs"));

/// Arguments of `flowc explain`.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  flowc explain FC0112
  flowc explain 0112")]
pub(crate) struct Args {
    /// The code that a message shows in brackets, as in FC0112
    code: String,
}

/// Prints the page.
pub(crate) fn run(args: &Args) -> anyhow::Result<Outcome> {
    let Ok(code) = args.code.to_uppercase().parse::<Code>() else {
        bail!(
            "there is no diagnostic `{}`; codes look like FC0112 and are listed in docs/diagnostics",
            args.code
        );
    };
    let page = PAGES
        .iter()
        .find(|(name, _)| *name == code.as_str())
        .map(|(_, page)| *page);
    let Some(page) = page else {
        bail!("{code} ({}) has no page", code.title());
    };
    output::data(page)?;
    Ok(Outcome::Fine)
}

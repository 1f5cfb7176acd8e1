//! `flowc run`: runs a flow on this machine.

use std::ffi::OsString;

use crate::Outcome;

/// Arguments of `flowc run`; options and the flow's parameters are told apart once the flow is known.
#[derive(clap::Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Args {
    /// The flow's file, then options and parameters
    #[arg(
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "FLOW [OPTIONS] [--PARAM VALUE]…"
    )]
    rest: Vec<OsString>,
}

/// Runs the flow.
pub(crate) fn run(args: &Args) -> anyhow::Result<Outcome> {
    anyhow::bail!("running flows is being built: {:?}", args.rest)
}

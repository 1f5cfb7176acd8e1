//! `flowc run`: runs a flow on this machine.

use std::ffi::OsString;

use flowc_core::ir::plan::Plan;

use crate::load::Compilation;
use crate::parameters;
use crate::place::{Local, variable};
use crate::run::arguments::{self, OPTIONS};
use crate::run::findings::Findings;
use crate::run::session::{self, Beginning, Machine};
use crate::run::triggered;
use crate::run::variables::{Command, OF_METAFLOW};
use crate::{Outcome, help, output, words};

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

const COMMAND: parameters::Command = parameters::Command {
    name: "flowc run",
    options: OPTIONS,
    foreign: OF_METAFLOW,
};

const EXAMPLES: &str = "\
Examples:
  flowc run flow.py
  flowc run flow.py --alpha 0.5 --max-workers 4
  flowc run flow.py --param target=nightly --tag experiment
  flowc run flow.py --store runs
  flowc run flow.py --help                     also lists the flow's parameters
";

/// Runs the flow.
pub(crate) fn run(args: &Args) -> anyhow::Result<Outcome> {
    let mut arguments = arguments::parse(&args.rest)?;
    let Some(flow) = arguments.flow.clone() else {
        if arguments.help {
            output::data(&help(None))?;
            return Ok(Outcome::Fine);
        }
        anyhow::bail!("name the flow to run, as in `flowc run flow.py`");
    };
    let local = Local::find()?;
    arguments.complete(Command::Run, &local)?;
    let mut compilation = Compilation::load_with(&flow, &arguments.given()?)?;
    if arguments.help {
        output::data(&help(compilation.plan.as_ref()))?;
        return Ok(Outcome::Fine);
    }
    let profile = session::report(&mut compilation, &arguments.branch)?;
    let (Some(plan), Some(profile)) = (&compilation.plan, profile) else {
        return Ok(Outcome::FlowFailed);
    };
    let findings = Findings {
        tree: &compilation.tree,
    };
    let (parameters, found) = parameters::collect(plan, &arguments.values, &variable, COMMAND);
    findings.show(&found);
    if found.has_errors() {
        return Ok(Outcome::Trouble);
    }
    let machine = match Machine::prepare(local, &arguments, &findings)? {
        Ok(machine) => machine,
        Err(outcome) => return Ok(outcome),
    };
    let triggers = match triggered::find(&machine, plan, &arguments.triggers)? {
        Ok(triggers) => triggers,
        Err(found) => return Ok(findings.refuse(*found)),
    };
    let beginning = Beginning {
        triggers,
        parameters: parameters::as_typed(&parameters),
        origin: None,
        again: format!("run {}", words::shown(&args.rest)),
    };
    session::execute(&compilation, plan, &profile, machine, &arguments, beginning)
}

/// `--help`, with the flow's parameters where the flow is known.
fn help(plan: Option<&Plan>) -> String {
    help::text(
        "Run a flow on this machine\n\nUsage: flowc run FLOW [OPTIONS] [--PARAM VALUE]…",
        plan,
        OPTIONS,
        EXAMPLES,
    )
}

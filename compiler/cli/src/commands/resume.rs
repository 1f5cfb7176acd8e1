//! `flowc resume`: goes on from a run that failed or was stopped, of this machine or of an orchestrator.

use std::ffi::OsString;

use flowc_core::diag::Diagnostics;
use flowc_local::resume::Origin;
use flowc_protocol::json_text::Members;

use crate::load::Compilation;
use crate::place::Local;
use crate::run::arguments::{self, RESUME_OPTIONS};
use crate::run::findings::Findings;
use crate::run::origin;
use crate::run::session::{self, Beginning, Machine};
use crate::run::triggered;
use crate::run::variables::Command;
use crate::{Outcome, help, output, words};

/// Arguments of `flowc resume`, which are those of `flowc run` without parameters.
#[derive(clap::Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Args {
    /// The flow's file, a step to rerun if wanted, options
    #[arg(
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "FLOW [STEP] [OPTIONS]"
    )]
    rest: Vec<OsString>,
}

const EXAMPLES: &str = "\
A new run begins with the results of an earlier one and runs what that one lacks. With STEP, that step and all that
follows run again. Parameters are those of the earlier run.

Examples:
  flowc resume flow.py                                     the flow's latest run on this machine
  flowc resume flow.py train                               train, and what follows it, again
  flowc resume flow.py --origin-run-id 1732190000000000
  flowc resume flow.py --origin-run-id argo-trainflow-x7k2p --store s3://BUCKET/PREFIX
";

/// Resumes the run.
pub(crate) fn run(args: &Args) -> anyhow::Result<Outcome> {
    let mut arguments = arguments::parse_resume(&args.rest)?;
    if arguments.help {
        output::data(&help())?;
        return Ok(Outcome::Fine);
    }
    let Some(flow) = arguments.flow.clone() else {
        anyhow::bail!("name the flow to resume, as in `flowc resume flow.py`");
    };
    let local = Local::find()?;
    arguments.complete(Command::Resume, &local)?;
    let mut compilation = Compilation::load_with(&flow, &arguments.given()?)?;
    let profile = session::report(&mut compilation, &arguments.branch)?;
    let (Some(plan), Some(profile)) = (&compilation.plan, profile) else {
        return Ok(Outcome::FlowFailed);
    };
    let findings = Findings {
        tree: &compilation.tree,
    };
    let mut found = Diagnostics::default();
    for given in &arguments.values {
        found.push(origin::fixed_parameter(&given.name));
    }
    if found.has_errors() {
        findings.show(&found);
        return Ok(Outcome::Trouble);
    }
    let machine = match Machine::prepare(local, &arguments, &findings)? {
        Ok(machine) => machine,
        Err(outcome) => return Ok(outcome),
    };
    let finding = origin::find(&machine, plan, &arguments, &findings);
    let record = match machine.runtime.block_on(finding)? {
        Ok(record) => record,
        Err(found) => return Ok(findings.refuse(found)),
    };
    output::status("Resuming", format_args!("{}/{}", record.flow, record.run));
    let triggers = match triggered::find(&machine, plan, &arguments.triggers)? {
        Ok(triggers) => triggers,
        Err(found) => return Ok(findings.refuse(*found)),
    };
    let beginning = Beginning {
        triggers,
        parameters: Members::new(),
        origin: Some(Origin {
            record,
            rerun: arguments.step.clone(),
        }),
        again: format!("resume {}", words::shown(&args.rest)),
    };
    session::execute(&compilation, plan, &profile, machine, &arguments, beginning)
}

fn help() -> String {
    help::text(
        "Go on from a run that failed or was stopped, on this machine\n\nUsage: flowc resume FLOW [STEP] [OPTIONS]",
        None,
        RESUME_OPTIONS,
        EXAMPLES,
    )
}

//! `flowc trigger`: starts a run of a deployed flow.

use std::ffi::OsString;
use std::time::Duration;

use anyhow::Context;
use clap::ValueEnum as _;
use flowc_core::diag::render;
use flowc_core::ir::plan::Plan;
use flowc_target::BranchChoice;
use flowc_target::deploy::{Operator, Progress as _, Run, RunState};
use serde_json::{Value, json};

use crate::describe::Given;
use crate::load::Compilation;
use crate::operate::{self, Asked, Console, Deployed, Orchestrator};
use crate::parameters::{self, Integers};
use crate::words::{self, Names, OptionRow, text};
use crate::{Outcome, help, output};

/// Arguments of `flowc trigger`; options and the flow's parameters are told apart once the flow is known.
#[derive(clap::Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Args {
    /// The flow's file, then options and parameters
    #[arg(
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "FLOW --target TARGET [OPTIONS] [--PARAM VALUE]…"
    )]
    rest: Vec<OsString>,
}

const OPTIONS: &[OptionRow] = &[
    (
        "target",
        Some("TARGET"),
        "The orchestrator: step-functions, argo or airflow",
    ),
    ("profile", Some("NAME"), "Profile of flowc.toml"),
    words::BRANCH,
    words::PRODUCTION,
    words::PARAM,
    (
        "wait",
        None,
        "Wait until the run has ended; exits 1 if it failed",
    ),
    ("json", None, "Write the run as JSON"),
    words::HELP,
];

const COMMAND: parameters::Command = parameters::Command {
    name: "flowc trigger",
    options: OPTIONS,
    foreign: &[],
};

const EXAMPLES: &str = "\
Examples:
  flowc trigger flow.py --target argo
  flowc trigger flow.py --target airflow --alpha 0.5 --wait
  flowc trigger flow.py --target step-functions --param target=nightly
";

/// What was asked for besides the flow and its parameters.
#[derive(Default)]
struct Choice {
    target: Option<Orchestrator>,
    profile: Option<String>,
    branch: BranchChoice,
    wait: bool,
    json: bool,
}

/// Starts the run.
pub(crate) fn run(args: &Args) -> anyhow::Result<Outcome> {
    let words = words::split(&args.rest, OPTIONS, Names::Flow)?;
    let mut choice = Choice::default();
    for (name, value) in words.options {
        match name {
            "target" => choice.target = Some(target(&text(name, value.as_deref())?)?),
            "profile" => choice.profile = Some(text(name, value.as_deref())?),
            "branch" => choice.branch.branch = Some(text(name, value.as_deref())?),
            "production" => choice.branch.production = true,
            "wait" => choice.wait = true,
            _ => choice.json = true,
        }
    }
    if words.help {
        let given = Given::default().in_containers(choice.profile.as_deref());
        let load = |flow: &str| Compilation::load_with(flow, &given);
        let loaded = words.flow.as_deref().map(load).transpose()?;
        output::data(&help(
            loaded.as_ref().and_then(|loaded| loaded.plan.as_ref()),
        ))?;
        return Ok(Outcome::Fine);
    }
    let flow = words
        .flow
        .context("name the flow to start, as in `flowc trigger flow.py --target argo`")?;
    let target = choice
        .target
        .context("--target is missing; it is step-functions, argo or airflow")?;
    // Without waiting, nothing is read of what the run leaves.
    let asked = if choice.wait {
        Asked::Store
    } else {
        Asked::Nothing
    };
    let profile = choice.profile.as_deref();
    let Some(deployed) = Deployed::load(&flow, target, profile, &choice.branch, asked)? else {
        return Ok(Outcome::FlowFailed);
    };
    let plan = deployed.plan()?;
    let (values, found) = parameters::collect(plan, &words.values, &|_| None, COMMAND);
    if !found.is_empty() {
        output::remark(&render::text(
            &deployed.compilation.tree,
            &found,
            output::colour(),
        ));
    }
    if found.has_errors() {
        return Ok(Outcome::Trouble);
    }
    let integers = match target {
        Orchestrator::Argo | Orchestrator::Airflow => Integers::Any,
        Orchestrator::StepFunctions => Integers::Interoperable,
    };
    let values = parameters::typed(plan, &values, integers);
    let console = Console::new();
    let outcome = operate::block_on(async {
        let operator = deployed.connect().await?;
        let flow = deployed.flow()?;
        let run = operator.trigger(flow, &values).await?;
        let name = format!("{}/{}", flow.flow, run.id);
        if !choice.json {
            output::status("Started", format_args!("{name} ({})", run.native));
            output::data(&format!("{name}\n"))?;
        }
        if !choice.wait {
            if choice.json {
                output::data(&as_json(&name, &run, None))?;
            }
            return Ok(Outcome::Fine);
        }
        let ended = wait(&*operator, &deployed, &run, &console).await?;
        console.finish();
        if choice.json {
            output::data(&as_json(&name, &run, Some(&ended)))?;
        }
        operate::tell(&deployed, &ended).await
    });
    console.finish();
    outcome
}

/// Asks until the run has ended.
async fn wait(
    operator: &dyn Operator,
    deployed: &Deployed,
    run: &Run,
    console: &Console,
) -> anyhow::Result<RunState> {
    let mut pause = Duration::from_millis(250);
    loop {
        let flow = deployed.flow()?;
        if let Some(state) = operator.outline(flow, &run.id).await? {
            if state.phase.is_end() {
                let whole = operator.state(flow, &run.id).await?;
                return Ok(whole.unwrap_or(state));
            }
            let phase = state.phase;
            let reason = state
                .reason
                .map_or_else(String::new, |said| format!(": {said}"));
            console.waiting(&format!("{} is {phase}{reason}", run.id));
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 3 / 2).min(Duration::from_secs(5));
    }
}

fn target(word: &str) -> anyhow::Result<Orchestrator> {
    Orchestrator::from_str(word, false).map_err(|_| {
        anyhow::anyhow!("there is no target `{word}`; it is step-functions, argo or airflow")
    })
}

fn as_json(name: &str, run: &Run, ended: Option<&RunState>) -> String {
    let report = json!({
        "run": name,
        "native": run.native,
        "phase": ended.map_or(Value::Null, |state| state.phase.to_string().into()),
    });
    format!("{report:#}\n")
}

/// `--help`, with the flow's parameters where the flow is known.
fn help(plan: Option<&Plan>) -> String {
    help::text(
        "Start a run of a deployed flow\n\nUsage: flowc trigger FLOW --target TARGET [OPTIONS] [--PARAM VALUE]…",
        plan,
        OPTIONS,
        EXAMPLES,
    )
}

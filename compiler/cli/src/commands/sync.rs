//! `flowc sync`: makes runs of an orchestrator visible to Metaflow's client.

use std::path::Path;

use anyhow::bail;
use flowc_task::history::sync::{Synced, Syncer};
use flowc_task::history::{self, sync};

use crate::load::Compilation;
use crate::place::{Local, Origin, StoreArgs};
use crate::{Outcome, operate, output};

use super::check::MessageFormat;

/// Arguments of `flowc sync`.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  flowc sync flow.py                                 all runs of the flow
  flowc sync TrainFlow --profile production          the same, by its name
  flowc sync TrainFlow/argo-trainflow-x7k2p          one run; again later, if it goes on

Then, in Python:
  from metaflow import Run; Run(\"TrainFlow/argo-trainflow-x7k2p\").data")]
pub(crate) struct Args {
    /// The flow, by its file or name, or one run: `Flow/run` or its id alone
    #[arg(value_name = "FLOW|RUN")]
    what: String,
    #[command(flatten)]
    place: StoreArgs,
}

/// Enters the runs into the local metadata tree.
pub(crate) fn run(args: &Args) -> anyhow::Result<Outcome> {
    let local = Local::find()?;
    let Some(name) = flow_name(&args.what)? else {
        return Ok(Outcome::FlowFailed);
    };
    operate::block_on(async {
        let Some(store) = args.place.open(Origin::Orchestrator).await? else {
            return Ok(Outcome::Trouble);
        };
        let mut runs = Vec::new();
        let is_flow = !name.contains('/') && Origin::of(&name) == Origin::Here;
        if is_flow {
            let found = history::runs(&store, &name).await?;
            runs.extend(found.into_iter().map(|run| (name.clone(), run)));
        }
        if runs.is_empty() {
            if is_flow && history::flows(&store).await?.contains(&name) {
                output::status("None", format_args!("{name} has not run yet"));
                return Ok(Outcome::Fine);
            }
            let found = history::find(&store, &name).await?;
            if found.step.is_some() {
                bail!(
                    "{name} is a part of a run; name the run, as in {}/{}",
                    found.flow,
                    found.run
                );
            }
            runs.push((found.flow, found.run));
        }
        // A folder holds the tree of its own runs, so that Metaflow's client finds both in one place.
        let root = store.local_root().unwrap_or(&local.root).to_owned();
        let syncer = Syncer {
            root,
            user: local.user(),
            system_tags: vec![concat!("flowc_version:", env!("CARGO_PKG_VERSION")).to_owned()],
        };
        let mut plans = history::Plans::new();
        let mut last = None;
        for (flow, run) in runs {
            let shown = format!("{flow}/{run}");
            let Some(record) = history::run_cached(&store, &flow, &run, &mut plans).await? else {
                continue;
            };
            match sync::enter(&store, &record, &syncer).await? {
                Some(done) => {
                    output::status("Synced", format_args!("{shown}: {}", counted(done)));
                    last = Some(shown);
                }
                None => output::status("Left", format_args!("{shown}: {}", why_not(&record))),
            }
        }
        if let Some(shown) = last {
            output::status(
                "Look",
                format_args!("from metaflow import Run; Run(\"{shown}\").data"),
            );
        }
        Ok(Outcome::Fine)
    })
}

fn counted(synced: Synced) -> String {
    let Synced {
        tasks,
        entered,
        hidden,
    } = synced;
    let plural = if tasks == 1 { "" } else { "s" };
    let new = match entered {
        0 => "nothing new".to_owned(),
        _ => format!("{entered} new or changed"),
    };
    let without = match hidden {
        0 => String::new(),
        _ => format!(", without {hidden} artifacts whose names no file can have"),
    };
    format!("{tasks} task{plural}, {new}{without}")
}

fn why_not(record: &history::RunRecord) -> &'static str {
    match &record.parameters {
        Some(task) if task.committed_ms.is_some() => {
            "it ran by `flowc run`, which enters its runs itself"
        }
        _ => "its first task has not begun",
    }
}

/// The flow's name where its file is given, else the name as it is; `None` after mistakes were shown.
fn flow_name(what: &str) -> anyhow::Result<Option<String>> {
    let file = what.rsplit_once(':').map_or(what, |(file, _)| file);
    if Path::new(file).extension().is_none_or(|end| end != "py") {
        return Ok(Some(what.to_owned()));
    }
    let compilation = Compilation::load(what)?;
    let Some(plan) = &compilation.plan else {
        compilation.report(MessageFormat::Text)?;
        return Ok(None);
    };
    Ok(Some(plan.flow.clone()))
}

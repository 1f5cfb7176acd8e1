//! `flowc artifacts`: lists what tasks left, without reading the values.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::place::{Origin, StoreArgs};
use crate::tasks::{self, Left, Which, one_line};
use crate::{Outcome, operate, output};

/// Arguments of `flowc artifacts`.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  flowc artifacts TrainFlow/1732190000000000               of all tasks, step by step
  flowc artifacts TrainFlow/argo-trainflow-x7k2p/train/t-3 of one of them
  flowc artifacts 1732190000000000/train --include model --json")]
pub(crate) struct Args {
    /// The run: `Flow/run` or its id alone; then a step and a task if wanted
    #[arg(value_name = "RUN[/STEP[/TASK]]")]
    run: String,
    #[command(flatten)]
    which: Which,
    /// Write them as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: StoreArgs,
}

/// Lists the artifacts.
pub(crate) fn run(args: &Args) -> anyhow::Result<Outcome> {
    operate::block_on(async {
        let Some(store) = args.place.open(Origin::of(&args.run)).await? else {
            return Ok(Outcome::Trouble);
        };
        let left = tasks::left(&store, &args.run).await?;
        let text = if args.json {
            let tasks: Vec<Value> = left.iter().map(|left| to_json(left, &args.which)).collect();
            format!("{:#}\n", json!({ "tasks": tasks }))
        } else {
            table(&left, &args.which)
        };
        output::data(&text)?;
        Ok(Outcome::Fine)
    })
}

fn to_json(left: &Left, which: &Which) -> Value {
    let artifacts = left.artifacts(which);
    let artifacts = artifacts.iter().map(|artifact| {
        json!({
            "name": artifact.name,
            "type": artifact.ty,
            "size": artifact.size,
            "sha1": artifact.key,
        })
    });
    json!({
        "task": left.task,
        "attempt": left.record.attempt,
        "committed": left.is_result,
        "origin": left.origin,
        "artifacts": artifacts.collect::<Vec<_>>(),
    })
}

fn table(all: &[Left], which: &Which) -> String {
    let mut text = String::new();
    for left in all {
        text.push_str(&heading(left));
        let artifacts = left.artifacts(which);
        let width = |of: &dyn Fn(&tasks::Artifact<'_>) -> usize| artifacts.iter().map(of).max();
        let names = width(&|artifact| one_line(artifact.name).chars().count()).unwrap_or_default();
        let types = width(&|artifact| artifact.ty.chars().count()).unwrap_or_default();
        for artifact in &artifacts {
            let size = tasks::size(artifact.size);
            // Writing to a string cannot fail.
            let _ = writeln!(
                text,
                "  {:names$}  {:types$}  {size:>8}  {}",
                one_line(artifact.name),
                artifact.ty,
                artifact.key
            );
        }
    }
    text
}

/// The line above a task's artifacts.
pub(super) fn heading(left: &Left) -> String {
    let mut text = left.task.clone();
    if !left.is_result {
        // Writing to a string cannot fail.
        let _ = write!(text, " (failed, attempt {})", left.record.attempt);
    }
    if let Some(origin) = &left.origin {
        let _ = write!(text, " (adopted from {origin})");
    }
    text.push('\n');
    text
}

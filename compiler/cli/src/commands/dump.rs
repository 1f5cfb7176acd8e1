//! `flowc dump`: shows the values of artifacts, or saves them to a file.

use std::env;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::bail;
use serde_json::{Value, json};

use crate::place::{Origin, StoreArgs};
use crate::tasks::{self, Left, Which, one_line};
use crate::values::{self, Reader, Wanted};
use crate::{Outcome, operate, output};

use super::artifacts::heading;

/// Arguments of `flowc dump`.
#[derive(clap::Args)]
#[command(after_help = "\
Reading a value means unpickling it, which runs code that its author chose: dump only what you would run.

Examples:
  flowc dump TrainFlow/1732190000000000/train              of all tasks of a step
  flowc dump argo-trainflow-x7k2p/train/t-3 --include loss,model
  flowc dump 1732190000000000/end --max-value-size 100000
  flowc dump 1732190000000000/end --file end.pickle        a dictionary by task, as Metaflow writes it")]
pub(crate) struct Args {
    /// The run: `Flow/run` or its id alone; then a step and a task if wanted
    #[arg(value_name = "RUN[/STEP[/TASK]]")]
    run: String,
    #[command(flatten)]
    which: Which,
    /// Show only values whose pickle has at most so many bytes; 0 shows names alone
    #[arg(long, value_name = "BYTES", default_value_t = 1000)]
    max_value_size: u64,
    /// Save the values, whatever their size, as a pickle in this file
    #[arg(long, value_name = "FILE", conflicts_with = "json")]
    file: Option<PathBuf>,
    /// Write them as JSON; a value that JSON cannot hold is there as text only
    #[arg(long)]
    json: bool,
    /// The Python that reads the values [default: the one that runs steps]
    #[arg(long, value_name = "PROGRAM")]
    python: Option<OsString>,
    #[command(flatten)]
    place: StoreArgs,
}

/// Shows or saves the values.
pub(crate) fn run(args: &Args) -> anyhow::Result<Outcome> {
    operate::block_on(async {
        let Some(store) = args.place.open(Origin::of(&args.run)).await? else {
            return Ok(Outcome::Trouble);
        };
        let left = tasks::left(&store, &args.run).await?;
        let mut wanted = Vec::new();
        for left in &left {
            for artifact in left.artifacts(&args.which) {
                if args.file.is_none() && artifact.size > args.max_value_size {
                    continue;
                }
                wanted.push(Wanted {
                    task: left.task.clone(),
                    name: artifact.name.to_owned(),
                    key: artifact.key.to_owned(),
                    size: artifact.size,
                });
            }
        }
        let reader = Reader::find(args.python.as_deref(), &store)?;
        if let Some(file) = &args.file {
            let file = env::current_dir()?.join(file);
            reader.save(&wanted, &file).await?;
            let count = wanted.len();
            let plural = if count == 1 { "" } else { "s" };
            output::status(
                "Saved",
                format_args!("{count} artifact{plural} to {}", file.display()),
            );
            return Ok(Outcome::Fine);
        }
        let answers = reader.tell(&wanted).await?;
        let mut shown = Shown {
            args,
            answers: wanted.iter().zip(answers).peekable(),
        };
        let text = if args.json {
            let tasks: Vec<Value> = left.iter().map(|left| shown.json(left)).collect();
            format!("{:#}\n", json!({ "tasks": tasks }))
        } else {
            left.iter().map(|left| shown.text(left)).collect()
        };
        if shown.answers.next().is_some() {
            bail!("internal error in flowc: an answer is left over");
        }
        output::data(&text)?;
        Ok(Outcome::Fine)
    })
}

/// Puts tasks and the answers for their artifacts together; answers come in order.
struct Shown<'a, A: Iterator<Item = (&'a Wanted, values::Answer)>> {
    args: &'a Args,
    answers: std::iter::Peekable<A>,
}

impl<'a, A: Iterator<Item = (&'a Wanted, values::Answer)>> Shown<'a, A> {
    fn answer(&mut self, task: &str, name: &str) -> Option<values::Answer> {
        let is_next = |(wanted, _): &(&Wanted, _)| wanted.task == task && wanted.name == name;
        self.answers.next_if(is_next).map(|(_, answer)| answer)
    }

    fn text(&mut self, left: &Left) -> String {
        let mut text = heading(left);
        for artifact in left.artifacts(&self.args.which) {
            let size = tasks::size(artifact.size);
            let value = match self.answer(&left.task, artifact.name) {
                Some(values::Answer::Told { text, .. }) => text.replace('\n', "\n    "),
                Some(values::Answer::Failed(error)) => format!("<cannot be read: {error}>"),
                None => format!("<{}, {size}: larger than --max-value-size>", artifact.ty),
            };
            // Writing to a string cannot fail.
            let _ = writeln!(text, "  {} = {value}", one_line(artifact.name));
        }
        text
    }

    fn json(&mut self, left: &Left) -> Value {
        let mut artifacts = Vec::new();
        for artifact in left.artifacts(&self.args.which) {
            let mut told = json!({
                "name": artifact.name,
                "type": artifact.ty,
                "size": artifact.size,
                "sha1": artifact.key,
            });
            if let Some(answer) = self.answer(&left.task, artifact.name) {
                answer.enter(&mut told);
            }
            artifacts.push(told);
        }
        json!({
            "task": left.task,
            "attempt": left.record.attempt,
            "committed": left.is_result,
            "origin": left.origin,
            "artifacts": artifacts,
        })
    }
}

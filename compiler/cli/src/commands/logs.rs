//! `flowc logs`: what the tasks of a run printed, from the store, whoever ran it.

use std::collections::HashMap;
use std::io;
use std::time::Duration;

use anyhow::bail;
use flowc_core::diag::render::Colour;
use flowc_task::commit::Place;
use flowc_task::history::{self, AttemptRecord, Name, Origins, RunRecord, TaskRecord, log};
use flowc_task::store::{Store, StoreError};
use flowc_task::task::Stream;
use futures::{StreamExt, TryStreamExt};

use crate::place::{Origin, StoreArgs};
use crate::run::progress::write_line;
use crate::{Outcome, operate, output, tasks};

/// Logs that are read at a time.
const CONCURRENT: usize = 16;

/// Between two looks at a run that is followed. A task on an orchestrator saves its output after 10 s at the earliest.
const PAUSE: Duration = Duration::from_secs(2);

/// Arguments of `flowc logs`.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  flowc logs TrainFlow/argo-trainflow-x7k2p              all tasks, step by step
  flowc logs TrainFlow/argo-trainflow-x7k2p/train/t-3    one of them
  flowc logs argo-trainflow-x7k2p/train --stderr         what a step complained about
  flowc logs 1732190000000000 --follow                   until the run's last step has ended")]
pub(crate) struct Args {
    /// The run: `Flow/run` or its id alone; then a step and a task if wanted
    #[arg(value_name = "RUN[/STEP[/TASK]]")]
    run: String,
    /// The attempt, from 0 [default: each task's latest]
    #[arg(long, value_name = "N")]
    attempt: Option<u32>,
    /// Only standard output
    #[arg(long, conflicts_with = "stderr")]
    stdout: bool,
    /// Only standard error
    #[arg(long)]
    stderr: bool,
    /// Go on until the last step has ended, or Ctrl-C
    #[arg(long, short)]
    follow: bool,
    #[command(flatten)]
    place: StoreArgs,
}

impl Args {
    fn wants(&self, stream: Stream) -> bool {
        match stream {
            Stream::Stdout => !self.stderr,
            Stream::Stderr => !self.stdout,
        }
    }
}

/// Prints the logs.
pub(crate) fn run(args: &Args) -> anyhow::Result<Outcome> {
    operate::block_on(async {
        let Some(store) = args.place.open(Origin::of(&args.run)).await? else {
            return Ok(Outcome::Trouble);
        };
        let name = history::find(&store, &args.run).await?;
        let mut printer = Printer::new(args, &store, &name);
        let mut plans = history::Plans::new();
        loop {
            let record = history::run_cached(&store, &name.flow, &name.run, &mut plans).await?;
            let Some(mut record) = record else {
                bail!("there is no run `{}` in {}", args.run, store.url());
            };
            printer.origins.enter(&store, &mut record).await?;
            let is_over = has_ended(&name, &record);
            match printer.print(&record).await {
                // Whoever read it has seen enough.
                Err(error) if is_broken_pipe(&error) => return Ok(Outcome::Fine),
                other => other?,
            }
            if !args.follow || is_over {
                break;
            }
            tokio::time::sleep(PAUSE).await;
        }
        printer.conclude()
    })
}

/// Whether nothing more can come of what a name names, as far as the store can tell.
fn has_ended(name: &Name, record: &RunRecord) -> bool {
    let Some(step) = &name.step else {
        return record.is_complete();
    };
    let Some(step) = record.step(step) else {
        return false;
    };
    let is_committed = |task: &&TaskRecord| task.committed_ms.is_some();
    let mut committed = step.tasks.iter().filter(is_committed);
    match &name.task {
        Some(id) => committed.any(|task| task.id == *id),
        None => record.is_complete() || step.expected == Some(committed.count() as u64),
    }
}

/// Prints lines, each once.
struct Printer<'a> {
    args: &'a Args,
    store: &'a Store,
    name: &'a Name,
    /// How much of each log was there, and how many lines of it were printed.
    seen: HashMap<(Place, u32), (u64, usize)>,
    lines: usize,
    tasks: usize,
    /// Where tasks that were taken over have their logs.
    origins: Origins,
}

impl<'a> Printer<'a> {
    fn new(args: &'a Args, store: &'a Store, name: &'a Name) -> Self {
        Self {
            args,
            store,
            name,
            seen: HashMap::new(),
            lines: 0,
            tasks: 0,
            origins: Origins::default(),
        }
    }

    /// Prints what is new.
    async fn print(&mut self, record: &RunRecord) -> anyhow::Result<()> {
        tasks::check_step(self.name, record)?;
        let (args, store) = (self.args, self.store);
        let mut wanted = Vec::new();
        self.tasks = 0;
        for (step, task) in tasks::selected(self.name, record) {
            self.tasks += 1;
            let Some(attempt) = chosen(args, task) else {
                continue;
            };
            let run = self.origins.of(step, &task.id).unwrap_or(&record.run);
            let place = Place::new(&record.flow, run, step, &task.id);
            let size = attempt.stdout + attempt.stderr;
            let seen = self.seen.get(&(place.clone(), attempt.number));
            if seen.map_or(size > 0, |(before, _)| *before != size) {
                wanted.push((step, task, attempt, place, size));
            }
        }
        let reads = wanted.into_iter().map(|wanted| async move {
            let (step, task, attempt, place, size) = wanted;
            let lines = log::read(store, &place, attempt, |stream| args.wants(stream)).await?;
            Ok::<_, StoreError>((step, task, (place, attempt.number), size, lines))
        });
        let mut reads = std::pin::pin!(futures::stream::iter(reads).buffered(CONCURRENT));
        while let Some((step, task, key, size, lines)) = reads.try_next().await? {
            let (before, printed) = self.seen.entry(key).or_default();
            for line in lines.iter().skip(*printed) {
                show(step, &task.id, line)?;
            }
            self.lines += lines.len().saturating_sub(*printed);
            (*before, *printed) = (size, lines.len());
        }
        Ok(())
    }

    /// Says so where there was nothing to print.
    fn conclude(&self) -> anyhow::Result<Outcome> {
        if self.lines > 0 {
            return Ok(Outcome::Fine);
        }
        if self.tasks == 0 {
            bail!("{} has not begun", tasks::shown(self.name));
        }
        output::remark("nothing was printed, or nothing is saved yet\n");
        Ok(Outcome::Fine)
    }
}

/// The attempt to show.
fn chosen<'a>(args: &Args, task: &'a TaskRecord) -> Option<&'a AttemptRecord> {
    match args.attempt {
        Some(number) => task.attempts.iter().find(|it| it.number == number),
        None => task.attempts.last(),
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let error = error.downcast_ref::<io::Error>();
    error.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

fn show(step: &str, task: &str, line: &log::Line) -> anyhow::Result<()> {
    let written = match line.stream {
        Stream::Stdout => {
            let colour = output::data_colour();
            write_line(&mut io::stdout().lock(), colour, step, task, &line.text)
        }
        Stream::Stderr => {
            let colour = output::colour() == Colour::Always;
            write_line(&mut io::stderr().lock(), colour, step, task, &line.text)
        }
    };
    Ok(written?)
}

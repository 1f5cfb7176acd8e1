//! `flowc test`: runs a part of a flow by itself.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, bail};
use flowc_core::diag::Diagnostics;
use flowc_local::interpreter;
use flowc_protocol::exit::Exit;
use flowc_protocol::identity::IndexPath;
use flowc_task::harness;
use flowc_task::launch::Streams;
use flowc_task::signals::{self, Interrupts};
use serde_json::{Value, json};

use crate::describe::Given;
use crate::load::{BranchArgs, Compilation};
use crate::place::{Local, Origin, StoreArgs, variable};
use crate::run::findings::{Findings, no_python};
use crate::run::origin;
use crate::run::session::{self, cache, has_terminal};
use crate::scene::{Played, Scene, Subject};
use crate::tasks::{self, Left, Which};
use crate::values::{Answer, Reader, Wanted};
use crate::{Outcome, operate, output};

/// Longest value that is shown in the list, in characters.
const SHOWN: usize = 100;

/// Largest pickle whose value is shown, bytes.
const LARGEST: u64 = 100_000;

/// Arguments of `flowc test`.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand)]
enum What {
    /// Run one step on artifacts of a past run or of a file, and show what it leaves
    Step(StepArgs),
}

/// Arguments of `flowc test step`.
#[derive(clap::Args)]
#[command(after_help = "\
The step runs once, without retries, in a store of its own that is thrown away; past runs are only read. It exits 0 if
the step succeeded, 1 if it failed. In a terminal the step has it to itself: breakpoint() and pdb.set_trace() work.

Examples:
  flowc test step flow.py train --from TrainFlow/1732190000000000             its first task
  flowc test step flow.py train --from TrainFlow/1732190000000000/train/t-3   one of them
  flowc test step flow.py train --from argo-trainflow-x7k2p --index 3
  flowc test step flow.py train --fixture train.json

A fixture holds artifacts by name, {\"alpha\": 0.5, \"items\": [1, 2]}, or a list of such objects for a join: branches as
written, elements in order. It is JSON, or a pickle, also one that `flowc dump --file` wrote. Parameters that it does
not hold have their defaults. The step is run by the Python that --python names.")]
struct StepArgs {
    /// The flow's file, `flow.py` or `flow.py:ClassName`
    flow: String,
    /// The step
    step: String,
    /// A past run whose results the step starts from; a task of it says which task
    #[arg(
        long,
        value_name = "RUN[/STEP/TASK]",
        required_unless_present = "fixture"
    )]
    from: Option<String>,
    /// A file with the artifacts that the step starts from
    #[arg(long, value_name = "FILE", conflicts_with = "from")]
    fixture: Option<PathBuf>,
    /// The place in the open foreaches, outermost first [default: the first element of each]
    #[arg(long, value_name = "N[-N…]")]
    index: Option<String>,
    /// Write what the step left as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    given: Given,
    #[command(flatten)]
    branch: BranchArgs,
    #[command(flatten)]
    place: StoreArgs,
}

/// Runs the test.
pub(crate) fn run(args: &Args) -> anyhow::Result<Outcome> {
    match &args.what {
        What::Step(args) => step(args),
    }
}

fn step(args: &StepArgs) -> anyhow::Result<Outcome> {
    let mut compilation = Compilation::load_with(&args.flow, &args.given)?;
    let profile = session::report(&mut compilation, &args.branch.choice())?;
    let (Some(plan), Some(profile)) = (&compilation.plan, profile) else {
        return Ok(Outcome::FlowFailed);
    };
    let findings = Findings {
        tree: &compilation.tree,
    };
    if let Some(found) = origin::unknown_step(plan, &args.step) {
        let mut all = Diagnostics::default();
        all.push(found);
        findings.show(&all);
        return Ok(Outcome::Trouble);
    }
    let mut python = match interpreter::choose(args.given.python.as_deref(), &variable) {
        Ok(python) => python,
        Err(error) => return Ok(findings.refuse(no_python(error.to_string()))),
    };
    let cwd = std::env::current_dir().context("cannot tell the current folder")?;
    python.resolve(&cwd, &variable);
    let root = compilation.argument().root();
    let code =
        fs::canonicalize(&root).with_context(|| format!("cannot resolve {}", root.display()))?;
    let user = Local::find()?.user();
    let mut manifest = session::manifest_here(plan, &profile, &user);
    let depth = match manifest.steps.get_mut(&args.step) {
        Some(step) => {
            step.retries = 0;
            step.foreach.len()
        }
        None => 0,
    };
    let mut subject = Subject {
        manifest: Arc::new(manifest),
        step: args.step.clone(),
        index: index(args.index.as_deref(), depth)?,
        code,
        python: python.program.clone(),
        harness: harness::install(&cache(&variable)).context("cannot write the harness")?,
        streams: if is_on_terminal(args) {
            Streams::Terminal
        } else {
            Streams::Pipes
        },
        user,
    };
    let interrupts = match subject.streams {
        Streams::Terminal => Interrupts::LeftToTask,
        Streams::Pipes => Interrupts::Stop,
    };
    operate::block_on(async {
        let scene = match (&args.from, &args.fixture) {
            (Some(from), _) => {
                let Some(store) = args.place.open(Origin::of(from)).await? else {
                    return Ok(Outcome::Trouble);
                };
                Scene::of_run(&subject, &store, from).await?
            }
            (None, Some(file)) => Scene::of_fixture(&mut subject, file).await?,
            (None, None) => bail!("name a past run by --from, or a file by --fixture"),
        };
        let stop = signals::listen(interrupts).context("cannot listen for signals")?;
        let played = scene.play(&subject, stop).await?;
        let reader = Reader::find(args.given.python.as_deref(), &scene.store)?;
        tell(args, &subject, &scene, &reader, played).await
    })
}

/// Whether the step has the terminal, so that it can be debugged.
fn is_on_terminal(args: &StepArgs) -> bool {
    let is_seen = io::stdin().is_terminal() && io::stdout().is_terminal();
    is_seen && io::stderr().is_terminal() && !args.json && has_terminal()
}

/// The place that was asked for.
fn index(given: Option<&str>, depth: usize) -> anyhow::Result<Option<IndexPath>> {
    let Some(given) = given else {
        return Ok(None);
    };
    match given.parse::<IndexPath>() {
        Ok(index) if index.indices().len() == depth => Ok(Some(index)),
        Ok(_) => {
            bail!("the step is inside {depth} foreaches, and --index {given} names another number")
        }
        Err(_) => bail!("--index takes numbers from 0 on, as in 3 or 3-1, not `{given}`"),
    }
}

/// Says what the step left, and how it ended.
async fn tell(
    args: &StepArgs,
    subject: &Subject,
    scene: &Scene,
    reader: &Reader<'_>,
    played: Played,
) -> anyhow::Result<Outcome> {
    let inherited = scene.inherited(subject).await;
    let shown = Shown::read(&played, &inherited, reader).await?;
    let Played { report, task, .. } = &played;
    if args.json {
        let whole = json!({
            "task": task,
            "ok": report.exit == Exit::Done,
            "error": report.error,
            "count": report.count,
            "next": report.next,
            "artifacts": shown.to_json(),
        });
        output::data(&format!("{whole:#}\n"))?;
    } else {
        output::data(&shown.to_text())?;
        let unchanged = shown.unchanged();
        if !unchanged.is_empty() {
            output::status("Unchanged", unchanged.join(", "));
        }
    }
    if report.exit == Exit::Done {
        let way = match (report.count, &report.next) {
            (Some(count), _) => format!("; splits into {count}"),
            (None, Some(next)) => format!("; chooses {next}"),
            (None, None) => String::new(),
        };
        output::status("Passed", format_args!("{task}{way}"));
        return Ok(Outcome::Fine);
    }
    let why = report.error.as_deref().unwrap_or("it failed");
    output::problem("Failed", format_args!("{task}: {why}"));
    Ok(match report.exit {
        Exit::UserFailure | Exit::UserFailureFinal => Outcome::FlowFailed,
        Exit::Interrupted => Outcome::Interrupted,
        Exit::Done
        | Exit::Configuration
        | Exit::Corrupt
        | Exit::Conflict
        | Exit::Store
        | Exit::Machine => Outcome::Trouble,
    })
}

/// What a step left.
struct Shown {
    artifacts: Vec<Seen>,
}

/// An artifact that a step left.
struct Seen {
    name: String,
    ty: String,
    size: u64,
    key: String,
    is_changed: bool,
    /// Only of those that changed and are not very large.
    answer: Option<Answer>,
}

impl Shown {
    async fn read(
        played: &Played,
        inherited: &HashSet<(String, String)>,
        reader: &Reader<'_>,
    ) -> anyhow::Result<Self> {
        let Some(record) = &played.record else {
            return Ok(Self {
                artifacts: Vec::new(),
            });
        };
        let left = Left {
            task: played.task.clone(),
            is_result: played.report.exit == Exit::Done,
            origin: None,
            record: record.clone(),
        };
        let found = left.artifacts(&Which::default());
        let mut artifacts: Vec<Seen> = found
            .iter()
            .map(|artifact| Seen {
                name: artifact.name.to_owned(),
                ty: artifact.ty.to_owned(),
                size: artifact.size,
                key: artifact.key.to_owned(),
                is_changed: !inherited
                    .contains(&(artifact.name.to_owned(), artifact.key.to_owned())),
                answer: None,
            })
            .collect();
        let mut wanted: Vec<&mut Seen> = artifacts
            .iter_mut()
            .filter(|seen| seen.is_changed && seen.size <= LARGEST)
            .collect();
        let asked: Vec<Wanted> = wanted
            .iter()
            .map(|seen| Wanted {
                task: played.task.clone(),
                name: seen.name.clone(),
                key: seen.key.clone(),
                size: seen.size,
            })
            .collect();
        for (seen, answer) in wanted.iter_mut().zip(reader.tell(&asked).await?) {
            seen.answer = Some(answer);
        }
        Ok(Self { artifacts })
    }

    fn unchanged(&self) -> Vec<&str> {
        let unchanged = self.artifacts.iter().filter(|seen| !seen.is_changed);
        unchanged.map(|seen| seen.name.as_str()).collect()
    }

    fn to_text(&self) -> String {
        let mut text = String::new();
        for seen in self.artifacts.iter().filter(|seen| seen.is_changed) {
            let value = match &seen.answer {
                Some(Answer::Told { text, .. }) => shortened(text),
                Some(Answer::Failed(error)) => format!("<cannot be read: {error}>"),
                None => format!("<{}>", tasks::size(seen.size)),
            };
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{} ({}) = {value}", seen.name, seen.ty);
        }
        text
    }

    fn to_json(&self) -> Vec<Value> {
        let artifacts = self.artifacts.iter();
        let told = artifacts.map(|seen| {
            let mut told = json!({
                "name": seen.name,
                "type": seen.ty,
                "size": seen.size,
                "sha1": seen.key,
                "changed": seen.is_changed,
            });
            if let Some(answer) = &seen.answer {
                answer.enter(&mut told);
            }
            told
        });
        told.collect()
    }
}

/// The beginning of a value, on one line.
fn shortened(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= SHOWN {
        return line;
    }
    let start: String = line.chars().take(SHOWN).collect();
    format!("{start}…")
}

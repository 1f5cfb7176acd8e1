//! `flowc run`: runs a flow on this machine.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context;
use flowc_core::diag::{Code, Diagnostic, Diagnostics, Severity, render};
use flowc_core::front::python;
use flowc_core::ir::plan::Plan;
use flowc_core::source::SourceTree;
use flowc_local::interpreter::{self, Interpreter};
use flowc_local::run::{Run, RunError, RunRequest, Start};
use flowc_local::schedule::{Ending, Failure, Limits};
use flowc_target::manifest;
use flowc_task::signals;
use tokio::runtime::Runtime;

use crate::load::Compilation;
use crate::parameters;
use crate::place::{Local, variable};
use crate::run::arguments::{self, Arguments, OPTIONS};
use crate::run::progress::{Progress, seconds};
use crate::{Outcome, help, output, words};

use super::check::MessageFormat;

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
    let arguments = arguments::parse(&args.rest)?;
    let Some(flow) = arguments.flow.clone() else {
        if arguments.help {
            output::data(&help(None))?;
            return Ok(Outcome::Fine);
        }
        anyhow::bail!("name the flow to run, as in `flowc run flow.py`");
    };
    let mut compilation = Compilation::load(&flow)?;
    if arguments.help {
        output::data(&help(compilation.plan.as_ref()))?;
        return Ok(Outcome::Fine);
    }
    let settings = compilation.settings()?;
    let profile = settings
        .profile(None)
        .map_err(|found| compilation.diagnostics.push(*found))
        .ok();
    compilation.report(MessageFormat::Text)?;
    let (Some(plan), Some(profile)) = (&compilation.plan, profile) else {
        return Ok(Outcome::FlowFailed);
    };
    if compilation.diagnostics.has_errors() {
        return Ok(Outcome::FlowFailed);
    }
    let findings = Findings {
        tree: &compilation.tree,
    };
    let (values, found) = parameters::collect(plan, &arguments.values, &variable, COMMAND);
    findings.show(&found);
    if found.has_errors() {
        return Ok(Outcome::Trouble);
    }
    let mut python = match interpreter::choose(arguments.python.as_deref(), &variable) {
        Ok(python) => python,
        Err(error) => return Ok(findings.refuse(no_python(error.to_string()))),
    };
    let local = Local::find()?;
    if let Some(url) = local.settings.get("SERVICE_URL", &variable) {
        findings.show_one(service_warning(&url));
    }
    let cwd = env::current_dir().context("cannot tell the current folder")?;
    python.resolve(&cwd, &variable);
    let root = compilation.argument().root();
    let code =
        fs::canonicalize(&root).with_context(|| format!("cannot resolve {}", root.display()))?;
    let flow_file = compilation.tree.files().next().map(|(file, _)| file);
    let mut modules =
        flow_file.map_or_else(Vec::new, |file| python::preload(&compilation.tree, file));
    if let Some(at) = modules.iter().position(|module| is_in_tree(module, &code)) {
        modules.truncate(at);
    }
    // Two threads serve any number of tasks: user code has processes of its own.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let place = local.choose(arguments.store.as_deref());
    let store = match runtime.block_on(local.open(&place)) {
        Ok(store) => store,
        Err(error) => return Ok(findings.refuse(no_store(&place, format!("{error:#}")))),
    };
    let request = RunRequest {
        manifest: Arc::new(manifest::manifest(plan, profile.empty_foreach)),
        store,
        user: local.user(),
        metadata: local.root,
        parameters: values,
        tags: arguments.tags.clone(),
        python: python.program.clone(),
        start: if arguments.no_fork || cfg!(target_os = "macos") {
            Start::Fresh
        } else {
            Start::Fork { modules }
        },
        cache: cache(&variable),
        limits: limits(&arguments),
        code,
        cwd,
    };
    let again = words::shown(&args.rest);
    execute(
        runtime, request, &arguments, &findings, &python, plan, &again,
    )
}

/// Runs it and says how it ended.
fn execute(
    runtime: Runtime,
    request: RunRequest,
    arguments: &Arguments,
    findings: &Findings<'_>,
    python: &Interpreter,
    plan: &Plan,
    again: &str,
) -> anyhow::Result<Outcome> {
    let began = Instant::now();
    let place = request.store.url().to_owned();
    let id_file = arguments.run_id_file.clone().map(PathBuf::from);
    let progress = Arc::new(Progress::new(move |run| {
        let Some(file) = &id_file else {
            return;
        };
        if let Err(error) = fs::write(file, run) {
            let shown = file.display();
            output::remark(&format!("cannot write the run's id to {shown}: {error}\n"));
        }
    }));
    let reporter = Arc::clone(&progress);
    let ran = runtime.block_on(async {
        let stop = signals::listen().context("cannot listen for signals")?;
        anyhow::Ok(flowc_local::run::run(request, reporter, stop).await)
    })?;
    // A task that could not be ended must not keep the command from ending.
    runtime.shutdown_background();
    progress.finish();
    let run = match ran {
        Ok(run) => run,
        Err(RunError::Python(error)) => {
            let said = format!("{error} ({})", python.chooser.describe());
            return Ok(findings.refuse(no_python(said)));
        }
        Err(RunError::Store(error)) => {
            return Ok(findings.refuse(no_store(&place, error.to_string())));
        }
        Err(RunError::File { path, source }) => {
            let said = format!("cannot write {}: {source}", path.display());
            return Ok(findings.refuse(no_store(&place, said)));
        }
    };
    let location = shown_place(&run.location);
    let ended = Ended {
        name: format!("{}/{}", plan.flow, run.id),
        took: seconds(began.elapsed()),
        tasks: progress.committed(),
        location,
        run,
    };
    Ok(ended.tell(findings, plan, again))
}

/// A run that is over.
struct Ended {
    name: String,
    took: String,
    tasks: u32,
    /// As people would type it.
    location: String,
    run: Run,
}

impl Ended {
    fn tell(&self, findings: &Findings<'_>, plan: &Plan, again: &str) -> Outcome {
        let Self {
            name,
            took,
            tasks,
            location,
            run,
        } = self;
        let plural = if *tasks == 1 { "" } else { "s" };
        match &run.ending {
            Ending::Done => {
                output::status(
                    "Finished",
                    format_args!("{name} in {took} ({tasks} task{plural})"),
                );
                output::status("Artifacts", location);
                output::status(
                    "Look",
                    format_args!("from metaflow import Run; Run(\"{name}\").data"),
                );
                Outcome::Fine
            }
            Ending::Failed(failures) => {
                output::problem(
                    "Failed",
                    format_args!("{name} after {took}: {}", listed(failures)),
                );
                output::status("Kept", format_args!("{tasks} task{plural} in {location}"));
                Outcome::FlowFailed
            }
            Ending::TooWide { step, index, count } => {
                findings.show_one(too_wide(plan, step, &index.task_id(), *count));
                output::problem("Failed", format_args!("{name} after {took}"));
                Outcome::FlowFailed
            }
            Ending::Interrupted(tasks) => {
                let while_running = if tasks.is_empty() {
                    String::new()
                } else {
                    format!(" while {} ran", shortened(tasks))
                };
                output::problem(
                    "Stopped",
                    format_args!("{name} after {took}{while_running}"),
                );
                output::status("Kept", location);
                output::status("Again", format_args!("flowc run {again}"));
                Outcome::Interrupted
            }
        }
    }
}

/// A folder below the current one without what everybody knows of its path.
fn shown_place(location: &str) -> String {
    let cwd = env::current_dir().unwrap_or_default();
    let below = Path::new(location).strip_prefix(cwd);
    below.map_or_else(|_| location.to_owned(), |below| below.display().to_string())
}

/// Failed tasks with what they said.
fn listed(failures: &[Failure]) -> String {
    let names: Vec<String> = failures
        .iter()
        .map(|failure| format!("{}/{}", failure.step, failure.index.task_id()))
        .collect();
    match failures {
        [one] => {
            let why = one.report.error.as_deref().unwrap_or("it failed");
            format!("{}: {why}", names[0])
        }
        _ => format!("{} tasks failed, {}", names.len(), shortened(&names)),
    }
}

/// The first few of many names.
fn shortened(names: &[String]) -> String {
    const SHOWN: usize = 5;
    let more = names.len().saturating_sub(SHOWN);
    let shown = names[..names.len() - more].join(", ");
    if more == 0 {
        shown
    } else {
        format!("{shown} and {more} more")
    }
}

/// Shows findings of this command in the form of the compiler's.
struct Findings<'a> {
    tree: &'a SourceTree,
}

impl Findings<'_> {
    fn show(&self, found: &Diagnostics) {
        if !found.is_empty() {
            output::remark(&render::text(self.tree, found, output::colour()));
        }
    }

    fn show_one(&self, found: Diagnostic) {
        let mut all = Diagnostics::default();
        all.push(found);
        self.show(&all);
    }

    /// Shows why nothing was run.
    fn refuse(&self, found: Diagnostic) -> Outcome {
        self.show_one(found);
        Outcome::Trouble
    }
}

fn no_python(said: String) -> Diagnostic {
    Diagnostic::new(Code::FC4004, Severity::Error, said)
        .help("install Python 3.8 or later, activate a virtual environment, or name one by `--python PROGRAM`")
}

fn no_store(place: &str, said: String) -> Diagnostic {
    let help = if place.contains("://") {
        "or keep the run's data in a folder: `--store DIR`"
    } else {
        "name a store that you may write to: `--store DIR` or `--store s3://BUCKET/PREFIX`"
    };
    Diagnostic::new(Code::FC4005, Severity::Error, said).help(help)
}

fn too_wide(plan: &Plan, step: &str, task: &str, count: u32) -> Diagnostic {
    let message =
        format!("foreach of `{step}` has {count} elements, more than --max-num-splits allows");
    let found = plan.steps.iter().find(|(_, known)| known.name == step);
    let diagnostic = match found {
        Some((_, known)) => Diagnostic::error(
            Code::FC4006,
            message,
            known.span,
            format!("fans out in task `{task}`"),
        ),
        None => Diagnostic::new(Code::FC4006, Severity::Error, message),
    };
    diagnostic.help(format!("if that is meant, add `--max-num-splits {count}`"))
}

fn service_warning(url: &str) -> Diagnostic {
    let message = format!("Metaflow's service at {url} is not told about this run");
    Diagnostic::new(Code::FC4007, Severity::Warning, message)
        .note("the run is entered in the local metadata tree only")
}

fn limits(arguments: &Arguments) -> Limits {
    let default = Limits::default();
    Limits {
        max_workers: arguments.max_workers.unwrap_or(default.max_workers),
        max_num_splits: arguments.max_num_splits.unwrap_or(default.max_num_splits),
    }
}

/// Where the harness is kept between runs.
fn cache(variable: &dyn Fn(&str) -> Option<OsString>) -> PathBuf {
    let absolute = |name: &str| {
        variable(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let base =
        absolute("XDG_CACHE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".cache")));
    base.unwrap_or_else(env::temp_dir).join("flowc")
}

/// Whether a module to preload is the user's own: found beside the flow file, it may do anything.
fn is_in_tree(module: &str, code: &Path) -> bool {
    let top = module.split(['.', ':']).next().unwrap_or_default();
    code.join(format!("{top}.py")).exists() || code.join(top).is_dir()
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

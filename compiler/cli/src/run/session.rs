//! What `flowc run` and `flowc resume` share: a flow and this machine made ready, and the run itself.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use flowc_core::front::python;
use flowc_core::ir::plan::Plan;
use flowc_local::interpreter::{self, Interpreter};
use flowc_local::resume::Origin;
use flowc_local::run::{Run, RunError, RunRequest, Start};
use flowc_local::schedule::{Limits, Retries};
use flowc_protocol::environment;
use flowc_protocol::json_text::Members;
use flowc_protocol::manifest::Manifest;
use flowc_protocol::trigger::Started;
use flowc_target::{BranchChoice, Profile, manifest};
use flowc_task::signals::{self, Interrupts};
use flowc_task::store::Store;
use flowc_task::task;
use tokio::runtime::Runtime;

use crate::commands::check::MessageFormat;
use crate::load::Compilation;
use crate::place::{Local, variable};
use crate::run::arguments::Arguments;
use crate::run::ended::Ended;
use crate::run::findings::{Findings, no_debugger, no_python, no_store, run_here};
use crate::run::hooks::Hooks;
use crate::run::progress::Progress;
use crate::run::settings;
use crate::store::vault;
use crate::{Outcome, output};

/// Shows what was found in a flow; its profile, unless that was a mistake.
///
/// The profile says nothing of the branch: whoever runs a flow is on their own one, unless options say otherwise.
pub(crate) fn report(
    compilation: &mut Compilation,
    branch: &BranchChoice,
) -> anyhow::Result<Option<Profile>> {
    let in_project = compilation
        .plan
        .as_ref()
        .is_some_and(|plan| plan.project.is_some());
    if in_project && !branch.is_made() {
        compilation.choose_branch(&branch_of_metaflow(&variable), None);
    } else {
        compilation.choose_branch(branch, None);
    }
    let settings = compilation.settings()?;
    let profile = settings
        .profile(None)
        .map_err(|found| compilation.diagnostics.push(*found))
        .ok();
    compilation.report(MessageFormat::Text)?;
    let is_good = compilation.plan.is_some() && !compilation.diagnostics.has_errors();
    Ok(profile.filter(|_| is_good))
}

/// The branch that Metaflow's own variables say, which it takes for options.
fn branch_of_metaflow(variable: &dyn Fn(&str) -> Option<OsString>) -> BranchChoice {
    let text = |name: &str| variable(name)?.into_string().ok();
    let is_true = |text: String| {
        let truths = ["1", "true", "t", "yes", "y", "on"];
        truths.contains(&text.trim().to_lowercase().as_str())
    };
    BranchChoice {
        branch: text("METAFLOW_BRANCH").filter(|name| !name.is_empty()),
        production: text("METAFLOW_PRODUCTION").is_some_and(is_true),
    }
}

/// What a run needs of this machine.
pub(crate) struct Machine {
    pub(crate) local: Local,
    pub(crate) runtime: Runtime,
    pub(crate) store: Store,
    python: Interpreter,
    cwd: PathBuf,
}

impl Machine {
    /// Finds Python and opens the store; the outcome where one of them is not to be had, after saying so.
    pub(crate) fn prepare(
        local: Local,
        arguments: &Arguments,
        findings: &Findings<'_>,
    ) -> anyhow::Result<Result<Self, Outcome>> {
        let mut python = match interpreter::choose(arguments.python.as_deref(), &variable) {
            Ok(python) => python,
            Err(error) => return Ok(Err(findings.refuse(no_python(error.to_string())))),
        };
        if arguments.pdb && !has_terminal() {
            let said = "`--pdb` gives the terminal to the tasks, and there is none";
            return Ok(Err(findings.refuse(no_debugger(said))));
        }
        if arguments.pdb && arguments.max_workers.is_some_and(|workers| workers > 1) {
            let said = "`--pdb` runs one task at a time, and `--max-workers` asks for more";
            return Ok(Err(findings.refuse(no_debugger(said))));
        }
        settings::warn(&local, findings)?;
        let cwd = env::current_dir().context("cannot tell the current folder")?;
        python.resolve(&cwd, &variable);
        // Two threads serve any number of tasks: user code has processes of its own.
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .context("cannot start the runtime")?;
        let place = local.choose(arguments.store.as_deref())?;
        let store = match runtime.block_on(local.open(&place)) {
            Ok(store) => store,
            Err(error) => {
                return Ok(Err(findings.refuse(no_store(&place, format!("{error:#}")))));
            }
        };
        Ok(Ok(Self {
            local,
            runtime,
            store,
            python,
            cwd,
        }))
    }

    /// Root of the metadata tree: a folder holds that of its own runs.
    pub(crate) fn metadata_root(&self) -> &Path {
        self.store.local_root().unwrap_or(&self.local.root)
    }
}

/// What a run begins with.
pub(crate) struct Beginning {
    /// Values given for parameters.
    pub(crate) parameters: Members,
    /// What is to have started the run.
    pub(crate) triggers: Vec<Started>,
    /// The run that is resumed.
    pub(crate) origin: Option<Origin>,
    /// The command line that began it, without the program.
    pub(crate) again: String,
}

/// Runs the flow and says how it ended.
pub(crate) fn execute(
    compilation: &Compilation,
    plan: &Plan,
    profile: &Profile,
    machine: Machine,
    arguments: &Arguments,
    beginning: Beginning,
) -> anyhow::Result<Outcome> {
    let findings = Findings {
        tree: &compilation.tree,
    };
    if let Some(found) = run_here(plan) {
        findings.show_one(found);
    }
    let root = compilation.argument().root();
    let code =
        fs::canonicalize(&root).with_context(|| format!("cannot resolve {}", root.display()))?;
    let flow_file = compilation.tree.files().next().map(|(file, _)| file);
    let mut modules =
        flow_file.map_or_else(Vec::new, |file| python::preload(&compilation.tree, file));
    if let Some(at) = modules.iter().position(|module| is_in_tree(module, &code)) {
        modules.truncate(at);
    }
    let metadata = machine.metadata_root().to_owned();
    let Machine {
        local,
        runtime,
        store,
        python,
        cwd,
    } = machine;
    let place = store.url().to_owned();
    let user = local.user();
    let manifest = manifest_here(plan, profile, &user);
    if let (Some(project), Some(branch)) = (&manifest.project, &manifest.branch) {
        output::status("Project", format_args!("{project}, branch {branch}"));
    }
    let manifest = Arc::new(manifest);
    let request = RunRequest {
        vault: runtime.block_on(vault(&manifest)),
        manifest: Arc::clone(&manifest),
        store,
        user: user.clone(),
        namespace: arguments.namespace.clone(),
        metadata: local.root,
        parameters: beginning.parameters,
        triggers: beginning.triggers,
        tags: arguments.tags.clone(),
        python: python.program.clone(),
        start: if arguments.pdb {
            Start::Terminal
        } else if arguments.no_fork || cfg!(target_os = "macos") {
            Start::Fresh
        } else {
            Start::Fork { modules }
        },
        cache: cache(&variable),
        limits: limits(arguments),
        output_wait: output_wait()?,
        origin: beginning.origin,
        code: code.clone(),
        cwd,
    };
    let began = Instant::now();
    let progress = Arc::new(Progress::new(
        noting(arguments.run_id_file.as_ref()),
        // Bars would be drawn over what is typed.
        !arguments.pdb,
    ));
    let reporter = Arc::clone(&progress);
    let interrupts = if arguments.pdb {
        Interrupts::LeftToTask
    } else {
        Interrupts::Stop
    };
    let ran = runtime.block_on(async {
        let stop = signals::listen(interrupts).context("cannot listen for signals")?;
        anyhow::Ok(flowc_local::run::run(request, reporter, stop).await)
    })?;
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
        Err(RunError::Origin(error)) => {
            return Ok(findings.refuse(super::origin::unreadable(&error)));
        }
        Err(RunError::File { path, source }) => {
            let said = format!("cannot write {}: {source}", path.display());
            return Ok(findings.refuse(no_store(&place, said)));
        }
    };
    let hooks = Hooks {
        manifest: &manifest,
        python: &python.program,
        code: &code,
        metadata: &metadata,
        user: &user,
    };
    hooks.call(&run);
    let lost = runtime.block_on(lost(&run));
    // A task that could not be ended must not keep the command from ending.
    runtime.shutdown_background();
    let ended = Ended {
        run,
        lost,
        took: began.elapsed(),
        counts: progress.counts(),
        plan,
        arguments,
        again: beginning.again,
    };
    Ok(ended.tell(&findings))
}

/// What steps or hooks have removed of what the run had left.
async fn lost(run: &Run) -> Option<String> {
    match run.kept.check().await {
        Ok(Ok(())) if run.kept.is_visible() => None,
        Ok(Ok(())) => {
            output::remark(
                "Metaflow's client will not see this run: its metadata was removed while it ran\n",
            );
            None
        }
        Ok(Err(lost)) => Some(lost),
        Err(error) => {
            output::remark(&format!(
                "cannot look whether the run's results are still there: {error}\n"
            ));
            None
        }
    }
}

/// The flow's manifest for a run on this machine: in a project, the branch is the user's own where nothing else is said.
pub(crate) fn manifest_here(plan: &Plan, profile: &Profile, user: &str) -> Manifest {
    let mut manifest = manifest::manifest(plan, profile.empty_foreach);
    if manifest.project.is_some() && manifest.branch.is_none() {
        // As in Metaflow, which calls the user so where there is none (`format_name`, read at 2.19.38).
        let owner = variable("METAFLOW_OWNER").and_then(|owner| owner.into_string().ok());
        let owner = owner.unwrap_or_else(|| user.to_owned());
        manifest.branch = Some(format!("user.{owner}"));
    }
    manifest
}

/// Hears the run's id and writes it to a file, if there is one to be written.
fn noting(file: Option<&OsString>) -> impl Fn(&str) + Send + Sync + 'static {
    let file = file.map(PathBuf::from);
    move |run| {
        let Some(file) = &file else {
            return;
        };
        if let Err(error) = fs::write(file, run) {
            let shown = file.display();
            output::remark(&format!("cannot write the run's id to {shown}: {error}\n"));
        }
    }
}

fn limits(arguments: &Arguments) -> Limits {
    let default = Limits::default();
    let workers = if arguments.pdb {
        1
    } else {
        default.max_workers
    };
    Limits {
        max_workers: arguments.max_workers.unwrap_or(workers),
        max_num_splits: arguments.max_num_splits.unwrap_or(default.max_num_splits),
        retries: if arguments.wait_between_retries {
            Retries::AfterPause
        } else {
            default.retries
        },
    }
}

/// Whether there is a terminal that a task could have.
pub(crate) fn has_terminal() -> bool {
    let terminal = fs::File::options().read(true).write(true).open("/dev/tty");
    terminal.is_ok()
}

/// How long what a step left running may hold its output.
pub(crate) fn output_wait() -> anyhow::Result<Duration> {
    let said = variable(environment::OUTPUT_WAIT);
    let said = said.as_ref().map(|said| said.to_string_lossy());
    task::output_wait(said.as_deref()).map_err(anyhow::Error::msg)
}

/// Where the harness is kept between runs.
pub(crate) fn cache(variable: &dyn Fn(&str) -> Option<OsString>) -> PathBuf {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_those_of_the_line() {
        let given = limits(&Arguments {
            max_workers: Some(3),
            max_num_splits: Some(7),
            wait_between_retries: true,
            ..Arguments::default()
        });
        assert_eq!((given.max_workers, given.max_num_splits), (3, 7));
        assert_eq!(given.retries, Retries::AfterPause);
        assert_eq!(limits(&Arguments::default()).retries, Retries::AtOnce);
    }
}

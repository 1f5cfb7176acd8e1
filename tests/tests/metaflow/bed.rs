//! The bed: one Metaflow store, and what both programs are run with.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use flowc_tests::{Forks, Output, flowc, metaflow_python, run, temp_dir};
use serde_json::Value;

/// One Metaflow store that both programs write to, with everything that they read from the environment.
pub(crate) struct Bed {
    pub(crate) root: tempfile::TempDir,
    /// The scripts of `tests/beds/metaflow`, which all import Metaflow first.
    scripts: OnceLock<Forks>,
}

/// A flow under test and the parameters it gets on the command line.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) file: PathBuf,
    pub(crate) class: &'static str,
    pub(crate) arguments: &'static [&'static str],
    pub(crate) random: Random,
    /// What Metaflow is to run in place although its decorators would solve packages for it or send it to a cluster.
    pub(crate) in_place: bool,
}

/// Read by every interpreter before a flow's file: these decorators stay on their steps, and do nothing.
const IN_PLACE: &str = "
from metaflow.plugins.kubernetes.kubernetes_decorator import KubernetesDecorator
from metaflow.plugins.pypi.conda_decorator import CondaFlowDecorator, CondaStepDecorator

for decorator in (CondaFlowDecorator, CondaStepDecorator, KubernetesDecorator):
    for name in list(vars(decorator)):
        if name.startswith(('flow_init', 'step_init', 'package_', 'runtime_', 'task_')):
            delattr(decorator, name)
";

/// Whether the flow draws random numbers that it does not seed.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Random {
    Free,
    /// Python is told to seed `random` and its hashes in every fresh interpreter, so that both programs draw the same and
    /// find a set in the same order.
    Seeded,
}

/// The path on which `python` is this one: Metaflow starts the nodes of a gang by that name.
fn path_with(python: &Path) -> OsString {
    let known = std::env::var_os("PATH").unwrap_or_default();
    let folder = python.parent().map(Path::to_owned);
    let folders = folder.into_iter().chain(std::env::split_paths(&known));
    std::env::join_paths(folders).unwrap()
}

impl Bed {
    pub(crate) fn new() -> Self {
        Self {
            root: temp_dir(),
            scripts: OnceLock::new(),
        }
    }

    pub(crate) fn store(&self) -> PathBuf {
        self.root.path().join(".metaflow")
    }

    /// A command in the bed's folder, with one BLAS thread and a random hash seed, and nobody's Metaflow configuration.
    pub(crate) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.root.path());
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("METAFLOW_") {
                command.env_remove(name);
            }
        }
        for name in ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"] {
            command.env(name, "1");
        }
        command
            .env_remove("PYTHONHASHSEED")
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("HOME", self.root.path())
            .env("METAFLOW_USER", "tester")
            .env("METAFLOW_DEFAULT_METADATA", "local")
            .env("METAFLOW_DATASTORE_SYSROOT_LOCAL", self.root.path());
        command
    }

    /// `command`, for a flow.
    pub(crate) fn command_for(&self, case: &Case, program: &Path) -> Command {
        let mut command = self.command(program);
        if case.random == Random::Seeded {
            let folder = self.root.path().join("seeded");
            fs::create_dir_all(&folder).unwrap();
            let mut text = "import random\nrandom.seed(7)\n".to_owned();
            if case.in_place && program == metaflow_python() {
                text.push_str(IN_PLACE);
            }
            fs::write(folder.join("sitecustomize.py"), text).unwrap();
            command.env("PYTHONPATH", folder).env("PYTHONHASHSEED", "0");
        }
        command
    }

    /// Runs a script of `tests/beds/metaflow` to its end.
    pub(crate) fn script(&self, name: &str, arguments: &[&str]) -> Output {
        let start = || Forks::start(self.command(metaflow_python()), &["metaflow"]);
        let script = format!("tests/beds/metaflow/{name}");
        self.scripts.get_or_init(start).run(&script, arguments)
    }

    /// What the client's script prints.
    #[track_caller]
    pub(crate) fn client(&self, arguments: &[&str]) -> String {
        let output = self.script("client.py", arguments);
        assert_eq!(output.code, Some(0), "{arguments:?}: {output:#?}");
        output.stdout
    }

    /// Runs the flow with Metaflow and returns the run's id.
    pub(crate) fn run_metaflow(&self, case: &Case) -> String {
        let id = self.root.path().join("metaflow-run-id");
        run(self
            .command_for(case, metaflow_python())
            .env("PATH", path_with(metaflow_python()))
            .arg(&case.file)
            .args([
                "--no-pylint",
                "run",
                "--tag",
                "colour:blue",
                "--run-id-file",
            ])
            .arg(&id)
            .args(case.arguments));
        fs::read_to_string(id).unwrap()
    }

    /// Runs the flow with flowc and returns the run's id.
    pub(crate) fn run_flowc(&self, case: &Case) -> String {
        let id = self.root.path().join("flowc-run-id");
        let fresh = match case.random {
            Random::Free => None,
            // A forked child draws its own seed; a fresh interpreter keeps that of its start.
            Random::Seeded => Some("--no-fork"),
        };
        run(self
            .command_for(case, flowc())
            .arg("run")
            .arg(&case.file)
            .args(fresh)
            .arg("--python")
            .arg(metaflow_python())
            .args(["--tag", "colour:blue", "--run-id-file"])
            .arg(&id)
            .args(case.arguments));
        fs::read_to_string(id).unwrap()
    }

    /// Resumes a run of flowc from a step and returns the new run's id.
    pub(crate) fn resume_flowc(&self, case: &Case, step: &str, origin: &str) -> String {
        let id = self.root.path().join("resumed-run-id");
        run(self
            .command_for(case, flowc())
            .arg("resume")
            .arg(&case.file)
            .args([step, "--origin-run-id", origin, "--python"])
            .arg(metaflow_python())
            .args(["--tag", "colour:blue", "--run-id-file"])
            .arg(&id));
        fs::read_to_string(id).unwrap()
    }

    /// What the official client sees of a run.
    #[track_caller]
    pub(crate) fn describe(&self, pathspec: &str) -> Value {
        serde_json::from_str(&self.client(&["describe", pathspec])).unwrap()
    }

    /// The comparison of two runs, equal or not.
    #[track_caller]
    pub(crate) fn compare(&self, case: &Case, left: &str, right: &str) -> Value {
        let (store, file) = (text(&self.store()), text(&case.file));
        let mut arguments = vec![case.class, &store, left, &store, right, "--file", &file];
        if case.in_place {
            // It lists attributes that Metaflow has computed for its conda and its cluster.
            arguments.extend(["--leave-out", "_graph_info"]);
        }
        let output = self.script("compare.py", &arguments);
        serde_json::from_str(&output.stdout)
            .unwrap_or_else(|why| panic!("compare.py: {why}\n{}", output.stderr))
    }
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

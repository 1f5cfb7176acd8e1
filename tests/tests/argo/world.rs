//! A folder with a flow in it, deployed on the shared cluster.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::RwLock;
use std::thread;
use std::time::{Duration, Instant};

use flowc_tests::beds::argo::Argo;
use flowc_tests::{Attempts, Output, Turn, attempts, output, repo_root, temp_dir};
use serde_json::Value;
use tempfile::TempDir;

/// A test that ends the controller, or that counts, has the cluster for itself.
static CLUSTER: RwLock<()> = RwLock::new(());

/// Longest time that a run may take; it is here so that a test that hangs ends.
const PATIENCE: Duration = Duration::from_mins(10);

pub(crate) struct World {
    folder: TempDir,
    pub(crate) argo: &'static Argo,
    _turn: Turn,
}

impl World {
    /// The flow's text without imports and call; `None` if this machine cannot have the bed.
    pub(crate) fn new(flow: &str) -> Option<Self> {
        let argo = Argo::shared()?;
        Some(Self::with(argo, flow, Turn::shared(&CLUSTER)))
    }

    /// As `new`, with no other test beside it.
    pub(crate) fn alone(flow: &str) -> Option<Self> {
        let argo = Argo::shared()?;
        Some(Self::with(argo, flow, Turn::alone(&CLUSTER)))
    }

    /// Whether the test may make the cluster or its store fail.
    pub(crate) fn may_be_harmed(&self) -> bool {
        self.argo.bed.may_be_harmed()
    }

    fn with(argo: &'static Argo, flow: &str, turn: Turn) -> Self {
        let world = Self {
            folder: temp_dir(),
            argo,
            _turn: turn,
        };
        world.flow(flow);
        world.profile("");
        world
    }

    /// Replaces the flow.
    pub(crate) fn flow(&self, flow: &str) {
        let (class, _) = flow
            .split_once("(FlowSpec)")
            .and_then(|(head, rest)| Some((head.rsplit_once("class ")?.1, rest)))
            .unwrap();
        let names = "FlowSpec, Parameter, JSONType, step, retry, timeout, catch, exit_hook, kubernetes, resources, schedule, project, trigger, trigger_on_finish, current";
        let text = format!(
            "import os, signal, sys, time\nfrom metaflow import {names}\n\n{flow}\n\nif __name__ == '__main__':\n    {class}()\n"
        );
        self.write("flow.py", &text);
    }

    /// Replaces the profile: `more` are lines for the profile itself.
    pub(crate) fn profile(&self, more: &str) {
        let text = self.argo.bed.profile(self.argo.namespace, "");
        self.write(
            "flowc.toml",
            &text.replacen(
                "[profile.default]\n",
                &format!("[profile.default]\nrun_as_user = 1000\n{more}\n"),
                1,
            ),
        );
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.path().join(name), text).unwrap();
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// `flowc VERB flow.py --target argo` and what else is given.
    pub(crate) fn flowc(&self, verb: &str, more: &[&str]) -> Output {
        let mut command = self.argo.flowc(&[verb, "flow.py", "--target", "argo"]);
        output(command.args(more).current_dir(self.path()))
    }

    #[track_caller]
    pub(crate) fn deploy(&self) -> Output {
        let output = self.flowc("deploy", &[]);
        assert_eq!(output.code, Some(0), "{output:#?}");
        output
    }

    /// Starts a run; its name, `Flow/run`.
    #[track_caller]
    pub(crate) fn trigger(&self, parameters: &[&str]) -> String {
        let output = self.flowc("trigger", parameters);
        assert_eq!(output.code, Some(0), "{output:#?}");
        output.stdout.trim().to_owned()
    }

    /// Stops a run.
    #[track_caller]
    pub(crate) fn stop(&self, run: &str) {
        let mut stop = self.argo.flowc(&["stop", run, "--target", "argo"]);
        let stop = output(stop.current_dir(self.path()));
        assert_eq!(stop.code, Some(0), "{stop:#?}");
    }

    /// Deploys, starts a run and waits for its end.
    #[track_caller]
    pub(crate) fn run(&self, parameters: &[&str]) -> Ended<'_> {
        self.deploy();
        let run = self.trigger(parameters);
        self.wait(&run)
    }

    /// Waits until the run has ended.
    #[track_caller]
    pub(crate) fn wait(&self, run: &str) -> Ended<'_> {
        let workflow = self.until(run, |workflow| {
            let phase = workflow["status"]["phase"].as_str();
            matches!(phase, Some("Succeeded" | "Failed" | "Error"))
        });
        Ended {
            world: self,
            run: run.to_owned(),
            workflow,
        }
    }

    /// Looks at the run's Workflow until it is as wanted.
    #[track_caller]
    pub(crate) fn until(&self, run: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let found = self.argo.watch(run, PATIENCE, wanted);
        found.unwrap_or_else(|| panic!("{run}: {:#}", self.argo.workflow(run)))
    }

    /// Waits for a pod of the run in which the step has begun: the line that its user code printed is in the log.
    #[track_caller]
    pub(crate) fn pod_that_says(&self, run: &str, line: &str) -> String {
        let (_, name) = run.rsplit_once("argo-").unwrap();
        let start = Instant::now();
        loop {
            let selector = format!("workflows.argoproj.io/workflow={name}");
            let pods = self.argo.bed.get(&[
                "--namespace",
                self.argo.namespace,
                "pods",
                "--field-selector",
                "status.phase=Running",
                "--selector",
                &selector,
            ]);
            for pod in pods["items"].as_array().unwrap() {
                let pod = pod["metadata"]["name"].as_str().unwrap();
                let mut logs = self.argo.bed.command(Path::new("kubectl"));
                logs.args(["--namespace", self.argo.namespace, "logs", pod, "main"]);
                if output(&mut logs).stdout.contains(line) {
                    return pod.to_owned();
                }
            }
            assert!(start.elapsed() < PATIENCE, "{run} never said {line}");
            thread::sleep(Duration::from_millis(500));
        }
    }

    /// `kubectl` in the namespace.
    #[track_caller]
    pub(crate) fn kubectl(&self, arguments: &[&str]) -> String {
        let mut all = vec!["--namespace", self.argo.namespace];
        all.extend(arguments);
        self.argo.bed.kubectl(&all)
    }

    /// The keys below a prefix in the store.
    #[track_caller]
    pub(crate) fn keys(&self, prefix: &str) -> Vec<String> {
        let script = repo_root().join("tests/beds/kubernetes/keys.py");
        let mut python = self.argo.bed.command(Path::new("python3"));
        let bucket = self.argo.bed.store();
        let found = flowc_tests::run(python.arg(script).arg(bucket).arg(prefix));
        found.lines().map(str::to_owned).collect()
    }
}

/// A run that has ended.
pub(crate) struct Ended<'a> {
    world: &'a World,
    pub(crate) run: String,
    pub(crate) workflow: Value,
}

impl Ended<'_> {
    pub(crate) fn phase(&self) -> &str {
        self.workflow["status"]["phase"].as_str().unwrap()
    }

    /// Expects that it succeeded.
    #[track_caller]
    pub(crate) fn succeeded(self) -> Self {
        let status = self.status();
        assert_eq!(
            self.phase(),
            "Succeeded",
            "{status:#?}\n{:#}",
            self.workflow["status"]["nodes"]
        );
        self
    }

    /// Expects that it did not.
    #[track_caller]
    pub(crate) fn failed(self) -> Self {
        assert!(
            matches!(self.phase(), "Failed" | "Error"),
            "{:#}",
            self.workflow["status"]["nodes"]
        );
        self
    }

    /// What `flowc status` says of it.
    pub(crate) fn status(&self) -> Output {
        let (_, id) = self.run.split_once('/').unwrap();
        self.world.flowc("status", &[id])
    }

    /// How often user code was started for each task, as the store tells: `step/task` → attempts; `committed` → 1 commit each.
    #[track_caller]
    pub(crate) fn attempts(&self) -> BTreeMap<String, Attempts> {
        let prefix = format!("{}/", self.run);
        let keys = self.world.keys(&prefix);
        attempts(keys.iter().map(|key| key.strip_prefix(&prefix).unwrap()))
    }

    /// What the exit hooks printed, by the names of their pods' nodes.
    #[track_caller]
    pub(crate) fn hooks(&self) -> Vec<String> {
        let selector = format!(
            "workflows.argoproj.io/workflow={}",
            self.workflow["metadata"]["name"].as_str().unwrap()
        );
        let pods = self.world.argo.bed.get(&[
            "--namespace",
            self.world.argo.namespace,
            "pods",
            "--selector",
            &selector,
        ]);
        let names = pods["items"].as_array().unwrap().iter();
        let names = names.map(|pod| pod["metadata"]["name"].as_str().unwrap());
        let hooks: Vec<&str> = names
            .filter(|name| name.contains("-0-exit-hooks-"))
            .collect();
        assert!(!hooks.is_empty(), "{:#}", self.workflow["status"]["nodes"]);
        let logs = hooks
            .iter()
            .map(|pod| self.world.kubectl(&["logs", pod, "main"]));
        let lines: Vec<String> = logs
            .flat_map(|log| log.lines().map(str::to_owned).collect::<Vec<_>>())
            .collect();
        lines
            .into_iter()
            .filter(|line| line.starts_with("hook "))
            .collect()
    }

    /// Nodes of the kind `Pod`.
    pub(crate) fn pods(&self) -> usize {
        let nodes = self.workflow["status"]["nodes"].as_object().unwrap();
        nodes.values().filter(|node| node["type"] == "Pod").count()
    }
}

//! A folder with a flow in it, deployed on the shared Airflow.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::RwLock;
use std::thread;
use std::time::{Duration, Instant};

use flowc_tests::beds::airflow::Airflow;
use flowc_tests::{Attempts, Output, Turn, attempts, output, temp_dir};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Who kills the scheduler has the bed for itself.
static BED: RwLock<()> = RwLock::new(());

/// Longest time that a run may take; it is here so that a test that hangs ends.
const PATIENCE: Duration = Duration::from_mins(15);

/// Functions for `@exit_hook`: two that say that they were called, one that fails, one that is not meant to be called.
const HOOKS: &str = "
def first():
    print('the hook', 'first', time.time_ns(), 'is called', flush=True)

def fails():
    raise ValueError('no such channel')

def last(run):
    print('the hook', 'last', time.time_ns(), 'is called with', run, flush=True)

def never():
    print('the hook', 'never', time.time_ns(), 'is called', flush=True)
";

pub(crate) struct World {
    folder: TempDir,
    pub(crate) airflow: &'static Airflow<'static>,
    class: String,
    _turn: Turn,
}

impl World {
    /// Whether the test may make the store fail.
    pub(crate) fn may_be_harmed(&self) -> bool {
        self.airflow.cluster.may_be_harmed()
    }

    /// The flow's text without imports and call; `None` if this machine cannot have the bed.
    pub(crate) fn new(flow: &str) -> Option<Self> {
        let airflow = Airflow::shared()?;
        Some(Self::with(airflow, flow, Turn::shared(&BED)))
    }

    /// As `new`, with no other test beside it.
    pub(crate) fn alone(flow: &str) -> Option<Self> {
        let airflow = Airflow::shared()?;
        Some(Self::with(airflow, flow, Turn::alone(&BED)))
    }

    fn with(airflow: &'static Airflow<'static>, flow: &str, turn: Turn) -> Self {
        let mut world = Self {
            folder: temp_dir(),
            airflow,
            class: String::new(),
            _turn: turn,
        };
        world.flow(flow);
        world.profile("");
        world
    }

    /// Replaces the flow.
    pub(crate) fn flow(&mut self, flow: &str) {
        let (head, _) = flow.split_once("(FlowSpec)").unwrap();
        head.rsplit_once("class ")
            .unwrap()
            .1
            .clone_into(&mut self.class);
        let names = "FlowSpec, JSONType, Parameter, catch, current, exit_hook, kubernetes, resources, retry, schedule, step, timeout, trigger, trigger_on_finish";
        let text = format!(
            "import os, signal, sys, time\nfrom metaflow import {names}\n\n{HOOKS}\n{flow}\n\nif __name__ == '__main__':\n    {}()\n",
            self.class
        );
        self.write("flow.py", &text);
    }

    /// Replaces the profile: `more` are lines for the profile itself.
    pub(crate) fn profile(&self, more: &str) {
        let text = self.airflow.profile(more);
        self.write("flowc.toml", &text);
    }

    /// Replaces a file of the folder.
    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.path().join(name), text).unwrap();
    }

    /// The DAG's file.
    pub(crate) fn dag_file(&self) -> PathBuf {
        self.airflow.dags().join(format!("{}.py", self.class))
    }

    /// The DAG's id.
    pub(crate) fn dag_id(&self) -> &str {
        &self.class
    }

    /// `flowc VERB flow.py --target airflow` and what else is given.
    pub(crate) fn flowc(&self, verb: &str, more: &[&str]) -> Output {
        self.flowc_as("admin", verb, more)
    }

    /// As `flowc`, as another user of Airflow.
    pub(crate) fn flowc_as(&self, user: &str, verb: &str, more: &[&str]) -> Output {
        let mut command = self
            .airflow
            .flowc(&[verb, "flow.py", "--target", "airflow"]);
        command
            .args(more)
            .current_dir(self.folder.path())
            .env("AIRFLOW_USERNAME", user)
            .env("AIRFLOW_PASSWORD", user);
        output(&mut command)
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
        self.until(run, |state| matches!(state, "success" | "failed"));
        self.ended(run)
    }

    /// Waits for the end of the one run of the flow, which something else starts.
    #[track_caller]
    pub(crate) fn wait_for_one(&self) -> Ended<'_> {
        let begun = Instant::now();
        loop {
            let runs = self.dag_runs();
            if let [run] = &runs[..]
                && matches!(run["state"].as_str(), Some("success" | "failed"))
            {
                return self.ended(&format!("{}/{}", self.class, run_name(run)));
            }
            assert!(begun.elapsed() < PATIENCE, "{}: {runs:#?}", self.class);
            thread::sleep(Duration::from_secs(1));
        }
    }

    #[track_caller]
    fn ended(&self, run: &str) -> Ended<'_> {
        let (_, id) = run.split_once('/').unwrap();
        let output = self.flowc("status", &[id, "--json"]);
        let status: Value =
            serde_json::from_str(&output.stdout).unwrap_or_else(|why| panic!("{why}: {output:#?}"));
        Ended {
            world: self,
            run: run.to_owned(),
            phase: status["phase"].as_str().unwrap().to_owned(),
        }
    }

    /// Looks at the run's state in Airflow until it is as wanted.
    #[track_caller]
    pub(crate) fn until(&self, run: &str, wanted: impl Fn(&str) -> bool) {
        let (_, id) = run.split_once("/airflow-").unwrap();
        let begun = Instant::now();
        loop {
            let runs = self.airflow.dag_runs();
            let found = runs.iter().find(|run| run["dag_run_id"] == id);
            if found.is_some_and(|run| wanted(run["state"].as_str().unwrap())) {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "{run}: {found:#?}");
            thread::sleep(Duration::from_secs(1));
        }
    }

    /// A request about the DAG; `path` is below it, or empty.
    #[track_caller]
    pub(crate) fn dag(&self, method: &str, path: &str, body: &Value) -> Value {
        let path = format!("dags/{}{path}", self.class);
        self.airflow.api(method, &path, body)
    }

    /// Pauses the DAG.
    #[track_caller]
    pub(crate) fn pause(&self) {
        self.dag("PATCH", "", &json!({"is_paused": true}));
    }

    /// The DAG's runs as Airflow tells them: `dag_run_id`, `state`.
    #[track_caller]
    pub(crate) fn dag_runs(&self) -> Vec<Value> {
        let mut runs = self.airflow.dag_runs();
        runs.retain(|run| run["dag_id"] == self.dag_id());
        runs
    }

    /// Pauses the DAG and stops its runs, so that its schedule troubles no other test.
    pub(crate) fn stop_all(&self) {
        self.pause();
        for run in self.dag_runs() {
            if run["state"] == "running" || run["state"] == "queued" {
                let name = format!("{}/{}", self.class, run_name(&run));
                let mut stop = self.airflow.flowc(&["stop", &name, "--target", "airflow"]);
                output(stop.current_dir(self.path()));
            }
        }
    }

    /// What a run printed on both streams.
    #[track_caller]
    pub(crate) fn logs(&self, run: &str) -> String {
        let mut logs = self.airflow.flowc(&["logs", run]);
        let output = output(logs.current_dir(self.path()));
        assert_eq!(output.code, Some(0), "{output:#?}");
        output.stdout + &output.stderr
    }

    /// The flow's folder.
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Waits for a pod of this flow whose log holds the line, which user code printed.
    #[track_caller]
    pub(crate) fn pod_that_says(&self, line: &str) -> String {
        self.pod_with(|pod| {
            let mut logs = self.airflow.cluster.command(Path::new("kubectl"));
            logs.args(["--namespace", &self.airflow.namespace, "logs", pod, "base"]);
            output(&mut logs).stdout.contains(line)
        })
    }

    /// Waits for a pod of this flow of which `wanted` is true.
    #[track_caller]
    pub(crate) fn pod_with(&self, wanted: impl Fn(&str) -> bool) -> String {
        let selector = format!("dag_id={}", self.class);
        let begun = Instant::now();
        loop {
            let names = self.kubectl(&["get", "pods", "--selector", &selector, "--output=name"]);
            for pod in names.lines() {
                let pod = pod.trim_start_matches("pod/");
                if wanted(pod) {
                    return pod.to_owned();
                }
            }
            assert!(begun.elapsed() < PATIENCE, "no such pod of {}", self.class);
            thread::sleep(Duration::from_millis(500));
        }
    }

    /// `kubectl` in the namespace of the pods.
    #[track_caller]
    pub(crate) fn kubectl(&self, arguments: &[&str]) -> String {
        let mut all = vec!["--namespace", &self.airflow.namespace];
        all.extend(arguments);
        self.airflow.cluster.kubectl(&all)
    }
}

/// A run that has ended.
pub(crate) struct Ended<'a> {
    world: &'a World,
    pub(crate) run: String,
    pub(crate) phase: String,
}

impl Ended<'_> {
    /// Expects that it succeeded.
    #[track_caller]
    pub(crate) fn succeeded(self) -> Self {
        assert_eq!(self.phase, "succeeded", "{:#?}", self.status());
        self
    }

    /// Expects that it did not; what `flowc status` says of it.
    #[track_caller]
    pub(crate) fn failed(&self) -> Output {
        assert_eq!(self.phase, "failed", "{:#?}", self.status());
        self.status()
    }

    /// What `flowc status` says of it.
    pub(crate) fn status(&self) -> Output {
        let (_, id) = self.run.split_once('/').unwrap();
        self.world.flowc("status", &[id])
    }

    /// How often user code was started for each task, `step/task`, as the store was told.
    pub(crate) fn attempts(&self) -> BTreeMap<String, Attempts> {
        let prefix = format!("/{}/", self.run);
        let requests = self.world.airflow.cluster.requests();
        let written = requests
            .iter()
            .filter(|request| request["method"] == "PUT" && request["status"] == 200);
        attempts(written.filter_map(|request| {
            let (_, key) = request["path"].as_str().unwrap().split_once(&prefix)?;
            Some(key.split('?').next().unwrap_or(key))
        }))
    }

    /// Names of the exit hooks that said so, as Airflow has the log of their task.
    #[track_caller]
    pub(crate) fn hooks(&self) -> Vec<String> {
        let (_, id) = self.run.split_once("/airflow-").unwrap();
        let path = format!(
            "/dagRuns/{id}/taskInstances/flowc-exit-hooks/logs/1?full_content=true&map_index=-1"
        );
        let log = self.world.dag("GET", &path, &Value::Null)["content"].to_string();
        let called = log.split("the hook ").skip(1);
        let called = called.filter_map(|rest| rest.split_once(" is called"));
        // Airflow may show a line twice; two calls have two times.
        let mut lines: Vec<&str> = called.map(|(line, _)| line).collect();
        let mut seen = std::collections::HashSet::new();
        lines.retain(|line| seen.insert(*line));
        let name = |line: &&str| line.split(' ').next().map(str::to_owned);
        lines.iter().filter_map(name).collect()
    }

    /// Expects so many starts of user code, and one commit.
    #[track_caller]
    pub(crate) fn done_once(&self, task: &str, started: usize) {
        let attempts = self.attempts();
        let expect = Attempts {
            started,
            commits: 1,
        };
        assert_eq!(attempts.get(task), Some(&expect), "{task}: {attempts:#?}");
    }
}

/// The run id in the store of one of [`World::dag_runs`].
pub(crate) fn run_name(run: &Value) -> String {
    let id = run["dag_run_id"].as_str().unwrap();
    flowc_protocol::identity::run_id(&format!("airflow:{id}")).unwrap()
}

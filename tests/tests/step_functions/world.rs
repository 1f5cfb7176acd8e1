//! A flow in a folder of its own, with what people do to it by the program.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use flowc_tests::beds::aws::Bed;
use flowc_tests::{flowc, metaflow_python, repo_root, run, temp_dir};
use serde_json::Value;

/// The bed of all tests that make no trouble on it; it ends with the test binary.
pub(crate) fn shared() -> &'static Bed {
    static BED: OnceLock<Bed> = OnceLock::new();
    BED.get_or_init(Bed::up)
}

/// A flow and the bed on which it is deployed.
pub(crate) struct World<'a> {
    pub(crate) bed: &'a Bed,
    pub(crate) folder: tempfile::TempDir,
    environment: Vec<(&'static str, String)>,
}

/// What a run left, as `flowc trigger --wait --json` and `flowc status` say it.
#[derive(Debug)]
pub(crate) struct Ended {
    /// `Flow/run`.
    pub(crate) name: String,
    pub(crate) phase: String,
    /// What `flowc status` says.
    pub(crate) status: String,
    /// What the jobs of a run that failed wrote.
    logs: String,
}

impl Ended {
    #[track_caller]
    pub(crate) fn assert(&self, phase: &str) -> &Self {
        let Self {
            name, status, logs, ..
        } = self;
        assert_eq!(self.phase, phase, "{name}: {status}\n{logs}");
        self
    }
}

impl<'a> World<'a> {
    /// A flow of this text; `more` goes into the profile.
    pub(crate) fn new(bed: &'a Bed, flow: &str, more: &str) -> Self {
        let world = Self {
            bed,
            folder: temp_dir(),
            environment: bed.environment(),
        };
        world.write(flow);
        world.configure(more);
        world
    }

    /// A copy of `examples/NAME`.
    pub(crate) fn example(bed: &'a Bed, name: &str) -> Self {
        let world = Self::new(bed, "", "");
        let mut settings = String::new();
        for entry in fs::read_dir(repo_root().join("examples").join(name)).unwrap() {
            let path = entry.unwrap().path();
            if path.ends_with("flowc.toml") {
                settings = fs::read_to_string(&path).unwrap();
            } else if path.is_file() {
                fs::copy(&path, world.path().join(path.file_name().unwrap())).unwrap();
            }
        }
        let settings = format!("{settings}\n{}", bed.profile(""));
        fs::write(world.path().join("flowc.toml"), settings).unwrap();
        world
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn write(&self, flow: &str) {
        fs::write(self.path().join("flow.py"), flow).unwrap();
    }

    pub(crate) fn configure(&self, more: &str) {
        fs::write(self.path().join("flowc.toml"), self.bed.profile(more)).unwrap();
    }

    /// From now on somebody else.
    pub(crate) fn become_user(&mut self, name: &str) {
        self.environment = self.bed.environment_of(name);
    }

    /// `flowc` in the flow's folder, with nothing of the machine's own configuration.
    pub(crate) fn flowc(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(flowc());
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy();
            if name.starts_with("AWS_") || name.starts_with("METAFLOW_") {
                command.env_remove(&*name);
            }
        }
        command
            .args(arguments)
            .current_dir(self.path())
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .env("HOME", self.path())
            .env("NO_COLOR", "1")
            .stdin(Stdio::null());
        command
    }

    /// The exit code and stderr of a command that is meant to fail.
    #[track_caller]
    pub(crate) fn failure(&self, arguments: &[&str]) -> (i32, String) {
        let output = self.flowc(arguments).output().unwrap();
        assert!(!output.status.success(), "{arguments:?}: {}", said(&output));
        (output.status.code().unwrap(), said(&output))
    }

    /// Makes the roles that the flow wants, as whoever owns the account would.
    pub(crate) fn create_roles(&self) {
        run(&mut self.flowc(&[
            "compile",
            "flow.py",
            "--target",
            "step-functions",
            "-o",
            "bundle",
        ]));
        let iam = fs::read_to_string(self.path().join("bundle/iam.json")).unwrap();
        self.bed.create_roles(&iam);
        fs::remove_dir_all(self.path().join("bundle")).unwrap();
    }

    /// Deploys; each object as `action kind name`.
    #[track_caller]
    pub(crate) fn deploy(&self) -> Vec<String> {
        self.deploy_with(&[])
    }

    #[track_caller]
    pub(crate) fn deploy_with(&self, more: &[&str]) -> Vec<String> {
        self.create_roles();
        let mut arguments = vec!["deploy", "flow.py", "--target", "step-functions", "--json"];
        arguments.extend(more);
        let report: Value = serde_json::from_str(&run(&mut self.flowc(&arguments))).unwrap();
        let text = |change: &Value, name: &str| change[name].as_str().unwrap().to_owned();
        report["changes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|change| {
                let [action, kind, name] =
                    ["action", "kind", "name"].map(|name| text(change, name));
                format!("{action} {kind} {name}")
            })
            .collect()
    }

    /// Starts a run and waits for its end.
    #[track_caller]
    pub(crate) fn trigger(&self, parameters: &[&str]) -> Ended {
        let mut arguments = vec![
            "trigger",
            "flow.py",
            "--target",
            "step-functions",
            "--json",
            "--wait",
        ];
        arguments.extend(parameters);
        let output = self.flowc(&arguments).output().unwrap();
        let stdout = String::from_utf8(output.stdout.clone()).unwrap();
        let report: Value = serde_json::from_str(&stdout)
            .unwrap_or_else(|why| panic!("{arguments:?}: {why}: {}", said(&output)));
        let name = report["run"].as_str().unwrap().to_owned();
        let phase = report["phase"].as_str().unwrap().to_owned();
        let printed = if phase == "failed" {
            self.printed(&name)
        } else {
            Vec::new()
        };
        let logs: Vec<_> = printed
            .iter()
            .map(|(task, log)| format!("{task}:\n{log}"))
            .collect();
        Ended {
            phase,
            status: self.status(&name),
            name,
            logs: logs.join("\n"),
        }
    }

    /// Starts a run without waiting; `Flow/run`.
    #[track_caller]
    pub(crate) fn start(&self, parameters: &[&str]) -> String {
        let mut arguments = vec!["trigger", "flow.py", "--target", "step-functions"];
        arguments.extend(parameters);
        run(&mut self.flowc(&arguments)).trim().to_owned()
    }

    /// All that `flowc status` says of the run.
    #[track_caller]
    pub(crate) fn status(&self, run: &str) -> String {
        let output = self
            .flowc(&["status", "flow.py", run, "--target", "step-functions"])
            .output()
            .unwrap();
        said(&output)
    }

    /// Keys below the run's folder in the store.
    pub(crate) fn keys(&self, run: &str) -> Vec<String> {
        let listed = self.bed.boto(&format!(
            "for page in client('s3').get_paginator('list_objects_v2').paginate(Bucket='flowc-store', Prefix='{run}/'):\n    \
                 for item in page.get('Contents', []): print(item['Key'])"
        ));
        let start = format!("{run}/");
        listed
            .lines()
            .map(|key| key.strip_prefix(&start).unwrap_or(key).to_owned())
            .collect()
    }

    /// Copies the flow's part of the store into a folder.
    pub(crate) fn download(&self, flow: &str, to: &Path) {
        run(Command::new(metaflow_python())
            .arg(repo_root().join("tests/beds/aws/mirror.py"))
            .args(["flowc-store", &format!("{flow}/")])
            .arg(to)
            .envs(self.bed.environment()));
    }

    /// State transitions of a run, without those of retries: of what AWS charges, all that a flow's shape decides.
    pub(crate) fn transitions(&self, run: &str) -> u64 {
        self.bed.entered(run.split_once("/sfn-").unwrap().1)
    }

    /// What the jobs of a run printed, by step and index (`step`, or `step[index]`), all attempts of one job together.
    pub(crate) fn printed(&self, run: &str) -> Vec<(String, String)> {
        let id = format!("id:{}", run.split_once('/').unwrap().1);
        self.bed
            .jobs()
            .iter()
            .filter(|job| job["environment"]["FLOWC_RUN"] == id.as_str())
            .map(|job| {
                let name = job["name"].as_str().unwrap();
                let step = name.split_once('-').unwrap().1;
                let index = job["environment"]["FLOWC_INDEX"].as_str();
                let key = index.map_or_else(|| step.to_owned(), |index| format!("{step}[{index}]"));
                (key, job["log"].as_str().unwrap().to_owned())
            })
            .collect()
    }
}

/// All that a command wrote, for messages.
pub(crate) fn said(output: &Output) -> String {
    let [stdout, stderr] =
        [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
    format!("{stdout}{stderr}")
}

/// Compares all artifacts of two runs in local folders; what `tests/beds/metaflow/compare.py` says.
#[track_caller]
pub(crate) fn compare(flow: &str, file: &Path, left: (&Path, &str), right: (&Path, &str)) -> Value {
    let output = run(Command::new(metaflow_python())
        .arg(repo_root().join("tests/beds/metaflow/compare.py"))
        .arg(flow)
        .arg(left.0)
        .arg(left.1)
        .arg(right.0)
        .arg(right.1)
        .arg("--file")
        .arg(file));
    serde_json::from_str(&output).unwrap()
}

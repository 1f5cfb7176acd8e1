//! Where the examples run: this machine, and each orchestrator's bed.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use flowc_tests::beds::airflow::{Airflow, Version};
use flowc_tests::beds::argo::Argo;
use flowc_tests::beds::{aws, kubernetes};
use flowc_tests::constructs::CONSTRUCTS;
use flowc_tests::{Forks, flowc, output, run, temp_dir};
use serde_json::Value;
use tempfile::TempDir;

use crate::{Case, cases};

/// The variables that give every executor one BLAS thread.
const ONE_THREAD: [&str; 3] = ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"];

/// This machine, with the Python that the images have.
pub(crate) struct Local {
    folder: TempDir,
    python: PathBuf,
    runs: HashMap<&'static str, OnceLock<String>>,
}

impl Local {
    pub(crate) fn new(cluster: &kubernetes::Bed, cases: &[Case]) -> Self {
        Self {
            folder: temp_dir(),
            python: cluster.python(),
            runs: cases
                .iter()
                .map(|case| (case.name, OnceLock::new()))
                .collect(),
        }
    }

    /// The store's root.
    pub(crate) fn store(&self) -> PathBuf {
        self.folder.path().join("store")
    }

    /// The id of the example's run, which is done when it is first asked for: the orchestrators are mostly waiting.
    pub(crate) fn run(&self, case: &Case) -> &str {
        self.runs[case.name].get_or_init(|| self.start(case))
    }

    /// Runs the example; the run's id.
    ///
    /// Containers have nothing of this machine's environment either, where a variable such as `OPENBLAS_CORETYPE` changes the
    /// last digits of a result.
    fn start(&self, case: &Case) -> String {
        let id = self.folder.path().join(format!("{}-id", case.name));
        let output = Command::new(flowc())
            .env_clear()
            .current_dir(self.folder.path())
            .arg("run")
            .arg(case.file())
            .args(case.parameters)
            .arg("--store")
            .arg(self.store())
            .arg("--python")
            .arg(&self.python)
            .arg("--run-id-file")
            .arg(&id)
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", self.folder.path())
            .envs(ONE_THREAD.map(|name| (name, "1")))
            .output()
            .unwrap();
        assert_eq!(output.status.success(), case.succeeds, "{output:?}");
        fs::read_to_string(id).unwrap()
    }
}

/// An orchestrator on its bed.
pub(crate) trait Executor: Sync {
    /// As in the table.
    fn name(&self) -> String;

    /// As `--target`.
    fn target(&self) -> &'static str;

    /// A folder with the examples and their `flowc.toml`.
    fn workshop(&self) -> &Path;

    /// A command that reaches the orchestrator and its store.
    fn command(&self, program: &Path) -> Command;

    /// The store's bucket.
    fn bucket(&self) -> String;

    /// Whether the example is run on it.
    fn takes(&self, _case: &Case) -> bool {
        true
    }

    /// The code by which the target refuses the flow, if it does.
    fn refusal(&self, case: &Case) -> Option<String> {
        let flow = self.workshop().join(case.name).join("flow.py");
        let said = output(
            self.command(flowc())
                .current_dir(self.workshop())
                .env("NO_COLOR", "1")
                .arg("compile")
                .arg(&flow)
                .args(["--target", self.target(), "-o"])
                .arg(self.workshop().join(format!("bundle-{}", case.name))),
        );
        let found = said
            .stderr
            .split_once("error[FC")
            .filter(|_| said.code == Some(1))?;
        Some(format!("FC{}", found.1.get(..4)?))
    }

    /// Flows that it runs at a time.
    fn at_once(&self) -> usize {
        3
    }

    /// What whoever owns the orchestrator does before the first deployment.
    fn prepare(&self, _case: &Case) {}

    /// Deploys and triggers the example, and waits for its end; the run's id, or what went wrong.
    fn run(&self, case: &Case) -> Result<String, String> {
        let flow = self.workshop().join(case.name).join("flow.py");
        let target = self.target();
        let said = |command: &mut Command, code: i32| {
            let said = output(command.current_dir(self.workshop()).env("NO_COLOR", "1"));
            if said.code == Some(code) {
                Ok(said.stdout)
            } else {
                Err(format!("{command:?}\n{}{}", said.stdout, said.stderr))
            }
        };
        self.prepare(case);
        said(
            self.command(flowc())
                .arg("deploy")
                .arg(&flow)
                .args(["--target", target]),
            0,
        )?;
        let run = said(
            self.command(flowc())
                .arg("trigger")
                .arg(&flow)
                .args(["--target", target, "--wait"])
                .args(case.parameters),
            i32::from(!case.succeeds),
        )?;
        let run = run.trim();
        let id = run.strip_prefix(&format!("{}/", case.class));
        Ok(id.ok_or_else(|| format!("no run: {run}"))?.to_owned())
    }

    /// A command of Metaflow's client, or beside it, over the runs of this orchestrator.
    fn client(&self, program: &Path) -> Command {
        let mut command = self.command(program);
        command
            .current_dir(self.workshop())
            .env("HOME", self.workshop())
            .env("METAFLOW_USER", "tester")
            .env("METAFLOW_DEFAULT_METADATA", "local")
            .env("METAFLOW_DATASTORE_SYSROOT_LOCAL", self.workshop())
            .env("METAFLOW_DEFAULT_DATASTORE", "s3")
            .env(
                "METAFLOW_DATASTORE_SYSROOT_S3",
                format!("s3://{}", self.bucket()),
            )
            .env("PYTHONDONTWRITEBYTECODE", "1");
        command
    }

    /// A local copy of what the example left in the store.
    fn store(&self, case: &Case, scripts: &Forks) -> PathBuf {
        let mirror = self.workshop().join("mirror");
        let prefix = format!("{}/", case.class);
        let told = scripts.run(
            "tests/beds/aws/mirror.py",
            &[&self.bucket(), &prefix, &mirror.display().to_string()],
        );
        assert_eq!(told.code, Some(0), "{}", told.stderr);
        mirror
    }

    /// Makes the run visible to Metaflow's client and reads it there.
    fn read_by_client(&self, case: &Case, id: &str, scripts: &Forks) -> Result<(), String> {
        let name = format!("{}/{id}", case.class);
        run(self.client(flowc()).args(["sync", &name]));
        let told = scripts.run("tests/beds/metaflow/client.py", &["describe", &name]);
        let described: Value =
            serde_json::from_str(&told.stdout).map_err(|why| format!("{why}: {}", told.stderr))?;
        for key in ["successful", "finished", "latest_run"] {
            if described[key] != true {
                return Err(format!("{key} = {}", described[key]));
            }
        }
        Ok(())
    }
}

/// A folder with the examples, and a profile for all of them.
fn workshop(profile: &str) -> TempDir {
    let folder = temp_dir();
    let threads = ONE_THREAD.map(|name| format!("{name} = \"1\"")).join(", ");
    let mut profile = profile.replace("env = { ", &format!("env = {{ {threads}, "));
    if !profile.contains("run_as_user") {
        // The clusters' namespaces enforce the restricted profile of pod security.
        profile = profile.replace("env = { ", "run_as_user = 1000\nenv = { ");
    }
    // Flows that are in a project need a branch.
    let profile = &profile.replace("env = { ", "production = true\nenv = { ");
    for example in cases().iter().map(Case::folder) {
        let copy = folder.path().join(example.file_name().unwrap());
        copy_tree(&example, &copy);
        // An example's own settings hide those above it.
        let own = copy.join("flowc.toml");
        if let Ok(text) = fs::read_to_string(&own) {
            fs::write(&own, format!("{text}\n{profile}")).unwrap();
        }
    }
    fs::write(folder.path().join("flowc.toml"), profile).unwrap();
    folder
}

fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let copy = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy_tree(&path, &copy);
        } else {
            fs::copy(&path, copy).unwrap();
        }
    }
}

/// Argo Workflows: its own controller where `FLOWC_ARGO_BIN` names it, else the stand-in.
struct OnArgo<'a> {
    argo: &'a Argo,
    workshop: TempDir,
}

impl Executor for OnArgo<'_> {
    fn name(&self) -> String {
        let version = self.argo.version();
        version.map_or_else(
            || "argo (stand-in)".to_owned(),
            |version| format!("argo {version}"),
        )
    }

    fn target(&self) -> &'static str {
        "argo"
    }

    fn workshop(&self) -> &Path {
        self.workshop.path()
    }

    fn command(&self, program: &Path) -> Command {
        self.argo.bed.command(program)
    }

    fn bucket(&self) -> String {
        bucket(&self.argo.bed.store())
    }
}

/// Step Functions with Batch, whose jobs are processes of this machine.
struct OnStepFunctions {
    bed: aws::Bed,
    workshop: TempDir,
}

impl Executor for OnStepFunctions {
    fn name(&self) -> String {
        "step-functions".to_owned()
    }

    fn target(&self) -> &'static str {
        "step-functions"
    }

    fn workshop(&self) -> &Path {
        self.workshop.path()
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.envs(self.bed.environment());
        command
    }

    fn bucket(&self) -> String {
        "flowc-store".to_owned()
    }

    /// moto reads state machines with a parser that keeps the query language in a global stack: two at a time, and none
    /// is accepted any more.
    fn at_once(&self) -> usize {
        1
    }

    /// Whoever owns the account has created the roles that the bundle describes.
    fn prepare(&self, case: &Case) {
        let bundle = self.workshop().join(format!("bundle-{}", case.name));
        let iam = fs::read_to_string(bundle.join("iam.json")).unwrap();
        self.bed.create_roles(&iam);
    }
}

fn bucket(store: &str) -> String {
    store.trim_start_matches("s3://").to_owned()
}

/// Airflow with its Kubernetes operator, whose pods are the cluster's.
struct OnAirflow<'a> {
    airflow: Airflow<'a>,
    version: Version,
    workshop: TempDir,
}

impl<'a> OnAirflow<'a> {
    fn new(version: Version, argo: &'a Argo) -> Option<Self> {
        let airflow = Airflow::up(version, &argo.bed)?;
        Some(Self {
            version,
            workshop: workshop(&airflow.profile("")),
            airflow,
        })
    }
}

impl Executor for OnAirflow<'_> {
    fn name(&self) -> String {
        match self.version {
            Version::Two => "airflow 2.11".to_owned(),
            Version::Three => "airflow 3.3".to_owned(),
        }
    }

    fn target(&self) -> &'static str {
        "airflow"
    }

    fn workshop(&self) -> &Path {
        self.workshop.path()
    }

    fn command(&self, program: &Path) -> Command {
        self.airflow.command(program)
    }

    fn bucket(&self) -> String {
        bucket(&self.airflow.cluster.store())
    }

    /// The file is the same for both versions; the older one shows with one example and the constructs that it takes it.
    fn takes(&self, case: &Case) -> bool {
        let is_construct = CONSTRUCTS.iter().any(|it| it.name == case.name);
        self.version == Version::Three || is_construct || case.name == "statistics"
    }
}

/// Starts an orchestrator; `None` if this machine cannot have it.
type Start = for<'a> fn(&'a Argo) -> Option<Box<dyn Executor + 'a>>;

/// Every orchestrator, as the matrix calls it.
pub(crate) const ALL: [(&str, Start); 4] = [
    ("step-functions", |argo| {
        let bed = aws::Bed::up_with(&argo.bed.python());
        Some(Box::new(OnStepFunctions {
            workshop: workshop(&bed.profile("env = { AWS_EC2_METADATA_DISABLED = \"true\" }")),
            bed,
        }))
    }),
    ("argo", |argo| {
        Some(Box::new(OnArgo {
            workshop: workshop(&argo.bed.profile(argo.namespace, "")),
            argo,
        }))
    }),
    ("airflow 3.3", |argo| {
        Some(Box::new(OnAirflow::new(Version::Three, argo)?))
    }),
    ("airflow 2.11", |argo| {
        Some(Box::new(OnAirflow::new(Version::Two, argo)?))
    }),
];

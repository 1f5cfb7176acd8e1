//! A run on an orchestrator without one: the shim, once per task, on the AWS emulator's S3.

use std::collections::HashMap;
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use flowc_protocol::identity::{IndexPath, package_key, package_name};
use flowc_protocol::manifest::{EmptyForeach, Manifest};
use flowc_target::package::{self, PackageFile};
use flowc_target::{manifest, testing};
use flowc_task::store::Store;
use flowc_tests::{flowc, metaflow_python, repo_root, run, shim, temp_dir};

/// An emulator's bucket with a packaged flow.
pub(crate) struct Cloud {
    server: Child,
    port: u16,
    pub(crate) root: tempfile::TempDir,
    pub(crate) manifest: Manifest,
    package: String,
    runtime: tokio::runtime::Runtime,
}

/// The store, as everybody names it.
pub(crate) const STORE: &str = "s3://flows/root";

/// The run.
pub(crate) const RUN: &str = "HistoryFlow/sfn-history-x7k2p";

/// The flow.
pub(crate) fn flow_file() -> PathBuf {
    repo_root().join("tests/tests/history/flow.py")
}

impl Cloud {
    /// Starts the emulator and puts the package there.
    pub(crate) fn start() -> Self {
        let source = fs::read_to_string(flow_file()).unwrap();
        let mut manifest = manifest::manifest(&testing::plan(&source), EmptyForeach::default());
        // As if it were deployed on a branch; what talks to the orchestrator has its name from elsewhere.
        manifest.project = Some("shop".to_owned());
        manifest.branch = Some("test.next".to_owned());
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let server = Command::new(moto_python())
            .args(["-m", "moto.server", "-H", "127.0.0.1", "-p"])
            .arg(port.to_string())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut cloud = Self {
            server,
            port,
            root: temp_dir(),
            manifest,
            package: String::new(),
            runtime: tokio::runtime::Runtime::new().unwrap(),
        };
        let patience = Instant::now() + Duration::from_mins(1);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < patience, "the emulator does not answer");
            std::thread::sleep(Duration::from_millis(100));
        }
        let script = "import boto3; boto3.client('s3').create_bucket(Bucket='flows')";
        run(cloud.command(metaflow_python()).args(["-c", script]));
        let file = PackageFile {
            path: "flow.py".to_owned(),
            bytes: source.into(),
            executable: false,
        };
        let plan = serde_json::to_vec(&cloud.manifest).unwrap();
        let packed = package::pack(vec![file], &plan).unwrap();
        let key = package_key("HistoryFlow", &packed.sha256);
        let store = cloud.store();
        cloud
            .runtime
            .block_on(flowc_task::package::put(&store, &key, &packed.tar))
            .unwrap();
        cloud.package = package_name("HistoryFlow", &packed.sha256);
        cloud
    }

    fn store(&self) -> Store {
        let endpoint = self.endpoint();
        let settings = [
            ("aws_endpoint", endpoint.as_str()),
            ("aws_access_key_id", "x"),
            ("aws_secret_access_key", "x"),
            ("aws_region", "us-east-1"),
        ];
        let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Store::open_with(STORE, &settings).unwrap()
    }

    fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// A program that knows the emulator, and nobody's Metaflow configuration.
    pub(crate) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy().into_owned();
            if name.starts_with("METAFLOW_") || name.starts_with("AWS_") {
                command.env_remove(name);
            }
        }
        command
            .current_dir(self.root.path())
            .env("HOME", self.root.path())
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("AWS_ENDPOINT_URL", self.endpoint())
            .env("AWS_ACCESS_KEY_ID", "x")
            .env("AWS_SECRET_ACCESS_KEY", "x")
            .env("AWS_REGION", "us-east-1")
            .env("AWS_DEFAULT_REGION", "us-east-1")
            .env("METAFLOW_USER", "tester")
            .env("METAFLOW_DEFAULT_METADATA", "local")
            .env("METAFLOW_S3_ENDPOINT_URL", self.endpoint())
            .env("METAFLOW_DATASTORE_SYSROOT_S3", STORE)
            .env("METAFLOW_DATASTORE_SYSROOT_LOCAL", self.root.path());
        command
    }

    /// `flowc`, as an orchestrator's user calls it.
    pub(crate) fn flowc(&self, arguments: &[&str]) -> Command {
        let mut command = self.command(flowc());
        command.args(arguments);
        command
    }

    /// What the official client sees of the run.
    pub(crate) fn describe(&self) -> serde_json::Value {
        let script = repo_root().join("tests/beds/metaflow/client.py");
        let text = run(self
            .command(metaflow_python())
            .arg(script)
            .args(["describe", RUN]));
        serde_json::from_str(&text).unwrap()
    }

    /// Starts a task's shim until it succeeds or may not be started again; its last exit code.
    pub(crate) fn task(&self, step: &str, index: &str) -> i32 {
        let mut code = 0;
        for _ in 0..=self.manifest.steps[step].retries {
            code = self.attempt(step, index);
            if code == 0 {
                break;
            }
        }
        code
    }

    /// Starts a task's shim once; its exit code.
    pub(crate) fn attempt(&self, step: &str, index: &str) -> i32 {
        let output = self
            .command(shim())
            .args(["step", step])
            .env("FLOWC_STORE", STORE)
            .env("FLOWC_PACKAGE", &self.package)
            .env("FLOWC_RUN", RUN.replace("HistoryFlow/sfn-", "sfn:"))
            .env("FLOWC_INDEX", index)
            .env("FLOWC_PYTHON", metaflow_python())
            .output()
            .unwrap();
        output.status.code().unwrap()
    }

    /// Makes Step Functions know of the run: an execution that goes on until somebody stops it.
    pub(crate) fn start_execution(&self) {
        let script = r#"
import boto3, json
states = boto3.client("stepfunctions")
definition = json.dumps({"StartAt": "wait", "States": {"wait": {"Type": "Wait", "Seconds": 99, "End": True}}})
machine = states.create_state_machine(
    name="HistoryFlow", definition=definition, roleArn="arn:aws:iam::123456789012:role/x",
    tags=[{"key": "flowc.dev/flow", "value": "HistoryFlow"}],
)
states.start_execution(stateMachineArn=machine["stateMachineArn"], name="history-x7k2p")
"#;
        run(self.command(metaflow_python()).args(["-c", script]));
        fs::copy(flow_file(), self.root.path().join("flow.py")).unwrap();
        let settings = format!(
            "[profile.default]\nstore = \"{STORE}\"\n\n[profile.default.step-functions]\nregion = \"us-east-1\"\naccount = \"123456789012\"\n"
        );
        fs::write(self.root.path().join("flowc.toml"), settings).unwrap();
    }

    /// Runs all tasks of these steps, in the plan's order.
    pub(crate) fn run(&self, steps: &[&str]) {
        let store = self.store();
        let mut paths: HashMap<&str, Vec<String>> = HashMap::new();
        for (name, step) in &self.manifest.steps {
            let indices = match step.foreach.last() {
                None => vec!["-".to_owned()],
                Some(split) => {
                    let splits = paths[split.as_str()].iter().map(|path| {
                        let task = path.parse::<IndexPath>().unwrap().task_id();
                        let key = format!("{RUN}/{split}/{task}/split.json");
                        let found = self.runtime.block_on(store.get(&key)).unwrap();
                        // A step that is not to run has left nothing.
                        found.map_or_else(Vec::new, |bytes| {
                            serde_json::from_slice::<Vec<String>>(&bytes).unwrap()
                        })
                    });
                    splits.flatten().collect()
                }
            };
            if steps.contains(&name.as_str()) {
                for index in &indices {
                    assert_eq!(self.task(name, index), 0, "{name} {index}");
                }
            }
            paths.insert(name, indices);
        }
    }
}

impl Drop for Cloud {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// `FLOWC_MOTO` names a Python with moto; otherwise the bed's installer makes one.
fn moto_python() -> PathBuf {
    if let Some(python) = std::env::var_os("FLOWC_MOTO") {
        return python.into();
    }
    let beds = repo_root().join("tests/beds");
    let python = run(Command::new(beds.join("install"))
        .args(["venv", "moto"])
        .arg(beds.join("aws/requirements.txt")));
    python.trim().into()
}

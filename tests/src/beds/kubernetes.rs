//! A real Kubernetes with S3 beside it, `tests/beds/kubernetes/README.md`; or the cluster that `FLOWC_TEST_CLUSTER` names.

use std::io::BufReader;
use std::os::unix::process::parent_id;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use super::IMPOSSIBLE;
use crate::{repo_root, run, shim, temp_dir};

/// A running cluster; it ends with this value, unless the runner of the tests lends it to several binaries.
#[derive(Debug)]
pub struct Bed {
    folder: Folder,
    description: Value,
}

/// Where a cluster has its files, and who ends it.
#[derive(Debug)]
enum Folder {
    Own(TempDir),
    /// `FLOWC_TEST_BED`: `tests/runner.py` ends it behind the last binary that uses it.
    Lent(PathBuf),
}

impl Folder {
    fn path(&self) -> &Path {
        match self {
            Self::Own(folder) => folder.path(),
            Self::Lent(folder) => folder,
        }
    }
}

impl Bed {
    /// Starts a cluster whose pods get the shim under test; `None`, after saying why, if this machine cannot have one.
    ///
    /// In CI, where `CI` is set, that is a failure.
    pub fn up() -> Option<Self> {
        let (folder, owner) = match std::env::var_os("FLOWC_TEST_BED") {
            Some(lent) => (Folder::Lent(lent.into()), parent_id()),
            None => (Folder::Own(temp_dir()), std::process::id()),
        };
        let output = command(folder.path(), "up", &[])
            // Should its owner be killed, the next bed that starts ends this one.
            .env("FLOWC_BED_OWNER", owner.to_string())
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .output()
            .expect("the bed's script can be started");
        if output.status.code() == Some(IMPOSSIBLE) && std::env::var_os("CI").is_none() {
            crate::report("skipped: this machine cannot have the Kubernetes bed, see above");
            return None;
        }
        assert!(
            output.status.success(),
            "the Kubernetes bed did not start: {}",
            output.status
        );
        let description = serde_json::from_slice(&output.stdout).expect("it describes itself");
        let bed = Self {
            folder,
            description,
        };
        bed.verb("shim", &[&shim().to_string_lossy()]);
        Some(bed)
    }

    /// The bed's own folder. Not that of the kubeconfig: in a cluster of one's own that is somebody's `~/.kube`.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A namespace that enforces the restricted profile of pod security.
    pub fn namespace(&self, name: &str) {
        self.verb("namespace", &[name]);
    }

    /// A command that runs in the cluster's network, with `KUBECONFIG` and S3's variables set.
    pub fn command(&self, program: &Path) -> Command {
        let mut command = command(self.folder.path(), "exec", &[]);
        command.arg(program);
        // Nothing of the machine's own configuration is read.
        command
            .env("AWS_CONFIG_FILE", "/dev/null")
            .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
            .env("AWS_EC2_METADATA_DISABLED", "true");
        command
    }

    /// `kubectl` with these arguments; what it prints.
    #[track_caller]
    pub fn kubectl(&self, arguments: &[&str]) -> String {
        run(self.command(Path::new("kubectl")).args(arguments))
    }

    /// As `kubectl get … -o json`.
    #[track_caller]
    pub fn get(&self, arguments: &[&str]) -> Value {
        let mut all = vec!["get", "-o", "json"];
        all.extend(arguments);
        serde_json::from_str(&self.kubectl(&all)).expect("kubectl prints JSON")
    }

    /// Looks at an object of the namespace whenever it changes, until it is as wanted; `None` if it never is in that time.
    ///
    /// One `kubectl` waits for the changes; asking twice a second takes as much of the machine as the pods.
    pub fn watch(
        &self,
        namespace: &str,
        object: &[&str],
        patience: Duration,
        wanted: impl Fn(&Value) -> bool,
    ) -> Option<Value> {
        let end = Instant::now() + patience;
        // The stream ends with the request, and with an API server that is restarted.
        while Instant::now() < end {
            let mut kubectl = self.command(Path::new("kubectl"));
            kubectl
                .args(["--namespace", namespace, "--request-timeout", "30s"])
                .args(["get", "--watch", "--output", "json"])
                .args(object);
            let mut kubectl = kubectl
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .spawn()
                .expect("the bed's script can be started");
            let stdout = kubectl.stdout.take().expect("it is piped");
            let seen = serde_json::Deserializer::from_reader(BufReader::new(stdout)).into_iter();
            let found = seen.map_while(Result::ok).find(|object| wanted(object));
            let _ = kubectl.kill();
            let _ = kubectl.wait();
            if found.is_some() {
                return found;
            }
            thread::sleep(Duration::from_millis(300));
        }
        None
    }

    /// Name of an image: `step`, `bare` or `shim`.
    pub fn image(&self, kind: &str) -> &str {
        self.description["images"][kind]
            .as_str()
            .expect("the description names the image")
    }

    /// Version of the Argo that runs in a cluster of one's own, as its description says; `None` on a cluster of ours.
    pub fn argo(&self) -> Option<&str> {
        self.description["argo"].as_str()
    }

    /// Whether another binary uses it next.
    pub(super) fn is_lent(&self) -> bool {
        matches!(self.folder, Folder::Lent(_))
    }

    /// Whether `FLOWC_TEST_CLUSTER` describes the cluster: nothing of it may be started or stopped.
    pub fn is_own(&self) -> bool {
        std::env::var_os("FLOWC_TEST_CLUSTER").is_some_and(|file| !file.is_empty())
    }

    /// Whether a test may do harm: make its store fail, kill its programs, change what all namespaces share. If not, says so.
    pub fn may_be_harmed(&self) -> bool {
        if self.is_own() {
            crate::report("skipped: not on a cluster of one's own");
        }
        !self.is_own()
    }

    /// The Python of the step image, which also runs on this machine.
    pub fn python(&self) -> PathBuf {
        self.text("python").into()
    }

    /// Path of the kubeconfig.
    pub fn kubeconfig(&self) -> PathBuf {
        self.text("kubeconfig").into()
    }

    /// URL of the bucket.
    pub fn store(&self) -> String {
        let bucket = self.description["s3"]["bucket"].as_str();
        format!("s3://{}", bucket.expect("the description names the bucket"))
    }

    /// The variables that make AWS clients use the bed's S3.
    pub fn s3_variables(&self) -> Vec<(String, String)> {
        let variables = self.description["s3"]["env"].as_object();
        variables
            .expect("the description has S3's variables")
            .iter()
            .map(|(name, value)| {
                let value = value.as_str().expect("a variable is text");
                (name.clone(), value.to_owned())
            })
            .collect()
    }

    /// One entry for each request to S3 so far: `time`, `from`, `method`, `path`, `status`.
    pub fn requests(&self) -> Vec<Value> {
        let record = self.description["s3"]["record"].as_str();
        let record = record.expect("the description names the record");
        std::fs::read_to_string(record)
            .unwrap_or_default()
            .lines()
            .map(|line| serde_json::from_str(line).expect("the record holds JSON lines"))
            .collect()
    }

    /// `flowc.toml` with a default profile for pods of this cluster; `more` is added at its end.
    pub fn profile(&self, namespace: &str, more: &str) -> String {
        let variables: Vec<String> = self
            .s3_variables()
            .iter()
            .map(|(name, value)| format!("{name} = \"{value}\""))
            .collect();
        format!(
            "[profile.default]\nstore = \"{}\"\nimage = \"{}\"\nshim_image = \"{}\"\nenv = {{ {} }}\n\n\
             [profile.default.argo]\nnamespace = \"{namespace}\"\n\n\
             [profile.default.airflow]\nnamespace = \"{namespace}\"\n{more}\n",
            self.store(),
            self.image("step"),
            self.image("shim"),
            variables.join(", "),
        )
    }

    /// Faults of S3, see `tests/beds/kubernetes/s3.py`; `{}` ends them.
    pub fn set_s3_faults(&self, faults: &Value) {
        self.verb("faults", &[&faults.to_string()]);
    }

    /// Kills one of the bed's programs: `argo`, `scheduler`, `kubelet`, ….
    pub fn stop(&self, program: &str) {
        self.verb("stop", &[program]);
    }

    /// Starts a program that was stopped, as it was.
    pub fn start(&self, program: &str) {
        self.verb("start", &[program]);
    }

    /// Runs a verb of the bed's script; what it prints.
    #[track_caller]
    pub fn verb(&self, verb: &str, arguments: &[&str]) -> String {
        run(&mut command(self.folder.path(), verb, arguments))
    }

    fn text(&self, key: &str) -> &str {
        self.description[key]
            .as_str()
            .expect("the description has the key")
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        if self.is_lent() {
            return;
        }
        // A test that failed is told already; what could not be ended is ended by the next `up`.
        let _ = command(self.folder.path(), "down", &[]).status();
    }
}

fn command(folder: &Path, verb: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(script());
    command.arg(verb).arg(folder).args(arguments);
    command
}

/// The bed's script.
pub(super) fn script() -> PathBuf {
    repo_root().join("tests/beds/kubernetes/bed")
}

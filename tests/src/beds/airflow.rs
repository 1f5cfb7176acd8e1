//! Airflow on the Kubernetes bed, `tests/beds/airflow/README.md`: its pods are the cluster's.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use super::kubernetes::{self, Bed};
use super::{IMPOSSIBLE, guard};
use crate::{flowc, repo_root, run, temp_dir};

/// Which Airflow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// 2.11.
    Two,
    /// 3.3.
    Three,
}

/// A running Airflow; it ends with this value.
#[derive(Debug)]
pub struct Airflow<'a> {
    /// The cluster in which its pods run.
    pub cluster: &'a Bed,
    /// The namespace of the pods; it enforces the restricted profile of pod security.
    pub namespace: String,
    version: Version,
    folder: TempDir,
    description: Value,
    token: OnceLock<String>,
    runs: Mutex<Option<(Instant, Vec<Value>)>>,
}

impl<'a> Airflow<'a> {
    /// Starts an Airflow beside the cluster; `None`, after saying why, if this machine cannot have one.
    ///
    /// In CI, where `CI` is set, that is a failure.
    #[track_caller]
    pub fn up(version: Version, cluster: &'a Bed) -> Option<Self> {
        let name = match version {
            Version::Two => "airflow2",
            Version::Three => "airflow3",
        };
        // The cluster's network does not reach package registries.
        run(Command::new(repo_root().join("tests/beds/tools.sh")).arg(name));
        let install = repo_root().join("tests/beds/airflow/install");
        let installed = Command::new(install).stdout(Stdio::null()).status();
        let installed = installed.expect("the bed's script can be started");
        if installed.code() == Some(IMPOSSIBLE) && env::var_os("CI").is_none() {
            crate::report("skipped: this machine cannot have the Airflow bed, see above");
            return None;
        }
        assert!(installed.success(), "the Airflow bed: {installed}");
        cluster.namespace(name);
        let folder = temp_dir();
        let mut up = cluster.command(&script());
        let said = run(up.arg("up").arg(folder.path()).arg(name));
        Some(Self {
            cluster,
            namespace: name.to_owned(),
            version,
            folder,
            description: serde_json::from_str(&said).expect("it describes itself"),
            token: OnceLock::new(),
            runs: Mutex::new(None),
        })
    }

    /// The DAGs folder.
    pub fn dags(&self) -> PathBuf {
        self.text("dags").into()
    }

    /// URL of the web server, in the cluster's network.
    pub fn url(&self) -> &str {
        self.text("url")
    }

    /// `flowc.toml` with a default profile; `more` are lines for the profile itself.
    pub fn profile(&self, more: &str) -> String {
        let airflow = format!(
            "dags = \"{}\"\nurl = \"{}\"",
            self.dags().display(),
            self.url()
        );
        let profile = self.cluster.profile(&self.namespace, &airflow);
        let top = format!("[profile.default]\nrun_as_user = 1000\n{more}\n");
        profile.replacen("[profile.default]\n", &top, 1)
    }

    /// A command that reaches Airflow, as its user `admin`, and S3.
    pub fn command(&self, program: &Path) -> Command {
        let mut command = self.cluster.command(program);
        command
            .env("AIRFLOW_USERNAME", "admin")
            .env("AIRFLOW_PASSWORD", "admin")
            .env("NO_PROXY", "127.0.0.1,10.96.0.1");
        command
    }

    /// `flowc` with these arguments.
    pub fn flowc(&self, arguments: &[&str]) -> Command {
        let mut command = self.command(flowc());
        command.args(arguments);
        command
    }

    /// A request to the REST API, such as `GET`, `dags/X/details`; its answer.
    #[track_caller]
    pub fn api(&self, method: &str, path: &str, body: &Value) -> Value {
        let mut request = match self.version {
            Version::Two => self.curl(method, &format!("api/v1/{path}")),
            Version::Three => self.curl(method, &format!("api/v2/{path}")),
        };
        match self.version {
            Version::Two => request.args(["--user", "admin:admin"]),
            Version::Three => request
                .arg("--header")
                .arg(format!("Authorization: Bearer {}", self.token())),
        };
        if !body.is_null() {
            request.arg("--data").arg(body.to_string());
        }
        answer(&mut request)
    }

    /// Updates an asset, as whoever publishes an event does.
    #[track_caller]
    pub fn publish(&self, uri: &str, extra: &Value) {
        match self.version {
            Version::Two => {
                let event = serde_json::json!({"dataset_uri": uri, "extra": extra});
                self.api("POST", "datasets/events", &event);
            }
            Version::Three => {
                let found = self.api("GET", "assets?limit=1000", &Value::Null);
                let mut assets = found["assets"].as_array().into_iter().flatten();
                let asset = assets.find(|asset| asset["uri"] == uri);
                let id = &asset.expect("a DAG waits for it")["id"];
                let event = serde_json::json!({"asset_id": id, "extra": extra});
                self.api("POST", "assets/events", &event);
            }
        }
    }

    #[track_caller]
    fn token(&self) -> &str {
        self.token.get_or_init(|| {
            let mut login = self.curl("POST", "auth/token");
            let user = serde_json::json!({"username": "admin", "password": "admin"});
            let token = answer(login.arg("--data").arg(user.to_string()));
            let token = token["access_token"].as_str();
            token.expect("there is a token").to_owned()
        })
    }

    /// The newest runs of all DAGs: `dag_id`, `dag_run_id`, `state`, and more.
    ///
    /// However many tests wait for theirs, Airflow is asked once a second.
    #[track_caller]
    pub fn dag_runs(&self) -> Vec<Value> {
        let mut known = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = known
            .take()
            .filter(|(asked, _)| asked.elapsed() < Duration::from_secs(1));
        let (asked, runs) = fresh.unwrap_or_else(|| {
            let path = "dags/~/dagRuns?limit=100&order_by=-id";
            let answer = self.api("GET", path, &Value::Null);
            let runs = answer["dag_runs"].as_array();
            (Instant::now(), runs.expect("there is a list").clone())
        });
        known.insert((asked, runs)).1.clone()
    }

    fn curl(&self, method: &str, path: &str) -> Command {
        let mut curl = self.command(Path::new("curl"));
        curl.args(["--silent", "--show-error", "--fail", "--request", method])
            .args(["--header", "Content-Type: application/json"])
            .args(["--header", "Accept: application/json"])
            .arg(format!("{}/{path}", self.url()));
        curl
    }

    /// Kills one of its programs, `scheduler` or `dag-processor`, and the tasks that it runs.
    pub fn stop(&self, program: &str) {
        self.verb("stop", program);
    }

    /// Starts a program that was stopped, as it was.
    pub fn start(&self, program: &str) {
        self.verb("start", program);
    }

    fn verb(&self, verb: &str, program: &str) {
        let mut command = self.cluster.command(&script());
        run(command.arg(verb).arg(self.folder.path()).arg(program));
    }

    fn text(&self, key: &str) -> &str {
        self.description[key]
            .as_str()
            .expect("the description has the key")
    }
}

impl Airflow<'static> {
    /// The same one for all tests of a binary that ask; it ends with the binary.
    /// It is Airflow 3, or 2.11 where `FLOWC_TEST_AIRFLOW` is `2`.
    /// `None`, after saying why, if this machine cannot have the Kubernetes bed.
    pub fn shared() -> Option<&'static Self> {
        static CLUSTER: OnceLock<Option<Bed>> = OnceLock::new();
        static SHARED: OnceLock<Option<Airflow<'static>>> = OnceLock::new();
        let start = || {
            let cluster = CLUSTER.get_or_init(Bed::up).as_ref()?;
            let version = match env::var("FLOWC_TEST_AIRFLOW") {
                Ok(version) if version == "2" => Version::Two,
                _ => Version::Three,
            };
            let airflow = Self::up(version, cluster)?;
            end_with_this_process(&airflow);
            Some(airflow)
        };
        SHARED.get_or_init(start).as_ref()
    }
}

impl Drop for Airflow<'_> {
    fn drop(&mut self) {
        // A test that failed is told already.
        let _ = Command::new(script())
            .arg("down")
            .arg(self.folder.path())
            .status();
    }
}

fn end_with_this_process(airflow: &Airflow<'_>) {
    static GUARD: OnceLock<Child> = OnceLock::new();
    let mut beds = vec![(script(), airflow.folder.path())];
    if !airflow.cluster.is_lent() {
        beds.push((kubernetes::script(), airflow.cluster.folder()));
    }
    GUARD.get_or_init(|| guard(&beds));
}

#[track_caller]
fn answer(curl: &mut Command) -> Value {
    let said = run(curl);
    serde_json::from_str(&said).unwrap_or_else(|why| panic!("{why}: {said}"))
}

fn script() -> PathBuf {
    repo_root().join("tests/beds/airflow/bed")
}

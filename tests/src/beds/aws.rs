//! Step Functions, Batch, Scheduler and S3 on this machine: `tests/beds/aws/emulator.py`, which says what it simulates.
//!
//! Jobs are processes of the real shim and a real Python.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use serde_json::{Value, json};
use tempfile::{NamedTempFile, TempDir};

use crate::{Forks, install, metaflow_python, repo_root, shim, temp_dir};

/// Image of the profile that [`Bed::profile`] writes; it is flowc's default.
pub const IMAGE: &str = "python:3.12-slim";

/// Account of everything on the bed; it is flowc's default.
pub const ACCOUNT: &str = "123456789012";

/// A running emulator; it ends with this value.
#[derive(Debug)]
pub struct Bed {
    emulator: Child,
    endpoint: String,
    work: TempDir,
    python: OnceLock<Forks>,
}

/// How a job is to die.
#[derive(Clone, Copy, Debug)]
pub enum Death {
    /// SIGKILL to all of the container: exit 137.
    Kill,
    /// Exit 137, and Batch says that the container was out of memory.
    OutOfMemory,
    /// The host is gone, no exit code.
    Host,
}

impl Bed {
    /// Starts one whose jobs run the Metaflow bed's Python, which has what the examples import.
    pub fn up() -> Self {
        Self::up_with(metaflow_python())
    }

    /// Starts one whose jobs run the given Python; pauses of `Retry` are 20 times shorter than written.
    pub fn up_with(python: &Path) -> Self {
        let work = temp_dir();
        let images = work.path().join("images.json");
        let image = json!({
            "programs": {"/flowc-shim": shim()},
            "env": {
                "FLOWC_PYTHON": python,
                // More threads would compete for the same cores, and sum up in another order.
                "OMP_NUM_THREADS": "1",
                "OPENBLAS_NUM_THREADS": "1",
                "MKL_NUM_THREADS": "1",
            },
        });
        let text = json!({IMAGE: image}).to_string();
        std::fs::write(&images, text).expect("the folder is new");
        let mut emulator = Command::new(emulator_python())
            .arg(repo_root().join("tests/beds/aws/emulator.py"))
            .arg("--images")
            .arg(&images)
            .arg("--work")
            .arg(work.path())
            .args(["--time-scale", "0.05"])
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the emulator's Python was just installed");
        let mut first = String::new();
        let stdout = emulator.stdout.take().expect("it is piped");
        BufReader::new(stdout)
            .read_line(&mut first)
            .expect("the emulator speaks UTF-8");
        let endpoint = first
            .trim()
            .strip_prefix("READY ")
            .unwrap_or_else(|| panic!("the AWS emulator did not start, see above"));
        Self {
            endpoint: endpoint.to_owned(),
            emulator,
            work,
            python: OnceLock::new(),
        }
    }

    /// URL of all services.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// A folder that goes away with the bed.
    pub fn work(&self) -> &Path {
        self.work.path()
    }

    /// What makes AWS clients use the bed.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        vec![
            ("AWS_ENDPOINT_URL", self.endpoint.clone()),
            ("AWS_ALLOW_HTTP", "true".to_owned()),
            ("AWS_ACCESS_KEY_ID", "tests".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "tests".to_owned()),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
            // Nothing of the machine's own configuration is read.
            ("AWS_CONFIG_FILE", "/dev/null".to_owned()),
            ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null".to_owned()),
        ]
    }

    /// The same for a user of the name, who is created.
    pub fn environment_of(&self, user: &str) -> Vec<(&'static str, String)> {
        let key = self.post(&format!("user?name={user}"), &Value::Null);
        let text = |name: &str| key[name].as_str().expect("a key is text").to_owned();
        let mut environment = self.environment();
        for (name, value) in &mut environment {
            match *name {
                "AWS_ACCESS_KEY_ID" => *value = text("AccessKeyId"),
                "AWS_SECRET_ACCESS_KEY" => *value = text("SecretAccessKey"),
                _ => {}
            }
        }
        environment
    }

    /// `flowc.toml` with a default profile for the bed; `more` are lines for the profile, and for its table `step-functions`
    /// below that table's head.
    pub fn profile(&self, more: &str) -> String {
        const HEAD: &str = "[profile.default.step-functions]\n";
        let (own, aws) = more.split_once(HEAD).unwrap_or((more, ""));
        let unless = |said: &str, lines: &[(&str, &str)]| -> String {
            let left = lines.iter().filter(|(key, _)| {
                let mut said = said.lines();
                !said.any(|line| line.starts_with(&format!("{key} =")))
            });
            let lines: Vec<String> = left
                .map(|(key, value)| format!("{key} = \"{value}\"\n"))
                .collect();
            lines.concat()
        };
        let profile = unless(
            own,
            &[("store", "s3://flowc-store"), ("image", "python:3.12-slim")],
        );
        let settings = [
            ("region", "us-east-1"),
            ("account", "123456789012"),
            ("job_queue", "flowc"),
        ];
        let settings = unless(aws, &settings);
        format!("[profile.default]\n{profile}{own}\n\n{HEAD}{settings}{aws}\n")
    }

    /// Creates the roles that an `iam.json` describes, as whoever owns an account does.
    pub fn create_roles(&self, iam: &str) {
        let roles = serde_json::from_str(iam).expect("the bundle holds JSON");
        self.post("roles", &roles);
    }

    /// Kills the next job that prints the text, as often as said.
    pub fn kill_jobs_that_print(&self, mark: &str, death: Death, times: u32) {
        let how = match death {
            Death::Kill => "kill",
            Death::OutOfMemory => "oom",
            Death::Host => "host",
        };
        self.set_faults(&json!({"kills": [{"mark": mark, "how": how, "times": times}]}));
    }

    /// Answers this share of requests to S3 by 503; 0 ends it.
    pub fn slow_down_s3(&self, share: f64) {
        self.set_faults(&json!({"slow_down": share}));
    }

    /// Denies actions, named as in IAM; none of them ends it.
    pub fn deny(&self, actions: &[&str]) {
        self.set_faults(&json!({"deny": actions}));
    }

    /// Replaces all faults, see `tests/beds/aws/faults.py`.
    pub fn set_faults(&self, faults: &Value) {
        self.post("faults", faults);
    }

    /// Does what the schedule does at its time; the ARNs of the executions that it started.
    pub fn fire(&self, schedule: &str) -> Vec<String> {
        let started = self.post(&format!("fire?schedule={schedule}"), &Value::Null);
        let arns = started.as_array().into_iter().flatten();
        arns.filter_map(|arn| arn.as_str().map(str::to_owned))
            .collect()
    }

    /// Every job so far: `name`, `status`, `exit`, `reason`, `attempts`, `environment`, `log`.
    pub fn jobs(&self) -> Vec<Value> {
        let jobs = self.request("GET", "jobs", &Value::Null);
        jobs.as_array().cloned().unwrap_or_default()
    }

    /// How many states the execution of this name has entered, with those of its maps' iterations.
    pub fn entered(&self, execution: &str) -> u64 {
        let count = self.request("GET", &format!("entered?name={execution}"), &Value::Null);
        count.as_u64().unwrap_or_default()
    }

    /// How many requests there were of each action, named as in IAM.
    pub fn requests(&self) -> Value {
        self.request("GET", "requests", &Value::Null)
    }

    /// Runs Python with `client(service)` of boto3 at hand; what it prints.
    #[track_caller]
    pub fn boto(&self, script: &str) -> String {
        let start = "import boto3, json, sys\n\
            from botocore.config import Config\n\
            def client(name):\n    \
                return boto3.client(name, config=Config(s3={'addressing_style': 'path'}))\n";
        let python = self.python.get_or_init(|| {
            let mut python = Command::new(emulator_python());
            python
                .env("AWS_DEFAULT_REGION", "us-east-1")
                .envs(self.environment());
            Forks::start(python, &["boto3"])
        });
        let file = NamedTempFile::new_in(self.work()).expect("the folder is the bed's");
        std::fs::write(file.path(), format!("{start}{script}")).expect("it is new");
        let told = python.run(&file.path().to_string_lossy(), &[]);
        assert_eq!(told.code, Some(0), "{script}: {told:?}");
        told.stdout
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        self.request("POST", path, body)
    }

    /// A request to one of the emulator's own routes.
    fn request(&self, method: &str, path: &str, body: &Value) -> Value {
        let address = self.endpoint.trim_start_matches("http://");
        let body = match body {
            Value::Null => String::new(),
            Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_)
            | Value::Object(_) => body.to_string(),
        };
        let mut stream = TcpStream::connect(address).expect("the emulator runs");
        write!(
            stream,
            "{method} /_bed/{path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .expect("the emulator listens");
        let mut answer = String::new();
        stream
            .read_to_string(&mut answer)
            .expect("the emulator answers in UTF-8");
        let (head, text) = answer
            .split_once("\r\n\r\n")
            .expect("an answer has a head and a body");
        let status = head.lines().next().unwrap_or_default();
        assert!(
            status.contains(" 200 "),
            "{method} {path}: {status}: {text}"
        );
        serde_json::from_str(text).expect("the emulator's own routes answer in JSON")
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        // It ends its jobs and itself when nobody listens any more.
        drop(self.emulator.stdin.take());
        let _ = self.emulator.wait();
    }
}

/// The Python with moto; installed if need be.
fn emulator_python() -> &'static Path {
    static PYTHON: OnceLock<PathBuf> = OnceLock::new();
    PYTHON.get_or_init(|| {
        let requirements = repo_root().join("tests/beds/aws/requirements.txt");
        let requirements = requirements
            .to_str()
            .expect("the repository's path is UTF-8");
        install(&["venv", "moto", requirements])
            .unwrap_or_else(|why| panic!("cannot install the AWS emulator: {why}"))
    })
}

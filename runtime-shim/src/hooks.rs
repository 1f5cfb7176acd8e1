//! The functions that `@exit_hook` names: called one after the other once a run is over, each by an interpreter of its own.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};

use bytes::Bytes;
use flowc_protocol::known::hex;
use flowc_protocol::manifest::Manifest;
use serde_json::{Value, json};
use sha1::{Digest, Sha1};

use crate::commit::{self, Place};
use crate::launch::Interpreter;
use crate::store::{Put, Store, StoreError};

/// Folder of a run that tells which functions were called. It has no folders in it, so that nobody takes it for a step.
const FOLDER: &str = "_exit_hooks";

/// How a run ended, as its functions are chosen by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The end step has ended well.
    Success,
    /// Anything else.
    Error,
}

impl Ending {
    /// As the store tells it.
    pub async fn find(store: &Store, manifest: &Manifest, run: &str) -> Result<Self, StoreError> {
        let end = Place::new(&manifest.flow, run, &manifest.end, "t");
        Ok(match commit::find(store, &end).await? {
            Some(_) => Self::Success,
            None => Self::Error,
        })
    }

    /// The functions to call, in order.
    pub fn functions(self, manifest: &Manifest) -> &[String] {
        let Some(hooks) = &manifest.exit_hooks else {
            return &[];
        };
        match self {
            Self::Success => &hooks.on_success,
            Self::Error => &hooks.on_error,
        }
    }

    /// The decorator's argument.
    fn argument(self) -> &'static str {
        match self {
            Self::Success => "on_success",
            Self::Error => "on_error",
        }
    }
}

/// Takes the call of a function: of all starts for one `execution` the first alone may make it, whatever becomes of it.
pub async fn claim(
    store: &Store,
    (flow, run): (&str, &str),
    execution: &str,
    ending: Ending,
    number: usize,
) -> Result<bool, StoreError> {
    let mark = uuid::Uuid::new_v4().simple().to_string();
    let name = &hex(&Sha1::digest(execution.as_bytes()))[..16];
    let key = format!(
        "{flow}/{run}/{FOLDER}/{name}.{}.{number}.json",
        ending.argument()
    );
    let content = Bytes::from(json!({"execution": execution, "claim": mark}).to_string());
    if store.put_new(&key, content).await? == Put::Created {
        return Ok(true);
    }
    // The write may have been done and its answer lost.
    let theirs: Option<Value> = commit::read_json(store, &key).await?;
    Ok(theirs.is_some_and(|theirs| theirs["claim"] == mark.as_str()))
}

/// How functions are called.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The interpreter and the harness.
    pub interpreter: Interpreter,
    /// The flow's file, absolute.
    pub file: PathBuf,
    /// `Flow/run`.
    pub run: String,
    /// Working folder; that of this process if `None`.
    pub cwd: Option<PathBuf>,
    /// Variables besides those of this process.
    pub environment: Vec<(&'static str, OsString)>,
}

impl Caller {
    /// Starts the call of a function.
    pub fn start(&self, function: &str) -> io::Result<Call> {
        let mut command = Command::new(&self.interpreter.python);
        command
            .arg(&self.interpreter.harness)
            .arg("hook")
            .stdin(Stdio::piped())
            .envs(self.environment.iter().map(|(name, value)| (name, value)));
        if let Some(cwd) = &self.cwd {
            command.current_dir(cwd);
        }
        let mut child = command.spawn()?;
        let asked = json!({"file": self.file, "function": function, "run": self.run});
        let mut lifeline = child.stdin.take();
        if let Some(stdin) = &mut lifeline {
            // One that ends without listening says so by its end.
            let _ = stdin.write_all(format!("{asked}\n").as_bytes());
        }
        Ok(Call {
            process: child,
            _lifeline: lifeline,
        })
    }
}

/// A function that is being called. It ends with this process, however that ends.
pub struct Call {
    process: Child,
    /// Closed by the kernel if this process is killed, which the other side sees.
    _lifeline: Option<ChildStdin>,
}

impl Call {
    /// Waits until it has ended; it fails by the exit code of the process.
    pub fn wait(&mut self) -> io::Result<ExitStatus> {
        self.process.wait()
    }

    /// Process that passes on `SIGTERM` to the function.
    pub fn id(&self) -> u32 {
        self.process.id()
    }
}

/// Variables by which Metaflow's client finds the run in a metadata tree.
///
/// `root` is the tree's own folder; the client looks for one called `.metaflow`.
pub fn metadata_environment(root: &Path, user: &str) -> Vec<(&'static str, OsString)> {
    let mut environment = vec![
        ("METAFLOW_USER", user.into()),
        ("METAFLOW_DEFAULT_METADATA", "local".into()),
    ];
    let is_named = root.file_name() == Some(".metaflow".as_ref());
    if let Some(above) = root.parent().filter(|_| is_named) {
        environment.push(("METAFLOW_DATASTORE_SYSROOT_LOCAL", above.into()));
    }
    environment
}

//! What a step and the exit hooks find in the environment: the store, the run, the code package.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use flowc_protocol::environment;
use flowc_protocol::exit::Exit;
use flowc_protocol::identity::run_id;
use flowc_protocol::manifest::Manifest;
use flowc_task::error::TaskError;
use flowc_task::held::HeldFolder;
use flowc_task::launch::{Interpreter, Streams};
use flowc_task::store::Store;
use flowc_task::{harness, package};

/// All that does not depend on what is to be run.
pub(crate) struct Setup {
    pub(crate) store: Store,
    /// Run id.
    pub(crate) run: String,
    pub(crate) manifest: Manifest,
    /// Name of the code package.
    pub(crate) package: Option<String>,
    /// Folder of the code, absolute.
    pub(crate) code: PathBuf,
    /// Folder for everything else.
    pub(crate) work: PathBuf,
    pub(crate) launcher: Interpreter,
}

impl Setup {
    /// Fetches the code. `scratch` keeps a temporary work folder until everything has ended.
    pub(crate) async fn read(scratch: &mut Option<HeldFolder>) -> Result<Self, TaskError> {
        if let Some(protocol) = text(environment::PROTOCOL)? {
            let number = protocol.parse().map_err(|_| {
                configuration(format!("{}={protocol} is no number", environment::PROTOCOL))
            })?;
            package::check_protocol(number, "the deployment")?;
        }
        let raw_run = required(environment::RUN)?;
        let Some(run) = run_id(&raw_run) else {
            return Err(configuration(format!(
                "{}={raw_run} is no run: it has the form argo:NAME, sfn:NAME, airflow:NAME or id:RUN",
                environment::RUN
            )));
        };
        let store = Store::open(&required(environment::STORE)?)?;
        let work = match path(environment::WORK) {
            Some(work) => work,
            None => scratch
                .insert(
                    HeldFolder::make(&std::env::temp_dir(), "flowc-").map_err(|error| {
                        let message = format!(
                            "no work folder can be made: {error}; mount one and set {}",
                            environment::WORK
                        );
                        TaskError::new(Exit::Machine, message)
                    })?,
                )
                .path()
                .to_owned(),
        };
        let package = text(environment::PACKAGE)?;
        let code = match path(environment::CODE) {
            Some(code) => code,
            None => package::fetch(&store, &required(environment::PACKAGE)?, &work).await?,
        };
        let code = std::path::absolute(&code).unwrap_or(code);
        let manifest = package::read_plan(&code)?;
        let harness = harness::install(&work).map_err(|error| {
            let message = format!(
                "the harness cannot be written to {}: {error}; set {} to a folder that can be written",
                work.display(),
                environment::WORK
            );
            TaskError::new(Exit::Machine, message)
        })?;
        let launcher = Interpreter {
            python: path(environment::PYTHON).unwrap_or_else(|| PathBuf::from("python3")),
            harness,
            streams: Streams::Pipes,
        };
        Ok(Self {
            store,
            run,
            manifest,
            package,
            code,
            work,
            launcher,
        })
    }
}

/// Runs what the program is for, with its log on standard error.
pub(crate) fn block_on<T>(work: impl Future<Output = T>) -> std::io::Result<T> {
    tracing_subscriber::fmt()
        .json()
        .with_writer(std::io::stderr)
        .with_max_level(tracing::Level::WARN)
        .init();
    // Two threads serve the process and the store; what takes time runs on threads of its own.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let done = runtime.block_on(work);
    runtime.shutdown_background();
    Ok(done)
}

/// As Metaflow finds the user.
pub(crate) fn username() -> String {
    ["METAFLOW_USER", "SUDO_USER", "USERNAME", "USER"]
        .iter()
        .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
        .unwrap_or_else(|| "flowc".to_owned())
}

/// A variable that is set and not empty.
pub(crate) fn text(name: &str) -> Result<Option<String>, TaskError> {
    match std::env::var(name) {
        Ok(value) if value.is_empty() => Ok(None),
        Ok(value) => Ok(Some(value)),
        Err(std::env::VarError::NotPresent) => Ok(None),
        Err(std::env::VarError::NotUnicode(_)) => {
            Err(configuration(format!("{name} is not UTF-8")))
        }
    }
}

fn required(name: &str) -> Result<String, TaskError> {
    text(name)?.ok_or_else(|| configuration(format!("the environment variable {name} is not set")))
}

pub(crate) fn path(name: &str) -> Option<PathBuf> {
    std::env::var_os(name)
        .filter(|value: &OsString| !value.is_empty())
        .map(|value| Path::new(&value).to_owned())
}

pub(crate) fn configuration(message: String) -> TaskError {
    TaskError::new(Exit::Configuration, message)
}

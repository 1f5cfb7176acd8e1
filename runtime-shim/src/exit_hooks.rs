//! `flowc-shim hooks`: what a flow wants called once its run is over.
//!
//! How the run ended is read in the store; no orchestrator says it. What becomes of a function changes nothing but the log.

use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use flowc_protocol::environment;
use flowc_protocol::exit::Exit;
use flowc_task::error::TaskError;
use flowc_task::held::HeldFolder;
use flowc_task::history::sync::Syncer;
use flowc_task::history::{self, Plans, RunRecord, sync};
use flowc_task::hooks::{self, Call, Caller, Ending};
use flowc_task::signals::{self, Interrupts, Stop, Urgency};
use rustix::process::{Pid, Signal, kill_process};

use crate::setup::{self, Setup, text, username};

/// Time for a function to end after it was asked to.
const GRACE: Duration = Duration::from_secs(10);

/// Calls the functions as the environment says. It has failed only if it could not call them.
pub(crate) fn run() -> Exit {
    let done = setup::block_on(async {
        let stop = signals::listen(Interrupts::Stop).map_err(|error| machine(&error))?;
        let mut scratch = None;
        let mut stopped = stop.clone();
        tokio::select! {
            done = call_all(&mut scratch, stop) => done,
            // A function that runs is given time to end.
            () = async {
                stopped.requested(Urgency::Soon).await;
                tokio::time::sleep(2 * GRACE).await;
            } => Err(interrupted()),
        }
    });
    match done.map_err(|error| machine(&error)).flatten() {
        Ok(()) => Exit::Done,
        Err(error) => {
            tracing::error!(exit = error.exit.code(), "{error}");
            error.exit
        }
    }
}

async fn call_all(scratch: &mut Option<HeldFolder>, stop: Stop) -> Result<(), TaskError> {
    let setup = Setup::read(scratch).await?;
    let Setup {
        store,
        run,
        manifest,
        ..
    } = &setup;
    let ending = Ending::find(store, manifest, run).await?;
    let functions = ending.functions(manifest);
    if functions.is_empty() {
        return Ok(());
    }
    let root = setup.work.join("metadata/.metaflow");
    if let Err(error) = enter(&setup, root.clone()).await {
        tracing::warn!(%error, "Metaflow will not find the run");
    }
    let mut environment = hooks::metadata_environment(&root, &username());
    // Metaflow's client knows an endpoint of S3 by a name of its own.
    if let (None, Some(endpoint)) = (text("METAFLOW_S3_ENDPOINT_URL")?, endpoint()?) {
        environment.push(("METAFLOW_S3_ENDPOINT_URL", endpoint.into()));
    }
    let caller = Caller {
        interpreter: setup.launcher.clone(),
        file: setup.code.join(&manifest.file),
        run: format!("{}/{run}", manifest.flow),
        cwd: Some(setup.code.clone()),
        environment,
    };
    let execution = text(environment::EXECUTION)?.unwrap_or_default();
    for (number, function) in functions.iter().enumerate() {
        if stop.urgency() > Urgency::None {
            return Err(interrupted());
        }
        let place = (manifest.flow.as_str(), run.as_str());
        if !hooks::claim(store, place, &execution, ending, number).await? {
            tracing::warn!("the exit hook `{function}` was called before");
            continue;
        }
        let ended = match caller.start(function) {
            Ok(child) => wait(child, stop.clone()).await,
            Err(error) => Err(error),
        };
        match ended {
            Ok(status) if status.success() => {}
            Ok(status) => tracing::error!("the exit hook `{function}` failed ({status})"),
            Err(error) => tracing::error!("cannot call the exit hook `{function}`: {error}"),
        }
    }
    Ok(())
}

/// Makes the metadata tree in which Metaflow's `Run` finds the run.
async fn enter(setup: &Setup, root: PathBuf) -> Result<(), String> {
    let manifest = Arc::new(setup.manifest.clone());
    let mut plans = Plans::new();
    if let Some(package) = &setup.package {
        plans.insert(package.clone(), Arc::clone(&manifest));
    }
    let flow = &manifest.flow;
    let record = history::run_cached(&setup.store, flow, &setup.run, &mut plans)
        .await
        .map_err(|error| error.to_string())?;
    let mut record = record.unwrap_or_else(|| RunRecord {
        flow: flow.clone(),
        run: setup.run.clone(),
        plan: None,
        parameters: None,
        steps: Vec::new(),
    });
    record.plan.get_or_insert(manifest);
    let syncer = Syncer {
        root,
        user: username(),
        system_tags: Vec::new(),
    };
    let entered = sync::enter(&setup.store, &record, &syncer).await;
    entered.map(|_| ()).map_err(|error| error.to_string())
}

fn endpoint() -> Result<Option<String>, TaskError> {
    for name in ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"] {
        if let Some(endpoint) = text(name)? {
            return Ok(Some(endpoint));
        }
    }
    Ok(None)
}

/// Waits for a function, which is asked to end if the container is.
async fn wait(mut child: Call, mut stop: Stop) -> std::io::Result<ExitStatus> {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let mut ended = tokio::task::spawn_blocking(move || child.wait());
    let signal = |signal| {
        if let Some(pid) = pid {
            // It may have ended this very moment.
            let _ = kill_process(pid, signal);
        }
    };
    let joined = tokio::select! {
        joined = &mut ended => joined,
        _ = stop.requested(Urgency::Soon) => {
            signal(Signal::TERM);
            if let Ok(joined) = tokio::time::timeout(GRACE, &mut ended).await {
                joined
            } else {
                signal(Signal::KILL);
                ended.await
            }
        }
    };
    joined.map_err(std::io::Error::other)?
}

fn interrupted() -> TaskError {
    TaskError::new(
        Exit::Interrupted,
        "told to stop before all exit hooks were called",
    )
}

fn machine(error: &std::io::Error) -> TaskError {
    TaskError::new(Exit::Machine, error.to_string())
}

//! `flowc-shim step NAME`: from the environment to an exit code.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use crate::setup::{self, Setup, configuration, path, text, username};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flowc_protocol::environment;
use flowc_protocol::exit::Exit;
use flowc_protocol::identity::IndexPath;
use flowc_protocol::json_text::{JsonText, Members};
use flowc_protocol::manifest::{Manifest, ParameterType};
use flowc_task::error::TaskError;
use flowc_task::held::HeldFolder;
use flowc_task::launch::Interpreter;
use flowc_task::report;
use flowc_task::secrets::Vault;
use flowc_task::signals::{self, Interrupts, Urgency};
use flowc_task::store::Store;
use flowc_task::task::{self, Observer, Stream, TaskReport, TaskRequest};
use flowc_task::triggers::Causes;

/// Runs a step as the environment says.
pub(crate) fn run(name: &str) -> Exit {
    let report = setup::block_on(execute(name)).unwrap_or_else(|error| {
        TaskReport::from(&TaskError::new(Exit::Machine, error.to_string()))
    });
    if let Some(error) = &report.error {
        tracing::error!(exit = report.exit.code(), "{error}");
    }
    let files = report::Files {
        whole: path(environment::REPORT),
        count: path(environment::REPORT_COUNT),
        next: path(environment::REPORT_NEXT),
    };
    if let Err(error) = report::write(&report, &files) {
        tracing::error!(%error, "the report cannot be written");
        // The orchestrator would go on without the number of tasks to start, or the step that was chosen.
        if report.exit == Exit::Done && (report.count.is_some() || report.next.is_some()) {
            return Exit::Machine;
        }
    }
    report.exit
}

async fn execute(name: &str) -> TaskReport {
    let stop = match signals::listen(Interrupts::Stop) {
        Ok(stop) => stop,
        Err(error) => return TaskReport::from(&TaskError::new(Exit::Machine, error.to_string())),
    };
    let mut scratch = None;
    let mut stopped = stop.clone();
    let prepared = tokio::select! {
        prepared = prepare(name, &mut scratch) => prepared,
        _ = stopped.requested(Urgency::Soon) => Err(TaskError::new(
            Exit::Interrupted,
            "the task was told to stop before it had begun",
        )),
    };
    match prepared {
        Ok((store, request, launcher)) => run_task(&store, &request, &launcher, stop).await,
        Err(error) => TaskReport::from(&error),
    }
}

/// Runs the task. The iterations of a step that repeats have their retries each, of which an orchestrator, who counts
/// those of the container, knows nothing: they are made here.
async fn run_task(
    store: &Store,
    request: &TaskRequest,
    launcher: &Interpreter,
    stop: signals::Stop,
) -> TaskReport {
    let definition = request.manifest.steps.get(&request.step);
    let repeats = definition.filter(|definition| definition.repeats);
    loop {
        let report = task::run(store, request, launcher, &Tee, stop.clone()).await;
        let again = report.may_retry && report.exit == Exit::UserFailure;
        let Some(definition) = repeats.filter(|_| again) else {
            return report;
        };
        let mut stopped = stop.clone();
        tokio::select! {
            () = tokio::time::sleep(Duration::from_secs(definition.retry_delay_s.into())) => {}
            _ = stopped.requested(Urgency::Soon) => return report,
        }
    }
}

/// Everything that the task needs. `scratch` keeps a temporary work folder until the task has ended.
async fn prepare(
    name: &str,
    scratch: &mut Option<HeldFolder>,
) -> Result<(Store, TaskRequest, Interpreter), TaskError> {
    let raw_index = text(environment::INDEX)?.unwrap_or_default();
    let index: IndexPath = raw_index.parse().map_err(|_| {
        configuration(format!(
            "{}={raw_index} is no index path, such as 3-1 or -",
            environment::INDEX
        ))
    })?;
    let orchestrator_attempt = text(environment::ATTEMPT)?.and_then(|number| number.parse().ok());
    let Setup {
        store,
        run,
        manifest,
        package,
        code,
        work,
        launcher,
    } = Setup::read(scratch).await?;
    let output_wait = task::output_wait(text(environment::OUTPUT_WAIT)?.as_deref());
    let output_wait = output_wait.map_err(configuration)?;
    let (parameters, causes) = if name == manifest.start {
        beginning(&store, &manifest).await?
    } else {
        (Members::new(), Causes::default())
    };
    let request = TaskRequest {
        manifest: Arc::new(manifest),
        run,
        step: name.to_owned(),
        index,
        iteration: None,
        gang: None,
        orchestrator_attempt,
        cwd: code.clone(),
        package,
        code,
        work,
        parameters: Arc::new(parameters),
        causes: Arc::new(causes),
        elsewhere: None,
        origin_run: None,
        tags: Arc::new([]),
        username: username(),
        namespace: None,
        client_namespace: None,
        vault: Vault::default(),
        output_wait,
    };
    Ok((store, request, launcher))
}

/// The run's parameters, from the widest source to the most particular, and what started it.
async fn beginning(store: &Store, manifest: &Manifest) -> Result<(Members, Causes), TaskError> {
    let mut values = Members::new();
    let mut causes = Causes::default();
    if let Some(key) = text(environment::INPUT)? {
        let Some(bytes) = store.get(&key).await? else {
            return Err(configuration(format!(
                "the run's input {} is not there",
                store.locate(&key)
            )));
        };
        let input = object(&bytes, &store.locate(&key))?;
        let is_event = !manifest.triggers.is_empty()
            && causes.take_event_bridge(store, manifest, &input).await?;
        if !is_event {
            values.extend(input);
        }
    }
    if let Some(encoded) = text(environment::PARAMETERS)? {
        values.extend(object(
            &decode(environment::PARAMETERS, &encoded)?,
            environment::PARAMETERS,
        )?);
    }
    for parameter in &manifest.parameters {
        let variable = format!("{}{}", environment::PARAMETER_PREFIX, parameter.name);
        if let Some(encoded) = text(&variable)? {
            let text = utf8(&variable, decode(&variable, &encoded)?)?;
            let value = match JsonText::new(&text) {
                Ok(value) => value,
                // Python reads this as text that was typed.
                Err(_) if may_be_pythons(parameter.ty, &text) => text.as_str().into(),
                Err(error) => {
                    let message = format!("{variable} holds no JSON: {error}");
                    return Err(configuration(message));
                }
            };
            values.insert(parameter.name.clone(), value);
        }
    }
    for number in 0..manifest.triggers.len() {
        let variable = format!("{}{number}", environment::TRIGGER_PREFIX);
        let Some(encoded) = text(&variable)? else {
            continue;
        };
        let bytes = decode(&variable, &encoded)?;
        if bytes.trim_ascii().is_empty() {
            continue;
        }
        let said = JsonText::new(&utf8(&variable, bytes)?).map_err(|error| {
            let what = manifest.triggers[number].name();
            configuration(format!("{variable} of `{what}` holds no JSON: {error}"))
        })?;
        if !said.is_null() {
            causes.take(store, manifest, number, &said).await?;
        }
    }
    values.extend(causes.parameters.clone());
    Ok((values, causes))
}

fn object(bytes: &[u8], place: &str) -> Result<Members, TaskError> {
    // Read as any value first: of a syntax error serde_json tells the place, of a wrong type the value.
    let value: JsonText = serde_json::from_slice(bytes)
        .map_err(|error| configuration(format!("{place} holds no JSON: {error}")))?;
    let no_object = || configuration(format!("{place} holds no JSON object"));
    value.members().ok_or_else(no_object)
}

/// Whether a text that is no JSON may be some to Python, which also knows `NaN`, `Infinity` and `-Infinity`.
fn may_be_pythons(ty: ParameterType, text: &str) -> bool {
    let takes = matches!(ty, ParameterType::Float | ParameterType::Json);
    takes && ["NaN", "Infinity"].iter().any(|word| text.contains(word))
}

fn utf8(variable: &str, bytes: Vec<u8>) -> Result<String, TaskError> {
    String::from_utf8(bytes)
        .map_err(|error| configuration(format!("{variable} is not UTF-8: {error}")))
}

fn decode(variable: &str, encoded: &str) -> Result<Vec<u8>, TaskError> {
    STANDARD
        .decode(encoded.trim())
        .map_err(|error| configuration(format!("{variable} is no base64: {error}")))
}

/// What user code prints goes on to the container's own output.
struct Tee;

impl Observer for Tee {
    fn line(&self, _request: &TaskRequest, stream: Stream, line: &[u8]) {
        let mut whole = Vec::with_capacity(line.len() + 1);
        whole.extend_from_slice(line);
        whole.push(b'\n');
        // A closed output must not end the task.
        let _ = match stream {
            Stream::Stdout => std::io::stdout().write_all(&whole),
            Stream::Stderr => std::io::stderr().write_all(&whole),
        };
    }
}

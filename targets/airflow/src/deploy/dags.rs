//! A DAG as Airflow sees it: whether it took the file, or why not.

use std::time::{Duration, Instant};

use flowc_target::deploy::{DeployError, Progress};
use reqwest::Method;
use serde_json::{Map, Value, json};

use super::api::{About, Api, Generation};
use crate::version;

/// How long a new file may take. Airflow looks for new files every five minutes by default (`dag_dir_list_interval` in
/// 2.x, `refresh_interval` in 3.x).
const PATIENCE: Duration = Duration::from_mins(12);

/// Pause between two looks.
const PAUSE: Duration = Duration::from_secs(2);

/// A DAG in Airflow's database.
pub(super) struct Dag {
    /// Version of the file from which the serialised DAG was made, if flowc wrote it.
    pub(super) version: Option<String>,
    /// Nothing of it is scheduled.
    pub(super) paused: bool,
    /// Its file is gone, or Airflow has not seen it for long.
    pub(super) stale: bool,
    /// The file.
    pub(super) file: String,
    /// Its parameters' defaults.
    pub(super) defaults: Map<String, Value>,
    /// By which the file can be named to Airflow.
    token: Option<String>,
}

/// Why a file could not be imported, the last time that it was tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ImportError {
    time: String,
    trace: String,
}

impl Dag {
    /// The DAG, if Airflow has serialised it.
    pub(super) async fn find(api: &Api, dag_id: &str) -> Result<Option<Self>, DeployError> {
        let object = format!("DAG {dag_id}");
        let about = About {
            permission: "read DAGs",
            object: &object,
        };
        let url = api.path(&["dags", dag_id, "details"]);
        let Some(answer) = api.get(url, about).await? else {
            return Ok(None);
        };
        let stale = match api.generation() {
            Generation::Two => answer["is_active"] == false,
            Generation::Three => answer["is_stale"] == true,
        };
        let text = |name: &str| answer[name].as_str().map(str::to_owned);
        Ok(Some(Self {
            version: answer["doc_md"]
                .as_str()
                .and_then(version::documented)
                .map(str::to_owned),
            paused: answer["is_paused"] == true,
            stale,
            file: text("fileloc").unwrap_or_default(),
            defaults: defaults(&answer["params"]),
            token: text("file_token"),
        }))
    }

    /// Asks Airflow to read the file again soon. It would do so anyway, so nothing is lost if it does not listen.
    pub(super) async fn hurry(&self, api: &Api) {
        let Some(token) = &self.token else { return };
        let about = About {
            permission: "edit DAGs",
            object: &self.file,
        };
        let url = api.path(&["parseDagFile", token]);
        let _ = api.request(Method::PUT, url, None, about).await;
    }
}

/// Values of the parameters that have one; both APIs describe a parameter by an object.
fn defaults(params: &Value) -> Map<String, Value> {
    let params = params.as_object().into_iter().flatten();
    params
        .filter_map(|(name, param)| Some((name.clone(), param.get("value")?.clone())))
        .collect()
}

/// The error with which Airflow imports the file of that name, if it is there.
pub(super) async fn import_error(
    api: &Api,
    file_name: &str,
) -> Result<Option<ImportError>, DeployError> {
    let mut url = api.path(&["importErrors"]);
    url.set_query(Some("limit=100&order_by=-timestamp"));
    let about = About {
        permission: "read import errors",
        object: file_name,
    };
    let answer = api.get(url, about).await?.unwrap_or(Value::Null);
    let errors = answer["import_errors"].as_array().cloned();
    let ours = |error: &&Value| {
        let file = error["filename"].as_str().unwrap_or_default();
        file.rsplit('/').next() == Some(file_name)
    };
    let text = |error: &Value, name: &str| error[name].as_str().unwrap_or_default().to_owned();
    Ok(errors
        .unwrap_or_default()
        .iter()
        .find(ours)
        .map(|error| ImportError {
            time: text(error, "timestamp"),
            trace: text(error, "stack_trace"),
        }))
}

/// Waits until Airflow has serialised this version of the DAG, or tells why it cannot import it.
///
/// `before`: an import error that was there when the file was written, and which is about an earlier file.
pub(super) async fn settle(
    api: &Api,
    dag_id: &str,
    version: &str,
    before: Option<&ImportError>,
    progress: &dyn Progress,
) -> Result<(), DeployError> {
    let file_name = format!("{dag_id}.py");
    let started = Instant::now();
    loop {
        if let Some(dag) = Dag::find(api, dag_id).await?
            && dag.version.as_deref() == Some(version)
            && !dag.stale
        {
            return Ok(());
        }
        if let Some(error) = import_error(api, &file_name).await?
            && Some(&error) != before
        {
            return Err(DeployError::Refused {
                object: file_name.clone(),
                help: format!(
                    "Airflow cannot import it: {}",
                    shorten(&error.trace, &file_name)
                ),
            });
        }
        if started.elapsed() > PATIENCE {
            return Err(DeployError::Timeout {
                what: format!("Airflow to read {file_name}"),
                seconds: PATIENCE.as_secs(),
                help: patience_help(api).await,
            });
        }
        progress.waiting(&format!(
            "Airflow to read {file_name} ({} s)",
            started.elapsed().as_secs()
        ));
        tokio::time::sleep(PAUSE).await;
    }
}

/// What to look at when a file is not read.
async fn patience_help(api: &Api) -> String {
    let url = match api.generation() {
        Generation::Two => api.path(&["health"]),
        Generation::Three => api.path(&["monitor", "health"]),
    };
    let about = About {
        permission: "read",
        object: "health",
    };
    let health = api.get(url, about).await.ok().flatten().unwrap_or_default();
    match health["dag_processor"]["status"].as_str() {
        Some("healthy") | None => {
            "check that `dags` in flowc.toml is the folder that Airflow reads".to_owned()
        }
        Some(status) => format!("Airflow's DAG processor is {status}"),
    }
}

/// A stack trace's last line, and the last place in the file itself.
fn shorten(trace: &str, file_name: &str) -> String {
    let last = trace.lines().rfind(|line| !line.trim().is_empty());
    let place = trace.lines().rfind(|line| {
        let mut parts = line.trim().split('"');
        parts.next() == Some("File ")
            && parts.next().and_then(|path| path.rsplit('/').next()) == Some(file_name)
    });
    let line = place.and_then(|place| {
        let after = place.split(", line ").nth(1)?;
        after.split(|c: char| !c.is_ascii_digit()).next()
    });
    let last = last.unwrap_or("no reason given").trim();
    match line {
        Some(line) => format!("{last} ({file_name}, line {line})"),
        None => last.to_owned(),
    }
}

/// Pauses a DAG, so that nothing starts any more.
pub(super) async fn pause(api: &Api, dag_id: &str) -> Result<(), DeployError> {
    let object = format!("DAG {dag_id}");
    let about = About {
        permission: "edit DAGs",
        object: &object,
    };
    let mut url = api.path(&["dags", dag_id]);
    url.set_query(Some("update_mask=is_paused"));
    let body = json!({"is_paused": true}).into();
    api.request(Method::PATCH, url, Some(&body), about).await?;
    Ok(())
}

/// Removes a DAG from Airflow's database.
pub(super) async fn forget(api: &Api, dag_id: &str) -> Result<(), DeployError> {
    let object = format!("DAG {dag_id}");
    let about = About {
        permission: "delete DAGs",
        object: &object,
    };
    let url = api.path(&["dags", dag_id]);
    api.request(Method::DELETE, url, None, about).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_becomes_one_line() {
        let trace = "Traceback (most recent call last):\n  File \"<frozen importlib._bootstrap>\", line 241, in _call\n  File \"/dags/X.py\", line 7, in <module>\n    import nosuch\nModuleNotFoundError: No module named 'nosuch'\n";
        assert_eq!(
            shorten(trace, "X.py"),
            "ModuleNotFoundError: No module named 'nosuch' (X.py, line 7)"
        );
        assert_eq!(shorten("ValueError: x", "X.py"), "ValueError: x");
        assert_eq!(shorten("", "X.py"), "no reason given");
    }
}

//! Deploys a DAG file and operates its DAG.
//!
//! Airflow has no API that takes a DAG: a file is put where it looks for files, and the REST API then tells what it made
//! of it. So a profile has two keys, `dags` and `url`; without `url` the file is written and nothing can be verified.
//!
//! A new DAG is not paused (`is_paused_upon_creation=False` in the file), so that what has a schedule runs on it. Airflow
//! ignores that of a DAG which it knows, so a DAG that somebody paused stays so.

mod api;
mod dags;
mod folder;
mod record;
mod runs;
mod troubles;
mod values;

use async_trait::async_trait;
use flowc_protocol::json_text::Members;
use flowc_target::deploy::{
    Action, Change, DeployError, Deployment, FlowRef, Foreign, Operator, Phase, Progress, Run,
    RunState,
};
use flowc_target::{BundleFile, Profile};
use flowc_task::store::Store;
use serde_json::Value;

use self::api::{About, Api};
use self::dags::Dag;
use self::folder::Folder;
use self::record::Record;
use crate::names::dag_id;
use crate::version;

/// [`Change::kind`] of the file.
const FILE: &str = "DAG file";

/// [`Change::kind`] of what Airflow made of it.
const DAG: &str = "DAG";

/// Airflow, as one profile reaches it.
pub struct AirflowOperator {
    profile: String,
    folder: Option<Folder>,
    api: Option<Api>,
}

/// Opens the DAGs folder and logs in to the API, as far as the profile names them.
///
/// `bucket` is the bucket that `dags` names, open, for credentials that are not in the environment.
/// Credentials of the API: `AIRFLOW_TOKEN`, or `AIRFLOW_USERNAME` and `AIRFLOW_PASSWORD`.
pub async fn connect(
    profile: &Profile,
    bucket: Option<Store>,
) -> Result<AirflowOperator, DeployError> {
    let airflow = &profile.airflow;
    let folder = match &airflow.dags {
        Some(dags) => Some(Folder::open(dags, bucket)?),
        None => None,
    };
    let api = match &airflow.url {
        Some(url) => Some(Api::connect(url).await?),
        None => None,
    };
    Ok(AirflowOperator {
        profile: profile.name.clone(),
        folder,
        api,
    })
}

impl AirflowOperator {
    fn folder(&self) -> Result<&Folder, DeployError> {
        self.folder.as_ref().ok_or_else(|| {
            self.missing_key(
                "dags",
                "the folder or bucket in which Airflow looks for DAGs",
            )
        })
    }

    fn api(&self) -> Result<&Api, DeployError> {
        self.api
            .as_ref()
            .ok_or_else(|| self.missing_key("url", "the URL of Airflow's web server"))
    }

    fn missing_key(&self, key: &str, what: &str) -> DeployError {
        DeployError::Missing {
            object: format!(
                "`{key}` in [profile.{}.airflow] of flowc.toml",
                self.profile
            ),
            help: format!("set it to {what}"),
        }
    }

    fn identity(&self) -> Option<&str> {
        self.api.as_ref().and_then(Api::identity)
    }

    /// The DAGs of a flow: one, or one for each project where the flow's file is not at hand.
    async fn dag_ids(&self, flow: FlowRef<'_>) -> Result<Vec<String>, DeployError> {
        if let Some(plan) = flow.plan {
            return Ok(vec![dag_id(plan)]);
        }
        let Some(api) = &self.api else {
            return Ok(vec![flow.flow.to_owned()]);
        };
        let mut url = api.path(&["dags"]);
        url.query_pairs_mut()
            .append_pair("limit", "100")
            .append_pair("dag_id_pattern", flow.flow);
        let about = About {
            permission: "read DAGs",
            object: flow.flow,
        };
        let answer = api.get(url, about).await?.unwrap_or(Value::Null);
        let of_the_flow = |id: &str| match id.strip_suffix(flow.flow) {
            Some(project) => project.is_empty() || project.ends_with('.'),
            None => false,
        };
        let dags = answer["dags"].as_array().cloned().unwrap_or_default();
        Ok(dags
            .iter()
            .filter(|dag| {
                let mut tags = dag["tags"].as_array().into_iter().flatten();
                tags.any(|tag| tag["name"] == "flowc")
            })
            .filter_map(|dag| dag["dag_id"].as_str())
            .filter(|id| of_the_flow(id))
            .map(str::to_owned)
            .collect())
    }

    async fn find(
        &self,
        flow: FlowRef<'_>,
        run: &str,
    ) -> Result<Option<runs::DagRun>, DeployError> {
        let api = self.api()?;
        for dag_id in self.dag_ids(flow).await? {
            if let Some(found) = runs::find(api, &dag_id, run).await? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// The run as the server lists it, and what keeps it from starting.
    async fn seen(
        &self,
        flow: FlowRef<'_>,
        run: &str,
    ) -> Result<Option<runs::DagRun>, DeployError> {
        let Some(mut found) = self.find(flow, run).await? else {
            return Ok(None);
        };
        if found.state.phase == Phase::Pending
            && let Some(dag) = Dag::find(self.api()?, &found.dag_id).await?
            && dag.paused
        {
            found.state.reason = Some("the DAG is paused in Airflow".to_owned());
        }
        Ok(Some(found))
    }

    /// What is known of a DAG, checked for who may touch it.
    async fn live(&self, dag_id: &str, foreign: Foreign) -> Result<Live, DeployError> {
        let folder = self.folder()?;
        let file_name = format!("{dag_id}.py");
        let text = folder.get(&file_name).await?;
        let record = folder.get(&record::file_name(dag_id)).await?;
        let record = record.as_deref().and_then(Record::parse);
        record::check_owner(
            &folder.locate(&file_name),
            text.as_deref(),
            record.as_ref(),
            self.identity(),
            foreign,
        )?;
        let dag = match &self.api {
            Some(api) => Dag::find(api, dag_id).await?,
            None => None,
        };
        // Another file makes a DAG of this id; ours beside it would make Airflow take turns between the two.
        if let Some(dag) = &dag
            && text.is_none()
            && !dag.stale
            && dag.version.is_none()
            && foreign == Foreign::Refuse
        {
            return Err(DeployError::Foreign {
                object: format!("DAG {dag_id} ({})", dag.file),
                owner: "something other than flowc".to_owned(),
            });
        }
        Ok(Live { text, record, dag })
    }
}

/// What is there.
struct Live {
    text: Option<String>,
    record: Option<Record>,
    dag: Option<Dag>,
}

/// The bundle's one file, and the DAG's id, which names it.
fn dag_file<'a>(deployment: &Deployment<'a>) -> Result<(&'a BundleFile, String), DeployError> {
    let dag_id = dag_id(deployment.plan);
    let name = format!("{dag_id}.py");
    let file = deployment.files.iter().find(|file| file.path == name);
    let file = file.ok_or_else(|| DeployError::Missing {
        object: format!("{name} in the bundle"),
        help: "compile it for the target airflow".to_owned(),
    })?;
    Ok((file, dag_id))
}

fn change(kind: &str, name: String, action: Action, detail: Option<String>) -> Change {
    Change {
        kind: kind.to_owned(),
        name,
        action,
        detail,
    }
}

fn action(changes: &[Change], kind: &str) -> Action {
    let found = changes.iter().find(|change| change.kind == kind);
    found.map_or(Action::Keep, |change| change.action)
}

#[async_trait]
impl Operator for AirflowOperator {
    async fn changes(&self, deployment: Deployment<'_>) -> Result<Vec<Change>, DeployError> {
        let (file, dag_id) = dag_file(&deployment)?;
        let live = self.live(&dag_id, deployment.foreign).await?;
        let mut detail = None;
        let wanted = self.record(&deployment, &live);
        let of_file = match &live.text {
            None => Action::Create,
            Some(text) if *text != file.text => Action::Update,
            Some(_) if live.record.as_ref() != Some(&wanted) => {
                detail = wanted
                    .owner
                    .map(|owner| format!("its owner becomes {owner}"));
                Action::Update
            }
            Some(_) => Action::Keep,
        };
        let path = self.folder()?.locate(&file.path);
        let Some(_) = &self.api else {
            let detail = detail.or_else(|| {
                let unverified = "cannot be verified: `url` is not set";
                (of_file != Action::Keep).then(|| unverified.to_owned())
            });
            return Ok(vec![change(FILE, path, of_file, detail)]);
        };
        let version = version::of(&file.text);
        let of_dag = match &live.dag {
            None => Action::Create,
            Some(dag) if dag.stale => Action::Create,
            Some(dag) if dag.version != version => Action::Update,
            Some(_) => Action::Keep,
        };
        let paused = live
            .dag
            .as_ref()
            .is_some_and(|dag| dag.paused && !dag.stale);
        let paused = paused.then(|| "stays paused".to_owned());
        Ok(vec![
            change(FILE, path, of_file, detail),
            change(DAG, dag_id, of_dag, paused),
        ])
    }

    async fn apply(
        &self,
        deployment: Deployment<'_>,
        changes: &[Change],
        progress: &dyn Progress,
    ) -> Result<(), DeployError> {
        let (file, dag_id) = dag_file(&deployment)?;
        let live = self.live(&dag_id, deployment.foreign).await?;
        let folder = self.folder()?;
        let mut before = None;
        for change in changes.iter().filter(|change| change.kind == FILE) {
            if change.action == Action::Keep {
                continue;
            }
            if let Some(api) = &self.api {
                before = dags::import_error(api, &file.path).await?;
            }
            // The name is claimed first: of two who deploy at once, the second finds the first one's.
            let record = self.record(&deployment, &live);
            if live.record.as_ref() != Some(&record) {
                folder
                    .put(&record::file_name(&dag_id), &record.text())
                    .await?;
            }
            if live.text.as_ref() == Some(&file.text) {
                before = None;
            } else {
                folder.put(&file.path, &file.text).await?;
            }
            progress.done(change);
        }
        let Some(api) = &self.api else {
            return Ok(());
        };
        for change in changes.iter().filter(|change| change.kind == DAG) {
            if change.action == Action::Keep {
                continue;
            }
            if let Some(dag) = &live.dag {
                dag.hurry(api).await;
            }
            let version = version::of(&file.text).unwrap_or_default();
            dags::settle(api, &dag_id, &version, before.as_ref(), progress).await?;
            progress.done(change);
        }
        Ok(())
    }

    async fn trigger(&self, flow: FlowRef<'_>, parameters: &Members) -> Result<Run, DeployError> {
        let api = self.api()?;
        let dag_ids = self.dag_ids(flow).await?;
        match &dag_ids[..] {
            [dag_id] => runs::start(api, dag_id, parameters).await,
            [] => Err(DeployError::Missing {
                object: format!("a DAG of {} in Airflow", flow.flow),
                help: "deploy it first: flowc deploy FLOW --target airflow".to_owned(),
            }),
            _ => Err(DeployError::Refused {
                object: flow.flow.to_owned(),
                help: format!(
                    "there are several: {}; name the flow's file",
                    dag_ids.join(", ")
                ),
            }),
        }
    }

    async fn runs(&self, flow: FlowRef<'_>, limit: usize) -> Result<Vec<RunState>, DeployError> {
        let api = self.api()?;
        let mut states = Vec::new();
        for dag_id in self.dag_ids(flow).await? {
            let runs = runs::newest(api, &dag_id, limit).await?;
            states.extend(runs.into_iter().map(|run| run.state));
        }
        // What waits has no start yet and is newest; the sort keeps the order of equals.
        states.sort_by_key(|state| std::cmp::Reverse(state.started_ms.unwrap_or(i64::MAX)));
        states.truncate(limit);
        Ok(states)
    }

    async fn state(&self, flow: FlowRef<'_>, run: &str) -> Result<Option<RunState>, DeployError> {
        let Some(mut found) = self.seen(flow, run).await? else {
            return Ok(None);
        };
        found.state.troubles = troubles::troubles(self.api()?, &found).await?;
        Ok(Some(found.state))
    }

    async fn outline(&self, flow: FlowRef<'_>, run: &str) -> Result<Option<RunState>, DeployError> {
        Ok(self.seen(flow, run).await?.map(|found| found.state))
    }

    async fn stop(&self, flow: FlowRef<'_>, run: &str) -> Result<Option<RunState>, DeployError> {
        let Some(found) = self.find(flow, run).await? else {
            return Ok(None);
        };
        if !found.state.phase.is_end() {
            runs::stop(self.api()?, &found).await?;
        }
        Ok(Some(found.state))
    }

    async fn deletions(&self, flow: FlowRef<'_>) -> Result<Vec<Change>, DeployError> {
        let mut changes = Vec::new();
        for dag_id in self.dag_ids(flow).await? {
            let live = self.live(&dag_id, Foreign::Refuse).await?;
            if live.text.is_some() || live.record.is_some() {
                let path = self.folder()?.locate(&format!("{dag_id}.py"));
                changes.push(change(FILE, path, Action::Delete, None));
            }
            if live.dag.is_some() {
                let detail = Some("with Airflow's own record of its runs".to_owned());
                changes.push(change(DAG, dag_id, Action::Delete, detail));
            }
        }
        Ok(changes)
    }

    async fn delete(
        &self,
        flow: FlowRef<'_>,
        changes: &[Change],
        progress: &dyn Progress,
    ) -> Result<(), DeployError> {
        let folder = self.folder()?;
        let dag_ids = self.dag_ids(flow).await?;
        if let Some(api) = &self.api
            && action(changes, DAG) == Action::Delete
        {
            for dag_id in &dag_ids {
                dags::pause(api, dag_id).await?;
                let unfinished = runs::unfinished(api, dag_id).await?;
                if unfinished > 0 {
                    return Err(DeployError::Refused {
                        object: format!("DAG {dag_id}"),
                        help: format!(
                            "{unfinished} of its runs have not ended; wait, or stop them: flowc stop RUN --target airflow"
                        ),
                    });
                }
            }
        }
        for dag_id in &dag_ids {
            let file_name = format!("{dag_id}.py");
            let path = folder.locate(&file_name);
            for change in changes {
                if change.kind == FILE && change.name == path {
                    folder.remove(&file_name).await?;
                    folder.remove(&record::file_name(dag_id)).await?;
                    progress.done(change);
                }
                if let Some(api) = &self.api
                    && change.kind == DAG
                    && change.name == *dag_id
                {
                    dags::forget(api, dag_id).await?;
                    progress.done(change);
                }
            }
        }
        Ok(())
    }
}

impl AirflowOperator {
    /// What is to lie beside the file. Who deploys without being known takes nothing away from a known owner.
    fn record(&self, deployment: &Deployment<'_>, live: &Live) -> Record {
        let before = live.record.as_ref().and_then(|record| record.owner.clone());
        Record {
            owner: self.identity().map(str::to_owned).or(before),
            flow: deployment.plan.flow.clone(),
        }
    }
}

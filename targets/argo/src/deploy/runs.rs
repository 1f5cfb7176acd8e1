//! Workflows: starting, finding and stopping them.

use flowc_protocol::identity::run_id;
use flowc_protocol::json_text::Members;
use flowc_target::Profile;
use flowc_target::deploy::{DeployError, FLOW_KEY, FlowRef, Phase, Run, RunState};
use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};

use super::cluster::Cluster;
use super::kind::Kind;
use super::troubles;
use crate::emit::PARAMETER_MAX;
use crate::emit::RUN_PARAMETER;
use crate::manifest::API;
use crate::sensor::TEMPLATE_KEY;
use crate::{names, text};

/// Label by which the schedule's controller finds its runs.
const CRON_KEY: &str = "workflows.argoproj.io/cron-workflow";

/// Creates a Workflow from the flow's template, as `argo submit --from workflowtemplate/…` does.
pub(super) async fn trigger(
    cluster: &Cluster,
    profile: &Profile,
    flow: FlowRef<'_>,
    parameters: &Members,
) -> Result<Run, DeployError> {
    let name = template(cluster, flow).await?;
    let schedule = cluster.get(Kind::CronWorkflow, &name).await?;
    let mut arguments = Vec::new();
    for (parameter, value) in parameters {
        let value = text::json_argument(value.text());
        if value.len() > PARAMETER_MAX {
            return Err(DeployError::Refused {
                object: format!("the parameter `{parameter}`"),
                help: format!(
                    "it is {} bytes long as JSON, and Argo can hand {PARAMETER_MAX} to a container; \
                     put it into a file or an object and hand over its name",
                    value.len()
                ),
            });
        }
        arguments.push(json!({"name": parameter, "value": value}));
    }
    let mut workflow = json!({
        "apiVersion": API,
        "kind": "Workflow",
        "metadata": {
            "generateName": format!("{name}-"),
            "namespace": cluster.namespace,
            "labels": {TEMPLATE_KEY: name, FLOW_KEY: names::label(flow.flow)},
        },
        "spec": {"workflowTemplateRef": {"name": name}, "arguments": {"parameters": arguments}},
    });
    let metadata = &mut workflow["metadata"];
    // A controller may look only at objects with its own label, which the profile then names.
    for (key, value) in &profile.labels {
        metadata["labels"][key] = json!(value.value);
    }
    if let Some(schedule) = schedule {
        adopt(metadata, &schedule);
    }
    let created = cluster.create_workflow(&workflow).await?;
    Ok(run(cluster, &created))
}

/// Where a schedule holds back runs that would overlap, it must know of this one: its controller counts the Workflows
/// that it owns (workflow/cron/operator.go, `reconcileActiveWfs`). `argo submit --from cronwf/…` does the same.
fn adopt(metadata: &mut Value, schedule: &Value) {
    if schedule["spec"]["concurrencyPolicy"] != "Forbid" {
        return;
    }
    let name = &schedule["metadata"]["name"];
    metadata["labels"][CRON_KEY] = name.clone();
    metadata["ownerReferences"] = json!([{
        "apiVersion": API,
        "kind": "CronWorkflow",
        "name": name,
        "uid": schedule["metadata"]["uid"],
        "controller": true,
        "blockOwnerDeletion": true,
    }]);
}

/// Name of the flow's template, which must be there.
async fn template(cluster: &Cluster, flow: FlowRef<'_>) -> Result<String, DeployError> {
    let missing = |object: String| DeployError::Missing {
        object,
        help: "deploy the flow first: `flowc deploy FLOW --target argo`".to_owned(),
    };
    let labels = format!("{FLOW_KEY}={}", names::label(flow.flow));
    let Some(plan) = flow.plan else {
        let found = cluster.list(Kind::WorkflowTemplate, &labels).await?;
        let mut names = found.iter().filter_map(|found| {
            let name = found["metadata"]["name"].as_str()?;
            Some(name.to_owned())
        });
        return match (names.next(), names.next()) {
            (Some(name), None) => Ok(name),
            (Some(_), Some(_)) => Err(DeployError::Refused {
                object: format!("the flow {}", flow.flow),
                help: "several projects deploy it: name the flow's file".to_owned(),
            }),
            (None, _) => Err(missing(format!("a WorkflowTemplate of {}", flow.flow))),
        };
    };
    let name = names::template_name(plan);
    match cluster.get(Kind::WorkflowTemplate, &name).await? {
        Some(_) => Ok(name),
        None => Err(missing(format!(
            "WorkflowTemplate {}/{name}",
            cluster.namespace
        ))),
    }
}

/// The newest runs, newest first.
pub(super) async fn newest(
    cluster: &Cluster,
    flow: FlowRef<'_>,
    limit: usize,
) -> Result<Vec<RunState>, DeployError> {
    let mut runs: Vec<(String, RunState)> = Vec::new();
    let mut look = |workflow: Value| {
        if is_of(&workflow, flow) {
            runs.push((created(&workflow), summary(cluster, &workflow)));
        }
    };
    cluster.each_workflow(&selector(flow), &mut look).await?;
    runs.sort_by(|one, two| two.0.cmp(&one.0));
    runs.truncate(limit);
    Ok(runs.into_iter().map(|(_, state)| state).collect())
}

/// How many runs have not ended.
pub(super) async fn running(cluster: &Cluster, flow: FlowRef<'_>) -> Result<usize, DeployError> {
    let labels = format!("{},workflows.argoproj.io/completed!=true", selector(flow));
    let mut running = 0;
    let look = |workflow: Value| {
        if is_of(&workflow, flow) && !summary(cluster, &workflow).phase.is_end() {
            running += 1;
        }
    };
    cluster.each_workflow(&labels, look).await?;
    Ok(running)
}

/// The run and what went wrong with its tasks.
pub(super) async fn state(
    cluster: &Cluster,
    flow: FlowRef<'_>,
    run: &str,
) -> Result<Option<RunState>, DeployError> {
    let Some(workflow) = find(cluster, flow, run).await? else {
        return Ok(None);
    };
    let name = workflow["metadata"]["name"].as_str().unwrap_or_default();
    let pods = cluster.pods(name).await?;
    Ok(Some(RunState {
        troubles: troubles::troubles(&workflow, &pods),
        ..summary(cluster, &workflow)
    }))
}

/// Asks for the run's end as `argo stop` does: running pods get SIGTERM, no further one starts.
pub(super) async fn stop(
    cluster: &Cluster,
    flow: FlowRef<'_>,
    run: &str,
) -> Result<Option<RunState>, DeployError> {
    let Some(workflow) = find(cluster, flow, run).await? else {
        return Ok(None);
    };
    let state = summary(cluster, &workflow);
    if !state.phase.is_end() {
        let name = workflow["metadata"]["name"].as_str().unwrap_or_default();
        let patch = json!({"spec": {"shutdown": "Stop"}});
        cluster.patch_workflow(name, &patch).await?;
    }
    Ok(Some(state))
}

/// The newest Workflow of a run: the one whose name the run has, or one that continues it.
async fn find(
    cluster: &Cluster,
    flow: FlowRef<'_>,
    run: &str,
) -> Result<Option<Value>, DeployError> {
    let mut newest = match run.strip_prefix("argo-") {
        Some(name) => cluster.get_workflow(name).await?,
        None => None,
    };
    newest = newest.filter(|workflow| is_flowcs(workflow) && id(workflow) == run);
    // Only what has ended can have been continued.
    if newest.as_ref().is_some_and(|found| !phase(found).is_end()) {
        return Ok(newest);
    }
    let look = |workflow: Value| {
        let later = newest
            .as_ref()
            .is_none_or(|newest| created(&workflow) > created(newest));
        if later && is_of(&workflow, flow) && id(&workflow) == run {
            newest = Some(workflow);
        }
    };
    cluster.each_workflow(&selector(flow), look).await?;
    Ok(newest)
}

/// Workflows get this label from the template, when the controller first looks at them at the latest.
fn selector(flow: FlowRef<'_>) -> String {
    format!("{FLOW_KEY}={}", names::label(flow.flow))
}

fn is_flowcs(workflow: &Value) -> bool {
    workflow["metadata"]["labels"][FLOW_KEY].is_string()
}

/// Whether the Workflow is of this deployment; another project's flow may have the same name.
fn is_of(workflow: &Value, flow: FlowRef<'_>) -> bool {
    let Some(plan) = flow.plan else { return true };
    workflow["spec"]["workflowTemplateRef"]["name"] == names::template_name(plan).as_str()
}

/// When it was created: RFC 3339 in UTC, so that texts sort as times.
fn created(workflow: &Value) -> String {
    let time = workflow["metadata"]["creationTimestamp"].as_str();
    time.unwrap_or_default().to_owned()
}

/// The run id of a Workflow, as its tasks derive it.
fn id(workflow: &Value) -> String {
    let parameters = workflow["spec"]["arguments"]["parameters"].as_array();
    let continued = parameters
        .into_iter()
        .flatten()
        .find(|parameter| parameter["name"] == RUN_PARAMETER)
        .and_then(|parameter| parameter["value"].as_str())
        .filter(|id| !id.is_empty());
    if let Some(id) = continued {
        return id.to_owned();
    }
    let name = workflow["metadata"]["name"].as_str().unwrap_or_default();
    run_id(&format!("argo:{name}")).unwrap_or_else(|| name.to_owned())
}

fn run(cluster: &Cluster, workflow: &Value) -> Run {
    let name = workflow["metadata"]["name"].as_str().unwrap_or_default();
    Run {
        id: id(workflow),
        native: format!("{}/{name}", cluster.namespace),
    }
}

/// All but the troubles.
fn summary(cluster: &Cluster, workflow: &Value) -> RunState {
    let status = &workflow["status"];
    let time = |key: &str| {
        let time: Timestamp = status[key].as_str()?.parse().ok()?;
        Some(time.as_millisecond())
    };
    let phase = phase(workflow);
    let message = status["message"].as_str().filter(|text| !text.is_empty());
    let reason = match (message, phase) {
        (Some(message), _) => Some(message.to_owned()),
        (None, Phase::Pending) if status["phase"].is_null() => {
            Some("Argo's controller has not looked at it yet".to_owned())
        }
        (None, _) => None,
    };
    RunState {
        run: run(cluster, workflow),
        phase,
        started_ms: time("startedAt"),
        ended_ms: time("finishedAt"),
        reason,
        troubles: Vec::new(),
        page: None,
    }
}

fn phase(workflow: &Value) -> Phase {
    let stopped = workflow["spec"]["shutdown"].is_string();
    match workflow["status"]["phase"].as_str() {
        Some("Running") => Phase::Running,
        Some("Succeeded") => Phase::Succeeded,
        Some("Failed" | "Error") if stopped => Phase::Stopped,
        Some("Failed" | "Error") => Phase::Failed,
        _ => Phase::Pending,
    }
}

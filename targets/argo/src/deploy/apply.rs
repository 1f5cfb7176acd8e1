//! What is live becomes what the bundle says.

use std::time::{Duration, Instant};

use flowc_core::ir::project::Project;
use flowc_target::deploy::{
    Action, Change, DeployError, Deployment, FLOW_KEY, FlowRef, Foreign, OWNER_KEY, Progress,
};
use serde_json::{Value, json};

use super::bundle::{Manifest, manifests};
use super::cluster::{Apply, Cluster};
use super::difference::difference;
use super::kind::Kind;
use super::runs;
use crate::names;

/// Label of everything that flowc made.
const MANAGED: &str = "app.kubernetes.io/managed-by=flowc";

/// Label with `@project`'s name: flows of one name in two projects are two deployments.
const PROJECT_KEY: &str = "flowc.dev/project";

/// Label with the project's branch: so are those of two branches.
const BRANCH_KEY: &str = "flowc.dev/branch";

/// How long an object may take to go. Its finalizers are the work of the cluster's controllers.
const DELETION: Duration = Duration::from_mins(1);

/// What `apply` would do, found out by applying everything as a dry run.
pub(super) async fn changes(
    cluster: &Cluster,
    deployment: Deployment<'_>,
) -> Result<Vec<Change>, DeployError> {
    let owner = cluster.identity().await?;
    let manifests = owned(cluster, deployment, &owner)?;
    let mut changes: Vec<Change> = Vec::new();
    for manifest in &manifests {
        let live = cluster.get(manifest.kind, &manifest.name).await?;
        if let Some(live) = &live {
            refuse_foreign(cluster, manifest.kind, live, &owner, deployment.foreign)?;
        }
        let dry = cluster.apply(manifest, Apply::DryRun).await;
        let dry = match dry {
            // A binding is checked against its role, which a dry run has not made.
            Err(kube::Error::Api(status))
                if manifest.kind == Kind::RoleBinding
                    && status.code == 404
                    && changes.iter().any(|change| {
                        change.kind == Kind::Role.as_str() && change.action == Action::Create
                    }) =>
            {
                manifest.object.clone()
            }
            other => other.map_err(|error| cluster.apply_error(manifest, error))?,
        };
        let (action, detail) = match live {
            None => (Action::Create, None),
            Some(live) => match difference(&live, &dry) {
                None => (Action::Keep, None),
                places => (Action::Update, places),
            },
        };
        changes.push(Change {
            kind: manifest.kind.as_str().to_owned(),
            name: full_name(cluster, &manifest.name),
            action,
            detail,
        });
    }
    let flow = FlowRef {
        flow: &deployment.plan.flow,
        plan: Some(deployment.plan),
    };
    let kept = |kind: Kind, name: &str| {
        manifests
            .iter()
            .any(|manifest| manifest.kind == kind && manifest.name == name)
    };
    changes.extend(superfluous(cluster, flow, &owner, deployment.foreign, kept).await?);
    Ok(changes)
}

/// Does what `changes` found.
pub(super) async fn apply(
    cluster: &Cluster,
    deployment: Deployment<'_>,
    changes: &[Change],
    progress: &dyn Progress,
) -> Result<(), DeployError> {
    let owner = cluster.identity().await?;
    for manifest in owned(cluster, deployment, &owner)? {
        let name = full_name(cluster, &manifest.name);
        let change = changes
            .iter()
            .find(|change| change.kind == manifest.kind.as_str() && change.name == name);
        let Some(change) = change else { continue };
        if !matches!(change.action, Action::Create | Action::Update) {
            continue;
        }
        progress.waiting(&format!("{} {}", change.kind, change.name));
        let applied = cluster.apply(&manifest, Apply::Really).await;
        applied.map_err(|error| cluster.apply_error(&manifest, error))?;
        progress.done(change);
    }
    remove(cluster, changes, progress).await
}

/// Deletes what is marked so, in the given order.
pub(super) async fn remove(
    cluster: &Cluster,
    changes: &[Change],
    progress: &dyn Progress,
) -> Result<(), DeployError> {
    for change in changes {
        if change.action != Action::Delete {
            continue;
        }
        let kind = Kind::ALL
            .into_iter()
            .find(|kind| kind.as_str() == change.kind);
        let name = change.name.rsplit('/').next();
        let (Some(kind), Some(name)) = (kind, name) else {
            continue;
        };
        progress.waiting(&format!("{} {}", change.kind, change.name));
        // Only what is there now and is still flowc's; another one may have been made meanwhile.
        if let Some(live) = cluster.get(kind, name).await? {
            let uid = live["metadata"]["uid"].as_str();
            cluster.delete(kind, name, uid).await?;
            gone(cluster, kind, name, uid).await?;
        }
        progress.done(change);
    }
    Ok(())
}

/// Waits until an object is gone: Kubernetes first lets go of what belongs to it, and an object that was applied
/// meanwhile would go with it.
async fn gone(
    cluster: &Cluster,
    kind: Kind,
    name: &str,
    uid: Option<&str>,
) -> Result<(), DeployError> {
    let began = Instant::now();
    while let Some(live) = cluster.get(kind, name).await? {
        if live["metadata"]["uid"].as_str() != uid {
            break;
        }
        if began.elapsed() > DELETION {
            return Err(DeployError::Timeout {
                what: format!("the end of {} {name}", kind.as_str()),
                seconds: DELETION.as_secs(),
                help: "look at its finalizers, and whether the cluster's controllers run"
                    .to_owned(),
            });
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}

/// What `delete` removes: everything that bears the flow's label.
pub(super) async fn deletions(
    cluster: &Cluster,
    flow: FlowRef<'_>,
) -> Result<Vec<Change>, DeployError> {
    let owner = cluster.identity().await?;
    superfluous(cluster, flow, &owner, Foreign::Refuse, |_, _| false).await
}

/// The flow's objects that are not `kept`, in the order in which they are to go: what starts runs first.
async fn superfluous(
    cluster: &Cluster,
    flow: FlowRef<'_>,
    owner: &str,
    foreign: Foreign,
    kept: impl Fn(Kind, &str) -> bool,
) -> Result<Vec<Change>, DeployError> {
    let labels = format!("{MANAGED},{FLOW_KEY}={}", names::label(flow.flow));
    let mut changes = Vec::new();
    for kind in Kind::ALL.into_iter().rev() {
        let objects = match cluster.list(kind, &labels).await {
            // Who may not even look at roles has deployed none: the profile names a service account.
            Err(DeployError::Denied { .. }) if kind.serves_pods() || kind.is_of_events() => {
                continue;
            }
            // A cluster without Argo Events has nothing of it.
            Err(DeployError::Missing { .. }) if kind.is_of_events() => continue,
            objects => objects?,
        };
        for object in objects {
            let name = object["metadata"]["name"].as_str().unwrap_or_default();
            if kept(kind, name) || !is_same_deployment(&object, flow) {
                continue;
            }
            refuse_foreign(cluster, kind, &object, owner, foreign)?;
            changes.push(Change {
                kind: kind.as_str().to_owned(),
                name: full_name(cluster, name),
                action: Action::Delete,
                detail: None,
            });
        }
    }
    keep_what_runs_need(cluster, flow, &mut changes).await?;
    Ok(changes)
}

/// Pods of running Workflows cannot be made without their service account, so it goes by a later call.
async fn keep_what_runs_need(
    cluster: &Cluster,
    flow: FlowRef<'_>,
    changes: &mut [Change],
) -> Result<(), DeployError> {
    let serves_pods = |change: &Change| {
        let mut kinds = Kind::ALL.into_iter();
        kinds.any(|kind| kind.as_str() == change.kind && kind.serves_pods())
    };
    if !changes.iter().any(serves_pods) {
        return Ok(());
    }
    let running = runs::running(cluster, flow).await?;
    if running == 0 {
        return Ok(());
    }
    for change in changes.iter_mut().filter(|change| serves_pods(change)) {
        change.action = Action::Keep;
        change.detail = Some(match running {
            1 => "a run still needs it".to_owned(),
            more => format!("{more} runs still need it"),
        });
    }
    Ok(())
}

/// Without the flow's file its project is not known, and all that bears its name is meant.
fn is_same_deployment(object: &Value, flow: FlowRef<'_>) -> bool {
    let Some(plan) = flow.plan else { return true };
    let bears = |key: &str, wanted: Option<&str>| {
        let found = object["metadata"]["labels"][key].as_str();
        found == wanted.map(names::label).as_deref()
    };
    let project = plan.project.as_ref();
    let branch = project.and_then(Project::branch_name);
    bears(PROJECT_KEY, project.map(|project| project.name.as_str()))
        && bears(BRANCH_KEY, branch.as_deref())
}

/// The bundle's objects with the mark of who deployed them.
fn owned(
    cluster: &Cluster,
    deployment: Deployment<'_>,
    owner: &str,
) -> Result<Vec<Manifest>, DeployError> {
    let mut manifests = manifests(deployment.files)?;
    for manifest in &mut manifests {
        if manifest.namespace != cluster.namespace {
            return Err(DeployError::Elsewhere {
                what: "namespace",
                expected: cluster.namespace.clone(),
                found: manifest.namespace.clone(),
            });
        }
        let metadata = &mut manifest.object["metadata"];
        if metadata["annotations"].is_null() {
            metadata["annotations"] = json!({});
        }
        metadata["annotations"][OWNER_KEY] = json!(owner);
    }
    Ok(manifests)
}

fn refuse_foreign(
    cluster: &Cluster,
    kind: Kind,
    live: &Value,
    owner: &str,
    foreign: Foreign,
) -> Result<(), DeployError> {
    let metadata = &live["metadata"];
    let found = metadata["annotations"][OWNER_KEY].as_str();
    if found == Some(owner) || foreign == Foreign::TakeOver {
        return Ok(());
    }
    let name = metadata["name"].as_str().unwrap_or_default();
    Err(DeployError::Foreign {
        object: format!("{} {}", kind.as_str(), full_name(cluster, name)),
        owner: found.unwrap_or("something other than flowc").to_owned(),
    })
}

fn full_name(cluster: &Cluster, name: &str) -> String {
    format!("{}/{name}", cluster.namespace)
}

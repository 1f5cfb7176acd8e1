//! What went wrong with single tasks, from the nodes of a Workflow and its pods.

use std::collections::BTreeMap;

use flowc_protocol::exit::Exit;
use flowc_protocol::identity::IndexPath;
use flowc_target::deploy::Trouble;
use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use serde_json::{Map, Value};

use crate::step::INDEX;

/// Waiting reasons of Kubernetes that do not go away by themselves.
const STUCK: [&str; 6] = [
    "ErrImagePull",
    "ImagePullBackOff",
    "InvalidImageName",
    "ErrImageNeverPull",
    "CreateContainerConfigError",
    "CreateContainerError",
];

/// The troubles of a run, in the order in which they happened.
pub(super) fn troubles(workflow: &Value, pods: &[Pod]) -> Vec<Trouble> {
    let Some(nodes) = workflow["status"]["nodes"].as_object() else {
        return Vec::new();
    };
    let steps = steps(workflow);
    let parents = parents(nodes);
    let mut found: Vec<(&str, Trouble)> = Vec::new();
    for (id, node) in nodes {
        if node["type"] != "Pod" {
            continue;
        }
        let Some(cause) = cause(node, pods) else {
            continue;
        };
        let template = text(&node["templateName"]);
        let step = steps.get(template).copied().unwrap_or(template);
        found.push((
            text(&node["startedAt"]),
            Trouble {
                step: step.to_owned(),
                index: index(node),
                cause,
                is_final: is_final(id, node, nodes, &parents),
            },
        ));
    }
    found.sort_by(|one, two| {
        (one.0, &one.1.step, &one.1.index).cmp(&(two.0, &two.1.step, &two.1.index))
    });
    found.into_iter().map(|(_, trouble)| trouble).collect()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Steps by their templates' names: the shim's argument is the name that the author gave.
fn steps(workflow: &Value) -> BTreeMap<&str, &str> {
    let templates = workflow["status"]["storedWorkflowTemplateSpec"]["templates"].as_array();
    templates
        .into_iter()
        .flatten()
        .filter_map(|template| {
            let step = template["container"]["args"][0].as_str()?;
            Some((template["name"].as_str()?, step))
        })
        .collect()
}

/// The node above each: the attempts of a task are children of its `Retry` node.
fn parents(nodes: &Map<String, Value>) -> BTreeMap<&str, &Value> {
    nodes
        .values()
        .filter(|node| node["type"] == "Retry")
        .flat_map(|node| {
            let children = node["children"].as_array();
            children
                .into_iter()
                .flatten()
                .filter_map(move |child| Some((child.as_str()?, node)))
        })
        .collect()
}

fn index(node: &Value) -> Option<IndexPath> {
    let parameters = node["inputs"]["parameters"].as_array()?;
    let path = parameters
        .iter()
        .find(|parameter| parameter["name"] == INDEX)?;
    path["value"].as_str()?.parse().ok()
}

/// Whether no other attempt came or may come.
fn is_final(
    id: &str,
    node: &Value,
    nodes: &Map<String, Value>,
    parents: &BTreeMap<&str, &Value>,
) -> bool {
    let is_failed = |node: &Value| matches!(text(&node["phase"]), "Failed" | "Error");
    if !is_failed(node) {
        return false;
    }
    let Some(retry) = parents.get(id) else {
        return true;
    };
    let children = retry["children"].as_array();
    let last = children
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .rfind(|child| nodes.get(*child).is_some_and(|node| node["type"] == "Pod"));
    is_failed(retry) && last == Some(id)
}

/// One line on what happened to a task's pod; `None` if nothing did, or if the task's own record tells it.
fn cause(node: &Value, pods: &[Pod]) -> Option<String> {
    let message = text(&node["message"]);
    match text(&node["phase"]) {
        "Failed" | "Error" => failure(message, exit_code(node)),
        "Pending" => {
            let stuck = pods
                .iter()
                .find(|pod| is_of(pod, node))
                .and_then(stuck_container);
            stuck.or_else(|| pending(message))
        }
        _ => None,
    }
}

fn exit_code(node: &Value) -> Option<i64> {
    node["outputs"]["exitCode"].as_str()?.parse().ok()
}

fn failure(message: &str, code: Option<i64>) -> Option<String> {
    let told = [Exit::UserFailure, Exit::UserFailureFinal].map(|exit| i64::from(exit.code()));
    let line = message.lines().next().unwrap_or_default();
    if line.contains("OOMKilled") {
        return Some(match code {
            Some(code) => format!("out of memory (exit {code})"),
            None => "out of memory".to_owned(),
        });
    }
    if line == "pod deleted" {
        return Some("its pod was deleted".to_owned());
    }
    if line.contains("longer than the specified deadline") {
        return Some("its pod ran longer than its deadline".to_owned());
    }
    match code {
        // User code failed: what it said is in the store.
        Some(code) if told.contains(&code) => None,
        Some(137) => Some("killed (exit 137)".to_owned()),
        Some(143) => Some("asked to end (exit 143)".to_owned()),
        Some(_) | None if line.is_empty() => Some("its pod failed without a message".to_owned()),
        Some(_) | None => Some(line.to_owned()),
    }
}

/// Argo shows why a pod waits, unless one of its init containers does.
fn pending(message: &str) -> Option<String> {
    let (reason, why) = message.split_once(": ").unwrap_or((message, ""));
    if reason == "Unschedulable" {
        return Some(format!("no node can take its pod: {why}"));
    }
    STUCK.contains(&reason).then(|| message.to_owned())
}

fn is_of(pod: &Pod, node: &Value) -> bool {
    let annotations = pod.metadata.annotations.as_ref();
    annotations
        .and_then(|annotations| annotations.get("workflows.argoproj.io/node-id"))
        .is_some_and(|id| id == text(&node["id"]))
}

fn stuck_container(pod: &Pod) -> Option<String> {
    let status = pod.status.as_ref()?;
    let init = status.init_container_statuses.iter().flatten();
    let mut all = init.chain(status.container_statuses.iter().flatten());
    all.find_map(waits)
}

fn waits(container: &ContainerStatus) -> Option<String> {
    let waiting = container.state.as_ref()?.waiting.as_ref()?;
    let reason = waiting.reason.as_deref()?;
    if !STUCK.contains(&reason) {
        return None;
    }
    if reason.contains("Image") {
        return Some(format!(
            "the image \"{}\" cannot be pulled ({reason})",
            container.image
        ));
    }
    let why = waiting.message.as_deref().unwrap_or_default();
    Some(format!("{reason}: {why}"))
}

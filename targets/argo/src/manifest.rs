//! The part of Argo's and Kubernetes' objects that we print; field order is the output's order.

use indexmap::IndexMap;
use serde::Serialize;
use serde_json::Value;

pub(crate) const API: &str = "argoproj.io/v1alpha1";

/// Any object.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Object<T> {
    pub(crate) api_version: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) metadata: Metadata,
    #[serde(flatten)]
    pub(crate) content: T,
}

#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Metadata {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) namespace: Option<String>,
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub(crate) labels: IndexMap<String, String>,
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub(crate) annotations: IndexMap<String, String>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Spec<T> {
    pub(crate) spec: T,
}

/// Of a `WorkflowTemplate`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WorkflowSpec {
    pub(crate) entrypoint: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) on_exit: Option<&'static str>,
    pub(crate) service_account_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) parallelism: Option<u32>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) image_pull_secrets: Vec<Name>,
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub(crate) node_selector: IndexMap<String, String>,
    pub(crate) arguments: Arguments,
    pub(crate) workflow_metadata: Metadata,
    pub(crate) pod_metadata: Metadata,
    pub(crate) template_defaults: Template,
    pub(crate) templates: Vec<Template>,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Name {
    pub(crate) name: String,
}

#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Arguments {
    pub(crate) parameters: Vec<Parameter>,
}

#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Parameter {
    pub(crate) name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) value: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) value_from: Option<ValueFrom>,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct ValueFrom {
    pub(crate) path: &'static str,
    pub(crate) default: &'static str,
}

/// A template: one container, a graph of tasks, or nothing to run; or the defaults of all.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Template {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) metadata: Option<Metadata>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) inputs: Option<Arguments>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) outputs: Option<Arguments>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) retry_strategy: Option<RetryStrategy>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) active_deadline_seconds: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) service_account_name: Option<String>,
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub(crate) node_selector: IndexMap<String, String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) tolerations: Vec<Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) volumes: Vec<Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) init_containers: Vec<Container>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) container: Option<Container>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) suspend: Option<Suspend>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) dag: Option<Dag>,
}

#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Container {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) image: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) image_pull_policy: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) command: Vec<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) args: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) env: Vec<Variable>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) env_from: Vec<Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) ports: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) resources: Option<Resources>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) volume_mounts: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) security_context: Option<Value>,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Variable {
    pub(crate) name: String,
    pub(crate) value: String,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Resources {
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub(crate) requests: IndexMap<String, String>,
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub(crate) limits: IndexMap<String, String>,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RetryStrategy {
    pub(crate) limit: String,
    pub(crate) retry_policy: &'static str,
    pub(crate) backoff: Backoff,
    pub(crate) expression: String,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Backoff {
    pub(crate) duration: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) factor: Option<&'static str>,
}

/// A pause; its node succeeds without a pod.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Suspend {
    pub(crate) duration: &'static str,
}

#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Dag {
    pub(crate) tasks: Vec<Task>,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Task {
    pub(crate) name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) depends: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) when: Option<String>,
    pub(crate) template: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) with_sequence: Option<Sequence>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) arguments: Option<Arguments>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) continue_on: Option<ContinueOn>,
}

/// Ends of a task with which its graph goes on, and ends well.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ContinueOn {
    pub(crate) error: bool,
    pub(crate) failed: bool,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Sequence {
    pub(crate) count: String,
}

/// Of a `CronWorkflow`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CronSpec {
    pub(crate) schedules: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) timezone: Option<String>,
    pub(crate) starting_deadline_seconds: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) concurrency_policy: Option<&'static str>,
    pub(crate) successful_jobs_history_limit: u32,
    pub(crate) failed_jobs_history_limit: u32,
    pub(crate) workflow_spec: Value,
}

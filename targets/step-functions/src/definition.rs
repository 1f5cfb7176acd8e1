//! What of Batch's API a job definition consists of (`RegisterJobDefinition`).

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

/// `RegisterJobDefinition`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct JobDefinition {
    #[serde(rename = "jobDefinitionName")]
    pub(crate) name: String,
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) container_properties: ContainerProperties,
    pub(crate) retry_strategy: RetryStrategy,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) timeout: Option<Timeout>,
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub(crate) tags: IndexMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) propagate_tags: Option<bool>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ContainerProperties {
    pub(crate) image: String,
    pub(crate) command: Vec<String>,
    pub(crate) job_role_arn: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) execution_role_arn: Option<String>,
    pub(crate) resource_requirements: Vec<Requirement>,
    pub(crate) environment: Vec<Variable>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) linux_parameters: Option<LinuxParameters>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) volumes: Vec<Volume>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) mount_points: Vec<MountPoint>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) log_configuration: Option<LogConfiguration>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) privileged: Option<bool>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Requirement {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) value: String,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Variable {
    pub(crate) name: String,
    pub(crate) value: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct LinuxParameters {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) shared_memory_size: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) max_swap: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) swappiness: Option<i64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) devices: Vec<Device>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) tmpfs: Vec<Tmpfs>,
}

/// A device of the host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Device {
    pub(crate) host_path: String,
    pub(crate) container_path: String,
    pub(crate) permissions: Vec<String>,
}

/// A file system in memory; its size is in MiB.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Tmpfs {
    pub(crate) container_path: String,
    pub(crate) size: u32,
    pub(crate) mount_options: Vec<String>,
}

/// A folder of the host or a file system of EFS.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Volume {
    pub(crate) name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) host: Option<Host>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) efs_volume_configuration: Option<Efs>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Host {
    pub(crate) source_path: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Efs {
    pub(crate) file_system_id: String,
    pub(crate) transit_encryption: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct MountPoint {
    pub(crate) source_volume: String,
    pub(crate) container_path: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct LogConfiguration {
    pub(crate) log_driver: String,
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub(crate) options: IndexMap<String, String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct RetryStrategy {
    pub(crate) attempts: u32,
    pub(crate) evaluate_on_exit: Vec<OnExit>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OnExit {
    #[serde(
        default,
        rename = "onExitCode",
        skip_serializing_if = "Option::is_none"
    )]
    pub(crate) exit_code: Option<String>,
    #[serde(
        default,
        rename = "onStatusReason",
        skip_serializing_if = "Option::is_none"
    )]
    pub(crate) status_reason: Option<String>,
    #[serde(default, rename = "onReason", skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
    pub(crate) action: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Timeout {
    pub(crate) attempt_duration_seconds: u32,
}

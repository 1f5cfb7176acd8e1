//! What a step asks of its pod by `@kubernetes`, typed and checked, for every target whose tasks are pods.
//!
//! Amounts of CPU, memory, disk, GPUs and shared memory are the plan's; all else is here.
//! What [`read`] lets through is of the form that Kubernetes' API server takes, and but for annotations and the interpreter's path
//! of an alphabet that no orchestrator's templating knows.

mod read;
mod rules;

use flowc_core::source::Span;
use indexmap::IndexMap;

use crate::asked::Tmpfs;
use crate::profile::ImagePullPolicy;

pub use read::read;

/// Attributes that [`read`] knows, besides the amounts that are the plan's.
pub const ATTRIBUTES: &[&str] = &[
    "image",
    "image_pull_policy",
    "image_pull_secrets",
    "service_account",
    "secrets",
    "namespace",
    "node_selector",
    "compute_pool",
    "tolerations",
    "labels",
    "annotations",
    "gpu_vendor",
    "qos",
    "extended_resources",
    "use_tmpfs",
    "tmpfs_size",
    "tmpfs_path",
    "tmpfs_tempdir",
    "persistent_volume_claims",
    "port",
    "executable",
    "security_context",
    "hostname_resolution_timeout",
];

/// A step's wishes; what it says nothing about is empty.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pod {
    /// Image of the step's container.
    pub image: Option<String>,
    /// When it is pulled.
    pub image_pull_policy: Option<ImagePullPolicy>,
    /// Secrets for pulling it.
    pub image_pull_secrets: Vec<String>,
    /// Service account.
    pub service_account: Option<String>,
    /// Secrets whose keys become environment variables.
    pub secrets: Vec<String>,
    /// Namespace, and where it is written.
    pub namespace: Option<(String, Span)>,
    /// Labels of the node, with that of a `compute_pool`.
    pub node_selector: IndexMap<String, String>,
    /// Taints of nodes that are tolerated.
    pub tolerations: Vec<Toleration>,
    /// Labels of the pod.
    pub labels: IndexMap<String, String>,
    /// Annotations of the pod: any text.
    pub annotations: IndexMap<String, String>,
    /// `amd` or `nvidia`.
    pub gpu_vendor: Option<String>,
    /// Whether limits are as high as requests.
    pub is_guaranteed: bool,
    /// Resources of a device plugin or the like, in whole numbers.
    pub extended_resources: IndexMap<String, u64>,
    /// A file system in memory.
    pub tmpfs: Option<Tmpfs>,
    /// Volumes that are there.
    pub claims: Vec<Claim>,
    /// Port on which the container listens.
    pub port: Option<u16>,
    /// The Python interpreter: any text.
    pub executable: Option<String>,
    /// What the container may do, and as whom.
    pub security: Security,
}

/// As in Kubernetes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Toleration {
    /// Key of the taint; all taints if absent.
    pub key: Option<String>,
    /// `Exists` or `Equal`.
    pub operator: Option<String>,
    /// Value of the taint.
    pub value: Option<String>,
    /// `NoSchedule`, `PreferNoSchedule` or `NoExecute`; all if absent.
    pub effect: Option<String>,
    /// How long a pod stays on a node that gets the taint.
    pub seconds: Option<i64>,
}

/// A `PersistentVolumeClaim` of the pod's namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Its name.
    pub name: String,
    /// Where it is mounted.
    pub path: String,
}

/// The part of a container's security context that Metaflow documents.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Security {
    /// Everything is allowed.
    pub privileged: Option<bool>,
    /// Whether a process may gain more rights than its parent.
    pub allow_privilege_escalation: Option<bool>,
    /// User id.
    pub run_as_user: Option<i64>,
    /// Group id.
    pub run_as_group: Option<i64>,
    /// Whether a user id of 0 is refused.
    pub run_as_non_root: Option<bool>,
}

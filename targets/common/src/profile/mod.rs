//! Profiles: what a bundle depends on besides the flow, from `flowc.toml` or from defaults that need no account.
//!
//! Order: a flag of the command line, then the profile, then the default; never the environment.
//! `docs/flowc-toml.md` lists every key.

mod placeholder;
mod read;
mod rules;
mod store;

use std::ops::Deref;

use flowc_core::diag::{Code, Diagnostic, Severity, suggest};
use flowc_core::source::Span;
use flowc_protocol::manifest::EmptyForeach;
use indexmap::IndexMap;

pub use placeholder::Placeholder;
pub use read::read;
pub use rules::{
    is_image, is_job_queue, is_label_key, is_label_value, is_namespace, is_object_name, is_role_arn,
};
pub use store::RemoteStore;

/// Name of the file.
pub const FILE_NAME: &str = "flowc.toml";

/// The profile that is used if none is asked for.
pub const DEFAULT_PROFILE: &str = "default";

/// A value and, where somebody wrote it in `flowc.toml`, its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting<T> {
    /// The value.
    pub value: T,
    /// Where it was written; `None` for a default or a flag.
    pub span: Option<Span>,
}

impl<T> Setting<T> {
    /// A value that stands in no file: a default, or a flag of the command line.
    pub fn given(value: T) -> Self {
        Self { value, span: None }
    }

    /// An error about this value, which points at it where it was written.
    pub fn error(&self, code: Code, message: impl Into<String>, label: &str) -> Diagnostic {
        let diagnostic = Diagnostic::new(code, Severity::Error, message);
        match self.span {
            Some(span) => diagnostic.label(span, label),
            None => diagnostic,
        }
    }
}

impl<T> Deref for Setting<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl From<&str> for Setting<String> {
    fn from(text: &str) -> Self {
        Self::given(text.to_owned())
    }
}

/// All of `flowc.toml`.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Config {
    /// `[package] include`: patterns of files that go into the code package besides the usual ones.
    pub include: Vec<Setting<String>>,
    /// `empty_foreach` at the top; a profile's own value wins.
    pub empty_foreach: Option<EmptyForeach>,
    /// `[describe]`, defaults filled in.
    pub describe: DescribeLimits,
    /// `[profile.NAME]`, defaults filled in, in alphabetical order.
    pub profiles: IndexMap<String, Profile>,
}

/// What Python may take for one execution of a flow file whose values cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DescribeLimits {
    /// Longest time, in seconds.
    pub timeout_s: u32,
    /// Largest resident memory of the process and of all that it starts, in MiB; Linux alone tells it.
    pub memory_mib: u32,
    /// Largest answer, in MiB.
    pub answer_mib: u32,
}

impl Default for DescribeLimits {
    fn default() -> Self {
        Self {
            timeout_s: 120,
            memory_mib: 4096,
            answer_mib: 16,
        }
    }
}

impl Config {
    /// The profile of that name, or the default one if no name is given; the default one need not be written down.
    pub fn profile(&self, name: Option<&str>) -> Result<Profile, Box<Diagnostic>> {
        let wanted = name.unwrap_or(DEFAULT_PROFILE);
        if let Some(profile) = self.profiles.get(wanted) {
            return Ok(profile.clone());
        }
        if wanted == DEFAULT_PROFILE {
            return Ok(Profile {
                empty_foreach: self.empty_foreach.unwrap_or_default(),
                ..Profile::default()
            });
        }
        let message = format!("there is no profile `{wanted}`");
        let diagnostic = Diagnostic::new(Code::FC0305, Severity::Error, message);
        let known = self.profiles.keys().map(String::as_str);
        Err(Box::new(match suggest::closest(wanted, known.clone()) {
            Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
            None if self.profiles.is_empty() => {
                diagnostic.help(format!("write a table `[profile.{wanted}]` in {FILE_NAME}"))
            }
            None => {
                let names: Vec<_> = known.collect();
                diagnostic.help(format!("{FILE_NAME} has: {}", names.join(", ")))
            }
        }))
    }
}

/// A profile with its defaults filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// Name.
    pub name: String,
    /// URL of the store's root: `s3://bucket/prefix`, `gs://…`, `az://…`, or a local folder.
    pub store: Setting<String>,
    /// Container image of steps that name none.
    pub image: Setting<String>,
    /// Image that carries `/flowc-shim` and nothing else (Kubernetes only).
    pub shim_image: Setting<String>,
    /// User id of every container, never 0; says that none runs as root (Kubernetes only). The images' own users if absent.
    pub run_as_user: Option<u32>,
    /// Environment of every container; names are `[A-Za-z_][A-Za-z0-9_]*` and do not start with `FLOWC_`, values hold no NUL.
    pub env: IndexMap<String, Setting<String>>,
    /// Labels (Kubernetes) and tags (AWS) of everything that is created; legal as Kubernetes labels.
    pub labels: IndexMap<String, Setting<String>>,
    /// What a foreach over nothing does.
    pub empty_foreach: EmptyForeach,
    /// What a scheduled run does that would start before the last one has ended.
    pub overlap: Overlap,
    /// Branch of flows that are in a project.
    pub branch: Option<Setting<String>>,
    /// Whether that branch is of production.
    pub production: Setting<bool>,
    /// `step-functions = {…}`
    pub step_functions: StepFunctionsProfile,
    /// `argo = {…}`
    pub argo: ArgoProfile,
    /// `airflow = {…}`
    pub airflow: AirflowProfile,
}

impl Default for Profile {
    fn default() -> Self {
        Self {
            name: DEFAULT_PROFILE.to_owned(),
            store: "s3://flowc-store".into(),
            image: "python:3.12-slim".into(),
            shim_image: "flowc-shim:0.1.0".into(),
            run_as_user: None,
            env: IndexMap::new(),
            labels: IndexMap::new(),
            empty_foreach: EmptyForeach::default(),
            overlap: Overlap::default(),
            branch: None,
            production: Setting::given(false),
            step_functions: StepFunctionsProfile::default(),
            argo: ArgoProfile::default(),
            airflow: AirflowProfile::default(),
        }
    }
}

/// What a scheduled run does that would start while another run of the same deployed flow is still running.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Overlap {
    /// It starts.
    #[default]
    Allow,
    /// It does not run a single task; runs that somebody triggers are not held back.
    Skip,
}

/// How the iterations of an outermost foreach run on Step Functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum ForeachMode {
    /// Each iteration is an execution of its own: up to 10 000 at a time, each with its own history.
    #[default]
    Distributed,
    /// All iterations share the execution and its 25 000 history events: about 3 000 iterations of one step.
    Inline,
}

/// What only Step Functions and Batch need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepFunctionsProfile {
    /// AWS region.
    pub region: Setting<String>,
    /// AWS account, 12 digits; `deploy` refuses another.
    pub account: Setting<String>,
    /// Name or ARN of the Batch job queue.
    pub job_queue: Setting<String>,
    /// Image of steps that name none; must hold `/flowc-shim`. The profile's `image` if absent.
    pub image: Option<Setting<String>>,
    /// ARN of the role of user code. A role per flow, described in `iam.json`, if absent.
    pub job_role: Option<Setting<String>>,
    /// ARN of the role with which ECS pulls images and writes logs; only Fargate needs it.
    pub execution_role: Option<Setting<String>>,
    /// ARN of the state machine's role. A role per flow if absent.
    pub state_machine_role: Option<Setting<String>>,
    /// ARN of the role with which the schedule starts the state machine. A role per flow if absent.
    pub scheduler_role: Option<Setting<String>>,
    /// Name or ARN of the event bus on which the events of `@trigger` arrive.
    pub event_bus: Setting<String>,
    /// ARN of the role with which EventBridge starts the state machine. A role per flow if absent.
    pub events_role: Option<Setting<String>>,
    /// Iterations of one foreach that run at a time.
    pub max_concurrency: u32,
    /// How an outermost foreach runs.
    pub foreach: ForeachMode,
}

impl Default for StepFunctionsProfile {
    fn default() -> Self {
        Self {
            region: "us-east-1".into(),
            account: "123456789012".into(),
            job_queue: "flowc".into(),
            image: None,
            job_role: None,
            execution_role: None,
            state_machine_role: None,
            scheduler_role: None,
            event_bus: "default".into(),
            events_role: None,
            max_concurrency: 100,
            foreach: ForeachMode::default(),
        }
    }
}

/// What only Argo needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArgoProfile {
    /// Context of the kubeconfig; the current one if absent.
    pub context: Option<Setting<String>>,
    /// Namespace of all objects.
    pub namespace: Setting<String>,
    /// Service account of the pods. One per flow, described in `rbac.yaml`, if absent.
    pub service_account: Option<Setting<String>>,
    /// Image of steps that name none. The profile's `image` if absent.
    pub image: Option<Setting<String>>,
    /// Names of secrets with which images are pulled.
    pub image_pull_secrets: Vec<Setting<String>>,
    /// Names of secrets whose keys become environment variables of every step.
    pub secrets: Vec<Setting<String>>,
    /// Labels that a node must have.
    pub node_selector: IndexMap<String, Setting<String>>,
    /// Pods of one run that exist at a time; no limit if absent.
    pub parallelism: Option<u32>,
    /// Argo Events: name of the `EventBus` over which events come.
    pub event_bus: Setting<String>,
    /// Name of the `EventSource` that takes the events of `@trigger`.
    pub event_source: Setting<String>,
    /// What that `EventSource` calls them.
    pub event_name: Setting<String>,
    /// Service account of the pods that start runs. One per flow, described in `rbac.yaml`, if absent.
    pub event_service_account: Option<Setting<String>>,
}

impl Default for ArgoProfile {
    fn default() -> Self {
        Self {
            context: None,
            namespace: "default".into(),
            service_account: None,
            image: None,
            image_pull_secrets: Vec::new(),
            secrets: Vec::new(),
            node_selector: IndexMap::new(),
            parallelism: None,
            event_bus: "default".into(),
            event_source: "argo-events-webhook".into(),
            event_name: "metaflow-event".into(),
            event_service_account: None,
        }
    }
}

/// What only Airflow needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AirflowProfile {
    /// Where `deploy` puts the file: a folder, or `s3://bucket/prefix` or `gs://…`.
    pub dags: Option<Setting<String>>,
    /// Root of the web server, below which its REST API is; without a slash at its end.
    pub url: Option<Setting<String>>,
    /// Namespace of the pods.
    pub namespace: Setting<String>,
    /// Service account of the pods; the namespace's default one if absent.
    pub service_account: Option<Setting<String>>,
    /// Image of steps that name none. The profile's `image` if absent.
    pub image: Option<Setting<String>>,
    /// When images are pulled; Kubernetes decides by the tag if absent.
    pub image_pull_policy: Option<ImagePullPolicy>,
    /// Names of secrets with which images are pulled.
    pub image_pull_secrets: Vec<Setting<String>>,
    /// Labels that a node must have.
    pub node_selector: IndexMap<String, Setting<String>>,
    /// Airflow connection to the cluster; the cluster in which Airflow runs, or its default connection, if absent.
    pub kubernetes_conn_id: Option<Setting<String>>,
    /// Pool whose slots the tasks take; Airflow's default pool if absent.
    pub pool: Option<Setting<String>>,
    /// Owner that Airflow shows.
    pub owner: Setting<String>,
    /// Tags besides `flowc` and the project.
    pub tags: Vec<Setting<String>>,
    /// Runs that exist at a time; Airflow's setting if absent.
    pub max_active_runs: Option<u32>,
    /// Tasks of one run that run at a time; Airflow's setting if absent.
    pub max_active_tasks: Option<u32>,
    /// How many times Airflow's `max_map_length` tasks a foreach may have.
    pub foreach_blocks: u32,
    /// Seconds that a pod may take until its container runs: a node that must come up, an image that must be pulled.
    pub startup_timeout_s: u32,
}

impl Default for AirflowProfile {
    fn default() -> Self {
        Self {
            dags: None,
            url: None,
            namespace: "default".into(),
            service_account: None,
            image: None,
            image_pull_policy: None,
            image_pull_secrets: Vec::new(),
            node_selector: IndexMap::new(),
            kubernetes_conn_id: None,
            pool: None,
            owner: "flowc".into(),
            tags: Vec::new(),
            max_active_runs: None,
            max_active_tasks: None,
            foreach_blocks: 1,
            startup_timeout_s: 600,
        }
    }
}

/// When Kubernetes pulls an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImagePullPolicy {
    /// Before every container.
    Always,
    /// Where the node does not have it.
    IfNotPresent,
    /// Not at all: the node must have it.
    Never,
}

impl ImagePullPolicy {
    /// The policy of that name in any case: Metaflow takes `always`, Kubernetes does not.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Always, Self::IfNotPresent, Self::Never]
            .into_iter()
            .find(|policy| policy.as_str().eq_ignore_ascii_case(word))
    }

    /// As Kubernetes writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Always => "Always",
            Self::IfNotPresent => "IfNotPresent",
            Self::Never => "Never",
        }
    }
}

//! The contract between the command line and what talks to an orchestrator.
//!
//! An [`Operator`] is one orchestrator, as one profile reaches it. It knows nothing of the store: the command line puts
//! the code package there before [`Operator::apply`], and reads there what tasks left behind.
//!
//! A deployment is described by its bundle and nothing else: what `apply` sends are the bytes that `compile` wrote,
//! plus one mark of who deployed them ([`OWNER_KEY`]).

use std::error::Error;
use std::fmt;

use async_trait::async_trait;
use flowc_core::ir::plan::Plan;
use flowc_protocol::identity::IndexPath;
use flowc_protocol::json_text::Members;

use crate::{BundleFile, Options};

/// Annotation (Kubernetes) or tag (AWS, Airflow) with the identity that deployed an object; another one may only
/// overwrite it if told to.
pub const OWNER_KEY: &str = "flowc.dev/deployed-by";

/// Label (Kubernetes) or tag (AWS) with the flow's name; by it objects are found that the present bundle lacks.
pub const FLOW_KEY: &str = "flowc.dev/flow";

/// What is to be live.
#[derive(Clone, Copy)]
pub struct Deployment<'a> {
    /// The flow.
    pub plan: &'a Plan,
    /// Profile and package.
    pub options: &'a Options,
    /// The bundle, without `flow.ir.json`.
    pub files: &'a [BundleFile],
    /// What to do with objects that somebody else deployed.
    pub foreign: Foreign,
}

/// What to do with objects that somebody else deployed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Foreign {
    /// Leave them and say so: [`DeployError::Foreign`].
    Refuse,
    /// Overwrite them and become their owner.
    TakeOver,
}

/// What happens to one object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// It is not there yet.
    Create,
    /// It is there and says something else.
    Update,
    /// It is there and says the same.
    Keep,
    /// It is there and the bundle no longer has it.
    Delete,
}

/// One object, and what a deployment means for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// In the orchestrator's words: `state machine`, `WorkflowTemplate`, `DAG file`.
    pub kind: String,
    /// As its owner would look for it: a name, `namespace/name`, a path or an URL.
    pub name: String,
    /// What happens to it.
    pub action: Action,
    /// A few words on what differs, if there is more to say than the action.
    pub detail: Option<String>,
}

/// Names a deployed flow.
#[derive(Clone, Copy)]
pub struct FlowRef<'a> {
    /// The flow's name, as in the store.
    pub flow: &'a str,
    /// The flow itself where the user named its file; without it objects are found by [`FLOW_KEY`].
    pub plan: Option<&'a Plan>,
}

/// A run on an orchestrator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// The run id, as in the store.
    pub id: String,
    /// What the orchestrator calls it: an execution ARN, `namespace/workflow`, a DAG run's id.
    pub native: String,
}

/// How far a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Accepted, nothing has started.
    Pending,
    /// Something is going on.
    Running,
    /// Ended well.
    Succeeded,
    /// Ended badly.
    Failed,
    /// Ended by somebody's wish.
    Stopped,
}

impl Phase {
    /// Whether nothing more will happen.
    pub const fn is_end(self) -> bool {
        matches!(self, Phase::Succeeded | Phase::Failed | Phase::Stopped)
    }
}

/// What the orchestrator says of a run. What its tasks did is in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunState {
    /// The run.
    pub run: Run,
    /// How far it is.
    pub phase: Phase,
    /// When it started, milliseconds since the epoch.
    pub started_ms: Option<i64>,
    /// When it ended, milliseconds since the epoch.
    pub ended_ms: Option<i64>,
    /// Why it failed or waits, in the orchestrator's words, if it says so for the run as a whole.
    pub reason: Option<String>,
    /// Trouble with single tasks that their own records may not tell: out of memory, image not found, pod deleted.
    pub troubles: Vec<Trouble>,
    /// Where to look at it in a browser.
    pub page: Option<String>,
}

/// Trouble with a task, as the orchestrator saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// The step.
    pub step: String,
    /// The foreach indices, if the orchestrator knows them.
    pub index: Option<IndexPath>,
    /// One line: `out of memory (exit 137)`, `image "x" cannot be pulled`.
    pub cause: String,
    /// Whether this ended the task, or another attempt followed or may follow.
    pub is_final: bool,
}

/// Hears what is being done; the command line shows it.
pub trait Progress: Send + Sync {
    /// An object was created, updated or deleted.
    fn done(&self, change: &Change);
    /// What is being waited for now; replaces the last such line.
    fn waiting(&self, what: &str);
}

/// One orchestrator, as one profile reaches it.
#[async_trait]
pub trait Operator: Send + Sync {
    /// Compares what is live with what is to be; changes nothing.
    ///
    /// Checks first that this is the account, cluster or server that the profile names, and that what is there may be
    /// overwritten. Objects come in the order in which `apply` treats them.
    async fn changes(&self, deployment: Deployment<'_>) -> Result<Vec<Change>, DeployError>;

    /// Makes `changes` so, in an order in which an interruption at any point leaves the old version or the new one running,
    /// and the next call completes it. What is to be deleted comes last.
    async fn apply(
        &self,
        deployment: Deployment<'_>,
        changes: &[Change],
        progress: &dyn Progress,
    ) -> Result<(), DeployError>;

    /// Starts a run of what is deployed. `parameters` holds only what the user gave, checked against the flow.
    async fn trigger(&self, flow: FlowRef<'_>, parameters: &Members) -> Result<Run, DeployError>;

    /// The newest runs, newest first, at most `limit`; without `troubles`.
    async fn runs(&self, flow: FlowRef<'_>, limit: usize) -> Result<Vec<RunState>, DeployError>;

    /// The state of the run with this run id; `None` if the orchestrator knows no such run (any more).
    async fn state(&self, flow: FlowRef<'_>, run: &str) -> Result<Option<RunState>, DeployError>;

    /// As [`Operator::state`], without `troubles`: what somebody asks again and again until the run has ended.
    async fn outline(&self, flow: FlowRef<'_>, run: &str) -> Result<Option<RunState>, DeployError> {
        self.state(flow, run).await
    }

    /// Asks the orchestrator to end a run; its tasks get SIGTERM. The answer is the state before that.
    async fn stop(&self, flow: FlowRef<'_>, run: &str) -> Result<Option<RunState>, DeployError>;

    /// What `delete` would remove, in its order: schedules first, so that nothing starts meanwhile.
    async fn deletions(&self, flow: FlowRef<'_>) -> Result<Vec<Change>, DeployError>;

    /// Removes what is deployed. Runs and their artifacts stay.
    async fn delete(
        &self,
        flow: FlowRef<'_>,
        changes: &[Change],
        progress: &dyn Progress,
    ) -> Result<(), DeployError>;
}

/// What went wrong in the world; says what object it was about and what to do next.
#[derive(Debug, thiserror::Error)]
pub enum DeployError {
    /// Nobody answered.
    #[error("{service} at {endpoint} does not answer")]
    Unreachable {
        /// `Kubernetes`, `Step Functions`, `Airflow`.
        service: &'static str,
        /// URL or region.
        endpoint: String,
        /// The client's error.
        #[source]
        source: BoxError,
    },
    /// No credentials, or they were refused.
    #[error("{service} does not accept who asks")]
    Credentials {
        /// `Kubernetes`, `Step Functions`, `Airflow`.
        service: &'static str,
        /// What to do about it: `log in with …`.
        help: String,
        /// The client's error.
        #[source]
        source: BoxError,
    },
    /// Not allowed.
    #[error("not allowed: {permission} on {object}")]
    Denied {
        /// `states:CreateStateMachine`, `create workflowtemplates.argoproj.io`.
        permission: String,
        /// The object.
        object: String,
        /// The client's error.
        #[source]
        source: BoxError,
    },
    /// The profile names another account, cluster, context or namespace than the one that was reached.
    #[error("the profile says {what} {expected}, but this is {found}")]
    Elsewhere {
        /// `account`, `context`.
        what: &'static str,
        /// By the profile.
        expected: String,
        /// In the world.
        found: String,
    },
    /// Somebody else deployed it.
    #[error("{object} was deployed by {owner}")]
    Foreign {
        /// The object.
        object: String,
        /// Who; or `something other than flowc`.
        owner: String,
    },
    /// It is not there.
    #[error("{object} does not exist")]
    Missing {
        /// The object.
        object: String,
        /// What to do: `deploy it first: flowc deploy …`.
        help: String,
    },
    /// The orchestrator refuses it as wrong.
    #[error("{object} is refused")]
    Refused {
        /// The object.
        object: String,
        /// What the orchestrator says, and what to do if we know.
        help: String,
    },
    /// It did not happen in time.
    #[error("waited {seconds} s for {what}")]
    Timeout {
        /// What was waited for.
        what: String,
        /// How long.
        seconds: u64,
        /// What to look at.
        help: String,
    },
    /// Anything else that a client said.
    #[error("cannot {action} {object}")]
    Other {
        /// A verb: `update`.
        action: &'static str,
        /// The object.
        object: String,
        /// The client's error.
        #[source]
        source: BoxError,
    },
}

/// An error of a client library.
pub type BoxError = Box<dyn Error + Send + Sync>;

impl DeployError {
    /// What to do next.
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Unreachable { service, .. } => Some(format!(
                "check the profile's settings for {service}, the network and the proxy"
            )),
            Self::Denied { permission, .. } => Some(format!(
                "ask whoever owns the account or cluster for `{permission}`"
            )),
            Self::Elsewhere { what, .. } => Some(format!(
                "switch to the right {what}, or choose another profile with --profile"
            )),
            Self::Foreign { .. } => Some("--take-over overwrites it and makes it yours".to_owned()),
            Self::Credentials { help, .. }
            | Self::Missing { help, .. }
            | Self::Refused { help, .. }
            | Self::Timeout { help, .. } => Some(help.clone()),
            Self::Other { .. } => None,
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Action::Create => "create",
            Action::Update => "update",
            Action::Keep => "keep",
            Action::Delete => "delete",
        })
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Phase::Pending => "pending",
            Phase::Running => "running",
            Phase::Succeeded => "succeeded",
            Phase::Failed => "failed",
            Phase::Stopped => "stopped",
        })
    }
}

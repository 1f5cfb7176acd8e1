//! What the commands that talk to an orchestrator share.

mod error;
mod progress;
pub(crate) mod summary;

use std::fmt::Write as _;
use std::future::Future;
use std::path::Path;

use anyhow::Context;
use clap::ValueEnum;
use flowc_core::ir::plan::Plan;
use flowc_target::deploy::{Change, DeployError, FlowRef, Operator, Phase, RunState};
use flowc_target::{BranchChoice, Placeholder, Profile, Target, project};
use flowc_task::history::RunRecord;
use flowc_task::store::Store;

use crate::commands::check::MessageFormat;
use crate::describe::Given;
use crate::load::{self, Compilation};
use crate::{Outcome, output, store};

use summary::Summary;

pub(crate) use error::{refuse, store_trouble};
use progress::described;
pub(crate) use progress::{Console, change_json};

/// The orchestrator of a command that talks to one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Orchestrator {
    /// AWS Step Functions with AWS Batch
    StepFunctions,
    /// Argo Workflows
    Argo,
    /// Apache Airflow
    Airflow,
}

impl Orchestrator {
    /// Its back end.
    pub(crate) fn target(self) -> &'static dyn Target {
        match self {
            Self::StepFunctions => &flowc_step_functions::StepFunctions,
            Self::Argo => &flowc_argo::Argo,
            Self::Airflow => &flowc_airflow::Airflow,
        }
    }

    /// As people call it.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::StepFunctions => "Step Functions",
            Self::Argo => "Argo Workflows",
            Self::Airflow => "Airflow",
        }
    }

    /// What talks to it, as the profile says.
    pub(crate) async fn connect(self, profile: &Profile) -> Result<Box<dyn Operator>, DeployError> {
        Ok(match self {
            Self::Argo => Box::new(flowc_argo::deploy::connect(profile).await?),
            Self::StepFunctions => Box::new(flowc_step_functions::deploy::connect(profile).await?),
            Self::Airflow => {
                let bucket = dags_bucket(profile).await?;
                Box::new(flowc_airflow::deploy::connect(profile, bucket).await?)
            }
        })
    }
}

/// The bucket in which Airflow looks for DAGs, if it does, opened as the store is.
async fn dags_bucket(profile: &Profile) -> Result<Option<Store>, DeployError> {
    let bucket = profile.airflow.dags.as_ref();
    let Some(url) = bucket.filter(|dags| dags.contains("://")) else {
        return Ok(None);
    };
    match store::open(url).await {
        Ok(store) => Ok(Some(store)),
        Err(error) => Err(DeployError::Credentials {
            service: "the bucket of `dags`",
            help: "log in to its cloud as for the store".to_owned(),
            source: error.into(),
        }),
    }
}

/// Where a command finds its orchestrator.
#[derive(clap::Args)]
pub(crate) struct Where {
    /// The orchestrator
    #[arg(long, value_name = "TARGET")]
    pub(crate) target: Orchestrator,
    /// Profile of flowc.toml
    #[arg(long, value_name = "NAME")]
    pub(crate) profile: Option<String>,
}

/// A flow and the orchestrator on which it is deployed.
pub(crate) struct Deployed {
    /// The flow, with what was found in it.
    pub(crate) compilation: Compilation,
    /// Says where it is deployed.
    pub(crate) profile: Profile,
    target: Orchestrator,
}

impl Deployed {
    /// Reads a flow and the profile; `None` after its mistakes were shown, such as a placeholder for what is asked.
    pub(crate) fn load(
        flow: &str,
        target: Orchestrator,
        profile: Option<&str>,
        branch: &BranchChoice,
        asked: Asked,
    ) -> anyhow::Result<Option<Self>> {
        let given = Given::default().in_containers(profile);
        let mut compilation = Compilation::load_with(flow, &given)?;
        let profile = match compilation.settings()?.profile(profile) {
            Ok(profile) => Some(profile),
            Err(found) => {
                compilation.diagnostics.push(*found);
                None
            }
        };
        compilation.choose_branch(branch, profile.as_ref());
        if let Some(profile) = &profile {
            let open = profile.left_open(&asked.placeholders(target));
            compilation.diagnostics.extend(open);
        }
        // Each branch is a deployment of its own.
        if !compilation.diagnostics.has_errors()
            && let Some(undecided) = compilation.plan.as_ref().and_then(project::undecided)
        {
            compilation.diagnostics.push(undecided);
        }
        compilation.diagnostics.sort();
        if compilation.diagnostics.has_errors() {
            compilation.report(MessageFormat::Text)?;
            return Ok(None);
        }
        Ok(profile.map(|profile| Self {
            compilation,
            profile,
            target,
        }))
    }

    /// The flow.
    pub(crate) fn plan(&self) -> anyhow::Result<&Plan> {
        self.compilation
            .plan
            .as_ref()
            .context("the flow has no plan though it has no errors")
    }

    /// How an operator is asked about it.
    pub(crate) fn flow(&self) -> anyhow::Result<FlowRef<'_>> {
        let plan = self.plan()?;
        Ok(FlowRef {
            flow: &plan.flow,
            plan: Some(plan),
        })
    }

    /// What talks to its orchestrator.
    pub(crate) async fn connect(&self) -> Result<Box<dyn Operator>, DeployError> {
        self.target.connect(&self.profile).await
    }
}

/// What a command asks besides the orchestrator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// Nothing.
    Nothing,
    /// What tasks left in the store.
    Store,
}

impl Asked {
    /// Settings that must be the user's own: a placeholder would lead to what is somebody else's.
    pub(crate) fn placeholders(self, target: Orchestrator) -> Vec<Placeholder> {
        let mut needed = target.target().placeholders(None);
        if self == Self::Store {
            needed.push(Placeholder::Store);
        }
        needed
    }
}

/// The profile that commands use which name no flow's file: that of the nearest `flowc.toml` above the current folder.
/// `None` after its mistakes were shown, such as a placeholder for a setting that is `needed`.
pub(crate) fn profile_here(
    name: Option<&str>,
    needed: &[Placeholder],
) -> anyhow::Result<Option<Profile>> {
    load::profile_at(Path::new("."), name, needed)
}

/// Runs what talks to the world; an error of the orchestrator is shown as a finding.
pub(crate) fn block_on(
    work: impl Future<Output = anyhow::Result<Outcome>>,
) -> anyhow::Result<Outcome> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    match runtime.block_on(work) {
        Ok(outcome) => Ok(outcome),
        Err(error) => match error.downcast::<DeployError>() {
            Ok(error) => Ok(refuse(&error)),
            Err(error) => Err(error),
        },
    }
}

/// Says how a run ended, and what failed in it.
pub(crate) async fn tell(deployed: &Deployed, state: &RunState) -> anyhow::Result<Outcome> {
    let (flow, run) = (&deployed.plan()?.flow, &state.run.id);
    let name = format!("{flow}/{run}");
    let phase = state.phase;
    match phase {
        Phase::Succeeded => output::status("Finished", &name),
        Phase::Pending | Phase::Running => output::status("Running", &name),
        Phase::Failed | Phase::Stopped => {
            let reason = state.reason.as_ref();
            let reason = reason.map_or_else(String::new, |reason| format!(": {reason}"));
            output::problem("Failed", format_args!("{name} {phase}{reason}"));
            let record = record(deployed, run).await;
            let summary = Summary::new(flow, run, record.as_ref(), Some(state));
            output::remark(&summary.failures());
            return Ok(Outcome::FlowFailed);
        }
    }
    Ok(Outcome::Fine)
}

/// What a run left in the store. If that cannot be read, it is said, and the orchestrator's word has to do.
pub(crate) async fn record(deployed: &Deployed, run: &str) -> Option<RunRecord> {
    let flow = deployed.plan().ok()?;
    match summary::record(&deployed.profile.store, &flow.flow, run).await {
        Ok(record) => record,
        Err(error) => {
            output::warning(format_args!(
                "what the tasks left cannot be read: {error:#}"
            ));
            None
        }
    }
}

/// What would happen to each object, a line each.
pub(crate) fn listing(changes: &[Change]) -> String {
    let mut text = String::new();
    for change in changes {
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "{:<7} {}",
            change.action.to_string(),
            described(change)
        );
    }
    text
}

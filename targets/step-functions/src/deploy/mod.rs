//! What talks to AWS: deploys a bundle, starts and watches runs.
//!
//! | object | identity | how it changes |
//! |---|---|---|
//! | job definition | its name holds the digest of its content | registered if no active revision has that name; never changed |
//! | state machine | its name | updated in place, which publishes an immutable version |
//! | alias `live` | its name | moved to the new version: from then on runs start it |
//! | schedule | its name | updated in place; it starts the alias |
//! | rule | its name on an event bus | updated in place; it starts the alias |
//!
//! In that order, so that an interruption leaves the old version running: until the alias moves nothing starts the new
//! one. Running executions keep the definition that they started with.
//!
//! The [`KEPT_VERSIONS`] newest versions stay, and any older one that an execution still runs; so do the job definitions
//! that they name. The rest is deleted last.
//!
//! Roles are not made here: whoever owns the account makes them from `iam.json`.
//! Tags tell whose an object is; a schedule takes none, so its description does.

mod clients;
mod compare;
mod containers;
mod errors;
mod history;
mod job_definitions;
mod machine;
mod prune;
mod rule;
mod runs;
mod schedule;
mod troubles;
mod wanted;

use async_trait::async_trait;
use flowc_protocol::json_text::Members;
use flowc_target::Profile;
use flowc_target::deploy::{
    Action, Change, DeployError, Deployment, FlowRef, Operator, Progress, Run, RunState,
};

use clients::Clients;
pub use clients::configuration;
use wanted::Wanted;

/// Versions of a state machine that stay: the live one and four to go back to by moving the alias.
///
/// AWS keeps at most 1 000 (Step Functions, "Quotas").
pub const KEPT_VERSIONS: usize = 5;

/// Kinds of objects, as [`Change::kind`] names them; `apply` goes by them.
mod kind {
    pub(super) const JOB_DEFINITION: &str = "job definition";
    pub(super) const STATE_MACHINE: &str = "state machine";
    pub(super) const ALIAS: &str = "alias";
    pub(super) const SCHEDULE: &str = "schedule";
    pub(super) const RULE: &str = "rule";
    pub(super) const VERSION: &str = "version";
}

/// Step Functions, Batch, EventBridge and its Scheduler in the profile's account and region.
#[derive(Debug)]
pub struct StepFunctionsOperator {
    clients: Clients,
    profile: Profile,
}

/// Finds credentials as `aws` does and asks whose they are; another account than the profile's is refused.
pub async fn connect(profile: &Profile) -> Result<StepFunctionsOperator, DeployError> {
    Ok(StepFunctionsOperator {
        clients: Clients::connect(profile).await?,
        profile: profile.clone(),
    })
}

#[async_trait]
impl Operator for StepFunctionsOperator {
    async fn changes(&self, deployment: Deployment<'_>) -> Result<Vec<Change>, DeployError> {
        let wanted = Wanted::read(&deployment)?;
        let live = machine::Live::find(&self.clients, &wanted, deployment.foreign).await?;
        let mut changes = job_definitions::changes(&self.clients, &wanted).await?;
        let machine = machine::changes(&self.clients, &wanted, live.as_ref()).await?;
        let moves_alias = machine
            .iter()
            .any(|change| change.kind == kind::ALIAS && change.action != Action::Keep);
        changes.extend(machine);
        changes.extend(schedule::changes(&self.clients, &wanted, deployment.foreign).await?);
        let profile = &deployment.options.profile;
        changes.extend(rule::changes(&self.clients, &wanted, profile, deployment.foreign).await?);
        if let Some(live) = &live {
            changes.extend(prune::changes(&self.clients, &wanted, live, moves_alias).await?);
        }
        Ok(changes)
    }

    async fn apply(
        &self,
        deployment: Deployment<'_>,
        changes: &[Change],
        progress: &dyn Progress,
    ) -> Result<(), DeployError> {
        let wanted = Wanted::read(&deployment)?;
        let clients = &self.clients;
        let mut version = None;
        for change in changes
            .iter()
            .filter(|change| change.action != Action::Keep)
        {
            match (change.kind.as_str(), change.action) {
                (kind::JOB_DEFINITION, Action::Delete) => {
                    job_definitions::deregister(clients, &change.name).await?;
                }
                (kind::JOB_DEFINITION, _) => {
                    job_definitions::register(clients, &wanted, &change.name).await?;
                }
                (kind::STATE_MACHINE, _) => {
                    version = machine::put(clients, &wanted, change.action).await?;
                }
                (kind::ALIAS, action) => {
                    machine::move_alias(clients, &wanted, action, version.take()).await?;
                }
                (kind::SCHEDULE, Action::Delete) => {
                    schedule::delete(clients, &change.name).await?;
                }
                (kind::SCHEDULE, action) => schedule::put(clients, &wanted, action).await?,
                (kind::RULE, Action::Delete) => rule::delete(clients, &change.name).await?,
                (kind::RULE, _) => rule::put(clients, &wanted).await?,
                (_, _) => prune::delete_version(clients, &wanted.machine_arn, &change.name).await?,
            }
            progress.done(change);
        }
        Ok(())
    }

    async fn trigger(&self, flow: FlowRef<'_>, parameters: &Members) -> Result<Run, DeployError> {
        runs::trigger(&self.clients, &self.profile, flow, parameters).await
    }

    async fn runs(&self, flow: FlowRef<'_>, limit: usize) -> Result<Vec<RunState>, DeployError> {
        runs::newest(&self.clients, &self.profile, flow, limit).await
    }

    async fn state(&self, flow: FlowRef<'_>, run: &str) -> Result<Option<RunState>, DeployError> {
        runs::state(&self.clients, &self.profile, flow, run).await
    }

    async fn outline(&self, flow: FlowRef<'_>, run: &str) -> Result<Option<RunState>, DeployError> {
        runs::outline(&self.clients, &self.profile, flow, run).await
    }

    async fn stop(&self, flow: FlowRef<'_>, run: &str) -> Result<Option<RunState>, DeployError> {
        runs::stop(&self.clients, &self.profile, flow, run).await
    }

    async fn deletions(&self, flow: FlowRef<'_>) -> Result<Vec<Change>, DeployError> {
        prune::deletions(&self.clients, &self.profile, flow).await
    }

    async fn delete(
        &self,
        _flow: FlowRef<'_>,
        changes: &[Change],
        progress: &dyn Progress,
    ) -> Result<(), DeployError> {
        for change in changes
            .iter()
            .filter(|change| change.action == Action::Delete)
        {
            let place = crate::names::Place::new(&self.profile.step_functions);
            let arn = || place.states("stateMachine", &change.name);
            match change.kind.as_str() {
                kind::SCHEDULE => schedule::delete(&self.clients, &change.name).await?,
                kind::RULE => rule::delete(&self.clients, &change.name).await?,
                kind::JOB_DEFINITION => {
                    job_definitions::deregister(&self.clients, &change.name).await?;
                }
                kind::STATE_MACHINE => machine::delete(&self.clients, &arn()).await?,
                // Versions and aliases go with their state machine.
                _ => continue,
            }
            progress.done(change);
        }
        Ok(())
    }
}

/// A change of one object.
fn change(kind: &str, name: &str, action: Action, detail: Option<String>) -> Change {
    Change {
        kind: kind.to_owned(),
        name: name.to_owned(),
        action,
        detail,
    }
}

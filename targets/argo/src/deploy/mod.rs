//! Talking to Argo: through Kubernetes' API alone, with what kubectl's users have.
//!
//! - `bundle` reads the bundle's YAML back, `apply` sends it by server-side apply, after a dry run with strict validation.
//! - A deployment's objects are found by the label [`FLOW_KEY`](flowc_target::deploy::FLOW_KEY) and belong to whoever the
//!   annotation [`OWNER_KEY`](flowc_target::deploy::OWNER_KEY) names: the user name by which the cluster knows the deployer.
//! - `runs` finds and starts Workflows, `troubles` reads their nodes.

mod apply;
mod bundle;
mod cluster;
mod difference;
mod errors;
mod kind;
mod runs;
#[cfg(test)]
mod tests;
mod troubles;

use async_trait::async_trait;
use flowc_protocol::json_text::Members;
use flowc_target::Profile;
use flowc_target::deploy::{
    Change, DeployError, Deployment, FlowRef, Operator, Progress, Run, RunState,
};

use cluster::Cluster;

/// Argo Workflows in one namespace of one cluster.
pub struct ArgoOperator {
    cluster: Cluster,
    profile: Profile,
}

/// Finds the cluster as kubectl does; the profile may name the context, and names the namespace.
pub async fn connect(profile: &Profile) -> Result<ArgoOperator, DeployError> {
    Ok(ArgoOperator {
        cluster: Cluster::connect(profile).await?,
        profile: profile.clone(),
    })
}

#[async_trait]
impl Operator for ArgoOperator {
    async fn changes(&self, deployment: Deployment<'_>) -> Result<Vec<Change>, DeployError> {
        apply::changes(&self.cluster, deployment).await
    }

    async fn apply(
        &self,
        deployment: Deployment<'_>,
        changes: &[Change],
        progress: &dyn Progress,
    ) -> Result<(), DeployError> {
        apply::apply(&self.cluster, deployment, changes, progress).await
    }

    async fn trigger(&self, flow: FlowRef<'_>, parameters: &Members) -> Result<Run, DeployError> {
        runs::trigger(&self.cluster, &self.profile, flow, parameters).await
    }

    async fn runs(&self, flow: FlowRef<'_>, limit: usize) -> Result<Vec<RunState>, DeployError> {
        runs::newest(&self.cluster, flow, limit).await
    }

    async fn state(&self, flow: FlowRef<'_>, run: &str) -> Result<Option<RunState>, DeployError> {
        runs::state(&self.cluster, flow, run).await
    }

    async fn stop(&self, flow: FlowRef<'_>, run: &str) -> Result<Option<RunState>, DeployError> {
        runs::stop(&self.cluster, flow, run).await
    }

    async fn deletions(&self, flow: FlowRef<'_>) -> Result<Vec<Change>, DeployError> {
        apply::deletions(&self.cluster, flow).await
    }

    async fn delete(
        &self,
        _flow: FlowRef<'_>,
        changes: &[Change],
        progress: &dyn Progress,
    ) -> Result<(), DeployError> {
        apply::remove(&self.cluster, changes, progress).await
    }
}

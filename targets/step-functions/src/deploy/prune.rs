//! What the new version no longer needs, and what deleting a whole flow removes.

use std::collections::HashSet;

use aws_sdk_sfn::types::ExecutionStatus;
use flowc_target::Profile;
use flowc_target::deploy::{Action, Change, DeployError, FlowRef};

use super::clients::Clients;
use super::errors::{Request, explain};
use super::machine::{self, Live};
use super::runs::{self, Machine};
use super::wanted::{Wanted, job_definitions_of};
use super::{KEPT_VERSIONS, change, job_definitions, kind, rule, schedule};
use crate::names;

/// Versions that nothing needs any more, oldest first, then the job definitions that only they name.
///
/// `adds_version` says that one more version is about to be published.
pub(super) async fn changes(
    clients: &Clients,
    wanted: &Wanted,
    live: &Live,
    adds_version: bool,
) -> Result<Vec<Change>, DeployError> {
    let versions = versions(clients, &wanted.machine_arn).await?;
    let kept = KEPT_VERSIONS - usize::from(adds_version);
    if versions.len() <= kept {
        return Ok(Vec::new());
    }
    let Some(running) = running_versions(clients, &wanted.machine_arn).await? else {
        // A run that was not started through a version may be of any of them.
        return Ok(Vec::new());
    };
    let stays = |place: usize, version: &String| {
        place < kept
            || running.contains(version)
            || (!adds_version && live.aliased.as_ref() == Some(version))
    };
    let mut needed: HashSet<String> = wanted
        .job_definitions
        .iter()
        .map(|definition| definition.name.clone())
        .collect();
    let (mut superfluous, mut candidates) = (Vec::new(), Vec::new());
    for (place, version) in versions.iter().enumerate() {
        let Some(described) = machine::describe(clients, version).await? else {
            continue;
        };
        let names = job_definitions_of(described.definition());
        if stays(place, version) {
            needed.extend(names);
        } else {
            let name = version
                .rsplit_once("stateMachine:")
                .map_or(version.as_str(), |(_, name)| name);
            superfluous.push(change(kind::VERSION, name, Action::Delete, None));
            candidates.extend(names);
        }
    }
    superfluous.reverse();
    for name in candidates {
        // Each once, and only what is still registered.
        if needed.insert(name.clone()) && job_definitions::exists(clients, &name).await? {
            superfluous.push(change(kind::JOB_DEFINITION, &name, Action::Delete, None));
        }
    }
    Ok(superfluous)
}

/// Deletes a version, named as in [`changes`].
pub(super) async fn delete_version(
    clients: &Clients,
    machine_arn: &str,
    name: &str,
) -> Result<(), DeployError> {
    let number = name.rsplit(':').next().unwrap_or(name);
    clients
        .states
        .delete_state_machine_version()
        .state_machine_version_arn(format!("{machine_arn}:{number}"))
        .send()
        .await
        .map_err(|error| {
            let permission = "states:DeleteStateMachineVersion";
            let object = format!("version {name}");
            explain(
                error,
                &Request::new("Step Functions", "delete", permission, object),
            )
        })?;
    Ok(())
}

/// ARNs of all versions, newest first.
async fn versions(clients: &Clients, machine_arn: &str) -> Result<Vec<String>, DeployError> {
    let mut found = Vec::new();
    let mut token = None;
    loop {
        let page = clients
            .states
            .list_state_machine_versions()
            .state_machine_arn(machine_arn)
            .set_next_token(token)
            .send()
            .await
            .map_err(|error| {
                let permission = "states:ListStateMachineVersions";
                explain(
                    error,
                    &Request::new("Step Functions", "list", permission, machine_arn),
                )
            })?;
        let arns = page.state_machine_versions().iter();
        found.extend(arns.map(|version| version.state_machine_version_arn().to_owned()));
        token = page.next_token;
        if token.is_none() {
            return Ok(found);
        }
    }
}

/// Versions that an execution still runs; `None` if an execution runs that has none.
async fn running_versions(
    clients: &Clients,
    machine_arn: &str,
) -> Result<Option<HashSet<String>>, DeployError> {
    let mut pages = clients
        .states
        .list_executions()
        .state_machine_arn(machine_arn)
        .status_filter(ExecutionStatus::Running)
        .into_paginator()
        .items()
        .send();
    let mut running = HashSet::new();
    while let Some(execution) = pages.next().await {
        let execution = execution.map_err(|error| {
            let permission = "states:ListExecutions";
            explain(
                error,
                &Request::new("Step Functions", "list runs of", permission, machine_arn),
            )
        })?;
        match execution.state_machine_version_arn {
            Some(version) => running.insert(version),
            None => return Ok(None),
        };
    }
    Ok(Some(running))
}

/// What deleting the flow removes: the schedule and the rule first, so that nothing starts meanwhile.
///
/// Runs that are going on end as they would have: AWS deletes a state machine when its last execution has ended.
/// Their jobs still need the job definitions, so these stay then.
pub(super) async fn deletions(
    clients: &Clients,
    profile: &Profile,
    flow: FlowRef<'_>,
) -> Result<Vec<Change>, DeployError> {
    let mut changes = Vec::new();
    for Machine { arn, name } in runs::machines(clients, profile, flow).await? {
        let tags = machine::tags(clients, &arn).await?;
        machine::check_owner(clients, &name, Some(flow.flow), &tags)?;
        let schedule = match flow.plan {
            Some(plan) => names::schedule_name(plan),
            None => names::schedule_name_of(&name),
        };
        if schedule::is_ours(clients, flow.flow, &schedule).await? {
            changes.push(change(kind::SCHEDULE, &schedule, Action::Delete, None));
        }
        // Both have the same name.
        for name in rule::ours(clients, profile, flow.flow, &schedule).await? {
            changes.push(change(kind::RULE, &name, Action::Delete, None));
        }
        let running = running_versions(clients, &arn).await?;
        let is_idle = running.is_some_and(|versions| versions.is_empty());
        let detail = (!is_idle).then(|| "runs go on and keep their job definitions".to_owned());
        changes.push(change(kind::STATE_MACHINE, &name, Action::Delete, detail));
        if !is_idle {
            continue;
        }
        let mut seen = HashSet::new();
        let mut all = versions(clients, &arn).await?;
        all.push(arn);
        for version in all {
            let Some(described) = machine::describe(clients, &version).await? else {
                continue;
            };
            for name in job_definitions_of(described.definition()) {
                if seen.insert(name.clone()) && job_definitions::exists(clients, &name).await? {
                    changes.push(change(kind::JOB_DEFINITION, &name, Action::Delete, None));
                }
            }
        }
    }
    Ok(changes)
}

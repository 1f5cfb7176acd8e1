//! Job definitions: registered once for each content, since their names hold its digest.

use aws_sdk_batch::types;
use flowc_target::deploy::{Action, Change, DeployError};
use indexmap::IndexMap;

use super::clients::Clients;
use super::containers::{self, to_container, to_i32};
use super::errors::{Request, explain};
use super::wanted::Wanted;
use super::{change, kind};
use crate::definition::{JobDefinition, OnExit, RetryStrategy, Timeout};

/// What registering would do for each definition of the bundle.
pub(super) async fn changes(
    clients: &Clients,
    wanted: &Wanted,
) -> Result<Vec<Change>, DeployError> {
    let mut changes = Vec::with_capacity(wanted.job_definitions.len());
    for definition in &wanted.job_definitions {
        let active = active(clients, &definition.name).await?;
        // The newest revision is the one that a name alone stands for.
        let newest = active.iter().max_by_key(|live| live.revision());
        let (action, detail) = match newest {
            None => (Action::Create, None),
            Some(live) if is_same(live, definition) => (Action::Keep, None),
            Some(_) => {
                let detail = "the registered one is not what its name says";
                (Action::Update, Some(detail.to_owned()))
            }
        };
        changes.push(change(
            kind::JOB_DEFINITION,
            &definition.name,
            action,
            detail,
        ));
    }
    Ok(changes)
}

/// Registers the bundle's definition of that name.
pub(super) async fn register(
    clients: &Clients,
    wanted: &Wanted,
    name: &str,
) -> Result<(), DeployError> {
    let definition = wanted
        .job_definitions
        .iter()
        .find(|definition| definition.name == name)
        .ok_or_else(|| DeployError::Refused {
            object: describe(name),
            help: "the bundle has no such job definition; deploy again".to_owned(),
        })?;
    let mut tags = definition.tags.clone();
    tags.extend(wanted.tags(&clients.owner));
    clients
        .batch
        .register_job_definition()
        .job_definition_name(name)
        .r#type(types::JobDefinitionType::from(definition.kind.as_str()))
        .container_properties(to_container(&definition.container_properties))
        .retry_strategy(to_retry_strategy(&definition.retry_strategy))
        .set_timeout(definition.timeout.as_ref().map(|timeout| {
            let seconds = to_i32(timeout.attempt_duration_seconds);
            types::JobTimeout::builder()
                .attempt_duration_seconds(seconds)
                .build()
        }))
        .set_propagate_tags(definition.propagate_tags)
        .set_tags(Some(tags.into_iter().collect()))
        .send()
        .await
        .map_err(|error| {
            let request = Request::new(
                "Batch",
                "register",
                "batch:RegisterJobDefinition",
                describe(name),
            );
            explain(error, &request)
        })?;
    Ok(())
}

/// Deregisters all active revisions of that name.
pub(super) async fn deregister(clients: &Clients, name: &str) -> Result<(), DeployError> {
    for revision in active(clients, name).await? {
        let arn = revision.job_definition_arn().unwrap_or(name);
        clients
            .batch
            .deregister_job_definition()
            .job_definition(arn)
            .send()
            .await
            .map_err(|error| {
                let permission = "batch:DeregisterJobDefinition";
                explain(
                    error,
                    &Request::new("Batch", "deregister", permission, describe(name)),
                )
            })?;
    }
    Ok(())
}

/// Whether a definition of that name is registered.
pub(super) async fn exists(clients: &Clients, name: &str) -> Result<bool, DeployError> {
    Ok(!active(clients, name).await?.is_empty())
}

async fn active(clients: &Clients, name: &str) -> Result<Vec<types::JobDefinition>, DeployError> {
    let mut pages = clients
        .batch
        .describe_job_definitions()
        .job_definition_name(name)
        .status("ACTIVE")
        .into_paginator()
        .items()
        .send();
    let mut found = Vec::new();
    while let Some(definition) = pages.next().await {
        found.push(definition.map_err(|error| {
            let permission = "batch:DescribeJobDefinitions";
            explain(
                error,
                &Request::new("Batch", "read", permission, describe(name)),
            )
        })?);
    }
    Ok(found)
}

fn describe(name: &str) -> String {
    format!("job definition {name}")
}

/// Whether what is registered runs the same container under the same rules. Tags play no part.
fn is_same(live: &types::JobDefinition, wanted: &JobDefinition) -> bool {
    from_live(live).is_some_and(|live| normal(live) == normal(wanted.clone()))
}

/// Lists that mean sets are sorted; Batch takes actions in any case; a tag says nothing of the container.
fn normal(mut definition: JobDefinition) -> JobDefinition {
    definition.container_properties.environment.sort();
    definition.container_properties.resource_requirements.sort();
    for entry in &mut definition.retry_strategy.evaluate_on_exit {
        entry.action.make_ascii_uppercase();
    }
    definition.propagate_tags = definition.propagate_tags.filter(|propagate| *propagate);
    definition.tags = IndexMap::new();
    definition
}

fn to_retry_strategy(strategy: &RetryStrategy) -> types::RetryStrategy {
    let entry = |entry: &OnExit| {
        types::EvaluateOnExit::builder()
            .set_on_exit_code(entry.exit_code.clone())
            .set_on_status_reason(entry.status_reason.clone())
            .set_on_reason(entry.reason.clone())
            .action(types::RetryAction::from(entry.action.as_str()))
            .build()
    };
    types::RetryStrategy::builder()
        .attempts(to_i32(strategy.attempts))
        .set_evaluate_on_exit(Some(strategy.evaluate_on_exit.iter().map(entry).collect()))
        .build()
}

/// `None` if it is not of the form that flowc writes.
fn from_live(live: &types::JobDefinition) -> Option<JobDefinition> {
    let container = live.container_properties()?;
    let retry = live.retry_strategy()?;
    Some(JobDefinition {
        name: live.job_definition_name()?.to_owned(),
        kind: live.r#type()?.to_owned(),
        container_properties: containers::from_live(container)?,
        retry_strategy: RetryStrategy {
            attempts: retry.attempts()?.try_into().ok()?,
            evaluate_on_exit: retry
                .evaluate_on_exit()
                .iter()
                .map(|entry| {
                    Some(OnExit {
                        exit_code: entry.on_exit_code().map(str::to_owned),
                        status_reason: entry.on_status_reason().map(str::to_owned),
                        reason: entry.on_reason().map(str::to_owned),
                        action: entry.action()?.as_str().to_owned(),
                    })
                })
                .collect::<Option<_>>()?,
        },
        timeout: live
            .timeout()
            .and_then(types::JobTimeout::attempt_duration_seconds)
            .and_then(|seconds| seconds.try_into().ok())
            .map(|attempt_duration_seconds| Timeout {
                attempt_duration_seconds,
            }),
        tags: IndexMap::new(),
        propagate_tags: live.propagate_tags(),
    })
}

//! The state machine, its versions and the alias by which runs start it.

use aws_sdk_sfn::types;
use flowc_target::deploy::{Action, Change, DeployError, FLOW_KEY, Foreign, OWNER_KEY};
use indexmap::IndexMap;

use super::clients::Clients;
use super::compare;
use super::errors::{Request, explain, explain_role, is_missing};
use super::wanted::Wanted;
use super::{change, kind};
use crate::names::ALIAS;

/// A state machine that is there.
#[derive(Clone, Debug)]
pub(super) struct Live {
    definition: String,
    role: String,
    tags: IndexMap<String, String>,
    /// ARN of the one version that the alias points to.
    pub(super) aliased: Option<String>,
    has_alias: bool,
}

impl Live {
    /// Finds it and checks that it may be overwritten.
    pub(super) async fn find(
        clients: &Clients,
        wanted: &Wanted,
        foreign: Foreign,
    ) -> Result<Option<Self>, DeployError> {
        let Some(described) = describe(clients, &wanted.machine_arn).await? else {
            return Ok(None);
        };
        if described.status() == Some(&types::StateMachineStatus::Deleting) {
            return Err(DeployError::Refused {
                object: name(&wanted.machine),
                help:
                    "it is being deleted, which ends when its last run has ended; deploy again then"
                        .to_owned(),
            });
        }
        let tags = tags(clients, &wanted.machine_arn).await?;
        if foreign == Foreign::Refuse {
            check_owner(clients, &wanted.machine, Some(&wanted.flow), &tags)?;
        }
        let routes = alias_routes(clients, &wanted.alias_arn).await?;
        Ok(Some(Self {
            definition: described.definition().to_owned(),
            role: described.role_arn().to_owned(),
            tags,
            has_alias: routes.is_some(),
            aliased: match routes.as_deref() {
                Some([version]) => Some(version.clone()),
                Some(_) | None => None,
            },
        }))
    }
}

/// Refuses what somebody else deployed, or another flow of a name that comes to the same.
pub(super) fn check_owner(
    clients: &Clients,
    machine: &str,
    flow: Option<&str>,
    tags: &IndexMap<String, String>,
) -> Result<(), DeployError> {
    let owner = match (tags.get(OWNER_KEY), tags.get(FLOW_KEY)) {
        (Some(owner), Some(other)) if flow.is_some_and(|flow| flow != other) => {
            format!("{owner} for the flow {other}")
        }
        (Some(owner), _) if *owner == clients.owner => return Ok(()),
        (Some(owner), _) => owner.clone(),
        (None, _) => "something other than flowc".to_owned(),
    };
    Err(DeployError::Foreign {
        object: name(machine),
        owner,
    })
}

/// What happens to the state machine and its alias, in this order.
pub(super) async fn changes(
    clients: &Clients,
    wanted: &Wanted,
    live: Option<&Live>,
) -> Result<Vec<Change>, DeployError> {
    let alias = format!("{}:{ALIAS}", wanted.machine);
    let Some(live) = live else {
        return Ok(vec![
            change(kind::STATE_MACHINE, &wanted.machine, Action::Create, None),
            change(kind::ALIAS, &alias, Action::Create, None),
        ]);
    };
    let mut differs: Vec<String> = compare::machines(&live.definition, &wanted.definition)
        .into_iter()
        .collect();
    if live.role != wanted.role {
        differs.push("role".to_owned());
    }
    for (key, value) in wanted.tags(&clients.owner) {
        if live.tags.get(&key) != Some(&value) {
            differs.push(match key.as_str() {
                OWNER_KEY => "owner".to_owned(),
                _ => format!("tag {key}"),
            });
        }
    }
    let (action, detail) = if differs.is_empty() {
        (Action::Keep, None)
    } else {
        (Action::Update, Some(differs.join(", ")))
    };
    let machine = change(kind::STATE_MACHINE, &wanted.machine, action, detail);
    let (action, detail) = match &live.aliased {
        _ if !live.has_alias => (Action::Create, None),
        None => (Action::Update, Some("pointed to two versions".to_owned())),
        Some(version) if is_version_of(clients, version, wanted).await? => (Action::Keep, None),
        Some(version) => {
            let number = version.rsplit(':').next().unwrap_or_default();
            (
                Action::Update,
                Some(format!("from version {number} to a new one")),
            )
        }
    };
    Ok(vec![machine, change(kind::ALIAS, &alias, action, detail)])
}

async fn is_version_of(
    clients: &Clients,
    version: &str,
    wanted: &Wanted,
) -> Result<bool, DeployError> {
    Ok(describe(clients, version).await?.is_some_and(|version| {
        version.role_arn() == wanted.role
            && compare::machines(version.definition(), &wanted.definition).is_none()
    }))
}

/// Creates or updates the state machine; the version that this published, if it published one.
pub(super) async fn put(
    clients: &Clients,
    wanted: &Wanted,
    action: Action,
) -> Result<Option<String>, DeployError> {
    let tag = |(key, value): (String, String)| types::Tag::builder().key(key).value(value).build();
    let tags: Vec<_> = wanted.tags(&clients.owner).into_iter().map(tag).collect();
    if action == Action::Create {
        let created = clients
            .states
            .create_state_machine()
            .name(&wanted.machine)
            .definition(&wanted.definition)
            .role_arn(&wanted.role)
            .r#type(types::StateMachineType::Standard)
            .publish(true)
            .set_tags(Some(tags))
            .send()
            .await
            .map_err(|error| refused(error, wanted, "create", "states:CreateStateMachine"))?;
        return Ok(created.state_machine_version_arn);
    }
    let live = describe(clients, &wanted.machine_arn).await?;
    let is_same = live.is_some_and(|live| {
        live.role_arn() == wanted.role
            && compare::machines(live.definition(), &wanted.definition).is_none()
    });
    let mut version = None;
    if !is_same {
        let updated = clients
            .states
            .update_state_machine()
            .state_machine_arn(&wanted.machine_arn)
            .definition(&wanted.definition)
            .role_arn(&wanted.role)
            .publish(true)
            .send()
            .await
            .map_err(|error| refused(error, wanted, "update", "states:UpdateStateMachine"))?;
        version = updated.state_machine_version_arn;
    }
    clients
        .states
        .tag_resource()
        .resource_arn(&wanted.machine_arn)
        .set_tags(Some(tags))
        .send()
        .await
        .map_err(|error| refused(error, wanted, "tag", "states:TagResource"))?;
    Ok(version)
}

/// Points the alias to the version; publishes one of what is there if none was just published.
///
/// Publishing twice gives the same version (Step Functions, `PublishStateMachineVersion`), so that an interrupted
/// deployment is completed here.
pub(super) async fn move_alias(
    clients: &Clients,
    wanted: &Wanted,
    action: Action,
    version: Option<String>,
) -> Result<(), DeployError> {
    let version = match version {
        Some(version) => version,
        None => clients
            .states
            .publish_state_machine_version()
            .state_machine_arn(&wanted.machine_arn)
            .send()
            .await
            .map_err(|error| {
                refused(
                    error,
                    wanted,
                    "publish",
                    "states:PublishStateMachineVersion",
                )
            })?
            .state_machine_version_arn()
            .to_owned(),
    };
    let route = types::RoutingConfigurationListItem::builder()
        .state_machine_version_arn(version)
        .weight(100)
        .build()
        .map_err(|error| DeployError::Other {
            action: "move",
            object: format!("alias {}:{ALIAS}", wanted.machine),
            source: Box::new(error),
        })?;
    if action == Action::Create {
        clients
            .states
            .create_state_machine_alias()
            .name(ALIAS)
            .routing_configuration(route)
            .send()
            .await
            .map_err(|error| refused(error, wanted, "create", "states:CreateStateMachineAlias"))?;
    } else {
        clients
            .states
            .update_state_machine_alias()
            .state_machine_alias_arn(&wanted.alias_arn)
            .routing_configuration(route)
            .send()
            .await
            .map_err(|error| refused(error, wanted, "move", "states:UpdateStateMachineAlias"))?;
    }
    Ok(())
}

/// Deletes the state machine with its versions and aliases.
pub(super) async fn delete(clients: &Clients, arn: &str) -> Result<(), DeployError> {
    clients
        .states
        .delete_state_machine()
        .state_machine_arn(arn)
        .send()
        .await
        .map_err(|error| {
            let request =
                Request::new("Step Functions", "delete", "states:DeleteStateMachine", arn);
            explain(error, &request)
        })?;
    Ok(())
}

/// A state machine or one of its versions.
pub(super) async fn describe(
    clients: &Clients,
    arn: &str,
) -> Result<
    Option<aws_sdk_sfn::operation::describe_state_machine::DescribeStateMachineOutput>,
    DeployError,
> {
    let described = clients
        .states
        .describe_state_machine()
        .state_machine_arn(arn)
        .send()
        .await;
    match described {
        Ok(described) => Ok(Some(described)),
        Err(error) if is_missing(&error) => Ok(None),
        Err(error) => {
            let request =
                Request::new("Step Functions", "read", "states:DescribeStateMachine", arn);
            Err(explain(error, &request))
        }
    }
}

/// All tags of a state machine.
pub(super) async fn tags(
    clients: &Clients,
    arn: &str,
) -> Result<IndexMap<String, String>, DeployError> {
    let listed = clients
        .states
        .list_tags_for_resource()
        .resource_arn(arn)
        .send()
        .await
        .map_err(|error| {
            let request = Request::new("Step Functions", "read", "states:ListTagsForResource", arn);
            explain(error, &request)
        })?;
    let pair = |tag: &types::Tag| Some((tag.key()?.to_owned(), tag.value()?.to_owned()));
    Ok(listed.tags().iter().filter_map(pair).collect())
}

/// The versions that the alias points to; `None` if there is no alias.
async fn alias_routes(clients: &Clients, arn: &str) -> Result<Option<Vec<String>>, DeployError> {
    let described = clients
        .states
        .describe_state_machine_alias()
        .state_machine_alias_arn(arn)
        .send()
        .await;
    match described {
        Ok(alias) => Ok(Some(
            alias
                .routing_configuration()
                .iter()
                .filter(|route| route.weight() > 0)
                .map(|route| route.state_machine_version_arn().to_owned())
                .collect(),
        )),
        Err(error) if is_missing(&error) => Ok(None),
        Err(error) => {
            let permission = "states:DescribeStateMachineAlias";
            let request = Request::new("Step Functions", "read", permission, arn);
            Err(explain(error, &request))
        }
    }
}

/// How errors and changes call it.
pub(super) fn name(machine: &str) -> String {
    format!("state machine {machine}")
}

fn refused<E, R>(
    error: aws_sdk_sfn::error::SdkError<E, R>,
    wanted: &Wanted,
    verb: &'static str,
    permission: &'static str,
) -> DeployError
where
    E: aws_sdk_sfn::error::ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
{
    let request = Request::new("Step Functions", verb, permission, name(&wanted.machine));
    explain_role(explain(error, &request), || {
        missing_role(&wanted.role, "Step Functions", wanted.describes_roles)
    })
}

/// What to do about a role that a service cannot use.
pub(super) fn missing_role(role: &str, service: &str, is_described: bool) -> String {
    let source = if is_described {
        "create the roles that the bundle's iam.json describes (flowc compile writes it), or name others in flowc.toml"
    } else {
        "flowc.toml names it"
    };
    format!(
        "{service} cannot use the role {role}: it does not exist or does not trust {service}; {source}"
    )
}

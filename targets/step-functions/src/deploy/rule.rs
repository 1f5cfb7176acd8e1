//! The rule by which an event or the end of another flow's run starts the alias, and its one target.
//!
//! A rule is known by its name on a bus. Which buses there are nobody says, so those that the profile speaks of are looked at.

use aws_sdk_eventbridge::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_eventbridge::types;
use flowc_target::Profile;
use flowc_target::deploy::{Action, Change, DeployError, FLOW_KEY, Foreign, OWNER_KEY};
use indexmap::{IndexMap, IndexSet};
use serde_json::Value;

use super::clients::Clients;
use super::errors::{Request, explain, explain_role, is_missing};
use super::machine::missing_role;
use super::wanted::Wanted;
use super::{change, kind};
use crate::triggers::{DEFAULT_BUS, RuleTarget, TriggerRequests};

const SERVICE: &str = "EventBridge";

/// A rule that is there.
struct Live {
    arn: String,
    pattern: String,
    state: Option<types::RuleState>,
    targets: Vec<types::Target>,
    tags: IndexMap<String, String>,
}

/// Creates, updates, keeps or deletes the flow's rule; nothing if there is none and never was.
///
/// On another bus than the wanted one it is deleted.
pub(super) async fn changes(
    clients: &Clients,
    wanted: &Wanted,
    profile: &Profile,
    foreign: Foreign,
) -> Result<Vec<Change>, DeployError> {
    let request = wanted.triggers.as_ref();
    let mut changes = Vec::new();
    for bus in buses(profile, request) {
        let request = request.filter(|request| request.put_rule.event_bus_name == bus);
        let name = full_name(&bus, &wanted.rule_name);
        let live = match find(clients, &bus, &wanted.rule_name).await {
            // Who may not even look at rules has deployed none.
            Err(DeployError::Denied { .. }) if request.is_none() => None,
            live => live?,
        };
        if let (Some(live), Foreign::Refuse) = (&live, foreign)
            && let Some(owner) = foreign_owner(clients, &wanted.flow, live)
        {
            // A rule that the flow does not want is nobody's loss: it is left alone.
            if request.is_none() {
                continue;
            }
            let object = describe(&name);
            return Err(DeployError::Foreign { object, owner });
        }
        let mut add = |action, detail| changes.push(change(kind::RULE, &name, action, detail));
        match (request, &live) {
            (None, None) => {}
            (None, Some(_)) => add(Action::Delete, None),
            (Some(_), None) => add(Action::Create, None),
            (Some(request), Some(live)) => {
                let differs = differences(clients, wanted, request, live);
                if !differs.is_empty() {
                    add(Action::Update, Some(differs.join(", ")));
                } else if live.state == Some(types::RuleState::Disabled) {
                    // Somebody's decision, which a deployment does not take back.
                    add(Action::Keep, Some("stays disabled".to_owned()));
                } else {
                    add(Action::Keep, None);
                }
            }
        }
    }
    // Last, so that an interruption leaves one.
    changes.sort_by_key(|change| change.action == Action::Delete);
    Ok(changes)
}

/// Where the flow's rule may be.
fn buses(profile: &Profile, request: Option<&TriggerRequests>) -> IndexSet<String> {
    let asked = request.map(|request| request.put_rule.event_bus_name.clone());
    let named = profile.step_functions.event_bus.value.clone();
    asked
        .into_iter()
        .chain([named, DEFAULT_BUS.to_owned()])
        .collect()
}

fn differences(
    clients: &Clients,
    wanted: &Wanted,
    request: &TriggerRequests,
    live: &Live,
) -> Vec<String> {
    let mut differs = Vec::new();
    let mut compare = |what: &str, same: bool| {
        if !same {
            differs.push(what.to_owned());
        }
    };
    let (from, to) = (&live.pattern, &request.put_rule.event_pattern);
    if !is_same_json(from, to) {
        match (told(from), told(to)) {
            (Some(from), Some(to)) if from != to => compare(&format!("{from} to {to}"), false),
            _ => compare("pattern", false),
        }
    }
    let present: Option<Vec<_>> = live.targets.iter().map(from_live).collect();
    let expected = &request.put_targets.targets;
    match present.as_deref() {
        Some([present]) if expected.len() == 1 => {
            compare("target", present.arn == expected[0].arn);
            compare("role", present.role_arn == expected[0].role_arn);
            compare("target's id", present.id == expected[0].id);
        }
        _ => compare("targets", false),
    }
    for (key, value) in wanted.tags(&clients.owner) {
        if live.tags.get(&key) != Some(&value) {
            differs.push(match key.as_str() {
                OWNER_KEY => "owner".to_owned(),
                _ => format!("tag {key}"),
            });
        }
    }
    differs
}

fn is_same_json(one: &str, other: &str) -> bool {
    let read = |text| serde_json::from_str::<Value>(text).ok();
    one == other || (read(one).is_some() && read(one) == read(other))
}

/// What a pattern of ours waits for.
fn told(pattern: &str) -> Option<String> {
    let pattern: Value = serde_json::from_str(pattern).ok()?;
    if let Some(machine) = pattern["detail"]["stateMachineArn"][0].as_str() {
        let name = machine.rsplit(':').next().unwrap_or(machine);
        return Some(format!("runs of {name}"));
    }
    let name = pattern["detail-type"][0].as_str()?;
    Some(format!("event {name}"))
}

/// The target as we would have made it; `None` if it changes what it hands over.
fn from_live(target: &types::Target) -> Option<RuleTarget> {
    let changes_input =
        target.input.is_some() || target.input_path.is_some() || target.input_transformer.is_some();
    (!changes_input).then(|| RuleTarget {
        id: target.id().to_owned(),
        arn: target.arn().to_owned(),
        role_arn: target.role_arn().unwrap_or_default().to_owned(),
    })
}

/// Creates or updates it. A rule that somebody disabled stays disabled.
pub(super) async fn put(clients: &Clients, wanted: &Wanted) -> Result<(), DeployError> {
    let Some(request) = &wanted.triggers else {
        return Ok(());
    };
    let (rule, targets) = (&request.put_rule, &request.put_targets);
    let object = full_name(&rule.event_bus_name, &rule.name);
    let wrong = |error: aws_sdk_eventbridge::error::BuildError| DeployError::Other {
        action: "describe",
        object: describe(&object),
        source: Box::new(error),
    };
    let tags = wanted.tags(&clients.owner).into_iter();
    let tags: Result<Vec<_>, _> = tags
        .map(|(key, value)| types::Tag::builder().key(key).value(value).build())
        .collect();
    let tags = tags.map_err(wrong)?;
    let live = find(clients, &rule.event_bus_name, &rule.name).await?;
    clients
        .events
        .put_rule()
        .name(&rule.name)
        .event_bus_name(&rule.event_bus_name)
        .event_pattern(&rule.event_pattern)
        // Without it an update enables the rule.
        .set_state(live.as_ref().and_then(|live| live.state.clone()))
        // Taken only where the rule is new.
        .set_tags(live.is_none().then(|| tags.clone()))
        .send()
        .await
        .map_err(|error| refused(error, wanted, &object, "put", "events:PutRule"))?;
    if let Some(live) = &live {
        clients
            .events
            .tag_resource()
            .resource_arn(&live.arn)
            .set_tags(Some(tags))
            .send()
            .await
            .map_err(|error| refused(error, wanted, &object, "tag", "events:TagResource"))?;
        let is_ours = |id: &str| targets.targets.iter().any(|target| target.id == id);
        let others = live.targets.iter().map(|target| target.id().to_owned());
        let others: Vec<_> = others.filter(|id| !is_ours(id)).collect();
        remove_targets(clients, &rule.event_bus_name, &rule.name, others).await?;
    }
    let made = targets.targets.iter().map(|target| {
        types::Target::builder()
            .id(&target.id)
            .arn(&target.arn)
            .role_arn(&target.role_arn)
            .build()
    });
    let made: Result<Vec<_>, _> = made.collect();
    let answer = clients
        .events
        .put_targets()
        .rule(&targets.rule)
        .event_bus_name(&targets.event_bus_name)
        .set_targets(Some(made.map_err(wrong)?))
        .send()
        .await
        .map_err(|error| refused(error, wanted, &object, "put", "events:PutTargets"))?;
    match answer.failed_entries().first() {
        None => Ok(()),
        Some(failed) => Err(DeployError::Refused {
            object: describe(&object),
            help: format!(
                "its target was not taken: {}",
                failed
                    .error_message()
                    .or(failed.error_code())
                    .unwrap_or("nobody says why")
            ),
        }),
    }
}

/// Deletes the rule, named as in [`changes`], with its targets.
pub(super) async fn delete(clients: &Clients, name: &str) -> Result<(), DeployError> {
    let (bus, rule) = name.rsplit_once('/').unwrap_or((DEFAULT_BUS, name));
    let Some(live) = find(clients, bus, rule).await? else {
        return Ok(());
    };
    let ids = live.targets.iter().map(|target| target.id().to_owned());
    remove_targets(clients, bus, rule, ids.collect()).await?;
    let deleted = clients
        .events
        .delete_rule()
        .name(rule)
        .event_bus_name(bus)
        .send()
        .await;
    match deleted {
        Err(error) if !is_missing(&error) => {
            Err(failed(error, name, "delete", "events:DeleteRule"))
        }
        Ok(_) | Err(_) => Ok(()),
    }
}

async fn remove_targets(
    clients: &Clients,
    bus: &str,
    rule: &str,
    ids: Vec<String>,
) -> Result<(), DeployError> {
    if ids.is_empty() {
        return Ok(());
    }
    let name = full_name(bus, rule);
    clients
        .events
        .remove_targets()
        .rule(rule)
        .event_bus_name(bus)
        .set_ids(Some(ids))
        .send()
        .await
        .map_err(|error| failed(error, &name, "change", "events:RemoveTargets"))?;
    Ok(())
}

/// Rules of that name that are there and ours, as [`delete`] takes them.
pub(super) async fn ours(
    clients: &Clients,
    profile: &Profile,
    flow: &str,
    rule: &str,
) -> Result<Vec<String>, DeployError> {
    let mut found = Vec::new();
    for bus in buses(profile, None) {
        let live = match find(clients, &bus, rule).await {
            Err(DeployError::Denied { .. }) => None,
            live => live?,
        };
        if live.is_some_and(|live| foreign_owner(clients, flow, &live).is_none()) {
            found.push(full_name(&bus, rule));
        }
    }
    Ok(found)
}

async fn find(clients: &Clients, bus: &str, rule: &str) -> Result<Option<Live>, DeployError> {
    let name = full_name(bus, rule);
    let described = clients
        .events
        .describe_rule()
        .name(rule)
        .event_bus_name(bus)
        .send()
        .await;
    let described = match described {
        Ok(described) => described,
        Err(error) if is_missing(&error) => return Ok(None),
        Err(error) => return Err(failed(error, &name, "read", "events:DescribeRule")),
    };
    let arn = described.arn().unwrap_or_default().to_owned();
    let listed = clients
        .events
        .list_targets_by_rule()
        .rule(rule)
        .event_bus_name(bus)
        .send()
        .await
        .map_err(|error| failed(error, &name, "read", "events:ListTargetsByRule"))?;
    let tags = clients
        .events
        .list_tags_for_resource()
        .resource_arn(&arn)
        .send()
        .await
        .map_err(|error| failed(error, &name, "read", "events:ListTagsForResource"))?;
    Ok(Some(Live {
        pattern: described.event_pattern().unwrap_or_default().to_owned(),
        state: described.state().cloned(),
        targets: listed.targets().to_vec(),
        tags: tags
            .tags()
            .iter()
            .map(|tag| (tag.key().to_owned(), tag.value().to_owned()))
            .collect(),
        arn,
    }))
}

/// How changes and errors call a rule; the default bus goes without saying.
fn full_name(bus: &str, rule: &str) -> String {
    if bus == DEFAULT_BUS {
        rule.to_owned()
    } else {
        format!("{bus}/{rule}")
    }
}

fn describe(name: &str) -> String {
    format!("rule {name}")
}

fn foreign_owner(clients: &Clients, flow: &str, live: &Live) -> Option<String> {
    match (live.tags.get(OWNER_KEY), live.tags.get(FLOW_KEY)) {
        (Some(owner), Some(other)) if other != flow => {
            Some(format!("{owner} for the flow {other}"))
        }
        (Some(owner), _) if *owner == clients.owner => None,
        (Some(owner), _) => Some(owner.clone()),
        (None, _) => Some("something other than flowc".to_owned()),
    }
}

fn failed<E, R>(
    error: SdkError<E, R>,
    name: &str,
    verb: &'static str,
    permission: &'static str,
) -> DeployError
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
{
    explain(
        error,
        &Request::new(SERVICE, verb, permission, describe(name)),
    )
}

fn refused<E, R>(
    error: SdkError<E, R>,
    wanted: &Wanted,
    name: &str,
    verb: &'static str,
    permission: &'static str,
) -> DeployError
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
{
    let request = wanted.triggers.as_ref();
    let bus = request.map_or(DEFAULT_BUS, |request| &request.put_rule.event_bus_name);
    // Of what these requests name, only the bus is not ours to make.
    let missing = format!(
        "create the event bus {bus}, or name another in flowc.toml (`event_bus` of step-functions)"
    );
    let request = Request::new(SERVICE, verb, permission, describe(name)).or_missing(missing);
    explain_role(explain(error, &request), || {
        let targets = wanted.triggers.iter();
        let mut targets = targets.flat_map(|request| &request.put_targets.targets);
        let role = targets.next().map_or("", |target| target.role_arn.as_str());
        missing_role(role, SERVICE, wanted.describes_roles)
    })
}

#[cfg(test)]
mod tests {
    use super::{is_same_json, told};

    #[test]
    fn a_pattern_is_told_in_words() {
        for (pattern, words) in [
            (r#"{"detail-type":["new_data"]}"#, Some("event new_data")),
            (
                r#"{"detail-type":["Step Functions Execution Status Change"],"detail":{"stateMachineArn":["arn:aws:states:us-east-1:1:stateMachine:Other"]}}"#,
                Some("runs of Other"),
            ),
            (r#"{"source":["x"]}"#, None),
            ("no", None),
        ] {
            assert_eq!(told(pattern).as_deref(), words, "{pattern}");
        }
    }

    #[test]
    fn patterns_are_compared_by_what_they_say() {
        assert!(is_same_json(r#"{"a":["b"]}"#, r#"{ "a": ["b"] }"#));
        assert!(!is_same_json(r#"{"a":["b"]}"#, r#"{"a":["c"]}"#));
        assert!(!is_same_json("", "x"));
    }
}

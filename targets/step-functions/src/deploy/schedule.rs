//! The schedule, which starts the alias.
//!
//! EventBridge Scheduler has no tags for schedules, so the description says whose it is.

use aws_sdk_scheduler::operation::get_schedule::GetScheduleOutput;
use aws_sdk_scheduler::types;
use flowc_target::deploy::{Action, Change, DeployError, FLOW_KEY, Foreign, OWNER_KEY};

use super::clients::Clients;
use super::errors::{Request, explain, explain_role, is_missing};
use super::machine::missing_role;
use super::wanted::Wanted;
use super::{change, kind};
use crate::schedule::{FlexibleTimeWindow, ScheduleRequest, Target};

/// Creates, updates, keeps or deletes the flow's schedule; nothing if there is none and never was.
pub(super) async fn changes(
    clients: &Clients,
    wanted: &Wanted,
    foreign: Foreign,
) -> Result<Option<Change>, DeployError> {
    let name = &wanted.schedule_name;
    let live = get(clients, name).await?;
    if let (Some(live), Foreign::Refuse) = (&live, foreign)
        && let Some(owner) = foreign_owner(clients, &wanted.flow, live)
    {
        // A schedule that the flow does not want is nobody's loss: it is left alone.
        return match wanted.schedule {
            Some(_) => Err(DeployError::Foreign {
                object: describe(name),
                owner,
            }),
            None => Ok(None),
        };
    }
    let change = |action, detail| Some(change(kind::SCHEDULE, name, action, detail));
    Ok(match (&wanted.schedule, &live) {
        (None, None) => None,
        (None, Some(_)) => change(Action::Delete, None),
        (Some(_), None) => change(Action::Create, None),
        (Some(request), Some(live)) => {
            let differs = differences(clients, wanted, request, live);
            if differs.is_empty() {
                change(Action::Keep, paused(live))
            } else {
                change(Action::Update, Some(differs.join(", ")))
            }
        }
    })
}

/// Somebody's decision, which a deployment does not take back.
fn paused(live: &GetScheduleOutput) -> Option<String> {
    let is_paused = live.state() == Some(&types::ScheduleState::Disabled);
    is_paused.then(|| "stays disabled".to_owned())
}

fn differences(
    clients: &Clients,
    wanted: &Wanted,
    request: &ScheduleRequest,
    live: &GetScheduleOutput,
) -> Vec<String> {
    let Some(present) = from_live(live) else {
        return vec!["form".to_owned()];
    };
    let mut differs = Vec::new();
    let mut compare = |what: &str, same: bool| {
        if !same {
            differs.push(what.to_owned());
        }
    };
    if present.schedule_expression == request.schedule_expression {
        compare(
            "time zone",
            present.schedule_expression_timezone == request.schedule_expression_timezone,
        );
    } else {
        let (from, to) = (&present.schedule_expression, &request.schedule_expression);
        compare(&format!("{from} to {to}"), false);
    }
    compare(
        "time window",
        present.flexible_time_window == request.flexible_time_window,
    );
    compare("target", present.target.arn == request.target.arn);
    compare("role", present.target.role_arn == request.target.role_arn);
    compare("input", present.target.input == request.target.input);
    compare(
        "owner",
        live.description() == Some(&mark(&wanted.flow, &clients.owner)),
    );
    differs
}

fn from_live(live: &GetScheduleOutput) -> Option<ScheduleRequest> {
    let target = live.target()?;
    Some(ScheduleRequest {
        name: live.name()?.to_owned(),
        schedule_expression: live.schedule_expression()?.to_owned(),
        schedule_expression_timezone: live
            .schedule_expression_timezone()
            .unwrap_or("UTC")
            .to_owned(),
        flexible_time_window: FlexibleTimeWindow {
            mode: live.flexible_time_window()?.mode().as_str().to_owned(),
        },
        target: Target {
            arn: target.arn().to_owned(),
            role_arn: target.role_arn().to_owned(),
            input: target.input().unwrap_or_default().to_owned(),
        },
    })
}

/// Creates or updates it. A schedule that somebody disabled stays disabled.
pub(super) async fn put(
    clients: &Clients,
    wanted: &Wanted,
    action: Action,
) -> Result<(), DeployError> {
    let Some(request) = &wanted.schedule else {
        return Ok(());
    };
    let wrong = |error: aws_sdk_scheduler::error::BuildError| DeployError::Other {
        action: "describe",
        object: describe(&request.name),
        source: Box::new(error),
    };
    let target = types::Target::builder()
        .arn(&request.target.arn)
        .role_arn(&request.target.role_arn)
        .input(&request.target.input)
        .build()
        .map_err(wrong)?;
    let window = types::FlexibleTimeWindow::builder()
        .mode(types::FlexibleTimeWindowMode::from(
            request.flexible_time_window.mode.as_str(),
        ))
        .build()
        .map_err(wrong)?;
    let description = mark(&wanted.flow, &clients.owner);
    if action == Action::Create {
        clients
            .scheduler
            .create_schedule()
            .name(&request.name)
            .description(description)
            .schedule_expression(&request.schedule_expression)
            .schedule_expression_timezone(&request.schedule_expression_timezone)
            .flexible_time_window(window)
            .target(target)
            .send()
            .await
            .map_err(|error| {
                refused(error, wanted, request, "create", "scheduler:CreateSchedule")
            })?;
        return Ok(());
    }
    // An update sets everything, also what it does not name.
    let live = get(clients, &request.name).await?;
    clients
        .scheduler
        .update_schedule()
        .name(&request.name)
        .description(description)
        .schedule_expression(&request.schedule_expression)
        .schedule_expression_timezone(&request.schedule_expression_timezone)
        .flexible_time_window(window)
        .target(target)
        .set_state(live.and_then(|live| live.state().cloned()))
        .send()
        .await
        .map_err(|error| refused(error, wanted, request, "update", "scheduler:UpdateSchedule"))?;
    Ok(())
}

/// Deletes the schedule of that name.
pub(super) async fn delete(clients: &Clients, name: &str) -> Result<(), DeployError> {
    match clients.scheduler.delete_schedule().name(name).send().await {
        Ok(_) => Ok(()),
        Err(error) if is_missing(&error) => Ok(()),
        Err(error) => {
            let permission = "scheduler:DeleteSchedule";
            let request = Request::new(
                "EventBridge Scheduler",
                "delete",
                permission,
                describe(name),
            );
            Err(explain(error, &request))
        }
    }
}

/// Whether a schedule of that name is there and ours.
pub(super) async fn is_ours(
    clients: &Clients,
    flow: &str,
    name: &str,
) -> Result<bool, DeployError> {
    let live = get(clients, name).await?;
    Ok(live.is_some_and(|live| foreign_owner(clients, flow, &live).is_none()))
}

async fn get(clients: &Clients, name: &str) -> Result<Option<GetScheduleOutput>, DeployError> {
    match clients.scheduler.get_schedule().name(name).send().await {
        Ok(live) => Ok(Some(live)),
        Err(error) if is_missing(&error) => Ok(None),
        Err(error) => {
            let permission = "scheduler:GetSchedule";
            let request = Request::new("EventBridge Scheduler", "read", permission, describe(name));
            Err(explain(error, &request))
        }
    }
}

fn describe(name: &str) -> String {
    format!("schedule {name}")
}

/// The description by which a schedule is known.
fn mark(flow: &str, owner: &str) -> String {
    format!("{FLOW_KEY}={flow} {OWNER_KEY}={owner}")
}

fn foreign_owner(clients: &Clients, flow: &str, live: &GetScheduleOutput) -> Option<String> {
    let description = live.description().unwrap_or_default();
    if description == mark(flow, &clients.owner) {
        return None;
    }
    let owner = description.split_once(&format!("{OWNER_KEY}="));
    Some(owner.map_or_else(
        || "something other than flowc".to_owned(),
        |(_, owner)| owner.to_owned(),
    ))
}

fn refused<E, R>(
    error: aws_sdk_scheduler::error::SdkError<E, R>,
    wanted: &Wanted,
    schedule: &ScheduleRequest,
    verb: &'static str,
    permission: &'static str,
) -> DeployError
where
    E: aws_sdk_scheduler::error::ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
{
    let service = "EventBridge Scheduler";
    let request = Request::new(service, verb, permission, describe(&schedule.name));
    explain_role(explain(error, &request), || {
        missing_role(&schedule.target.role_arn, service, wanted.describes_roles)
    })
}

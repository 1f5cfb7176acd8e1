//! Who may act by the flow's roles: one service of AWS, and only for something in the flow's own account.
//!
//! Without that condition somebody else's state machine, schedule or rule that names the role could make the service act
//! by it (IAM, "The confused deputy problem", cross-service).

use serde_json::{Value, json};

use crate::iam::Facts;
use crate::names::{self, Place};
use crate::triggers;

/// The group of every schedule of ours (EventBridge Scheduler, `CreateSchedule`, `GroupName`).
const SCHEDULE_GROUP: &str = "default";

/// A service that may assume a role, and for what.
pub(crate) struct Trusted {
    /// The principal.
    service: &'static str,
    /// Account for which it acts, 12 digits; the account of every one of `sources`.
    account: String,
    /// ARNs, or patterns of them, of what it may act for.
    sources: Vec<String>,
}

impl Trusted {
    /// The statement of the role's trust policy.
    pub(crate) fn statement(&self) -> Value {
        json!({
            "Effect": "Allow",
            "Principal": {"Service": self.service},
            "Action": "sts:AssumeRole",
            "Condition": {
                "StringEquals": {"aws:SourceAccount": self.account},
                "ArnLike": {"aws:SourceArn": self.sources},
            },
        })
    }
}

/// Step Functions, for the flow's state machine, its versions and aliases, and the children of its distributed maps.
pub(crate) fn machine(facts: &Facts<'_>) -> Trusted {
    let name = names::state_machine_name(facts.plan);
    let arn = |name: String| facts.place.states("stateMachine", &name);
    Trusted {
        service: "states.amazonaws.com",
        account: facts.place.account().to_owned(),
        sources: vec![
            arn(name.clone()),
            arn(format!("{name}:*")),
            arn(format!("{name}/*")),
        ],
    }
}

/// ECS, which runs Batch's containers, for any task: Batch draws their names (Amazon ECS, "Task IAM role").
pub(crate) fn tasks(place: &Place<'_>) -> Trusted {
    Trusted {
        service: "ecs-tasks.amazonaws.com",
        account: place.account().to_owned(),
        sources: vec![place.arn("ecs", "*")],
    }
}

/// EventBridge Scheduler, which tells the group of a schedule and not its name (User Guide, "Confused deputy prevention").
pub(crate) fn schedules(place: &Place<'_>) -> Trusted {
    let group = format!("schedule-group/{SCHEDULE_GROUP}");
    Trusted {
        service: "scheduler.amazonaws.com",
        account: place.account().to_owned(),
        sources: vec![place.arn("scheduler", &group)],
    }
}

/// EventBridge, for the flow's rule. The rule of a bus is where the bus is, which may be another account.
pub(crate) fn rule(facts: &Facts<'_>) -> Trusted {
    let profile = &facts.options.profile.step_functions;
    let bus = triggers::bus(facts.plan, &profile.event_bus);
    let rule = names::rule_name(facts.plan);
    let (arn, account) = match bus.split_once(":event-bus/") {
        Some((place, bus)) => {
            let account = place.rsplit(':').next().unwrap_or_default();
            (format!("{place}:rule/{bus}/{rule}"), account)
        }
        None if bus == triggers::DEFAULT_BUS => {
            let resource = format!("rule/{rule}");
            (facts.place.arn("events", &resource), facts.place.account())
        }
        None => {
            let resource = format!("rule/{bus}/{rule}");
            (facts.place.arn("events", &resource), facts.place.account())
        }
    };
    Trusted {
        service: "events.amazonaws.com",
        account: account.to_owned(),
        sources: vec![arn],
    }
}

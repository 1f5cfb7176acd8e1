//! `events.json`: a rule of EventBridge, and the target to which it hands what it matches.
//!
//! The event becomes the execution's input as it is: nothing of it passes through a template, and the shim takes the
//! parameters from it.

use flowc_core::diag::{Code, Diagnostic};
use flowc_core::ir::plan::{Plan, Trigger, Triggers};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::names::{self, Place};
use crate::overlap;

/// Longest `detail-type` of an event (EventBridge, `PutEventsRequestEntry`, `DetailType`), which is our event's name.
/// No pattern of ours then comes near the 2048 characters that a rule may have (EventBridge, "Quotas", event pattern size).
const DETAIL_TYPE_MAX: usize = 128;

/// The bus to which AWS's services send their events, those of Step Functions too.
pub(crate) const DEFAULT_BUS: &str = "default";

/// Id of the rule's one target (EventBridge, `Target`, `Id`: 1 to 64 of letters, digits, `.`, `-` and `_`).
const TARGET: &str = "flowc";

/// `PutRule` and `PutTargets`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct TriggerRequests {
    pub(crate) put_rule: RuleRequest,
    pub(crate) put_targets: TargetsRequest,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct RuleRequest {
    pub(crate) name: String,
    pub(crate) event_bus_name: String,
    /// JSON in a text, as the API wants it.
    pub(crate) event_pattern: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct TargetsRequest {
    pub(crate) rule: String,
    pub(crate) event_bus_name: String,
    pub(crate) targets: Vec<RuleTarget>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct RuleTarget {
    pub(crate) id: String,
    pub(crate) arn: String,
    pub(crate) role_arn: String,
}

/// The bus of the flow's rule; `events` is the one on which the events of `@trigger` arrive.
pub(crate) fn bus<'a>(plan: &Plan, events: &'a str) -> &'a str {
    let mut triggers = plan.triggers.iter().flat_map(|triggers| &triggers.on);
    if triggers.any(|trigger| matches!(trigger, Trigger::Run { .. })) {
        DEFAULT_BUS
    } else {
        events
    }
}

/// The requests after which the trigger starts what is live of the flow's state machine.
pub(crate) fn requests(
    plan: &Plan,
    triggers: &Triggers,
    place: &Place<'_>,
    bus: &str,
    role: String,
) -> Result<Option<TriggerRequests>, Box<Diagnostic>> {
    // Several are refused by `capabilities`.
    let [trigger] = triggers.on.as_slice() else {
        return Ok(None);
    };
    let own = plan.project.as_ref();
    let name = trigger.event_name(own);
    let bus = self::bus(plan, bus);
    let pattern = match trigger.flow_name(own) {
        None => json!({"detail-type": [name]}),
        Some(flow) => {
            let machine = place.states("stateMachine", &names::state_machine_of(&flow));
            let detail = json!({
                "status": ["SUCCEEDED"],
                "stateMachineArn": [machine],
                // One that gave way to another has run nothing.
                "output": [{"anything-but": [overlap::SKIPPED_OUTPUT]}],
            });
            json!({
                "source": ["aws.states"],
                "detail-type": ["Step Functions Execution Status Change"],
                "detail": detail,
            })
        }
    };
    let is_event = matches!(trigger, Trigger::Event { .. });
    if is_event && name.len() > DETAIL_TYPE_MAX {
        let message = format!(
            "step-functions cannot represent an event whose name has {} characters",
            name.len()
        );
        let label = format!("it is called `{name}`");
        let diagnostic = Diagnostic::error(Code::FC0308, message, trigger.span(), label);
        let help = format!(
            "shorten it: EventBridge takes {DETAIL_TYPE_MAX}, with project and branch where the event is namespaced"
        );
        return Err(Box::new(diagnostic.help(help)));
    }
    let name = names::rule_name(plan);
    Ok(Some(TriggerRequests {
        put_rule: RuleRequest {
            name: name.clone(),
            event_bus_name: bus.to_owned(),
            event_pattern: pattern.to_string(),
        },
        put_targets: TargetsRequest {
            rule: name,
            event_bus_name: bus.to_owned(),
            targets: vec![RuleTarget {
                id: TARGET.to_owned(),
                arn: place.alias(&names::state_machine_name(plan)),
                role_arn: role,
            }],
        },
    }))
}

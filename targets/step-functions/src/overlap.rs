//! `overlap = "skip"`: a scheduled run ends at once, without any task, while an older one is still running.
//!
//! The schedule marks its executions in their input; only they look for others.

use flowc_core::ir::plan::Plan;
use flowc_target::Profile;
use flowc_target::profile::Overlap;
use serde_json::json;

use crate::asl::{Case, Choice, ResultRule, State, Task, Test, Then, patience};
use crate::names::{self, Place};

/// Input of scheduled executions where it matters; names that begin with `flowc_` are ours.
pub(crate) const MARK: &str = r#"{"flowc_scheduled":true}"#;

/// Output of an execution that gave way to another, as Step Functions writes it.
pub(crate) const SKIPPED_OUTPUT: &str = r#"{"skip":true}"#;

/// Name of the first state; no step can be called so.
pub(crate) const SCHEDULED: &str = "flowc-scheduled";

/// Whether an execution older than this one is running.
///
/// The list has both dates in one form, so they are compared there. Of two that started in the same millisecond one goes on.
/// If this execution is not in the list yet, every other one counts as older.
const IS_OTHER_RUNNING: &str = "{% ($me := $states.context.Execution.Id; $all := $states.result.Executions; \
    $mine := $all[ExecutionArn = $me]; $exists($all[ExecutionArn != $me and ($not($exists($mine)) \
    or StartDate < $mine.StartDate or (StartDate = $mine.StartDate and ExecutionArn < $me))])) %}";

/// Whether scheduled runs look for others.
pub(crate) fn is_skipped(plan: &Plan, profile: &Profile) -> bool {
    plan.schedule.is_some() && profile.overlap == Overlap::Skip
}

/// The states in front of `next`.
pub(crate) fn states(plan: &Plan, place: &Place<'_>, next: &str) -> [(&'static str, State); 4] {
    const RUNNING: &str = "flowc-running";
    const OVERLAP: &str = "flowc-overlap";
    const SKIPPED: &str = "flowc-skipped";
    let choice = |condition, then: &str| {
        State::Choice(Choice {
            query_language: Some("JSONata"),
            choices: vec![Case {
                test: Test::Condition { condition },
                next: then.to_owned(),
            }],
            default: Some(next.to_owned()),
        })
    };
    let running = Task {
        query_language: Some("JSONata"),
        resource: place.integration("aws-sdk:sfn:listExecutions"),
        parameters: None,
        arguments: Some(json!({
            "StateMachineArn": place.states("stateMachine", &names::state_machine_name(plan)),
            "StatusFilter": "RUNNING",
            "MaxResults": 1000,
        })),
        retry: vec![patience(&["States.TaskFailed"])],
        catch: Vec::new(),
        result: ResultRule {
            output: Some(json!({"skip": IS_OTHER_RUNNING})),
            ..ResultRule::default()
        },
        then: Then::Next(OVERLAP.to_owned()),
    };
    [
        (
            SCHEDULED,
            choice(
                "{% $exists($states.context.Execution.Input.flowc_scheduled) %}",
                RUNNING,
            ),
        ),
        (RUNNING, State::Task(Box::new(running))),
        (OVERLAP, choice("{% $states.input.skip %}", SKIPPED)),
        (SKIPPED, State::Succeed {}),
    ]
}

#[cfg(test)]
mod tests {
    use flowc_target::BundleFile;
    use flowc_target::profile::Overlap;
    use flowc_target::testing::{emit, linear, options, plan};
    use serde_json::Value;

    use crate::StepFunctions;

    fn text<'a>(files: &'a [BundleFile], path: &str) -> &'a str {
        let file = files.iter().find(|file| file.path == path);
        &file.unwrap().text
    }

    #[test]
    fn only_scheduled_flows_that_skip_look_for_others() {
        let scheduled = linear(2).replace("class F(", "@schedule(daily=True)\nclass F(");
        for (source, overlap, looks) in [
            (linear(2), Overlap::Skip, false),
            (scheduled.clone(), Overlap::Allow, false),
            (scheduled, Overlap::Skip, true),
        ] {
            let mut options = options();
            options.profile.overlap = overlap;
            let files = emit(&StepFunctions, &plan(&source), &options);
            let machine: Value =
                serde_json::from_str(text(&files, "state-machine.asl.json")).unwrap();
            let first = if looks {
                super::SCHEDULED
            } else {
                "flowc-input"
            };
            assert_eq!(machine["StartAt"], first);
            assert_eq!(machine["States"]["flowc-running"].is_object(), looks);
            assert_eq!(
                text(&files, "iam.json").contains("states:ListExecutions"),
                looks
            );
        }
    }
}

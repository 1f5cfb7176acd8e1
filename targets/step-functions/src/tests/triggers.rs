//! `events.json`: the rule, its pattern and its target.

use flowc_core::diag::Code;
use flowc_target::testing::{emit, linear, options, plan};
use serde_json::{Value, json};

use super::{codes, json_of};
use crate::StepFunctions;

fn triggered(decorators: &str) -> String {
    linear(2).replace("class F(", &format!("{decorators}\nclass F("))
}

/// `events.json`, with its pattern read.
fn events(decorators: &str) -> (Value, Value) {
    let files = emit(&StepFunctions, &plan(&triggered(decorators)), &options());
    let events = json_of(&files, "events.json");
    let pattern = events["PutRule"]["EventPattern"].as_str().unwrap();
    let pattern = serde_json::from_str(pattern).unwrap();
    (events, pattern)
}

#[test]
fn an_event_starts_what_is_live() {
    let (events, pattern) = events("@trigger(event='data.new')");
    assert_eq!(pattern, json!({"detail-type": ["data.new"]}));
    assert_eq!(events["PutRule"]["Name"], "flowc-F");
    assert_eq!(events["PutRule"]["EventBusName"], "default");
    // No input of its own and no transformer: the event is handed over as it is.
    assert_eq!(
        events["PutTargets"],
        json!({
            "Rule": "flowc-F",
            "EventBusName": "default",
            "Targets": [{
                "Id": "flowc",
                "Arn": "arn:aws:states:us-east-1:123456789012:stateMachine:F:live",
                "RoleArn": "arn:aws:iam::123456789012:role/flowc-F-events",
            }],
        })
    );
}

#[test]
fn runs_of_another_flow_are_told_by_its_state_machine() {
    let machine = |decorators: &str| {
        let (events, pattern) = events(decorators);
        assert_eq!(events["PutRule"]["EventBusName"], "default");
        assert_eq!(pattern["source"], json!(["aws.states"]));
        assert_eq!(pattern["detail"]["status"], json!(["SUCCEEDED"]));
        pattern["detail"]["stateMachineArn"][0]
            .as_str()
            .unwrap()
            .rsplit_once(':')
            .unwrap()
            .1
            .to_owned()
    };
    assert_eq!(machine("@trigger_on_finish(flow='Other')"), "Other");
    assert_eq!(
        machine("@trigger_on_finish(flow='shop.prod.Other')"),
        "shop-prod-Other"
    );
    let project = "@project(name='shop', branch='next')\n";
    assert_eq!(
        machine(&format!("{project}@trigger_on_finish(flow='Other')")),
        "shop-test-next-Other"
    );
}

#[test]
fn the_profile_names_bus_and_role() {
    let mut options = options();
    let profile = &mut options.profile.step_functions;
    profile.event_bus = "team/events".into();
    profile.events_role = Some("arn:aws:iam::123456789012:role/mine".into());
    for (decorator, bus) in [
        ("@trigger(event='e')", "team/events"),
        // AWS tells of executions on this one only.
        ("@trigger_on_finish(flow='Other')", "default"),
    ] {
        let files = emit(&StepFunctions, &plan(&triggered(decorator)), &options);
        let events = json_of(&files, "events.json");
        assert_eq!(events["PutRule"]["EventBusName"], bus);
        assert_eq!(events["PutTargets"]["EventBusName"], bus);
        let target = &events["PutTargets"]["Targets"][0];
        assert_eq!(target["RoleArn"], "arn:aws:iam::123456789012:role/mine");
        assert!(json_of(&files, "iam.json").get("events").is_none());
    }
}

#[test]
fn the_role_may_start_the_flow_and_nothing_else() {
    let files = emit(
        &StepFunctions,
        &plan(&triggered("@trigger(event='e')")),
        &options(),
    );
    let role = &json_of(&files, "iam.json")["events"];
    let trust = &role["AssumeRolePolicyDocument"]["Statement"][0];
    assert_eq!(trust["Principal"]["Service"], "events.amazonaws.com");
    assert_eq!(
        role["PolicyDocument"]["Statement"],
        json!([{
            "Effect": "Allow",
            "Action": ["states:StartExecution"],
            "Resource": ["arn:aws:states:us-east-1:123456789012:stateMachine:F"],
        }])
    );
}

#[test]
fn names_that_eventbridge_does_not_take_are_refused() {
    let refused = |decorator: &str| codes(&plan(&triggered(decorator)), &options());
    let name = "e".repeat(128);
    assert_eq!(
        events(&format!("@trigger(event='{name}')")).1["detail-type"][0],
        name
    );
    assert_eq!(
        refused(&format!("@trigger(event='{name}e')")),
        [Code::FC0308]
    );
    assert_eq!(refused("@trigger(events=['a', 'b'])"), [Code::FC0301]);
}

/// The longest names that anything has stay within the limits of rules.
#[test]
fn rules_are_short_enough() {
    let long = "x".repeat(128);
    let decorators = format!(
        "@project(name='{long}', branch='{long}')\n@trigger_on_finish(flow='{}')",
        "Y".repeat(200)
    );
    let (events, _) = events(&decorators);
    let name = events["PutRule"]["Name"].as_str().unwrap();
    assert!(name.len() <= 64, "{name}");
    let legal = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    assert!(name.chars().all(legal), "{name}");
    let pattern = events["PutRule"]["EventPattern"].as_str().unwrap();
    assert!(pattern.chars().count() <= 2048, "{pattern}");
}

#[test]
fn flows_without_triggers_have_no_rule() {
    let files = emit(&StepFunctions, &plan(&linear(2)), &options());
    assert!(files.iter().all(|file| file.path != "events.json"));
    assert!(json_of(&files, "iam.json").get("events").is_none());
}

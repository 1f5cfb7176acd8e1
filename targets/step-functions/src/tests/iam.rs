//! `iam.json`: who may act by the roles, and what the job may read of other flows.

use flowc_target::testing::{emit, linear, options, plan};
use serde_json::{Value, json};

use super::json_of;
use crate::StepFunctions;

/// The roles of a flow with these decorators, whose store is `s3://bucket/team` and whose bus is `bus`.
fn roles(decorators: &str, bus: &str) -> Value {
    let mut options = options();
    options.profile.store = "s3://bucket/team".into();
    options.profile.step_functions.event_bus = bus.into();
    let text = linear(2).replace("class F(", &format!("{decorators}\nclass F("));
    json_of(&emit(&StepFunctions, &plan(&text), &options), "iam.json")
}

/// What the job may read in the store, besides its own flow's folder.
fn read_elsewhere(decorators: &str) -> Vec<String> {
    let roles = roles(decorators, "default");
    let statements = roles["job"]["PolicyDocument"]["Statement"].as_array();
    let of_s3 = statements.unwrap().iter().filter(|statement| {
        let actions = statement["Action"].as_array().unwrap();
        actions.contains(&json!("s3:GetObject")) && statement["Effect"] == "Allow"
    });
    let resources = of_s3.flat_map(|statement| {
        let actions = statement["Action"].as_array().unwrap();
        let resources = statement["Resource"].as_array().unwrap();
        let is_own = resources == &[json!("arn:aws:s3:::bucket/team/F/*")];
        assert!(is_own || actions.len() == 1, "{statement}");
        resources.iter().filter(move |_| !is_own)
    });
    resources
        .map(|one| one.as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn the_job_reads_the_runs_that_start_the_flow_and_no_others() {
    assert_eq!(
        read_elsewhere("@trigger_on_finish(flow='Other')"),
        ["arn:aws:s3:::bucket/team/Other/*"]
    );
    // The store keeps flows apart by their names, whatever their project and branch.
    for written in [
        "@project(name='shop', branch='next')\n@trigger_on_finish(flow='Other')",
        "@trigger_on_finish(flow='shop.prod.Other')",
        "@trigger_on_finish(flow={'name': 'Other', 'project': 'shop', 'project_branch': 'prod'})",
    ] {
        assert_eq!(
            read_elsewhere(written),
            ["arn:aws:s3:::bucket/team/Other/*"],
            "{written}"
        );
    }
    for nobody in ["", "@trigger(event='e')", "@trigger_on_finish(flow='F')"] {
        assert!(read_elsewhere(nobody).is_empty(), "{nobody}");
    }
}

#[test]
fn a_service_acts_by_a_role_for_the_own_account_alone() {
    let trust = |decorators: &str, bus: &str, role: &str| -> Value {
        let mut roles = roles(decorators, bus);
        let mut document = roles[role]["AssumeRolePolicyDocument"].take();
        let statements = document["Statement"].as_array_mut().unwrap();
        assert_eq!(statements.len(), 1);
        let condition = statements[0]["Condition"].take();
        json!([
            statements[0]["Principal"]["Service"],
            condition["StringEquals"]["aws:SourceAccount"],
            condition["ArnLike"]["aws:SourceArn"]
        ])
    };
    let here = "us-east-1:123456789012";
    let machine = format!("arn:aws:states:{here}:stateMachine:F");
    assert_eq!(
        trust("", "default", "states"),
        json!([
            "states.amazonaws.com",
            "123456789012",
            [machine, format!("{machine}:*"), format!("{machine}/*")]
        ])
    );
    assert_eq!(
        trust("", "default", "job"),
        json!([
            "ecs-tasks.amazonaws.com",
            "123456789012",
            [format!("arn:aws:ecs:{here}:*")]
        ])
    );
    assert_eq!(
        trust("@schedule(daily=True)", "default", "schedule"),
        json!([
            "scheduler.amazonaws.com",
            "123456789012",
            [format!("arn:aws:scheduler:{here}:schedule-group/default")]
        ])
    );
    let rule = |decorators: &str, bus: &str| trust(decorators, bus, "events");
    let of = |account: &str, arn: String| json!(["events.amazonaws.com", account, [arn]]);
    let event = "@trigger(event='e')";
    assert_eq!(
        rule(event, "default"),
        of(
            "123456789012",
            format!("arn:aws:events:{here}:rule/flowc-F")
        )
    );
    assert_eq!(
        rule(event, "team"),
        of(
            "123456789012",
            format!("arn:aws:events:{here}:rule/team/flowc-F")
        )
    );
    assert_eq!(
        rule(
            event,
            "arn:aws:events:eu-west-1:210987654321:event-bus/team"
        ),
        of(
            "210987654321",
            "arn:aws:events:eu-west-1:210987654321:rule/team/flowc-F".to_owned()
        )
    );
    assert_eq!(
        rule("@trigger_on_finish(flow='Other')", "team"),
        of(
            "123456789012",
            format!("arn:aws:events:{here}:rule/flowc-F")
        )
    );
}

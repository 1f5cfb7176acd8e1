//! `@trigger` and `@trigger_on_finish`: EventBridge's rule in an account, and runs that events start.

use flowc_tests::beds::aws::Bed;
use flowc_tests::run;
use serde_json::{Value, json};

use super::world::{World, said};

const DEPLOY: [&str; 4] = ["deploy", "flow.py", "--target", "step-functions"];

fn flow(class: &str, decorator: &str, parameters: &str, start: &str) -> String {
    format!(
        "import json\nfrom metaflow import FlowSpec, JSONType, Parameter, current, step, trigger, trigger_on_finish\n\n\n\
         {decorator}\nclass {class}(FlowSpec):\n{parameters}    \
         @step\n    def start(self):\n        {start}\n        self.next(self.end)\n\n    \
         @step\n    def end(self):\n        {start}\n\n\n\
         if __name__ == '__main__':\n    {class}()\n"
    )
}

/// What EventBridge has of a rule: pattern, state, and the ARNs of its targets.
fn rule(bed: &Bed, bus: &str, name: &str) -> Value {
    let printed = bed.boto(&format!(
        "events = client('events')\n\
         try:\n    \
             rule = events.describe_rule(Name='{name}', EventBusName='{bus}')\n    \
             targets = events.list_targets_by_rule(Rule='{name}', EventBusName='{bus}')['Targets']\n    \
             print(json.dumps([json.loads(rule['EventPattern']), rule['State'], targets]))\n\
         except events.exceptions.ResourceNotFoundException: print('null')"
    ));
    serde_json::from_str(&printed).unwrap()
}

fn changes_of_rules(changes: &[String]) -> Vec<&str> {
    let all = changes.iter().map(String::as_str);
    all.filter(|change| change.contains(" rule ")).collect()
}

#[test]
fn a_rule_is_made_changed_and_deleted_with_its_flow() {
    let bed = Bed::up();
    let text = |decorator: &str| flow("RuleFlow", decorator, "", "pass");
    let mut world = World::new(
        &bed,
        &text("@trigger(event='one')"),
        "labels = {team = \"data\"}",
    );
    assert_eq!(
        changes_of_rules(&world.deploy()),
        ["create rule flowc-RuleFlow"]
    );
    let made = rule(&bed, "default", "flowc-RuleFlow");
    assert_eq!(
        made,
        json!([{"detail-type": ["one"]}, "ENABLED", [{
            "Id": "flowc",
            "Arn": "arn:aws:states:us-east-1:123456789012:stateMachine:RuleFlow:live",
            "RoleArn": "arn:aws:iam::123456789012:role/flowc-RuleFlow-events",
        }]])
    );
    let tags = bed.boto(
        "arn = 'arn:aws:events:us-east-1:123456789012:rule/flowc-RuleFlow'\n\
         print(client('events').list_tags_for_resource(ResourceARN=arn)['Tags'])",
    );
    assert!(tags.contains("'Value': 'RuleFlow'"), "{tags}");
    assert!(tags.contains("'Value': 'data'"), "{tags}");
    assert_eq!(
        changes_of_rules(&world.deploy()),
        ["keep rule flowc-RuleFlow"]
    );

    // What somebody did to it is taken back, but for their pausing it.
    bed.boto(
        "events = client('events')\n\
         events.disable_rule(Name='flowc-RuleFlow')\n\
         role = 'arn:aws:iam::123456789012:role/batch'\n\
         arn = 'arn:aws:states:us-east-1:123456789012:stateMachine:RuleFlow'\n\
         events.put_targets(Rule='flowc-RuleFlow', Targets=[{'Id': 'other', 'Arn': arn, 'RoleArn': role}])",
    );
    world.write(&text("@trigger(event='two')"));
    let mut shown = world.flowc(&DEPLOY);
    let said = said(&shown.arg("--dry-run").output().unwrap());
    assert!(said.contains("event one to event two, targets"), "{said}");
    assert_eq!(
        changes_of_rules(&world.deploy()),
        ["update rule flowc-RuleFlow"]
    );
    let changed = rule(&bed, "default", "flowc-RuleFlow");
    assert_eq!(changed[0], json!({"detail-type": ["two"]}));
    assert_eq!(changed[1], "DISABLED");
    assert_eq!(changed[2], made[2]);

    // Another bus: it must be there, and the rule moves to it.
    world.configure("[profile.default.step-functions]\nevent_bus = \"team\"");
    let (_, said) = world.failure(&DEPLOY);
    assert!(said.contains("create the event bus team"), "{said}");
    bed.boto("client('events').create_event_bus(Name='team')");
    assert_eq!(
        changes_of_rules(&world.deploy()),
        [
            "create rule team/flowc-RuleFlow",
            "delete rule flowc-RuleFlow"
        ]
    );
    assert_eq!(rule(&bed, "default", "flowc-RuleFlow"), Value::Null);
    assert_eq!(rule(&bed, "team", "flowc-RuleFlow")[2], made[2]);

    // Somebody else's is not touched.
    world.become_user("ann");
    let (_, said) = world.failure(&DEPLOY);
    assert!(said.contains("was deployed by"), "{said}");
    world.deploy_with(&["--take-over"]);

    world.write(&text(""));
    assert_eq!(
        changes_of_rules(&world.deploy()),
        ["delete rule team/flowc-RuleFlow"]
    );
    world.write(&text("@trigger(event='two')"));
    world.deploy();
    run(&mut world.flowc(&["delete", "flow.py", "--target", "step-functions"]));
    assert_eq!(rule(&bed, "team", "flowc-RuleFlow"), Value::Null);
}

#[test]
fn who_may_not_see_rules_can_deploy_what_has_none() {
    let bed = Bed::up();
    let world = World::new(&bed, &flow("BareFlow", "", "", "pass"), "");
    world.deploy();
    bed.deny(&["events:DescribeRule"]);
    assert!(changes_of_rules(&world.deploy()).is_empty());
    world.write(&flow("BareFlow", "@trigger(event='e')", "", "pass"));
    world.create_roles();
    let (_, said) = world.failure(&DEPLOY);
    assert!(said.contains("not allowed: events:DescribeRule"), "{said}");
    bed.deny(&[]);
    // Half a rule is completed by the next deployment.
    bed.deny(&["events:PutTargets"]);
    let (_, said) = world.failure(&DEPLOY);
    assert!(said.contains("not allowed: events:PutTargets"), "{said}");
    bed.deny(&[]);
    assert_eq!(
        changes_of_rules(&world.deploy()),
        ["update rule flowc-BareFlow"]
    );
}

//! `@trigger` and `@trigger_on_finish`: EventBridge's rule in an account, and runs that events start.

use flowc_tests::beds::aws::Bed;
use flowc_tests::run;
use flowc_tests::values::{event, fields, flow as takes, hostile};
use serde_json::{Value, json};

use super::world::{World, said, shared};

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
    let bed = shared();
    let text = |decorator: &str| flow("RuleFlow", decorator, "", "pass");
    let mut world = World::new(
        bed,
        &text("@trigger(event='one')"),
        "labels = {team = \"data\"}",
    );
    assert_eq!(
        changes_of_rules(&world.deploy()),
        ["create rule flowc-RuleFlow"]
    );
    let made = rule(bed, "default", "flowc-RuleFlow");
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
    let changed = rule(bed, "default", "flowc-RuleFlow");
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
    assert_eq!(rule(bed, "default", "flowc-RuleFlow"), Value::Null);
    assert_eq!(rule(bed, "team", "flowc-RuleFlow")[2], made[2]);

    // Somebody else's is not touched.
    world.become_user("cleo");
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
    assert_eq!(rule(bed, "team", "flowc-RuleFlow"), Value::Null);
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

impl World<'_> {
    /// Puts an event on the bus, as whoever publishes it does.
    fn put_event(&self, name: &str, detail: &Value) {
        let entry = json!([{"Source": "tests", "DetailType": name, "Detail": detail.to_string()}]);
        std::fs::write(self.path().join("event.json"), entry.to_string()).unwrap();
        let answer = self.bed.boto(&format!(
            "entries = json.load(open('{}'))\n\
             print(client('events').put_events(Entries=entries)['FailedEntryCount'])",
            self.path().join("event.json").display()
        ));
        assert_eq!(answer.trim(), "0");
    }

    /// Waits for all executions of a flow to end; run and status of each.
    fn executions(&self, class: &str) -> Vec<(String, String)> {
        let listed = self.bed.boto(&format!(
            "import time\nsfn = client('stepfunctions')\n\
             arn = 'arn:aws:states:us-east-1:123456789012:stateMachine:{class}'\n\
             def all(**more): return sfn.list_executions(stateMachineArn=arn, **more)['executions']\n\
             while all(statusFilter='RUNNING'): time.sleep(0.1)\n\
             for one in all(): print(one['name'], one['status'])"
        ));
        let one = |line: &str| {
            let (name, status) = line.split_once(' ').unwrap();
            (format!("{class}/sfn-{name}"), status.to_owned())
        };
        listed.lines().map(one).collect()
    }
}

/// The run of the only execution, which ended well.
#[track_caller]
fn only(world: &World<'_>, class: &str) -> String {
    let all = world.executions(class);
    let [(run, status)] = all.as_slice() else {
        panic!("{class}: {all:?}");
    };
    assert_eq!(status, "SUCCEEDED", "{:#?}", world.printed(run));
    run.clone()
}

#[test]
fn an_event_starts_a_run_with_whatever_it_holds() {
    let bed = shared();
    let mut values = hostile();
    // Numbers beyond what a double holds are rounded by Step Functions itself.
    values.extend([
        json!({"{{": [1, -2.5, null]}),
        json!([]),
        json!([9_007_199_254_740_991_i64]),
    ]);
    let decorated = format!("@trigger(event={})\nclass ", event("data.new", &values));
    let text = takes("EventFlow", &values, false).replace("class ", &decorated)
        + "
        started = current.trigger.event
        print('BY', started.name, started.type, started.id, len(current.trigger.events))";
    let names = "FlowSpec, JSONType, Parameter, current, step, trigger";
    let text = format!(
        "from metaflow import {names}\n\n\n{text}\n\n\nif __name__ == '__main__':\n    EventFlow()\n"
    );
    let world = World::new(bed, &text, "");
    std::fs::write(
        world.path().join("expected.json"),
        json!(values).to_string(),
    )
    .unwrap();
    let include = "[package]\ninclude = [\"expected.json\"]\n\n";
    let profile = format!("{include}{}", bed.profile(""));
    std::fs::write(world.path().join("flowc.toml"), profile).unwrap();
    world.deploy();
    let detail = fields(&values);
    for name in ["data-new", "data.newer", "my.data.new"] {
        world.put_event(name, &detail);
    }
    world.put_event("data.new", &detail);
    let run = only(&world, "EventFlow");
    let printed = world.printed(&run);
    let (_, log) = printed.iter().find(|(step, _)| step == "end").unwrap();
    assert!(log.contains("BY data.new event "), "{log}");
}

#[test]
fn the_end_of_a_run_starts_a_run_of_another_flow() {
    let bed = shared();
    let show = "print('GOT', current.trigger.run.data.x, current.trigger.run.pathspec, current.trigger.event.name)";
    let down = World::new(
        bed,
        &flow("DownFlow", "@trigger_on_finish(flow='UpFlow')", "", show),
        "",
    );
    let x = "    x = Parameter('x', default=0)\n\n";
    let up = World::new(bed, &flow("UpFlow", "", x, "assert self.x"), "");
    down.deploy();
    up.deploy();
    up.trigger(&[]).assert("failed");
    let ended = up.trigger(&["--param", "x=42"]);
    ended.assert("succeeded");
    let run = only(&down, "DownFlow");
    for (step, log) in down.printed(&run) {
        let told = format!("GOT 42 {} metaflow.UpFlow.end", ended.name);
        assert!(log.contains(&told), "{step}: {log}");
    }
}

/// A run that gives way ends well, but it has not run.
#[test]
fn a_run_that_gave_way_starts_nothing() {
    let bed = shared();
    let down = World::new(
        bed,
        &flow(
            "AfterFlow",
            "@trigger_on_finish(flow='GivesFlow')",
            "",
            "pass",
        ),
        "",
    );
    let gate = down.path().join("gate");
    let gate = gate.to_str().unwrap();
    let parameters = "    wait = Parameter('wait', default=False)\n\n";
    let start = format!(
        "import os, time\n        while self.wait and not os.path.exists({gate:?}): time.sleep(0.05)"
    );
    let decorator = "from metaflow import schedule\n\n\n@schedule(daily=True)";
    let up = World::new(
        bed,
        &flow("GivesFlow", decorator, parameters, &start),
        "overlap = \"skip\"",
    );
    down.deploy();
    up.deploy();
    let first = up.start(&["--param", "wait=true"]);
    let skipped = bed.fire("flowc-GivesFlow");
    assert_eq!(skipped.len(), 1);
    while !bed
        .boto(&format!(
            "print(client('stepfunctions').describe_execution(executionArn='{}')['status'])",
            skipped[0]
        ))
        .contains("SUCCEEDED")
    {
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert!(down.executions("AfterFlow").is_empty());
    std::fs::write(gate, "").unwrap();
    assert_eq!(up.executions("GivesFlow").len(), 2);
    assert!(!up.printed(&first).is_empty());
    only(&down, "AfterFlow");
}

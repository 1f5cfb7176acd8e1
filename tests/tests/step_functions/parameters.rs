//! Whatever a parameter's value is, the step sees it and nothing else does.

use std::fmt::Write as _;

use flowc_protocol::identity::run_id;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

use super::world::{World, shared};

/// The list of reference tests of injection: values that some orchestrator's templating knows.
const HOSTILE: &[&str] = &[
    "{{workflow.name}}",
    "{{=1+1}}",
    "{{7*7}}",
    "{% raw %}",
    "{% $states.context %}",
    "{# x #}",
    "$.x",
    "$$.Execution.Id",
    "States.Format('{}', $.x)",
    "$(id)",
    "`id`",
    "$(HOME)",
    "${HOME}",
    "'; id #",
    "\"}],\"args\":[\"x",
    "line\nkey: value",
    "\u{2028}",
    "\u{202e}abc",
    "x.json",
    "../../etc/passwd",
    "-rf",
    "--help",
    "=cmd",
    "😀",
    "no",
    "1e3",
    "",
    " ",
    "\\",
    "\\u0041",
    "<aws.scheduler.execution-id>",
];

fn flow(class: &str, default: &str) -> String {
    format!(
        "import json\nfrom metaflow import FlowSpec, JSONType, Parameter, step\n\n\n\
         class {class}(FlowSpec):\n    \
         text = Parameter('text', default={default})\n    \
         data = Parameter('data', type=JSONType, default='{{}}')\n\n    \
         @step\n    def start(self):\n        \
         print('SEEN', json.dumps([self.text, self.data]), flush=True)\n        \
         self.next(self.end)\n\n    @step\n    def end(self):\n        pass\n\n\n\
         if __name__ == '__main__':\n    {class}()\n"
    )
}

/// What the start step of the run printed.
fn seen(world: &World<'_>, run: &str) -> Value {
    let printed = world.printed(run);
    let start = &printed.iter().find(|(step, _)| step == "start").unwrap().1;
    let line = start
        .lines()
        .find_map(|line| line.strip_prefix("SEEN "))
        .unwrap_or_else(|| panic!("{start}"));
    serde_json::from_str(line).unwrap()
}

#[test]
fn hostile_values_arrive_as_they_are() {
    let world = World::new(shared(), &flow("HostileFlow", "'x'"), "");
    world.deploy();
    for chunk in HOSTILE.chunks(8) {
        // One text is the parameter itself; the others travel inside one JSON value.
        let (first, rest) = chunk.split_first().unwrap();
        let data = json!({"list": rest, "keys": rest.iter().map(|key| ((*key).to_owned(), json!(1))).collect::<serde_json::Map<_, _>>()});
        let text = format!("text={first}");
        let option = format!("data={data}");
        let ended = world.trigger(&["--param", &text, "--param", &option]);
        ended.assert("succeeded");
        assert_eq!(seen(&world, &ended.name), json!([first, data]));
    }
}

#[test]
fn hostile_defaults_arrive_as_they_are() {
    let mut shape = None;
    for (place, value) in HOSTILE
        .iter()
        .enumerate()
        .filter(|(place, _)| place % 6 == 0)
    {
        let class = format!("Default{place}Flow");
        let default = json!(value).to_string();
        let world = World::new(shared(), &flow(&class, &default), "");
        world.deploy();
        let ended = world.trigger(&[]);
        ended.assert("succeeded");
        assert_eq!(seen(&world, &ended.name)[0], json!(value));
        let machine = world.bed.boto(&format!(
            "arn = 'arn:aws:states:us-east-1:123456789012:stateMachine:{class}'\n\
             print(client('stepfunctions').describe_state_machine(stateMachineArn=arn)['definition'])"
        ));
        let keys = keys_of(&serde_json::from_str(&machine).unwrap());
        assert_eq!(shape.get_or_insert_with(|| keys.clone()), &keys);
    }
}

/// Keys in order, which the values must not change.
fn keys_of(value: &Value) -> Vec<String> {
    match value {
        Value::Object(members) => members
            .iter()
            .flat_map(|(key, inner)| std::iter::once(key.clone()).chain(keys_of(inner)))
            .collect(),
        Value::Array(items) => items.iter().flat_map(keys_of).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        any_text().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map(any_text(), inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// NUL cannot be in an argument of a program.
fn any_text() -> impl Strategy<Value = String> {
    any::<String>().prop_map(|text| text.replace('\0', ""))
}

#[test]
fn any_value_arrives_as_it_is() {
    let world = World::new(shared(), &flow("AnyFlow", "'x'"), "");
    world.deploy();
    let config = Config {
        cases: 6,
        max_shrink_iters: 4,
        failure_persistence: None,
        ..Config::default()
    };
    TestRunner::new(config)
        .run(
            &(any_text(), proptest::collection::vec(any_json(), 0..8)),
            |(text, data)| {
                let data = Value::from(data);
                let first = format!("text={text}");
                let second = format!("data={data}");
                let ended = world.trigger(&["--param", &first, "--param", &second]);
                ended.assert("succeeded");
                prop_assert_eq!(seen(&world, &ended.name), json!([text, data]));
                Ok(())
            },
        )
        .unwrap();
}

/// The state machine's expression says what `flowc_protocol::identity::run_id` says.
#[test]
fn run_ids_of_any_execution_name_agree() {
    let world = World::new(shared(), &flow("NamesFlow", "'x'"), "");
    world.deploy();
    let names = [
        "plain-1.x_y",
        "größe",
        "a b".replace(' ', "+").as_str(),
        "é",
        "a--é--b",
        "x=y",
        "日本",
    ]
    .map(str::to_owned);
    let mut script = String::from(
        "import time\nsfn = client('stepfunctions')\n\
         alias = 'arn:aws:states:us-east-1:123456789012:stateMachine:NamesFlow:live'\n",
    );
    for name in &names {
        writeln!(
            script,
            "arn = sfn.start_execution(stateMachineArn=alias, name={}, input='{{}}')['executionArn']\n\
             while sfn.describe_execution(executionArn=arn)['status'] == 'RUNNING': time.sleep(0.1)\n\
             print(sfn.describe_execution(executionArn=arn)['status'])",
            json!(name)
        )
        .unwrap();
    }
    let ends = world.bed.boto(&script);
    assert!(ends.lines().all(|end| end == "SUCCEEDED"), "{ends}");
    for name in &names {
        let run = run_id(&format!("sfn:{name}")).unwrap();
        let full = format!("NamesFlow/{run}");
        assert_eq!(seen(&world, &full), json!(["x", {}]), "{name}");
        // The program finds the execution by the run's id.
        let mut status = world.flowc(&["status", "flow.py", &run, "--target", "step-functions"]);
        flowc_tests::run(&mut status);
    }
}

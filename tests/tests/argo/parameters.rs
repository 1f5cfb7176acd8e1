//! Parameters arrive as they were given, whatever they hold, and nothing of them is executed.

use flowc_target::testing::HOSTILE;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use super::world::World;

/// More that templates, shells and YAML know.
const MORE: &[&str] = &[
    "{{=toBase64('x')}}",
    "{{inputs.parameters.p}}",
    "{{",
    "}}",
    "{{{",
    "\\u007b\\u007b",
    "\u{7f}",
    "\t\r\n",
    "\\",
    "null",
];

/// A flow with one parameter for each value; `defaults` puts the values into the flow, else they come with the run.
fn flow(name: &str, values: &[Value], defaults: bool) -> String {
    let parameter = |(place, value): (usize, &Value)| {
        let kind = if value.is_string() { "str" } else { "JSONType" };
        let default = match (defaults, value) {
            (false, _) => "None".to_owned(),
            (true, Value::String(_)) => python(value),
            // Metaflow takes a default of this type as a text of JSON, too.
            (true, value) => python(&Value::String(value.to_string())),
        };
        format!("    p{place} = Parameter('p{place}', type={kind}, default={default})\n")
    };
    let parameters: String = values.iter().enumerate().map(parameter).collect();
    format!("class {name}(FlowSpec):\n{parameters}")
        + "
    @step
    def start(self):
        import json
        with open('expected.json', encoding='utf-8') as file:
            expected = json.load(file)
        for place, value in enumerate(expected):
            found = getattr(self, f'p{place}')
            assert found == value and type(found) is type(value), (place, found, value)
        self.seen = len(expected)
        self.next(self.end)

    @step
    def end(self):
        assert self.seen"
}

/// A literal of Python: JSON's texts are.
fn python(value: &Value) -> String {
    value.to_string()
}

fn world(name: &str, values: &[Value], defaults: bool) -> Option<World> {
    let world = World::new(&flow(name, values, defaults))?;
    world.write("expected.json", &json!(values).to_string());
    let profile = std::fs::read_to_string(world.path().join("flowc.toml")).unwrap();
    world.write(
        "flowc.toml",
        &format!("[package]\ninclude = [\"expected.json\"]\n\n{profile}"),
    );
    Some(world)
}

fn hostile() -> Vec<Value> {
    let texts = HOSTILE.iter().chain(MORE);
    // A command line cannot hold NUL.
    texts
        .filter(|text| !text.contains('\0'))
        .map(|text| json!(text))
        .collect()
}

/// Texts of any characters and values of any shape, always the same ones.
fn arbitrary() -> Vec<Value> {
    let mut runner = TestRunner::deterministic();
    let text = "\\PC{0,40}|[\\x01-\\x1f{}$\"'\\\\]{0,20}";
    let leaf = prop_oneof![
        any::<i64>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        text.prop_map(Value::from),
    ];
    let shape = leaf.prop_recursive(3, 20, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("\\PC{0,8}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    });
    let shape = shape.prop_filter("a text has its own type", |value| {
        value.is_array() || value.is_object()
    });
    let texts = text.prop_map(Value::from);
    let mut values = Vec::new();
    for _ in 0..30 {
        values.push(texts.new_tree(&mut runner).unwrap().current());
        values.push(shape.new_tree(&mut runner).unwrap().current());
    }
    values
}

#[test]
fn hostile_texts_arrive_through_trigger() {
    arrives_through_trigger("HostileFlow", &hostile());
}

#[test]
fn any_value_arrives_through_trigger() {
    arrives_through_trigger("AnyFlow", &arbitrary());
}

#[track_caller]
fn arrives_through_trigger(name: &str, values: &[Value]) {
    let Some(world) = world(name, values, false) else {
        return;
    };
    let given: Vec<String> = values
        .iter()
        .enumerate()
        .flat_map(|(place, value)| {
            let text = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            ["--param".to_owned(), format!("p{place}={text}")]
        })
        .collect();
    let given: Vec<&str> = given.iter().map(String::as_str).collect();
    world.run(&given).succeeded();
}

#[test]
fn hostile_texts_arrive_through_defaults() {
    let mut values = hostile();
    values.push(json!("\0"));
    if let Some(world) = world("DefaultsFlow", &values, true) {
        world.run(&[]).succeeded();
    }
}

#[test]
fn any_value_arrives_through_defaults() {
    if let Some(world) = world("AnyDefaultsFlow", &arbitrary(), true) {
        world.run(&[]).succeeded();
    }
}

#[test]
fn a_value_that_no_container_can_be_given_is_refused() {
    let Some(world) = world("LongFlow", &[json!("x")], false) else {
        return;
    };
    world.deploy();
    let long = "x".repeat(100_000);
    let refused = world.flowc("trigger", &["--p0", &long]);
    assert_eq!(refused.code, Some(2), "{}", refused.stderr);
    assert!(
        refused.stderr.contains("FC5007") && refused.stderr.contains("bytes long"),
        "{}",
        refused.stderr
    );
    let fits = "x".repeat(95_000);
    world.write("expected.json", &json!([fits]).to_string());
    world.run(&["--p0", &fits]).succeeded();
}

//! What a user gives is what the step sees, whatever it looks like to what lies between.

use flowc_tests::trials;
use flowc_tests::trials::Test;
use flowc_tests::values::{arbitrary, flow, given, hostile};
use serde_json::{Value, json};

use super::world::World;

pub(crate) const TESTS: &[Test] = trials![
    any_value_arrives_through_trigger,
    any_value_arrives_through_defaults,
    values_that_no_pod_can_be_given_are_refused,
];

fn world(name: &str, values: &[Value], defaults: bool) -> Option<World> {
    let world = World::new(&flow(name, values, defaults))?;
    world.write("expected.json", &json!(values).to_string());
    let profile = world.airflow.profile("");
    let package = "[package]\ninclude = [\"expected.json\"]\n";
    world.write("flowc.toml", &format!("{package}\n{profile}"));
    Some(world)
}

fn any_value_arrives_through_trigger() {
    let values = [hostile(), arbitrary()].concat();
    let Some(world) = world("ValuesFlow", &values, false) else {
        return;
    };
    let given = given(&values);
    let given: Vec<&str> = given.iter().map(String::as_str).collect();
    world.run(&given).succeeded();
}

fn any_value_arrives_through_defaults() {
    let values = [hostile(), arbitrary()].concat();
    if let Some(world) = world("DefaultsFlow", &values, true) {
        world.run(&[]).succeeded();
    }
}

fn values_that_no_pod_can_be_given_are_refused() {
    let Some(world) = world("LongFlow", &[json!("x"), json!("y")], false) else {
        return;
    };
    world.deploy();
    let long = "x".repeat(60_000);
    let refused = world.flowc("trigger", &["--p0", &long, "--p1", &long]);
    assert_eq!(refused.code, Some(2), "{}", refused.stderr);
    assert!(
        refused.stderr.contains("FC5007") && refused.stderr.contains("bytes long"),
        "{}",
        refused.stderr
    );
    // As much as there is room for, beside the names and the other value.
    let fits = "x".repeat(98_289 - r#"{"p0": "", "p1": "y"}"#.len());
    world.write("expected.json", &json!([fits, "y"]).to_string());
    world.run(&["--p0", &fits, "--p1", "y"]).succeeded();
}

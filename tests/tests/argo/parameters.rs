//! Parameters arrive as they were given, whatever they hold, and nothing of them is executed.

use flowc_tests::values::{arbitrary, flow, given, hostile};
use serde_json::{Value, json};

use flowc_tests::trials;
use flowc_tests::trials::Test;

use super::world::World;

pub(crate) const TESTS: &[Test] = trials![
    hostile_texts_arrive_through_trigger,
    any_value_arrives_through_trigger,
    hostile_texts_arrive_through_defaults,
    any_value_arrives_through_defaults,
    a_value_that_no_container_can_be_given_is_refused,
];

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

fn hostile_texts_arrive_through_trigger() {
    arrives_through_trigger("HostileFlow", &hostile());
}

fn any_value_arrives_through_trigger() {
    arrives_through_trigger("AnyFlow", &arbitrary());
}

#[track_caller]
fn arrives_through_trigger(name: &str, values: &[Value]) {
    let Some(world) = world(name, values, false) else {
        return;
    };
    let given = given(values);
    let given: Vec<&str> = given.iter().map(String::as_str).collect();
    world.run(&given).succeeded();
}

fn hostile_texts_arrive_through_defaults() {
    let mut values = hostile();
    values.push(json!("\0"));
    if let Some(world) = world("DefaultsFlow", &values, true) {
        world.run(&[]).succeeded();
    }
}

fn any_value_arrives_through_defaults() {
    if let Some(world) = world("AnyDefaultsFlow", &arbitrary(), true) {
        world.run(&[]).succeeded();
    }
}

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

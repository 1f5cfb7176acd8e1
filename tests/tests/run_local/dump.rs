//! `flowc artifacts` and `flowc dump`, on runs of flowc and of Metaflow.

use std::process::Command;

use serde_json::Value;

use super::world::{Output, World, output};

const FLOW: &str = "
class Point:
    def __init__(self, x):
        self.x = x

class F(FlowSpec):
    @step
    def start(self):
        self.items = [1, 2]
        self.text = 'two\\nlines'
        self.point = Point(3)
        self.large = 'x' * 5000
        self.next(self.body, foreach='items')

    @step
    def body(self):
        self.square = self.input ** 2
        if self.input == 2:
            raise ValueError('not two')
        self.next(self.join)

    @step
    def join(self, inputs):
        self.next(self.end)

    @step
    def end(self):
        pass";

fn flowc(world: &World, name: &str, arguments: &[&str]) -> Output {
    output(world.flowc(name).args(arguments))
}

#[track_caller]
fn shown(world: &World, name: &str, arguments: &[&str]) -> String {
    let output = flowc(world, name, arguments);
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    output.stdout
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// The world and the id of its run, whose second body failed.
fn failed() -> (World, String) {
    let world = World::new(FLOW);
    assert_eq!(world.run(&["--max-workers", "1"]).code, Some(1));
    let id = world
        .latest()
        .file_name()
        .unwrap()
        .to_str()
        .unwrap()
        .to_owned();
    (world, id)
}

#[test]
fn artifacts_are_listed_and_values_shown() {
    let (world, id) = failed();
    let listed = shown(&world, "artifacts", &[&id]);
    let lines: Vec<&str> = listed.lines().collect();
    assert_eq!(lines[0], format!("F/{id}/start/t"));
    assert!(
        lines[2].starts_with("  large  str               5.0 kB  "),
        "{listed}"
    );
    assert!(
        lines[4].starts_with("  point  __main__.Point      "),
        "{listed}"
    );
    assert!(
        listed.contains(&format!("F/{id}/body/t-1 (failed, attempt 0)\n")),
        "{listed}"
    );
    assert!(!listed.contains("_foreach_stack"), "{listed}");

    let dumped = shown(&world, "dump", &[&id]);
    let start = dumped.split(&format!("F/{id}/body")).next().unwrap();
    assert_eq!(
        start,
        format!(
            "F/{id}/start/t
  items = [1, 2]
  large = <str, 5.0 kB: larger than --max-value-size>
  name = 'F'
  point = <Point of the flow file: x=3>
  text = 'two\\nlines'
"
        )
    );
    assert!(
        dumped.contains(&format!("F/{id}/body/t-0\n")) && dumped.contains("  square = 4\n"),
        "{dumped}"
    );
    let large = shown(
        &world,
        "dump",
        &[
            &format!("F/{id}/start/t"),
            "--include",
            "large",
            "--max-value-size",
            "9999",
        ],
    );
    assert_eq!(
        large,
        format!("F/{id}/start/t\n  large = '{}'\n", "x".repeat(5000))
    );

    // As JSON; a step of Metaflow's own artifacts.
    let told = json(&shown(
        &world,
        "dump",
        &[&format!("{id}/body/t-0"), "--private", "--json"],
    ));
    let artifacts = told["tasks"][0]["artifacts"].as_array().unwrap();
    let of = |name: &str| artifacts.iter().find(|it| it["name"] == name).unwrap();
    assert_eq!(
        (&of("square")["value"], &of("square")["type"]),
        (&1.into(), &"int".into())
    );
    let stack = of("_foreach_stack")["text"].as_str().unwrap();
    assert!(
        stack.starts_with("[ForeachFrame(step='body', var='items'"),
        "{stack}"
    );
    let told = json(&shown(
        &world,
        "artifacts",
        &[&format!("{id}/body"), "--json"],
    ));
    assert_eq!(told["tasks"][1]["committed"], false);
    assert_eq!(
        told["tasks"][0]["artifacts"][4]["sha1"],
        of("square")["sha1"]
    );

    // Saved as Metaflow saves them.
    shown(
        &world,
        "dump",
        &[
            &format!("{id}/body/t-0"),
            "--include",
            "square,items",
            "--file",
            "out",
        ],
    );
    let script = "import pickle; print(pickle.load(open('out', 'rb')))";
    let read = output(
        Command::new(flowc_tests::metaflow_python())
            .args(["-c", script])
            .current_dir(world.path()),
    );
    assert_eq!(
        read.stdout,
        format!("{{'{id}/body/t-0': {{'items': [1, 2], 'square': 1}}}}\n")
    );

    for (arguments, said) in [
        (
            vec![format!("F/{id}/bdoy")],
            "has no step `bdoy`; it has start, body",
        ),
        (vec![format!("F/{id}/body/t-9")], "has not begun"),
        (vec!["F/17".to_owned()], "there is no run `F/17`"),
        (
            vec![id.clone(), "--python".to_owned(), "/no/such".to_owned()],
            "/no/such",
        ),
    ] {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let refused = flowc(&world, "dump", &arguments);
        assert_eq!(refused.code, Some(2), "{}", refused.stdout);
        assert!(
            refused.stderr.contains(said),
            "no `{said}` in {}",
            refused.stderr
        );
    }
}

#[test]
fn runs_of_metaflow_can_be_dumped_too() {
    let world = World::new(FLOW);
    let mut metaflow = Command::new(flowc_tests::metaflow_python());
    metaflow
        .args(["flow.py", "--no-pylint", "run", "--max-workers", "1"])
        .current_dir(world.path())
        .env("METAFLOW_USER", "ann")
        .env("METAFLOW_HOME", world.path().join("no-settings"));
    assert_eq!(output(&mut metaflow).code, Some(1));
    let id = world
        .latest()
        .file_name()
        .unwrap()
        .to_str()
        .unwrap()
        .to_owned();
    let dumped = shown(&world, "dump", &[&format!("F/{id}/start/1")]);
    assert!(dumped.contains("  items = [1, 2]\n"), "{dumped}");
    let listed = shown(&world, "artifacts", &[&format!("F/{id}")]);
    assert!(listed.contains("  square  int "), "{listed}");
}

#[test]
fn a_damaged_artifact_is_named() {
    let (world, id) = failed();
    let told = json(&shown(
        &world,
        "artifacts",
        &[&format!("{id}/start"), "--json", "--include", "text"],
    ));
    let key = told["tasks"][0]["artifacts"][0]["sha1"].as_str().unwrap();
    let blob = world
        .path()
        .join(".metaflow/F/data")
        .join(&key[..2])
        .join(key);
    std::fs::write(blob, "something else").unwrap();
    let refused = flowc(&world, "dump", &[&format!("{id}/start")]);
    assert_eq!(refused.code, Some(2));
    assert!(
        refused.stderr.contains("cannot read `text` of F/"),
        "{}",
        refused.stderr
    );
}

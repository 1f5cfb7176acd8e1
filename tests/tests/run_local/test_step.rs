//! `flowc test step`: one step, on artifacts of a past run or of a file.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::world::{Output, World, output};

const FLOW: &str = "
class F(FlowSpec):
    power = Parameter('power', default=2)
    names = Parameter('names', default='a,b', separator=',')

    @step
    def start(self):
        self.items = [3, 4]
        self.next(self.body, foreach='items')

    @step
    def body(self):
        self.raised = self.input ** self.power
        print('raised', self.input)
        if self.raised > 100:
            raise ValueError('too large')
        self.next(self.join)

    @step
    def join(self, inputs):
        self.total = sum(task.raised for task in inputs)
        self.merge_artifacts(inputs, exclude=['raised'])
        self.next(self.fork)

    @step
    def fork(self):
        self.next(self.left, self.right)

    @step
    def left(self):
        self.side = 'left' + '-'.join(self.names)
        self.next(self.both)

    @step
    def right(self):
        self.side = 'right'
        self.next(self.both)

    @step
    def both(self, inputs):
        self.sides = [inputs.left.side, inputs.right.side]
        self.total = inputs.left.total
        self.n = 0
        self.next(self.count)

    @step
    def count(self):
        self.n += 1
        self.way = 'again' if self.n < 3 else 'on'
        self.next({'again': self.count, 'on': self.end}, condition='way')

    @step
    def end(self):
        print(self.sides, self.n)";

fn test_step(world: &World, arguments: &[&str]) -> Output {
    output(
        world
            .flowc("test")
            .args(["step", "flow.py"])
            .args(arguments),
    )
}

/// What the step left, as JSON.
#[track_caller]
fn told(world: &World, arguments: &[&str]) -> Value {
    read(&test_step(world, &[arguments, &["--json"]].concat()))
}

/// What a step that succeeded left.
#[track_caller]
fn read(output: &Output) -> Value {
    assert_eq!(output.code, Some(0), "{}\n{}", output.stdout, output.stderr);
    let start = output.stdout.find("\n{\n").map_or(0, |at| at + 1);
    serde_json::from_str(&output.stdout[start..]).unwrap()
}

/// Values of what the step changed.
fn changed(told: &Value) -> BTreeMap<String, Value> {
    let artifacts = told["artifacts"].as_array().unwrap().iter();
    artifacts
        .filter(|artifact| artifact["changed"] == true)
        .map(|artifact| {
            let name = artifact["name"].as_str().unwrap();
            (name.to_owned(), artifact["value"].clone())
        })
        .collect()
}

fn values(pairs: &[(&str, Value)]) -> BTreeMap<String, Value> {
    let pairs = pairs.iter().cloned();
    pairs
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

/// Every file below a folder with its bytes.
fn tree(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut pending = vec![folder.to_owned()];
    while let Some(folder) = pending.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                pending.push(path);
            } else {
                files.insert(path.clone(), fs::read(path).unwrap());
            }
        }
    }
    files
}

#[test]
fn a_step_of_a_past_run_is_run_again_and_the_run_is_left_alone() {
    let world = World::new(FLOW);
    world.runs(&["--power", "3"]);
    let id = world
        .latest()
        .file_name()
        .unwrap()
        .to_str()
        .unwrap()
        .to_owned();
    let before = tree(&world.path().join(".metaflow"));
    let text = fs::read_to_string(world.path().join("flow.py")).unwrap();
    world.write(
        "flow.py",
        &text.replace(
            "self.raised = self.input ** self.power",
            "self.raised = -self.input",
        ),
    );
    let run = format!("F/{id}");
    assert_eq!(
        changed(&told(&world, &["body", "--from", &run])),
        values(&[("raised", json!(-3))])
    );
    let second = told(&world, &["body", "--from", &run, "--index", "1"]);
    assert_eq!(changed(&second), values(&[("raised", json!(-4))]));
    assert_eq!(second["task"], format!("F/{id}/body/t-1"));
    let named = told(&world, &["body", "--from", &format!("{run}/body/t-1")]);
    assert_eq!(named, second);
    let first = told(&world, &["start", "--from", &id]);
    assert_eq!(
        (&first["count"], changed(&first)["items"].clone()),
        (&json!(2), json!([3, 4]))
    );
    let join = told(&world, &["join", "--from", &run]);
    assert_eq!(changed(&join)["total"], json!(27 + 64));
    let both = told(&world, &["both", "--from", &format!("{run}/left/t")]);
    assert_eq!(changed(&both)["sides"], json!(["lefta-b", "right"]));
    let count = told(&world, &["count", "--from", &run]);
    assert_eq!(
        (changed(&count)["n"].clone(), &count["next"]),
        (json!(3), &json!("end"))
    );
    let again = told(&world, &["count", "--from", &format!("{run}/count/t.2")]);
    assert_eq!(again["task"], format!("F/{id}/count/t.2"));
    let end = test_step(&world, &["end", "--from", &run]);
    assert_eq!(
        end.stdout, "[end/t] ['lefta-b', 'right'] 3\n",
        "{}",
        end.stderr
    );
    assert!(
        end.stderr.contains("Unchanged") && end.stderr.contains("Passed F/"),
        "{}",
        end.stderr
    );

    // A step that fails says so by its code, with the user's words.
    world.write("flow.py", &text.replace("> 100", "> 1"));
    let failed = test_step(&world, &["body", "--from", &run]);
    assert_eq!(failed.code, Some(1), "{}", failed.stderr);
    assert!(
        failed.stderr.contains("Failed F/") && failed.stderr.contains("ValueError: too large"),
        "{}",
        failed.stderr
    );
    assert!(
        failed.stdout.contains("raised (int) = 27\n"),
        "{}",
        failed.stdout
    );
    assert!(
        tree(&world.path().join(".metaflow")) == before,
        "the run was touched"
    );

    for (arguments, said) in [
        (&["bdoy", "--from", &run][..], "did you mean `body`?"),
        (&["body", "--from", "F/17"], "there is no run `F/17`"),
        (
            &["body", "--from", &run, "--index", "1-1"],
            "inside 1 foreaches",
        ),
        (&["body", "--from", &run, "--index", "7"], "start"),
        (
            &["end", "--from", &format!("{run}/left/t")],
            "does not lead to it",
        ),
        (&["body"], "--from"),
    ] {
        let refused = test_step(&world, arguments);
        if said == "start" {
            // There is no element of that index; the step itself finds that out.
            assert_ne!(refused.code, Some(0), "{}", refused.stdout);
            continue;
        }
        assert_eq!(refused.code, Some(2), "{}", refused.stderr);
        assert!(
            refused.stderr.contains(said),
            "no `{said}` in {}",
            refused.stderr
        );
    }
}

#[test]
fn a_step_runs_on_a_fixture() {
    let world = World::new(FLOW);
    let fixture = |name: &str, value: &Value| world.write(name, &value.to_string());
    fixture("body.json", &json!({"items": [5, 2], "power": 3}));
    let body = told(&world, &["body", "--fixture", "body.json", "--index", "1"]);
    assert_eq!(changed(&body), values(&[("raised", json!(8))]));
    let failed = test_step(&world, &["body", "--fixture", "body.json"]);
    assert_eq!(failed.code, Some(1), "{}", failed.stderr);
    assert!(
        failed.stdout.starts_with("[body/t-0] raised 5\n"),
        "{}",
        failed.stdout
    );

    // A join takes several; elements in order, branches as written. Parameters have their defaults.
    let element = |raised: u32| json!({"items": [1, 2, 3], "raised": raised, "note": "same"});
    fixture("join.json", &json!([element(1), element(10), element(100)]));
    let join = changed(&told(&world, &["join", "--fixture", "join.json"]));
    assert_eq!(
        (&join["total"], join.contains_key("raised")),
        (&json!(111), false)
    );
    fixture(
        "both.json",
        &json!([{"side": "l", "total": 1}, {"side": "r", "total": 1}]),
    );
    let both = changed(&told(&world, &["both", "--fixture", "both.json"]));
    assert_eq!(both["sides"], json!(["l", "r"]));
    fixture("plain.json", &json!({"n": 1}));
    let left = changed(&told(&world, &["left", "--fixture", "plain.json"]));
    assert_eq!(left["side"], "lefta-b");
    let start = told(&world, &["start", "--fixture", "plain.json"]);
    assert_eq!((&start["count"], &start["ok"]), (&json!(2), &json!(true)));
    let count = told(&world, &["count", "--fixture", "plain.json"]);
    assert_eq!(
        (&count["next"], &changed(&count)["n"]),
        (&json!("end"), &json!(3))
    );

    // A pickle, as `flowc dump` writes it.
    world.runs(&[]);
    let id = world
        .latest()
        .file_name()
        .unwrap()
        .to_str()
        .unwrap()
        .to_owned();
    let mut dump = world.flowc("dump");
    let dumped = output(dump.args([&format!("{id}/body"), "--file", "body.pickle"]));
    assert_eq!(dumped.code, Some(0), "{}", dumped.stderr);
    let join = changed(&told(&world, &["join", "--fixture", "body.pickle"]));
    assert_eq!(join["total"], 9 + 16);

    fixture("names.json", &json!(["a"]));
    for (step, file, said) in [
        (
            "body",
            "plain.json",
            "it has no `items`, which the foreach before the step goes over",
        ),
        (
            "both",
            "plain.json",
            "it has 1 input, not 2: of left, right",
        ),
        ("left", "names.json", "it holds no artifacts by name"),
        ("left", "missing.json", "FileNotFoundError"),
    ] {
        let refused = test_step(&world, &[step, "--fixture", file]);
        assert_eq!(refused.code, Some(2), "{}", refused.stderr);
        assert!(
            refused.stderr.contains(said),
            "no `{said}` in {}",
            refused.stderr
        );
    }
    let refused = test_step(&world, &["body", "--fixture", "body.json", "--index", "2"]);
    assert!(
        refused.stderr.contains("2 elements, and none of index 2"),
        "{}",
        refused.stderr
    );
}

#[test]
fn a_step_of_a_project_is_on_the_branch_that_options_say() {
    let world = World::new(
        "from metaflow import project

@project(name='shop')
class F(FlowSpec):
    @step
    def start(self):
        self.branch = [current.branch_name, current.project_flow_name]
        self.next(self.end)

    @step
    def end(self):
        pass",
    );
    world.write("start.json", "{}");
    for (options, branch) in [
        (&["--branch", "next"][..], "test.next"),
        (&["--production"], "prod"),
        (&["--branch", "next", "--production"], "prod.next"),
        (&[], "user.ann"),
    ] {
        let told = told(
            &world,
            &[&["start", "--fixture", "start.json"], options].concat(),
        );
        let flow = format!("shop.{branch}.F");
        let expect = [("branch", json!([branch, flow]))];
        assert_eq!(changed(&told), values(&expect), "{options:?}");
    }
}

//! What starts a run, from what an orchestrator hands over to what steps see.

#![allow(
    clippy::unwrap_used,
    reason = "a test's functions fail the test, and say why"
)]

mod support;

use std::process::{Command, Output};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flowc_protocol::exit::Exit;
use flowc_task::history;
use flowc_task::history::sync::{self, Syncer};
use flowc_task::store::Store;
use serde_json::{Value, json};
use support::{Bed, manifest_of, one_step, put_package, shim};

/// Prints what both of its steps see.
const FLOW: &str = r#"
from metaflow import FlowSpec, JSONType, Parameter, current, step
import json, sys

def seen():
    trigger = getattr(current, "trigger", None)
    if trigger is None:
        return None
    run = trigger.run
    return {
        "events": [[event.name, event.id, event.type] for event in trigger],
        "run": run and [run.pathspec, run.data.rate, len(run.data.table)],
    }

class Told(FlowSpec):
    alpha = Parameter("alpha", default="none")
    beta = Parameter("beta", default=1, type=int)
    any = Parameter("any", default="null", type=JSONType)

    @step
    def start(self):
        self.first = seen()
        self.next(self.end)

    @step
    def end(self):
        assert seen() == self.first, (seen(), self.first)
        print(json.dumps({"seen": self.first, "alpha": self.alpha, "beta": self.beta, "any": self.any}))

if __name__ == "__main__":
    Told()
"#;

fn steps() -> Value {
    json!({
        "start": {"type": "linear", "next": ["end"], "parents": []},
        "end": {"type": "end", "next": [], "parents": ["start"]},
    })
}

/// A flow in a store, and its package.
struct Told {
    bed: Bed,
    package: String,
}

impl Told {
    /// The flow with these triggers; in the store of another flow where there is one.
    fn new(triggers: &Value, store: Option<&Store>) -> Self {
        let parameter = |name: &str, ty: &str| json!({"name": name, "attribute": name, "type": ty});
        let parameters = json!([
            parameter("alpha", "str"),
            parameter("beta", "int"),
            parameter("any", "json")
        ]);
        let mut manifest = manifest_of("Told", "start", "end", &steps(), &parameters);
        manifest.triggers = serde_json::from_value(triggers.clone()).unwrap();
        let bed = match store {
            None => Bed::new(FLOW, manifest),
            Some(store) => {
                let folder = tempfile::tempdir().unwrap();
                Bed::with_store(folder, FLOW, manifest, store.clone())
            }
        };
        let package = put_package(&bed);
        Self { bed, package }
    }

    fn command(&self, step: &str) -> Command {
        let mut command = shim(self.bed.folder.path(), &self.package, step, "-");
        command.env("FLOWC_STORE", self.bed.store.local_root().unwrap());
        command
    }

    fn start(&self, environment: &[(&str, &Value)]) -> Output {
        let mut command = self.command("start");
        for (name, value) in environment {
            command.env(name, STANDARD.encode(value.to_string()));
        }
        command.output().unwrap()
    }

    /// Starts by the execution's input, as Step Functions puts it into the store.
    fn start_by_input(&self, input: &Value) -> Output {
        let key = "Told/input/x.json";
        let path = self.bed.store.local_root().unwrap().join(key);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, input.to_string()).unwrap();
        let mut command = self.command("start");
        command.env("FLOWC_INPUT", key).output().unwrap()
    }

    /// What the last step prints after a good start.
    fn told(&self, start: &Output) -> Value {
        assert!(start.status.success(), "{}", text(&start.stderr));
        let output = self.command("end").output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[track_caller]
fn refused(output: &Output, exit: Exit, words: &[&str]) {
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(i32::from(exit.code())), "{said}");
    for word in words {
        assert!(said.contains(word), "`{word}` is not in {said}");
    }
}

fn event() -> Value {
    json!([{"type": "event", "name": "new", "parameters": {"alpha": "x", "beta": "n", "any": "list"}}])
}

/// Texts that mean something to a template engine, a shell, a path into JSON or a string of C.
fn hostile(size: usize) -> String {
    let texts = "\"'`\\ {{workflow.name}} {{=1+1}} $(id) $(HOME) ${HOME} $.x States.Format('{}') {% raw %} {# x #} \u{0} \u{2028} ü\n";
    texts.repeat(size.div_ceil(texts.len()))
}

#[test]
fn a_payload_arrives_as_it_was_by_each_way() {
    // Linux gives no variable more than 128 KiB.
    for (size, by_input) in [(1, false), (30_000, false), (1, true), (200_000, true)] {
        let told = Told::new(&event(), None);
        let value = hostile(size);
        let payload = json!({"name": "new", "id": "e-1", "timestamp": 5, "x": value, "list": [{"k": value}], "other": 1});
        let output = if by_input {
            told.start_by_input(&json!({
                "detail-type": "new", "source": "shop", "id": "e-1", "time": "2026-01-31T12:00:00Z", "detail": payload,
            }))
        } else {
            // What is typed as a default does not win over the event.
            told.start(&[
                ("FLOWC_TRIGGER_0", &payload),
                ("FLOWC_PARAMETER_alpha", &json!("default")),
            ])
        };
        let seen = told.told(&output);
        assert_eq!(seen["alpha"], value);
        assert_eq!(seen["any"][0]["k"], value);
        assert_eq!(
            seen["beta"], 1,
            "a field that is not there leaves the default"
        );
        assert_eq!(
            seen["seen"],
            json!({"events": [["new", "e-1", "event"]], "run": null})
        );
        let commit = told.bed.stored_json("Told/argo-test/_parameters/t/commit");
        assert_eq!(commit["triggers"][0]["name"], "new");
    }
}

#[test]
fn a_run_by_hand_has_no_trigger() {
    for by_input in [false, true] {
        let told = Told::new(&event(), None);
        let output = if by_input {
            told.start_by_input(&json!({"alpha": "typed"}))
        } else {
            told.start(&[
                ("FLOWC_TRIGGER_0", &Value::Null),
                ("FLOWC_PARAMETER_alpha", &json!("typed")),
            ])
        };
        let seen = told.told(&output);
        assert_eq!(
            (&seen["seen"], &seen["alpha"]),
            (&Value::Null, &json!("typed"))
        );
        let commit = told.bed.stored_json("Told/argo-test/_parameters/t/commit");
        assert_eq!(commit.get("triggers"), None);
    }
}

#[test]
fn what_does_not_fit_is_told_with_its_event_field_and_parameter() {
    let told = Told::new(&event(), None);
    let output = told.start(&[("FLOWC_TRIGGER_0", &json!({"n": "many"}))]);
    refused(
        &output,
        Exit::UserFailureFinal,
        &["`beta`", "many", "field `n` of the event `new`"],
    );
    let told = Told::new(&event(), None);
    let output = told
        .command("start")
        .env("FLOWC_TRIGGER_0", "e3s=")
        .output();
    refused(&output.unwrap(), Exit::Configuration, &["`new`", "no JSON"]);
    let output = told.command("start").env("FLOWC_TRIGGER_0", "{}").output();
    refused(
        &output.unwrap(),
        Exit::Configuration,
        &["FLOWC_TRIGGER_0", "no base64"],
    );
}

/// A run of `OneFlow`, and a flow that it starts, in one store.
fn after_a_run(triggers: &Value) -> (Bed, Told) {
    let body = "self.rate = 0.5\nself.table = list(range(100000))";
    let (flow, manifest) = one_step(body, &json!({}));
    let bed = Bed::new(&flow, manifest);
    let package = put_package(&bed);
    for step in ["start", "end"] {
        let output = shim(bed.folder.path(), &package, step, "-")
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
    }
    let told = Told::new(triggers, Some(&bed.store));
    (bed, told)
}

#[test]
fn a_run_that_ended_shows_its_artifacts() {
    let on = json!([{"type": "run", "name": "metaflow.shop.prod.OneFlow.end", "flow": "OneFlow"}]);
    for said in [json!({"run": "argo:test"}), json!("id:argo-test")] {
        let (_bed, told) = after_a_run(&on);
        let seen = told.told(&told.start(&[("FLOWC_TRIGGER_0", &said)]));
        assert_eq!(
            seen["seen"],
            json!({
                "events": [["metaflow.shop.prod.OneFlow.end", "OneFlow/argo-test/end/t", "run"]],
                "run": ["OneFlow/argo-test", 0.5, 100_000],
            })
        );
    }
    let (_bed, told) = after_a_run(&on);
    let output = told.start_by_input(&json!({
        "detail-type": "Step Functions Execution Status Change", "source": "aws.states",
        "detail": {"status": "SUCCEEDED", "name": "x", "input": "{\"flowc_run\": \"argo:test\"}"},
    }));
    assert_eq!(told.told(&output)["seen"]["run"][1], 0.5);

    let output = told.start(&[("FLOWC_TRIGGER_0", &json!({"run": "argo:other"}))]);
    refused(
        &output,
        Exit::Configuration,
        &["OneFlow/argo-other", "same store"],
    );
}

#[tokio::test]
async fn a_sync_tells_metaflows_client_what_started_the_run() {
    let told = Told::new(&event(), None);
    told.told(&told.start(&[("FLOWC_TRIGGER_0", &json!({"id": "e-1"}))]));
    let store = &told.bed.store;
    let record = history::run(store, "Told", "argo-test")
        .await
        .unwrap()
        .unwrap();
    let root = told.bed.folder.path().join("tree");
    let syncer = Syncer {
        root: root.clone(),
        user: "ann".to_owned(),
        system_tags: Vec::new(),
    };
    sync::enter(store, &record, &syncer).await.unwrap().unwrap();
    let fields = |step: &str| {
        let folder = root.join(format!("Told/argo-test/{step}/t/_meta"));
        let files = std::fs::read_dir(folder).unwrap();
        let files = files.map(|entry| entry.unwrap().path());
        let named = files.filter(|path| path.to_string_lossy().contains("execution-triggers"));
        named.collect::<Vec<_>>()
    };
    assert_eq!(fields("end"), Vec::<std::path::PathBuf>::new());
    let [field] = &fields("start")[..] else {
        panic!("one field");
    };
    let field: Value = serde_json::from_slice(&std::fs::read(field).unwrap()).unwrap();
    let value: Value = serde_json::from_str(field["value"].as_str().unwrap()).unwrap();
    assert_eq!(
        value,
        json!([{"timestamp": null, "id": "e-1", "name": "new", "type": "event"}])
    );
}

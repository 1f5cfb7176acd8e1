//! A small flow, its manifest, and a way to run its tasks without a scheduler.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "shared by test binaries, of which each uses a part"
)]

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use flowc_protocol::identity::IndexPath;
use flowc_protocol::manifest::Manifest;
use flowc_task::launch::Interpreter;
use flowc_task::signals::Stop;
use flowc_task::store::Store;
use flowc_task::task::{self, Observer, Stream, TaskReport, TaskRequest};
use serde_json::{Map, Value, json};

/// `start` splits over three items, `work` squares each, `join` adds them up, `end` prints.
pub const FLOW: &str = r#"
from metaflow import FlowSpec, step, Parameter

class SumFlow(FlowSpec):
    alpha = Parameter("alpha", default=2, type=int)

    @step
    def start(self):
        self.items = [1, 2, 3]
        self.next(self.work, foreach="items")

    @step
    def work(self):
        self.square = self.input ** self.alpha
        print("squared", self.input)
        self.next(self.join)

    @step
    def join(self, inputs):
        self.order = [each.square for each in inputs]
        self.total = sum(self.order)
        self.next(self.middle)

    @step
    def middle(self):
        self.answer = "the answer is %d" % self.total
        print("middle")
        self.next(self.end)

    @step
    def end(self):
        print(self.answer)

if __name__ == "__main__":
    SumFlow()
"#;

/// The manifest of [`FLOW`].
pub fn manifest() -> Manifest {
    let steps = json!({
        "start": {"type": "foreach", "next": ["work"], "parents": [], "variable": "items"},
        "work": {"type": "linear", "next": ["join"], "parents": ["start"], "foreach": ["start"]},
        "join": {"type": "join", "next": ["middle"], "parents": ["work"], "split": "start"},
        "middle": {"type": "linear", "next": ["end"], "parents": ["join"]},
        "end": {"type": "end", "next": [], "parents": ["middle"]},
    });
    manifest_of(
        "SumFlow",
        "start",
        "end",
        &steps,
        &json!([
            {"name": "alpha", "attribute": "alpha", "type": "int", "default": 2}
        ]),
    )
}

/// A manifest from its parts.
pub fn manifest_of(
    flow: &str,
    start: &str,
    end: &str,
    steps: &Value,
    parameters: &Value,
) -> Manifest {
    serde_json::from_value(json!({
        "protocol": flowc_protocol::PROTOCOL,
        "flow": flow,
        "file": "flow.py",
        "start": start,
        "end": end,
        "parameters": parameters,
        "steps": steps,
        "graph_info": {"file": "flow.py", "steps": {}, "parameters": [], "constants": []},
    }))
    .unwrap()
}

/// A flow of one step with this body, `retries` and further attributes of the step.
pub fn one_step(body: &str, attributes: &Value) -> (String, Manifest) {
    let body = body.replace('\n', "\n        ");
    let text = format!(
        "from metaflow import FlowSpec, step\nimport os, sys, time, signal\n\nclass OneFlow(FlowSpec):\n    @step\n    def start(self):\n        {body}\n        self.next(self.end)\n\n    @step\n    def end(self):\n        pass\n\nif __name__ == \"__main__\":\n    OneFlow()\n"
    );
    let mut start = json!({"type": "linear", "next": ["end"], "parents": []});
    for (name, value) in attributes.as_object().unwrap() {
        start[name] = value.clone();
    }
    let steps = json!({"start": start, "end": {"type": "end", "next": [], "parents": ["start"]}});
    (
        text,
        manifest_of("OneFlow", "start", "end", &steps, &json!([])),
    )
}

/// A flow in a folder of its own, with a store beside it.
pub struct Bed {
    pub folder: tempfile::TempDir,
    pub manifest: Arc<Manifest>,
    pub store: Store,
    pub run: String,
    pub launcher: Interpreter,
}

impl Bed {
    pub fn new(flow: &str, manifest: Manifest) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path().join("store").to_str().unwrap()).unwrap();
        Self::with_store(folder, flow, manifest, store)
    }

    pub fn with_store(
        folder: tempfile::TempDir,
        flow: &str,
        manifest: Manifest,
        store: Store,
    ) -> Self {
        std::fs::create_dir(folder.path().join("code")).unwrap();
        std::fs::write(folder.path().join("code/flow.py"), flow).unwrap();
        let harness = flowc_task::harness::install(&folder.path().join("work")).unwrap();
        Self {
            manifest: Arc::new(manifest),
            store,
            run: "argo-test".to_owned(),
            launcher: Interpreter {
                python: python(),
                harness,
            },
            folder,
        }
    }

    pub fn request(&self, step: &str, index: &str) -> TaskRequest {
        TaskRequest {
            manifest: Arc::clone(&self.manifest),
            run: self.run.clone(),
            step: step.to_owned(),
            index: index.parse::<IndexPath>().unwrap(),
            orchestrator_attempt: Some(0),
            code: self.folder.path().join("code"),
            cwd: self.folder.path().join("code"),
            work: self.folder.path().join("work"),
            parameters: Arc::new(Map::new()),
            origin_run: None,
            tags: Arc::new([]),
            username: "ann".to_owned(),
            namespace: None,
        }
    }

    pub async fn task(&self, step: &str, index: &str) -> TaskReport {
        let request = self.request(step, index);
        task::run(
            &self.store,
            &request,
            &self.launcher,
            &Silent,
            Stop::never(),
        )
        .await
    }

    pub async fn done(&self, step: &str, index: &str) -> TaskReport {
        let report = self.task(step, index).await;
        assert_eq!(report.error, None, "{step} {index}");
        report
    }

    /// A file of the store as text, if it is there.
    pub fn stored(&self, key: &str) -> Option<String> {
        std::fs::read_to_string(self.store.local_root()?.join(key)).ok()
    }

    pub fn stored_json(&self, key: &str) -> Value {
        let text = self
            .stored(key)
            .unwrap_or_else(|| panic!("{key} is not there"));
        serde_json::from_str(&text).unwrap()
    }
}

/// `FLOWC_TEST_PYTHON`, else the default one.
pub fn python() -> PathBuf {
    std::env::var_os("FLOWC_TEST_PYTHON")
        .map_or_else(|| Path::new("python3").to_owned(), PathBuf::from)
}

/// Hears nothing.
pub struct Silent;

impl Observer for Silent {}

/// Keeps the lines.
#[derive(Default)]
pub struct Lines(pub Mutex<Vec<(Stream, Vec<u8>)>>);

impl Observer for Lines {
    fn line(&self, _request: &TaskRequest, stream: Stream, line: &[u8]) {
        self.0.lock().unwrap().push((stream, line.to_vec()));
    }
}

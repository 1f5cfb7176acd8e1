//! A small flow, its manifest, and a way to run its tasks without a scheduler.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "shared by test binaries, of which each uses a part"
)]

pub mod moto;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use flowc_protocol::identity::IndexPath;
use flowc_protocol::json_text::Members;
use flowc_protocol::manifest::Manifest;
use flowc_task::launch::{Interpreter, Streams};
use flowc_task::secrets::Vault;
use flowc_task::signals::Stop;
use flowc_task::store::Store;
use flowc_task::task::{self, Observer, Stream, TaskReport, TaskRequest};
use serde_json::{Value, json};

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
                streams: Streams::Pipes,
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
            iteration: None,
            gang: None,
            orchestrator_attempt: Some(0),
            package: None,
            code: self.folder.path().join("code"),
            cwd: self.folder.path().join("code"),
            work: self.folder.path().join("work"),
            parameters: Arc::new(Members::new()),
            causes: Arc::default(),
            elsewhere: None,
            origin_run: None,
            vault: Vault::default(),
            tags: Arc::new([]),
            username: "ann".to_owned(),
            namespace: None,
            client_namespace: None,
            output_wait: task::OUTPUT_WAIT,
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

/// Packs a bed's code as `flowc deploy` does: the value of `FLOWC_PACKAGE`, its key and its bytes.
pub fn pack(bed: &Bed) -> (String, String, Vec<u8>) {
    use sha2::{Digest, Sha256};
    use std::io::Write;
    let mut tar = tar::Builder::new(Vec::new());
    let flow = std::fs::read(bed.folder.path().join("code/flow.py")).unwrap();
    let plan = serde_json::to_vec(&*bed.manifest).unwrap();
    for (name, bytes) in [("flow.py", flow), ("plan.json", plan)] {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, name, bytes.as_slice())
            .unwrap();
    }
    let tar = tar.into_inner().unwrap();
    let sha256 = flowc_protocol::known::hex(&Sha256::digest(&tar));
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&tar).unwrap();
    let flow = &bed.manifest.flow;
    let name = flowc_protocol::identity::package_name(flow, &sha256);
    let key = flowc_protocol::identity::package_key(flow, &sha256);
    (name, key, gzip.finish().unwrap())
}

/// As [`pack`], and puts it into the bed's local store.
pub fn put_package(bed: &Bed) -> String {
    let (name, key, bytes) = pack(bed);
    let path = bed.store.local_root().unwrap().join(key);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
    name
}

/// The shim, about to run a step of a packaged flow on a local store in `folder/store`.
pub fn shim(folder: &Path, package: &str, step: &str, index: &str) -> std::process::Command {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_flowc-shim"));
    command
        .args(["step", step])
        .env("FLOWC_STORE", folder.join("store"))
        .env("FLOWC_PACKAGE", package)
        .env("FLOWC_RUN", "argo:test")
        .env("FLOWC_INDEX", index)
        .env("FLOWC_ATTEMPT", "0")
        .env("FLOWC_PROTOCOL", flowc_protocol::PROTOCOL.to_string())
        .env("FLOWC_WORK", folder.join("work"))
        .env("FLOWC_PYTHON", python());
    command
}

/// Copies a folder and what is below it.
pub fn copy_tree(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_tree(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Checks that nothing half-made can be seen in a local store: every JSON parses, every blob that a record names is
/// there and has the digest of its name, and there is nothing else than known kinds of files.
pub fn check_store(root: &Path, flow: &str) {
    let mut pending = vec![root.to_owned()];
    while let Some(folder) = pending.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            let key = path
                .strip_prefix(root)
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned();
            if path.is_dir() {
                if name != ".flowc-tmp" {
                    pending.push(path);
                }
            } else if key.starts_with(&format!("{flow}/data/")) {
                if !name.ends_with("_meta") {
                    check_blob(&path, &name);
                }
            } else if path.extension().is_some_and(|end| end == "json") || name == "commit" {
                let text = std::fs::read(&path).unwrap();
                let value: Value =
                    serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{key}: {error}"));
                let record = if name == "commit" {
                    &value["data"]
                } else {
                    &value
                };
                for (artifact, blob) in record["objects"].as_object().into_iter().flatten() {
                    let blob = blob.as_str().unwrap();
                    let path = root.join(flow).join("data").join(&blob[..2]).join(blob);
                    assert!(path.is_file(), "{key} names {artifact}, which is not there");
                }
            } else {
                let known = [".log", ".DONE.lock", ".tgz"];
                assert!(
                    known.iter().any(|end| name.ends_with(end)),
                    "{key} is unknown"
                );
            }
        }
    }
}

fn check_blob(path: &Path, name: &str) {
    use std::io::Read;
    let bytes = std::fs::read(path).unwrap();
    let mut plain = Vec::new();
    let unpacked = flate2::read::MultiGzDecoder::new(bytes.as_slice()).read_to_end(&mut plain);
    let content = if unpacked.is_ok() { plain } else { bytes };
    assert_eq!(flowc_protocol::known::key_of(&content), name);
}

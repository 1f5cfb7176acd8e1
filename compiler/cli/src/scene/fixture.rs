//! What a step starts from, made of a file.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};
use flowc_protocol::PROTOCOL;
use flowc_protocol::conversation::Frame;
use flowc_protocol::identity::{IndexPath, PARAMETERS_STEP, TaskId};
use flowc_protocol::manifest::{Manifest, Parameter, Step, StepKind};
use flowc_task::cas::Blobs;
use flowc_task::commit::{Commit, Info, Record};
use flowc_task::store::Store;
use indexmap::IndexMap;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Scene, Subject};
use crate::question;

/// The run of which the step believes to be a part.
const RUN: &str = "fixture";

/// What Python made of the file.
#[derive(Deserialize)]
struct Made {
    #[serde(default)]
    inputs: Vec<IndexMap<String, Pickle>>,
    /// Elements of the foreach that the one input splits over.
    count: Option<u32>,
    error: Option<String>,
}

#[derive(Deserialize)]
struct Pickle {
    path: PathBuf,
    size: u64,
    #[serde(rename = "type")]
    ty: String,
}

/// What the step takes.
enum Takes {
    /// One input, or one of each branch: their steps.
    Each(Vec<String>),
    /// The elements of a foreach: the step that ends its body, the split, and the frame that the split opens.
    Elements {
        step: String,
        split: String,
        frame: Frame,
    },
}

impl Scene {
    /// The scene of a task whose inputs are in a file. The step forgets parents of which there are no inputs.
    pub(crate) async fn of_fixture(subject: &mut Subject, file: &Path) -> anyhow::Result<Self> {
        let depth = subject.manifest.steps[&subject.step].foreach.len();
        let mut index = subject.index.clone().unwrap_or_default();
        while index.indices().len() < depth {
            index = index.child(0);
        }
        let takes = takes(subject);
        let task = TaskId {
            index,
            iteration: None,
        };
        let mut scene = Self::new(RUN, task)?;
        if subject.step == subject.manifest.start {
            scene.origin = Some(RUN.to_owned());
        }
        let manifest = Arc::clone(&subject.manifest);
        let (around, split) = match &takes {
            Takes::Each(steps) => {
                let one = steps.first().and_then(|step| manifest.steps.get(step));
                (one, one.and_then(|one| one.variable.clone()))
            }
            Takes::Elements { split, .. } => (manifest.steps.get(split), None),
        };
        let depth = around.map_or(0, |step| step.foreach.len());
        let splits = around.map_or(&[][..], |step| &step.foreach);
        let stack = frames(&manifest, splits, &scene.task.index.truncated(depth));
        let request = json!({
            "file": std::env::current_dir()?.join(file),
            "folder": scene.spool()?,
            "artifacts": artifacts(&manifest),
            "stack": stack.iter().map(in_python).collect::<Vec<_>>(),
            "split": split,
            "fan": match &takes {
                Takes::Elements { frame, .. } => {
                    json!({"step": frame.step, "variable": frame.variable})
                }
                Takes::Each(_) => Value::Null,
            },
        });
        let made = ask(subject, &request).await?;
        let shown = file.display();
        if let Some(error) = &made.error {
            bail!("{shown}: {error}");
        }
        scene
            .put_inputs(subject, &takes, &stack, made)
            .await
            .with_context(|| format!("{shown} does not fit `{}`", subject.step))?;
        Ok(scene)
    }

    async fn put_inputs(
        &self,
        subject: &Subject,
        takes: &Takes,
        stack: &[Frame],
        made: Made,
    ) -> anyhow::Result<()> {
        let manifest = &subject.manifest;
        let flow = &manifest.flow;
        let blobs = Blobs::new(&self.store, flow);
        let count = made.inputs.len();
        match takes {
            Takes::Elements { step, split, frame } => {
                let outer = &self.task.index;
                let mut whole = result(empty(&self.store), stack.to_vec());
                whole.count = Some(count as u32);
                self.put(flow, split, &outer.task_id(), whole).await?;
                for (at, artifacts) in made.inputs.into_iter().enumerate() {
                    let own = Frame {
                        count: count as u32,
                        index: at as u32,
                        ..frame.clone()
                    };
                    let frames = stack.iter().cloned().chain([own]).collect();
                    let record = self.record(&blobs, artifacts).await?;
                    let task = outer.child(at as u32).task_id();
                    self.put(flow, step, &task, result(record, frames)).await?;
                }
            }
            Takes::Each(steps) => {
                if count != steps.len() {
                    let plural = if count == 1 { "" } else { "s" };
                    bail!(
                        "it has {count} input{plural}, not {}: of {}",
                        steps.len(),
                        steps.join(", ")
                    );
                }
                let last = self.task.index.indices().last().copied();
                if let (Some(elements), Some(index)) = (made.count, last)
                    && index >= elements
                {
                    bail!("its foreach has {elements} elements, and none of index {index}");
                }
                for (step, artifacts) in steps.iter().zip(made.inputs) {
                    let known = manifest.steps.get(step);
                    let depth = known.map_or(0, |known| known.foreach.len());
                    let mut input = result(self.record(&blobs, artifacts).await?, stack.to_vec());
                    input.count = made.count;
                    if known.is_some_and(|known| known.kind == StepKind::Switch) {
                        input.next = Some(subject.step.clone());
                    }
                    let task = self.task.index.truncated(depth).task_id();
                    self.put(flow, step, &task, input).await?;
                }
            }
        }
        Ok(())
    }

    /// Saves artifacts, and what a task says of them.
    async fn record(
        &self,
        blobs: &Blobs,
        artifacts: IndexMap<String, Pickle>,
    ) -> anyhow::Result<Record> {
        let mut record = empty(&self.store);
        for (name, pickle) in artifacts {
            let key = blobs.put_spool(&pickle.path, None).await?;
            record.objects.insert(name.clone(), key);
            let info = Info {
                size: pickle.size,
                ty: pickle.ty,
                encoding: "gzip+pickle-v4".to_owned(),
            };
            record.info.insert(name, info);
        }
        Ok(record)
    }
}

/// What the step takes; of parents between which a switch chooses, the first.
fn takes(subject: &mut Subject) -> Takes {
    let manifest = Arc::make_mut(&mut subject.manifest);
    let Some(step) = manifest.steps.get(&subject.step) else {
        return Takes::Each(Vec::new());
    };
    if subject.step == manifest.start {
        return Takes::Each(vec![PARAMETERS_STEP.to_owned()]);
    }
    let split = step.split.clone().filter(|_| step.kind == StepKind::Join);
    let split = split.and_then(|name| Some((manifest.steps.get(&name)?.clone(), name)));
    let wanted = match &split {
        Some((split, _)) if split.kind != StepKind::Foreach => split.next.len(),
        _ => 1,
    };
    let parents: Vec<String> = step.parents.iter().take(wanted).cloned().collect();
    if let Some(step) = manifest.steps.get_mut(&subject.step) {
        step.parents.clone_from(&parents);
    }
    match (split, parents.first()) {
        (Some((split, name)), Some(parent)) if split.kind == StepKind::Foreach => Takes::Elements {
            step: parent.clone(),
            frame: frame(&split, 0),
            split: name,
        },
        _ => Takes::Each(parents),
    }
}

/// The frame that a foreach opens around an element; the file may tell how many there are.
fn frame(split: &Step, index: u32) -> Frame {
    Frame {
        step: split.next.first().cloned().unwrap_or_default(),
        variable: split.variable.clone().unwrap_or_default(),
        count: index + 1,
        index,
    }
}

fn frames(manifest: &Manifest, splits: &[String], index: &IndexPath) -> Vec<Frame> {
    let splits = splits.iter().filter_map(|split| manifest.steps.get(split));
    let frames = splits.zip(index.indices());
    frames.map(|(split, index)| frame(split, *index)).collect()
}

fn in_python(frame: &Frame) -> Value {
    json!([frame.step, frame.variable, frame.count, frame.index])
}

/// What every input has: the flow, and the defaults of its parameters.
fn artifacts(manifest: &Manifest) -> Map<String, Value> {
    let mut all = Map::new();
    all.insert("name".to_owned(), manifest.flow.clone().into());
    all.insert("_graph_info".to_owned(), manifest.graph_info.clone());
    for parameter in &manifest.parameters {
        if let Some(default) = default(parameter) {
            all.insert(parameter.attribute.clone(), default);
        }
    }
    all
}

/// A parameter's default, where it needs no Python and is no text for a list.
fn default(parameter: &Parameter) -> Option<Value> {
    if parameter.computed_default || parameter.required {
        return None;
    }
    let default = parameter.default.clone().unwrap_or_default();
    match (&parameter.separator, &default) {
        (Some(separator), Value::String(text)) => {
            let parts = text.split(separator.as_str());
            Some(parts.map(Value::from).collect())
        }
        _ => Some(default),
    }
}

fn empty(store: &Store) -> Record {
    Record {
        datastore: store.kind().to_owned(),
        version: "1.0".to_owned(),
        attempt: 0,
        python_version: String::new(),
        objects: IndexMap::new(),
        info: IndexMap::new(),
        ours: None,
    }
}

fn result(record: Record, foreach: Vec<Frame>) -> Commit {
    Commit {
        protocol: PROTOCOL,
        attempt: 0,
        claim: RUN.to_owned(),
        count: None,
        next: None,
        iteration: None,
        foreach,
        known: None,
        package: None,
        triggers: Vec::new(),
        end: None,
        origin: None,
        data: record,
    }
}

async fn ask(subject: &Subject, request: &Value) -> anyhow::Result<Made> {
    let said = question::ask(&subject.python, &subject.harness, "fixture", request).await?;
    let shown = subject.python.display();
    serde_json::from_slice(&said)
        .with_context(|| format!("{shown} ended before it had read the fixture"))
}

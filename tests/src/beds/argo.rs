//! Argo on the Kubernetes bed: its own controller where `FLOWC_ARGO_BIN` names the folder of its programs, else our stand-in,
//! `tests/beds/argo/standin`.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::OnceLock;
use std::time::Duration;

use serde_json::Value;

use super::guard;
use super::kubernetes::{self, Bed};
use crate::{flowc, repo_root};

/// Kubernetes with a controller that looks after one namespace.
#[derive(Debug)]
pub struct Argo {
    /// The cluster below.
    pub bed: Bed,
    /// The namespace; it enforces the restricted profile of pod security.
    pub namespace: &'static str,
    version: Option<String>,
}

/// A node of a Workflow, without what differs from run to run: ids, times, hosts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Node {
    /// Without the Workflow's name in front.
    pub name: String,
    /// `Pod`, `DAG`, `Retry`, ….
    pub kind: String,
    /// `Succeeded`, ….
    pub phase: String,
    /// Names of the nodes below, sorted.
    pub children: Vec<String>,
}

impl Argo {
    /// Starts it; `None`, after saying why, if this machine cannot have the Kubernetes bed, or one's own cluster has no Argo.
    ///
    /// `FLOWC_ARGO_BIN` is a folder named by the version, with `workflow-controller`, `argoexec` and `crds/` in it.
    pub fn up(namespace: &'static str) -> Option<Self> {
        let bed = Bed::up()?;
        if bed.is_own() {
            let Some(version) = bed.argo().map(str::to_owned) else {
                crate::report("skipped: the description of the cluster names no version of `argo`");
                return None;
            };
            bed.verb("argo", &["", "", namespace]);
            return Some(Self {
                bed,
                namespace,
                version: Some(version),
            });
        }
        let programs = env::var_os("FLOWC_ARGO_BIN").map(PathBuf::from);
        let version = programs.as_deref().map(|folder| {
            let name = folder.file_name().expect("FLOWC_ARGO_BIN is a folder");
            name.to_string_lossy().into_owned()
        });
        if let Some(programs) = programs {
            let (programs, crds) = (text(&programs), text(&programs.join("crds")));
            bed.verb("argo", &[&programs, &crds, namespace]);
        } else {
            let crds = text(&repo_root().join("tests/beds/argo/crds.yaml"));
            bed.verb("standin", &[&crds, namespace]);
        }
        Some(Self {
            bed,
            namespace,
            version,
        })
    }

    /// The same one for all tests of a binary that ask; it ends with the binary.
    pub fn shared() -> Option<&'static Self> {
        static SHARED: OnceLock<Option<Argo>> = OnceLock::new();
        let start = || Self::up("argo").inspect(|argo| end_with_this_process(&argo.bed));
        SHARED.get_or_init(start).as_ref()
    }

    /// The version of Argo's controller; `None` for the stand-in.
    pub fn version(&self) -> Option<&str> {
        self.version.as_deref()
    }

    /// `flowc` with these arguments, in the cluster's network.
    pub fn flowc(&self, arguments: &[&str]) -> Command {
        let mut command = self.bed.command(flowc());
        command.args(arguments);
        command
    }

    /// The Workflow of a run, as `flowc trigger` printed it: `HelloFlow/argo-helloflow-x7k2p`.
    #[track_caller]
    pub fn workflow(&self, run: &str) -> Value {
        let name = workflow_name(run);
        self.bed
            .get(&["--namespace", self.namespace, "workflow", name])
    }

    /// Looks at the Workflow of a run whenever it changes, until it is as wanted; `None` if it never is in that time.
    pub fn watch(
        &self,
        run: &str,
        patience: Duration,
        wanted: impl Fn(&Value) -> bool,
    ) -> Option<Value> {
        let object = ["workflow", workflow_name(run)];
        self.bed.watch(self.namespace, &object, patience, wanted)
    }

    /// Makes the schedule of that name start a run: the stand-in is asked to; Argo's own does it at the next full minute that
    /// the schedule names.
    pub fn tick(&self, schedule: &str) {
        if self.version.is_none() {
            let arguments = ["annotate", "--overwrite", "--namespace", self.namespace];
            let what = ["cronworkflow", schedule, "flowc-bed/tick=now"];
            self.bed.kubectl(&[&arguments[..], &what[..]].concat());
        }
    }
}

fn workflow_name(run: &str) -> &str {
    run.rsplit_once("argo-").map_or(run, |(_, name)| name)
}

/// The nodes of a Workflow, sorted by name.
#[track_caller]
pub fn tree(workflow: &Value) -> Vec<Node> {
    let nodes = workflow["status"]["nodes"].as_object();
    let nodes = nodes.expect("the Workflow has nodes");
    let root = workflow["metadata"]["name"].as_str().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let short = |node: &Value| {
        let name = text(&node["name"]);
        name.strip_prefix(root).unwrap_or(&name).to_owned()
    };
    let mut tree: Vec<Node> = nodes
        .values()
        .map(|node| {
            let children = node["children"].as_array().into_iter().flatten();
            let mut children: Vec<String> = children
                .filter_map(|child| nodes.get(child.as_str()?))
                .map(short)
                .collect();
            children.sort();
            Node {
                name: short(node),
                kind: text(&node["type"]),
                phase: text(&node["phase"]),
                children,
            }
        })
        .collect();
    tree.sort();
    tree
}

fn end_with_this_process(bed: &Bed) {
    static GUARD: OnceLock<Child> = OnceLock::new();
    if !bed.is_lent() {
        GUARD.get_or_init(|| guard(&[(kubernetes::script(), bed.folder())]));
    }
}

fn text(path: &Path) -> String {
    fs::canonicalize(path)
        .unwrap_or_else(|why| panic!("{}: {why}", path.display()))
        .to_string_lossy()
        .into_owned()
}

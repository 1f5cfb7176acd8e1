//! What needs no cluster: reading our YAML back, and what nodes tell.

use flowc_target::Target;
use flowc_target::testing::{HOSTILE, emit, options, plan, source};
use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};

use super::bundle::{documents, manifests};
use super::kind::Kind;
use super::troubles::troubles;
use crate::Argo;
use crate::emit;

const SCHEDULED: &str = "@schedule(daily=True)
class F(FlowSpec):
    name = Parameter('name', default='x')
    @step
    def start(self):
        self.next(self.end)
    @step
    def end(self):
        pass
";

#[test]
fn what_is_sent_is_what_was_printed() {
    let mut texts: Vec<String> = HOSTILE.iter().map(|text| (*text).to_owned()).collect();
    texts.extend(["y", "no", "012", "1e3", "~", "12:30", "0x1", "null", ".inf"].map(str::to_owned));
    for text in texts.iter().filter(|text| !text.contains('\0')) {
        let literal = serde_json::to_string(text).unwrap();
        let source_text = SCHEDULED.replace("'x'", &literal.replace("\\/", "/"));
        let plan = plan(&source(&source_text));
        let (printed, found) = emit::documents(&plan, &options());
        assert!(!found.has_errors(), "{text:?}: {found:?}");
        let files = emit(&Argo, &plan, &options());
        for ((path, objects), file) in printed.iter().zip(&files) {
            assert_eq!(*path, file.path);
            assert_eq!(documents(&file.text).unwrap(), *objects, "{text:?}");
        }
    }
}

#[test]
fn objects_are_applied_in_an_order_that_may_be_interrupted() {
    let plan = plan(&source(&format!(
        "@trigger_on_finish(flow='Other')\n{SCHEDULED}"
    )));
    let files = emit(&Argo, &plan, &options());
    let mut order: Vec<_> = manifests(&files)
        .unwrap()
        .iter()
        .map(|manifest| manifest.kind)
        .collect();
    // There are two accounts with what belongs to them.
    order.dedup();
    assert_eq!(order, Kind::ALL);
}

#[test]
fn an_object_of_another_kind_is_refused() {
    let file = flowc_target::BundleFile {
        path: "x.yaml".to_owned(),
        text: "apiVersion: v1\nkind: Secret\nmetadata: {name: x, namespace: y}\n".to_owned(),
    };
    let error = manifests(&[file]).unwrap_err();
    assert_eq!(error.to_string(), "x.yaml is refused");
    assert_eq!(Argo.name(), "argo");
}

fn node(name: &str, kind: &str, phase: &str, message: &str, children: &[&str]) -> (String, Value) {
    let node = json!({
        "id": name, "type": kind, "phase": phase, "message": message, "children": children,
        "templateName": "fit-model", "startedAt": name,
        "inputs": {"parameters": [{"name": "p", "value": "3-1"}]},
    });
    (name.to_owned(), node)
}

fn of_nodes(nodes: impl IntoIterator<Item = (String, Value)>, pods: &[Pod]) -> Vec<(String, bool)> {
    let nodes: serde_json::Map<_, _> = nodes.into_iter().collect();
    let workflow = json!({"status": {
        "nodes": nodes,
        "storedWorkflowTemplateSpec": {"templates": [
            {"name": "Flow"}, {"name": "fit-model", "container": {"args": ["fit_model"]}}
        ]},
    }});
    let found = troubles(&workflow, pods);
    for trouble in &found {
        assert_eq!(trouble.step, "fit_model");
        assert_eq!(trouble.index.as_ref().unwrap().to_string(), "3-1");
    }
    found
        .into_iter()
        .map(|trouble| (trouble.cause, trouble.is_final))
        .collect()
}

#[test]
fn troubles_are_told_with_what_followed() {
    let found = of_nodes(
        [
            node("r", "Retry", "Failed", "No more retries left", &["a", "b"]),
            node("a", "Pod", "Error", "pod deleted", &[]),
            node("b", "Pod", "Failed", "main: OOMKilled (exit code 137)", &[]),
            node("r2", "Retry", "Succeeded", "", &["c", "d"]),
            node(
                "c",
                "Pod",
                "Failed",
                "Pod was active on the node longer than the specified deadline",
                &[],
            ),
            node("d", "Pod", "Succeeded", "", &[]),
        ],
        &[],
    );
    assert_eq!(
        found,
        [
            ("its pod was deleted".to_owned(), false),
            ("out of memory".to_owned(), true),
            ("its pod ran longer than its deadline".to_owned(), false),
        ]
    );
}

#[test]
fn failures_of_user_code_are_left_to_the_store() {
    let mut user = node("a", "Pod", "Failed", "main: Error (exit code 1)", &[]);
    user.1["outputs"] = json!({"exitCode": "1"});
    let mut broken = node(
        "b",
        "Pod",
        "Failed",
        "main: Error (exit code 21): x is corrupt",
        &[],
    );
    broken.1["outputs"] = json!({"exitCode": "21"});
    assert_eq!(
        of_nodes([user, broken], &[]),
        [("main: Error (exit code 21): x is corrupt".to_owned(), true)]
    );
}

#[test]
fn a_pod_that_cannot_start_is_told() {
    let waiting = node("a", "Pod", "Pending", "PodInitializing", &[]);
    assert_eq!(of_nodes([waiting.clone()], &[]), []);
    let pod: Pod = serde_json::from_value(json!({
        "metadata": {"annotations": {"workflows.argoproj.io/node-id": "a"}},
        "status": {"initContainerStatuses": [{
            "name": "flowc-shim", "image": "shim:1", "imageID": "", "ready": false, "restartCount": 0,
            "state": {"waiting": {"reason": "ImagePullBackOff", "message": "x"}},
        }]},
    }))
    .unwrap();
    assert_eq!(
        of_nodes([waiting], &[pod]),
        [(
            "the image \"shim:1\" cannot be pulled (ImagePullBackOff)".to_owned(),
            false
        )]
    );
    let full = node(
        "a",
        "Pod",
        "Pending",
        "Unschedulable: 0/1 nodes are available",
        &[],
    );
    assert_eq!(
        of_nodes([full], &[])[0].0,
        "no node can take its pod: 0/1 nodes are available"
    );
}

//! `rbac.yaml`: a service account for the flow's pods that may do what Argo's executor needs and nothing else, and one for the
//! pods by which Argo Events starts the flow.

use serde_json::{Value, json};

use crate::emit::value;
use crate::manifest::{Metadata, Object};

/// Argo's `wait` container reports outputs this way (docs/workflow-rbac.md).
pub(crate) fn executor() -> Value {
    json!([{
        "apiGroups": ["argoproj.io"],
        "resources": ["workflowtaskresults"],
        "verbs": ["create", "patch"],
    }])
}

/// A Sensor creates Workflows; an `EventSource` that waits for runs looks at them.
pub(crate) fn events(watches: bool) -> Value {
    let verbs = if watches {
        json!(["create", "list", "watch"])
    } else {
        json!(["create"])
    };
    json!([{"apiGroups": ["argoproj.io"], "resources": ["workflows"], "verbs": verbs}])
}

/// The account, its role, and what binds them.
pub(crate) fn objects(name: &str, metadata: &Metadata, rules: &Value) -> [Value; 3] {
    let metadata = || Metadata {
        name: Some(name.to_owned()),
        ..metadata.clone()
    };
    let object = |api_version, kind, content: Value| {
        value(&Object {
            api_version,
            kind,
            metadata: metadata(),
            content,
        })
    };
    let namespace = metadata().namespace;
    [
        object("v1", "ServiceAccount", json!({})),
        object(
            "rbac.authorization.k8s.io/v1",
            "Role",
            json!({"rules": rules}),
        ),
        object(
            "rbac.authorization.k8s.io/v1",
            "RoleBinding",
            json!({
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
                "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": namespace}],
            }),
        ),
    ]
}

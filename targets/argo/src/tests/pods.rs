//! What becomes of `@kubernetes`.

use flowc_core::diag::Code;
use flowc_target::testing::options;
use serde_json::{Value, json};

use super::{codes, one_step, spec, template};

/// The start step's template.
fn start(attributes: &str) -> Value {
    let plan = one_step(&format!("@kubernetes({attributes})"));
    template(&spec(&plan, &options()), "start").clone()
}

#[test]
fn attributes_are_mapped() {
    let start = start(
        "image='a:1', image_pull_policy='always', service_account='me', secrets=['s'], node_selector='a=b,c=d', compute_pool='gpus', tolerations=[{'key': 'k', 'operator': 'Exists', 'effect': 'NoExecute', 'toleration_seconds': 60}], labels={'l': 'v'}, annotations={'n': 'any text'}, gpu=2, gpu_vendor='AMD', qos='guaranteed', disk=100, shared_memory=64, port='8080', extended_resources={'example.com/fpga': '3'}, executable='/opt/py'",
    );
    let container = &start["container"];
    assert_eq!(container["image"], "a:1");
    assert_eq!(container["imagePullPolicy"], "Always");
    assert_eq!(start["serviceAccountName"], "me");
    assert_eq!(container["envFrom"], json!([{"secretRef": {"name": "s"}}]));
    assert_eq!(
        start["nodeSelector"],
        json!({"a": "b", "c": "d", "outerbounds.co/compute-pool": "gpus"})
    );
    assert_eq!(
        start["tolerations"],
        json!([{"key": "k", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 60}])
    );
    assert_eq!(
        start["metadata"],
        json!({"labels": {"l": "v"}, "annotations": {"n": "any text"}})
    );
    let all = json!({
        "cpu": "1", "memory": "4096Mi", "ephemeral-storage": "100Mi", "amd.com/gpu": "2", "example.com/fpga": "3",
    });
    assert_eq!(
        container["resources"],
        json!({"requests": all, "limits": all})
    );
    assert_eq!(start["volumes"][0]["emptyDir"]["sizeLimit"], "64Mi");
    assert_eq!(container["ports"], json!([{"containerPort": 8080}]));
    assert_eq!(
        container["env"],
        json!([{"name": "FLOWC_PYTHON", "value": "/opt/py"}])
    );
}

#[test]
fn volumes_are_mounted() {
    let half = start("memory=1000, use_tmpfs=True");
    assert_eq!(
        half["volumes"],
        json!([{"name": "tmpfs", "emptyDir": {"medium": "Memory", "sizeLimit": "500Mi"}}])
    );
    let container = &half["container"];
    assert_eq!(
        container["volumeMounts"],
        json!([{"name": "tmpfs", "mountPath": "/metaflow_temp"}])
    );
    assert_eq!(
        container["env"],
        json!([{"name": "METAFLOW_TEMPDIR", "value": "/metaflow_temp"}])
    );

    // A size is enough to have one.
    let own = start(
        "tmpfs_size=64, tmpfs_path='/scratch', tmpfs_tempdir=False, persistent_volume_claims={'one': '/one', 'two': '/two'}",
    );
    assert_eq!(
        own["volumes"],
        json!([
            {"name": "tmpfs", "emptyDir": {"medium": "Memory", "sizeLimit": "64Mi"}},
            {"name": "claim-0", "persistentVolumeClaim": {"claimName": "one"}},
            {"name": "claim-1", "persistentVolumeClaim": {"claimName": "two"}},
        ])
    );
    assert_eq!(
        own["container"]["volumeMounts"],
        json!([
            {"name": "tmpfs", "mountPath": "/scratch"},
            {"name": "claim-0", "mountPath": "/one"},
            {"name": "claim-1", "mountPath": "/two"},
        ])
    );
    assert!(own["container"].get("env").is_none(), "{own}");

    let none = start("tmpfs_path='/scratch', use_tmpfs=False");
    assert!(none.get("volumes").is_none(), "{none}");
}

#[test]
fn a_security_context_is_what_differs_from_the_defaults() {
    let asked = start(
        "security_context={'run_as_user': 7, 'run_as_group': 8, 'run_as_non_root': True, 'privileged': None}",
    );
    assert_eq!(
        asked["container"]["securityContext"],
        json!({"runAsUser": 7, "runAsGroup": 8, "runAsNonRoot": true})
    );
    // The defaults forbid it, and Kubernetes refuses a privileged container that is forbidden it.
    let privileged = start("security_context={'privileged': True}");
    assert_eq!(
        privileged["container"]["securityContext"],
        json!({"privileged": true, "allowPrivilegeEscalation": true})
    );
    let mut options = options();
    options.profile.run_as_user = Some(1000);
    let plan = one_step("@kubernetes(security_context={'run_as_user': 0})");
    assert_eq!(
        template(&spec(&plan, &options), "start")["container"]["securityContext"],
        json!({"runAsUser": 0, "runAsNonRoot": false})
    );
}

#[test]
fn secrets_for_pulling_are_the_runs() {
    let mut options = options();
    options.profile.argo.image_pull_secrets = vec!["shared".into()];
    let plan = one_step("@kubernetes(image_pull_secrets=['own', 'shared'])");
    assert_eq!(
        spec(&plan, &options)["imagePullSecrets"],
        json!([{"name": "shared"}, {"name": "own"}])
    );
}

#[test]
fn a_namespace_is_that_of_the_run() {
    let mut options = options();
    options.profile.argo.namespace = "ml".into();
    let plan = one_step("@kubernetes(namespace='ml')");
    assert!(spec(&plan, &options).is_object());
    assert_eq!(
        codes(&one_step("@kubernetes(namespace='other')"), &options),
        [Code::FC0302]
    );
}

#[test]
fn what_has_no_meaning_is_refused() {
    let attribute = "hostname_resolution_timeout=60";
    assert_eq!(
        codes(&one_step(&format!("@kubernetes({attribute})")), &options()),
        [Code::FC0302]
    );
}

#[test]
fn what_kubernetes_would_refuse_is_refused() {
    for attribute in [
        "image='a b'",
        "image_pull_secrets=['A']",
        "service_account='A'",
        "secrets='{{x}}'",
        "node_selector='ssd'",
        "node_selector='a=b c'",
        "compute_pool='a b'",
        "labels={'a': '{{x}}'}",
        "annotations={'a': '{{x}}'}",
        "annotations={'a b': 'x'}",
        "executable='{{x}}'",
        "tolerations=[{'key': '{{x}}'}]",
        "tolerations=[{'what': 'x'}]",
        "tolerations=[{'operator': 'Equal', 'value': 'x'}]",
        "tolerations=[{'key': 'x', 'operator': 'Exists', 'value': 'x'}]",
        "tolerations=[{'key': 'x', 'effect': 'Never'}]",
        "tolerations=[{'key': 'x', 'effect': 'NoSchedule', 'toleration_seconds': 3}]",
        "extended_resources={'fpga': 1}",
        "extended_resources={'example.com/fpga': 0.5}",
        "extended_resources={'example.com/fpga': -1}",
        "extended_resources={'kubernetes.io/fpga': 1}",
        "use_tmpfs=True, tmpfs_path='/'",
        "use_tmpfs=True, tmpfs_path='/flowc/x'",
        "use_tmpfs=True, tmpfs_path='/a/../b'",
        "use_tmpfs=True, tmpfs_path='/{{x}}'",
        "shared_memory=1, use_tmpfs=True, tmpfs_path='/dev/shm/'",
        "persistent_volume_claims={'A': '/a'}",
        "persistent_volume_claims={'a': 'a'}",
        "persistent_volume_claims={'a': '/a:b'}",
        "persistent_volume_claims={'a': '/x', 'b': '/x/'}",
        "security_context={'run_as_user': '{{x}}'}",
        "security_context={'run_as_user': -1}",
        "security_context={'runAsUser': 1}",
        "security_context={'privileged': 'yes'}",
        "security_context={'privileged': True, 'allow_privilege_escalation': False}",
        "security_context={'run_as_user': 0, 'run_as_non_root': True}",
    ] {
        assert_eq!(
            codes(&one_step(&format!("@kubernetes({attribute})")), &options()),
            [Code::FC0308],
            "{attribute}"
        );
    }
}

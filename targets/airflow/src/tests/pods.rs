//! What becomes of `@kubernetes`.

use flowc_core::diag::Code;
use flowc_core::ir::flow::Literal;
use flowc_target::Target;
use flowc_target::testing::{HOSTILE, options, plan};

use super::{body, emit, emit_with, flow};
use crate::Airflow;
use crate::pyrepr::quoted;

fn decorated(attributes: &str) -> String {
    flow(&format!("@kubernetes({attributes})\n start: end\n end:"))
}

#[track_caller]
fn check(attributes: &str, expect: &str) {
    let text = emit(&decorated(attributes));
    let (start, _) = body(&text).split_once("    end = ").unwrap();
    assert_eq!(start, expect, "\n{start}");
}

#[test]
fn names_and_texts_are_mapped() {
    check(
        "image='a:1', namespace='other', service_account='me', image_pull_policy='always', image_pull_secrets='p', secrets=['s', 't'], port='8080', node_selector='a=b,c=d', compute_pool='gpus', labels={'l': 'v'}, annotations={'n': 'any text'}",
        r#"    start = Step(
        task_id="start",
        image="a:1",
        namespace="other",
        service_account_name="me",
        image_pull_policy="Always",
        image_pull_secrets=[k8s.V1LocalObjectReference(name="p")],
        env_from=[
            k8s.V1EnvFromSource(secret_ref=k8s.V1SecretEnvSource(name="s")),
            k8s.V1EnvFromSource(secret_ref=k8s.V1SecretEnvSource(name="t")),
        ],
        ports=[k8s.V1ContainerPort(container_port=8080)],
        node_selector={"a": "b", "c": "d", "outerbounds.co/compute-pool": "gpus"},
        labels={"l": "v"},
        annotations={"n": "any text"},
    )
"#,
    );
}

#[test]
fn amounts_are_mapped() {
    check(
        "gpu=2, gpu_vendor='AMD', qos='guaranteed', disk=100, extended_resources={'example.com/fpga': '3'}",
        r#"    start = Step(
        task_id="start",
        requests={"ephemeral-storage": "100Mi"},
        limits={
            "cpu": "1",
            "memory": "4096Mi",
            "ephemeral-storage": "100Mi",
            "amd.com/gpu": "2",
            "example.com/fpga": "3",
        },
    )
"#,
    );
    check("qos='Burstable'", "    start = Step(task_id=\"start\")\n");
}

#[test]
fn tolerations_are_mapped() {
    check(
        "tolerations=[{'key': 'k', 'operator': 'Exists', 'effect': 'NoExecute', 'toleration_seconds': 60}, {'key': 'x', 'value': 'y'}]",
        r#"    start = Step(
        task_id="start",
        tolerations=[
            k8s.V1Toleration(key="k", operator="Exists", effect="NoExecute", toleration_seconds=60),
            k8s.V1Toleration(key="x", value="y"),
        ],
    )
"#,
    );
}

#[test]
fn volumes_are_mounted() {
    check(
        "memory=1000, use_tmpfs=True",
        r#"    start = Step(
        task_id="start",
        requests={"memory": "1000Mi"},
        volumes=[
            k8s.V1Volume(
                name="tmpfs",
                empty_dir=k8s.V1EmptyDirVolumeSource(medium="Memory", size_limit="500Mi"),
            ),
        ],
        volume_mounts=[k8s.V1VolumeMount(name="tmpfs", mount_path="/metaflow_temp")],
        env={"METAFLOW_TEMPDIR": "/metaflow_temp"},
    )
"#,
    );
    // A size is enough to have one.
    check(
        "shared_memory=9, tmpfs_size=64, tmpfs_path='/scratch', tmpfs_tempdir=False, persistent_volume_claims={'one': '/one'}",
        r#"    start = Step(
        task_id="start",
        volumes=[
            k8s.V1Volume(
                name="shm",
                empty_dir=k8s.V1EmptyDirVolumeSource(medium="Memory", size_limit="9Mi"),
            ),
            k8s.V1Volume(
                name="tmpfs",
                empty_dir=k8s.V1EmptyDirVolumeSource(medium="Memory", size_limit="64Mi"),
            ),
            k8s.V1Volume(
                name="claim-0",
                persistent_volume_claim=k8s.V1PersistentVolumeClaimVolumeSource(claim_name="one"),
            ),
        ],
        volume_mounts=[
            k8s.V1VolumeMount(name="shm", mount_path="/dev/shm"),
            k8s.V1VolumeMount(name="tmpfs", mount_path="/scratch"),
            k8s.V1VolumeMount(name="claim-0", mount_path="/one"),
        ],
    )
"#,
    );
    check(
        "tmpfs_path='/scratch', use_tmpfs=False",
        "    start = Step(task_id=\"start\")\n",
    );
}

#[test]
fn a_security_context_is_laid_over_that_of_all() {
    check(
        "security_context={'run_as_user': 7, 'run_as_group': 8, 'run_as_non_root': True, 'privileged': None}",
        r#"    start = Step(
        task_id="start",
        container_security_context=k8s.V1SecurityContext(
            allow_privilege_escalation=False,
            capabilities=SECURITY.capabilities,
            seccomp_profile=SECURITY.seccomp_profile,
            run_as_non_root=True,
            run_as_user=7,
            run_as_group=8,
        ),
    )
"#,
    );
    // Kubernetes refuses a privileged container that is forbidden to gain rights.
    let privileged = emit(&decorated("security_context={'privileged': True}"));
    let privileged = body(&privileged);
    assert!(privileged.contains("allow_privilege_escalation=True"));
    assert!(privileged.contains(" privileged=True"));

    let mut options = options();
    options.profile.run_as_user = Some(1000);
    let root = decorated("security_context={'run_as_user': 0}");
    let root = emit_with(&root, &options).0.unwrap();
    assert!(body(&root).contains("run_as_non_root=False,\n            run_as_user=0,"));
    let other = decorated("security_context={'run_as_group': 5}");
    let other = emit_with(&other, &options).0.unwrap();
    let expect =
        "run_as_non_root=True,\n            run_as_user=1000,\n            run_as_group=5,";
    assert!(body(&other).contains(expect), "{other}");
}

#[test]
fn the_profile_adds_to_what_steps_ask() {
    let mut options = options();
    options.profile.airflow.image_pull_secrets = vec!["shared".into()];
    options.profile.labels.insert("team".into(), "ml".into());
    options.profile.labels.insert("l".into(), "w".into());
    let source = decorated("image_pull_secrets=['own', 'shared'], labels={'l': 'v'}");
    let text = emit_with(&source, &options).0.unwrap();
    let text = body(&text);
    assert!(text.contains("labels={\"team\": \"ml\", \"l\": \"v\"}"));
    assert_eq!(text.matches("V1LocalObjectReference").count(), 2, "{text}");
}

/// The class has no lines for what no step asks.
#[test]
fn files_are_as_small_as_what_is_asked() {
    let plain = emit(&decorated("image='a'"));
    assert!(plain.contains("container_security_context=SECURITY,"));
    assert!(plain.contains("init_containers=[SHIM],"));
    assert!(!plain.contains("self.env = "), "{plain}");
    let full = emit(&decorated(
        "executable='/opt/py', security_context={'privileged': True}, qos='Guaranteed'",
    ));
    // The class of a pod is that of all its containers.
    assert!(full.contains("init_containers=[shim],"));
    assert!(full.contains("shim.resources = k8s.V1ResourceRequirements("));
    assert!(full.contains("kwargs.setdefault(\"container_security_context\", SECURITY)"));
    assert!(!full.contains("container_security_context=SECURITY,"));
    assert!(full.contains("                **ENV,\n                **self.env,\n"));
    assert!(body(&full).contains("env={\"FLOWC_PYTHON\": \"/opt/py\"}"));
}

#[test]
fn what_a_user_writes_is_data() {
    let source = decorated("annotations={'a': 'X'}, executable='X'");
    for text in HOSTILE {
        let mut hostile = plan(&source);
        let start = hostile.start;
        let written = hostile.steps[start].kubernetes.as_mut().unwrap();
        let value = Literal::Str((*text).to_owned());
        written.values["annotations"].0 = Literal::Dict([("a".to_owned(), value.clone())].into());
        written.values["executable"].0 = value;
        let (files, found) = Airflow.emit(&hostile, &options());
        let Some(files) = files else {
            assert!(text.contains('\0'), "{text:?}: {found:?}");
            assert!(found.iter().all(|item| item.code == Code::FC0308));
            continue;
        };
        let file = &files[0].text;
        ruff_python_parser::parse_module(file).unwrap();
        let literal = quoted(text);
        for expect in [
            format!("env={{\"FLOWC_PYTHON\": {literal}}}"),
            format!("annotations={{\"a\": {literal}}}"),
        ] {
            assert!(file.contains(&expect), "{text:?}\n{file}");
        }
    }
}

#[test]
fn what_kubernetes_or_airflow_would_refuse_is_refused() {
    for attribute in [
        "image='a b'",
        "namespace='a.b'",
        "image_pull_secrets=['A']",
        "service_account='A'",
        "secrets='{{x}}'",
        "node_selector='ssd'",
        "node_selector='a=b c'",
        "compute_pool='a b'",
        "labels={'a': '{{x}}'}",
        "labels={'run_id': 'x'}",
        "labels={'airflow-worker': 'x'}",
        "annotations={'a b': 'x'}",
        "annotations={'a': '\\x00'}",
        "executable='a\\x00'",
        "tolerations=[{'key': '{{x}}'}]",
        "tolerations=[{'chiave': 'x'}]",
        "extended_resources={'fpga': 1}",
        "use_tmpfs=True, tmpfs_path='/flowc/x'",
        "use_tmpfs=True, tmpfs_path='/$(HOME)'",
        "shared_memory=1, use_tmpfs=True, tmpfs_path='/dev/shm/'",
        "persistent_volume_claims={'A': '/a'}",
        "persistent_volume_claims={'a': 'a'}",
        "persistent_volume_claims={'a': '/x', 'b': '/x/'}",
        "security_context={'run_as_user': '{{x}}'}",
        "security_context={'runAsUser': 1}",
        "security_context={'privileged': True, 'allow_privilege_escalation': False}",
    ] {
        let (text, found) = emit_with(&decorated(attribute), &options());
        let codes: Vec<_> = found.iter().map(|item| item.code).collect();
        assert_eq!((text, codes), (None, vec![Code::FC0308]), "{attribute}");
    }
}

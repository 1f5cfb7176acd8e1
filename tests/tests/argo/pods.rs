//! What `@kubernetes` asks of a pod is what the step has.

use std::fs;

use flowc_tests::trials;
use flowc_tests::trials::Test;

use super::world::World;

pub(crate) const TESTS: &[Test] = trials![a_step_has_what_it_asked_for];

const FLOW: &str = "class PodsFlow(FlowSpec):
    @kubernetes(
        cpu=0.5, memory=200, use_tmpfs=True, tmpfs_size=16, tmpfs_path='/scratch', shared_memory=8,
        persistent_volume_claims={'pods-flow': '/kept'}, port=8080, compute_pool='pods-flow',
        extended_resources={'flowc.dev/thing': 2}, executable='PYTHON', image_pull_secrets=['no-such-secret'],
        labels={'asked': 'for'}, annotations={'asked': 'for $(HOME) too'},
        tolerations=[{'key': 'flowc.dev/taint', 'operator': 'Exists', 'effect': 'NoExecute', 'toleration_seconds': 60}],
        security_context={'run_as_user': 1234, 'run_as_group': 1235, 'run_as_non_root': True},
    )
    @step
    def start(self):
        assert (os.getuid(), os.getgid()) == (1234, 1235), (os.getuid(), os.getgid())
        assert sys.executable == 'PYTHON', sys.executable
        size = lambda folder: os.statvfs(folder).f_blocks * os.statvfs(folder).f_frsize
        assert (size('/scratch'), size('/dev/shm')) == (2 ** 24, 2 ** 23), (size('/scratch'), size('/dev/shm'))
        assert current.tempdir == '/scratch', current.tempdir
        with open('/scratch/x', 'w') as file:
            file.write('x')
        self.kept = os.listdir('/kept')
        self.next(self.end)

    @step
    def end(self):
        assert self.kept == ['here'], self.kept
        assert not os.path.exists('/kept') and current.tempdir == '.'";

/// What the platform has: a volume with a file in it, a node with a label and a resource of its own.
const VOLUME: &str = "
apiVersion: v1
kind: PersistentVolume
metadata: {name: pods-flow}
spec:
  capacity: {storage: 1Mi}
  accessModes: [ReadWriteMany]
  persistentVolumeReclaimPolicy: Retain
  storageClassName: ''
  claimRef: {namespace: NAMESPACE, name: pods-flow}
  hostPath: {path: FOLDER}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: pods-flow}
spec:
  accessModes: [ReadWriteMany]
  storageClassName: ''
  volumeName: pods-flow
  resources: {requests: {storage: 1Mi}}
";

fn a_step_has_what_it_asked_for() {
    // Another path of the image's Python than the one that is found by itself.
    let Some(world) = World::new(&FLOW.replace("PYTHON", "/usr/bin/python3.11")) else {
        return;
    };
    if !world.may_be_harmed() {
        return;
    }
    let folder = world.path().join("kept");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("here"), "").unwrap();
    let volume = VOLUME.replace("NAMESPACE", world.argo.namespace);
    world.write(
        "volume.yaml",
        &volume.replace("FOLDER", folder.to_str().unwrap()),
    );
    let file = world.path().join("volume.yaml");
    world.kubectl(&["apply", "-f", file.to_str().unwrap()]);
    let nodes = world.argo.bed.get(&["nodes"]);
    let node = nodes["items"][0]["metadata"]["name"].as_str().unwrap();
    world.kubectl(&[
        "label",
        "node",
        node,
        "outerbounds.co/compute-pool=pods-flow",
    ]);
    let thing = r#"[{"op": "add", "path": "/status/capacity/flowc.dev~1thing", "value": "2"}]"#;
    let mut patch = vec!["patch", "node", node, "--subresource", "status"];
    patch.extend(["--type", "json", "--patch", thing]);
    world.kubectl(&patch);

    let ended = world.run(&[]).succeeded();
    assert_eq!(ended.attempts()["end/t"].commits, 1);
    let name = ended.run.rsplit_once("argo-").unwrap().1;
    let selector = format!("workflows.argoproj.io/workflow={name},asked=for");
    let pods = ["--namespace", world.argo.namespace, "pods", "--selector"];
    let pods = world.argo.bed.get(&[&pods[..], &[&selector]].concat());
    let [pod] = pods["items"].as_array().unwrap().as_slice() else {
        panic!("{pods:#}");
    };
    assert_eq!(pod["metadata"]["annotations"]["asked"], "for $(HOME) too");
    let spec = &pod["spec"];
    assert_eq!(spec["imagePullSecrets"][0]["name"], "no-such-secret");
    let containers = spec["containers"].as_array().unwrap();
    let main = containers.iter().find(|it| it["name"] == "main").unwrap();
    assert_eq!(main["ports"][0]["containerPort"], 8080);
    assert_eq!(main["resources"]["limits"]["flowc.dev/thing"], "2");
    let tolerations = spec["tolerations"].as_array().unwrap();
    assert!(
        tolerations
            .iter()
            .any(|it| it["key"] == "flowc.dev/taint" && it["tolerationSeconds"] == 60),
        "{tolerations:?}"
    );
}

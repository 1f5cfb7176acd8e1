//! What is asked of Batch's jobs.

use flowc_core::diag::Code;
use flowc_target::testing::{NESTED, emit, options, plan, source};
use serde_json::{Value, json};

use super::{bundle, codes, json_of, machine};
use crate::StepFunctions;

#[test]
fn steps_of_one_shape_share_a_job_definition() {
    let files = bundle(NESTED);
    let definitions = json_of(&files, "job-definitions.json");
    let definitions = definitions.as_array().unwrap();
    assert_eq!(definitions.len(), 2, "the timed step is of another shape");
    let (usual, timed) = (&definitions[0], &definitions[1]);
    assert_eq!(
        usual["containerProperties"]["command"],
        json!(["/flowc-shim", "step", "Ref::step"])
    );
    assert_eq!(usual["timeout"], Value::Null);
    assert_eq!(timed["timeout"], json!({"attemptDurationSeconds": 65}));
    let wants = &timed["containerProperties"]["resourceRequirements"];
    assert_eq!(
        wants,
        &json!([{"type": "VCPU", "value": "2"}, {"type": "MEMORY", "value": "100"}])
    );
    assert!(
        usual["retryStrategy"]["evaluateOnExit"]
            .as_array()
            .unwrap()
            .len()
            <= 5
    );
    let name = usual["jobDefinitionName"].as_str().unwrap();
    assert!(
        name.starts_with("flowc-F-") && name.len() == "flowc-F-".len() + 12,
        "{name}"
    );
    let machine = machine(&files);
    assert_eq!(
        machine["States"]["start"]["Parameters"]["JobDefinition"],
        name
    );
}

#[test]
fn what_batch_cannot_do_is_refused() {
    let flow = |decorator: &str| {
        plan(&source(&format!(
            "class F(FlowSpec):\n    {decorator}\n    @step\n    def start(self):\n        self.next(self.end)\n    @step\n    def end(self):\n        pass\n"
        )))
    };
    assert_eq!(
        codes(&flow("@kubernetes(image='x')"), &options()),
        [Code::FC0302]
    );
    assert_eq!(codes(&flow("@kubernetes"), &options()), [Code::FC0302]);
    assert_eq!(
        codes(&flow("@batch(ephemeral_storage=30)"), &options()),
        [Code::FC0302]
    );
    assert_eq!(
        codes(&flow("@resources(disk=100)"), &options()),
        [Code::FC0302]
    );
    assert_eq!(
        codes(&flow("@batch(image='a b')"), &options()),
        [Code::FC0308]
    );
    assert_eq!(
        codes(&flow("@batch(iam_role='{{x}}')"), &options()),
        [Code::FC0308]
    );
    for wrong in [
        "efs_volumes=['x']",
        "host_volumes='data'",
        "host_volumes=['/a:/x', '/b:/x/']",
        "host_volumes='/metaflow_temp', use_tmpfs=True",
        "use_tmpfs=True, tmpfs_path='/flowc-shim'",
        "inferentia=1, trainium=1",
        "efa=1000",
        "aws_batch_tags={'aws:x': 'y'}",
        "log_driver='nowhere'",
        "log_options=['awslogs-group']",
    ] {
        let found = codes(&flow(&format!("@batch({wrong})")), &options());
        assert_eq!(found, [Code::FC0308], "{wrong}");
    }
    let mut elsewhere = options();
    elsewhere.profile.store = "gs://bucket".into();
    assert_eq!(codes(&flow(""), &elsewhere), [Code::FC0304]);
    let files = emit(
        &StepFunctions,
        &flow("@batch(image='a:1', queue='q', max_swap=10, shared_memory=5, gpu=1)"),
        &options(),
    );
    let container = &json_of(&files, "job-definitions.json")[0]["containerProperties"];
    assert_eq!(container["image"], "a:1");
    assert_eq!(
        container["linuxParameters"],
        json!({"sharedMemorySize": 5, "maxSwap": 10})
    );
    assert_eq!(
        machine(&files)["States"]["start"]["Parameters"]["JobQueue"],
        "q"
    );
    assert!(
        json_of(&files, "iam.json")
            .to_string()
            .contains("job-queue/q")
    );
}

#[test]
fn everything_that_a_job_is_asked_for() {
    let text = "class F(FlowSpec):
    @batch(inferentia=2, efa=1, host_volumes=['/data', '/data:/again', '/etc/pki:/pki'],
        efs_volumes=['fs-0123abcd', 'fs-0123abcd:/shared'], use_tmpfs=True, memory=3000,
        aws_batch_tags={'team': 'ml ops'}, log_options=['awslogs-group:/team/jobs'],
        executable='/opt/python', privileged=True)
    @step
    def start(self):
        self.next(self.end)
    @step
    def end(self):
        pass
";
    let mut options = options();
    options
        .profile
        .labels
        .insert("team".to_owned(), "platform".into());
    let files = emit(&StepFunctions, &plan(&source(text)), &options);
    let definition = &json_of(&files, "job-definitions.json")[0];
    assert_eq!(definition["tags"], json!({"team": "ml ops"}));
    assert_eq!(definition["propagateTags"], true);
    let container = &definition["containerProperties"];
    assert_eq!(container["privileged"], true);
    let names = |list: &Value, key: &str| -> Vec<String> {
        let items = list.as_array().unwrap().iter();
        items
            .map(|item| item[key].as_str().unwrap().to_owned())
            .collect()
    };
    let paths = names(&container["mountPoints"], "containerPath");
    let expect = ["/data", "/again", "/pki", "/mnt/fs-0123abcd", "/shared"];
    assert_eq!(paths, expect);
    let volumes = names(&container["volumes"], "name");
    assert_eq!(volumes.len(), 3, "{volumes:?}");
    let sources = names(&container["mountPoints"], "sourceVolume");
    assert!(sources.iter().all(|name| volumes.contains(name)));
    let linux = &container["linuxParameters"];
    let devices = ["/dev/neuron0", "/dev/neuron1", "/dev/infiniband/uverbs0"];
    assert_eq!(names(&linux["devices"], "hostPath"), devices);
    let tmpfs =
        json!([{"containerPath": "/metaflow_temp", "size": 1500, "mountOptions": ["defaults"]}]);
    assert_eq!(linux["tmpfs"], tmpfs);
    let log = json!({"logDriver": "awslogs", "options": {"awslogs-group": "/team/jobs"}});
    assert_eq!(container["logConfiguration"], log);
    let environment = container["environment"].as_array().unwrap();
    for (name, value) in [
        ("FLOWC_PYTHON", "/opt/python"),
        ("METAFLOW_TEMPDIR", "/metaflow_temp"),
    ] {
        assert!(
            environment.contains(&json!({"name": name, "value": value})),
            "{environment:?}"
        );
    }
}

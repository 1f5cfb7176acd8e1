//! `@trigger` and `@trigger_on_finish`: Sensors and event sources in a cluster, and the runs that they start.

use std::collections::BTreeSet;
use std::thread;
use std::time::Duration;

use flowc_tests::trials;
use flowc_tests::trials::Test;
use flowc_tests::values::{arbitrary, event, fields, flow, hostile};
use flowc_tests::{Output, output};
use serde_json::{Value, json};

use super::world::World;

pub(crate) const TESTS: &[Test] = trials![
    a_sensor_is_made_changed_and_deleted_with_its_flow,
    events_start_a_run_with_whatever_they_hold,
    the_end_of_a_run_starts_a_run_of_another_flow,
];

/// What takes the events, as a platform's engineers install it.
const SOURCE: &str = "apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata: {name: argo-events-webhook}
spec:
  webhook:
    metaflow-event: {port: \"12000\", endpoint: /metaflow-event, method: POST}
";

impl World {
    fn install_source(&self) {
        self.write("source.yaml", SOURCE);
        let file = self.path().join("source.yaml");
        self.kubectl(&["apply", "--server-side", "-f", file.to_str().unwrap()]);
    }

    /// Posts what Metaflow's `ArgoEvent.publish` posts, and waits until it has arrived.
    fn post(&self, payload: &Value) {
        let post = json!({"event": "metaflow-event", "body": {"payload": payload}});
        let patch = json!({"metadata": {"annotations": {"flowc-bed/post": post.to_string()}}});
        self.write("post.json", &patch.to_string());
        let file = self.path().join("post.json");
        let file = file.to_str().unwrap();
        let what = ["patch", "eventsource", "argo-events-webhook"];
        self.kubectl(&[&what[..], &["--type=merge", "--patch-file", file]].concat());
        let posted = "-ojsonpath={.metadata.annotations.flowc-bed/post}";
        while !self
            .kubectl(&["get", "eventsource", "argo-events-webhook", posted])
            .is_empty()
        {
            thread::sleep(Duration::from_millis(100));
        }
    }

    /// Workflows of a flow that a Sensor made.
    fn triggered(&self, flow: &str) -> Vec<String> {
        let selector = format!("flowc.dev/flow={flow},events.argoproj.io/sensor");
        let path = "-ojsonpath={range .items[*]}{.metadata.name}{\"\\n\"}{end}";
        let found = self.kubectl(&["get", "workflows", "--selector", &selector, path]);
        found.lines().map(str::to_owned).collect()
    }

    /// Waits for the first run that a Sensor made; its name, `Flow/run`.
    #[track_caller]
    fn until_triggered(&self, flow: &str) -> String {
        for _ in 0..600 {
            if let Some(name) = self.triggered(flow).first() {
                return format!("{flow}/argo-{name}");
            }
            thread::sleep(Duration::from_millis(200));
        }
        let sensors = self.kubectl(&["get", "sensors,eventsources", "-oyaml"]);
        panic!("nothing started {flow}: {sensors}");
    }

    fn logs(&self, run: &str) -> Output {
        output(self.argo.flowc(&["logs", run]).current_dir(self.path()))
    }
}

fn small(name: &str, decorator: &str) -> String {
    format!(
        "{decorator}
class {name}(FlowSpec):
    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass"
    )
}

fn a_sensor_is_made_changed_and_deleted_with_its_flow() {
    let Some(world) = World::new(&small("SensorFlow", "@trigger(event='one')")) else {
        return;
    };
    let dry = world.flowc("deploy", &["--dry-run"]);
    assert_eq!(dry.stdout.matches("create").count(), 8, "{dry:#?}");
    let names = || -> BTreeSet<String> {
        let kinds = "sensors,eventsources,serviceaccounts,roles,rolebindings";
        let found = world.kubectl(&[
            "get",
            kinds,
            "--selector=flowc.dev/flow=SensorFlow",
            "-oname",
        ]);
        found.lines().map(str::to_owned).collect()
    };
    world.deploy();
    assert!(names().contains("sensor.argoproj.io/sensorflow"));
    assert!(names().contains("serviceaccount/flowc-sensorflow-events"));
    let second = world.deploy();
    assert!(second.stderr.contains("is deployed"), "{second:#?}");

    world.flow(&small("SensorFlow", "@trigger(event='two')"));
    let dry = world.flowc("deploy", &["--dry-run"]);
    let told = "update  Sensor argo/sensorflow";
    assert!(dry.stdout.contains(told), "{dry:#?}");
    assert!(dry.stdout.contains("spec.dependencies.t0"), "{dry:#?}");

    world.flow(&small("SensorFlow", "@trigger_on_finish(flow='OtherFlow')"));
    world.deploy();
    assert!(names().contains("eventsource.argoproj.io/sensorflow"));

    world.flow(&small("SensorFlow", ""));
    world.deploy();
    let left: Vec<_> = names().into_iter().collect();
    assert_eq!(left.len(), 3, "{left:?}");
    assert!(left.iter().all(|name| !name.contains("events")), "{left:?}");
}

fn events_start_a_run_with_whatever_they_hold() {
    let values = [hostile(), arbitrary()].concat();
    let events = format!("[{}, 'data.ready']", event("data.new", &values));
    let decorated = format!("@trigger(events={events})\nclass ");
    let text = flow("EventFlow", &values, false).replace("class ", &decorated)
        + "
        started = current.trigger.event
        print('BY', started.name, started.type, started.id, sorted(event.name for event in current.trigger))";
    let Some(world) = World::new(&text) else {
        return;
    };
    world.write("expected.json", &json!(values).to_string());
    let profile = std::fs::read_to_string(world.path().join("flowc.toml")).unwrap();
    let include = "[package]\ninclude = [\"expected.json\"]\n\n";
    world.write("flowc.toml", &format!("{include}{profile}"));
    world.install_source();
    world.deploy();
    let mut payload = fields(&values);
    // Names are matched whole, and dots are dots.
    for name in ["data-new", "data.newer", "my.data.new"] {
        payload["name"] = json!(name);
        world.post(&payload);
    }
    // All must have come, one of them twice or not.
    for _ in 0..2 {
        world.post(&json!({"name": "data.ready", "id": "id-0", "timestamp": 1_600_000_000}));
    }
    assert!(world.triggered("EventFlow").is_empty());
    payload["name"] = json!("data.new");
    payload["id"] = json!("id-1");
    payload["timestamp"] = json!(1_700_000_000);
    world.post(&payload);
    let run = world.until_triggered("EventFlow");
    world.wait(&run).succeeded();
    let logs = world.logs(&run);
    assert!(
        logs.stdout
            .contains("BY data.new event id-1 ['data.new', 'data.ready']"),
        "{logs:#?}"
    );
    assert_eq!(world.triggered("EventFlow").len(), 1);
}

fn the_end_of_a_run_starts_a_run_of_another_flow() {
    let down = "@trigger_on_finish(flow='UpFlow')
class DownFlow(FlowSpec):
    @step
    def start(self):
        self.got = current.trigger.run.data.x
        self.next(self.end)

    @step
    def end(self):
        print('GOT', self.got, current.trigger.run.pathspec, current.trigger.event.name)";
    let up = "class UpFlow(FlowSpec):
    x = Parameter('x', default=0)

    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        if not self.x:
            raise ValueError('on purpose')";
    let (Some(down), Some(up)) = (World::new(down), World::new(up)) else {
        return;
    };
    down.deploy();
    up.run(&[]).failed();
    let ended = up.run(&["--x", "42"]).succeeded();
    let run = down.until_triggered("DownFlow");
    down.wait(&run).succeeded();
    let logs = down.logs(&run);
    let told = format!("GOT 42 {} metaflow.UpFlow.end", ended.run);
    assert!(logs.stdout.contains(&told), "{logs:#?}");
    assert_eq!(down.triggered("DownFlow").len(), 1);
}

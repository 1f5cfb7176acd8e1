//! What Airflow has becomes what the bundle says, and nothing else moves.

use std::fs;

use serde_json::Value;

use flowc_tests::trials;
use flowc_tests::trials::Test;

use super::world::World;

pub(crate) const TESTS: &[Test] = trials![
    a_second_deployment_changes_nothing,
    a_change_is_live_when_deploy_returns,
    what_somebody_else_deployed_is_left_alone,
    a_file_that_flowc_did_not_write_is_left_alone,
    an_import_error_is_told_as_ours,
    a_paused_dag_stays_paused_and_is_not_triggered,
    delete_leaves_nothing_and_deploy_brings_it_back,
];

const FLOW: &str = "class NAME(FlowSpec):
    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        print('version 1')";

fn flow(name: &str) -> String {
    FLOW.replace("NAME", name)
}

fn a_second_deployment_changes_nothing() {
    let Some(world) = World::new(&flow("TwiceFlow")) else {
        return;
    };
    let dry = world.flowc("deploy", &["--dry-run"]);
    assert_eq!(dry.stdout.matches("create").count(), 2, "{dry:#?}");
    assert!(!world.dag_file().exists());
    world.deploy();
    let written = fs::metadata(world.dag_file()).unwrap().modified().unwrap();
    let second = world.deploy();
    assert!(second.stderr.contains("is deployed"), "{second:#?}");
    let again = fs::metadata(world.dag_file()).unwrap().modified().unwrap();
    assert_eq!(again, written);
}

fn a_change_is_live_when_deploy_returns() {
    let Some(mut world) = World::new(&flow("ChangedFlow")) else {
        return;
    };
    world.deploy();
    let before = fs::read_to_string(world.dag_file()).unwrap();
    world.flow(&flow("ChangedFlow").replace("version 1", "version 2"));
    let dry = world.flowc("deploy", &["--dry-run"]);
    assert_eq!(dry.stdout.matches("update").count(), 2, "{dry:#?}");
    assert_eq!(fs::read_to_string(world.dag_file()).unwrap(), before);
    world.deploy();
    let details = world.dag("GET", "/details", &Value::Null);
    let text = fs::read_to_string(world.dag_file()).unwrap();
    let (_, version) = text.split_once("flowc version `").unwrap();
    let doc = details["doc_md"].as_str().unwrap();
    assert!(doc.contains(&version[..12]), "{doc}");
}

fn what_somebody_else_deployed_is_left_alone() {
    let Some(world) = World::new(&flow("ForeignFlow")) else {
        return;
    };
    world.deploy();
    for verb in ["deploy", "delete"] {
        let refused = world.flowc_as("other", verb, &[]);
        assert_eq!(refused.code, Some(2), "{refused:#?}");
        let said = &refused.stderr;
        assert!(
            said.contains("FC5005") && said.contains("by admin"),
            "{said}"
        );
    }
    let taken = world.flowc_as("other", "deploy", &["--take-over"]);
    assert_eq!(taken.code, Some(0), "{taken:#?}");
    assert_eq!(world.flowc("deploy", &[]).code, Some(2));
}

fn a_file_that_flowc_did_not_write_is_left_alone() {
    let Some(world) = World::new(&flow("HandmadeFlow")) else {
        return;
    };
    fs::write(world.dag_file(), "# somebody's\n").unwrap();
    let refused = world.flowc("deploy", &[]);
    assert!(
        refused.stderr.contains("something other than flowc"),
        "{refused:#?}"
    );
    fs::remove_file(world.dag_file()).unwrap();
    world.deploy();
    let text = fs::read_to_string(world.dag_file()).unwrap();
    fs::write(
        world.dag_file(),
        text.replace("\"retries\": 3", "\"retries\": 9"),
    )
    .unwrap();
    let refused = world.flowc("deploy", &[]);
    assert!(
        refused.stderr.contains("changed by hand since"),
        "{refused:#?}"
    );
}

fn an_import_error_is_told_as_ours() {
    // The zone has the right form; only Airflow knows that there is none of that name.
    let source = flow("BrokenFlow").replace(
        "class",
        "@schedule(cron='0 6 * * *', timezone='Europe/Atlantis')\nclass",
    );
    let Some(mut world) = World::new(&source) else {
        return;
    };
    let refused = world.flowc("deploy", &[]);
    assert_eq!(refused.code, Some(2), "{refused:#?}");
    let said = &refused.stderr;
    assert!(
        said.contains("Airflow cannot import it") && said.contains("Atlantis"),
        "{said}"
    );
    // The next version goes in, although the error of this one is still there.
    world.flow(&flow("BrokenFlow"));
    world.deploy();
}

fn a_paused_dag_stays_paused_and_is_not_triggered() {
    let Some(mut world) = World::new(&flow("PausedFlow")) else {
        return;
    };
    world.deploy();
    let is_paused = |world: &World| world.dag("GET", "", &Value::Null)["is_paused"] == true;
    assert!(!is_paused(&world), "a new DAG runs");
    world.pause();
    assert!(is_paused(&world));
    world.flow(&flow("PausedFlow").replace("version 1", "version 2"));
    world.deploy();
    assert!(is_paused(&world));
    let refused = world.flowc("trigger", &[]);
    assert!(refused.stderr.contains("paused"), "{refused:#?}");
}

fn delete_leaves_nothing_and_deploy_brings_it_back() {
    let Some(world) = World::new(&flow("DeletedFlow")) else {
        return;
    };
    world.deploy();
    let deleted = world.flowc("delete", &[]);
    assert_eq!(deleted.code, Some(0), "{deleted:#?}");
    let left: Vec<_> = fs::read_dir(world.airflow.dags())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .filter(|name| name.contains("DeletedFlow"))
        .collect();
    assert_eq!(left, Vec::<String>::new());
    let trigger = world.flowc("trigger", &[]);
    assert_eq!(trigger.code, Some(2), "{trigger:#?}");
    world.deploy();
}

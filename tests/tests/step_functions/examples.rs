//! The examples: deployed, run to their end, and equal to what `flowc run` leaves.

use std::fs;

use flowc_tests::{metaflow_python, run};

use super::world::{World, compare, shared};

/// As jobs on the bed have it: more threads sum up in another order.
const ONE_THREAD: [&str; 3] = ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"];

/// Runs the example here and there and compares all artifacts of all tasks.
fn is_the_same_there(name: &str, flow: &str, parameters: &[&str]) {
    let world = World::example(shared(), name);
    world.deploy();
    let ended = world.trigger(parameters);
    ended.assert("succeeded");
    let native = ended.name.split_once('/').unwrap().1;

    let (here, there) = (world.path().join("here"), world.path().join("there"));
    let id = world.path().join("run-id");
    run(world
        .flowc(&["run", "flow.py", "--store"])
        .arg(&here)
        .arg("--python")
        .arg(metaflow_python())
        .arg("--run-id-file")
        .arg(&id)
        .args(parameters)
        .envs(ONE_THREAD.map(|name| (name, "1"))));
    world.download(flow, &there);
    let local = fs::read_to_string(id).unwrap();
    let report = compare(
        flow,
        &world.path().join("flow.py"),
        (&here, local.trim()),
        (&there, native),
    );
    flowc_tests::report(&format!(
        "{name} on Step Functions ({}): {}",
        ended.name, report["artifacts"]
    ));
}

#[test]
fn hello() {
    is_the_same_there("hello", "HelloFlow", &["--who", "Ångström {{}} $.x"]);
}

#[test]
fn branches() {
    is_the_same_there(
        "branches",
        "BranchesFlow",
        &["--copies", "3", "--express", "true"],
    );
}

#[test]
fn statistics() {
    is_the_same_there("statistics", "StatisticsFlow", &[]);
}

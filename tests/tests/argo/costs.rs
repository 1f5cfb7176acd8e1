//! What a task costs the store, counted there.

use serde_json::Value;

use flowc_tests::trials;
use flowc_tests::trials::Test;

use super::world::World;

/// On a busy node a task takes longer, and what it prints is sent more than once.
pub(crate) const ALONE: &[Test] = trials![a_trivial_task_makes_eight_requests];

/// DESIGN §3: a linear middle step with one new small artifact and one printed line, its package fetched.
fn a_trivial_task_makes_eight_requests() {
    let flow = "class CheapFlow(FlowSpec):
    @step
    def start(self):
        self.words = ['not', 'read', 'later']
        self.next(self.middle)

    @step
    def middle(self):
        self.answer = 42
        print('a line')
        self.next(self.again)

    @step
    def again(self):
        # What is read costs a request more; what is left as it was is not saved again.
        self.answer = len(self.words)
        print('another line')
        self.next(self.end)

    @step
    def end(self):
        pass";
    let Some(world) = World::alone(flow) else {
        return;
    };
    let ended = world.run(&[]).succeeded();
    let requests = world.argo.bed.requests();
    assert_eq!(of_pod(&requests, &ended.run, "middle").len(), 8);
    assert_eq!(of_pod(&requests, &ended.run, "again").len(), 9);
}

/// All requests of the pod that committed the step; each pod has an address of its own.
#[track_caller]
fn of_pod<'a>(requests: &'a [Value], run: &str, step: &str) -> Vec<&'a Value> {
    let commit = format!("{run}/{step}/t/commit");
    let from = requests
        .iter()
        .find(|request| {
            let path = request["path"].as_str().unwrap_or_default();
            request["method"] == "PUT" && path.contains(&commit)
        })
        .map(|request| &request["from"]);
    let from = from.unwrap_or_else(|| panic!("nobody wrote {commit}"));
    let of_pod: Vec<_> = requests
        .iter()
        .filter(|request| &request["from"] == from)
        .collect();
    let lines = of_pod.iter().map(|request| format!("{step}: {request}\n"));
    flowc_tests::report(&lines.collect::<String>());
    of_pod
}

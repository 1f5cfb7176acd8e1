//! Runs that an event starts, and the end of another flow's run.

use flowc_tests::trials;
use flowc_tests::trials::Test;
use flowc_tests::values::{arbitrary, flow, hostile};
use serde_json::{Map, Value, json};

use super::world::World;

pub(crate) const TESTS: &[Test] = trials![an_event_starts_a_run_whose_end_starts_another];

/// The event's fields are hostile values, which the first flow compares with what they should be.
fn an_event_starts_a_run_whose_end_starts_another() {
    let values = [hostile(), arbitrary()].concat();
    let names: Vec<String> = (0..values.len())
        .map(|place| format!("'p{place}'"))
        .collect();
    let event = format!(
        "@trigger(event={{'name': 'rows.new', 'parameters': [{}]}})\n",
        names.join(", ")
    );
    let first = event
        + &flow("EventFlow", &values, false)
        + "
        event = current.trigger.event
        assert (event.name, event.id, event.type) == ('rows.new', 'e-1', 'event'), event
        assert current.trigger.run is None and 'rows.new' in current.trigger
        self.told = 'by the first'";
    let Some(first) = World::new(&first) else {
        return;
    };
    first.write("expected.json", &json!(values).to_string());
    let profile = first.airflow.profile("");
    let package = "[package]\ninclude = [\"expected.json\"]\n";
    first.write("flowc.toml", &format!("{package}\n{profile}"));
    let second = "@trigger_on_finish(flow='EventFlow')
class AfterEventFlow(FlowSpec):
    @step
    def start(self):
        self.run = current.trigger.run.id
        self.next(self.end)

    @step
    def end(self):
        assert current.trigger.event.name == 'metaflow.EventFlow.end'
        assert current.trigger.run.id == self.run
        print('heard', current.trigger.run.pathspec, current.trigger['EventFlow'].data.told)";
    let Some(second) = World::new(second) else {
        return;
    };
    second.deploy();
    first.deploy();
    let mut payload: Map<String, Value> = Map::new();
    for (place, value) in values.iter().enumerate() {
        payload.insert(format!("p{place}"), value.clone());
    }
    payload.insert("id".to_owned(), json!("e-1"));
    first
        .airflow
        .publish("flowc://event/rows.new", &json!(payload));
    let begun = first.wait_for_one().succeeded();
    let then = second.wait_for_one().succeeded();
    let logs = second.logs(&then.run);
    let heard = format!("heard {} by the first", begun.run);
    assert!(logs.contains(&heard), "{logs}");
}

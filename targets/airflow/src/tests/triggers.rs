//! What starts runs, as the DAG says it.

use flowc_core::diag::Code;
use flowc_target::testing::options;

use super::{emit, emit_with, flow};

/// A flow of two steps with decorators of its own, and a parameter.
fn decorated(decorators: &str, parameter: &str) -> String {
    let class = format!("{decorators}\nclass Sample");
    let body = format!("(FlowSpec):\n    {parameter}\n");
    flow("start: end\nend:")
        .replace("class Sample", &class)
        .replace("(FlowSpec):\n", &body)
}

#[track_caller]
fn check(decorators: &str, expect: &[&str]) {
    let text = emit(&decorated(decorators, "p = Parameter('p', default=1)"));
    for line in expect {
        assert!(text.contains(line), "{line}\n{text}");
    }
}

#[test]
fn every_dag_tells_when_a_run_has_ended() {
    let expect = [
        "DONE = Asset(\"flowc://run/SampleFlow\")\n",
        "end = Step(task_id=\"end\", outlets=[DONE])\n",
        "schedule=None,\n",
    ];
    check("", &expect);
    assert!(!emit(&flow("start: end\nend:")).contains("TRIGGERS"));
}

#[test]
fn events_and_runs_are_assets() {
    check(
        "@trigger(events=['new_data', {'name': 'go.on', 'parameters': {'p': 'size'}}])",
        &[
            "TRIGGERS = [Asset(\"flowc://event/new_data\"), Asset(\"flowc://event/go.on\")]\n",
            "    schedule=TRIGGERS,\n",
        ],
    );
    check(
        "@trigger_on_finish(flow='TrainFlow')",
        &["TRIGGERS = [Asset(\"flowc://run/TrainFlow\")]\n"],
    );
    check(
        "@trigger(event=namespaced_event_name('new'))\n@project(name='shop', branch='next')",
        &[
            "DONE = Asset(\"flowc://run/shop.test.next.SampleFlow\")\n",
            "TRIGGERS = [Asset(\"flowc://event/mfns.shop.test.next.new\")]\n",
        ],
    );
    check(
        "@trigger_on_finish(flows=['TrainFlow', 'web.prod.ReadFlow'])\n@project(name='shop', branch='next')",
        &[
            "Asset(\"flowc://run/shop.test.next.TrainFlow\")",
            "Asset(\"flowc://run/web.prod.ReadFlow\")",
        ],
    );
}

#[test]
fn a_clock_may_start_runs_too() {
    check(
        "@trigger(event='new')\n@schedule(cron='5 4 * * *')",
        &[
            "    schedule=AssetOrTimeSchedule(\n",
            "timetable=CronTriggerTimetable(\"5 4 * * *\", timezone=\"UTC\")",
            "assets=TRIGGERS",
        ],
    );
}

#[test]
fn a_parameter_that_an_event_gives_needs_no_default() {
    let event = "@trigger(event={'name': 'new', 'parameters': {'p': 'size'}})";
    let text = emit(&decorated(
        event,
        "p = Parameter('p', type=int, required=True)",
    ));
    for line in [
        "NEEDED = [\"p\"]\n",
        "\"p\": Param(None, type=[\"null\", \"integer\"])",
        "for name in NEEDED:\n",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
}

#[test]
fn events_that_are_forgotten_are_refused() {
    let reset = "options={'reset_at': {'cron': '0 0 * * *'}}";
    let refused = decorated(&format!("@trigger(events=['a', 'b'], {reset})"), "");
    let (text, found) = emit_with(&refused, &options());
    let codes: Vec<_> = found.iter().map(|item| item.code).collect();
    assert_eq!((text, codes), (None, vec![Code::FC0301]));
    // One event is never kept waiting for others.
    check(
        &format!("@trigger(event='a', {reset})"),
        &["schedule=TRIGGERS"],
    );
}

//! What `depends` and `when` make of switches.

use std::collections::BTreeSet;

use flowc_core::ir::plan::Plan;
use flowc_target::testing::{options, plan, source};
use proptest::prelude::*;
use serde_json::json;

use super::play::play;
use super::{spec, task, template};

/// A method that goes on to one of these steps, whichever `self.v` says.
fn method(name: &str, targets: &[&str]) -> String {
    let next = match targets {
        [] => "pass".to_owned(),
        [one] => format!("self.next(self.{one})"),
        many => {
            let case = |(place, name): (usize, &&str)| format!("{place}: self.{name}");
            let cases: Vec<String> = many.iter().enumerate().map(case).collect();
            format!("self.next({{{}}}, condition='v')", cases.join(", "))
        }
    };
    let inputs = if name.starts_with("join") {
        ", inputs"
    } else {
        ""
    };
    format!("    @step\n    def {name}(self{inputs}):\n        {next}\n")
}

fn flow(methods: &[(&str, &[&str])]) -> Plan {
    let methods = methods.iter().map(|(name, targets)| method(name, targets));
    let body = format!("class F(FlowSpec):\n{}", methods.collect::<String>());
    plan(&source(&body))
}

#[test]
fn the_successors_of_a_switch_read_its_choice() {
    let plan = flow(&[
        ("start", &["left", "right_one"]),
        ("left", &["end"]),
        ("right_one", &["end"]),
        ("end", &[]),
    ]);
    let spec = spec(&plan, &options());
    let left = task(&spec, "Flow", "left");
    assert_eq!(left["depends"], "start.Succeeded");
    assert_eq!(
        left["when"],
        "'{{tasks.start.outputs.parameters.next}}' == 'left'"
    );
    let right = task(&spec, "Flow", "right-one");
    assert_eq!(
        right["when"], "'{{tasks.start.outputs.parameters.next}}' == 'right_one'",
        "the step's own name"
    );
    let end = task(&spec, "Flow", "end");
    assert_eq!(end["depends"], "left.Succeeded || right-one.Succeeded");
    assert!(end.get("when").is_none(), "{end}");
    assert_eq!(
        template(&spec, "start")["outputs"],
        json!({"parameters": [{"name": "next", "valueFrom": {"path": "/flowc/next", "default": ""}}]})
    );
    let env = &spec["templateDefaults"]["container"]["env"];
    assert!(env.to_string().contains("FLOWC_REPORT_NEXT"), "{env}");
}

#[test]
fn siblings_tell_that_a_switch_chose_the_step_where_ways_meet() {
    let plan = flow(&[
        ("start", &["more", "end"]),
        ("more", &["end"]),
        ("end", &[]),
    ]);
    let spec = spec(&plan, &options());
    let end = task(&spec, "Flow", "end");
    assert_eq!(end["depends"], "more.Skipped || more.Succeeded");
    assert!(end.get("when").is_none(), "{end}");
}

#[test]
fn a_task_without_a_pod_tells_it_where_siblings_cannot() {
    let plan = flow(&[
        ("start", &["all", "half", "end"]),
        ("all", &["half"]),
        ("half", &["end"]),
        ("end", &[]),
    ]);
    let spec = spec(&plan, &options());
    let choice = task(&spec, "Flow", "Choice-2-start");
    assert_eq!(choice["depends"], "start.Succeeded");
    assert_eq!(
        choice["when"],
        "'{{tasks.start.outputs.parameters.next}}' == 'half'"
    );
    assert_eq!(
        template(&spec, "Choice"),
        &json!({"name": "Choice", "suspend": {"duration": "0"}})
    );
    assert_eq!(
        task(&spec, "Flow", "half")["depends"],
        "Choice-2-start.Succeeded || s-all.Succeeded"
    );
}

#[test]
fn a_loop_is_a_container_without_a_deadline_or_a_choice() {
    let text = "class F(FlowSpec):
    @step
    def start(self):
        self.next(self.again)
    @timeout(minutes=1)
    @step
    def again(self):
        self.next({'more': self.again, 'done': self.end}, condition='v')
    @step
    def end(self):
        pass
";
    let spec = spec(&plan(&source(text)), &options());
    let again = template(&spec, "again");
    assert!(again.get("activeDeadlineSeconds").is_none(), "{again}");
    assert!(again.get("outputs").is_none(), "{again}");
    let end = task(&spec, "Flow", "end");
    assert_eq!(
        (&end["depends"], end.get("when")),
        (&json!("again.Succeeded"), None)
    );
    let env = &spec["templateDefaults"]["container"]["env"];
    assert!(!env.to_string().contains("FLOWC_REPORT_NEXT"), "{env}");
}

#[test]
fn a_join_waits_for_one_end_of_each_branch() {
    let body = "class F(FlowSpec):
    @step
    def start(self):
        self.next(self.a, self.b)
    @step
    def a(self):
        self.next({1: self.c, 2: self.d}, condition='v')
    @step
    def c(self):
        self.next(self.join)
    @step
    def d(self):
        self.next(self.join)
    @step
    def b(self):
        self.next(self.join)
    @step
    def join(self, inputs):
        self.next(self.end)
    @step
    def end(self):
        pass
";
    let spec = spec(&plan(&source(body)), &options());
    assert_eq!(
        task(&spec, "Flow", "s-join")["depends"],
        "(c.Succeeded || d.Succeeded) && b.Succeeded"
    );
}

/// Where the random part of a flow stands.
#[derive(Clone, Copy, Debug)]
enum Place {
    Root,
    Branch,
    Body,
}

/// Steps in a row; each goes on to some of those behind it, given by their distances, the last to the end of the part.
fn part() -> impl Strategy<Value = Vec<Vec<usize>>> {
    prop::collection::vec(prop::collection::vec(1..5_usize, 1..4), 1..6)
}

fn place() -> impl Strategy<Value = Place> {
    prop_oneof![Just(Place::Root), Just(Place::Branch), Just(Place::Body)]
}

fn built(part: &[Vec<usize>], place: Place) -> Plan {
    let after = match place {
        Place::Root => "end",
        Place::Branch | Place::Body => "join_all",
    };
    let name = |at: usize| match at {
        at if at >= part.len() => after.to_owned(),
        at => format!("s{at}"),
    };
    let mut reached = BTreeSet::from([0]);
    let mut text = "class F(FlowSpec):\n".to_owned();
    text += match place {
        Place::Root => "    @step\n    def start(self):\n        self.next(self.s0)\n",
        Place::Branch => "    @step\n    def start(self):\n        self.next(self.s0, self.side)\n",
        Place::Body => "    @step\n    def start(self):\n        self.next(self.s0, foreach='v')\n",
    };
    if let Place::Branch = place {
        text += &method("side", &["join_all"]);
    }
    for (at, distances) in part.iter().enumerate() {
        if !reached.contains(&at) {
            continue;
        }
        let targets: BTreeSet<usize> = distances
            .iter()
            .map(|distance| (at + distance).min(part.len()))
            .collect();
        reached.extend(&targets);
        let targets: Vec<String> = targets.iter().map(|target| name(*target)).collect();
        let mut targets: Vec<&str> = targets.iter().map(String::as_str).collect();
        let last = format!("last{at}");
        if let (2.., Place::Branch | Place::Body) = (targets.len(), place) {
            // No switch leads straight into a join.
            for target in targets.iter_mut().filter(|target| **target == after) {
                *target = &last;
                text += &method(&last, &[after]);
            }
        }
        text += &method(&name(at), &targets);
    }
    if let Place::Branch | Place::Body = place {
        text += &method("join_all", &["end"]);
    }
    text += &method("end", &[]);
    plan(&source(&text))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn what_was_chosen_runs_and_nothing_else(part in part(), place in place()) {
        play(&built(&part, place));
    }
}

/// Two switches that may each choose two steps of which each has the other for a parent too.
#[test]
fn ways_that_cross() {
    play(&flow(&[
        ("start", &["one", "other"]),
        ("one", &["a", "b"]),
        ("other", &["a", "b", "end"]),
        ("a", &["end"]),
        ("b", &["end"]),
        ("end", &[]),
    ]));
}

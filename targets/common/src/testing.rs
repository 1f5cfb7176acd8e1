//! Flows for the tests of back ends, all through the real front end, checks and lowering.

use std::fmt::Write as _;

use flowc_core::diag::Diagnostics;
use flowc_core::front::python;
use flowc_core::ir::plan::Plan;
use flowc_core::lower;
use flowc_core::source::SourceTree;
use proptest::prelude::*;

use crate::{BundleFile, Options, Profile, Target};

/// What the payload list of the security bar asks of every text: each must arrive as it is, or be refused,
/// and never change the shape of a manifest.
pub const HOSTILE: &[&str] = &[
    "{{workflow.name}}",
    "{{=1+1}}",
    "{{7*7}}",
    "{{{{x}}",
    "{% raw %}",
    "{# x #}",
    "$.x",
    "$$.Execution.Id",
    "States.Format('{}', $.x)",
    "$(id)",
    "$$(id)",
    "`id`",
    "$(HOME)",
    "${HOME}",
    "'; id #",
    "\"}],\"args\":[\"x",
    "a\nkey: value",
    "\u{2028}",
    "\u{202e}abc",
    "\u{0}",
    "x.json",
    "../../etc/passwd",
    "-rf",
    "--help",
    "=cmd",
    "no",
    "012",
    "12:30",
    "1e3",
    "~",
    "",
    " ",
    "\u{1f600}",
];

/// The body of a flow with a foreach in a foreach, parameters and attributes, for [`source`].
pub const NESTED: &str = "class F(FlowSpec):
    alpha = Parameter('alpha', default=0.5)
    name = Parameter('name', required=True, type=str)
    @step
    def start(self):
        self.next(self.outer, foreach='xs')
    @retry(times=2, minutes_between_retries=1)
    @step
    def outer(self):
        self.next(self.inner, foreach='ys')
    @resources(cpu=1.5, memory=100)
    @timeout(seconds=5)
    @step
    def inner(self):
        self.next(self.inner_join)
    @step
    def inner_join(self, inputs):
        self.next(self.join)
    @step
    def join(self, inputs):
        self.next(self.end)
    @step
    def end(self):
        pass
";

/// The plan of a flow file; panics with the findings if there is none.
pub fn plan(source: &str) -> Plan {
    let mut tree = SourceTree::default();
    let file = tree.add("flow.py", source);
    let (flow, mut found) = python::lower(&tree, file, None);
    let plan = flow.and_then(|flow| {
        let (plan, more) = lower::plan(&tree, &flow);
        found.extend(more);
        plan
    });
    match plan {
        Some(plan) => plan,
        None => panic!("no plan: {found:?}\n{source}"),
    }
}

/// The options that a test compiles with.
pub fn options() -> Options {
    Options {
        package: "5f".repeat(32),
        profile: Profile::default(),
    }
}

/// Compiles for a target; panics with the findings if it refuses.
pub fn emit(target: &dyn Target, plan: &Plan, options: &Options) -> Vec<BundleFile> {
    let (files, found) = target.emit(plan, options);
    match files {
        Some(files) => files,
        None => panic!("refused: {found:?}"),
    }
}

/// Compiles for a target that must refuse; the codes of its findings.
pub fn refusal(target: &dyn Target, plan: &Plan, options: &Options) -> Diagnostics {
    let (files, found) = target.emit(plan, options);
    assert!(
        files.is_none() && found.has_errors(),
        "not refused: {files:?}"
    );
    found
}

/// A flow file from the body of its class, with everything imported.
pub fn source(body: &str) -> String {
    format!(
        "from metaflow import FlowSpec, JSONType, Parameter, batch, catch, environment, exit_hook, kubernetes, parallel, project, resources, retry, namespaced_event_name, schedule, secrets, step, timeout, trigger, trigger_on_finish\n\n{body}\n\nif __name__ == '__main__':\n    F()\n"
    )
}

/// Steps one after the other, `start`, `s1`, …, `end`; `count` in all, at least 2.
pub fn linear(count: usize) -> String {
    let name = |place: usize| match place {
        0 => "start".to_owned(),
        _ if place + 1 == count => "end".to_owned(),
        _ => format!("s{place}"),
    };
    let mut body = String::from("class F(FlowSpec):\n");
    for place in 0..count {
        let next = match place + 1 {
            after if after < count => format!("self.next(self.{})", name(after)),
            _ => "pass".to_owned(),
        };
        let _ = writeln!(
            body,
            "    @step\n    def {}(self):\n        {next}",
            name(place)
        );
    }
    source(&body)
}

/// A well-nested graph.
#[derive(Clone, Debug)]
pub enum Shape {
    /// One step.
    Step,
    /// A split into branches, each a chain.
    Split(Vec<Vec<Shape>>),
    /// A foreach over a chain.
    Foreach(Vec<Shape>),
}

/// Chains of up to about 30 steps.
pub fn chain() -> impl Strategy<Value = Vec<Shape>> {
    let shape = Just(Shape::Step).prop_recursive(3, 24, 4, |inner| {
        let chain = prop::collection::vec(inner, 1..3);
        prop_oneof![
            2 => Just(Shape::Step),
            1 => prop::collection::vec(chain.clone(), 2..4).prop_map(Shape::Split),
            1 => chain.prop_map(Shape::Foreach),
        ]
    });
    prop::collection::vec(shape, 0..4)
}

/// The flow file of a chain between `start` and `end`.
pub fn nested(chain: &[Shape]) -> String {
    let mut printer = Printer::default();
    let first = printer.chain(chain, "end");
    let start = format!("    @step\n    def start(self):\n        self.next(self.{first})\n");
    let steps = printer.steps;
    source(&format!(
        "class F(FlowSpec):\n{start}{steps}    @step\n    def end(self):\n        pass\n"
    ))
}

#[derive(Default)]
struct Printer {
    steps: String,
    count: usize,
}

impl Printer {
    fn fresh(&mut self, kind: &str) -> String {
        self.count += 1;
        format!("{kind}_{}", self.count)
    }

    /// Prints a chain that leads to `after`; the name of its first step.
    fn chain(&mut self, chain: &[Shape], after: &str) -> String {
        let mut next = after.to_owned();
        for shape in chain.iter().rev() {
            next = self.shape(shape, &next);
        }
        next
    }

    fn shape(&mut self, shape: &Shape, after: &str) -> String {
        match shape {
            Shape::Step => {
                let name = self.fresh("step");
                self.method(&name, "self", &format!("self.{after}"));
                name
            }
            Shape::Split(branches) => {
                let (split, join) = (self.fresh("split"), self.fresh("join"));
                let firsts: Vec<_> = branches
                    .iter()
                    .map(|branch| format!("self.{}", self.branch(branch, &join)))
                    .collect();
                self.method(&split, "self", &firsts.join(", "));
                self.method(&join, "self, inputs", &format!("self.{after}"));
                split
            }
            Shape::Foreach(body) => {
                let (split, join) = (self.fresh("each"), self.fresh("join"));
                let first = self.branch(body, &join);
                self.method(&split, "self", &format!("self.{first}, foreach='items'"));
                self.method(&join, "self, inputs", &format!("self.{after}"));
                split
            }
        }
    }

    /// A chain that ends with a plain step, so that no join leads into a join.
    fn branch(&mut self, chain: &[Shape], join: &str) -> String {
        let last = self.fresh("last");
        self.method(&last, "self", &format!("self.{join}"));
        self.chain(chain, &last)
    }

    fn method(&mut self, name: &str, arguments: &str, next: &str) {
        let _ = writeln!(
            self.steps,
            "    @step\n    def {name}({arguments}):\n        self.next({next})"
        );
    }
}

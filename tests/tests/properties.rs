//! What must hold for every flow, tried on random ones.

use flowc_airflow::Airflow;
use flowc_argo::Argo;
use flowc_core::diag::render::{Colour, github, json, text};
use flowc_core::diag::{Code, Diagnostics, Severity};
use flowc_core::ir::plan::{Node, Plan, Region};
use flowc_core::source::SourceTree;
use flowc_core::{front, lower};
use flowc_step_functions::StepFunctions;
use flowc_target::Target;
use proptest::prelude::*;

mod flows;

fn compile(text: &str) -> (SourceTree, Option<Plan>, Diagnostics) {
    let mut tree = SourceTree::default();
    let file = tree.add("flow.py", text);
    let (flow, mut found) = front::python::lower(&tree, file, None);
    let mut plan = None;
    if let Some(flow) = flow {
        let (lowered, more) = lower::plan(&tree, &flow);
        found.extend(more);
        plan = lowered;
    }
    found.sort();
    (tree, plan, found)
}

fn shape(plan: &Plan, region: &Region) -> String {
    let nodes = region.nodes.iter().map(|node| match node {
        Node::Step(id) => {
            let step = &plan.steps[*id];
            let mark = if step.is_conditional { "?" } else { "" };
            format!("{}{mark}", step.name)
        }
        Node::Parallel { branches, .. } => {
            let branches: Vec<_> = branches.iter().map(|it| shape(plan, it)).collect();
            format!("({})", branches.join(" | "))
        }
        Node::Map { body, .. } => format!("[{}]", shape(plan, body)),
    });
    flows::in_order(nodes.collect())
}

proptest! {
    /// A flow whose splits and joins match has a plan, nested as the flow was built; `lower` asserts the plan's invariants itself.
    #[test]
    fn matching_flows_have_plans(sample in flows::sample()) {
        let (tree, plan, found) = compile(&flows::source(&sample.lines));
        prop_assert!(found.is_empty(), "{}", text(&tree, &found, Colour::Never));
        let plan = plan.unwrap();
        prop_assert_eq!(shape(&plan, &plan.root), sample.shape);
        prop_assert_eq!(plan.steps.len(), sample.lines.len());
        for (id, step) in plan.steps.iter() {
            prop_assert!(step.parents.iter().all(|parent| *parent < id));
        }
    }

    /// The same for flows that choose their way; every target prints them or refuses them by a code.
    #[test]
    fn flows_that_choose_have_plans(sample in flows::sample_that_chooses()) {
        let source = flows::source(&sample.lines);
        let (tree, plan, found) = compile(&source);
        prop_assert!(found.is_empty(), "{}\n{source}", text(&tree, &found, Colour::Never));
        let plan = plan.unwrap();
        prop_assert_eq!(shape(&plan, &plan.root), sample.shape, "{}", source);
        prop_assert_eq!(plan.steps.len(), sample.lines.len());
        for (id, step) in plan.steps.iter() {
            prop_assert!(step.parents.iter().all(|parent| *parent < id));
        }
        let targets: [&dyn Target; 3] = [&StepFunctions, &Argo, &Airflow];
        for target in targets {
            let (files, found) = target.emit(&plan, &flowc_target::testing::options());
            let refused = found.iter().all(|item| item.code == Code::FC0301);
            prop_assert!(files.is_some() || refused, "{}: {found:?}\n{source}", target.name());
        }
    }

    /// The order of the methods in the file changes nothing but the order of free steps.
    #[test]
    fn order_in_the_file_does_not_matter(sample in flows::sample()) {
        let mut sorted = sample.lines.clone();
        sorted.sort_by(|one, other| one.name.cmp(&other.name));
        let (_, one, _) = compile(&flows::source(&sample.lines));
        let (_, other, _) = compile(&flows::source(&sorted));
        let (one, other) = (one.unwrap(), other.unwrap());
        prop_assert_eq!(shape(&one, &one.root), shape(&other, &other.root));
    }

    /// One mistake is refused, at a place in the file, with few findings; no form of output panics.
    #[test]
    fn one_mistake_is_refused(sample in flows::sample(), mistake in flows::mistake()) {
        let mut lines = sample.lines;
        flows::make(&mut lines, &mistake);
        let source = flows::source(&lines);
        let (tree, plan, found) = compile(&source);
        let shown = text(&tree, &found, Colour::Never);
        prop_assert!(plan.is_none(), "{mistake:?}\n{source}");
        prop_assert!(found.has_errors(), "{mistake:?}\n{source}");
        let errors = found.iter().filter(|item| item.severity == Severity::Error).count();
        prop_assert!(errors <= 3, "{mistake:?}\n{shown}\n{source}");
        for item in found.iter() {
            prop_assert!(!item.labels.is_empty());
            for label in &item.labels {
                prop_assert!(source.get(label.span.start as usize..label.span.end as usize).is_some());
            }
        }
        prop_assert!(json(&tree, &found).lines().count() == found.len());
        prop_assert!(github(&tree, &found).lines().count() == found.len());
    }

    /// Any number of mistakes at once: findings, no panic.
    #[test]
    fn many_mistakes_are_refused(
        sample in flows::sample(),
        mistakes in prop::collection::vec(flows::mistake(), 2..6),
    ) {
        let mut lines = sample.lines;
        for mistake in &mistakes {
            flows::make(&mut lines, mistake);
        }
        let (_, plan, found) = compile(&flows::source(&lines));
        prop_assert_eq!(plan.is_none(), found.has_errors());
    }
}

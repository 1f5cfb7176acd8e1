//! Plans of flows built by hand: what no front end is needed for.

use crate::ir::arena::Arena;
use crate::ir::flow::{Case, CaseKey, Flow, Literal, Marks, Next, Spanned, Step, Switch};
use crate::ir::plan::{Node, Plan, Region};
use crate::lower::plan;
use crate::source::{SourceTree, Span};

/// `name(inputs) -> a b *items`: a name, `+` for a join, targets, the variable of a foreach, and `?` for a switch.
fn flow(tree: &mut SourceTree, lines: &str) -> Flow {
    let file = tree.add("flow.py", lines);
    let spanned = |text: &str| {
        let start = text.as_ptr() as usize - lines.as_ptr() as usize;
        let span = Span {
            file,
            start: start as u32,
            end: (start + text.len()) as u32,
        };
        Spanned {
            value: text.to_owned(),
            span,
        }
    };
    let mut steps = Arena::default();
    for line in lines.lines() {
        let mut words = line.split_whitespace();
        let name = spanned(words.next().unwrap());
        let (mut targets, mut foreach, mut is_join) = (Vec::new(), None, false);
        let mut switch = None;
        for word in words {
            match word.strip_prefix('*') {
                _ if word == "+" => is_join = true,
                _ if word == "?" => switch = Some(spanned(word)),
                Some(variable) => foreach = Some(spanned(variable)),
                None => targets.push(spanned(word)),
            }
        }
        let span = name.span;
        let this = Spanned {
            value: "self".to_owned(),
            span,
        };
        let mut arguments = vec![this.clone()];
        if is_join {
            arguments.push(this);
        }
        let case = |target: &Spanned<String>| Case {
            key: Spanned {
                value: CaseKey::Literal(Literal::Str(target.value.clone())),
                span,
            },
            target: target.clone(),
        };
        let switch = switch.map(|condition| Switch {
            condition,
            cases: targets.iter().map(case).collect(),
        });
        let next = (!targets.is_empty()).then_some(Next {
            span,
            targets,
            foreach,
            gang: None,
            switch,
        });
        steps.push(Step {
            name,
            span,
            line: 1,
            doc: None,
            marks: Marks::default(),
            arguments,
            decorators: Vec::new(),
            next,
            next_unread: false,
            last_statement: span,
        });
    }
    Flow {
        name: spanned(&lines[..1]),
        file,
        line: 1,
        doc: None,
        steps,
        parameters: Vec::new(),
        constants: Vec::new(),
        decorators: Vec::new(),
        imported_names: Vec::new(),
        described: false,
        configs: indexmap::IndexMap::new(),
        attached: Vec::new(),
    }
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
    nodes.collect::<Vec<_>>().join(" ")
}

#[track_caller]
fn check(lines: &str, expect: &str) {
    let mut tree = SourceTree::default();
    let flow = flow(&mut tree, lines);
    let (plan, found) = plan(&tree, &flow);
    let codes = found.iter().map(|it| it.code.as_str());
    let codes = codes.collect::<Vec<_>>().join(" ");
    let text = plan.map_or(codes, |plan| shape(&plan, &plan.root));
    assert_eq!(text, expect, "{lines}\n{found:#?}");
}

#[test]
fn regions_nest_as_splits_do() {
    check("start end\nend", "start end");
    check("only", "only");
    check("start b a\na j\nb j\nj + end\nend", "start (b | a) j end");
    check(
        "start x *items\nx y *more\ny z\nz j\nj + k\nk + end\nend",
        "start [x [y z] j] k end",
    );
    check(
        "start a b\na c d\nb e *items\nc j\nd j\ne k\nj + l\nk + l\nl + end\nend",
        "start (a (c | d) j | b [e] k) l end",
    );
}

#[test]
fn one_mistake_is_one_finding() {
    check("start a b\na j\nb j\nj + ned\nend", "FC0113");
    check("start a b\na nowhere\nb j\nj + end\nend", "FC0113");
    check("start a b c\na j\nb j\nc end\nj + end\nend", "FC0117");
    check("start x *items\nx end\nend", "FC0112");
    check("start a b\na c\nb c\nc end\nend", "FC0123");
    check("start a b\na end\nb end\nend", "FC0116");
    check("start a\na j\nj + end\nend", "FC0118");
    check("start j *items\nj + end\nend", "FC0120");
    check("start a j\na j\nj + end\nend", "FC0120");
    check("start a b\na x *items\nx j\nb j\nj + end\nend", "FC0119");
    check("start a\na b\nb a\nend", "FC0114");
    check("start a\na start\nend", "FC0111");
    check("start a a\na end\nend", "FC0121");
    check("start end\nx y\ny end\nend", "FC0115");
    check("start a\na\nend", "FC0108");
    check("start a\na", "FC0103");
    check(
        "start a b\na j\nb j\nj + c d\nc k\nd k\nk + end\nend",
        "FC0107",
    );
    check("start x *items\nx end\nend +", "FC0110");
    check("start + end\nend", "FC0122");
}

#[test]
fn ten_thousand_steps_do_not_overflow_the_stack() {
    use std::fmt::Write as _;
    let mut lines = "start s0\n".to_owned();
    for index in 0..10_000 {
        writeln!(lines, "s{index} s{}", index + 1).unwrap();
    }
    lines.push_str("s10000 end\nend");
    let mut tree = SourceTree::default();
    let flow = flow(&mut tree, &lines);
    let (plan, found) = plan(&tree, &flow);
    assert_eq!(plan.unwrap().steps.len(), 10_003, "{found:?}");
}

#[test]
fn nesting_has_a_limit() {
    use std::fmt::Write as _;
    let mut lines = "start s0 *items\n".to_owned();
    for index in 0..200 {
        writeln!(lines, "s{index} s{} *items", index + 1).unwrap();
    }
    lines.push_str("s200 j0\n");
    for index in 0..200 {
        writeln!(lines, "j{index} + j{}", index + 1).unwrap();
    }
    lines.push_str("j200 + end\nend");
    check(&lines, "FC0124");
}

#[test]
fn order_follows_the_source_where_it_may() {
    let mut tree = SourceTree::default();
    let flow = flow(&mut tree, "end\nj + end\nb j\na j\nstart b a");
    let (plan, _) = plan(&tree, &flow);
    let plan = plan.unwrap();
    let names: Vec<&str> = plan.steps.iter().map(|(_, it)| it.name.as_str()).collect();
    assert_eq!(names, ["start", "b", "a", "j", "end"]);
}

#[test]
fn a_switch_passes_steps_by() {
    check("start ? a b\na c\nb c\nc end\nend", "start a? b? c end");
    // An arm that is shorter than the other, and one that is the merge itself.
    check("start ? a c\na c\nc end\nend", "start a? c end");
    check("start ? a end\na end\nend", "start a? end");
    // A switch in an arm, and a foreach in the other.
    check(
        "start ? a b\na ? c d\nb e *xs\ne j\nj + d\nc d\nd end\nend",
        "start a? b? [e?] j? c? d end",
    );
    // Inside a foreach and inside a branch; arms that end in the join.
    check(
        "start x *xs\nx ? a b\na j\nb j\nj + end\nend",
        "start [x a? b?] j end",
    );
    check(
        "start x y\nx ? a b\na j\nb j\ny j\nj + end\nend",
        "start (x a? b? | y) j end",
    );
}

#[test]
fn a_loop_is_a_step_that_chooses_itself() {
    check("start l\nl ? l end\nend", "start l end");
    check(
        "start l *xs\nl ? l a b\na j\nb j\nj + end\nend",
        "start [l a? b?] j end",
    );
    check("start ? start end\nend", "FC0111");
    check("start l\nl l end\nend", "FC0114");
    check("start l\nl ? m end\nm l\nend", "FC0114");
}

#[test]
fn a_switch_leads_into_no_join() {
    check("start x *xs\nx ? a j\na j\nj + end\nend", "FC0125");
    check("start x y\nx ? a j\na j\ny j\nj + end\nend", "FC0125");
    check("start x *xs\nx y\ny j\nj + ? a end\na end\nend", "FC0107");
    check("start x *xs\nx ? a end\na j\nj + end\nend", "FC0112");
}

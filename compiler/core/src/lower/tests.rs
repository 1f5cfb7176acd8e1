//! Plans of flows built by hand: what no front end is needed for.

use crate::ir::arena::Arena;
use crate::ir::flow::{Flow, Next, Spanned, Step};
use crate::ir::plan::{Node, Plan, Region};
use crate::lower::plan;
use crate::source::{SourceTree, Span};

/// `name(inputs) -> a b *items`: a name, `+` for a join, targets, and the variable of a foreach.
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
        for word in words {
            match word.strip_prefix('*') {
                _ if word == "+" => is_join = true,
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
        let next = (!targets.is_empty()).then_some(Next {
            span,
            targets,
            foreach,
        });
        steps.push(Step {
            name,
            span,
            line: 1,
            doc: None,
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
    }
}

fn shape(plan: &Plan, region: &Region) -> String {
    let nodes = region.nodes.iter().map(|node| match node {
        Node::Step(id) => plan.steps[*id].name.clone(),
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

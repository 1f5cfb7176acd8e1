//! Random flows whose splits and joins match, and ways of breaking them.

use std::fmt::Write as _;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

/// A part of a flow with one way in and one way out.
#[derive(Clone, Debug)]
enum Block {
    Step,
    Split(Vec<Vec<Block>>),
    Map(Vec<Block>),
    /// Arms that meet again; the flag adds one that is empty.
    Switch(Vec<Vec<Block>>, bool),
    /// A step that chooses itself.
    Loop,
}

/// A step of the source text.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) name: String,
    pub(crate) is_join: bool,
    pub(crate) targets: Vec<String>,
    pub(crate) is_foreach: bool,
    pub(crate) is_switch: bool,
}

/// A flow and the nesting that its plan must have: `a (b | c) d [e] f`, and `g?` for a step that a switch may pass by.
///
/// Steps that no order is given for stand in the order of their names.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    pub(crate) lines: Vec<Line>,
    pub(crate) shape: String,
}

fn sequence() -> impl Strategy<Value = Vec<Block>> {
    let block = Just(Block::Step).prop_recursive(4, 24, 4, |inner| {
        let sequence = vec(inner, 1..4);
        prop_oneof![
            2 => Just(Block::Step),
            1 => vec(sequence.clone(), 2..4).prop_map(Block::Split),
            1 => sequence.prop_map(Block::Map),
        ]
    });
    vec(block, 0..5)
}

fn sequence_that_chooses() -> impl Strategy<Value = Vec<Block>> {
    let block = Just(Block::Step).prop_recursive(4, 24, 4, |inner| {
        let sequence = vec(inner, 1..4);
        let arms = vec(sequence.clone(), 1..4);
        prop_oneof![
            2 => Just(Block::Step),
            1 => vec(sequence.clone(), 2..4).prop_map(Block::Split),
            1 => sequence.prop_map(Block::Map),
            // One arm alone has an empty one beside it.
            2 => (arms, any::<bool>()).prop_map(|(arms, empty)| {
                let empty = empty || arms.len() < 2;
                Block::Switch(arms, empty)
            }),
            1 => Just(Block::Loop),
        ]
    });
    vec(block, 0..5)
}

/// Flows in which the steps stand in any order.
pub(crate) fn sample() -> impl Strategy<Value = Sample> {
    sequence().prop_flat_map(|blocks| flow_of(&blocks))
}

/// The same with switches and loops.
pub(crate) fn sample_that_chooses() -> impl Strategy<Value = Sample> {
    sequence_that_chooses().prop_flat_map(|blocks| flow_of(&blocks))
}

fn flow_of(blocks: &[Block]) -> impl Strategy<Value = Sample> + use<> {
    let mut lines = vec![line("end", false, Vec::new())];
    let (first, mut parts) = build(blocks, "end", false, &mut lines);
    lines.push(line("start", false, vec![first]));
    parts.extend(["start".to_owned(), "end".to_owned()]);
    let shape = in_order(parts);
    (Just(lines).prop_shuffle(), Just(shape)).prop_map(|(lines, shape)| Sample { lines, shape })
}

/// The parts of a region, whose order the graph leaves open where there is a switch.
pub(crate) fn in_order(mut parts: Vec<String>) -> String {
    parts.sort();
    parts.join(" ")
}

fn line(name: &str, is_join: bool, targets: Vec<String>) -> Line {
    Line {
        name: name.to_owned(),
        is_join,
        targets,
        is_foreach: false,
        is_switch: false,
    }
}

/// Adds the steps of a sequence that leads to `after`, which may be passed by where `is_conditional`; returns the first
/// one's name, and the parts of the region.
fn build(
    blocks: &[Block],
    after: &str,
    is_conditional: bool,
    lines: &mut Vec<Line>,
) -> (String, Vec<String>) {
    let mark = if is_conditional { "?" } else { "" };
    let mut after = after.to_owned();
    let mut parts = Vec::new();
    for block in blocks.iter().rev() {
        let chooses = matches!(block, Block::Switch(..) | Block::Loop);
        if chooses && lines.iter().any(|line| line.name == after && line.is_join) {
            // A switch leads into no join.
            after = add(lines, false, vec![after]);
            parts.push(format!("{after}{mark}"));
        }
        match block {
            Block::Step => after = add(lines, false, vec![after]),
            Block::Loop => {
                let own = format!("s{}", lines.len());
                after = add(lines, false, vec![own, after]);
                last(lines).is_switch = true;
            }
            Block::Switch(arms, empty) => {
                let mut firsts = Vec::new();
                for arm in arms {
                    let (first, inner) = build(arm, &after, true, lines);
                    firsts.push(first);
                    parts.extend(inner);
                }
                firsts.extend(empty.then_some(after));
                after = add(lines, false, firsts);
                last(lines).is_switch = true;
            }
            Block::Split(_) | Block::Map(_) => {
                let join = add(lines, true, vec![after]);
                let (bodies, is_foreach) = match block {
                    Block::Map(body) => (vec![body.clone()], true),
                    Block::Split(bodies) => (bodies.clone(), false),
                    Block::Step | Block::Switch(..) | Block::Loop => (Vec::new(), false),
                };
                let (mut firsts, mut inner) = (Vec::new(), Vec::new());
                for body in &bodies {
                    let (first, parts) = build(body, &join, is_conditional, lines);
                    firsts.push(first);
                    inner.push(in_order(parts));
                }
                after = add(lines, false, firsts);
                last(lines).is_foreach = is_foreach;
                let (open, close) = if is_foreach { ('[', ']') } else { ('(', ')') };
                parts.push(format!("{open}{}{close}", inner.join(" | ")));
                parts.push(format!("{join}{mark}"));
            }
        }
        parts.push(format!("{after}{mark}"));
    }
    (after, parts)
}

/// Adds a step and returns its name.
fn add(lines: &mut Vec<Line>, is_join: bool, targets: Vec<String>) -> String {
    let name = format!("s{}", lines.len());
    lines.push(line(&name, is_join, targets));
    name
}

fn last(lines: &mut [Line]) -> &mut Line {
    lines.last_mut().expect("a step was added")
}

/// The flow as a Python file whose steps do nothing.
pub(crate) fn source(lines: &[Line]) -> String {
    file_of("RandomFlow", lines, |line| match &line.targets[..] {
        [] => "pass".to_owned(),
        _ => transition(line),
    })
}

/// The `self.next` of a step.
pub(crate) fn transition(line: &Line) -> String {
    let targets: Vec<String> = line
        .targets
        .iter()
        .map(|name| format!("self.{name}"))
        .collect();
    if line.is_switch {
        let cases = targets.iter().enumerate();
        let cases: Vec<String> = cases.map(|(key, to)| format!("{key}: {to}")).collect();
        return format!("self.next({{{}}}, condition=\"choice\")", cases.join(", "));
    }
    let foreach = if line.is_foreach {
        ", foreach=\"items\""
    } else {
        ""
    };
    format!("self.next({}{foreach})", targets.join(", "))
}

/// The flow as a Python file with these bodies.
pub(crate) fn file_of(class: &str, lines: &[Line], body: impl Fn(&Line) -> String) -> String {
    let mut text = format!("from metaflow import FlowSpec, step\n\n\nclass {class}(FlowSpec):\n");
    for line in lines {
        let inputs = if line.is_join { ", inputs" } else { "" };
        let (name, body) = (&line.name, body(line));
        writeln!(
            text,
            "    @step\n    def {name}(self{inputs}):\n        {body}\n"
        )
        .expect("text takes everything");
    }
    text + &format!("\nif __name__ == \"__main__\":\n    {class}()\n")
}

/// A single change after which no flow is right any more: splits and joins no longer match in number, a step is left out, or a name is wrong.
#[derive(Clone, Debug)]
pub(crate) enum Mistake {
    Unknown(Index),
    Retarget(Index, Index),
    Forget(Index),
    Add(Index, Index),
    ToggleJoin(Index),
    ToggleForeach(Index),
}

pub(crate) fn mistake() -> impl Strategy<Value = Mistake> {
    let index = any::<Index>;
    prop_oneof![
        index().prop_map(Mistake::Unknown),
        (index(), index()).prop_map(|(at, to)| Mistake::Retarget(at, to)),
        index().prop_map(Mistake::Forget),
        (index(), index()).prop_map(|(at, to)| Mistake::Add(at, to)),
        index().prop_map(Mistake::ToggleJoin),
        index().prop_map(Mistake::ToggleForeach),
    ]
}

/// Makes the mistake; where it would change nothing, one that certainly does.
pub(crate) fn make(lines: &mut [Line], mistake: &Mistake) {
    let names: Vec<String> = lines.iter().map(|line| line.name.clone()).collect();
    let (Mistake::Unknown(at)
    | Mistake::Retarget(at, _)
    | Mistake::Forget(at)
    | Mistake::Add(at, _)
    | Mistake::ToggleJoin(at)
    | Mistake::ToggleForeach(at)) = mistake;
    let line = at.get_mut(lines);
    match mistake {
        Mistake::Retarget(_, to) if !line.targets.is_empty() => {
            let to = to.get(&names).clone();
            let first = &mut line.targets[0];
            *first = if *first == to {
                "nowhere".to_owned()
            } else {
                to
            };
        }
        Mistake::Forget(_) if !line.targets.is_empty() => {
            line.targets.pop();
        }
        Mistake::Add(_, to) => line.targets.push(to.get(&names).clone()),
        Mistake::ToggleForeach(_) if line.targets.len() == 1 => line.is_foreach ^= true,
        Mistake::ToggleJoin(_) => line.is_join ^= true,
        Mistake::Unknown(_)
        | Mistake::Retarget(..)
        | Mistake::Forget(_)
        | Mistake::ToggleForeach(_) => line.targets = vec!["nowhere".to_owned()],
    }
}

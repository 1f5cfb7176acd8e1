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
}

/// A step of the source text.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) name: String,
    pub(crate) is_join: bool,
    pub(crate) targets: Vec<String>,
    pub(crate) is_foreach: bool,
}

/// A flow and the nesting that its plan must have: `a (b | c) d [e] f`.
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

/// Flows in which the steps stand in any order.
pub(crate) fn sample() -> impl Strategy<Value = Sample> {
    sequence().prop_flat_map(|blocks| {
        let mut lines = vec![line("end", false, Vec::new())];
        let (first, shape) = build(&blocks, "end", &mut lines);
        lines.push(line("start", false, vec![first]));
        let shape = format!("start {shape}end");
        (Just(lines).prop_shuffle(), Just(shape)).prop_map(|(lines, shape)| Sample { lines, shape })
    })
}

fn line(name: &str, is_join: bool, targets: Vec<String>) -> Line {
    Line {
        name: name.to_owned(),
        is_join,
        targets,
        is_foreach: false,
    }
}

/// Adds the steps of a sequence that leads to `after`; returns the first one's name, and the shape with a blank behind each part.
fn build(blocks: &[Block], after: &str, lines: &mut Vec<Line>) -> (String, String) {
    let mut after = after.to_owned();
    let mut shape = String::new();
    for block in blocks.iter().rev() {
        let join = format!("s{}", lines.len());
        if let Block::Step = block {
            lines.push(line(&join, false, vec![after]));
            shape = format!("{join} {shape}");
            after = join;
            continue;
        }
        lines.push(line(&join, true, vec![after]));
        let (bodies, is_foreach) = match block {
            Block::Split(branches) => (branches.clone(), false),
            Block::Map(body) => (vec![body.clone()], true),
            Block::Step => unreachable!("handled above"),
        };
        let built: Vec<(String, String)> = bodies
            .iter()
            .map(|body| build(body, &join, lines))
            .collect();
        let inner: Vec<&str> = built.iter().map(|(_, shape)| shape.trim_end()).collect();
        let inner = inner.join(" | ");
        let split = format!("s{}", lines.len());
        lines.push(Line {
            is_foreach,
            ..line(
                &split,
                false,
                built.iter().map(|(first, _)| first.clone()).collect(),
            )
        });
        let (open, close) = if is_foreach { ('[', ']') } else { ('(', ')') };
        shape = format!("{split} {open}{inner}{close} {join} {shape}");
        after = split;
    }
    (after, shape)
}

/// The flow as a Python file.
pub(crate) fn source(lines: &[Line]) -> String {
    let mut text =
        "from metaflow import FlowSpec, step\n\n\nclass RandomFlow(FlowSpec):\n".to_owned();
    for line in lines {
        let inputs = if line.is_join { ", inputs" } else { "" };
        let foreach = if line.is_foreach {
            ", foreach=\"items\""
        } else {
            ""
        };
        let targets: Vec<String> = line
            .targets
            .iter()
            .map(|name| format!("self.{name}"))
            .collect();
        let body = if targets.is_empty() {
            "pass".to_owned()
        } else {
            format!("self.next({}{foreach})", targets.join(", "))
        };
        let name = &line.name;
        writeln!(
            text,
            "    @step\n    def {name}(self{inputs}):\n        {body}\n"
        )
        .expect("text takes everything");
    }
    text + "\nif __name__ == \"__main__\":\n    RandomFlow()\n"
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

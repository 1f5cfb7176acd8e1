//! Which tasks may start: the graph unrolled as far as the counts of its foreaches are known.
//!
//! Pure: told what committed, it says what became ready. Each commit costs as much as it makes ready, so a run's cost is linear in its tasks.

use std::collections::{BTreeSet, HashMap, VecDeque};

use flowc_protocol::identity::IndexPath;
use flowc_protocol::manifest::{Manifest, StepKind};

/// A task: a step and its place in the open foreaches.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TaskName {
    /// Position in [`Manifest::steps`].
    pub step: usize,
    /// One index for each open foreach.
    pub index: IndexPath,
}

/// What a step needs to know about its neighbours, by position instead of name.
#[derive(Debug)]
struct Node {
    next: Vec<usize>,
    is_join: bool,
    /// Branches that one task of this join waits for; for a join of a foreach the count decides.
    branches: u32,
    /// Open foreaches around it.
    depth: usize,
    /// For a foreach split, the join that closes it.
    closed_by: Option<usize>,
    /// Steps directly inside this foreach: each has one task for each element.
    body: Vec<usize>,
    /// For a switch, by successor: the steps that are passed by if that is chosen.
    passed: HashMap<usize, Vec<usize>>,
}

/// The tasks of a run that are ready, waiting, or not known yet.
#[derive(Debug)]
pub struct Ready {
    nodes: Vec<Node>,
    queue: VecDeque<TaskName>,
    /// Joins of which some inputs are committed or known, with the number of inputs still missing.
    waiting: HashMap<TaskName, u32>,
    /// Tasks of each step that the run will have, as far as known.
    expected: Vec<u32>,
    unfinished: usize,
}

impl Ready {
    /// At the start of a run only the first step is ready.
    pub fn new(manifest: &Manifest) -> Self {
        let position = |name: &String| manifest.steps.get_index_of(name);
        let mut nodes: Vec<Node> = manifest
            .steps
            .values()
            .map(|step| Node {
                next: step.next.iter().filter_map(position).collect(),
                is_join: step.kind == StepKind::Join,
                branches: 0,
                depth: step.foreach.len(),
                closed_by: None,
                body: Vec::new(),
                passed: HashMap::new(),
            })
            .collect();
        let step_kind = |at: usize| manifest.steps[at].kind;
        for (at, step) in manifest.steps.values().enumerate() {
            if let Some(split) = step.split.as_ref().and_then(position) {
                nodes[split].closed_by = Some(at).filter(|_| step_kind(split) == StepKind::Foreach);
                nodes[at].branches = nodes[split].next.len() as u32;
            }
            if let Some(split) = step.foreach.last().and_then(position) {
                nodes[split].body.push(at);
            }
        }
        for at in 0..nodes.len() {
            if step_kind(at) == StepKind::Switch {
                nodes[at].passed = passed(&nodes, at);
            }
        }
        let expected = nodes
            .iter()
            .map(|node| u32::from(node.depth == 0))
            .collect();
        let mut ready = Self {
            nodes,
            queue: VecDeque::new(),
            waiting: HashMap::new(),
            expected,
            unfinished: 0,
        };
        if let Some(start) = position(&manifest.start) {
            ready.enqueue(TaskName {
                step: start,
                index: IndexPath::root(),
            });
        }
        ready
    }

    /// Takes the task that became ready first.
    pub fn take(&mut self) -> Option<TaskName> {
        self.queue.pop_front()
    }

    /// Takes the other nodes of the gang that a task is a node of, which are ready as well.
    pub fn take_gang(&mut self, first: &TaskName) -> Vec<TaskName> {
        let around = first.index.indices().len().saturating_sub(1);
        let is_node = |task: &TaskName| {
            task.step == first.step && task.index.truncated(around) == first.index.truncated(around)
        };
        let queue = std::mem::take(&mut self.queue);
        let (gang, rest): (Vec<_>, Vec<_>) = queue.into_iter().partition(is_node);
        self.queue = rest.into();
        gang
    }

    /// Gives back tasks that were taken and not begun, in their order.
    pub fn put_back(&mut self, tasks: Vec<TaskName>) {
        self.queue.extend(tasks);
    }

    /// Whether a task is ready.
    pub fn has_ready(&self) -> bool {
        !self.queue.is_empty()
    }

    /// Whether every task that was made ready has committed.
    pub fn is_finished(&self) -> bool {
        self.unfinished == 0
    }

    /// Tasks that a step will have, as far as counts are known.
    pub fn expected(&self, step: usize) -> u32 {
        self.expected[step]
    }

    /// Records that a task committed; `count` is the number of elements if it is a foreach split, `chosen` the
    /// position of the step that it chose if it is a switch.
    pub fn committed(&mut self, task: &TaskName, count: Option<u32>, chosen: Option<usize>) {
        self.unfinished = self.unfinished.saturating_sub(1);
        if let Some(join) = self.nodes[task.step].closed_by
            && let Some(count) = count
        {
            self.fan_out(task, join, count);
            return;
        }
        if let Some(passed) = chosen.and_then(|chosen| self.nodes[task.step].passed.get(&chosen)) {
            for step in passed {
                self.expected[*step] -= 1;
            }
        }
        let mut following = self.nodes[task.step].next.clone();
        following.retain(|next| chosen.is_none_or(|chosen| chosen == *next));
        for next in following {
            let node = &self.nodes[next];
            let name = TaskName {
                step: next,
                index: task.index.truncated(node.depth),
            };
            if node.is_join {
                let branches = node.branches;
                self.input_of_join(name, branches);
            } else {
                self.enqueue(name);
            }
        }
    }

    /// Makes one task for each element ready, or the join at once if there is none.
    fn fan_out(&mut self, split: &TaskName, join: usize, count: u32) {
        for step in &self.nodes[split.step].body {
            self.expected[*step] += count;
        }
        let join = TaskName {
            step: join,
            index: split.index.clone(),
        };
        if count == 0 {
            self.enqueue(join);
            return;
        }
        self.waiting.insert(join, count);
        for step in self.nodes[split.step].next.clone() {
            for element in 0..count {
                self.enqueue(TaskName {
                    step,
                    index: split.index.child(element),
                });
            }
        }
    }

    fn input_of_join(&mut self, join: TaskName, branches: u32) {
        let missing = self.waiting.entry(join.clone()).or_insert(branches);
        *missing -= 1;
        if *missing == 0 {
            self.waiting.remove(&join);
            self.enqueue(join);
        }
    }

    fn enqueue(&mut self, task: TaskName) {
        self.unfinished += 1;
        self.queue.push_back(task);
    }
}

/// For each successor of a switch, the steps that can be reached from the switch and not from there. Those inside a
/// foreach that opens behind the switch do not count: they are expected once that has split.
fn passed(nodes: &[Node], switch: usize) -> HashMap<usize, Vec<usize>> {
    let all = reached(nodes, nodes[switch].next.clone(), nodes[switch].depth);
    let next = nodes[switch].next.iter();
    let passed = next.map(|chosen| {
        let still = reached(nodes, vec![*chosen], nodes[switch].depth);
        let passed = all.iter().copied().filter(|step| !still.contains(step));
        (*chosen, passed.collect())
    });
    passed.collect()
}

/// The steps at this depth that can be reached without leaving the foreach around them.
fn reached(nodes: &[Node], from: Vec<usize>, depth: usize) -> BTreeSet<usize> {
    let mut seen = BTreeSet::new();
    let mut open = from;
    while let Some(at) = open.pop() {
        let node = &nodes[at];
        if node.depth < depth || !seen.insert(at) {
            continue;
        }
        open.extend(&node.next);
    }
    seen.retain(|at| nodes[*at].depth == depth);
    seen
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Name, kind, successors, open foreaches, and the split that a join closes.
    type Line<'a> = (
        &'a str,
        StepKind,
        &'a [&'a str],
        &'a [&'a str],
        Option<&'a str>,
    );

    /// A manifest of these steps.
    pub(crate) fn manifest(steps: &[Line<'_>]) -> Manifest {
        let entries = steps.iter().map(|(name, kind, next, foreach, split)| {
            let parents: Vec<&str> = steps
                .iter()
                .filter(|(_, _, next, ..)| next.contains(name))
                .map(|(parent, ..)| *parent)
                .collect();
            let step = serde_json::json!({
                "type": kind, "next": next, "parents": parents, "foreach": foreach, "split": split,
            });
            (*name, step)
        });
        let steps: serde_json::Map<_, _> = entries
            .map(|(name, step)| (name.to_owned(), step))
            .collect();
        serde_json::from_value(serde_json::json!({
            "protocol": 1, "flow": "F", "file": "f.py", "start": "start", "end": "end",
            "parameters": [], "steps": steps, "graph_info": {},
        }))
        .unwrap()
    }

    /// start ⇉ outer (foreach) → inner (foreach) → {a, b} → pair → gather → all → end
    pub(crate) fn nested() -> Manifest {
        use StepKind::{End, Foreach, Join, Linear, Split};
        manifest(&[
            ("start", Foreach, &["inner"], &[], None),
            ("inner", Foreach, &["fork"], &["start"], None),
            ("fork", Split, &["a", "b"], &["start", "inner"], None),
            ("a", Linear, &["pair"], &["start", "inner"], None),
            ("b", Linear, &["pair"], &["start", "inner"], None),
            ("pair", Join, &["gather"], &["start", "inner"], Some("fork")),
            ("gather", Join, &["all"], &["start"], Some("inner")),
            ("all", Join, &["end"], &[], Some("start")),
            ("end", End, &[], &[], None),
        ])
    }

    /// Runs everything, newest first where `reverse`, and returns the names in order of start.
    fn walk(manifest: &Manifest, reverse: bool, count: impl Fn(&TaskName) -> u32) -> Vec<String> {
        let mut ready = Ready::new(manifest);
        let mut seen = Vec::new();
        let mut running = Vec::new();
        loop {
            while let Some(task) = ready.take() {
                let name = manifest.steps.get_index(task.step).unwrap().0;
                seen.push(format!("{name}/{}", task.index));
                running.push(task);
            }
            if running.is_empty() {
                break;
            }
            let task = if reverse {
                running.pop().unwrap()
            } else {
                running.remove(0)
            };
            let split = manifest.steps[task.step].kind == StepKind::Foreach;
            let count = split.then(|| count(&task));
            // A switch takes its first successor for even indices, its last for odd ones.
            let step = &manifest.steps[task.step];
            let chosen = (step.kind == StepKind::Switch).then(|| {
                let last =
                    task.index.indices().last().unwrap_or(&0) % 2 * (step.next.len() as u32 - 1);
                manifest
                    .steps
                    .get_index_of(&step.next[last as usize])
                    .unwrap()
            });
            ready.committed(&task, count, chosen);
        }
        assert!(ready.is_finished() && ready.waiting.is_empty());
        seen
    }

    #[test]
    fn nested_foreaches_unroll_whatever_the_order() {
        for reverse in [false, true] {
            let mut seen = walk(&nested(), reverse, |task| {
                2 + task.index.indices().iter().sum::<u32>()
            });
            assert_eq!(seen.last().unwrap(), "end/-");
            let before = seen.len();
            seen.sort();
            seen.dedup();
            assert_eq!(seen.len(), before, "a task was started twice");
            // 2 outer elements with 2 and 3 inner ones: 5 of each of fork, a, b, pair.
            assert_eq!(before, 1 + 2 + 5 * 4 + 2 + 1 + 1);
        }
    }

    #[test]
    fn a_join_comes_after_all_its_inputs() {
        let seen = walk(&nested(), true, |_| 3);
        let at = |name: &str| seen.iter().position(|seen| seen == name).unwrap();
        for element in 0..3 {
            assert!(at("all/-") > at(&format!("gather/{element}")));
        }
        assert!(at("pair/1-2") > at("a/1-2") && at("pair/1-2") > at("b/1-2"));
    }

    #[test]
    fn an_empty_foreach_goes_straight_to_its_join() {
        let seen = walk(&nested(), false, |task| {
            u32::from(task.index.indices().is_empty()) * 2
        });
        assert_eq!(
            seen,
            [
                "start/-", "inner/0", "inner/1", "gather/0", "gather/1", "all/-", "end/-"
            ]
        );
    }

    #[test]
    fn expected_tasks_follow_the_counts() {
        let manifest = nested();
        let mut ready = Ready::new(&manifest);
        let position = |name: &str| manifest.steps.get_index_of(name).unwrap();
        assert_eq!(ready.expected(position("inner")), 0);
        let start = ready.take().unwrap();
        ready.committed(&start, Some(10_000), None);
        assert_eq!(ready.expected(position("inner")), 10_000);
        assert_eq!(ready.expected(position("gather")), 10_000);
        assert_eq!(ready.expected(position("all")), 1);
        let inner = ready.take().unwrap();
        ready.committed(&inner, Some(7), None);
        assert_eq!(ready.expected(position("pair")), 7);
    }

    #[test]
    fn a_switch_starts_one_successor_and_its_merge_starts_once() {
        use StepKind::{End, Foreach, Join, Linear, Switch};
        let manifest = manifest(&[
            ("start", Foreach, &["pick"], &[], None),
            ("pick", Switch, &["long", "short"], &["start"], None),
            ("long", Linear, &["longer"], &["start"], None),
            ("longer", Linear, &["merge"], &["start"], None),
            ("short", Linear, &["merge"], &["start"], None),
            ("merge", Linear, &["gather"], &["start"], None),
            ("gather", Join, &["end"], &[], Some("start")),
            ("end", End, &[], &[], None),
        ]);
        let mut seen = walk(&manifest, true, |_| 3);
        seen.sort();
        assert_eq!(
            seen,
            [
                "end/-", "gather/-", "long/0", "long/2", "longer/0", "longer/2", "merge/0",
                "merge/1", "merge/2", "pick/0", "pick/1", "pick/2", "short/1", "start/-"
            ]
        );
        let mut ready = Ready::new(&manifest);
        let position = |name: &str| manifest.steps.get_index_of(name).unwrap();
        let start = ready.take().unwrap();
        ready.committed(&start, Some(3), None);
        let pick = ready.take().unwrap();
        ready.committed(&pick, None, Some(position("short")));
        let expected =
            ["long", "longer", "short", "merge"].map(|name| ready.expected(position(name)));
        assert_eq!(expected, [2, 2, 3, 3]);
    }

    #[test]
    fn arms_may_end_in_a_join() {
        use StepKind::{End, Join, Linear, Split, Switch};
        let manifest = manifest(&[
            ("start", Split, &["pick", "other"], &[], None),
            ("pick", Switch, &["a", "b"], &[], None),
            ("a", Linear, &["both"], &[], None),
            ("b", Linear, &["both"], &[], None),
            ("other", Linear, &["both"], &[], None),
            ("both", Join, &["end"], &[], Some("start")),
            ("end", End, &[], &[], None),
        ]);
        let seen = walk(&manifest, false, |_| 0);
        assert_eq!(
            seen,
            ["start/-", "pick/-", "other/-", "a/-", "both/-", "end/-"]
        );
    }
}

//! Every split is closed by one join that receives all its branches.
//!
//! Steps are visited in topological order; each carries the innermost open branch that it lies in.
//! A split opens a branch per target, a join closes them, and the end must lie in none.

mod messages;

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};

use super::graph::{Edge, Graph};
use super::reachability::behind_lost_splits;
use crate::diag::{Diagnostic, Diagnostics};
use crate::ir::flow::FlowStepId;

/// Most splits that may be open around one step.
///
/// Regions nest as splits do: back ends walk them by recursion, and a level takes up to four levels of JSON, of which readers such as `serde_json` take 128.
pub(crate) const NESTING_MAX: usize = 30;

/// A branch of an open split.
struct Scope {
    split: FlowStepId,
    branch: usize,
    outer: Option<ScopeId>,
    depth: usize,
}

/// Position in [`Walk::scopes`].
type ScopeId = usize;

/// What is known of a flow whose splits and joins match; lists are indexed by the step's position in the arena.
pub(crate) struct Structure {
    /// Steps that can be reached, each after all its predecessors; among those free to stand anywhere, source order decides.
    pub(crate) order: Vec<FlowStepId>,
    /// The join that closes a split.
    pub(crate) join: Vec<Option<FlowStepId>>,
    /// The split that a join closes.
    pub(crate) split: Vec<Option<FlowStepId>>,
    /// Position, in its split's transition, of the innermost branch that is open where a step is left; 0 outside any.
    pub(crate) branch: Vec<usize>,
    /// Foreach splits open around a step, outermost first.
    pub(crate) foreach: Vec<Vec<FlowStepId>>,
}

/// Matches splits and joins of the steps that can be reached.
pub(super) fn check(graph: &Graph, reachable: &[bool]) -> (Structure, Diagnostics) {
    let mut walk = Walk::new(graph, reachable);
    let order = topological(graph, reachable);
    for id in &order {
        walk.visit(*id);
    }
    walk.blame_what_is_cut_short(reachable);
    let Walk {
        found,
        blamed,
        structure,
        ..
    } = walk;
    let mut diagnostics = Diagnostics::default();
    for (splits, diagnostic) in found {
        if !splits.iter().any(|split| blamed[split.index()]) {
            diagnostics.push(diagnostic);
        }
    }
    (Structure { order, ..structure }, diagnostics)
}

/// Kahn's algorithm; steps in or behind a cycle are left out.
fn topological(graph: &Graph, reachable: &[bool]) -> Vec<FlowStepId> {
    let is_live = |edge: &&Edge| reachable[edge.from.index()];
    let mut waits: Vec<usize> = graph
        .into
        .iter()
        .map(|edges| edges.iter().filter(is_live).count())
        .collect();
    let mut ready: BinaryHeap<Reverse<FlowStepId>> = graph
        .steps()
        .map(|(id, _)| id)
        .filter(|id| reachable[id.index()] && waits[id.index()] == 0)
        .map(Reverse)
        .collect();
    let mut order = Vec::with_capacity(graph.flow.steps.len());
    while let Some(Reverse(id)) = ready.pop() {
        order.push(id);
        for edge in &graph.out[id.index()] {
            let to = edge.to.index();
            waits[to] -= 1;
            if waits[to] == 0 {
                ready.push(Reverse(edge.to));
            }
        }
    }
    order
}

struct Walk<'g, 'f> {
    graph: &'g Graph<'f>,
    reachable: &'g [bool],
    behind_lost_splits: Vec<bool>,
    scopes: Vec<Scope>,
    /// Innermost open branch at the exit of a step, or for a split the branches that it opens.
    exits: Vec<Exit>,
    visited: Vec<bool>,
    /// Steps behind a mistake, where nothing certain can be said any more.
    tainted: Vec<bool>,
    /// Splits that something was reported of already.
    reported: Vec<bool>,
    /// Splits whose branches we cannot follow to their ends.
    blamed: Vec<bool>,
    found: Vec<(Vec<FlowStepId>, Diagnostic)>,
    structure: Structure,
}

#[derive(Clone, Copy)]
enum Exit {
    Inside(Option<ScopeId>),
    /// The first of the consecutive scopes that a split opened, one per target as written.
    Opens(ScopeId),
}

impl<'g, 'f> Walk<'g, 'f> {
    fn new(graph: &'g Graph<'f>, reachable: &'g [bool]) -> Self {
        let count = graph.flow.steps.len();
        Self {
            graph,
            reachable,
            behind_lost_splits: behind_lost_splits(graph, reachable),
            scopes: Vec::new(),
            exits: vec![Exit::Inside(None); count],
            visited: vec![false; count],
            tainted: vec![false; count],
            reported: vec![false; count],
            blamed: vec![false; count],
            found: Vec::new(),
            structure: Structure {
                order: Vec::new(),
                join: vec![None; count],
                split: vec![None; count],
                branch: vec![0; count],
                foreach: vec![Vec::new(); count],
            },
        }
    }

    fn visit(&mut self, id: FlowStepId) {
        let graph = self.graph;
        let edges: Vec<Edge> = graph.into[id.index()]
            .iter()
            .filter(|edge| self.reachable[edge.from.index()])
            .copied()
            .collect();
        self.visited[id.index()] = true;
        self.tainted[id.index()] = edges.iter().any(|edge| self.tainted[edge.from.index()]);
        let scope = if Some(id) == graph.end {
            self.close_at_end(id, &edges);
            None
        } else if graph.is_join(id) && !edges.is_empty() {
            self.close_at_join(id, &edges)
        } else {
            self.pass(id, &edges)
        };
        self.structure.foreach[id.index()] = self.open_foreach(scope);
        self.structure.branch[id.index()] = scope.map_or(0, |scope| self.scopes[scope].branch);
        self.exits[id.index()] = if graph.is_split(id) {
            self.open(id, scope)
        } else {
            Exit::Inside(scope)
        };
    }

    /// The branch in which an edge arrives.
    fn scope_of(&self, edge: &Edge) -> Option<ScopeId> {
        match self.exits[edge.from.index()] {
            Exit::Inside(scope) => scope,
            Exit::Opens(first) => Some(first + edge.branch),
        }
    }

    fn open(&mut self, id: FlowStepId, outer: Option<ScopeId>) -> Exit {
        let graph = self.graph;
        let depth = outer.map_or(0, |scope| self.scopes[scope].depth) + 1;
        let next = graph.flow.steps[id].next.as_ref();
        if depth == NESTING_MAX + 1 {
            self.report(&[], messages::too_deep(graph, id));
        }
        let branches = next.map_or(0, |next| next.targets.len());
        let first = self.scopes.len();
        self.scopes.extend((0..branches).map(|branch| Scope {
            split: id,
            branch,
            outer,
            depth,
        }));
        Exit::Opens(first)
    }

    fn open_foreach(&self, scope: Option<ScopeId>) -> Vec<FlowStepId> {
        let mut open = Vec::new();
        let mut at = scope;
        while let Some(scope) = at {
            let scope = &self.scopes[scope];
            // Deeper ones are refused, so that nobody needs their lists.
            if scope.depth > NESTING_MAX {
                return Vec::new();
            }
            if self.graph.is_foreach(scope.split) {
                open.push(scope.split);
            }
            at = scope.outer;
        }
        open.reverse();
        open
    }

    /// Says something of some splits, unless something was said of one of them already.
    fn report(&mut self, splits: &[FlowStepId], diagnostic: Diagnostic) {
        if splits.iter().any(|split| self.reported[split.index()]) {
            return;
        }
        for split in splits {
            self.reported[split.index()] = true;
        }
        self.found.push((splits.to_vec(), diagnostic));
    }

    /// The different splits whose branches arrive, in source order.
    fn splits(&self, edges: &[Edge]) -> Vec<FlowStepId> {
        let scopes = edges.iter().filter_map(|edge| self.scope_of(edge));
        let splits: BTreeSet<FlowStepId> = scopes.map(|scope| self.scopes[scope].split).collect();
        splits.into_iter().collect()
    }

    /// A step that is neither join nor end: all transitions into it must come from one branch.
    fn pass(&mut self, id: FlowStepId, edges: &[Edge]) -> Option<ScopeId> {
        let scope = self.scope_of(edges.first()?);
        let mixed = edges.iter().any(|edge| self.scope_of(edge) != scope);
        if !mixed {
            return scope;
        }
        let splits = self.splits(edges);
        if self.tainted[id.index()] {
            self.mark(&splits);
        } else {
            self.report(&splits, messages::not_a_join(self.graph, id, edges));
        }
        self.tainted[id.index()] = true;
        scope
    }

    fn mark(&mut self, splits: &[FlowStepId]) {
        for split in splits {
            self.reported[split.index()] = true;
        }
    }

    /// The end lies in no branch.
    fn close_at_end(&mut self, id: FlowStepId, edges: &[Edge]) {
        let is_join = self.graph.is_join(id);
        for edge in edges {
            let mut open = Vec::new();
            let mut at = self.scope_of(edge);
            while let Some(scope) = at {
                let Scope { split, outer, .. } = self.scopes[scope];
                if self.reported[split.index()] {
                    break;
                }
                open.push(split);
                at = outer;
            }
            let Some(innermost) = open.first() else {
                continue;
            };
            if is_join || self.tainted[id.index()] {
                // Said already, by the rule that the end is no join.
                self.mark(&open);
                continue;
            }
            let mut found = messages::never_joined(self.graph, id, edge, *innermost);
            for split in open[1..].iter().take(3) {
                if let Some(next) = &self.graph.flow.steps[*split].next {
                    found = found.label(next.span, "opened here, and still open as well");
                }
            }
            self.report(&open[..1], found);
            self.mark(&open);
        }
    }

    /// A join closes the innermost split of all branches that arrive.
    fn close_at_join(&mut self, id: FlowStepId, edges: &[Edge]) -> Option<ScopeId> {
        let graph = self.graph;
        let scopes: Vec<Option<ScopeId>> = edges.iter().map(|edge| self.scope_of(edge)).collect();
        let splits = self.splits(edges);
        let is_open = scopes.iter().any(Option::is_some);
        if !is_open {
            let is_doubtful = self.tainted[id.index()] || self.behind_lost_splits[id.index()];
            if !is_doubtful && !graph.is_split(id) {
                self.report(&[], messages::no_split(graph, id, edges));
            }
            return None;
        }
        if let Some(direct) = edges.iter().find(|edge| graph.is_switch(edge.from)) {
            self.report(&splits, messages::switch_into_join(graph, id, direct));
        }
        let [split] = splits[..] else {
            return self.unrelated(id, edges, &scopes, &splits);
        };
        if scopes.iter().any(Option::is_none) {
            return self.unrelated(id, edges, &scopes, &splits);
        }
        let outer = scopes[0].and_then(|scope| self.scopes[scope].outer);
        if let Some(direct) = edges.iter().find(|edge| edge.from == split) {
            if graph.is_split(id) {
                // That it is a join as well is an error already, and probably the extra argument is the mistake.
                self.mark(&splits);
                self.tainted[id.index()] = true;
                return outer;
            }
            let found = messages::empty_branch(graph, id, split, direct);
            self.report(&[split], found);
            return outer;
        }
        let branches = graph.flow.steps[split]
            .next
            .as_ref()
            .map_or(0, |next| next.targets.len());
        let mut arrives = vec![false; branches];
        for scope in scopes.iter().flatten() {
            arrives[self.scopes[*scope].branch] = true;
        }
        if arrives.iter().any(|arrives| !arrives) {
            let found = messages::missing(graph, id, split, &arrives);
            self.report(&[split], found);
            return outer;
        }
        self.structure.join[split.index()] = Some(id);
        self.structure.split[id.index()] = Some(split);
        outer
    }

    fn unrelated(
        &mut self,
        id: FlowStepId,
        edges: &[Edge],
        scopes: &[Option<ScopeId>],
        splits: &[FlowStepId],
    ) -> Option<ScopeId> {
        if self.tainted[id.index()] {
            self.mark(splits);
        } else {
            let innermost = |scope: &Option<ScopeId>| scope.map(|scope| self.scopes[scope].split);
            let places: Vec<_> = scopes.iter().map(innermost).collect();
            self.report(splits, messages::unrelated(self.graph, id, edges, &places));
        }
        self.tainted[id.index()] = true;
        let shallow = scopes
            .iter()
            .flatten()
            .min_by_key(|scope| self.scopes[**scope].depth);
        shallow.and_then(|scope| self.scopes[*scope].outer)
    }

    /// Where a transition leads nowhere we know of, or into a cycle, the splits around it cannot be judged.
    fn blame_what_is_cut_short(&mut self, reachable: &[bool]) {
        let graph = self.graph;
        for (id, _) in graph.steps() {
            let index = id.index();
            if !reachable[index] || !self.visited[index] {
                continue;
            }
            let leads_on = graph.out[index]
                .iter()
                .all(|edge| self.visited[edge.to.index()]);
            if leads_on && !graph.broken[index] {
                continue;
            }
            let mut at = match self.exits[index] {
                Exit::Inside(scope) => scope,
                Exit::Opens(first) => Some(first),
            };
            while let Some(scope) = at {
                let Scope { split, outer, .. } = self.scopes[scope];
                if std::mem::replace(&mut self.blamed[split.index()], true) {
                    break;
                }
                at = outer;
            }
        }
    }
}

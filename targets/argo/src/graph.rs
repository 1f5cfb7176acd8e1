//! From the plan's nested regions to DAG templates: one for the flow, one for each foreach body of more than one step.
//!
//! Which task waits for which is said by `depends`, in words about the phases of other tasks. A task that a switch did not choose is
//! `Skipped` by its `when`, and all that follows it alone is `Omitted`. A `when` reads only the choice of the switch right before it,
//! which has succeeded if the `when` is looked at: no output of a task that may be skipped is ever read.

use flowc_core::diag::Diagnostics;
use flowc_core::ir::plan::{Node, Plan, Region, StepId, StepKind};
use flowc_target::{Namer, Options};

use crate::manifest::{Arguments, Dag, Parameter, Sequence, Suspend, Task, Template};
use crate::names;
use crate::step::{COUNT, INDEX, NEXT, chooses, parameters, template};

/// Up to so many siblings are named to say that a switch chose none of them; beyond, a task of its own says what it chose.
const SIBLINGS_MAX: usize = 3;

/// Templates of a flow, in the order in which a reader meets them.
pub(crate) struct Graph<'a> {
    plan: &'a Plan,
    /// Template and task name of each step, by the step's place in the arena.
    step_names: Vec<String>,
    /// What joins wait for, by the step's place in the arena; known when the branches have been printed.
    joined: Vec<Option<String>>,
    /// Graphs first, then containers.
    graphs: Vec<Template>,
    /// Whether a task needs the template that runs nothing.
    has_choices: bool,
}

/// All templates: the flow's graph, the graphs of foreach bodies, a container for each step.
pub(crate) fn templates(plan: &Plan, options: &Options, found: &mut Diagnostics) -> Vec<Template> {
    let mut namer = Namer::new(names::TASK);
    let step_names = plan
        .steps
        .iter()
        .map(|(_, step)| namer.name(&step.name, step.span))
        .collect();
    found.extend(namer.finish());
    let mut graph = Graph {
        plan,
        step_names,
        joined: vec![None; plan.steps.len()],
        graphs: Vec::new(),
        has_choices: false,
    };
    graph.template(names::ENTRYPOINT.to_owned(), &plan.root, 0);
    let mut templates = graph.graphs;
    if graph.has_choices {
        templates.push(Template {
            name: Some(names::CHOICE.to_owned()),
            // It ends as it begins: Argo looks at the time once more than it notes it (`executeSuspend`).
            suspend: Some(Suspend { duration: "0" }),
            ..Template::default()
        });
    }
    for ((_, step), name) in plan.steps.iter().zip(&graph.step_names) {
        templates.push(template(step, name, options, found));
    }
    templates
}

impl Graph<'_> {
    /// The graph of a region that stands `depth` foreaches deep.
    fn template(&mut self, name: String, region: &Region, depth: usize) {
        let place = self.graphs.len();
        self.graphs.push(Template {
            name: Some(name),
            inputs: (depth > 0).then(|| parameters([index(None)])),
            ..Template::default()
        });
        let mut tasks = Vec::new();
        self.region(region, depth, &mut tasks);
        self.graphs[place].dag = Some(Dag { tasks });
    }

    /// Adds the tasks of a region.
    fn region(&mut self, region: &Region, depth: usize, tasks: &mut Vec<Task>) {
        for node in &region.nodes {
            self.node(node, depth, tasks);
        }
    }

    fn node(&mut self, node: &Node, depth: usize, tasks: &mut Vec<Task>) {
        match node {
            Node::Step(step) => {
                let depends = self.depends(*step, tasks);
                let name = self.step_name(*step).to_owned();
                tasks.push(Task {
                    template: name.clone(),
                    name,
                    depends,
                    when: self.when(*step),
                    with_sequence: None,
                    arguments: (depth > 0).then(|| parameters([index(Some(inherited()))])),
                    continue_on: None,
                });
            }
            Node::Parallel { branches, join, .. } => {
                let mut ends = Vec::new();
                for branch in branches {
                    self.region(branch, depth, tasks);
                    let last = branch.nodes.iter().filter_map(|node| match node {
                        Node::Step(step) if self.plan.steps[*step].next.contains(join) => {
                            Some(*step)
                        }
                        Node::Step(_) | Node::Parallel { .. } | Node::Map { .. } => None,
                    });
                    let last: Vec<StepId> = last.collect();
                    ends.push(self.any(&last, *join, tasks));
                }
                self.joined[join.index()] = all(&ends);
            }
            Node::Map { split, body, join } => {
                let name = self.body(*split, body, depth);
                let split = self.step_name(*split).to_owned();
                // An empty fan-out is `Skipped`; without that word its join, and all after it, would be left out silently.
                let done = format!("{name}.Succeeded || {name}.Skipped");
                self.joined[join.index()] = Some(done);
                tasks.push(Task {
                    template: name.clone(),
                    name,
                    depends: Some(format!("{split}.Succeeded")),
                    when: None,
                    with_sequence: Some(Sequence {
                        count: format!("{{{{tasks.{split}.outputs.parameters.{COUNT}}}}}"),
                    }),
                    arguments: Some(item(depth)),
                    continue_on: None,
                });
            }
        }
    }

    /// What a step waits for; nothing if it is the first of its template.
    fn depends(&mut self, step: StepId, tasks: &mut Vec<Task>) -> Option<String> {
        let plan = self.plan;
        let parents = &plan.steps[step].parents;
        if let StepKind::Join { .. } = plan.steps[step].kind {
            return self.joined[step.index()].take();
        }
        let opens_body =
            |parent: &StepId| matches!(plan.steps[*parent].kind, StepKind::Foreach { .. });
        if parents.iter().any(opens_body) {
            return None;
        }
        self.any(parents, step, tasks)
    }

    /// What a step waits for that comes after one of its parents, whichever ran.
    ///
    /// All of them must have ended, one way or another, before Argo looks at the words.
    fn any(&mut self, parents: &[StepId], step: StepId, tasks: &mut Vec<Task>) -> Option<String> {
        let ways: Vec<String> = parents
            .iter()
            .map(|parent| self.way(*parent, step, tasks))
            .collect();
        if let [way] = ways.as_slice() {
            return Some(way.clone());
        }
        let ways: Vec<String> = ways.iter().map(|way| grouped(way, "&&")).collect();
        (!ways.is_empty()).then(|| ways.join(" || "))
    }

    /// That a parent has succeeded and, if it is a switch, chose the step.
    ///
    /// Where the switch is the only parent, the step's own `when` says the latter. Where there are others, that `when` would
    /// be read after those too. The siblings tell then: if each follows the switch alone, they are all `Skipped`, which they only are
    /// behind a switch that succeeded. Else a task tells that runs nothing.
    fn way(&mut self, parent: StepId, step: StepId, tasks: &mut Vec<Task>) -> String {
        let plan = self.plan;
        let name = self.step_name(parent);
        let succeeded = format!("{name}.Succeeded");
        if !chooses(&plan.steps[parent]) || self.is_only_way(parent, step) {
            return succeeded;
        }
        let next = &plan.steps[parent].next;
        let siblings: Vec<StepId> = next.iter().filter(|next| **next != step).copied().collect();
        let tell = |sibling: &StepId| self.is_only_way(parent, *sibling);
        if siblings.len() <= SIBLINGS_MAX && siblings.iter().all(tell) {
            let skipped = siblings.iter();
            let skipped = skipped.map(|sibling| format!("{}.Skipped", self.step_name(*sibling)));
            return skipped.collect::<Vec<_>>().join(" && ");
        }
        let place = next.iter().position(|next| *next == step);
        let choice = names::choice(name, place.unwrap_or_default() + 1);
        let way = format!("{choice}.Succeeded");
        tasks.push(Task {
            name: choice,
            depends: Some(succeeded),
            when: Some(self.chosen(parent, step)),
            template: names::CHOICE.to_owned(),
            with_sequence: None,
            arguments: None,
            continue_on: None,
        });
        self.has_choices = true;
        way
    }

    /// Whether the step follows this parent alone.
    fn is_only_way(&self, parent: StepId, step: StepId) -> bool {
        self.plan.steps[step].parents == [parent]
    }

    /// The condition of a step that follows a switch alone.
    fn when(&self, step: StepId) -> Option<String> {
        let [parent] = self.plan.steps[step].parents.as_slice() else {
            return None;
        };
        let is_chosen = chooses(&self.plan.steps[*parent]) && self.is_only_way(*parent, step);
        is_chosen.then(|| self.chosen(*parent, step))
    }

    /// That the switch, which has succeeded, chose the step. In quotes, since a bare hyphen would be a minus sign; names of steps
    /// have nothing that a quote could not hold.
    fn chosen(&self, switch: StepId, step: StepId) -> String {
        let (switch, step) = (self.step_name(switch), &self.plan.steps[step].name);
        format!("'{{{{tasks.{switch}.outputs.parameters.{NEXT}}}}}' == '{step}'")
    }

    /// Name of the template that runs one iteration: the only step's own, or that of a graph.
    fn body(&mut self, split: StepId, body: &Region, depth: usize) -> String {
        if let [Node::Step(only)] = body.nodes.as_slice() {
            return self.step_name(*only).to_owned();
        }
        let name = names::body(self.step_name(split));
        self.template(name.clone(), body, depth + 1);
        name
    }

    fn step_name(&self, step: StepId) -> &str {
        debug_assert!(step.index() < self.plan.steps.len());
        &self.step_names[step.index()]
    }
}

/// All of these; each may be a choice of several.
fn all(ends: &[Option<String>]) -> Option<String> {
    let ends: Vec<String> = ends
        .iter()
        .flatten()
        .map(|end| grouped(end, "||"))
        .collect();
    (!ends.is_empty()).then(|| ends.join(" && "))
}

/// Words in parentheses, if they are joined by the operator.
fn grouped(words: &str, operator: &str) -> String {
    if words.contains(operator) {
        format!("({words})")
    } else {
        words.to_owned()
    }
}

fn index(value: Option<String>) -> Parameter {
    Parameter {
        name: INDEX.to_owned(),
        value,
        ..Parameter::default()
    }
}

fn inherited() -> String {
    format!("{{{{inputs.parameters.{INDEX}}}}}")
}

/// The index path of an iteration, from that of the graph around it.
fn item(depth: usize) -> Arguments {
    let value = match depth {
        0 => "{{item}}".to_owned(),
        _ => format!("{}-{{{{item}}}}", inherited()),
    };
    parameters([index(Some(value))])
}

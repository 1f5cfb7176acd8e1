//! From the plan's nested regions to DAG templates: one for the flow, one for each foreach body of more than one step.

use flowc_core::diag::Diagnostics;
use flowc_core::ir::plan::{Node, Plan, Region, StepId};
use flowc_target::{Namer, Options};

use crate::manifest::{Arguments, Dag, Parameter, Sequence, Task, Template};
use crate::names;
use crate::step::{COUNT, INDEX, parameters, template};

/// Templates of a flow, in the order in which a reader meets them.
pub(crate) struct Graph<'a> {
    plan: &'a Plan,
    /// Template and task name of each step, by the step's place in the arena.
    step_names: Vec<String>,
    /// Graphs first, then containers.
    graphs: Vec<Template>,
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
        graphs: Vec::new(),
    };
    graph.template(names::ENTRYPOINT.to_owned(), &plan.root, 0);
    let mut templates = graph.graphs;
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
        self.region(region, depth, None, &mut tasks);
        self.graphs[place].dag = Some(Dag { tasks });
    }

    /// Adds the tasks of a region, the first of which waits for `after`; what waits for the region waits for the answer.
    fn region(
        &mut self,
        region: &Region,
        depth: usize,
        after: Option<String>,
        tasks: &mut Vec<Task>,
    ) -> Option<String> {
        let mut after = after;
        for node in &region.nodes {
            after = Some(self.node(node, depth, after, tasks));
        }
        after
    }

    fn node(
        &mut self,
        node: &Node,
        depth: usize,
        after: Option<String>,
        tasks: &mut Vec<Task>,
    ) -> String {
        match node {
            Node::Step(step) => {
                let name = self.step_name(*step).to_owned();
                let done = format!("{name}.Succeeded");
                tasks.push(Task {
                    template: name.clone(),
                    name,
                    depends: after,
                    with_sequence: None,
                    arguments: (depth > 0).then(|| parameters([index(Some(inherited()))])),
                });
                done
            }
            Node::Parallel { branches, .. } => {
                let ends: Vec<String> = branches
                    .iter()
                    .filter_map(|branch| self.region(branch, depth, after.clone(), tasks))
                    .collect();
                ends.join(" && ")
            }
            Node::Map { split, body, .. } => {
                let name = self.body(*split, body, depth);
                let split = self.step_name(*split);
                // An empty fan-out is `Skipped`; without that word its join, and all after it, would be left out silently.
                let done = format!("{name}.Succeeded || {name}.Skipped");
                tasks.push(Task {
                    template: name.clone(),
                    name,
                    depends: after,
                    with_sequence: Some(Sequence {
                        count: format!("{{{{tasks.{split}.outputs.parameters.{COUNT}}}}}"),
                    }),
                    arguments: Some(item(depth)),
                });
                done
            }
        }
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

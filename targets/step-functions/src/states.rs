//! From the plan's nested regions to states.
//!
//! The data that flows through the machine is `{"run": …}`, inside a foreach also `"index"`: constant in size.

use flowc_core::ir::plan::{Node, Plan, PlanStep, Region, StepId};
use flowc_protocol::{choice, environment, split};
use flowc_target::Options;
use flowc_target::profile::{ForeachMode, RemoteStore};
use indexmap::IndexMap;
use serde::Serialize;
use serde_json::{Value, json};

use crate::asl::{
    Case, Choice, Map, Parallel, ProcessorConfig, ResultRule, Retrier, Scope, State, Task, Test,
    Then, patience,
};
use crate::jobs::JobDefinitions;
use crate::names::{self, Place};
use crate::overlap;
use crate::ways::Ways;

/// Name of the state that puts the execution's input into the store; no step can be called so.
const INPUT_STATE: &str = "flowc-input";

/// The run id, in `JSONata`, by the rule of `flowc_protocol::identity::run_id`; `flowc_run` of the input wins.
///
/// `$hash` is Step Functions' own addition to `JSONata`.
pub(crate) const RUN_ID: &str = "{% ($n := $states.context.Execution.Name; $given := $states.context.Execution.Input.flowc_run; \
    $given ? $given : $contains($n, /[^A-Za-z0-9._-]/) \
    ? 'sfn-' & $replace($replace($n, /-?[^A-Za-z0-9._-]+/, '-'), /-+$/, '') & '-' & $substring($hash($n, 'SHA-1'), 0, 8) \
    : 'sfn-' & $n) %}";

/// `SubmitJob`, as far as a state sets it.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct SubmitJob {
    job_name: String,
    job_queue: String,
    job_definition: String,
    parameters: IndexMap<&'static str, String>,
    container_overrides: ContainerOverrides,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ContainerOverrides {
    environment: Vec<Variable>,
}

/// A variable whose value is a path into the state's data or an intrinsic function.
#[derive(Serialize)]
struct Variable {
    #[serde(rename = "Name")]
    name: &'static str,
    #[serde(rename = "Value.$")]
    value: String,
}

/// Prints the states of one plan.
pub(crate) struct States<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) options: &'a Options,
    pub(crate) place: &'a Place<'a>,
    pub(crate) store: RemoteStore<'a>,
    pub(crate) jobs: JobDefinitions<'a>,
    /// State name of each step, by the step's place in the arena.
    pub(crate) names: Vec<String>,
    /// Queues that steps name themselves, for the policy.
    pub(crate) queues: Vec<String>,
}

impl States<'_> {
    /// The whole machine.
    pub(crate) fn machine(&mut self) -> Scope {
        let mut scope = self.scope(&self.plan.root, 0);
        let first = std::mem::replace(&mut scope.start_at, INPUT_STATE.to_owned());
        scope
            .states
            .shift_insert(0, INPUT_STATE.to_owned(), self.input(first));
        if overlap::is_skipped(self.plan, &self.options.profile) {
            let states = overlap::states(self.plan, self.place, INPUT_STATE);
            overlap::SCHEDULED.clone_into(&mut scope.start_at);
            for (place, (name, state)) in states.into_iter().enumerate() {
                scope.states.shift_insert(place, name.to_owned(), state);
            }
        }
        self.add_exit_hooks(&mut scope);
        scope.comment = Some("Written by flowc.".to_owned());
        scope
    }

    /// Keeps the input where the first step finds it and makes the data small: the one transition besides the steps'.
    fn input(&self, next: String) -> State {
        let key = self.store.key(&format!("{}/input/", self.plan.flow));
        State::Task(Box::new(Task {
            query_language: Some("JSONata"),
            resource: self.place.integration("aws-sdk:s3:putObject"),
            parameters: None,
            arguments: Some(json!({
                "Bucket": self.store.bucket,
                "Key": format!("{{% '{key}' & $states.context.Execution.Name & '.json' %}}"),
                "Body": "{% $states.context.Execution.Input %}",
            })),
            retry: vec![patience(&["States.TaskFailed"])],
            catch: Vec::new(),
            result: ResultRule {
                output: Some(json!({"run": RUN_ID})),
                ..ResultRule::default()
            },
            then: Then::Next(next),
        }))
    }

    /// The states of a region, `depth` open foreaches deep.
    fn scope(&mut self, region: &Region, depth: usize) -> Scope {
        let mut scope = Scope::default();
        let ways = Ways::new(self.plan, region);
        for (place, node) in region.nodes.iter().enumerate() {
            let then = match (node, ways.after(place).next()) {
                (Node::Step(id), _) if self.plan.steps[*id].is_switch() => {
                    Then::Next(self.state_name(*id, "-choice"))
                }
                (_, Some(next)) => Then::Next(self.first_state(&region.nodes[next], depth)),
                (_, None) => Then::End(true),
            };
            if place == 0 {
                scope.start_at = self.first_state(node, depth);
            }
            self.node(node, depth, then, &mut scope.states);
        }
        scope
    }

    /// Name of the state by which a node is entered.
    fn first_state(&self, node: &Node, depth: usize) -> String {
        match node {
            Node::Step(step) => self.state_name(*step, ""),
            Node::Parallel { split, .. } => self.state_name(*split, "-branches"),
            Node::Map { split, .. } if self.is_inline(depth) => self.state_name(*split, "-split"),
            Node::Map { split, .. } => self.state_name(*split, "-foreach"),
        }
    }

    /// Suffixes begin with a hyphen, which no step's name holds.
    fn state_name(&self, step: StepId, suffix: &str) -> String {
        format!("{}{suffix}", self.names[step.index()])
    }

    fn is_inline(&self, depth: usize) -> bool {
        depth > 0 || self.options.profile.step_functions.foreach == ForeachMode::Inline
    }

    fn node(
        &mut self,
        node: &Node,
        depth: usize,
        then: Then,
        states: &mut IndexMap<String, State>,
    ) {
        let name = self.first_state(node, depth);
        match node {
            Node::Step(step) => {
                let state = self.step(*step, then);
                states.insert(name, state);
                self.switch(*step, depth, states);
            }
            Node::Parallel { branches, .. } => {
                let branches = branches
                    .iter()
                    .map(|branch| self.scope(branch, depth))
                    .collect();
                let state = State::Parallel(Box::new(Parallel {
                    branches,
                    catch: Vec::new(),
                    result: then.without_result(),
                    then,
                }));
                states.insert(name, state);
            }
            Node::Map { split, body, .. } if self.is_inline(depth) => {
                let map = self.state_name(*split, "-foreach");
                states.insert(name, self.read_split(*split, depth, map.clone()));
                let state = self.inline_map(body, depth, then);
                states.insert(map, state);
            }
            Node::Map { split, body, .. } => {
                let state = self.distributed_map(*split, body, depth, then);
                states.insert(name, state);
            }
        }
    }

    /// What a switch chose lies in the store: one state reads it, the next goes on there.
    fn switch(&self, id: StepId, depth: usize, states: &mut IndexMap<String, State>) {
        let step = &self.plan.steps[id];
        if !step.is_switch() {
            return;
        }
        let choose = self.state_name(id, "-switch");
        let read = State::Task(Box::new(Task {
            query_language: None,
            resource: self.place.integration("aws-sdk:s3:getObject"),
            parameters: Some(self.object(id, depth, choice::FILE_NAME)),
            arguments: None,
            retry: vec![patience(&["States.TaskFailed"])],
            catch: Vec::new(),
            result: ResultRule {
                result_selector: Some(json!({"made.$": "States.StringToJson($.Body)"})),
                result_path: Some("$.choice".into()),
                ..ResultRule::default()
            },
            then: Then::Next(choose.clone()),
        }));
        states.insert(self.state_name(id, "-choice"), read);
        let case = |next: &StepId| Case {
            test: Test::Equals {
                variable: "$.choice.made.next",
                string_equals: self.plan.steps[*next].name.clone(),
            },
            next: self.state_name(*next, ""),
        };
        let choice = State::Choice(Choice {
            query_language: None,
            choices: step.next.iter().map(case).collect(),
            default: None,
        });
        states.insert(choose, choice);
    }

    /// One step is one job.
    fn step(&mut self, id: StepId, then: Then) -> State {
        let step = &self.plan.steps[id];
        let mut environment = vec![Variable {
            name: environment::RUN,
            value: "States.Format('id:{}', $.run)".to_owned(),
        }];
        if !step.foreach.is_empty() {
            environment.push(Variable {
                name: environment::INDEX,
                value: "$.index".to_owned(),
            });
        }
        if id == self.plan.start {
            environment.push(Variable {
                name: environment::INPUT,
                value: format!(
                    "States.Format('{}/input/{{}}.json', $$.Execution.Name)",
                    self.plan.flow
                ),
            });
        }
        let default_queue = &self.options.profile.step_functions.job_queue;
        let own_queue = crate::batch::queue(step, &mut self.jobs.found);
        self.queues.extend(own_queue.clone());
        let request = SubmitJob {
            job_name: names::job_name(self.plan, &step.name),
            job_queue: own_queue.unwrap_or_else(|| default_queue.value.clone()),
            job_definition: self.jobs.name(step),
            parameters: std::iter::once(("step", step.name.clone())).collect(),
            container_overrides: ContainerOverrides { environment },
        };
        State::Task(Box::new(Task {
            query_language: None,
            resource: self.place.integration("batch:submitJob.sync"),
            parameters: serde_json::to_value(request).ok(),
            arguments: None,
            retry: retries(step),
            catch: Vec::new(),
            result: then.without_result(),
            then,
        }))
    }

    /// Each item is an execution of its own, which sees nothing of this one but what the selector gives it.
    fn distributed_map(&mut self, split: StepId, body: &Region, depth: usize, then: Then) -> State {
        let mut item_processor = self.scope(body, depth + 1);
        item_processor.processor_config = Some(ProcessorConfig {
            mode: "DISTRIBUTED",
            // Express children cannot wait for a job.
            execution_type: Some("STANDARD"),
        });
        let item_reader = json!({
            "Resource": self.place.integration("s3:getObject"),
            "ReaderConfig": {"InputType": "JSON"},
            "Parameters": self.object(split, depth, split::FILE_NAME),
        });
        State::Map(Box::new(Map {
            item_reader: Some(item_reader),
            items_path: None,
            item_selector: selector(),
            max_concurrency: self.options.profile.step_functions.max_concurrency,
            item_processor,
            catch: Vec::new(),
            result: then.without_result(),
            then,
        }))
    }

    /// Adds the index paths to the data as `split`.
    fn read_split(&self, split: StepId, depth: usize, next: String) -> State {
        State::Task(Box::new(Task {
            query_language: None,
            resource: self.place.integration("aws-sdk:s3:getObject"),
            parameters: Some(self.object(split, depth, split::FILE_NAME)),
            arguments: None,
            retry: vec![patience(&["States.TaskFailed"])],
            catch: Vec::new(),
            result: ResultRule {
                result_selector: Some(json!({"items.$": "States.StringToJson($.Body)"})),
                result_path: Some("$.split".into()),
                ..ResultRule::default()
            },
            then: Then::Next(next),
        }))
    }

    /// Runs over `split` and empties it afterwards, so that the data is small again.
    fn inline_map(&mut self, body: &Region, depth: usize, then: Then) -> State {
        let mut item_processor = self.scope(body, depth + 1);
        item_processor.processor_config = Some(ProcessorConfig {
            mode: "INLINE",
            execution_type: None,
        });
        let result = match &then {
            Then::Next(_) => ResultRule {
                result_selector: Some(json!({})),
                result_path: Some("$.split".into()),
                ..ResultRule::default()
            },
            Then::End(_) => then.without_result(),
        };
        State::Map(Box::new(Map {
            item_reader: None,
            items_path: Some("$.split.items"),
            item_selector: selector(),
            max_concurrency: self.options.profile.step_functions.max_concurrency,
            item_processor,
            catch: Vec::new(),
            result,
            then,
        }))
    }

    /// An object that a task left in its folder.
    fn object(&self, step: StepId, depth: usize, file: &str) -> Value {
        let (flow, step) = (&self.plan.flow, &self.plan.steps[step].name);
        let key = if depth == 0 {
            let key = self.store.key(&format!("{flow}/{{}}/{step}/t/{file}"));
            format!("States.Format('{key}', $.run)")
        } else {
            let key = self.store.key(&format!("{flow}/{{}}/{step}/t-{{}}/{file}"));
            format!("States.Format('{key}', $.run, $.index)")
        };
        json!({"Bucket": self.store.bucket, "Key.$": key})
    }
}

fn selector() -> Value {
    json!({"run.$": "$.run", "index.$": "$$.Map.Item.Value"})
}

/// Batch being busy is waited out; a failed job is submitted again as often as the author allows.
///
/// The state cannot see the exit code, so a failure that must not be retried is submitted again too:
/// the shim finds it recorded and ends at once.
fn retries(step: &PlanStep) -> Vec<Retrier> {
    let mut retries = vec![patience(&["Batch.AWSBatchException"])];
    if step.restarts() > 0 {
        retries.push(Retrier {
            error_equals: vec!["States.TaskFailed"],
            interval_seconds: Some(step.retry.delay_s.max(1)),
            max_attempts: step.restarts(),
            backoff_rate: Some(1),
            jitter_strategy: None,
        });
    }
    retries
}

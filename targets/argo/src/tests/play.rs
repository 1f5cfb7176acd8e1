//! Runs of a flow with switches: every choice, and every failure, is played through as Argo's controller goes through a graph.

use std::collections::{BTreeMap, BTreeSet};
use std::iter;
use std::slice::Iter;

use flowc_core::ir::plan::{Plan, StepId, StepKind};
use flowc_target::testing::options;
use serde_json::Value;

use super::{spec, template};

/// How a node ended.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Phase {
    Succeeded,
    Failed,
    Skipped,
    Omitted,
}

/// What happens in a run: the choice of each switch, and the step that fails.
#[derive(Clone, Debug)]
struct Story {
    choices: BTreeMap<String, String>,
    fails: Option<String>,
}

/// Plays Argo's controller (`executeDAGTask`, `assessDAGPhase`).
struct Controller<'a> {
    spec: &'a Value,
    plan: &'a Plan,
    story: &'a Story,
    /// Steps whose containers ran, in their order.
    ran: Vec<String>,
}

impl Controller<'_> {
    fn dag(&mut self, template_name: &str) -> Phase {
        let tasks = super::tasks(template(self.spec, template_name));
        let waits = tasks.values().flat_map(|task| words(depends(task)));
        let waited_for: BTreeSet<&str> = waits.filter_map(task_of).collect();
        let mut phases = BTreeMap::new();
        let mut failed = false;
        for name in tasks
            .keys()
            .filter(|name| !waited_for.contains(name.as_str()))
        {
            failed |= self.task(name, &tasks, &mut phases).1;
        }
        if failed {
            Phase::Failed
        } else {
            Phase::Succeeded
        }
    }

    /// The phase of a task, after those that it waits for, and whether a failure is what is below it.
    fn task(
        &mut self,
        name: &str,
        tasks: &BTreeMap<String, &'_ Value>,
        phases: &mut Phases,
    ) -> (Phase, bool) {
        if let Some(known) = phases.get(name) {
            return *known;
        }
        let task = tasks[name];
        let words = words(depends(task));
        let mut fails = false;
        for above in words.iter().copied().filter_map(task_of) {
            fails |= self.task(above, tasks, phases).1;
        }
        let holds = |word: &str| {
            let (task, phase) = word.split_once('.').unwrap();
            format!("{:?}", phases[task].0) == phase
        };
        let phase = if !words.is_empty() && !evaluate(&words, &holds) {
            Phase::Omitted
        } else if self.is_passed_by(task, phases) {
            Phase::Skipped
        } else {
            self.execute(task["template"].as_str().unwrap())
        };
        let fails = match phase {
            Phase::Failed => true,
            Phase::Succeeded => false,
            // What did not run passes on what came before.
            Phase::Skipped | Phase::Omitted => fails,
        };
        phases.insert(name.to_owned(), (phase, fails));
        (phase, fails)
    }

    /// Whether the task's `when` is false.
    fn is_passed_by(&self, task: &Value, phases: &Phases) -> bool {
        let Some(when) = task["when"].as_str() else {
            return false;
        };
        let (switch, rest) = when
            .strip_prefix("'{{tasks.")
            .and_then(|rest| rest.split_once(".outputs.parameters.next}}' == '"))
            .unwrap();
        assert_eq!(
            phases[switch].0,
            Phase::Succeeded,
            "the output of a task that did not run is read: {task}"
        );
        let chosen = &self.story.choices[&self.step_of(switch).unwrap()];
        rest.strip_suffix('\'').unwrap() != chosen
    }

    fn execute(&mut self, name: &str) -> Phase {
        if template(self.spec, name).get("dag").is_some() {
            return self.dag(name);
        }
        let Some(step) = self.step_of(name) else {
            assert!(template(self.spec, name).get("suspend").is_some(), "{name}");
            return Phase::Succeeded;
        };
        let fails = self.story.fails.as_ref() == Some(&step);
        self.ran.push(step);
        if fails {
            Phase::Failed
        } else {
            Phase::Succeeded
        }
    }

    /// The step of a task.
    fn step_of(&self, name: &str) -> Option<String> {
        let of = |step: &str| step == name || format!("s-{step}") == name;
        let mut steps = self.plan.steps.iter().map(|(_, step)| step.name.clone());
        steps.find(|step| of(&step.replace('_', "-")))
    }
}

/// The tasks of a graph that were looked at.
type Phases = BTreeMap<String, (Phase, bool)>;

fn depends(task: &Value) -> &str {
    task["depends"].as_str().unwrap_or_default()
}

/// The task that a word of a `depends` is about.
fn task_of(word: &str) -> Option<&str> {
    Some(word.split_once('.')?.0)
}

/// The words of a `depends`, its operators and its parentheses.
fn words(depends: &str) -> Vec<&str> {
    let mut words = Vec::new();
    for mut word in depends.split_whitespace() {
        while let Some(rest) = word.strip_prefix('(') {
            words.push("(");
            word = rest;
        }
        let bare = word.trim_end_matches(')');
        words.push(bare);
        words.extend(word[bare.len()..].chars().map(|_| ")"));
    }
    words
}

/// Whether the words hold.
fn evaluate(words: &[&str], holds: &dyn Fn(&str) -> bool) -> bool {
    fn one(words: &mut Iter<'_, &str>, holds: &dyn Fn(&str) -> bool) -> bool {
        match *words.next().unwrap() {
            "(" => any(words, holds),
            word => holds(word),
        }
    }
    /// Operators are not mixed without parentheses, so that none binds more tightly.
    fn any(words: &mut Iter<'_, &str>, holds: &dyn Fn(&str) -> bool) -> bool {
        let mut value = one(words, holds);
        let mut operator = None;
        while let Some(word) = words.next().filter(|word| **word != ")") {
            assert_eq!(*operator.get_or_insert(*word), *word, "mixed");
            let other = one(words, holds);
            value = if *word == "||" {
                value || other
            } else {
                value && other
            };
        }
        value
    }
    any(&mut words.iter(), holds)
}

/// What the flow itself says: the steps that run, and whether one fails.
fn expected(plan: &Plan, story: &Story) -> (BTreeSet<String>, bool) {
    let mut ran = BTreeSet::new();
    let mut arrived: BTreeMap<StepId, usize> = BTreeMap::new();
    let mut waiting = vec![plan.start];
    let mut failed = false;
    while let Some(id) = waiting.pop() {
        let step = &plan.steps[id];
        if let StepKind::Join { split } = step.kind {
            let count = arrived.entry(id).or_default();
            *count += 1;
            if *count < plan.steps[split].next.len() {
                continue;
            }
        }
        assert!(ran.insert(step.name.clone()), "{} twice", step.name);
        if story.fails.as_ref() == Some(&step.name) {
            failed = true;
            continue;
        }
        let chosen = story.choices.get(&step.name);
        waiting.extend(
            step.next
                .iter()
                .filter(|next| chosen.is_none_or(|chosen| plan.steps[**next].name == *chosen)),
        );
    }
    (ran, failed)
}

/// Every way through a flow: all choices, each with no failure and with that of each step.
fn stories(plan: &Plan) -> Vec<Story> {
    let mut all = vec![BTreeMap::new()];
    for (_, step) in plan.steps.iter().filter(|(_, step)| step.is_switch()) {
        let with = |choices: &BTreeMap<String, String>| {
            let next = step.next.iter().map(|next| plan.steps[*next].name.clone());
            let choices = choices.clone();
            let more = next.map(move |next| {
                let mut choices = choices.clone();
                choices.insert(step.name.clone(), next);
                choices
            });
            more.collect::<Vec<_>>()
        };
        all = all.iter().flat_map(with).collect();
    }
    let names = plan.steps.iter().map(|(_, step)| Some(step.name.clone()));
    let fails: Vec<Option<String>> = iter::once(None).chain(names).collect();
    let with = |choices: BTreeMap<String, String>| {
        let story = move |fails: &Option<String>| Story {
            choices: choices.clone(),
            fails: fails.clone(),
        };
        fails.iter().map(story).collect::<Vec<_>>()
    };
    all.into_iter().flat_map(with).collect()
}

/// Plays every story of a flow, and compares the steps that ran and how it ended with what the flow says.
pub(super) fn play(plan: &Plan) {
    let spec = spec(plan, &options());
    for story in stories(plan) {
        let mut controller = Controller {
            spec: &spec,
            plan,
            story: &story,
            ran: Vec::new(),
        };
        let phase = controller.dag("Flow");
        let ran: BTreeSet<String> = controller.ran.iter().cloned().collect();
        assert_eq!(
            ran.len(),
            controller.ran.len(),
            "a step ran twice: {story:?}\n{spec:#}"
        );
        let (expected, failed) = expected(plan, &story);
        assert_eq!(ran, expected, "{story:?}\n{spec:#}");
        assert_eq!(phase == Phase::Failed, failed, "{story:?}\n{spec:#}");
    }
}

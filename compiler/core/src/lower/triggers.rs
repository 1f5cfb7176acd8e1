//! `@trigger` and `@trigger_on_finish`: which events, and which flows.

mod events;
mod flows;
mod options;

use events::Mapping;
use indexmap::IndexMap;

use super::attributes::{argument, entries, entry};
use super::flow_attributes::find;
use crate::diag::suggest::closest;
use crate::diag::{Code, Diagnostic, Diagnostics};
use crate::ir::flow::{Decorator, Flow, Literal, ParameterDefault};
use crate::ir::plan::{Trigger, Triggers};
use crate::ir::project::Project;
use crate::source::{SourceTree, Span};

/// What is wrong with a part of a trigger: the finding's message, its label, and the help.
type Wrong = (String, String, String);

/// What is wrong, and the word that it is about where there is one.
type Refused = (Wrong, Option<String>);

/// The two decorators and their arguments for one thing and for several.
const DECORATORS: [(&str, &str, &str); 2] = [
    ("trigger", "event", "events"),
    ("trigger_on_finish", "flow", "flows"),
];

/// The flow's triggers, if it has any.
pub(super) fn resolve(
    tree: &SourceTree,
    flow: &Flow,
    project: Option<&Project>,
) -> (Option<Triggers>, Diagnostics) {
    let mut pass = Pass {
        tree,
        flow,
        project,
        found: Diagnostics::default(),
    };
    let [event, run] = DECORATORS.map(|(name, ..)| find(flow, name));
    if let (Some(event), Some(run)) = (event, run) {
        let message = "both `@trigger` and `@trigger_on_finish`";
        let finding = Diagnostic::error(Code::FC0228, message, run.span, "and by runs that end");
        let finding = finding.label(event.span, "started by events");
        let help = "keep one of them; a flow that waits for both can be cut into two";
        pass.found.push(finding.help(help));
    }
    let mut triggers = None;
    for (decorator, names) in [event, run].into_iter().zip(DECORATORS) {
        if let Some(decorator) = decorator {
            triggers = pass.decorator(decorator, names);
        }
    }
    (triggers, pass.found)
}

struct Pass<'a> {
    tree: &'a SourceTree,
    flow: &'a Flow,
    project: Option<&'a Project>,
    found: Diagnostics,
}

impl Pass<'_> {
    fn decorator(
        &mut self,
        decorator: &Decorator,
        (kind, one, several): (&str, &str, &str),
    ) -> Option<Triggers> {
        let reset = self.reset(decorator);
        let (items, span) = self.items(decorator, one, several)?;
        let mut on: Vec<Trigger> = Vec::new();
        let mut mapped = IndexMap::new();
        for item in items {
            let trigger = if kind == "trigger" {
                self.event(item, span, &mut mapped)
            } else {
                self.run(item, span)
            };
            let Some(trigger) = trigger else { continue };
            let name = trigger.event_name(self.project);
            if on.iter().any(|one| one.event_name(self.project) == name) {
                let what = trigger.flow_name(self.project).unwrap_or(name);
                let message = format!("`{what}` is given twice");
                let help = "keep one of them: a run starts once each has come";
                self.twice(message, span, written_name(&trigger), "given again", help);
                continue;
            }
            on.push(trigger);
        }
        if let [Trigger::Event { parameters, .. }] = &mut on[..]
            && parameters.is_empty()
        {
            // As in Metaflow: the only event gives every parameter the field of its name.
            // Not what the files are of an `IncludeFile`: an event brings values, not paths in a container.
            for parameter in self.flow.parameters.iter().filter(|one| !one.file) {
                let name = &parameter.name.value;
                parameters.insert(name.clone(), name.to_lowercase());
            }
        }
        self.required(decorator, &on);
        (!on.is_empty()).then_some(Triggers {
            on,
            reset,
            span: decorator.span,
        })
    }

    /// What the decorator names, and where.
    fn items<'d>(
        &mut self,
        decorator: &'d Decorator,
        one: &str,
        several: &str,
    ) -> Option<(&'d [Literal], Span)> {
        let given = |name: &str| {
            let given = argument(decorator, name)?;
            let value = &given.value.value;
            let items = if let Literal::List(items) = value {
                items.as_slice()
            } else if *value == Literal::Str(String::new()) {
                &[]
            } else {
                std::slice::from_ref(value)
            };
            (!items.is_empty()).then_some((items, given.value.span))
        };
        let name = &decorator.name.value;
        match (given(one), given(several)) {
            (Some((_, first)), Some((_, second))) => {
                let message = format!("`@{name}` has both `{one}` and `{several}`");
                let finding = Diagnostic::error(Code::FC0227, message, second, "given here");
                let help = format!("put all of them into `{several}`");
                let finding = finding.label(first, "and here").help(help);
                self.found.push(finding);
                None
            }
            (Some(given), None) | (None, Some(given)) => Some(given),
            (None, None) => {
                // A value of the wrong kind has been reported by the checks.
                let is_reported = [one, several].into_iter().any(|name| {
                    let written = decorator.arguments.get(name);
                    written.is_some_and(|it| it.value.value != Literal::None)
                        && argument(decorator, name).is_none()
                });
                if !is_reported {
                    let message = format!("`@{name}` names no {one}");
                    let label = "nothing starts a run";
                    let finding = Diagnostic::error(Code::FC0227, message, decorator.span, label);
                    let help = format!("name one, as in `{one}=\"some_name\"`");
                    self.found.push(finding.help(help));
                }
                None
            }
        }
    }

    fn event(
        &mut self,
        item: &Literal,
        span: Span,
        mapped: &mut IndexMap<String, String>,
    ) -> Option<Trigger> {
        let (name, mappings) = match events::read(item) {
            Ok(read) => read,
            Err((wrong, word)) => return self.wrong(wrong, span, word.as_deref()),
        };
        let mut parameters = IndexMap::new();
        for Mapping { parameter, field } in mappings {
            // As in Metaflow, case tells no parameters apart here.
            let all = self.flow.parameters.iter().map(|one| &one.name.value);
            let mut same = all
                .clone()
                .filter(|one| one.eq_ignore_ascii_case(&parameter));
            let Some(known) = same.next() else {
                let message = format!("the flow has no parameter `{}`", parameter.escape_debug());
                let place = entry(self.tree, span, &parameter);
                let label = "no such parameter";
                let finding = Diagnostic::error(Code::FC0229, message, place, label);
                self.found
                    .push(match closest(&parameter, all.map(String::as_str)) {
                        Some(meant) => finding.help(format!("did you mean `{meant}`?")),
                        None => finding.help("map fields to parameters, as in `\"parameters\": {\"some_parameter\": \"some_field\"}`"),
                    });
                continue;
            };
            if mapped.contains_key(known) {
                let message = format!("the parameter `{known}` is mapped twice");
                let help = format!("map `{known}` to one field of one event");
                self.twice(
                    message,
                    span,
                    &parameter,
                    "which field is its value?",
                    &help,
                );
                continue;
            }
            mapped.insert(known.clone(), field.clone());
            parameters.insert(known.clone(), field);
        }
        let word = name.as_written();
        Some(Trigger::Event {
            span: entry(self.tree, span, word),
            name,
            parameters,
        })
    }

    /// Says that a word stands twice in a value: at the last place, and at the first.
    fn twice(&mut self, message: String, span: Span, word: &str, label: &str, help: &str) {
        let places = entries(self.tree, span, word);
        let finding = match places[..] {
            [first, .., last] => {
                Diagnostic::error(Code::FC0228, message, last, label).label(first, "first here")
            }
            [only] => Diagnostic::error(Code::FC0228, message, only, label),
            [] => Diagnostic::error(Code::FC0228, message, span, label),
        };
        self.found.push(finding.help(help));
    }

    fn run(&mut self, item: &Literal, span: Span) -> Option<Trigger> {
        match flows::read(item, self.project) {
            Ok(read) => Some(Trigger::Run {
                flow: read.flow,
                project: read.project,
                span: entry(self.tree, span, &read.written),
            }),
            Err((wrong, word)) => self.wrong(wrong, span, word.as_deref()),
        }
    }

    fn wrong(
        &mut self,
        (message, label, help): Wrong,
        span: Span,
        word: Option<&str>,
    ) -> Option<Trigger> {
        let place = word.map_or(span, |word| entry(self.tree, span, word));
        let finding = Diagnostic::error(Code::FC0227, message, place, label);
        self.found.push(finding.help(help));
        None
    }

    /// Nobody is there to give a value to a parameter that no event brings.
    fn required(&mut self, decorator: &Decorator, on: &[Trigger]) {
        // Then what was meant to bring values has been reported.
        if on.is_empty() {
            return;
        }
        let brings = |name: &String| {
            on.iter().any(|trigger| match trigger {
                Trigger::Event { parameters, .. } => parameters.contains_key(name),
                Trigger::Run { .. } => false,
            })
        };
        for parameter in self.flow.parameters.iter().filter(|one| one.required) {
            let default = parameter.default.as_ref().map(|default| &default.value);
            let none = ParameterDefault::Literal(Literal::None);
            let name = &parameter.name.value;
            if default.is_some_and(|default| *default != none) || brings(name) {
                continue;
            }
            let message = format!("triggered flow has the required parameter `{name}`");
            let label = "nothing that starts a run gives it a value";
            let finding = Diagnostic::error(Code::FC0213, message, parameter.span, label);
            let finding = finding.label(decorator.span, "triggered here");
            let help = if decorator.name.value == "trigger" {
                format!("give `{name}` a default, or map a field of an event to it")
            } else {
                format!("give `{name}` a default")
            };
            self.found.push(finding.help(help));
        }
    }
}

/// What stands in the source for the event or the flow, as far as its name goes.
fn written_name(trigger: &Trigger) -> &str {
    match trigger {
        Trigger::Event { name, .. } => name.as_written(),
        Trigger::Run { flow, .. } => flow,
    }
}

/// What is wrong with a trigger as a whole.
fn wrong(message: String, help: &str) -> Refused {
    (
        (message, "in this trigger".to_owned(), help.to_owned()),
        None,
    )
}

/// A member that a dictionary does not have.
fn unknown(of: &str, name: &str, known: &[&str]) -> Wrong {
    let help = if let Some(meant) = closest(name, known.iter().copied()) {
        format!("did you mean `{meant}`?")
    } else {
        let known: Vec<_> = known.iter().map(|name| format!("`{name}`")).collect();
        format!("allowed are {}", known.join(", "))
    };
    let shown = name.escape_debug();
    (
        format!("{of} has no `{shown}`"),
        "not known here".to_owned(),
        help,
    )
}

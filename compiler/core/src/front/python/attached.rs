//! Decorators of the option `--with`: each goes onto every step that has none of its name.

use std::collections::BTreeSet;

use indexmap::IndexMap;

use super::known;
use super::literal::{Members, of_json};
use crate::diag::suggest::closest;
use crate::diag::{Code, Diagnostic, Diagnostics};
use crate::ir::flow::{Argument, Decorator, Flow, Literal, Spanned};
use crate::source::{FileId, SourceTree, Span};

/// How an option is shown in findings.
const SHOWN: &str = "--with";

/// Adds the decorators to a flow that was read; where Python was asked, it has added them, and their places are filled in.
///
/// Each is written as `name:attribute=value,attribute=value` with values in JSON or else text, as
/// Metaflow reads them (`metaflow/decorators.py`, `_parse_decorator_spec`, read at 2.19.39).
pub fn attach(tree: &mut SourceTree, flow: &mut Flow, texts: &[String]) -> Diagnostics {
    let mut found = Diagnostics::default();
    let mut names = BTreeSet::new();
    for text in texts {
        let file = tree.add_option(SHOWN, text);
        match decorator(file, text) {
            // The first of several options of one name is the one that counts.
            Ok(decorator) if flow.described => {
                if names.insert(decorator.name.value.clone()) {
                    locate(flow, &decorator);
                }
            }
            Ok(decorator) => put(flow, &decorator),
            Err(diagnostic) => found.push(*diagnostic),
        }
    }
    if flow.described {
        flow.attached = texts.to_vec();
    }
    found
}

/// Says of what Python has put onto the steps where the option stands.
fn locate(flow: &mut Flow, option: &Decorator) {
    let steps: Vec<_> = flow.steps.handles().collect();
    for id in steps {
        let all = &mut flow.steps[id].decorators;
        let here = |own: &&mut Decorator| !own.is_written && own.name.value == option.name.value;
        for own in all.iter_mut().filter(here) {
            own.span = option.span;
            own.name.span = option.name.span;
            for (name, argument) in &mut own.arguments {
                let given = option.arguments.get(name);
                argument.name_span = given.map_or(option.span, |given| given.name_span);
                argument.value.span = given.map_or(option.span, |given| given.value.span);
            }
        }
    }
}

fn put(flow: &mut Flow, decorator: &Decorator) {
    let steps: Vec<_> = flow.steps.handles().collect();
    for id in steps {
        let all = &mut flow.steps[id].decorators;
        if all.iter().all(|own| own.name.value != decorator.name.value) {
            // Outermost, as if it stood above all others.
            all.insert(0, decorator.clone());
        }
    }
}

fn decorator(file: FileId, text: &str) -> Result<Decorator, Box<Diagnostic>> {
    let span = |start: usize, end: usize| Span {
        file,
        start: start as u32,
        end: end as u32,
    };
    let (name, attributes) = match text.split_once(':') {
        Some((name, attributes)) => (name, Some(attributes)),
        None => (text, None),
    };
    let name_span = span(0, name.len());
    if known::step_decorators().all(|known| known != name) {
        return Err(Box::new(unknown(name, name_span)));
    }
    let mut arguments = IndexMap::new();
    let mut at = name.len() + 1;
    for part in attributes.map(parts).unwrap_or_default() {
        let whole = span(at, at + part.len());
        let Some((attribute, value)) = part.split_once('=') else {
            let message = format!("`{part}` of `--with {name}` has no value");
            let finding = Diagnostic::error(Code::FC0012, message, whole, "no `=`");
            let help = format!("write `--with '{name}:attribute=value'`");
            return Err(Box::new(finding.help(help)));
        };
        let argument = Argument {
            name_span: span(at, at + attribute.len()),
            value: Spanned {
                value: literal(value.trim()),
                span: span(at + attribute.len() + 1, at + part.len()),
            },
        };
        arguments.insert(attribute.trim().to_owned(), argument);
        at += part.len() + 1;
    }
    Ok(Decorator {
        name: Spanned {
            value: name.to_owned(),
            span: name_span,
        },
        span: span(0, text.len()),
        is_written: false,
        arguments,
    })
}

fn unknown(name: &str, span: Span) -> Diagnostic {
    if let Some(help) = known::not_yet(name) {
        let message = format!("`@{name}` is not supported yet");
        return Diagnostic::error(Code::FC0014, message, span, "not supported yet").help(help);
    }
    let message = format!("no decorator of steps is called `{name}`");
    let finding = Diagnostic::error(Code::FC0013, message, span, "unknown decorator");
    match closest(name, known::step_decorators()) {
        Some(near) => finding.help(format!("did you mean `{near}`?")),
        None => finding
            .help("`--with` takes decorators of Metaflow for steps, as in `--with retry:times=2`"),
    }
}

/// The text cut at commas behind which an attribute begins: values may hold others.
fn parts(text: &str) -> Vec<&str> {
    let begins = |rest: &str| {
        let name = rest.split('=').next().unwrap_or_default();
        let is_name = |c: char| c.is_alphanumeric() || c == '_' || c.is_whitespace();
        name.len() < rest.len() && !name.is_empty() && name.chars().all(is_name)
    };
    let mut all = Vec::new();
    let mut start = 0;
    for (at, _) in text.match_indices(',') {
        if begins(&text[at + 1..]) {
            all.push(&text[start..at]);
            start = at + 1;
        }
    }
    all.push(&text[start..]);
    all
}

fn literal(text: &str) -> Literal {
    let members: Members = |object| {
        object
            .iter()
            .map(|(name, value)| (&**name, value))
            .collect()
    };
    match serde_json::from_str(text) {
        Ok(value) => of_json(&value, members),
        Err(_) => Literal::Str(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::front::python;
    use crate::lower;

    const FLOW: &str = "from metaflow import FlowSpec, retry, step


class F(FlowSpec):
    @retry(times=1)
    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass
";

    /// The end step's decorators, or what was found.
    fn attached(texts: &[&str]) -> String {
        let mut tree = SourceTree::default();
        let file = tree.add("flow.py", FLOW);
        let (flow, _) = python::lower(&tree, file, None);
        let mut flow = flow.unwrap();
        let texts: Vec<String> = texts.iter().map(|&text| text.to_owned()).collect();
        let mut found = attach(&mut tree, &mut flow, &texts);
        let (plan, more) = lower::plan(&tree, &flow);
        found.extend(more);
        if let Some(finding) = found.iter().next() {
            let span = finding.labels[0].span;
            return format!("{} {:?}", finding.code, tree.text(span));
        }
        let plan = plan.unwrap();
        assert_eq!(plan.steps[plan.start].retry.times, 1, "its own stays");
        let shown = plan.steps[plan.end].decorators.iter();
        let shown: Vec<String> = shown.map(crate::show::decorator).collect();
        shown.join(" ")
    }

    #[test]
    fn a_decorator_goes_onto_steps_that_have_none_of_its_name() {
        assert_eq!(attached(&["retry:times=3"]), "@retry(times=3)");
        assert_eq!(
            attached(&["retry", "timeout:seconds=60"]),
            "@timeout(seconds=60) @retry"
        );
        assert_eq!(
            attached(&["environment:vars={\"A\": \"x,y\", \"B\": \"1\"}"]),
            "@environment(vars={\"A\": \"x,y\", \"B\": \"1\"})"
        );
        assert_eq!(
            attached(&["secrets:sources=[\"aws-secrets-manager.db\"]"]),
            "@secrets(sources=[\"aws-secrets-manager.db\"])"
        );
        assert_eq!(
            attached(&["kubernetes:image=python:3.11,cpu=2,labels={\"a\": \"b\"}"]),
            "@kubernetes(image=\"python:3.11\", cpu=2, labels={\"a\": \"b\"})"
        );
    }

    #[test]
    fn mistakes_are_shown_in_the_option() {
        assert_eq!(attached(&["rety"]), "FC0013 \"rety\"");
        assert_eq!(attached(&["schedule:daily=true"]), "FC0013 \"schedule\"");
        assert_eq!(attached(&["torchrun"]), "FC0014 \"torchrun\"");
        assert_eq!(
            attached(&["secrets:sources=[\"ssm.db\"]"]),
            "FC0221 \"\\\"ssm.db\\\"\""
        );
        assert_eq!(attached(&["retry:times"]), "FC0012 \"times\"");
        assert_eq!(attached(&["retry:times=9"]), "FC0206 \"9\"");
        assert_eq!(attached(&["retry:tims=9"]), "FC0201 \"tims\"");
    }
}

//! Decorators and their arguments: known names, allowed values, each once and in its place.

use crate::diag::suggest::closest;
use crate::diag::{Code, Diagnostic, Diagnostics};
use crate::ir::flow::{Decorator, Flow, Literal};
use crate::source::SourceTree;

mod table;
mod values;

pub(crate) use table::{Place, Spec, spec};
pub(crate) use values::{describe, number, whole};

/// Checks all decorators by the table; their meaning is lowering's business.
pub(super) fn check(tree: &SourceTree, flow: &Flow) -> Diagnostics {
    let mut diagnostics = Diagnostics::default();
    check_list(tree, &flow.decorators, Place::Flow, &mut diagnostics);
    for (_, step) in flow.steps.iter() {
        check_list(tree, &step.decorators, Place::Step, &mut diagnostics);
    }
    diagnostics
}

fn check_list(
    tree: &SourceTree,
    decorators: &[Decorator],
    place: Place,
    diagnostics: &mut Diagnostics,
) {
    for (index, decorator) in decorators.iter().enumerate() {
        let name = decorator.name.value.as_str();
        // Unknown decorators are the front end's finding.
        let Some(spec) = spec(name) else { continue };
        if spec.place != place {
            diagnostics.push(misplaced(decorator, place));
            continue;
        }
        let earlier = decorators[..index]
            .iter()
            .find(|earlier| earlier.name.value == name && !spec.is_repeatable());
        if let Some(earlier) = earlier {
            diagnostics.push(
                Diagnostic::error(
                    Code::FC0204,
                    format!("`@{name}` is given twice"),
                    decorator.span,
                    "given again",
                )
                .label(earlier.span, "first given here")
                .help("keep one of them, with all the arguments"),
            );
            continue;
        }
        check_arguments(tree, decorator, spec, diagnostics);
    }
}

fn misplaced(decorator: &Decorator, place: Place) -> Diagnostic {
    let name = &decorator.name.value;
    let (belongs, help) = match place {
        Place::Flow => (
            "a step",
            format!("put `@{name}` above the `@step` of the steps that it is meant for"),
        ),
        Place::Step => (
            "the flow",
            format!("put `@{name}` above the `class` statement"),
        ),
    };
    Diagnostic::error(
        Code::FC0205,
        format!("`@{name}` is in the wrong place"),
        decorator.span,
        format!("belongs to {belongs}"),
    )
    .help(help)
}

fn check_arguments(
    tree: &SourceTree,
    decorator: &Decorator,
    spec: &Spec,
    diagnostics: &mut Diagnostics,
) {
    let name = &decorator.name.value;
    for (key, argument) in &decorator.arguments {
        let Some(known) = spec.argument(key) else {
            let allowed = spec.arguments.iter().map(|argument| argument.name);
            let mut found = Diagnostic::error(
                Code::FC0201,
                format!("`@{name}` has no argument `{key}`"),
                argument.name_span,
                "unknown argument",
            );
            found = match closest(key, allowed.clone()) {
                Some(meant) => found.fix(
                    argument.name_span,
                    meant,
                    format!("did you mean `{meant}`?"),
                ),
                None if spec.arguments.is_empty() => {
                    found.help(format!("`@{name}` takes no arguments"))
                }
                None => found.help(format!(
                    "`@{name}` takes {}",
                    allowed
                        .map(|name| format!("`{name}`"))
                        .collect::<Vec<_>>()
                        .join(", ")
                )),
            };
            diagnostics.push(found);
            continue;
        };
        let value = &argument.value;
        if known.none && value.value == Literal::None {
            continue;
        }
        if let Err(what) = known.kind.accept(&value.value) {
            let mut found = Diagnostic::error(
                Code::FC0202,
                format!("wrong value for `{key}` of `@{name}`"),
                value.span,
                what,
            );
            // A value that goes on over several lines is shown by the excerpt.
            let text = tree.text(value.span);
            let text = Some(text).filter(|text| !text.contains('\n'));
            let not = text.map_or(String::new(), |text| format!(", not `{text}`"));
            found = match known.kind.choice(&value.value) {
                Some(meant) => found.fix(
                    value.span,
                    format!("\"{meant}\""),
                    format!("did you mean `{meant}`?"),
                ),
                None => found.help(format!("`{key}` is {}{not}", known.kind.allowed())),
            };
            diagnostics.push(found);
        }
    }
    for required in spec.arguments.iter().filter(|argument| argument.required) {
        let given = decorator.arguments.get(required.name);
        if given.is_none() {
            diagnostics.push(
                Diagnostic::error(
                    Code::FC0203,
                    format!("`@{name}` needs the argument `{}`", required.name),
                    decorator.span,
                    format!("no `{}` given", required.name),
                )
                .help(format!(
                    "write `@{name}({}={})`",
                    required.name,
                    required.kind.example()
                )),
            );
        }
    }
}

//! Puts the flow together.

use std::collections::BTreeSet;

use ruff_python_ast::ModModule;
use ruff_text_size::{Ranged, TextRange};

use super::classes::{self, Lineage};
use super::decorators::{self, Place};
use super::docstring::docstring;
use super::known;
use super::members::{self, Member};
use super::names::Names;
use super::parse::{Source, parse};
use crate::diag::suggest::closest;
use crate::diag::{Code, Diagnostic, Diagnostics};
use crate::ir::arena::Arena;
use crate::ir::flow::{Flow, Spanned};
use crate::source::{FileId, SourceTree};

/// What all parts of the front end share while they read one file.
pub(super) struct Context<'a> {
    pub(super) source: Source<'a>,
    pub(super) names: Names<'a>,
    pub(super) found: Diagnostics,
    /// Exported names that a finding of their own explains, so that their import needs none.
    pub(super) explained: BTreeSet<String>,
    /// Something was reported that may bring steps, or name the first and last ones, out of our sight.
    pub(super) steps_hidden: bool,
    /// Attributes of the flow that hold a `Config`: what is read from them has been reported with it.
    pub(super) configs: BTreeSet<String>,
}

/// Reads the flow of `file`; `class` is the part after the colon in `file.py:Class`.
///
/// Returns what could be understood even if there are errors; `None` if no flow was found, or an error hides all of its steps.
pub fn lower(tree: &SourceTree, file: FileId, class: Option<&str>) -> (Option<Flow>, Diagnostics) {
    let source = Source::new(tree, file);
    let (module, broken, found) = parse(&source);
    let mut context = Context {
        source,
        names: Names::collect(&module.body),
        found,
        explained: BTreeSet::new(),
        steps_hidden: false,
        configs: BTreeSet::new(),
    };
    let flow = read(&mut context, &module, class, &broken);
    let mut found = context.found;
    // What touches a syntax error is most likely its echo.
    found.retain(|item| item.code == Code::FC0001 || !touches(item, &broken));
    found.sort();
    (flow, found)
}

fn touches(item: &Diagnostic, broken: &[TextRange]) -> bool {
    let span = item.labels.first().map(|label| label.span);
    span.is_some_and(|span| {
        let range = TextRange::new(span.start.into(), span.end.into());
        broken.iter().any(|at| at.intersect(range).is_some())
    })
}

fn read<'a>(
    context: &mut Context<'a>,
    module: &'a ModModule,
    class: Option<&str>,
    broken: &[TextRange],
) -> Option<Flow> {
    // A file that cannot be parsed may have lost its flow with the error; then only the error is shown.
    let before = context.found.clone();
    let Some(lineage) = classes::choose(context, module, class) else {
        if broken.is_empty() {
            report_names(context);
        } else {
            context.found = before;
        }
        return None;
    };
    classes::report_unread(context, &lineage);
    let mut flow = shell(context, &lineage);
    for member in members::read(context, &lineage) {
        match member {
            Member::Step(step) => drop(flow.steps.push(step)),
            Member::Parameter(parameter) => flow.parameters.push(parameter),
            Member::Constant(constant) => flow.constants.push(constant),
            Member::Other => {}
        }
    }
    report_names(context);
    let mut bodies = lineage.order.iter().map(Ranged::range);
    if context.steps_hidden
        || bodies.any(|body| broken.iter().any(|at| body.intersect(*at).is_some()))
    {
        // That steps or transitions are missing would only repeat what was reported.
        if flow.steps.is_empty() {
            return None;
        }
        for step in flow.steps.handles().collect::<Vec<_>>() {
            flow.steps[step].next_unread = true;
        }
    }
    flow.imported_names = imported_names(context);
    Some(flow)
}

/// The flow without its members.
fn shell<'a>(context: &mut Context<'a>, lineage: &Lineage<'a>) -> Flow {
    let source = context.source;
    let class = lineage.class;
    let mut read = Vec::new();
    for node in lineage.order.iter().flat_map(|class| &class.decorator_list) {
        let (named, _) = decorators::parts(node);
        if context.names.resolve(named).exported() == Some("step") {
            let span = source.span(&node.expression);
            let message = "`@step` on a class";
            let finding = Diagnostic::error(Code::FC0021, message, span, "a class is no step");
            context
                .found
                .push(finding.help("remove it; steps are methods"));
            continue;
        }
        read.extend(decorators::read(context, node, Place::Flow));
    }
    Flow {
        name: Spanned {
            value: class.name.to_string(),
            span: source.span(&class.name),
        },
        file: source.id,
        line: source.line(class.name.start()),
        doc: docstring(&class.body),
        steps: Arena::default(),
        parameters: Vec::new(),
        constants: Vec::new(),
        decorators: read,
        imported_names: Vec::new(),
    }
}

/// Reports names that neither the harness nor the real package's client provides.
fn report_names(context: &mut Context<'_>) {
    for range in context.names.stars.clone() {
        let span = context.source.span(&range);
        let message = "`import *` hides which names of Metaflow are used";
        let finding = Diagnostic::error(Code::FC0019, message, span, "all names at once");
        let help = "name them, as in `from metaflow import FlowSpec, step`";
        context.found.push(finding.help(help));
    }
    let mut said = BTreeSet::new();
    for (path, range) in context.names.imported.clone() {
        let head = path.split('.').next().unwrap_or(&path);
        if known::is_provided(&path)
            || context.explained.contains(head)
            || !said.insert(path.clone())
        {
            continue;
        }
        let span = context.source.span(&range);
        let message = format!("`{path}` of Metaflow is not provided yet");
        let finding = Diagnostic::error(Code::FC0019, message, span, "not provided yet");
        let help = known::instead_of(&path).map(str::to_owned).or_else(|| {
            closest(&path, known::provided_names()).map(|near| format!("did you mean `{near}`?"))
        });
        context
            .found
            .push(finding.help(
                help.unwrap_or_else(|| "remove it; a later version may bring it".to_owned()),
            ));
    }
}

/// Each name once, at its first use, sorted.
fn imported_names(context: &Context<'_>) -> Vec<Spanned<String>> {
    let mut names: Vec<Spanned<String>> = Vec::new();
    for (path, range) in &context.names.imported {
        if names.iter().all(|known| known.value != *path) {
            names.push(Spanned {
                value: path.clone(),
                span: context.source.span(range),
            });
        }
    }
    names.sort_by(|left, right| left.value.cmp(&right.value));
    names
}

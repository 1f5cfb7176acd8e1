//! Puts the flow together.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use indexmap::IndexMap;
use ruff_python_ast::Expr;
use ruff_text_size::{Ranged, TextRange};

use super::classes::{self, Lineage};
use super::decorators::{self, Place};
use super::described::{self, UserDecorator};
use super::description::Description;
use super::docstring::docstring;
use super::dynamic;
use super::known;
use super::literal::{self, NotLiteral};
use super::members::{self, Member};
use super::modules::{Fetched, Held, Library, Module};
use super::names::{ClassAt, Names};
use super::parse::Source;
use crate::diag::suggest::closest;
use crate::diag::{Code, Diagnostic, Diagnostics};
use crate::ir::arena::Arena;
use crate::ir::flow::{Flow, Literal, Spanned};
use crate::source::{FileId, SourceTree, Span};

/// What all parts of the front end share while they read one file.
pub(super) struct Context<'a> {
    /// The files of the flow; the first is the flow's own.
    pub(super) modules: &'a [Module<'a>],
    /// The file that is being read.
    pub(super) source: Source<'a>,
    /// Its names.
    pub(super) names: &'a Names<'a>,
    /// Names that the class body which is being read has bound so far, with the values that are plain.
    pub(super) class_names: HashMap<&'a str, Option<Literal>>,
    pub(super) found: Diagnostics,
    /// What only Python can tell.
    pub(super) unknown: Diagnostics,
    /// What Python said, if it was asked.
    pub(super) description: Option<&'a Description>,
    /// Decorators of the user's own.
    pub(super) user_decorators: Vec<UserDecorator>,
    /// Exported names that a finding of their own explains, so that their import needs none.
    pub(super) explained: BTreeSet<String>,
    /// Something was reported that may bring steps, or name the first and last ones, out of our sight.
    pub(super) steps_hidden: bool,
    /// Attributes of the flow that hold a `Config`, with its declaration: what is read from them has been reported with it.
    pub(super) configs: BTreeMap<String, Span>,
}

impl<'a> Context<'a> {
    /// Reports what only Python can tell; nothing if it has been asked, since then its answer counts.
    pub(super) fn ask(&mut self, finding: Diagnostic) {
        if self.description.is_none() {
            self.unknown.push(finding);
        }
    }

    /// Turns to another file of the flow.
    pub(super) fn enter(&mut self, module: usize) {
        let entered = &self.modules[module];
        self.source = entered.source;
        self.names = &entered.names;
        self.class_names.clear();
    }

    /// The literal that an expression is, names of constants resolved, or the innermost part that prevents it.
    pub(super) fn literal(&self, expr: &'a Expr) -> Result<Literal, NotLiteral> {
        literal::evaluate(expr, &|part: &'a Expr| {
            let name = part.as_name_expr();
            match name.and_then(|name| self.class_names.get(name.id.as_str())) {
                Some(value) => value.clone(),
                None => self.names.constant(part),
            }
        })
    }
}

/// What was understood of a flow.
#[derive(Clone, Debug)]
pub struct Reading {
    /// Whatever could be understood, even if there are errors; `None` if no flow was found, or an error hides all of its steps.
    pub flow: Option<Flow>,
    /// Mistakes.
    pub found: Diagnostics,
    /// What only Python can tell; errors, unless it is asked.
    pub unknown: Diagnostics,
    /// Name of the class, if one was chosen.
    pub class: Option<String>,
}

/// Reads the flow of `file`; `class` is the part after the colon in `file.py:Class`.
///
/// Base classes and constants are looked for in the files that the tree holds, the flow's own being at its root.
/// Returns what could be understood even if there are errors; `None` if no flow was found, or an error hides all of its steps.
pub fn lower(tree: &SourceTree, file: FileId, class: Option<&str>) -> (Option<Flow>, Diagnostics) {
    let library = Library::gather(&mut Held(tree), file, std::iter::empty());
    let mut reading = lower_gathered(tree, &library, class, None);
    reading.found.extend(reading.unknown);
    reading.found.sort();
    (reading.flow, reading.found)
}

/// As [`lower`], and adds the files that the flow's classes lead to: `fetch` is asked for the text at a path below the root.
///
/// `description` is what Python said, if it was asked.
pub fn read(
    tree: &mut SourceTree,
    file: FileId,
    class: Option<&str>,
    description: Option<&Description>,
    fetch: &mut dyn FnMut(&str) -> Option<String>,
) -> Reading {
    let classes = description.map_or(&[][..], |description| &description.classes);
    let paths = classes.iter().map(|class| class.file.as_str());
    let library = Library::gather(&mut Fetched { tree, fetch }, file, paths);
    lower_gathered(tree, &library, class, description)
}

fn lower_gathered(
    tree: &SourceTree,
    library: &Library,
    class: Option<&str>,
    description: Option<&Description>,
) -> Reading {
    let modules = library.link(tree);
    let mut found = Diagnostics::default();
    for file in &library.files {
        found.extend(file.found.clone());
    }
    let mut context = Context {
        modules: &modules,
        source: modules[0].source,
        names: &modules[0].names,
        class_names: HashMap::new(),
        found,
        unknown: Diagnostics::default(),
        description,
        user_decorators: Vec::new(),
        explained: BTreeSet::new(),
        steps_hidden: false,
        configs: BTreeMap::new(),
    };
    let mut chosen = None;
    let flow = assemble(&mut context, class, &mut chosen);
    let Context {
        mut found,
        mut unknown,
        ..
    } = context;
    // What touches a syntax error is most likely its echo.
    for list in [&mut found, &mut unknown] {
        list.retain(|item| item.code == Code::FC0001 || !touches(item, &modules));
        list.sort();
    }
    Reading {
        flow,
        found,
        unknown,
        class: chosen,
    }
}

fn touches(item: &Diagnostic, modules: &[Module<'_>]) -> bool {
    let span = item.labels.first().map(|label| label.span);
    span.is_some_and(|span| {
        let range = TextRange::new(span.start.into(), span.end.into());
        let broken = modules
            .iter()
            .filter(|module| module.source.id == span.file)
            .flat_map(|module| module.broken);
        broken.into_iter().any(|at| at.intersect(range).is_some())
    })
}

fn assemble(
    context: &mut Context<'_>,
    class: Option<&str>,
    chosen: &mut Option<String>,
) -> Option<Flow> {
    // A file that cannot be parsed may have lost its flow with the error; then only the error is shown.
    let before = context.found.clone();
    let lineage = match context.description {
        Some(description) if !description.classes.is_empty() => {
            match dynamic::lineage(context, description) {
                Ok(lineage) => Some(lineage),
                Err(finding) => {
                    context.found.push(*finding);
                    return None;
                }
            }
        }
        _ => classes::choose(context, class),
    };
    let Some(lineage) = lineage else {
        let doubt = dynamic::doubt(context, None, class.is_some());
        if !context.modules[0].broken.is_empty() {
            context.found = before;
        } else if let (Some(doubt), None) = (doubt, context.description) {
            context.found = before;
            context.ask(doubt);
        } else {
            report_names(context);
        }
        return None;
    };
    if let Some(doubt) = dynamic::doubt(context, Some(&lineage), class.is_some()) {
        context.ask(doubt);
    }
    *chosen = Some(lineage.class.class.name.to_string());
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
    let mut files: Vec<usize> = lineage.order.iter().map(|at| at.module).collect();
    files.push(0);
    files.sort_unstable();
    files.dedup();
    for module in files {
        context.enter(module);
        report_names(context);
        imported_names(context, &mut flow.imported_names);
    }
    flow.imported_names
        .sort_by(|left, right| left.value.cmp(&right.value));
    if let Some(description) = context.description {
        described::apply(context, &mut flow, description);
    }
    let broken = |at: &ClassAt<'_>| {
        let body = at.class.range();
        let mut broken = context.modules[at.module].broken.iter();
        broken.any(|error| body.intersect(*error).is_some())
    };
    if context.steps_hidden || lineage.order.iter().any(broken) {
        // That steps or transitions are missing would only repeat what was reported.
        if flow.steps.is_empty() {
            return None;
        }
        for step in flow.steps.handles().collect::<Vec<_>>() {
            flow.steps[step].next_unread = true;
        }
    }
    Some(flow)
}

/// The flow without its members.
fn shell<'a>(context: &mut Context<'a>, lineage: &Lineage<'a>) -> Flow {
    let mut read = Vec::new();
    let nodes = lineage.order.iter().flat_map(|at| {
        let nodes = at.class.decorator_list.iter();
        nodes.map(|node| (at.module, node))
    });
    for (module, node) in nodes {
        context.enter(module);
        let source = context.source;
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
        read.extend(decorators::read(context, node, Place::Flow, None));
    }
    context.enter(lineage.class.module);
    let (source, class) = (context.source, lineage.class.class);
    Flow {
        name: Spanned {
            value: class.name.to_string(),
            span: source.span(&class.name),
        },
        file: context.modules[0].source.id,
        line: source.line(class.name.start()),
        doc: docstring(&class.body),
        steps: Arena::default(),
        parameters: Vec::new(),
        constants: Vec::new(),
        decorators: read,
        imported_names: Vec::new(),
        described: false,
        configs: IndexMap::new(),
        attached: Vec::new(),
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

/// Adds the names that the file imports, each once, at its first use.
fn imported_names(context: &Context<'_>, names: &mut Vec<Spanned<String>>) {
    for (path, range) in &context.names.imported {
        if names.iter().all(|known| known.value != *path) {
            names.push(Spanned {
                value: path.clone(),
                span: context.source.span(range),
            });
        }
    }
}

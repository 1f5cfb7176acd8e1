//! The author's graph: every name and attribute as written, each with its span.
//!
//! A front end produces a `Flow` from a source tree; nothing is resolved or defaulted yet.

use indexmap::IndexMap;

use super::arena::{Arena, Handle};
use crate::source::{FileId, Span};

/// A value and where it was written.
#[derive(Clone, Debug, PartialEq)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Where it stands in the source.
    pub span: Span,
}

/// Handle of a [`Step`] in [`Flow::steps`].
pub type FlowStepId = Handle<Step>;

/// A flow as its author wrote it.
#[derive(Clone, Debug)]
pub struct Flow {
    /// Class name; the span is the name in the `class` statement.
    pub name: Spanned<String>,
    /// File that holds the class.
    pub file: FileId,
    /// Line of the `class` statement, 1-based.
    pub line: u32,
    /// The class's docstring, dedented as `inspect.cleandoc` does.
    pub doc: Option<String>,
    /// Steps in source order; two steps of the same name are a diagnostic of the front end (the later one wins, as in Python).
    pub steps: Arena<Step>,
    /// Parameters in source order.
    pub parameters: Vec<Parameter>,
    /// Class constants in source order.
    pub constants: Vec<Constant>,
    /// Flow decorators, outermost first.
    pub decorators: Vec<Decorator>,
    /// Names imported from `metaflow` or `flowc` anywhere in the file, as exported there (not their aliases), sorted.
    pub imported_names: Vec<Spanned<String>>,
    /// Whether Python was asked for attributes and parameters that cannot be read.
    pub described: bool,
    /// Values of the configurations, by name; empty unless Python was asked.
    pub configs: IndexMap<String, ConfigValue>,
    /// Decorators of the option `--with`, for the mutators of the flow to see in each task; empty unless Python was asked.
    pub attached: Vec<String>,
}

impl Flow {
    /// Whether something reported, such as a syntax error or an unknown base class, may have hidden steps:
    /// then no transition counts as read, and a missing step is no finding.
    pub fn steps_may_be_missing(&self) -> bool {
        !self.steps.is_empty() && self.steps.iter().all(|(_, step)| step.next_unread)
    }
}

/// One step: a method decorated by `@step`.
#[derive(Clone, Debug)]
pub struct Step {
    /// Method name; the span is the name in the `def` statement.
    pub name: Spanned<String>,
    /// The whole function, decorators included.
    pub span: Span,
    /// Line of the `def`, 1-based.
    pub line: u32,
    /// Docstring, dedented.
    pub doc: Option<String>,
    /// What `@step(start=True)` and `@step(end=True)` say of its place; a step may be both.
    pub marks: Marks,
    /// Names of the positional arguments (`self`, `inputs`), in order.
    pub arguments: Vec<Spanned<String>>,
    /// Decorators other than `@step`, outermost first.
    pub decorators: Vec<Decorator>,
    /// The transition at the end of the body; `None` if the last statement is no `self.next(...)`.
    pub next: Option<Next>,
    /// A transition is there but could not be read in full, and the front end has said so.
    /// `next` then holds what could be read; a rule about missing transitions, reachability, splits or joins would only repeat the finding.
    pub next_unread: bool,
    /// The last statement of the body, for a label that says what stands where `self.next` should.
    pub last_statement: Span,
}

/// Marks of the first and the last step, each with the place of its argument.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// `start=True`
    pub start: Option<Span>,
    /// `end=True`
    pub end: Option<Span>,
}

/// A `self.next(...)` call.
#[derive(Clone, Debug)]
pub struct Next {
    /// The whole call.
    pub span: Span,
    /// Targets as written, at least one; the span covers `self.x`. Those of a switch are named once each, where they come first.
    pub targets: Vec<Spanned<String>>,
    /// The variable of `foreach="x"`, or [`GANG_VARIABLE`] of a gang; `None` for every other transition.
    pub foreach: Option<Spanned<String>>,
    /// `num_parallel=...`: the elements are the nodes of a gang, which run at the same time.
    pub gang: Option<Gang>,
    /// Which of the targets follows is decided when the step has run.
    pub switch: Option<Switch>,
}

/// Artifact that stands for the number of nodes, as Metaflow calls it (metaflow/flowspec.py, `next`, read at 2.19.39).
pub const GANG_VARIABLE: &str = "_parallel_ubf_iter";

/// `num_parallel=...` of a transition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gang {
    /// The keyword and its value.
    pub span: Span,
    /// Number of nodes, at least 1; `None` where only Python can tell.
    pub nodes: Option<u32>,
}

/// `self.next({key: self.x, ...}, condition="y")`.
#[derive(Clone, Debug)]
pub struct Switch {
    /// The artifact that is compared with the keys; the span covers the text.
    pub condition: Spanned<String>,
    /// In source order; at least two, unless that was reported. A key that is given again replaces the earlier one, as in Python.
    pub cases: Vec<Case>,
}

/// One entry of a switch.
#[derive(Clone, Debug)]
pub struct Case {
    /// What the condition is compared with.
    pub key: Spanned<CaseKey>,
    /// The step that follows.
    pub target: Spanned<String>,
}

/// Key of a switch's entry.
#[derive(Clone, Debug, PartialEq)]
pub enum CaseKey {
    /// A string, a number or a boolean.
    Literal(Literal),
    /// `self.<config>.<key>`, known when the configuration is.
    Config {
        /// Attribute of the class that holds the `Config`.
        config: String,
        /// Key in it.
        key: String,
    },
}

/// A parameter declared as a class attribute.
#[derive(Clone, Debug)]
pub struct Parameter {
    /// Name given to `Parameter(...)`, as it appears on the command line.
    pub name: Spanned<String>,
    /// Attribute of the class, through which steps read it (`self.<attribute>`).
    pub attribute: Spanned<String>,
    /// The whole `Parameter(...)` call.
    pub span: Span,
    /// `type=`, if written.
    pub ty: Option<Spanned<ParameterType>>,
    /// `default=`, if written.
    pub default: Option<Spanned<ParameterDefault>>,
    /// `help=`.
    pub help: Option<String>,
    /// `required=`.
    pub required: bool,
    /// `separator=`.
    pub separator: Option<Spanned<String>>,
    /// It is an `IncludeFile`: the value that is given is a path, and steps see what the file holds.
    pub file: bool,
}

/// Value of a configuration: text that Python wrote and that each task's Python reads. Nothing in between does.
#[derive(Clone, Debug, PartialEq)]
pub struct ConfigValue {
    /// What the text is.
    pub form: ConfigForm,
    /// JSON, a literal of Python's, or a pickle as base64.
    pub text: String,
    /// Where the configuration is declared.
    pub span: Span,
}

/// How a configuration's value is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigForm {
    /// JSON that everybody reads.
    Json,
    /// Python's literal of a value that JSON would change or lacks: a tuple, a key that is no text, `nan`.
    Literal,
    /// A pickle of anything else: only a run on this machine can hand it on.
    Pickle {
        /// Which part of the value has no literal, such as "it is a `date`".
        because: String,
    },
}

/// Type of a parameter's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParameterType {
    /// `str`
    Str,
    /// `int`
    Int,
    /// `float`
    Float,
    /// `bool`
    Bool,
    /// `JSONType`
    Json,
}

/// Default of a parameter.
#[derive(Clone, Debug, PartialEq)]
pub enum ParameterDefault {
    /// A literal.
    Literal(Literal),
    /// A value that JSON would change or lacks: a tuple, a key that is no text, a float that is not finite, an integer beyond
    /// 64 bits. Where no value is given, Python takes its own from the flow file; no target is told it.
    Native {
        /// As Python writes it.
        text: String,
        /// The type that it asks for.
        ty: ParameterType,
    },
    /// A function, evaluated when the run starts; holds its source text. Refused by every target until a later version.
    Computed(String),
}

/// A class attribute that is neither step nor parameter: stored once, read-only.
#[derive(Clone, Debug)]
pub struct Constant {
    /// Name of the attribute.
    pub name: Spanned<String>,
    /// Its value where it is a literal; Python evaluates it in any case.
    pub value: Option<Literal>,
}

/// A decorator with literal arguments.
#[derive(Clone, Debug)]
pub struct Decorator {
    /// Name under which Metaflow exports it, aliases resolved; the span is what was written after `@`.
    pub name: Spanned<String>,
    /// The whole decorator without `@`.
    pub span: Span,
    /// It stands in the flow's text; false for one that an option added.
    pub is_written: bool,
    /// Keyword arguments in source order (positional ones are a diagnostic).
    pub arguments: IndexMap<String, Argument>,
}

/// The function of Metaflow's that makes an event's name a project's own.
/// In a decorator's arguments its call is a dictionary with this one key.
pub const NAMESPACED: &str = "namespaced_event_name";

/// A keyword argument of a decorator.
#[derive(Clone, Debug)]
pub struct Argument {
    /// The keyword's name.
    pub name_span: Span,
    /// The value.
    pub value: Spanned<Literal>,
}

/// A Python literal.
#[derive(Clone, Debug, PartialEq)]
pub enum Literal {
    /// `None`
    None,
    /// `True`, `False`
    Bool(bool),
    /// An integer that fits 64 bits; a longer one is a diagnostic.
    Int(i64),
    /// A float; finite.
    Float(f64),
    /// A string.
    Str(String),
    /// A list or tuple.
    List(Vec<Literal>),
    /// A dictionary with string keys, in source order.
    Dict(IndexMap<String, Literal>),
}

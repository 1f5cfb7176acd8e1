//! Step decorators that say how a task is run: retry, timeout, catch, environment; secrets have a module of their own.

use indexmap::IndexMap;

use super::{resources, secrets};
use crate::check::decorators::{number, spec, whole};
use crate::diag::{Code, Diagnostic, Diagnostics};
use crate::ir::flow::{Argument, Decorator, Literal, Step};
use crate::ir::plan::{Attributes, Catch, Resources, Retry, Secrets};
use crate::source::{SourceTree, Span};

/// Most retries: Metaflow's readers look at six attempts (`MAX_ATTEMPTS`), one is the first and one is kept for `@catch`
/// (`metaflow/plugins/retry_decorator.py`, read at 2.19.38).
const RETRIES_MAX: i64 = 4;

/// What a step's decorators say, defaults filled in.
pub(super) struct StepAttributes {
    pub(super) retry: Retry,
    pub(super) timeout_s: Option<u32>,
    pub(super) catch: Option<Catch>,
    pub(super) environment: IndexMap<String, String>,
    pub(super) secrets: Option<Secrets>,
    pub(super) resources: Resources,
    pub(super) batch: Option<Attributes>,
    pub(super) kubernetes: Option<Attributes>,
}

/// Gives each decorator of a step its meaning. Values of the wrong type are reported by the checks and read as absent here.
pub(super) fn resolve(
    tree: &SourceTree,
    step: &Step,
    decides: Option<&'static str>,
) -> (StepAttributes, Diagnostics) {
    let mut diagnostics = Diagnostics::default();
    let find = |name: &str| {
        let mut decorators = step.decorators.iter();
        decorators.find(|decorator| decorator.name.value == name)
    };
    let (batch, kubernetes) = (find("batch"), find("kubernetes"));
    if let (Some(batch), Some(kubernetes)) = (batch, kubernetes) {
        let name = &step.name.value;
        diagnostics.push(
            Diagnostic::error(
                Code::FC0216,
                format!("step `{name}` has both `@batch` and `@kubernetes`"),
                kubernetes.span,
                "runs on Kubernetes",
            )
            .label(batch.span, "runs on AWS Batch")
            .help("keep one of them; `@resources` holds for both"),
        );
    }
    let attributes = StepAttributes {
        retry: find("retry").map_or_else(Retry::default, |it| retry(it, &mut diagnostics)),
        timeout_s: find("timeout").and_then(|it| timeout(it, &mut diagnostics)),
        catch: find("catch").map(|it| catch(it, step, decides, &mut diagnostics)),
        environment: find("environment")
            .map(|it| environment(tree, it, &mut diagnostics))
            .unwrap_or_default(),
        secrets: find("secrets").and_then(|it| secrets::resolve(tree, it, &mut diagnostics)),
        resources: resources::resolve(find("resources"), batch.or(kubernetes)),
        batch: batch.map(resources::others),
        kubernetes: kubernetes.map(resources::others),
    };
    (attributes, diagnostics)
}

/// The argument, if it is one that the decorator takes and its value is allowed.
pub(super) fn argument<'d>(decorator: &'d Decorator, name: &str) -> Option<&'d Argument> {
    let argument = decorator.arguments.get(name)?;
    let known = spec(&decorator.name.value)?.argument(name)?;
    let value = &argument.value.value;
    let is_set = *value != Literal::None;
    (is_set && known.kind.accept(value).is_ok()).then_some(argument)
}

fn retry(decorator: &Decorator, diagnostics: &mut Diagnostics) -> Retry {
    // Metaflow's defaults: 3 retries, 2 minutes apart.
    let mut times = 3;
    if let Some(given) = argument(decorator, "times") {
        times = whole(&given.value.value).unwrap_or(times);
        if times > RETRIES_MAX {
            diagnostics.push(
                Diagnostic::error(
                    Code::FC0206,
                    format!("too many retries: {times}"),
                    given.value.span,
                    format!("at most {RETRIES_MAX}"),
                )
                .note("a task has at most 6 attempts: the first, the retries, and one kept for `@catch`")
                .fix(
                    given.value.span,
                    RETRIES_MAX.to_string(),
                    format!("use {RETRIES_MAX}"),
                ),
            );
        }
    }
    let minutes = argument(decorator, "minutes_between_retries")
        .and_then(|given| number(&given.value.value))
        .unwrap_or(2.0);
    Retry {
        times: u32::try_from(times).unwrap_or(0),
        delay_s: seconds(minutes * 60.0).unwrap_or(u32::MAX),
    }
}

fn seconds(value: f64) -> Option<u32> {
    let rounded = value.round();
    (rounded >= 0.0 && rounded <= f64::from(u32::MAX))
        .then_some(rounded as i64)?
        .try_into()
        .ok()
}

fn timeout(decorator: &Decorator, diagnostics: &mut Diagnostics) -> Option<u32> {
    let units = [("seconds", 1), ("minutes", 60), ("hours", 3600)];
    let mut total: i64 = 0;
    for (name, unit) in units {
        let Some(written) = decorator.arguments.get(name) else {
            continue;
        };
        // Said by the table's rule already.
        let given = argument(decorator, name)?;
        debug_assert_eq!(written.name_span, given.name_span);
        total += whole(&given.value.value)? * unit;
    }
    let report = |message: &str, label: &str| {
        Diagnostic::error(Code::FC0207, message, decorator.span, label)
            .help("give `seconds`, `minutes` or `hours`; they are added up")
    };
    if total == 0 {
        diagnostics.push(report("a timeout of zero", "no time at all"));
        return None;
    }
    // Metaflow arms `SIGALRM`, whose argument is a C int.
    let Ok(total) = i32::try_from(total) else {
        diagnostics.push(report("a timeout of more than 68 years", "too long"));
        return None;
    };
    u32::try_from(total).ok()
}

fn catch(
    decorator: &Decorator,
    step: &Step,
    decides: Option<&'static str>,
    diagnostics: &mut Diagnostics,
) -> Catch {
    if let Some(what) = decides {
        let name = &step.name.value;
        let is_switch = what == "switch";
        let mut found = Diagnostic::error(
            Code::FC0208,
            format!("`@catch` on the {what} `{name}`"),
            decorator.span,
            if is_switch {
                "a failed switch has not chosen how to go on"
            } else {
                "a failed split has no list to go on with"
            },
        );
        if let Some(next) = &step.next {
            let label = if is_switch {
                "chooses here"
            } else {
                "splits here"
            };
            found = found.label(next.span, label);
        }
        diagnostics
            .push(found.help("move what may fail into a step before it, and put `@catch` there"));
    }
    let variable = argument(decorator, "var").map(|given| &given.value.value);
    let print = argument(decorator, "print_exception").map(|given| &given.value.value);
    Catch {
        variable: match variable {
            Some(Literal::Str(name)) => Some(name.clone()),
            _ => None,
        },
        print_exception: print != Some(&Literal::Bool(false)),
    }
}

fn environment(
    tree: &SourceTree,
    decorator: &Decorator,
    diagnostics: &mut Diagnostics,
) -> IndexMap<String, String> {
    let mut variables = IndexMap::new();
    let Some(given) = argument(decorator, "vars") else {
        return variables;
    };
    let Literal::Dict(items) = &given.value.value else {
        return variables;
    };
    let mut refuse = |name: &str, message: String, label: &str, help: String| {
        let span = entry(tree, given.value.span, name);
        diagnostics.push(Diagnostic::error(Code::FC0218, message, span, label).help(help));
    };
    for (name, value) in items {
        let shown = name.escape_debug();
        if !is_variable(name) {
            refuse(
                name,
                format!("invalid name `{shown}` of an environment variable"),
                "this name",
                "use letters, digits and underscores, and no digit at the start".to_owned(),
            );
            continue;
        }
        if name.starts_with("FLOWC_") {
            refuse(
                name,
                format!("environment variable `{name}` belongs to flowc"),
                "this name",
                "choose a name that does not start with `FLOWC_`".to_owned(),
            );
            continue;
        }
        let text = match value {
            Literal::Str(text) if text.contains('\0') => {
                refuse(
                    name,
                    format!("the value of environment variable `{name}` holds a zero byte"),
                    "the value of this one",
                    "encode binary values, for example as base64".to_owned(),
                );
                continue;
            }
            Literal::Str(text) => text.clone(),
            // As `str()` prints it, which is what Metaflow does.
            Literal::Int(number) => number.to_string(),
            Literal::None
            | Literal::Bool(_)
            | Literal::Float(_)
            | Literal::List(_)
            | Literal::Dict(_) => {
                refuse(
                    name,
                    format!("the value of environment variable `{name}` is no string"),
                    "the value of this one",
                    format!("write the value of `{name}` as a string"),
                );
                continue;
            }
        };
        variables.insert(name.clone(), text);
    }
    variables
}

/// Where a literal has a text, as far as can be told; else the whole of it.
pub(super) fn entry(tree: &SourceTree, literal: Span, key: &str) -> Span {
    match entries(tree, literal, key)[..] {
        [place] => place,
        _ => literal,
    }
}

/// Every place in a literal where the text stands, in order.
pub(super) fn entries(tree: &SourceTree, literal: Span, key: &str) -> Vec<Span> {
    let text = tree.text(literal);
    let quoted = [format!("\"{key}\""), format!("'{key}'")];
    let places = quoted.iter();
    let places = places.flat_map(|key| text.match_indices(key.as_str()));
    let mut places: Vec<Span> = places
        .map(|(at, found)| {
            let start = literal.start + at as u32;
            let end = start + found.len() as u32;
            Span {
                start,
                end,
                ..literal
            }
        })
        .collect();
    places.sort_unstable_by_key(|place| place.start);
    places
}

pub(super) fn is_variable(name: &str) -> bool {
    let is_letter = |c: char| c == '_' || c.is_ascii_alphabetic();
    name.starts_with(is_letter) && name.chars().all(|c| is_letter(c) || c.is_ascii_digit())
}

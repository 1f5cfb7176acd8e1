//! Puts what Python said of a flow into what was read of it: the graph and the spans stay, attributes and parameters are Python's.

use indexmap::IndexMap;

use super::description::{
    DescribedConfig, DescribedDecorator, DescribedParameter, DescribedPlace, DescribedValue,
    Description, Native,
};
use super::known;
use super::lower::Context;
use crate::diag::{Code, Diagnostic};
use crate::ir::flow::{
    Argument, ConfigValue, Decorator, Flow, Parameter, ParameterDefault, ParameterType, Spanned,
    Step,
};
use crate::source::Span;

/// A decorator of the user's own, as it was read.
#[derive(Clone, Debug)]
pub(super) struct UserDecorator {
    /// The step that it stands on; `None` for the flow.
    pub(super) step: Option<String>,
    /// The last part of its name.
    pub(super) name: String,
    /// The whole decorator without `@`.
    pub(super) span: Span,
}

/// Replaces attributes and parameters by those that Python has.
pub(super) fn apply(context: &mut Context<'_>, flow: &mut Flow, description: &Description) {
    let class = flow.name.span;
    flow.name.value.clone_from(&description.flow);
    flow.decorators = decorators(
        context,
        None,
        class,
        &flow.decorators,
        &description.decorators,
    );
    for id in flow.steps.handles().collect::<Vec<_>>() {
        let step = &flow.steps[id];
        let (name, span) = (&step.name.value, step.name.span);
        let Some(described) = description.steps.get(name) else {
            let message = format!("`{name}` is no step once Python has run the file");
            let label = "a decorator or a mutator makes something else of it";
            let help = "decorators of a step must hand on the function that `@step` marked";
            let finding = Diagnostic::error(Code::FC0028, message, span, label).help(help);
            context.found.push(finding);
            continue;
        };
        if let Some(place) = description.places.get(name)
            && is_elsewhere(context, step, place)
        {
            let message = format!("`{name}` is another function once Python has run the file");
            let label = format!("Python runs the one at {}:{}", place.file, place.line);
            let help = "give a flow its steps in the body of its class, or of a base class";
            let finding = Diagnostic::error(Code::FC0028, message, span, label).help(help);
            context.found.push(finding);
        }
        let read = decorators(context, Some(name), span, &step.decorators, described);
        flow.steps[id].decorators = read;
    }
    let read = |name: &str| flow.steps.iter().any(|(_, step)| step.name.value == name);
    for name in description.steps.keys().filter(|name| !read(name)) {
        let message = format!("the step `{name}` exists only once Python has run the file");
        let label = "its transitions cannot be read";
        let help = "define it in the body of the class, or of a base class";
        let finding = Diagnostic::error(Code::FC0028, message, class, label).help(help);
        context.found.push(finding);
    }
    let written = std::mem::take(&mut flow.parameters);
    let place = |parameter: &DescribedParameter| {
        let at = written
            .iter()
            .position(|one| one.attribute.value == parameter.attribute);
        at.unwrap_or(written.len())
    };
    let mut described: Vec<&DescribedParameter> = description.parameters.iter().collect();
    described.sort_by_key(|parameter| place(parameter));
    for parameter in described {
        let static_one = written.get(place(parameter));
        let one = self::parameter(context, class, static_one, parameter);
        flow.parameters.push(one);
    }
    flow.constants.retain(|constant| {
        let name = &constant.name.value;
        !flow
            .parameters
            .iter()
            .any(|one| one.attribute.value == *name)
    });
    flow.described = true;
    flow.configs = configs(context, class, description);
}

fn configs(
    context: &Context<'_>,
    class: Span,
    description: &Description,
) -> IndexMap<String, ConfigValue> {
    let configs = description.configs.iter();
    let value = |(name, config): (&String, &DescribedConfig)| {
        let value = ConfigValue {
            form: config.form(),
            text: config.text.clone(),
            span: *context.configs.get(&config.attribute).unwrap_or(&class),
        };
        (name.clone(), value)
    };
    configs.map(value).collect()
}

/// Whether a step is another function than the one that was read; one that a decorator wraps may be anywhere.
fn is_elsewhere(context: &Context<'_>, step: &Step, place: &DescribedPlace) -> bool {
    let name = &step.name.value;
    let mut users = context.user_decorators.iter();
    if users.any(|user| user.step.as_ref() == Some(name)) {
        return false;
    }
    let mut modules = context.modules.iter();
    let module = modules.find(|module| module.source.id == step.span.file);
    module.is_none_or(|module| {
        let line = |offset: u32| module.source.line(offset.into());
        let lines = line(step.span.start)..=line(step.span.end);
        module.source.path() != place.file || !lines.contains(&place.line)
    })
}

/// The place of the mutator that inserted something; that of the step or flow if it cannot be told.
fn inserted(
    context: &Context<'_>,
    step: Option<&String>,
    otherwise: Span,
    by: Option<&Vec<String>>,
) -> Span {
    let names = by.into_iter().flatten().rev();
    let mut last = names.map(|name| name.rsplit('.').next().unwrap_or(name));
    let found = last.find_map(|name| {
        let mut users = context.user_decorators.iter();
        users.find(|user| user.name == name && (user.step.is_none() || user.step.as_ref() == step))
    });
    found.map_or(otherwise, |user| user.span)
}

fn decorators(
    context: &mut Context<'_>,
    step: Option<&String>,
    owner: Span,
    written: &[Decorator],
    described: &[DescribedDecorator],
) -> Vec<Decorator> {
    let mut left: Vec<&Decorator> = written.iter().collect();
    let mut all = Vec::new();
    for one in described {
        let own = one.inserted_by.is_none() && !one.attached;
        let at = left
            .iter()
            .position(|known| own && known.name.value == one.name);
        let known = at.map(|at| left.remove(at));
        let span = known.map_or_else(
            || inserted(context, step, owner, one.inserted_by.as_ref()),
            |known| known.span,
        );
        if known::supported_decorator(&one.name).is_none() {
            // What is wrong with an option is said of the option.
            if one.attached {
                continue;
            }
            unsupported(context, &one.name, span);
            continue;
        }
        let mut arguments = IndexMap::new();
        let mut complete = true;
        for (name, value) in &one.arguments {
            let written = known.and_then(|known| known.arguments.get(name));
            let value_span = written.map_or(span, |argument| argument.value.span);
            let Some(value) = value_of(context, name, &one.name, value_span, value) else {
                complete = false;
                continue;
            };
            let argument = Argument {
                name_span: written.map_or(span, |argument| argument.name_span),
                value: Spanned {
                    value,
                    span: value_span,
                },
            };
            arguments.insert(name.clone(), argument);
        }
        // Without what was reported it would be judged wrongly.
        if !complete {
            continue;
        }
        all.push(Decorator {
            name: Spanned {
                value: one.name.clone(),
                span: known.map_or(span, |known| known.name.span),
            },
            span,
            is_written: !one.attached,
            arguments,
        });
    }
    all
}

fn unsupported(context: &mut Context<'_>, name: &str, span: Span) {
    if let Some(words) = known::without_effect(name) {
        let finding = super::decorators::without_effect(name, words, span);
        // Where it is written in the flow, that was said already.
        let is_said =
            |said: &Diagnostic| said.code == finding.code && said.message == finding.message;
        if !context.found.iter().any(is_said) {
            context.found.push(finding);
        }
        return;
    }
    let finding = if let Some(help) = known::not_yet(name) {
        let message = format!("`@{name}` is not supported yet");
        Diagnostic::error(Code::FC0014, message, span, "inserts it").help(help)
    } else {
        let message = format!("Metaflow has no decorator `{name}`");
        Diagnostic::error(Code::FC0013, message, span, "inserts it")
            .help("mutators insert decorators of Metaflow by their names")
    };
    context.found.push(finding);
}

fn value_of(
    context: &mut Context<'_>,
    argument: &str,
    decorator: &str,
    span: Span,
    value: &DescribedValue,
) -> Option<crate::ir::flow::Literal> {
    match value.literal() {
        Ok(value) => Some(value),
        Err(shown) => {
            let message = format!("`{argument}` of `@{decorator}` is no plain value");
            let label = format!("Python makes `{shown}` of it");
            let help = if decorator.starts_with("trigger") {
                "write the names themselves, `namespaced_event_name(\"...\")`, or a value of a `Config`"
            } else {
                "texts, numbers, booleans, lists and dictionaries can be told to a target"
            };
            let finding = Diagnostic::error(Code::FC0012, message, span, label).help(help);
            context.found.push(finding);
            None
        }
    }
}

fn parameter(
    context: &mut Context<'_>,
    class: Span,
    written: Option<&Parameter>,
    described: &DescribedParameter,
) -> Parameter {
    let span = written.map_or_else(
        || inserted(context, None, class, described.inserted_by.as_ref()),
        |written| written.span,
    );
    let ty = described.ty.as_deref().and_then(|name| {
        let span = written
            .and_then(|written| written.ty.as_ref())
            .map_or(span, |ty| ty.span);
        let value = match name {
            "str" => ParameterType::Str,
            "int" => ParameterType::Int,
            "float" => ParameterType::Float,
            "bool" => ParameterType::Bool,
            "json" => ParameterType::Json,
            _ => {
                let message = format!("a parameter cannot be of type `{name}`");
                let finding = Diagnostic::error(Code::FC0016, message, span, "not supported");
                let help = "types are `str`, `int`, `float`, `bool` and `JSONType`";
                context.found.push(finding.help(help));
                return None;
            }
        };
        Some(Spanned { value, span })
    });
    let place = written.and_then(|written| written.default.as_ref());
    let default_span = place.map_or(span, |default| default.span);
    let default = if described.computed {
        let text = match place.map(|default| &default.value) {
            Some(ParameterDefault::Computed(text)) => text.clone(),
            Some(ParameterDefault::Literal(_) | ParameterDefault::Native { .. }) | None => {
                "a function".to_owned()
            }
        };
        Some(ParameterDefault::Computed(text))
    } else {
        described
            .default
            .as_ref()
            .and_then(|value| match (value.literal(), value) {
                (Ok(literal), _) => Some(ParameterDefault::Literal(literal)),
                (Err(_), DescribedValue::Native(native)) => Some(self::native(native)),
                (Err(shown), _) => {
                    let message = "`default` of a parameter is no plain value";
                    let label = format!("Python makes `{shown}` of it");
                    let finding = Diagnostic::error(Code::FC0011, message, default_span, label);
                    let help = "give a text, a number, a boolean, a list or a dictionary";
                    context.found.push(finding.help(help));
                    None
                }
            })
    };
    let spanned = |value: &String, known: Option<Span>| Spanned {
        value: value.clone(),
        span: known.unwrap_or(span),
    };
    let separator = described.separator.as_ref();
    let known_separator = written.and_then(|one| one.separator.as_ref());
    Parameter {
        name: spanned(&described.name, written.map(|one| one.name.span)),
        attribute: spanned(&described.attribute, written.map(|one| one.attribute.span)),
        span,
        ty,
        default: default.map(|value| Spanned {
            value,
            span: default_span,
        }),
        help: described.help.clone(),
        required: described.required,
        file: described.file,
        separator: separator.map(|text| spanned(text, known_separator.map(|one| one.span))),
    }
}

fn native(native: &Native) -> ParameterDefault {
    let ty = match native.ty.as_str() {
        "int" => ParameterType::Int,
        "float" => ParameterType::Float,
        "str" => ParameterType::Str,
        _ => ParameterType::Json,
    };
    ParameterDefault::Native {
        text: native.text.clone(),
        ty,
    }
}

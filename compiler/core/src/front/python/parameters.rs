//! `Parameter(...)` as a class attribute.

use ruff_python_ast::{Expr, ExprCall};
use ruff_text_size::{Ranged, TextRange};

use super::decorators::not_literal;
use super::literal::{NotLiteral, Why, has_tuple};
use super::lower::Context;
use super::names::Meaning;
use crate::diag::suggest::closest;
use crate::diag::{Code, Diagnostic};
use crate::ir::flow::{Literal, Parameter, ParameterDefault, ParameterType, Spanned};

/// The arguments in the order in which they may be given by position; `separator` by keyword only.
/// `Parameter.__init__` in `metaflow/parameters.py`, read at 2.19.39.
const OPTIONS: [&str; 7] = [
    "name",
    "default",
    "type",
    "help",
    "required",
    "show_default",
    "separator",
];

/// How many of [`OPTIONS`] may be given by position.
const POSITIONAL: usize = 6;

/// Likewise of `IncludeFile`, `IncludeFile.__init__` in `metaflow/includefile.py`; its `default` is by keyword only.
const FILE_OPTIONS: [&str; 8] = [
    "name",
    "required",
    "is_text",
    "encoding",
    "help",
    "parser",
    "default",
    "show_default",
];

/// What is declared: its options, how many of them may be given by position, and its class.
#[derive(Clone, Copy)]
pub(super) struct Declared {
    options: &'static [&'static str],
    positional: usize,
    class: &'static str,
}

/// A parameter, or an included file.
pub(super) fn declared(file: bool) -> Declared {
    if file {
        return Declared {
            options: &FILE_OPTIONS,
            positional: 6,
            class: "IncludeFile",
        };
    }
    Declared {
        options: &OPTIONS,
        positional: POSITIONAL,
        class: "Parameter",
    }
}

/// Reads the call; what could not be read is reported and left out.
pub(super) fn read<'a>(
    context: &mut Context<'a>,
    attribute: Spanned<String>,
    call: &'a ExprCall,
    declared: Declared,
) -> Parameter {
    let mut parameter = Parameter {
        name: attribute.clone(),
        attribute,
        span: context.source.span(call),
        ty: None,
        default: None,
        help: None,
        required: false,
        separator: None,
        file: declared.class == "IncludeFile",
    };
    let mut named = false;
    for (option, value) in options(context, call, declared) {
        match option {
            "name" => {
                named = true;
                if let Some(Literal::Str(name)) = plain(context, option, value) {
                    let span = context.source.span(value);
                    parameter.name = Spanned { value: name, span };
                }
            }
            "default" => parameter.default = Some(read_default(context, value)),
            "type" => parameter.ty = read_type(context, value),
            "required" => {
                parameter.required = plain(context, option, value) == Some(Literal::Bool(true));
            }
            "help" => {
                if let Some(Literal::Str(help)) = plain(context, option, value) {
                    parameter.help = Some(help);
                }
            }
            "separator" => {
                if let Some(Literal::Str(separator)) = plain(context, option, value) {
                    let span = context.source.span(value);
                    parameter.separator = Some(Spanned {
                        value: separator,
                        span,
                    });
                }
            }
            // Only the harness calls it.
            "parser" => {}
            // `show_default` only shapes Metaflow's help text; its value is checked like the others.
            _ => drop(plain(context, option, value)),
        }
    }
    if !named {
        let span = context.source.span(&*call.func);
        let message = "a parameter without a name";
        let attribute = &parameter.attribute.value;
        let finding = Diagnostic::error(
            Code::FC0011,
            message,
            span,
            "its first argument is its name",
        )
        .help(format!("write `{}(\"{attribute}\", ...)`", declared.class));
        context.found.push(finding);
    }
    parameter
}

/// The arguments by the name of the option, positions resolved.
fn options<'a>(
    context: &mut Context<'a>,
    call: &'a ExprCall,
    declared: Declared,
) -> Vec<(&'static str, &'a Expr)> {
    let mut options: Vec<(&'static str, &'a Expr)> = Vec::new();
    for (position, value) in call.arguments.args.iter().enumerate() {
        if value.is_starred_expr() {
            unreadable(
                context,
                value.range(),
                "`*` hides the arguments of a parameter",
            );
            break;
        }
        let Some(option) = declared
            .options
            .get(position)
            .filter(|_| position < declared.positional)
        else {
            let span = context.source.span(value);
            let message = format!("too many positional arguments of `{}`", declared.class);
            let finding = Diagnostic::error(Code::FC0024, message, span, "which option is this?");
            let help = "write options by keyword, as in `default=1`";
            context.found.push(finding.help(help));
            break;
        };
        options.push((option, value));
    }
    for keyword in &call.arguments.keywords {
        let Some(name) = &keyword.arg else {
            unreadable(
                context,
                keyword.range(),
                "`**` hides the options of a parameter",
            );
            continue;
        };
        if let Some(option) = declared
            .options
            .iter()
            .find(|option| **option == name.as_str())
        {
            if options.iter().any(|(known, _)| known == option) {
                let span = context.source.span(keyword);
                let message = format!("`{option}` of a parameter is given twice");
                let label = "also given by position";
                let finding = Diagnostic::error(Code::FC0011, message, span, label);
                context.found.push(finding.help("remove one of the two"));
            } else {
                options.push((option, &keyword.value));
            }
            continue;
        }
        let span = context.source.span(name);
        let message = format!("`{}` has no option `{name}`", declared.class);
        let finding = Diagnostic::error(Code::FC0024, message, span, "unknown option");
        context
            .found
            .push(match closest(name, declared.options.iter().copied()) {
                Some(near) => finding.help(format!("did you mean `{near}`?")).fix(
                    span,
                    near,
                    format!("rename to `{near}`"),
                ),
                None => finding.help(format!("options are `{}`", declared.options.join("`, `"))),
            });
    }
    options
}

fn unreadable(context: &mut Context<'_>, range: TextRange, message: &str) {
    let span = context.source.span(&range);
    let finding = Diagnostic::error(Code::FC0011, message, span, "known only when Python runs");
    let help = "write the arguments themselves";
    context.ask(finding.help(help));
}

/// A literal of the option's type, or `None` (which is as good as leaving the option out).
fn plain<'a>(context: &mut Context<'a>, option: &str, value: &'a Expr) -> Option<Literal> {
    let message = format!("`{option}` of a parameter cannot be read statically");
    let literal = match context.literal(value) {
        Ok(literal) => literal,
        Err(error) => {
            not_literal(context, value, error, Code::FC0011, &message);
            return None;
        }
    };
    let (fits, expected) = match option {
        "required" | "show_default" | "is_text" => (
            matches!(literal, Literal::Bool(_) | Literal::None),
            "`True` or `False` is expected",
        ),
        "name" => (matches!(literal, Literal::Str(_)), "a string is expected"),
        _ => (
            matches!(literal, Literal::Str(_) | Literal::None),
            "a string is expected",
        ),
    };
    if fits {
        return Some(literal);
    }
    let span = context.source.span(value);
    let message = format!("`{option}` of a parameter has the wrong type");
    let finding = Diagnostic::error(Code::FC0011, message, span, expected);
    context.found.push(finding);
    None
}

fn read_default<'a>(context: &mut Context<'a>, value: &'a Expr) -> Spanned<ParameterDefault> {
    let span = context.source.span(value);
    let text = context.source.text(value).to_owned();
    let native = |ty| ParameterDefault::Native {
        text: text.clone(),
        ty,
    };
    let is_whole = !(value.is_list_expr() || value.is_dict_expr() || value.is_tuple_expr());
    let default = match context.literal(value) {
        Ok(_) if has_tuple(value) => native(ParameterType::Json),
        Ok(literal) => ParameterDefault::Literal(literal),
        Err(error) if is_whole && error.why == Why::TooLong => native(ParameterType::Int),
        Err(error) if is_whole && error.why == Why::NotFinite => native(ParameterType::Float),
        Err(_) if is_function(context, value) => ParameterDefault::Computed(text),
        Err(error) => {
            let message = "`default` of a parameter cannot be read statically";
            // Names say more as a whole than their parts.
            let error = if value.is_name_expr() || value.is_attribute_expr() {
                NotLiteral::computed(value.range())
            } else {
                error
            };
            not_literal(context, value, error, Code::FC0011, message);
            // It stays a parameter with a default, so that no rule asks for one.
            ParameterDefault::Computed(text)
        }
    };
    Spanned {
        value: default,
        span,
    }
}

fn is_function<'a>(context: &Context<'a>, value: &'a Expr) -> bool {
    value.is_lambda_expr() || matches!(context.names.resolve(value), Meaning::Function)
}

fn read_type<'a>(context: &mut Context<'a>, value: &'a Expr) -> Option<Spanned<ParameterType>> {
    if value.is_none_literal_expr() {
        return None;
    }
    let span = context.source.span(value);
    let ty = match context.names.resolve(value) {
        Meaning::Unbound("str") => ParameterType::Str,
        Meaning::Unbound("int") => ParameterType::Int,
        Meaning::Unbound("float") => ParameterType::Float,
        Meaning::Unbound("bool") => ParameterType::Bool,
        Meaning::Metaflow(path) if path == "JSONType" => ParameterType::Json,
        Meaning::Metaflow(_)
        | Meaning::Foreign(_)
        | Meaning::Class(_)
        | Meaning::Function
        | Meaning::Value
        | Meaning::Bound
        | Meaning::Unbound(_)
        | Meaning::Expression => {
            let text = context.source.text(value);
            let message = format!("a parameter cannot be of type `{text}`");
            let finding = Diagnostic::error(Code::FC0016, message, span, "not supported");
            let help = match text {
                "list" | "tuple" | "set" => {
                    "use `separator=\",\"` for a list of strings, or `type=JSONType`"
                }
                "dict" => "use `type=JSONType`",
                "JSONType" => "add `JSONType` to the import from `metaflow`",
                _ => "types are `str`, `int`, `float`, `bool` and `JSONType`",
            };
            context.found.push(finding.help(help));
            return None;
        }
    };
    Some(Spanned { value: ty, span })
}

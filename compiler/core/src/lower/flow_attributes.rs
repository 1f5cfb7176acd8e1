//! Flow decorators: schedule, project and exit hooks.

use super::attributes::argument;
use super::cron;
use crate::diag::{Code, Diagnostic, Diagnostics};
use crate::ir::flow::{Decorator, Flow, Literal};
use crate::ir::plan::{ExitHook, Schedule};
use crate::ir::project::{self, Project};
use crate::source::Span;

pub(super) fn find<'f>(flow: &'f Flow, name: &str) -> Option<&'f Decorator> {
    let mut decorators = flow.decorators.iter();
    decorators.find(|decorator| decorator.name.value == name)
}

fn text<'d>(decorator: &'d Decorator, name: &str) -> Option<(&'d str, Span)> {
    let given = argument(decorator, name)?;
    let Literal::Str(text) = &given.value.value else {
        return None;
    };
    Some((text, given.value.span))
}

/// `@schedule` as a cron expression; `None` where it says nothing, as `@schedule(daily=False)` does.
pub(super) fn schedule(flow: &Flow) -> (Option<Schedule>, Diagnostics) {
    let mut diagnostics = Diagnostics::default();
    let Some(decorator) = find(flow, "schedule") else {
        return (None, diagnostics);
    };
    let is_true = |name: &str| {
        let given = argument(decorator, name).map(|given| &given.value.value);
        given.map(|value| *value == Literal::Bool(true))
    };
    let cron = text(decorator, "cron");
    warn_of_several(decorator, cron, &mut diagnostics);
    // Metaflow's order: cron, weekly, hourly, daily; daily is on unless turned off.
    let cron = match cron {
        Some((expression, span)) => match cron::convert(expression) {
            Ok(cron) => Some(cron),
            Err(wrong) => {
                diagnostics.push(
                    Diagnostic::error(
                        Code::FC0214,
                        format!("invalid cron expression `{}`", expression.escape_debug()),
                        span,
                        wrong,
                    )
                    .help("write minute, hour, day of month, month and day of week, as in `cron=\"30 6 * * MON-FRI\"`"),
                );
                None
            }
        },
        None if is_true("weekly") == Some(true) => Some("0 0 * * 0".to_owned()),
        None if is_true("hourly") == Some(true) => Some("0 * * * *".to_owned()),
        None if is_true("daily") != Some(false) => Some("0 0 * * *".to_owned()),
        None => None,
    };
    let timezone = text(decorator, "timezone");
    if let Some((name, span)) = timezone.filter(|(name, _)| !is_timezone(name)) {
        diagnostics.push(
            Diagnostic::error(
                Code::FC0214,
                format!("`{}` is no time zone", name.escape_debug()),
                span,
                "not a name of the IANA database",
            )
            .help("write a name such as `Europe/Berlin` or `UTC`"),
        );
    }
    let schedule = cron.map(|cron| Schedule {
        cron,
        timezone: timezone.map(|(name, _)| name.to_owned()),
        span: decorator.span,
    });
    (schedule, diagnostics)
}

fn warn_of_several(
    decorator: &Decorator,
    cron: Option<(&str, Span)>,
    diagnostics: &mut Diagnostics,
) {
    let mut given: Vec<(&str, Span)> = cron.map(|(_, span)| ("cron", span)).into_iter().collect();
    for name in ["weekly", "hourly", "daily"] {
        let set = argument(decorator, name).filter(|it| it.value.value == Literal::Bool(true));
        given.extend(set.map(|it| (name, it.value.span)));
    }
    let [(wins, kept), (name, span), ..] = given[..] else {
        return;
    };
    diagnostics.push(
        Diagnostic::warning(
            Code::FC0214,
            format!("the schedule is given twice: `{wins}` wins over `{name}`"),
            span,
            "has no effect",
        )
        .label(kept, "this is the schedule")
        .help(format!("take `{name}` away")),
    );
}

/// Whether a name has the shape of one in the IANA database; which ones exist depends on the year.
pub(super) fn is_timezone(name: &str) -> bool {
    let part = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_alphabetic())
            && part
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '+'))
    };
    name.split('/').count() <= 3 && name.split('/').all(part)
}

/// `@project`; what it leaves open is said by whoever compiles the flow.
pub(super) fn project(flow: &Flow) -> (Option<Project>, Diagnostics) {
    let mut diagnostics = Diagnostics::default();
    let Some(decorator) = find(flow, "project") else {
        return (None, diagnostics);
    };
    let branch = text(decorator, "branch");
    let given = [("project", text(decorator, "name")), ("branch", branch)];
    for (what, given) in given {
        if let Some(wrong) = given.and_then(|(name, span)| wrong_name(what, name, span)) {
            diagnostics.push(wrong);
        }
    }
    let Some((name, _)) = text(decorator, "name") else {
        return (None, diagnostics);
    };
    // Written as `None` it is said too: as in Metaflow, an option may not say otherwise.
    let place = |name: &str| Some(decorator.arguments.get(name)?.value.span);
    let production = argument(decorator, "production");
    let project = Project {
        name: name.to_owned(),
        branch: branch.map(|(name, _)| name.to_owned()),
        production: production.is_some_and(|given| given.value.value == Literal::Bool(true)),
        branch_span: place("branch"),
        production_span: place("production"),
        span: decorator.span,
    };
    (Some(project), diagnostics)
}

fn wrong_name(what: &str, name: &str, span: Span) -> Option<Diagnostic> {
    let wrong = project::wrong_name(name)?;
    let message = format!("invalid {what} name `{}`", name.escape_debug());
    let diagnostic = Diagnostic::error(Code::FC0215, message, span, wrong);
    Some(match project::legal_name(name) {
        Some(better) => diagnostic.fix(span, format!("\"{better}\""), format!("use `{better}`")),
        None => diagnostic.help(format!(
            "write a {what}'s name of `a` to `z`, digits and underscores"
        )),
    })
}

/// `@exit_hook`, from the top to the class, as Metaflow calls them.
pub(super) fn exit_hooks(flow: &Flow) -> (Vec<ExitHook>, Diagnostics) {
    let mut diagnostics = Diagnostics::default();
    let hooks = flow.decorators.iter();
    let hooks = hooks.filter(|decorator| decorator.name.value == "exit_hook");
    let hooks: Vec<ExitHook> = hooks
        .map(|decorator| ExitHook {
            on_success: functions(decorator, "on_success"),
            on_error: functions(decorator, "on_error"),
            options: argument(decorator, "options")
                .filter(|given| !matches!(&given.value.value, Literal::Dict(all) if all.is_empty()))
                .map(|given| given.value.span),
            span: decorator.span,
        })
        .collect();
    for hook in &hooks {
        if hook.on_success.is_empty() && hook.on_error.is_empty() {
            let message = "`@exit_hook` calls nothing";
            let finding = Diagnostic::error(Code::FC0222, message, hook.span, "no function");
            diagnostics.push(finding.help("name functions, as in `on_error=[notify]`"));
        }
    }
    (hooks, diagnostics)
}

fn functions(decorator: &Decorator, name: &str) -> Vec<String> {
    let value = argument(decorator, name).map(|given| &given.value.value);
    let items = match value {
        Some(Literal::List(items)) => items.as_slice(),
        Some(one) => std::slice::from_ref(one),
        None => &[],
    };
    let texts = items.iter().filter_map(|item| {
        if let Literal::Str(text) = item {
            Some(text.clone())
        } else {
            None
        }
    });
    texts.collect()
}

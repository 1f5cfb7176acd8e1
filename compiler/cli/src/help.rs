//! `--help` of the commands that take a flow's parameters, which lists those where the flow is known.

use std::fmt::Write as _;

use flowc_core::ir::plan::{Plan, PlanParameter};
use flowc_target::literal;

use crate::parameters;
use crate::words::OptionRow;

/// Column of the descriptions, unless an option is longer.
const COLUMN: usize = 22;

/// The whole text: what the command does, then options under each other, then examples.
pub(crate) fn text(
    head: &str,
    plan: Option<&Plan>,
    options: &[OptionRow],
    examples: &str,
) -> String {
    let mut text = format!("{head}\n");
    if let Some(plan) = plan {
        let rows: Vec<_> = plan.parameters.iter().map(row).collect();
        // Writing to a string cannot fail.
        let _ = writeln!(text, "\nParameters of {}:", plan.flow);
        table(&mut text, &rows);
    }
    let rows: Vec<_> = options
        .iter()
        .map(|(name, value, help)| {
            let option = match value {
                Some(value) => format!("--{name} {value}"),
                None => format!("--{name}"),
            };
            (option, (*help).to_owned())
        })
        .collect();
    text.push_str("\nOptions:\n");
    table(&mut text, &rows);
    let _ = write!(text, "\n{examples}");
    text
}

fn row(parameter: &PlanParameter) -> (String, String) {
    let value = parameters::type_name(parameter).to_uppercase();
    let mut said: Vec<String> = Vec::new();
    if let Some(help) = parameter.help.as_deref().filter(|help| !help.is_empty()) {
        said.push(help.to_owned());
    }
    if let Some(default) = &parameter.default {
        said.push(format!("[default: {}]", literal::to_json(default)));
    } else if let Some(default) = &parameter.native_default {
        said.push(format!("[default: {default}]"));
    } else if parameter.required {
        said.push("[required]".to_owned());
    }
    (format!("--{} {value}", parameter.name), said.join(" "))
}

/// Options and what they mean, in two columns.
fn table(text: &mut String, rows: &[(String, String)]) {
    if rows.is_empty() {
        text.push_str("  none\n");
    }
    let lengths = rows.iter().map(|(option, _)| option.chars().count());
    let column = lengths.fold(COLUMN, usize::max);
    for (option, help) in rows {
        let line = format!("  {option:<column$} {help}");
        text.push_str(line.trim_end());
        text.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptions_stand_under_each_other() {
        let row = |option: &str, help: &str| (option.to_owned(), help.to_owned());
        let mut text = String::new();
        table(
            &mut text,
            &[
                row("--alpha FLOAT", "learning rate"),
                row("--a_name_that_is_rather_long TEXT", "[required]"),
                row("--beta INT", ""),
            ],
        );
        assert_eq!(
            text,
            "  --alpha FLOAT                     learning rate
  --a_name_that_is_rather_long TEXT [required]
  --beta INT
"
        );
        let mut text = String::new();
        table(&mut text, &[]);
        assert_eq!(text, "  none\n");
    }
}

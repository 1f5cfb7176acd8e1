//! Docstrings.

use ruff_python_ast::Stmt;

/// The docstring of a body, dedented; `None` if it does not start with a string.
pub(super) fn docstring(body: &[Stmt]) -> Option<String> {
    let expr = &body.first()?.as_expr_stmt()?.value;
    let string = expr.as_string_literal_expr()?;
    Some(clean(string.value.to_str()))
}

/// As `inspect.cleandoc`: the first line loses its leading blanks, the others their common margin,
/// and empty lines at both ends go; tabs count to the next multiple of eight.
fn clean(text: &str) -> String {
    let text = expand_tabs(text);
    let mut lines = text.split('\n');
    let first = lines.next().unwrap_or_default().trim_start_matches(' ');
    let rest: Vec<&str> = lines.collect();
    let margin = rest
        .iter()
        .filter(|line| !line.trim_start_matches(' ').is_empty())
        .map(|line| line.len() - line.trim_start_matches(' ').len())
        .min()
        .unwrap_or(0);
    let dedented = rest
        .iter()
        .map(|line| line.get(margin..).unwrap_or_default());
    let all: Vec<&str> = std::iter::once(first).chain(dedented).collect();
    let start = all.iter().take_while(|line| line.is_empty()).count();
    let end = all.len()
        - all[start..]
            .iter()
            .rev()
            .take_while(|line| line.is_empty())
            .count();
    all[start..end].join("\n")
}

fn expand_tabs(text: &str) -> String {
    let mut expanded = String::with_capacity(text.len());
    let mut column = 0;
    for letter in text.chars() {
        if letter == '\t' {
            let blanks = 8 - column % 8;
            expanded.extend(std::iter::repeat_n(' ', blanks));
            column += blanks;
        } else {
            expanded.push(letter);
            column = if letter == '\n' || letter == '\r' {
                0
            } else {
                column + 1
            };
        }
    }
    expanded
}

#[cfg(test)]
mod tests {
    use super::clean;

    #[test]
    fn margins_and_empty_lines_go() {
        assert_eq!(clean("One line."), "One line.");
        assert_eq!(
            clean("  First.\n\n    Second.\n      Third.\n    "),
            "First.\n\nSecond.\n  Third."
        );
        assert_eq!(clean("\n\tTab.\n\t  More.\n"), "Tab.\n  More.");
        assert_eq!(clean("\n\n"), "");
    }
}

//! Expressions of the generated file, laid out as `ruff format` does it with lines of up to 100 columns.
//!
//! What fits stands on one line; what does not has each part on a line of its own and a comma after the last.

use flowc_core::ir::flow::Literal;

use crate::pyrepr::{literal, quoted};

/// Longest line, columns.
pub(crate) const WIDTH: usize = 100;

/// An expression: data, or code that the compiler made.
#[derive(Clone, Debug)]
pub(crate) enum Expr {
    /// A value, printed by [`literal`].
    Data(Literal),
    /// Code on one line: a name, `start.output`.
    Code(String),
    /// A list.
    List(Vec<Expr>),
    /// A dictionary.
    Dict(Vec<(String, Expr)>),
    /// A call: the function, positional and then keyword arguments.
    Call(String, Vec<Expr>, Vec<(&'static str, Expr)>),
}

impl Expr {
    /// A string literal.
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self::Data(Literal::Str(text.into()))
    }

    /// An integer literal.
    pub(crate) fn int(number: impl Into<i64>) -> Self {
        Self::Data(Literal::Int(number.into()))
    }

    /// A call with keyword arguments alone.
    pub(crate) fn call(function: &str, arguments: Vec<(&'static str, Expr)>) -> Self {
        Self::Call(function.to_owned(), Vec::new(), arguments)
    }

    /// On one line.
    pub(crate) fn flat(&self) -> String {
        match self {
            Self::Data(value) => literal(value),
            Self::Code(code) => code.clone(),
            Self::List(_) | Self::Dict(_) | Self::Call(..) => {
                let (open, parts, close) = self.parts();
                let parts: Vec<_> = parts
                    .iter()
                    .map(|(before, part)| format!("{before}{}", part.flat()))
                    .collect();
                format!("{open}{}{close}", parts.join(", "))
            }
        }
    }

    /// What opens it, its parts with what stands before each, what closes it.
    fn parts(&self) -> (String, Vec<(String, Expr)>, char) {
        match self {
            Self::Data(Literal::List(items)) => {
                let items = items
                    .iter()
                    .map(|item| (String::new(), Self::Data(item.clone())));
                ("[".to_owned(), items.collect(), ']')
            }
            Self::Data(Literal::Dict(entries)) => {
                let entries = entries
                    .iter()
                    .map(|(key, value)| (format!("{}: ", quoted(key)), Self::Data(value.clone())));
                ("{".to_owned(), entries.collect(), '}')
            }
            Self::Data(_) | Self::Code(_) => (String::new(), Vec::new(), ' '),
            Self::List(items) => {
                let items = items.iter().map(|item| (String::new(), item.clone()));
                ("[".to_owned(), items.collect(), ']')
            }
            Self::Dict(entries) => {
                let entries = entries
                    .iter()
                    .map(|(key, value)| (format!("{}: ", quoted(key)), value.clone()));
                ("{".to_owned(), entries.collect(), '}')
            }
            Self::Call(function, positional, keywords) => {
                let positional = positional
                    .iter()
                    .map(|value| (String::new(), value.clone()));
                let keywords = keywords
                    .iter()
                    .map(|(name, value)| (format!("{name}="), value.clone()));
                (
                    format!("{function}("),
                    positional.chain(keywords).collect(),
                    ')',
                )
            }
        }
    }

    /// Laid out; `before` stands on the first line already (indentation included), `after` follows on the last line.
    pub(crate) fn layout(&self, indent: usize, before: &str, after: &str) -> String {
        let flat = format!("{before}{}{after}", self.flat());
        if columns(&flat) <= WIDTH {
            return flat;
        }
        let (open, parts, close) = self.parts();
        if parts.is_empty() {
            return flat;
        }
        let inner = " ".repeat(indent + 4);
        let mut text = format!("{before}{open}\n");
        for (name, part) in parts {
            text.push_str(&part.layout(indent + 4, &format!("{inner}{name}"), ","));
            text.push('\n');
        }
        text.push_str(&" ".repeat(indent));
        text.push(close);
        text.push_str(after);
        text
    }
}

/// Names with commas between, in parentheses where they do not fit on the line.
pub(crate) fn sequence(indent: usize, before: &str, names: &[String], after: &str) -> String {
    let flat = format!("{before}{}{after}", names.join(", "));
    if names.len() < 2 || columns(&flat) <= WIDTH {
        return flat;
    }
    let inner = " ".repeat(indent + 4);
    let lines = names.iter().map(|name| format!("{inner}{name},\n"));
    let outer = " ".repeat(indent);
    format!("{before}(\n{}{outer}){after}", lines.collect::<String>())
}

/// Width of a line; every character that [`literal`] lets through is one column wide.
pub(crate) fn columns(line: &str) -> usize {
    line.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_stays_on_one_line() {
        let call = Expr::call(
            "Step",
            vec![("task_id", Expr::text("train")), ("retries", Expr::int(5))],
        );
        assert_eq!(
            call.layout(4, "    train = ", ""),
            "    train = Step(task_id=\"train\", retries=5)"
        );
    }

    #[test]
    fn what_does_not_fit_has_a_line_for_each_part() {
        let call = Expr::call(
            "Step.partial",
            vec![
                ("task_id", Expr::text("train")),
                (
                    "requests",
                    Expr::Dict(vec![("cpu".to_owned(), Expr::text("x".repeat(80)))]),
                ),
            ],
        );
        let long = "x".repeat(80);
        assert_eq!(
            call.layout(4, "    train = ", ".expand(index=start.output)"),
            format!(
                "    train = Step.partial(\n        task_id=\"train\",\n        requests={{\n            \"cpu\": \"{long}\",\n        }},\n    ).expand(index=start.output)"
            )
        );
    }
}

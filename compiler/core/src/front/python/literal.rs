//! Python literals, and the little arithmetic that people write among them (`60 * 60`, `"a" "b"`).

use indexmap::IndexMap;
use ruff_python_ast::{Expr, Number, Operator, UnaryOp};
use ruff_text_size::{Ranged, TextRange};
use serde_json::{Map, Value};

use crate::ir::flow::Literal;

/// Why an expression is no literal, and which part of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct NotLiteral {
    pub(super) range: TextRange,
    pub(super) why: Why,
}

impl NotLiteral {
    /// A part that only Python could evaluate.
    pub(super) fn computed(range: TextRange) -> Self {
        let why = Why::Computed;
        Self { range, why }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// Names, calls and all else that only Python can evaluate.
    Computed,
    /// An integer that does not fit 64 bits.
    TooLong,
    /// A float that is infinite.
    NotFinite,
    /// Bytes, sets, complex numbers, `...`.
    Kind,
    /// A dictionary key that is no string.
    Key,
}

impl Why {
    /// A label's text.
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::Computed => "only Python could evaluate this",
            Self::TooLong => "this integer does not fit 64 bits",
            Self::NotFinite => "this number is not finite",
            Self::Kind => "bytes, sets, complex numbers and `...` have no counterpart in a target",
            Self::Key => "a key must be a string",
        }
    }
}

/// A value of JSON as a literal; `members` takes an object apart.
pub(super) fn of_json(value: &Value, members: Members) -> Literal {
    match value {
        Value::Null => Literal::None,
        Value::Bool(value) => Literal::Bool(*value),
        Value::Number(number) => number.as_i64().map_or_else(
            || Literal::Float(number.as_f64().unwrap_or_default()),
            Literal::Int,
        ),
        Value::String(text) => Literal::Str(text.clone()),
        Value::Array(items) => {
            let items = items.iter().map(|item| of_json(item, members));
            Literal::List(items.collect())
        }
        Value::Object(object) => {
            let members_of = members(object).into_iter();
            let of = |(name, value): (&str, &Value)| (name.to_owned(), of_json(value, members));
            Literal::Dict(members_of.map(of).collect())
        }
    }
}

/// The members of a dictionary that an object of JSON stands for, in order.
pub(super) type Members = fn(&Map<String, Value>) -> Vec<(&str, &Value)>;

/// The literal that an expression is, or the innermost part that prevents it.
pub(super) fn literal(expr: &Expr) -> Result<Literal, NotLiteral> {
    evaluate(expr, &|_| None)
}

/// As [`literal`], with a value for the names and calls that have one.
pub(super) fn evaluate<'a>(
    expr: &'a Expr,
    named: &dyn Fn(&'a Expr) -> Option<Literal>,
) -> Result<Literal, NotLiteral> {
    if (expr.is_name_expr() || expr.is_attribute_expr() || expr.is_call_expr())
        && let Some(value) = named(expr)
    {
        return Ok(value);
    }
    let no = |why| {
        Err(NotLiteral {
            range: expr.range(),
            why,
        })
    };
    if expr.is_none_literal_expr() {
        return Ok(Literal::None);
    }
    if let Some(boolean) = expr.as_boolean_literal_expr() {
        return Ok(Literal::Bool(boolean.value));
    }
    if let Some(string) = expr.as_string_literal_expr() {
        return Ok(Literal::Str(string.value.to_str().to_owned()));
    }
    if let Some(number) = expr.as_number_literal_expr() {
        return match &number.value {
            Number::Int(int) => int
                .as_i64()
                .map_or_else(|| no(Why::TooLong), |int| Ok(Literal::Int(int))),
            Number::Float(float) if float.is_finite() => Ok(Literal::Float(*float)),
            Number::Float(_) => no(Why::NotFinite),
            Number::Complex { .. } => no(Why::Kind),
        };
    }
    if let Some(list) = expr.as_list_expr() {
        return sequence(&list.elts, named);
    }
    if let Some(tuple) = expr.as_tuple_expr() {
        return sequence(&tuple.elts, named);
    }
    if let Some(dict) = expr.as_dict_expr() {
        let mut values = IndexMap::new();
        for item in &dict.items {
            let Some(key) = &item.key else {
                return Err(NotLiteral::computed(item.value.range()));
            };
            let Literal::Str(name) = evaluate(key, named)? else {
                return Err(NotLiteral {
                    range: key.range(),
                    why: Why::Key,
                });
            };
            values.insert(name, evaluate(&item.value, named)?);
        }
        return Ok(Literal::Dict(values));
    }
    if let Some(unary) = expr.as_unary_op_expr() {
        return negated(unary.op, &unary.operand, named).unwrap_or_else(|| no(Why::Computed));
    }
    if let Some(binary) = expr.as_bin_op_expr() {
        let (left, right) = (
            evaluate(&binary.left, named)?,
            evaluate(&binary.right, named)?,
        );
        return match combined(binary.op, left, right) {
            Ok(value) => Ok(value),
            Err(why) => no(why),
        };
    }
    let kind =
        expr.is_bytes_literal_expr() || expr.is_set_expr() || expr.is_ellipsis_literal_expr();
    no(if kind { Why::Kind } else { Why::Computed })
}

/// Whether a literal holds a tuple, of which JSON makes a list.
pub(super) fn has_tuple(expr: &Expr) -> bool {
    if let Some(list) = expr.as_list_expr() {
        return list.elts.iter().any(has_tuple);
    }
    if let Some(dict) = expr.as_dict_expr() {
        return dict.items.iter().any(|item| has_tuple(&item.value));
    }
    expr.is_tuple_expr()
}

fn sequence<'a>(
    items: &'a [Expr],
    named: &dyn Fn(&'a Expr) -> Option<Literal>,
) -> Result<Literal, NotLiteral> {
    items
        .iter()
        .map(|item| evaluate(item, named))
        .collect::<Result<_, _>>()
        .map(Literal::List)
}

/// `-x`, `+x`; `None` for what is no sign of a number.
fn negated<'a>(
    op: UnaryOp,
    operand: &'a Expr,
    named: &dyn Fn(&'a Expr) -> Option<Literal>,
) -> Option<Result<Literal, NotLiteral>> {
    let minus = match op {
        UnaryOp::USub => true,
        UnaryOp::UAdd => false,
        UnaryOp::Invert | UnaryOp::Not => return None,
    };
    // The least integer has no positive counterpart that fits.
    if minus
        && let Some(number) = operand.as_number_literal_expr()
        && let Number::Int(int) = &number.value
        && int.as_u64() == Some(i64::MIN.unsigned_abs())
    {
        return Some(Ok(Literal::Int(i64::MIN)));
    }
    let value = match evaluate(operand, named) {
        Ok(value) => value,
        Err(error) => return Some(Err(error)),
    };
    match value {
        Literal::Int(int) if minus => int.checked_neg().map(|int| Ok(Literal::Int(int))),
        Literal::Float(float) if minus => Some(Ok(Literal::Float(-float))),
        Literal::Int(_) | Literal::Float(_) => Some(Ok(value)),
        Literal::None
        | Literal::Bool(_)
        | Literal::Str(_)
        | Literal::List(_)
        | Literal::Dict(_) => None,
    }
}

/// Sums and products of integers, floats and strings, exactly as Python computes them.
fn combined(op: Operator, left: Literal, right: Literal) -> Result<Literal, Why> {
    if let (Literal::Int(a), Literal::Int(b)) = (&left, &right) {
        let (a, b) = (*a, *b);
        let value = if op == Operator::Add {
            a.checked_add(b)
        } else if op == Operator::Sub {
            a.checked_sub(b)
        } else if op == Operator::Mult {
            a.checked_mul(b)
        } else {
            return Err(Why::Computed);
        };
        return value.map(Literal::Int).ok_or(Why::TooLong);
    }
    if let (Literal::Float(a), Literal::Float(b)) = (&left, &right) {
        let value = if op == Operator::Add {
            a + b
        } else if op == Operator::Sub {
            a - b
        } else if op == Operator::Mult {
            a * b
        } else {
            return Err(Why::Computed);
        };
        return value
            .is_finite()
            .then_some(Literal::Float(value))
            .ok_or(Why::NotFinite);
    }
    if let (Literal::Str(a), Literal::Str(b), Operator::Add) = (left, right, op) {
        return Ok(Literal::Str(a + &b));
    }
    Err(Why::Computed)
}

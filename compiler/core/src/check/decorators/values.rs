//! Which values an argument takes.

use crate::diag::suggest::closest;
use crate::ir::flow::Literal;

/// Largest number with a fraction: a million CPUs, or two years of minutes.
const NUMBER_MAX: f64 = 1_000_000.0;

/// The values that an argument takes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    /// `True` or `False`.
    Bool,
    /// A whole number in a range, also as a string, as Metaflow takes it.
    Whole {
        /// Smallest.
        min: i64,
        /// Largest.
        max: i64,
    },
    /// A number above a bound, also as a string.
    Number {
        /// Bound, not allowed itself; -1 stands for "0 is allowed".
        above: i64,
    },
    /// A string that is not empty.
    Text,
    /// One of several words, in any case.
    Choice(&'static [&'static str]),
    /// A Python identifier.
    Identifier,
    /// A path that starts with `/`.
    AbsolutePath,
    /// A string or a list of strings.
    TextOrTexts,
    /// A dictionary of strings.
    TextDictionary,
    /// A string or a dictionary of strings.
    TextTextsOrDictionary,
    /// A string or any dictionary.
    TextOrDictionary,
    /// Any dictionary.
    Dictionary,
    /// A list of dictionaries.
    Dictionaries,
    /// A list of strings and dictionaries.
    TextsOrDictionaries,
}

impl Kind {
    /// Whether a value is allowed; otherwise what is wrong with it, for a label.
    pub(crate) fn accept(self, value: &Literal) -> Result<(), String> {
        let fits = match self {
            Self::Bool => matches!(value, Literal::Bool(_)),
            Self::Whole { min, max } => match whole(value) {
                Some(number) if number < min => return Err(format!("must be at least {min}")),
                Some(number) if number > max => return Err(format!("must be at most {max}")),
                other => other.is_some(),
            },
            Self::Number { above } => match number(value) {
                Some(number) if above < 0 && number < 0.0 => {
                    return Err("must not be negative".to_owned());
                }
                Some(number) if above >= 0 && number <= above as f64 => {
                    return Err(format!("must be more than {above}"));
                }
                Some(number) if number > NUMBER_MAX => {
                    return Err(format!("must be at most {NUMBER_MAX}"));
                }
                other => other.is_some(),
            },
            Self::Text => {
                if matches!(value, Literal::Str(text) if text.is_empty()) {
                    return Err("must not be empty".to_owned());
                }
                is_text(value)
            }
            Self::Choice(words) => matches!(value, Literal::Str(text)
                if words.iter().any(|word| word.eq_ignore_ascii_case(text))),
            Self::Identifier => {
                if matches!(value, Literal::Str(text) if !is_identifier(text)) {
                    return Err("not a Python name".to_owned());
                }
                is_text(value)
            }
            Self::AbsolutePath => {
                if matches!(value, Literal::Str(text) if !text.starts_with('/')) {
                    return Err("does not start with `/`".to_owned());
                }
                is_text(value)
            }
            Self::TextOrTexts => is_text(value) || is_list(value, is_text),
            Self::TextDictionary => is_dictionary_of_text(value),
            Self::TextTextsOrDictionary => {
                is_text(value) || is_list(value, is_text) || is_dictionary_of_text(value)
            }
            Self::TextOrDictionary => is_text(value) || is_dictionary(value),
            Self::Dictionary => is_dictionary(value),
            Self::Dictionaries => is_list(value, is_dictionary),
            Self::TextsOrDictionaries => {
                is_list(value, |item| is_text(item) || is_dictionary(item))
            }
        };
        if fits {
            return Ok(());
        }
        Err(match (self, value) {
            (Self::Choice(_), Literal::Str(_)) => "none of the allowed words".to_owned(),
            (Self::Whole { .. } | Self::Number { .. }, Literal::Str(_)) => {
                "not a number".to_owned()
            }
            (Self::Whole { .. }, Literal::Float(_)) => "not a whole number".to_owned(),
            (_, Literal::Dict(_)) if self.is_dictionary() => "holds more than strings".to_owned(),
            (_, Literal::List(_)) if self.is_list() => "holds something else".to_owned(),
            _ => format!("this is {}", describe(value)),
        })
    }

    fn is_dictionary(self) -> bool {
        matches!(self, Self::TextDictionary | Self::TextTextsOrDictionary)
    }

    fn is_list(self) -> bool {
        matches!(
            self,
            Self::TextOrTexts
                | Self::TextTextsOrDictionary
                | Self::Dictionaries
                | Self::TextsOrDictionaries
        )
    }

    /// The word that a misspelt one was meant to be.
    pub(crate) fn choice(self, value: &Literal) -> Option<&'static str> {
        let (Self::Choice(words), Literal::Str(text)) = (self, value) else {
            return None;
        };
        closest(text, words.iter().copied())
    }

    /// What is allowed, for a sentence that starts with "is".
    pub(crate) fn allowed(self) -> String {
        match self {
            Self::Bool => "`True` or `False`".to_owned(),
            Self::Whole { min, max } if max == i64::from(i32::MAX) => {
                format!("a whole number, at least {min}")
            }
            Self::Whole { min, max } => format!("a whole number from {min} to {max}"),
            Self::Number { above } if above < 0 => "a number, not negative".to_owned(),
            Self::Number { above } => format!("a number above {above}"),
            Self::Text => "a string".to_owned(),
            Self::Choice(words) => {
                let words: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
                format!("one of {}", words.join(", "))
            }
            Self::Identifier => "a string that is a Python name".to_owned(),
            Self::AbsolutePath => "an absolute path".to_owned(),
            Self::TextOrTexts => "a string or a list of strings".to_owned(),
            Self::TextDictionary => "a dictionary of strings".to_owned(),
            Self::TextTextsOrDictionary => {
                "a string, a list of strings or a dictionary of strings".to_owned()
            }
            Self::TextOrDictionary => "a string or a dictionary".to_owned(),
            Self::Dictionary => "a dictionary".to_owned(),
            Self::Dictionaries => "a list of dictionaries".to_owned(),
            Self::TextsOrDictionaries => "a list of strings and dictionaries".to_owned(),
        }
    }

    /// A value that would be allowed.
    pub(crate) fn example(self) -> &'static str {
        match self {
            Self::Bool => "True",
            Self::Whole { .. } | Self::Number { .. } => "1",
            Self::Text | Self::Choice(_) | Self::Identifier | Self::TextOrDictionary => {
                "\"some_name\""
            }
            Self::AbsolutePath => "\"/path\"",
            Self::TextOrTexts | Self::TextTextsOrDictionary | Self::TextsOrDictionaries => {
                "[\"text\"]"
            }
            Self::TextDictionary | Self::Dictionary => "{\"key\": \"value\"}",
            Self::Dictionaries => "[{\"key\": \"value\"}]",
        }
    }
}

/// The value as a whole number: `3`, `3.0` or `"3"`.
pub(crate) fn whole(value: &Literal) -> Option<i64> {
    match value {
        Literal::Int(number) => Some(*number),
        Literal::Float(number) if number.fract() == 0.0 && number.abs() < 1e15 => {
            Some(*number as i64)
        }
        Literal::Str(text) => text.trim().parse().ok(),
        Literal::None
        | Literal::Bool(_)
        | Literal::Float(_)
        | Literal::List(_)
        | Literal::Dict(_) => None,
    }
}

/// The value as a number: `1`, `0.5` or `"0.5"`.
pub(crate) fn number(value: &Literal) -> Option<f64> {
    let number = match value {
        Literal::Int(number) => *number as f64,
        Literal::Float(number) => *number,
        Literal::Str(text) => text.trim().parse().ok()?,
        Literal::None | Literal::Bool(_) | Literal::List(_) | Literal::Dict(_) => return None,
    };
    number.is_finite().then_some(number)
}

fn is_text(value: &Literal) -> bool {
    matches!(value, Literal::Str(_))
}

fn is_list(value: &Literal, fits: fn(&Literal) -> bool) -> bool {
    matches!(value, Literal::List(items) if items.iter().all(fits))
}

fn is_dictionary(value: &Literal) -> bool {
    matches!(value, Literal::Dict(_))
}

fn is_dictionary_of_text(value: &Literal) -> bool {
    matches!(value, Literal::Dict(items) if items.values().all(is_text))
}

fn is_identifier(text: &str) -> bool {
    let mut letters = text.chars();
    letters
        .next()
        .is_some_and(|first| first == '_' || first.is_alphabetic())
        && letters.all(|c| c == '_' || c.is_alphanumeric())
}

/// What a value is, for people.
pub(crate) fn describe(value: &Literal) -> &'static str {
    match value {
        Literal::None => "`None`",
        Literal::Bool(_) => "a boolean",
        Literal::Int(_) => "a whole number",
        Literal::Float(_) => "a float",
        Literal::Str(_) => "a string",
        Literal::List(_) => "a list",
        Literal::Dict(_) => "a dictionary",
    }
}

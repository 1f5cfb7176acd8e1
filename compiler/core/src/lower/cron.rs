//! Cron expressions: five fields as in crontab, or six as AWS writes them, become five that every target reads alike.
//!
//! AWS's sixth field is the year, it wants `?` for one of the two day fields, and its days of the week run from 1 (Sunday) to 7, where crontab's run from 0 (Sunday)
//! (Amazon `EventBridge` User Guide, "Cron expressions").

/// A field's name, range and words.
struct Field {
    name: &'static str,
    min: u32,
    max: u32,
    words: &'static [&'static str],
}

const MONTHS: &[&str] = &[
    "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
];
const DAYS: &[&str] = &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

const FIELDS: [Field; 5] = [
    Field {
        name: "minute",
        min: 0,
        max: 59,
        words: &[],
    },
    Field {
        name: "hour",
        min: 0,
        max: 23,
        words: &[],
    },
    Field {
        name: "day of month",
        min: 1,
        max: 31,
        words: &[],
    },
    Field {
        name: "month",
        min: 1,
        max: 12,
        words: MONTHS,
    },
    Field {
        name: "day of week",
        min: 0,
        max: 6,
        words: DAYS,
    },
];
/// Position of the day of the month in [`FIELDS`].
const DAY_OF_MONTH: usize = 2;
/// Position of the day of the week in [`FIELDS`].
const DAY_OF_WEEK: usize = 4;

/// Which numbers stand for the days of the week.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Dialect {
    /// 0 or 7 is Sunday.
    Crontab,
    /// 1 is Sunday.
    Aws,
}

/// The expression with five fields and no `?`; an error says what is wrong, for a label.
pub(super) fn convert(expression: &str) -> Result<String, String> {
    let mut fields: Vec<&str> = expression.split_whitespace().collect();
    let dialect = match fields.len() {
        5 => Dialect::Crontab,
        6 => Dialect::Aws,
        count => return Err(format!("has {count} fields instead of 5")),
    };
    if dialect == Dialect::Aws {
        let year = fields.pop().unwrap_or_default();
        if year != "*" {
            return Err(format!(
                "year `{year}`: only `*` can be kept by every target"
            ));
        }
        let is_set = |index: usize| !matches!(fields[index], "?" | "*");
        if is_set(DAY_OF_MONTH) && is_set(DAY_OF_WEEK) {
            return Err("day of month and day of week cannot both be set".to_owned());
        }
    }
    let converted: Result<Vec<String>, String> = FIELDS
        .iter()
        .zip(&fields)
        .enumerate()
        .map(|(index, (field, text))| {
            if *text == "?" && matches!(index, DAY_OF_MONTH | DAY_OF_WEEK) {
                return Ok("*".to_owned());
            }
            let items: Result<Vec<String>, String> = text
                .split(',')
                .map(|item| item_of(field, item, dialect))
                .collect();
            Ok(items?.join(","))
        })
        .collect();
    Ok(converted?.join(" "))
}

/// One element of a list: `*`, `5`, `1-5`, each also with `/step`.
fn item_of(field: &Field, item: &str, dialect: Dialect) -> Result<String, String> {
    let wrong = || Err(format!("{} `{item}` is not understood", field.name));
    let (range, step) = match item.split_once('/') {
        Some((range, step)) => (range, Some(step)),
        None => (item, None),
    };
    let step = match step {
        None => None,
        Some(text) if is_digits(text) => match text.parse::<u32>() {
            Ok(step) if step >= 1 && step <= field.max => Some(step),
            _ => return Err(format!("{} step `{text}` is out of range", field.name)),
        },
        Some(_) => return wrong(),
    };
    if range == "*" {
        return Ok(step.map_or_else(|| "*".to_owned(), |step| format!("*/{step}")));
    }
    let (first, last) = match range.split_once('-') {
        Some((first, last)) => (first, Some(last)),
        None => (range, None),
    };
    if first.is_empty() || last == Some("") {
        return wrong();
    }
    let is_last_sunday = |text: &str| is_week(field) && dialect == Dialect::Crontab && text == "7";
    let from = value_of(field, first, dialect)?;
    let Some(last) = last else {
        // `5/15` counts from 5 to the field's end.
        return Ok(match step {
            Some(step) => format!("{}-{}/{step}", from.number, field.max),
            None => from.shown(field),
        });
    };
    // Sunday as the last day of a range has no number of its own in five fields that everyone reads alike.
    if is_last_sunday(last) && !is_last_sunday(first) {
        if step.is_some() {
            return Err("a step over a range that ends with 7 is not supported".to_owned());
        }
        return Ok(match from.number {
            0 => "*".to_owned(),
            number => format!("{number}-6,0"),
        });
    }
    let to = value_of(field, last, dialect)?;
    if to.number < from.number {
        return Err(format!("{} `{range}` runs backwards", field.name));
    }
    let range = format!("{}-{}", from.shown(field), to.shown(field));
    Ok(step.map_or(range.clone(), |step| format!("{range}/{step}")))
}

/// A value, as a number in crontab's sense, and whether it was written as a word.
struct Value {
    number: u32,
    is_word: bool,
}

impl Value {
    fn shown(&self, field: &Field) -> String {
        let word = field.words.get((self.number - field.min) as usize);
        match word {
            Some(word) if self.is_word => (*word).to_owned(),
            _ => self.number.to_string(),
        }
    }
}

fn value_of(field: &Field, text: &str, dialect: Dialect) -> Result<Value, String> {
    if is_digits(text) {
        let number: u32 = text.parse().unwrap_or(u32::MAX);
        let number = match dialect {
            Dialect::Aws if is_week(field) => number.checked_sub(1).unwrap_or(u32::MAX),
            Dialect::Crontab if is_week(field) && number == 7 => 0,
            Dialect::Crontab | Dialect::Aws => number,
        };
        if number < field.min || number > field.max {
            return Err(format!("{} `{text}` is out of range", field.name));
        }
        return Ok(Value {
            number,
            is_word: false,
        });
    }
    let word = field
        .words
        .iter()
        .position(|word| word.eq_ignore_ascii_case(text));
    match word {
        Some(index) => Ok(Value {
            number: index as u32 + field.min,
            is_word: true,
        }),
        // `L`, `W` and `#` of AWS have no counterpart in crontab.
        None => Err(format!("{} `{text}` is not understood", field.name)),
    }
}

fn is_week(field: &Field) -> bool {
    std::ptr::eq(field.words, DAYS)
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::convert;

    #[track_caller]
    fn check(expression: &str, expect: &str) {
        assert_eq!(convert(expression).as_deref(), Ok(expect), "{expression}");
    }

    #[track_caller]
    fn refuse(expression: &str, expect: &str) {
        let wrong = convert(expression).unwrap_err();
        assert!(wrong.contains(expect), "{expression}: {wrong}");
    }

    #[test]
    fn five_fields_stay_what_they_are() {
        check("30 6 * * MON-FRI", "30 6 * * MON-FRI");
        check("*/15 0-6/2 1,15 jan,JUL *", "*/15 0-6/2 1,15 JAN,JUL *");
        check("0  0 ? * ?", "0 0 * * *");
    }

    #[test]
    fn sunday_is_always_zero() {
        check("0 0 * * 7", "0 0 * * 0");
        check("0 0 * * 5-7", "0 0 * * 5-6,0");
        check("0 0 * * 0-7", "0 0 * * *");
        check("0 0 * * 7-7", "0 0 * * 0-0");
    }

    #[test]
    fn six_fields_count_days_from_sunday() {
        check("0 10 ? * 2-6 *", "0 10 * * 1-5");
        check("0 0 ? * SUN *", "0 0 * * SUN");
        check("0/5 * * * ? *", "0-59/5 * * * *");
        check("0 0 ? * 1,7 *", "0 0 * * 0,6");
    }

    #[test]
    fn what_cannot_be_kept_is_refused() {
        refuse("0 0 L * ? *", "day of month `L` is not understood");
        refuse("0 0 ? * 6#3 *", "day of week `6#3` is not understood");
        refuse("0 0 * * ? 2027", "year `2027`");
        refuse("0 0 1 * MON *", "cannot both be set");
        refuse("0 0 * *", "has 4 fields");
        refuse("60 * * * *", "minute `60` is out of range");
        refuse("* 24 * * *", "hour `24` is out of range");
        refuse("* * 0 * *", "day of month `0` is out of range");
        refuse("* * * 13 *", "month `13` is out of range");
        refuse("* * * * 8", "day of week `8` is out of range");
        refuse("* * ? * 0 *", "day of week `0` is out of range");
        refuse("*/0 * * * *", "minute step `0`");
        refuse("5-1 * * * *", "runs backwards");
        refuse("? * * * *", "minute `?` is not understood");
        refuse("-5 * * * *", "minute `-5` is not understood");
        refuse("1, * * * *", "minute `` is not understood");
        refuse("@daily", "has 1 fields");
    }
}

//! `schedule.json`: a request to EventBridge Scheduler, and crontab's five fields in AWS's words.

use flowc_core::diag::{Code, Diagnostic};
use flowc_core::ir::plan::{Plan, Schedule};
use serde::{Deserialize, Serialize};

use crate::names::{Place, schedule_name, state_machine_name};

/// `CreateSchedule`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct ScheduleRequest {
    pub(crate) name: String,
    pub(crate) schedule_expression: String,
    pub(crate) schedule_expression_timezone: String,
    pub(crate) flexible_time_window: FlexibleTimeWindow,
    pub(crate) target: Target,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct FlexibleTimeWindow {
    pub(crate) mode: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct Target {
    pub(crate) arn: String,
    pub(crate) role_arn: String,
    pub(crate) input: String,
}

/// The request that starts what is live of the flow's state machine.
pub(crate) fn request(
    plan: &Plan,
    schedule: &Schedule,
    place: &Place<'_>,
    role: String,
    input: &str,
) -> Result<ScheduleRequest, Box<Diagnostic>> {
    let expression = to_aws(&schedule.cron).map_err(|reason| {
        let message = format!(
            "step-functions cannot represent the schedule `{}`",
            schedule.cron
        );
        let diagnostic = Diagnostic::error(Code::FC0308, message, schedule.span, reason)
            .help("use one of day of month and day of week, and `*` for the other");
        Box::new(diagnostic)
    })?;
    Ok(ScheduleRequest {
        name: schedule_name(plan),
        schedule_expression: expression,
        schedule_expression_timezone: schedule
            .timezone
            .clone()
            .unwrap_or_else(|| "UTC".to_owned()),
        flexible_time_window: FlexibleTimeWindow {
            mode: "OFF".to_owned(),
        },
        target: Target {
            arn: place.alias(&state_machine_name(plan)),
            role_arn: role,
            input: input.to_owned(),
        },
    })
}

/// Lowest and highest value of minute, hour, day of month, month and day of week.
const RANGES: [(u32, u32); 5] = [(0, 59), (0, 23), (1, 31), (1, 12), (0, 6)];
const DAY_OF_MONTH: usize = 2;
const DAY_OF_WEEK: usize = 4;

/// `cron(minutes hours day-of-month month day-of-week year)`, which fires at the same moments.
///
/// AWS counts days of the week from 1 (Sunday), wants `?` for one of the two day fields, and has no steps over a range.
/// Crontab fires when *either* day field matches if both are set; AWS has no such thing.
fn to_aws(cron: &str) -> Result<String, String> {
    let fields: Vec<&str> = cron.split_whitespace().collect();
    if fields.len() != RANGES.len() {
        return Err(format!("has {} fields instead of 5", fields.len()));
    }
    let mut out = Vec::with_capacity(fields.len() + 1);
    for (place, text) in fields.iter().enumerate() {
        let items: Result<Vec<_>, _> = text
            .split(',')
            .map(|item| to_aws_item(place, item))
            .collect();
        let items = items?;
        let every = items.iter().any(|item| item == "*");
        out.push(if every {
            "*".to_owned()
        } else {
            items.join(",")
        });
    }
    if out[DAY_OF_WEEK] == "*" {
        "?".clone_into(&mut out[DAY_OF_WEEK]);
    } else if out[DAY_OF_MONTH] == "*" {
        "?".clone_into(&mut out[DAY_OF_MONTH]);
    } else {
        return Err("fires on either of two kinds of days".to_owned());
    }
    Ok(format!("cron({} *)", out.join(" ")))
}

/// One element of a list in a field.
fn to_aws_item(place: usize, item: &str) -> Result<String, String> {
    let wrong = || format!("`{item}` is not understood");
    let (min, max) = RANGES[place];
    let shift = u32::from(place == DAY_OF_WEEK);
    let (range, step) = match item.split_once('/') {
        Some((range, step)) => (range, step.parse::<u32>().map_err(|_| wrong())?),
        None => (item, 1),
    };
    if step == 0 {
        return Err(wrong());
    }
    let number = |text: &str| {
        let number: u32 = text.parse().ok()?;
        let number = if place == DAY_OF_WEEK && number == 7 {
            0
        } else {
            number
        };
        (min..=max).contains(&number).then_some(number)
    };
    let is_word =
        |text: &str| text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_alphabetic());
    let (first, last) = match range.split_once('-') {
        _ if range == "*" => (min, max),
        Some((first, last)) if step == 1 && is_word(first) && is_word(last) => {
            return Ok(range.to_ascii_uppercase());
        }
        Some((first, last)) => (
            number(first).ok_or_else(wrong)?,
            number(last).ok_or_else(wrong)?,
        ),
        None if is_word(range) && step == 1 => return Ok(range.to_ascii_uppercase()),
        None if step == 1 => {
            let value = number(range).ok_or_else(wrong)?;
            (value, value)
        }
        None => (number(range).ok_or_else(wrong)?, max),
    };
    if last < first {
        return Err(wrong());
    }
    if step == 1 {
        return Ok(match (first, last) {
            _ if (first, last) == (min, max) => "*".to_owned(),
            _ if first == last => (first + shift).to_string(),
            _ => format!("{}-{}", first + shift, last + shift),
        });
    }
    // AWS's `a/s` runs to the end of the field, which for days of the week is written out to be sure.
    if last == max && place != DAY_OF_WEEK {
        return Ok(format!("{first}/{step}"));
    }
    let values: Vec<_> = (first..=last)
        .step_by(step as usize)
        .map(|value| (value + shift).to_string())
        .collect();
    Ok(values.join(","))
}

#[cfg(test)]
mod tests {
    use super::to_aws;

    #[test]
    fn five_fields_fire_at_the_same_moments() {
        for (cron, expect) in [
            ("0 * * * *", "cron(0 * * * ? *)"),
            ("30 6 * * MON-FRI", "cron(30 6 ? * MON-FRI *)"),
            ("0 0 * * 0", "cron(0 0 ? * 1 *)"),
            ("0 0 * * 7", "cron(0 0 ? * 1 *)"),
            ("0 0 * * 1-5", "cron(0 0 ? * 2-6 *)"),
            ("0 0 * * 5-6,0", "cron(0 0 ? * 6-7,1 *)"),
            ("*/15 * * * *", "cron(0/15 * * * ? *)"),
            ("*/1 */2 */3 */4 *", "cron(* 0/2 1/3 1/4 ? *)"),
            ("5-59/15 * * * *", "cron(5/15 * * * ? *)"),
            ("5-30/10 * * * *", "cron(5,15,25 * * * ? *)"),
            ("0 0 * * */2", "cron(0 0 ? * 1,3,5,7 *)"),
            ("0 0 1,15 JAN,jul *", "cron(0 0 1,15 JAN,JUL ? *)"),
            ("0 0 1-31 * *", "cron(0 0 * * ? *)"),
            ("0 0 1 * 0-6", "cron(0 0 1 * ? *)"),
        ] {
            assert_eq!(to_aws(cron).as_deref(), Ok(expect), "{cron}");
        }
    }

    #[test]
    fn what_aws_cannot_say_is_refused() {
        for cron in [
            "0 0 1 * 1",
            "0 0 * *",
            "x * * * *",
            "60 * * * *",
            "5-1 * * * *",
            "*/0 * * * *",
        ] {
            assert!(to_aws(cron).is_err(), "{cron}");
        }
    }
}

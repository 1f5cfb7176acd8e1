//! A run at a glance, for people.

use std::fmt::Write as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anstyle::{AnsiColor, Color, Style};

use super::{Failure, StepCount, Summary};
use crate::run::progress::seconds;

const PLAIN: Style = Style::new();
const DIM: Style = Style::new().dimmed();
const GOOD: Style = Style::new().fg_color(Some(Color::Ansi(AnsiColor::Green)));
const BUSY: Style = Style::new().fg_color(Some(Color::Ansi(AnsiColor::Cyan)));
const BAD: Style = Style::new()
    .bold()
    .fg_color(Some(Color::Ansi(AnsiColor::Red)));

impl Summary {
    /// Heading, a table of steps, failures.
    pub(crate) fn text(&self) -> String {
        self.text_at(SystemTime::now())
    }

    pub(super) fn text_at(&self, now: SystemTime) -> String {
        let mut text = String::new();
        self.heading(&mut text, now);
        if self.steps.is_empty() {
            text.push_str("\nno task has begun\n");
        } else {
            self.table(&mut text);
        }
        if !self.failures.is_empty() {
            text.push('\n');
        }
        text.push_str(&self.failures());
        let begun = self.failures.iter().find_map(|failure| {
            // Only what has begun can have printed something.
            failure.attempt?;
            Some(format!("{}/{}", failure.step, failure.task.as_ref()?))
        });
        if let Some(task) = begun {
            let (flow, run) = (&self.flow, &self.run);
            let _ = writeln!(text, "\n{DIM}logs:{DIM:#} flowc logs {flow}/{run}/{task}");
        }
        if let Some(page) = &self.page {
            let _ = writeln!(text, "{DIM}page:{DIM:#} {page}");
        }
        text
    }

    /// A line or two for each failure that is listed.
    pub(crate) fn failures(&self) -> String {
        let mut text = String::new();
        for failure in &self.failures {
            failure.write(&mut text);
        }
        if self.more_failures > 0 {
            // Writing to a string cannot fail, here and below.
            let _ = writeln!(text, "and {} more", self.more_failures);
        }
        text
    }

    fn heading(&self, text: &mut String, now: SystemTime) {
        let phase = self.phase.as_deref();
        let style = match phase {
            Some("succeeded") => GOOD,
            Some("failed" | "stopped") => BAD,
            _ => BUSY,
        };
        let _ = write!(text, "{}/{} ", self.flow, self.run);
        let Some(phase) = phase else {
            text.push_str("is not known to the orchestrator (any more); this is what it left\n");
            return;
        };
        let _ = write!(text, "{style}{phase}{style:#}");
        let now_ms = now
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_millis() as i64);
        if let Some(started) = self.started_ms {
            let took = self.ended_ms.unwrap_or(now_ms) - started;
            let took = seconds(Duration::from_millis(took.try_into().unwrap_or_default()));
            let word = if self.is_over { "after" } else { "for" };
            let _ = write!(text, " {word} {took}");
        }
        text.push('\n');
        if let Some(reason) = &self.reason {
            let _ = writeln!(text, "  {reason}");
        }
    }

    fn table(&self, text: &mut String) {
        let waiting = if self.is_over { "not run" } else { "waiting" };
        let names = self.steps.iter().map(|step| step.step.chars().count());
        let width = names.max().unwrap_or_default().max("step".len());
        let _ = writeln!(
            text,
            "\n{DIM}{:<width$}  {:>7}  {:>7}  {:>7}  {waiting:>7}{DIM:#}",
            "step", "done", "running", "failed"
        );
        for step in &self.steps {
            let StepCount {
                step: name,
                expected,
                done,
                running,
                failed,
                waiting,
            } = step;
            let is_done = *expected == Some(*done);
            let cells = [
                (Some(*done), if is_done { GOOD } else { PLAIN }),
                (Some(*running), BUSY),
                (Some(*failed), BAD),
                (*waiting, PLAIN),
            ];
            let _ = write!(text, "{name:<width$}");
            for (number, style) in cells {
                match number {
                    Some(0) => {
                        let _ = write!(text, "  {DIM}{:>7}{DIM:#}", "-");
                    }
                    Some(number) => {
                        let _ = write!(text, "  {style}{number:>7}{style:#}");
                    }
                    None => {
                        let _ = write!(text, "  {DIM}{:>7}{DIM:#}", "?");
                    }
                }
            }
            text.push('\n');
        }
    }
}

impl Failure {
    fn write(&self, text: &mut String) {
        let Self {
            step,
            task,
            attempt,
            error,
            orchestrator,
            may_retry,
        } = self;
        let _ = write!(text, "{BAD}{step}");
        if let Some(task) = task {
            let _ = write!(text, "/{task}");
        }
        let _ = write!(text, "{BAD:#}: {error}");
        if let Some(attempt) = attempt.filter(|attempt| *attempt > 0 || *may_retry) {
            let _ = write!(text, " {DIM}(attempt {attempt}){DIM:#}");
        }
        if *may_retry {
            let _ = write!(text, "; another attempt may follow");
        }
        text.push('\n');
        if let Some(said) = orchestrator {
            let _ = writeln!(text, "  the orchestrator adds: {said}");
        }
    }
}

//! What is said of a run that is over.

use std::env;
use std::path::Path;
use std::time::Duration;

use flowc_core::ir::plan::Plan;
use flowc_local::run::Run;
use flowc_local::schedule::{Ending, Failure};

use crate::run::arguments::Arguments;
use crate::run::findings::{Findings, too_wide};
use crate::run::progress::{Counts, seconds};
use crate::{Outcome, output};

/// A run that is over.
pub(crate) struct Ended<'a> {
    pub(crate) run: Run,
    /// What is not kept of what it left, and why.
    pub(crate) lost: Option<String>,
    pub(crate) took: Duration,
    pub(crate) counts: Counts,
    pub(crate) plan: &'a Plan,
    pub(crate) arguments: &'a Arguments,
    /// The command line that began it, without the program.
    pub(crate) again: String,
}

impl Ended<'_> {
    /// Says how it ended, and what to do next.
    pub(crate) fn tell(&self, findings: &Findings<'_>) -> Outcome {
        let name = format!("{}/{}", self.plan.flow, self.run.id);
        let took = seconds(self.took);
        let location = shown_place(&self.run.location);
        let Counts { ran, adopted } = self.counts;
        let kept = ran + adopted;
        match &self.run.ending {
            Ending::Done if self.lost.is_some() => {
                let lost = self.lost.as_deref().unwrap_or_default();
                output::problem("Failed", format_args!("{name} after {took}: {lost}"));
                self.tell_next(None);
                Outcome::FlowFailed
            }
            Ending::Done => {
                let tasks = match adopted {
                    0 => tasks(ran),
                    _ => format!("{}, {adopted} adopted", tasks(ran)),
                };
                output::status("Finished", format_args!("{name} in {took} ({tasks})"));
                output::status("Artifacts", location);
                output::status(
                    "Look",
                    format_args!("from metaflow import Run; Run(\"{name}\").data"),
                );
                Outcome::Fine
            }
            Ending::Failed(failures) => {
                output::problem(
                    "Failed",
                    format_args!("{name} after {took}: {}", listed(failures)),
                );
                if self.lost.is_none() {
                    output::status("Kept", format_args!("{} in {location}", tasks(kept)));
                }
                self.tell_next(None);
                Outcome::FlowFailed
            }
            Ending::TooWide { step, index, count } => {
                findings.show_one(too_wide(self.plan, step, &index.task_id(), *count));
                output::problem("Failed", format_args!("{name} after {took}"));
                self.tell_next(Some(*count));
                Outcome::FlowFailed
            }
            Ending::Interrupted(running) => {
                let while_running = if running.is_empty() {
                    String::new()
                } else {
                    format!(" while {} ran", shortened(running))
                };
                output::problem(
                    "Stopped",
                    format_args!("{name} after {took}{while_running}"),
                );
                if self.lost.is_none() {
                    output::status("Kept", location);
                }
                self.tell_next(None);
                Outcome::Interrupted
            }
        }
    }

    /// How to go on: from what is kept if anything is, else from the beginning.
    fn tell_next(&self, width: Option<u32>) {
        let Counts { ran, adopted } = self.counts;
        if ran + adopted == 0 || self.lost.is_some() {
            output::status("Again", format_args!("flowc {}", self.again));
            return;
        }
        let line = self.arguments.to_resume(&self.run.id, width);
        output::status("Resume", format_args!("flowc resume {line}"));
    }
}

fn tasks(count: u32) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} task{plural}")
}

/// A folder below the current one without what everybody knows of its path.
fn shown_place(location: &str) -> String {
    let cwd = env::current_dir().unwrap_or_default();
    let below = Path::new(location).strip_prefix(cwd);
    below.map_or_else(|_| location.to_owned(), |below| below.display().to_string())
}

/// Failed tasks with what they said.
fn listed(failures: &[Failure]) -> String {
    let names: Vec<String> = failures
        .iter()
        .map(|failure| format!("{}/{}", failure.step, failure.index.task_id()))
        .collect();
    match failures {
        [one] => {
            let why = one.report.error.as_deref().unwrap_or("it failed");
            format!("{}: {why}", names[0])
        }
        _ => format!("{} tasks failed, {}", names.len(), shortened(&names)),
    }
}

/// The first few of many names.
pub(crate) fn shortened(names: &[String]) -> String {
    const SHOWN: usize = 5;
    let more = names.len().saturating_sub(SHOWN);
    let shown = names[..names.len() - more].join(", ");
    if more == 0 {
        shown
    } else {
        format!("{shown} and {more} more")
    }
}

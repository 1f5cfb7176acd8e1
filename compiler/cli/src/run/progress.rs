//! What people see while a flow runs: lines where output is a file or a pipe, live counts on a terminal.
//!
//! What user code prints to stdout goes to stdout, all else to stderr.

use std::collections::HashMap;
use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anstyle::{AnsiColor, Style};
use flowc_core::diag::render::Colour;
use flowc_local::report::Reporter;
use flowc_local::resume::Adoption;
use flowc_local::schedule::Watcher;
use flowc_protocol::identity::{IndexPath, TaskId};
use flowc_task::task::{Stream, TaskReport};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::output;

const NAME: Style = Style::new().dimmed();
const GOOD: Style = Style::new().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Green)));
const BAD: Style = Style::new()
    .bold()
    .fg_color(Some(anstyle::Color::Ansi(AnsiColor::Red)));
const ODD: Style = Style::new()
    .bold()
    .fg_color(Some(anstyle::Color::Ansi(AnsiColor::Yellow)));

/// Shows a run.
pub(crate) struct Progress {
    state: Mutex<State>,
    /// The live part; `None` where stderr is no terminal.
    live: Option<MultiProgress>,
    colour_stdout: bool,
    named: Box<dyn Fn(&str) + Send + Sync>,
}

#[derive(Default)]
struct State {
    steps: HashMap<String, StepState>,
    counts: Counts,
}

/// Tasks of a run that have a result.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    /// Those that this run ran.
    pub(crate) ran: u32,
    /// Those that it took over from the run that it resumes.
    pub(crate) adopted: u32,
}

struct StepState {
    expected: u32,
    committed: u32,
    /// How many of those were taken over.
    adopted: u32,
    since: Instant,
    bar: Option<ProgressBar>,
}

impl StepState {
    fn new(expected: u32) -> Self {
        Self {
            expected,
            committed: 0,
            adopted: 0,
            since: Instant::now(),
            bar: None,
        }
    }
}

impl Progress {
    /// `named` hears the run's id before anything starts; there is nothing live unless `may_move`.
    pub(crate) fn new(named: impl Fn(&str) + Send + Sync + 'static, may_move: bool) -> Self {
        let live = (may_move && io::stderr().is_terminal()).then(|| {
            let target = ProgressDrawTarget::stderr_with_hz(10);
            MultiProgress::with_draw_target(target)
        });
        Self {
            state: Mutex::default(),
            live,
            colour_stdout: output::data_colour(),
            named: Box::new(named),
        }
    }

    /// Tasks that have a result.
    pub(crate) fn counts(&self) -> Counts {
        self.lock().counts
    }

    /// Takes the live part off the screen.
    pub(crate) fn finish(&self) {
        if let Some(live) = &self.live {
            // A terminal that is gone needs no cleaning.
            let _ = live.clear();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes while the live part is out of the way.
    fn above(&self, write: impl FnOnce()) {
        match &self.live {
            Some(live) => live.suspend(write),
            None => write(),
        }
    }

    fn say(&self, style: Style, word: &str, task: &str, text: &str) {
        self.above(|| {
            output::remark(&format!(
                "{NAME}[{task}]{NAME:#} {style}{word}{style:#}{text}\n"
            ));
        });
    }

    /// What there is to say of a step whose tasks have all committed; takes its bar off the screen.
    fn done(&self, step: &mut StepState) -> Option<String> {
        if step.committed < step.expected {
            return None;
        }
        let took = seconds(step.since.elapsed());
        if let Some((bar, live)) = step.bar.take().zip(self.live.as_ref()) {
            bar.finish_and_clear();
            live.remove(&bar);
        }
        Some(match step.committed - step.adopted {
            1 => format!(" in {took}"),
            tasks => format!(" in {took}, {tasks} tasks"),
        })
    }

    fn say_done(&self, step: &str, done: Option<String>) {
        if let Some(text) = done {
            self.say(GOOD, "done", step, &text);
        }
    }

    /// A bar that appears when the step has run for a moment: most steps are over before anybody could read it.
    fn bar(&self, step: &str, tasks: u32) -> Option<ProgressBar> {
        let live = self.live.as_ref()?;
        let template = "{spinner} {msg} {bar:24} {pos}/{len} {elapsed}";
        let style = ProgressStyle::with_template(template).ok()?;
        let bar = live.add(ProgressBar::new(tasks.into()).with_style(style));
        bar.set_message(step.to_owned());
        bar.enable_steady_tick(Duration::from_millis(200));
        Some(bar)
    }
}

impl Watcher for Progress {
    fn started(&self, step: &str, _index: &IndexPath) {
        let mut state = self.lock();
        let step_state = state
            .steps
            .entry(step.to_owned())
            .or_insert_with(|| StepState::new(1));
        if step_state.bar.is_none() {
            if step_state.committed == step_state.adopted {
                step_state.since = Instant::now();
            }
            step_state.bar = self.bar(step, step_state.expected);
        }
    }

    fn committed(&self, step: &str, _index: &IndexPath, _adopted: bool) {
        let mut state = self.lock();
        state.counts.ran += 1;
        let Some(step_state) = state.steps.get_mut(step) else {
            return;
        };
        step_state.committed += 1;
        if let Some(bar) = &step_state.bar {
            bar.set_position(step_state.committed.into());
        }
        let done = self.done(step_state);
        drop(state);
        self.say_done(step, done);
    }

    fn expected(&self, step: &str, tasks: u32) {
        let mut state = self.lock();
        let Some(step_state) = state.steps.get_mut(step) else {
            state.steps.insert(step.to_owned(), StepState::new(tasks));
            return;
        };
        let was_open = step_state.committed < step_state.expected;
        step_state.expected = tasks;
        if let Some(bar) = &step_state.bar {
            bar.set_length(tasks.into());
        }
        // The last of its tasks may be one that a switch passed by.
        let done = match step_state.committed - step_state.adopted {
            0 => None,
            _ => self.done(step_state).filter(|_| was_open),
        };
        drop(state);
        self.say_done(step, done);
    }

    fn retrying(&self, step: &str, index: &IndexPath, report: &TaskReport, pause: Duration) {
        let why = report.error.as_deref().unwrap_or("it failed");
        let attempt = match report.attempt {
            Some(attempt) => format!(" (attempt {attempt})"),
            // It did not come so far that user code could start.
            None => String::new(),
        };
        let when = if pause.is_zero() {
            "trying again".to_owned()
        } else {
            format!("trying again in {} s", pause.as_secs())
        };
        let text = format!(": {why}{attempt}; {when}");
        self.say(ODD, "failed", &format!("{step}/{}", index.task_id()), &text);
    }

    fn failed(&self, step: &str, index: &IndexPath, report: &TaskReport) {
        let why = report.error.as_deref().unwrap_or("it failed");
        let text = format!(": {why}");
        self.say(BAD, "failed", &format!("{step}/{}", index.task_id()), &text);
    }
}

impl Reporter for Progress {
    fn named(&self, run: &str) {
        (self.named)(run);
    }

    fn adopted(&self, adoption: &Adoption) {
        let mut state = self.lock();
        for fate in &adoption.steps {
            let adopted = fate.whole;
            state.counts.adopted += adopted;
            let known = state.steps.entry(fate.step.clone());
            let known = known.or_insert_with(|| StepState::new(1));
            known.committed += adopted;
            known.adopted += adopted;
        }
        drop(state);
        self.above(|| super::adoption::tell(adoption));
    }

    fn line(&self, step: &str, task: &TaskId, stream: Stream, line: &[u8]) {
        let task = task.to_string();
        match stream {
            Stream::Stdout => {
                let colour = self.colour_stdout;
                let write = || {
                    let mut out = io::stdout().lock();
                    // A reader that has gone away is no reason to stop the run.
                    let _ = write_line(&mut out, colour, step, &task, line);
                };
                self.above(write);
            }
            Stream::Stderr => {
                let colour = output::colour() == Colour::Always;
                let write = || {
                    let mut err = io::stderr().lock();
                    // As above.
                    let _ = write_line(&mut err, colour, step, &task, line);
                };
                self.above(write);
            }
        }
    }

    fn trouble(&self, text: &str) {
        self.above(|| output::remark(&format!("{ODD}warning{ODD:#}: {text}\n")));
    }

    fn into_watcher(self: Arc<Self>) -> Arc<dyn Watcher> {
        self
    }
}

/// `[train/t-3] text`, in one write so that lines of several tasks do not mix; the text's bytes are left as they are.
pub(crate) fn write_line(
    out: &mut dyn Write,
    colour: bool,
    step: &str,
    task: &str,
    line: &[u8],
) -> io::Result<()> {
    let mut bytes = Vec::with_capacity(line.len() + 32);
    if colour {
        write!(bytes, "{NAME}[{step}/{task}]{NAME:#} ")?;
    } else {
        write!(bytes, "[{step}/{task}] ")?;
    }
    bytes.extend_from_slice(line);
    bytes.push(b'\n');
    out.write_all(&bytes)?;
    out.flush()
}

/// A duration for people: `0.12 s`, `12.3 s`, `3 min 5 s`.
pub(crate) fn seconds(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..10 => format!("{:.2} s", duration.as_secs_f64()),
        10..60 => format!("{:.1} s", duration.as_secs_f64()),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_of_user_code_are_left_as_they_are() {
        let mut out = Vec::new();
        write_line(&mut out, false, "train", "t-3", b"\x1b[1mbold \xff").unwrap();
        assert_eq!(out, b"[train/t-3] \x1b[1mbold \xff\n");
    }

    #[test]
    fn durations_read_well() {
        let shown = |ms| seconds(Duration::from_millis(ms));
        assert_eq!(
            [shown(123), shown(12_345), shown(185_000), shown(7_320_000)],
            ["0.12 s", "12.3 s", "3 min 5 s", "2 h 2 min"]
        );
    }
}

//! What people see while an orchestrator is talked to.

use std::time::Duration;

use flowc_target::deploy::{Action, Change, Progress};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::output;

/// One line per object, and on a terminal a last line with what is being waited for.
pub(crate) struct Console {
    line: ProgressBar,
}

impl Console {
    /// Draws on stderr, if that is a terminal.
    pub(crate) fn new() -> Self {
        let line = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} ({elapsed})") {
            line.set_style(style);
        }
        Self { line }
    }

    /// Removes the last line.
    pub(crate) fn finish(&self) {
        self.line.finish_and_clear();
    }

    /// One line about an object.
    pub(crate) fn change(&self, change: &Change) {
        let verb = match change.action {
            Action::Create => "Created",
            Action::Update => "Updated",
            Action::Keep => "Unchanged",
            Action::Delete => "Deleted",
        };
        self.line
            .suspend(|| output::status(verb, described(change)));
    }
}

impl Progress for Console {
    fn done(&self, change: &Change) {
        self.change(change);
    }

    fn waiting(&self, what: &str) {
        self.line.enable_steady_tick(Duration::from_millis(100));
        self.line.set_message(what.to_owned());
    }
}

/// An object and what differs.
pub(crate) fn described(change: &Change) -> String {
    let Change {
        kind,
        name,
        action: _,
        detail,
    } = change;
    match detail {
        Some(detail) => format!("{kind} {name} ({detail})"),
        None => format!("{kind} {name}"),
    }
}

/// An object and what happens to it, for scripts.
pub(crate) fn change_json(change: &Change) -> serde_json::Value {
    serde_json::json!({
        "kind": change.kind,
        "name": change.name,
        "action": change.action.to_string(),
        "detail": change.detail,
    })
}

//! How an attempt can end, and what each ending means for the orchestrator.

use flowc_protocol::conversation::Finish;
use flowc_protocol::exit::Exit;
use flowc_protocol::manifest::Step;

use crate::attempt::Ended;
use crate::commit::Commit;
use crate::error::TaskError;
use crate::launch::ProcessExit;
use crate::task::TaskReport;

/// Exit code of a process by which user code says that another attempt would be useless.
/// Metaflow: `METAFLOW_EXIT_DISALLOW_RETRY` (`metaflow/exception.py`; `_poll_workers` in `metaflow/runtime.py`, read at 2.19.39).
const DISALLOW_RETRY: i32 = 202;

/// How the conversation ended.
#[derive(Debug)]
pub(crate) enum Ending {
    /// User code has ended, and the harness said how.
    Finished(Finish),
    /// The process ended without saying so.
    Died(Option<ProcessExit>),
    /// The shim could not do its part.
    Failed(TaskError),
    /// Asked to stop, before the end.
    Interrupted,
    /// Killed after the timeout.
    TimedOut,
}

/// What an ending without a result means, and whether another attempt would be useless.
pub(crate) fn judge(ending: Ending, step: &Step, attempt: u32) -> (TaskReport, bool) {
    let mut traceback = None;
    let mut is_final = false;
    let (exit, message) = match ending {
        Ending::Finished(Finish {
            fault: Some(fault), ..
        }) => {
            let known = Exit::ALL.iter().find(|exit| exit.code() == fault.exit);
            (known.copied().unwrap_or(Exit::Configuration), fault.message)
        }
        Ending::Finished(finish) => {
            is_final = finish.retry == Some(false);
            let exception = finish.exception.unwrap_or_default();
            traceback = exception.traceback;
            let line = if exception.line.is_empty() {
                "user code failed without saying why".to_owned()
            } else {
                exception.line
            };
            (user_failure(is_final), line)
        }
        Ending::Died(exit) => {
            is_final = matches!(exit, Some(ProcessExit::Code(DISALLOW_RETRY)));
            (user_failure(is_final), last_words(exit))
        }
        Ending::Failed(error) => (error.exit, error.message),
        Ending::TimedOut => {
            let seconds = step.timeout_s.unwrap_or_default();
            let message = format!(
                "the step took longer than its timeout of {seconds} s, did not end when it was told, and was killed"
            );
            (Exit::UserFailure, message)
        }
        Ending::Interrupted => (Exit::Interrupted, INTERRUPTED.to_owned()),
    };
    let can_mend = exit == Exit::UserFailure || exit.is_transient();
    let may_retry = can_mend && attempt < last_attempt(step);
    // Said at once, or the orchestrator would start one more container only to hear it.
    let exit = if exit == Exit::UserFailure && !may_retry {
        Exit::UserFailureFinal
    } else {
        exit
    };
    let report = TaskReport {
        exit,
        attempt: Some(attempt),
        adopted: false,
        may_retry,
        count: None,
        next: None,
        error: Some(message),
        traceback,
    };
    (report, is_final)
}

fn user_failure(is_final: bool) -> Exit {
    if is_final {
        Exit::UserFailureFinal
    } else {
        Exit::UserFailure
    }
}

/// The last attempt that may be claimed: one more than user code's if there is a `catch`, which then takes the loss of
/// the others (user code is not started in it).
pub(crate) fn last_attempt(step: &Step) -> u32 {
    step.retries + u32::from(step.catch.is_some())
}

const INTERRUPTED: &str = "the task was told to stop before its result was committed";

/// There is a result, of whatever attempt.
pub(crate) fn adopted(attempt: Option<u32>, winner: Commit) -> Ended {
    let report = TaskReport {
        exit: Exit::Done,
        attempt,
        adopted: true,
        may_retry: false,
        count: winner.count,
        next: winner.next,
        error: None,
        traceback: None,
    };
    (report, Some(winner.data))
}

/// Told to stop before anything was begun.
pub(crate) fn interrupted() -> TaskReport {
    TaskReport::from(&TaskError::new(Exit::Interrupted, INTERRUPTED))
}

/// Says how a process ended that had not finished its step.
fn last_words(exit: Option<ProcessExit>) -> String {
    match exit {
        Some(ProcessExit::Signal(9) | ProcessExit::Code(137)) => {
            "the process was killed (SIGKILL) before the step was done: most often memory ran out; give the step more"
                .to_owned()
        }
        Some(ProcessExit::Signal(signal)) => {
            let name = match signal {
                4 => " (SIGILL)",
                6 => " (SIGABRT)",
                7 => " (SIGBUS)",
                8 => " (SIGFPE)",
                11 => " (SIGSEGV)",
                15 => " (SIGTERM)",
                _ => "",
            };
            format!("signal {signal}{name} ended the process before the step was done")
        }
        Some(ProcessExit::Code(DISALLOW_RETRY)) => {
            format!(
                "the process ended with exit code {DISALLOW_RETRY}, after which nothing is tried again, before the step was done"
            )
        }
        Some(ProcessExit::Code(code)) => {
            format!("the process ended with exit code {code} before the step was done")
        }
        None => "the process ended before the step was done".to_owned(),
    }
}

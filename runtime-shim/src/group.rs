//! The processes of a task: the one that was started, and what user code started in its process group.

use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, kill_process_group, test_kill_process_group};
use tokio::time::{Instant, sleep};

/// What is told to end may take this long before it is killed.
const LAST_WORK: Duration = Duration::from_secs(2);

/// What is told to end and prints no more may take this long.
const LAST_SILENT_WORK: Duration = Duration::from_millis(200);

/// How often it is looked whether something is left.
const LOOK: Duration = Duration::from_millis(10);

/// The processes of a task.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Group {
    pid: Option<Pid>,
    /// A task on the terminal is in the group of whoever started it, and its process is all that can be reached.
    leads: bool,
}

impl Group {
    pub(crate) fn new(pid: i32, leads: bool) -> Self {
        let pid = Pid::from_raw(pid);
        Self { pid, leads }
    }

    /// Asks every process to end.
    pub(crate) fn terminate(self) {
        self.signal(Signal::TERM);
    }

    /// Kills every process.
    pub(crate) fn kill(self) {
        self.signal(Signal::KILL);
    }

    /// Kills the process that was started, and leaves alone what it has started.
    ///
    /// To be called before it was reaped.
    pub(crate) fn kill_leader(self) {
        if let Some(pid) = self.pid {
            // An error means that it is gone.
            let _ = kill_process(pid, Signal::KILL);
        }
    }

    /// Ends what is left after the process that was started has ended.
    ///
    /// They are asked first: Python's resource tracker takes no notice of that, and removes shared memory that user
    /// code has left.
    pub(crate) async fn end(self, is_silent: impl Fn() -> bool) {
        if !self.leads {
            return;
        }
        self.terminate();
        let told = Instant::now();
        while self.has_members() {
            let limit = if is_silent() {
                LAST_SILENT_WORK
            } else {
                LAST_WORK
            };
            if told.elapsed() >= limit {
                break;
            }
            sleep(LOOK).await;
        }
        self.kill();
    }

    fn has_members(self) -> bool {
        self.pid
            .is_some_and(|pid| test_kill_process_group(pid).is_ok())
    }

    fn signal(self, signal: Signal) {
        let Some(pid) = self.pid else {
            return;
        };
        // An error means that it is gone.
        let _ = if self.leads {
            kill_process_group(pid, signal)
        } else {
            kill_process(pid, signal)
        };
    }
}

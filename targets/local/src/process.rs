//! Keeps account of the processes of running tasks, so that a stopped run leaves none behind.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use flowc_task::launch::{HarnessProcess, LaunchError, LaunchRequest, Launcher};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::sync::oneshot;

/// Leaders of the process groups of running tasks.
#[derive(Clone, Default)]
pub struct Processes {
    leaders: Arc<Mutex<BTreeSet<i32>>>,
}

impl Processes {
    /// Sends a signal to every process of every running task.
    pub fn signal(&self, signal: Signal) {
        for leader in self.lock().iter() {
            signal_group(*leader, signal);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeSet<i32>> {
        self.leaders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A launcher whose processes are accounted for.
pub struct Accounted<L> {
    launcher: L,
    processes: Processes,
}

impl<L: Launcher> Accounted<L> {
    /// Launches with `launcher`, and enters what it launched into `processes`.
    pub fn new(launcher: L, processes: Processes) -> Self {
        Self {
            launcher,
            processes,
        }
    }
}

#[async_trait]
impl<L: Launcher> Launcher for Accounted<L> {
    async fn launch(&self, request: LaunchRequest) -> Result<HarnessProcess, LaunchError> {
        let process = self.launcher.launch(request).await?;
        let leader = process.pid;
        self.processes.lock().insert(leader);
        let processes = self.processes.clone();
        let (exited, exit) = oneshot::channel();
        let ended = process.exit;
        tokio::spawn(async move {
            let ended = ended.await;
            processes.lock().remove(&leader);
            // What user code left running in the background ends with its task, as it does in a container.
            signal_group(leader, Signal::KILL);
            if let Ok(ended) = ended {
                // Nobody listens any more if the task was given up.
                let _ = exited.send(ended);
            }
        });
        Ok(HarnessProcess { exit, ..process })
    }
}

/// A group that is gone already is what we want.
fn signal_group(leader: i32, signal: Signal) {
    if let Some(leader) = Pid::from_raw(leader).filter(|leader| leader.as_raw_nonzero().get() > 1) {
        let _ = kill_process_group(leader, signal);
    }
}

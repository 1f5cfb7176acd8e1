//! The conversation with one harness process, from its hello to its end.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use flowc_protocol::conversation::{Finish, FromHarness, Input, Task};
use flowc_protocol::exit::Exit;
use flowc_protocol::{PROTOCOL, PROTOCOL_MIN};
use serde_json::json;
use tokio::io::AsyncReadExt;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf, pipe};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use crate::crash;
use crate::ending::Ending;
use crate::error::TaskError;
use crate::launch::{HarnessProcess, ProcessExit};
use crate::outputs::Outputs;
use crate::service::Service;
use crate::signals::{Stop, Urgency};
use crate::wire;

/// How long an interpreter may take to say hello, slow disks and cold caches included.
const HELLO: Duration = Duration::from_mins(2);

/// User code that was asked to end may take this long.
const GRACE: Duration = Duration::from_secs(10);

/// The harness interrupts user code at its timeout; what ignores that is killed this much later.
const TIMEOUT_GRACE: Duration = Duration::from_secs(30);

/// Frames of a dead process arrive within this time.
const LAST_FRAMES: Duration = Duration::from_secs(2);

/// A process that has said hello.
pub(crate) struct Session {
    frames: mpsc::Receiver<io::Result<FromHarness>>,
    writer: OwnedWriteHalf,
    exit: oneshot::Receiver<ProcessExit>,
    pid: i32,
    /// `sys.version`.
    pub(crate) python: String,
}

/// Commits the task `_parameters` and gives it as an input.
#[async_trait::async_trait]
pub(crate) trait Parameters: Send + Sync {
    async fn commit(&self, outputs: Outputs<'_>, python: &str) -> Result<Input, TaskError>;
}

impl Session {
    /// Waits for the hello. Also gives the pipes that user code prints to.
    pub(crate) async fn greet(
        process: HarnessProcess,
    ) -> Result<(Self, pipe::Receiver, pipe::Receiver), TaskError> {
        let HarnessProcess {
            control,
            stdout,
            mut stderr,
            pid,
            exit,
        } = process;
        let (mut reader, writer) = control.into_split();
        let hello = timeout(HELLO, wire::read(&mut reader)).await;
        let (protocol, python) = match hello {
            Ok(Ok(Some(FromHarness::Hello { protocol, python }))) => (protocol, python),
            Ok(Ok(None)) => {
                return Err(silent("it ended at once", &mut stderr, exit).await);
            }
            Ok(Ok(Some(_))) => {
                kill_group(pid, Urgency::Now);
                return Err(silent("its first frame is no hello", &mut stderr, exit).await);
            }
            Ok(Err(error)) => {
                kill_group(pid, Urgency::Now);
                return Err(silent(&error.to_string(), &mut stderr, exit).await);
            }
            Err(_) => {
                kill_group(pid, Urgency::Now);
                return Err(silent("it said nothing for two minutes", &mut stderr, exit).await);
            }
        };
        if !(PROTOCOL_MIN..=PROTOCOL).contains(&protocol) {
            kill_group(pid, Urgency::Now);
            return Err(TaskError::new(
                Exit::Configuration,
                format!(
                    "the harness speaks protocol {protocol}, this shim {PROTOCOL_MIN} to {PROTOCOL}: use one version of flowc for both"
                ),
            ));
        }
        let (sender, frames) = mpsc::channel(16);
        tokio::spawn(forward(reader, sender));
        let session = Self {
            frames,
            writer,
            exit,
            pid,
            python,
        };
        Ok((session, stdout, stderr))
    }

    /// Ends a process that is not needed.
    pub(crate) fn dismiss(&self) {
        kill_group(self.pid, Urgency::Now);
    }

    /// Runs the task, and returns when the process has ended.
    pub(crate) async fn run(
        &mut self,
        task: &Task<'_>,
        service: &mut Service<'_>,
        outputs: &mut Outputs<'_>,
        parameters: &dyn Parameters,
        stop: &Stop,
    ) -> Ending {
        let pid = self.pid;
        let stopped = AtomicBool::new(false);
        let deadline = task
            .timeout_s
            .map(|seconds| Duration::from_secs(seconds.into()) + TIMEOUT_GRACE);
        let ending = {
            let mut stop = stop.clone();
            let interrupted = async {
                stop.requested(Urgency::Soon).await;
                stopped.store(true, Ordering::Relaxed);
                kill_group(pid, Urgency::Soon);
                // An error means that the grace is over.
                let _ = timeout(GRACE, stop.requested(Urgency::Now)).await;
                kill_group(pid, Urgency::Now);
                tokio::time::sleep(LAST_FRAMES).await;
            };
            let timed_out = async {
                let Some(deadline) = deadline else {
                    return std::future::pending().await;
                };
                tokio::time::sleep(deadline).await;
                kill_group(pid, Urgency::Now);
            };
            tokio::select! {
                ending = self.talk(task, service, outputs, parameters) => ending,
                () = interrupted => Ending::Interrupted,
                () = timed_out => Ending::TimedOut,
            }
        };
        // What user code left running in its process group ends with the task.
        kill_group(pid, Urgency::Now);
        let is_done = matches!(&ending, Ending::Finished(finish) if finish.ok);
        if stopped.load(Ordering::Relaxed) && !is_done {
            return Ending::Interrupted;
        }
        ending
    }

    async fn talk(
        &mut self,
        task: &Task<'_>,
        service: &mut Service<'_>,
        outputs: &mut Outputs<'_>,
        parameters: &dyn Parameters,
    ) -> Ending {
        crash::point();
        if let Err(error) = wire::write(&mut self.writer, task).await {
            if error.kind() == io::ErrorKind::InvalidData {
                let message = format!("the task's description does not fit: {error}");
                return Ending::Failed(TaskError::new(Exit::Configuration, message));
            }
            return Ending::Died((&mut self.exit).await.ok());
        }
        crash::point();
        let mut ended = None;
        loop {
            let frame = match ended {
                None => tokio::select! {
                    biased;
                    frame = self.frames.recv() => frame,
                    exit = &mut self.exit => {
                        ended = Some(exit.ok());
                        continue;
                    }
                },
                // Something that the process started may hold the socket open.
                Some(exit) => match timeout(LAST_FRAMES, self.frames.recv()).await {
                    Ok(frame) => frame,
                    Err(_) => return Ending::Died(exit),
                },
            };
            let frame = match frame {
                None => {
                    let exit = match ended {
                        Some(exit) => exit,
                        None => (&mut self.exit).await.ok(),
                    };
                    return Ending::Died(exit);
                }
                Some(Ok(frame)) => frame,
                Some(Err(error)) => {
                    let message = format!("the harness cannot be understood: {error}");
                    return Ending::Failed(TaskError::new(Exit::Configuration, message));
                }
            };
            match self.answer(frame, service, outputs, parameters).await {
                Ok(None) => {}
                Ok(Some(finish)) => {
                    // Threads of user code may go on for a while, and print.
                    if ended.is_none() {
                        let _ = (&mut self.exit).await;
                    }
                    crash::point();
                    return Ending::Finished(finish);
                }
                Err(error) => {
                    let frame =
                        json!({"op": "error", "exit": error.exit.code(), "message": error.message});
                    // It ends by itself if it hears this, and is killed otherwise.
                    let _ = wire::write(&mut self.writer, &frame).await;
                    if ended.is_none() {
                        let _ = timeout(LAST_FRAMES, &mut self.exit).await;
                    }
                    return Ending::Failed(error);
                }
            }
        }
    }

    async fn answer(
        &mut self,
        frame: FromHarness,
        service: &mut Service<'_>,
        outputs: &mut Outputs<'_>,
        parameters: &dyn Parameters,
    ) -> Result<Option<Finish>, TaskError> {
        let answer = match frame {
            FromHarness::Artifact(artifact) => {
                outputs
                    .take(artifact, &service.inputs, service.spool)
                    .await?;
                return Ok(None);
            }
            FromHarness::Spooled { path, size } => {
                outputs
                    .spooled(Path::new(&path), size, service.spool)
                    .await?;
                return Ok(None);
            }
            FromHarness::Load { input, name } => service.load(input, &name).await?,
            FromHarness::Check { number } => {
                service.unverified.check(number).await?;
                json!({"op": "ok"})
            }
            FromHarness::Objects { input } => {
                let objects = service
                    .inputs
                    .get(input)
                    .and_then(|input| input.objects.as_ref());
                json!({"op": "ok", "objects": objects})
            }
            FromHarness::Parameters {} => {
                let collected = outputs.split_off();
                let input = parameters.commit(collected, &self.python).await?;
                let answer = json!({"op": "ok", "objects": input.objects});
                service.inputs = vec![input];
                answer
            }
            FromHarness::Elsewhere { trigger, name } => {
                service.elsewhere(trigger, name.as_deref()).await?
            }
            FromHarness::Secret(wanted) => service.vault.answer(&wanted).await,
            FromHarness::Hide { texts } => {
                service.hidden.set(texts);
                json!({"op": "ok"})
            }
            FromHarness::Finish(finish) => {
                service.unverified.check_all().await?;
                outputs.save().await?;
                // If it is gone already, what it said still counts.
                let _ = wire::write(&mut self.writer, &json!({"op": "ok"})).await;
                return Ok(Some(finish));
            }
            FromHarness::Hello { .. } => {
                let message = "the harness said hello twice";
                return Err(TaskError::new(Exit::Configuration, message));
            }
        };
        // If it is gone, the end of its frames says so.
        let _ = wire::write(&mut self.writer, &answer).await;
        Ok(None)
    }
}

async fn forward(mut reader: OwnedReadHalf, sender: mpsc::Sender<io::Result<FromHarness>>) {
    loop {
        let frame = match wire::read(&mut reader).await {
            Ok(Some(frame)) => Ok(frame),
            Ok(None) => return,
            Err(error) => Err(error),
        };
        let is_last = frame.is_err();
        if sender.send(frame).await.is_err() || is_last {
            return;
        }
    }
}

/// The interpreter did not get as far as a hello; its last words say why.
async fn silent(
    what: &str,
    stderr: &mut pipe::Receiver,
    exit: oneshot::Receiver<ProcessExit>,
) -> TaskError {
    let mut said = Vec::new();
    let mut limited = stderr.take(64 << 10);
    // What was read until then is kept.
    let _ = timeout(LAST_FRAMES, limited.read_to_end(&mut said)).await;
    let said = String::from_utf8_lossy(&said);
    let last = said.lines().rev().find(|line| !line.trim().is_empty());
    let how = match timeout(LAST_FRAMES, exit).await {
        Ok(Ok(ProcessExit::Code(code))) => format!(" with exit code {code}"),
        Ok(Ok(ProcessExit::Signal(signal))) => format!(" by signal {signal}"),
        Ok(Err(_)) | Err(_) => String::new(),
    };
    let words = last
        .map(|line| format!(": {}", line.trim()))
        .unwrap_or_default();
    TaskError::new(
        Exit::Configuration,
        format!("the Python interpreter did not start the task, {what}{how}{words}"),
    )
}

/// Sends SIGTERM or SIGKILL to the process group that `pid` leads.
fn kill_group(pid: i32, urgency: Urgency) {
    use rustix::process::{Pid, Signal, kill_process_group};
    let signal = match urgency {
        Urgency::None => return,
        Urgency::Soon => Signal::TERM,
        Urgency::Now => Signal::KILL,
    };
    if let Some(pid) = Pid::from_raw(pid) {
        // An error means that it is gone.
        let _ = kill_process_group(pid, signal);
    }
}

//! The conversation with one harness process, from its hello to its end.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use flowc_protocol::conversation::{Finish, FromHarness, Input, Task};
use flowc_protocol::exit::Exit;
use flowc_protocol::{PROTOCOL, PROTOCOL_MIN};
use serde_json::json;
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout, timeout_at};

use crate::connections::{Answers, Connections, Heard};
use crate::crash;
use crate::ending::Ending;
use crate::error::TaskError;
use crate::group::Group;
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
    connections: Connections,
    exit: oneshot::Receiver<ProcessExit>,
    pub(crate) group: Group,
    /// What user code prints has been shown already.
    pub(crate) on_terminal: bool,
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
            on_terminal,
            exit,
        } = process;
        let group = Group::new(pid, !on_terminal);
        let (mut reader, writer) = control.into_split();
        let hello = timeout(HELLO, wire::read(&mut reader)).await;
        let (protocol, python) = match hello {
            Ok(Ok(Some(FromHarness::Hello { protocol, python }))) => (protocol, python),
            Ok(Ok(None)) => {
                return Err(silent("it ended at once", &mut stderr, exit).await);
            }
            Ok(Ok(Some(_))) => {
                group.kill();
                return Err(silent("its first frame is no hello", &mut stderr, exit).await);
            }
            Ok(Err(error)) => {
                group.kill();
                return Err(silent(&error.to_string(), &mut stderr, exit).await);
            }
            Err(_) => {
                group.kill();
                return Err(silent("it said nothing for two minutes", &mut stderr, exit).await);
            }
        };
        if !(PROTOCOL_MIN..=PROTOCOL).contains(&protocol) {
            group.kill();
            return Err(TaskError::new(
                Exit::Configuration,
                format!(
                    "the harness speaks protocol {protocol}, this shim {PROTOCOL_MIN} to {PROTOCOL}: use one version of flowc for both"
                ),
            ));
        }
        let session = Self {
            connections: Connections::new(reader, writer),
            exit,
            group,
            on_terminal,
            python,
        };
        Ok((session, stdout, stderr))
    }

    /// Ends a process that is not needed.
    pub(crate) fn dismiss(&self) {
        self.group.kill();
    }

    /// Lets the harness make further connections, by a socket in the folder.
    pub(crate) fn open_door(&mut self, folder: &Path) -> Option<PathBuf> {
        self.connections.open_door(folder)
    }

    /// Runs the task, and returns when the process has ended. What it has left running runs on.
    pub(crate) async fn run(
        &mut self,
        task: &Task<'_>,
        service: &mut Service<'_>,
        outputs: &mut Outputs<'_>,
        parameters: &dyn Parameters,
        stop: &Stop,
    ) -> Ending {
        let group = self.group;
        let stopped = AtomicBool::new(false);
        let deadline = task
            .timeout_s
            .map(|seconds| Duration::from_secs(seconds.into()) + TIMEOUT_GRACE);
        let ending = {
            let mut stop = stop.clone();
            let interrupted = async {
                stop.requested(Urgency::Soon).await;
                stopped.store(true, Ordering::Relaxed);
                group.terminate();
                // An error means that the grace is over.
                let _ = timeout(GRACE, stop.requested(Urgency::Now)).await;
                group.kill_leader();
                tokio::time::sleep(LAST_FRAMES).await;
            };
            let timed_out = async {
                let Some(deadline) = deadline else {
                    return std::future::pending().await;
                };
                tokio::time::sleep(deadline).await;
                group.kill_leader();
            };
            tokio::select! {
                ending = self.talk(task, service, outputs, parameters) => ending,
                () = interrupted => Ending::Interrupted,
                () = timed_out => Ending::TimedOut,
            }
        };
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
        if let Err(error) = self.connections.first.write(task).await {
            if error.kind() == io::ErrorKind::InvalidData {
                let message = format!("the task's description does not fit: {error}");
                return Ending::Failed(TaskError::new(Exit::Configuration, message));
            }
            return Ending::Died((&mut self.exit).await.ok());
        }
        crash::point();
        let mut ended = None;
        loop {
            let heard = match ended {
                None => tokio::select! {
                    biased;
                    heard = self.connections.next() => heard,
                    exit = &mut self.exit => {
                        self.connections.close_door();
                        ended = Some((exit.ok(), Instant::now() + LAST_FRAMES));
                        continue;
                    }
                },
                // Something that the process started may hold the socket open, and even speak.
                Some((exit, limit)) => match timeout_at(limit, self.connections.next()).await {
                    Ok(heard) => heard,
                    Err(_) => return Ending::Died(exit),
                },
            };
            let Some(Heard { frame, answers }) = heard else {
                let exit = match ended {
                    Some((exit, _)) => exit,
                    None => (&mut self.exit).await.ok(),
                };
                return Ending::Died(exit);
            };
            let frame = match frame {
                Ok(frame) => frame,
                Err(error) => {
                    let message = format!("the harness cannot be understood: {error}");
                    return Ending::Failed(TaskError::new(Exit::Configuration, message));
                }
            };
            let answered = self.answer(frame, &answers, service, outputs, parameters);
            match answered.await {
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
                    let _ = answers.write(&frame).await;
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
        answers: &Answers,
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
                service.check(number).await?;
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
                service.check_all().await?;
                outputs.save().await?;
                // If it is gone already, what it said still counts.
                let _ = answers.write(&json!({"op": "ok"})).await;
                return Ok(Some(finish));
            }
            FromHarness::Hello { .. } => {
                let message = "the harness said hello twice";
                return Err(TaskError::new(Exit::Configuration, message));
            }
        };
        // If it is gone, the end of its frames says so.
        let _ = answers.write(&answer).await;
        Ok(None)
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

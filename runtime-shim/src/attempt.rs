//! The order of things in one attempt, and what each ending means.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use flowc_protocol::PROTOCOL;
use flowc_protocol::exit::Exit;
use flowc_protocol::known::Known;
use flowc_protocol::manifest::{Manifest, Step};
use tokio::net::unix::pipe;
use tokio::sync::watch;

use crate::cas::Blobs;
use crate::claim::Claim;
use crate::commit::{self, Commit, Place, Record, Start};
use crate::ending::{Ending, adopted, interrupted, last_attempt};
use crate::error::TaskError;
use crate::inputs::{self, Inputs};
use crate::launch::{LaunchRequest, Launcher};
use crate::logs::Log;
use crate::outputs::Outputs;
use crate::secrets::Hidden;
use crate::session::Session;
use crate::signals::{Stop, Urgency};
use crate::silence::Silence;
use crate::store::Store;
use crate::task::{Observer, Stream, TaskReport, TaskRequest};

/// The report, and the record that is the task's result or that tells of its failure.
pub(crate) type Ended = (TaskReport, Option<Record>);

/// A harness that has said hello, its pipes, and what its task starts from.
type Ready = (Session, pipe::Receiver, pipe::Receiver, Inputs);

/// Runs one attempt; the report, and the record that it or the winner left.
pub(crate) async fn run(
    store: &Store,
    request: &TaskRequest,
    launcher: &dyn Launcher,
    observer: &dyn Observer,
    stop: Stop,
) -> Ended {
    let Some(definition) = request.manifest.steps.get(&request.step) else {
        let message = format!(
            "flow `{}` has no step `{}`",
            request.manifest.flow, request.step
        );
        let error = TaskError::new(Exit::Configuration, message);
        return (TaskReport::from(&error), None);
    };
    let attempt = Attempt {
        store,
        request,
        step: definition,
        blobs: Blobs::new(store, &request.manifest.flow),
        known: known(&request.manifest),
        place: Place::new(
            &request.manifest.flow,
            &request.run,
            &request.step,
            &request.task_id().to_string(),
        ),
        hidden: Hidden::default(),
    };
    // Boxed: it is large, and all that awaits it would be as large.
    match Box::pin(attempt.run(launcher, observer, stop)).await {
        Ok(ended) => ended,
        Err(error) => (TaskReport::from(&error), None),
    }
}

/// What stays the same from the start to the end of one attempt.
pub(crate) struct Attempt<'a> {
    pub(crate) store: &'a Store,
    pub(crate) request: &'a TaskRequest,
    pub(crate) step: &'a Step,
    pub(crate) blobs: Blobs,
    pub(crate) known: Arc<Known>,
    pub(crate) place: Place,
    /// What its logs must not show.
    pub(crate) hidden: Hidden,
}

impl Attempt<'_> {
    async fn run(
        &self,
        launcher: &dyn Launcher,
        observer: &dyn Observer,
        mut stop: Stop,
    ) -> Result<Ended, TaskError> {
        // On a local store this look costs nothing and may save an interpreter; on a bucket it would be a request more
        // for every task that runs, and is done only if the first attempt is taken.
        if self.store.local_root().is_some()
            && let Some(winner) = commit::find_or_set_aside(self.store, &self.place).await?
        {
            return self.adopt(winner).await;
        }
        let ready = tokio::select! {
            ready = self.prepare(launcher) => ready?,
            _ = stop.requested(Urgency::Soon) => return Ok((interrupted(), None)),
        };
        let (mut session, stdout, stderr, inputs) = ready;
        if let Some(gang) = &self.request.gang
            && gang.all_ready(&self.request.index).await.is_err()
        {
            session.dismiss();
            return Ok((interrupted(), None));
        }
        let last = last_attempt(self.step);
        let orchestrator_attempt = self.request.orchestrator_attempt;
        let start = commit::claim(self.store, &self.place, last, orchestrator_attempt).await;
        let (number, mark) = match start {
            Ok(Start::Claimed { attempt, claim }) => (attempt, claim),
            other => {
                session.dismiss();
                return match other? {
                    Start::Committed(winner) => self.adopt(*winner).await,
                    Start::Unfinished(record) => self.finish_for(*record, &inputs).await,
                    Start::Exhausted { error } => Ok((self.exhausted(error), None)),
                    Start::Claimed { .. } => unreachable!("matched above"),
                };
            }
        };
        observer.started(self.request, number);
        let claim = Claim {
            attempt: self,
            number,
            mark,
            python: session.python.clone(),
            inputs,
        };
        let mut out = self.log(number, Stream::Stdout);
        let mut err = self.log(number, Stream::Stderr);
        let mut outputs = Outputs::new(&self.blobs, &self.known, claim.known_saved());
        let (over, is_over) = watch::channel(false);
        let on_terminal = session.on_terminal;
        let hear = |stream, line: &[u8]| {
            if !on_terminal {
                observer.line(self.request, stream, line);
            }
        };
        let silence = Silence::default();
        let converse = async {
            let ending = claim.converse(&mut session, &mut outputs, &stop).await;
            let mut left = None;
            if matches!(ending, Ending::Finished(_)) {
                let wait = self.request.output_wait;
                let say = |text: &str| observer.line(self.request, Stream::Stderr, text.as_bytes());
                left = silence.wait(wait, &stop, &say).await;
            }
            session.group.end(|| silence.is_here()).await;
            // The logs may have ended before, and then nobody listens.
            let _ = over.send(true);
            (ending, left)
        };
        let ((ending, left), (), ()) = tokio::join!(
            converse,
            silence.after(out.pump(stdout, is_over.clone(), &hear)),
            silence.after(err.pump(stderr, is_over, &hear)),
        );
        if let Some(left) = left {
            err.note(&left);
        }
        out.finish().await;
        err.finish().await;
        for log in [&out, &err] {
            if let Some(error) = log.failure() {
                tracing::warn!(%error, "a log could not be kept");
            }
        }
        let ending = self.with_gang(ending).await;
        match ending {
            Ending::Finished(finish) if finish.ok => Ok(claim.complete(finish, &outputs).await),
            Ending::Finished(_)
            | Ending::Died(_)
            | Ending::Failed(_)
            | Ending::Interrupted
            | Ending::TimedOut => Ok(claim.fail(ending, outputs).await),
        }
    }

    /// What an ending means once the other nodes of the gang have ended as well.
    async fn with_gang(&self, ending: Ending) -> Ending {
        let Some(gang) = &self.request.gang else {
            return ending;
        };
        let index = &self.request.index;
        let broken = match &ending {
            Ending::Finished(finish) if finish.ok => {
                gang.ended(index);
                gang.all_ended().await.err()
            }
            Ending::Interrupted => gang.culprit(),
            Ending::Finished(_) | Ending::Died(_) | Ending::Failed(_) | Ending::TimedOut => None,
        };
        let Some(node) = broken else {
            return ending;
        };
        let message = format!("node {node} of the gang failed, and the others with it");
        Ending::Failed(TaskError::new(Exit::Interrupted, message))
    }

    /// Starts the interpreter while the parents are read.
    async fn prepare(&self, launcher: &dyn Launcher) -> Result<Ready, TaskError> {
        let task = self.request.task_id();
        let launch = LaunchRequest {
            cwd: self.request.cwd.clone(),
            environment: self
                .step
                .environment
                .iter()
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect(),
            label: format!("{}/{}", self.request.step, task),
            alone: self.request.gang.is_none(),
        };
        let greet = async { Session::greet(launcher.launch(launch).await?).await };
        let resolve = inputs::resolve(
            self.store,
            &self.request.manifest,
            &self.request.run,
            &self.request.step,
            &task,
        );
        let (greeted, resolved) = tokio::join!(greet, resolve);
        match (greeted, resolved) {
            (Ok((session, stdout, stderr)), Ok(inputs)) => Ok((session, stdout, stderr, inputs)),
            (Ok((session, ..)), Err(error)) => {
                session.dismiss();
                Err(error)
            }
            (Err(error), _) => Err(error),
        }
    }

    fn log(&self, number: u32, stream: Stream) -> Log<'_> {
        let name = match stream {
            Stream::Stdout => "task_stdout.log",
            Stream::Stderr => "task_stderr.log",
        };
        let key = self.place.of_attempt(number, name);
        Log::new(self.store, key, stream, &self.hidden)
    }

    async fn adopt(&self, winner: Commit) -> Result<Ended, TaskError> {
        commit::mend(self.store, &self.place, &winner).await?;
        Ok(adopted(None, winner))
    }

    /// Commits what an earlier attempt had finished.
    async fn finish_for(&self, record: Record, inputs: &Inputs) -> Result<Ended, TaskError> {
        let commit = Commit {
            protocol: PROTOCOL,
            attempt: record.attempt,
            claim: uuid::Uuid::new_v4().simple().to_string(),
            count: record.ours.as_ref().and_then(|ours| ours.count),
            next: record.ours.as_ref().and_then(|ours| ours.next.clone()),
            iteration: None,
            foreach: inputs.frames.clone(),
            known: self.known_after(inputs),
            package: None,
            triggers: Vec::new(),
            end: None,
            origin: None,
            data: record,
        };
        let winner = commit::commit(self.store, &self.place, &commit).await?;
        let winner = winner.unwrap_or(commit);
        commit::mend(self.store, &self.place, &winner).await?;
        Ok(adopted(None, winner))
    }

    /// The known blobs that are in the store once this task has committed: the first step puts them before user code,
    /// and others hand on what their parents say.
    pub(crate) fn known_after(&self, inputs: &Inputs) -> Option<String> {
        if self.request.step == self.request.manifest.start {
            return Some(self.known.digest().to_owned());
        }
        inputs.known.clone()
    }

    fn exhausted(&self, error: Option<String>) -> TaskReport {
        let times = self.step.retries + 1;
        let why = error.map_or_else(
            || "; the last one was lost before it could say why".to_owned(),
            |error| format!("; the last failure was: {error}"),
        );
        let message = format!(
            "no attempt is left for {}: user code was started {times} times{why}",
            self.place.prefix
        );
        TaskReport::from(&TaskError::new(Exit::UserFailureFinal, message))
    }
}

/// The known blobs of a flow. The local runner runs thousands of tasks of one flow, which share them.
fn known(manifest: &Arc<Manifest>) -> Arc<Known> {
    static LAST: Mutex<Option<(Weak<Manifest>, Arc<Known>)>> = Mutex::new(None);
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((of, known)) = &*last
        && of.as_ptr() == Arc::as_ptr(manifest)
    {
        return Arc::clone(known);
    }
    let known = Arc::new(Known::of(manifest));
    *last = Some((Arc::downgrade(manifest), Arc::clone(&known)));
    known
}

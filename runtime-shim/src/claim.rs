//! An attempt that was claimed: the conversation, and then a commit or the record of a failure.

use flowc_protocol::PROTOCOL;
use flowc_protocol::conversation::{Finish, Input, Task};
use flowc_protocol::exit::Exit;
use flowc_protocol::identity::PARAMETERS_STEP;
use flowc_protocol::known;
use flowc_protocol::manifest::StepKind;
use flowc_protocol::split::Split;
use serde_json::json;

use crate::attempt::{Attempt, Ended};
use crate::commit::{self, Commit, Outcome, Place, Record, Start};
use crate::elsewhere::Elsewhere;
use crate::ending::{self, Ending, adopted};
use crate::error::TaskError;
use crate::inputs::{self, Inputs};
use crate::outputs::{self, Outputs};
use crate::service::{Service, Unverified};
use crate::session::{Parameters, Session};
use crate::signals::Stop;
use crate::store::{Store, StoreError};
use crate::task::TaskReport;

/// From this many parents on, a join's harness asks for the artifacts of each.
const INPUTS_AT_ONCE: usize = 64;

/// An attempt that is ours.
pub(crate) struct Claim<'a> {
    pub(crate) attempt: &'a Attempt<'a>,
    pub(crate) number: u32,
    /// Our random mark in it.
    pub(crate) mark: String,
    /// `sys.version`.
    pub(crate) python: String,
    pub(crate) inputs: Inputs,
}

impl Claim<'_> {
    fn is_first_step(&self) -> bool {
        self.attempt.request.step == self.attempt.request.manifest.start
    }

    /// Whether the known blobs are in the store already.
    pub(crate) fn known_saved(&self) -> bool {
        self.is_first_step() || self.inputs.known.as_deref() == Some(self.attempt.known.digest())
    }

    /// Runs the task over a session that has begun.
    pub(crate) async fn converse(
        &self,
        session: &mut Session,
        outputs: &mut Outputs<'_>,
        stop: &Stop,
    ) -> Ending {
        match self.converse_or_fail(session, outputs, stop).await {
            Ok(ending) => ending,
            Err(error) => {
                session.dismiss();
                Ending::Failed(error)
            }
        }
    }

    async fn converse_or_fail(
        &self,
        session: &mut Session,
        outputs: &mut Outputs<'_>,
        stop: &Stop,
    ) -> Result<Ending, TaskError> {
        let Attempt {
            store,
            request,
            step,
            blobs,
            known,
            place: _,
            hidden: _,
        } = self.attempt;
        let manifest = &request.manifest;
        let mut inputs = self.inputs.parents.clone();
        let mut parameters = None;
        let mut triggers = Vec::new();
        if self.is_first_step() {
            outputs::put_all(blobs, known.to_vec()).await?;
            parameters = Some(&*request.parameters);
            triggers.clone_from(&request.causes.started);
            // A later attempt finds what an earlier one saved, a resumed run what it took over from its origin.
            if (self.number > 0 || request.origin_run.is_some())
                && let Some(commit) = commit::find(store, &self.parameters_place()).await?
            {
                commit::mend(store, &self.parameters_place(), &commit).await?;
                parameters = None;
                inputs = vec![inputs::parameters(&manifest.flow, &request.run, &commit)];
                triggers = commit.triggers;
            }
        } else if !manifest.triggers.is_empty()
            && let Some(commit) = commit::find(store, &self.parameters_place()).await?
        {
            triggers = commit.triggers;
        }
        let spool = store.spool(&request.work)?;
        let door = session.open_door(spool.path());
        let door = door.as_ref().map(|path| path.to_string_lossy());
        let file = request.code.join(&manifest.file);
        let task_id = request.task_id().to_string();
        let shown = shown_inputs(&inputs);
        let task = Task {
            op: "task",
            protocol: PROTOCOL,
            flow: &manifest.flow,
            file: &file.to_string_lossy(),
            start: self.is_first_step(),
            step: &request.step,
            kind: step.kind,
            next: &step.next,
            variable: step.variable.as_deref(),
            condition: step.condition.as_deref(),
            iteration: request.iteration,
            run_id: &request.run,
            task_id: &task_id,
            attempt: self.number,
            retries: step.retries,
            origin_run_id: request.origin_run.as_deref(),
            index: request.index.indices(),
            foreach: &self.inputs.frames,
            gang: manifest.is_gang(step),
            empty_foreach: manifest.empty_foreach,
            empty: self.inputs.empty,
            timeout_s: step.timeout_s,
            catch: step.catch.as_ref(),
            secrets: step.secrets.as_ref(),
            last_attempt: self.number >= step.retries,
            tags: &request.tags,
            username: &request.username,
            namespace: request.namespace.as_deref(),
            client_namespace: request.client_namespace.as_deref(),
            project: manifest.project.as_ref().map(|name| {
                let own = || format!("user.{}", request.username);
                json!({"name": name, "branch": manifest.branch.clone().unwrap_or_else(own)})
            }),
            spool_dir: &spool.path().to_string_lossy(),
            door: door.as_deref(),
            parameters,
            parameter_specs: &manifest.parameters,
            configs: &manifest.configs,
            config_texts: &manifest.config_texts,
            attached: &manifest.attached,
            triggers: &triggers,
            origins: &request.causes.origins,
            graph_info: parameters.map(|_| &manifest.graph_info),
            inputs: &shown,
        };
        let mut service = Service {
            blobs,
            inputs,
            spool: spool.path(),
            unverified: Unverified::default(),
            elsewhere: Elsewhere::new(request.elsewhere.as_ref().unwrap_or(store), &triggers),
            vault: &request.vault,
            hidden: &self.attempt.hidden,
        };
        Ok(session.run(&task, &mut service, outputs, self, stop).await)
    }

    /// Commits the result; an error if the store fails.
    async fn commit_result(
        &self,
        finish: Finish,
        outputs: &Outputs<'_>,
    ) -> Result<Ended, TaskError> {
        let Attempt {
            store,
            request,
            step,
            place,
            known: _,
            blobs: _,
            hidden: _,
        } = self.attempt;
        let count = match step.kind {
            StepKind::Foreach => Some(finish.count.unwrap_or_default()),
            StepKind::Linear
            | StepKind::Split
            | StepKind::Join
            | StepKind::Switch
            | StepKind::End => None,
        };
        let next = finish.next.filter(|_| step.kind == StepKind::Switch);
        if step.kind == StepKind::Switch && next.is_none() {
            let message = format!(
                "the harness did not say which step `{}` chose",
                request.step
            );
            return Err(TaskError::new(Exit::Configuration, message));
        }
        self.look().await?;
        if let Some(count) = count {
            let children = commit::to_json(&Split::new(&request.index, count));
            store.put(&place.split(), vec![children]).await?;
        }
        let ours = Outcome {
            ok: true,
            is_final: false,
            error: None,
            count,
            next: next.clone(),
        };
        let record = self.record(outputs, ours);
        commit::record(store, place, &record).await?;
        let result = Commit {
            protocol: PROTOCOL,
            attempt: self.number,
            claim: self.mark.clone(),
            count,
            next: next.clone(),
            iteration: None,
            foreach: self.inputs.frames.clone(),
            known: self.attempt.known_after(&self.inputs),
            package: None,
            triggers: Vec::new(),
            end: None,
            origin: None,
            data: record,
        };
        if let Some(winner) = commit::commit(store, place, &result).await? {
            return Ok(adopted(Some(self.number), winner));
        }
        let report = TaskReport {
            exit: Exit::Done,
            attempt: Some(self.number),
            adopted: false,
            may_retry: false,
            count,
            next,
            error: None,
            traceback: None,
        };
        Ok((report, Some(result.data)))
    }

    /// Looks whether the mark of this attempt is still there: user code may have removed the folder that it is in, and then
    /// a commit would stand where nothing else is. In a bucket that would be a request more for each task.
    async fn look(&self) -> Result<(), StoreError> {
        let Attempt { store, place, .. } = self.attempt;
        let mark = place.of_attempt(self.number, "attempt.json");
        if store.local_root().is_none() || store.exists(&mark).await? {
            return Ok(());
        }
        let root = store.locate(&place.prefix);
        Err(StoreError::Removed { root })
    }

    /// Commits the result.
    pub(crate) async fn complete(&self, finish: Finish, outputs: &Outputs<'_>) -> Ended {
        match self.commit_result(finish, outputs).await {
            Ok(ended) => ended,
            // The attempt is used up, and the next start may find the finished record and commit it.
            Err(error) => {
                let report = TaskReport::from(&error);
                let report = TaskReport {
                    attempt: Some(self.number),
                    // Other nodes of a gang have committed, and cannot run again beside this one.
                    may_retry: report.may_retry && self.attempt.request.gang.is_none(),
                    ..report
                };
                (report, None)
            }
        }
    }

    /// Records a failure, unless another attempt has committed meanwhile.
    pub(crate) async fn fail(&self, ending: Ending, mut outputs: Outputs<'_>) -> Ended {
        let is_told = matches!(ending, Ending::Finished(_));
        let (mut report, is_final) = ending::judge(ending, self.attempt.step, self.number);
        let recorded = async {
            if !is_told {
                self.add_marks(&mut outputs).await?;
            }
            let ours = Outcome {
                ok: false,
                is_final,
                error: report.error.clone(),
                count: None,
                next: None,
            };
            let record = self.record(&outputs, ours);
            let Attempt { store, place, .. } = self.attempt;
            commit::record(store, place, &record).await?;
            commit::mark_done(store, place, self.number).await?;
            let winner = commit::find(store, place).await?;
            if let Some(winner) = &winner {
                commit::adopt(store, place, winner, self.number).await?;
            }
            Ok::<_, TaskError>((record, winner))
        };
        match recorded.await {
            Ok((_, Some(winner))) => adopted(Some(self.number), winner),
            Ok((record, None)) => (report, Some(record)),
            Err(error) => {
                if matches!(report.exit, Exit::UserFailure | Exit::UserFailureFinal) {
                    // User code's own words matter more than why they could not be kept.
                    tracing::warn!(%error, "a failure could not be recorded");
                } else if report.error.is_none() {
                    report.error = Some(error.message);
                }
                (report, None)
            }
        }
    }

    /// What the harness would have said of an attempt that it could not end.
    async fn add_marks(&self, outputs: &mut Outputs<'_>) -> Result<(), TaskError> {
        let request = self.attempt.request;
        let marks = [
            ("name", "<class 'str'>", known::text(&request.manifest.flow)),
            ("_current_step", "<class 'str'>", known::text(&request.step)),
            ("_task_ok", "<class 'bool'>", known::boolean(false)),
            ("_success", "<class 'bool'>", known::boolean(false)),
        ];
        for (name, ty, pickle) in marks {
            outputs.small(name, ty.to_owned(), pickle, &[]).await?;
        }
        outputs.save().await
    }

    fn record(&self, outputs: &Outputs<'_>, ours: Outcome) -> Record {
        record(self.attempt.store, self.number, &self.python, outputs, ours)
    }

    fn parameters_place(&self) -> Place {
        let request = self.attempt.request;
        Place::new(&request.manifest.flow, &request.run, PARAMETERS_STEP, "t")
    }
}

#[async_trait::async_trait]
impl Parameters for Claim<'_> {
    async fn commit(&self, mut outputs: Outputs<'_>, python: &str) -> Result<Input, TaskError> {
        let Attempt {
            store,
            request,
            known,
            ..
        } = self.attempt;
        let place = self.parameters_place();
        outputs.save().await?;
        let (data, mark) = match commit::claim(store, &place, u32::MAX, None).await? {
            Start::Claimed { attempt, claim } => {
                let ours = Outcome {
                    ok: true,
                    is_final: false,
                    error: None,
                    count: None,
                    next: None,
                };
                let record = record(store, attempt, python, &outputs, ours);
                commit::record(store, &place, &record).await?;
                (record, claim)
            }
            Start::Unfinished(record) => (*record, uuid::Uuid::new_v4().simple().to_string()),
            Start::Committed(winner) => {
                commit::mend(store, &place, &winner).await?;
                return Ok(inputs::parameters(
                    &request.manifest.flow,
                    &request.run,
                    &winner,
                ));
            }
            Start::Exhausted { .. } => {
                return Err(TaskError::new(
                    Exit::Conflict,
                    format!(
                        "{} was begun six times and never committed; delete its folder and start again",
                        store.locate(&place.prefix)
                    ),
                ));
            }
        };
        let commit = Commit {
            protocol: PROTOCOL,
            attempt: data.attempt,
            claim: mark,
            count: None,
            next: None,
            iteration: None,
            foreach: Vec::new(),
            known: Some(known.digest().to_owned()),
            package: request.package.clone(),
            triggers: request.causes.started.clone(),
            end: Some(&request.manifest.end)
                .filter(|end| *end != "end")
                .cloned(),
            origin: None,
            data,
        };
        let winner = commit::commit(store, &place, &commit).await?;
        Ok(inputs::parameters(
            &request.manifest.flow,
            &request.run,
            &winner.unwrap_or(commit),
        ))
    }
}

fn record(
    store: &Store,
    attempt: u32,
    python: &str,
    outputs: &Outputs<'_>,
    ours: Outcome,
) -> Record {
    Record {
        datastore: store.kind().to_owned(),
        version: "1.0".to_owned(),
        attempt,
        python_version: python.to_owned(),
        objects: outputs.objects.clone(),
        info: outputs.info.clone(),
        ours: Some(ours),
    }
}

/// Without the artifacts where there are too many to send at once.
fn shown_inputs(inputs: &[Input]) -> Vec<Input> {
    if inputs.len() <= INPUTS_AT_ONCE {
        return inputs.to_vec();
    }
    let without = |input: &Input| Input {
        step: input.step.clone(),
        task_id: input.task_id.clone(),
        pathspec: input.pathspec.clone(),
        objects: None,
    };
    inputs.iter().map(without).collect()
}

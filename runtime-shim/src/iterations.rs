//! A step that may choose itself again: its iterations, one after the other, each a task of its own.

use flowc_protocol::exit::Exit;
use flowc_protocol::identity::TaskId;

use crate::commit::{self, Commit, Place};
use crate::ending::adopted;
use crate::error::TaskError;
use crate::launch::Launcher;
use crate::signals::{Stop, Urgency};
use crate::store::{Store, StoreError};
use crate::task::{self, Observer, TaskReport, TaskRequest};

/// Runs iterations until one chooses another step, fails, or is stopped.
pub(crate) async fn run(
    store: &Store,
    request: &TaskRequest,
    launcher: &dyn Launcher,
    observer: &dyn Observer,
    stop: Stop,
) -> TaskReport {
    match go_on(store, request, launcher, observer, stop).await {
        Ok(report) => report,
        Err(error) => TaskReport::from(&error),
    }
}

async fn go_on(
    store: &Store,
    request: &TaskRequest,
    launcher: &dyn Launcher,
    observer: &dyn Observer,
    stop: Stop,
) -> Result<TaskReport, TaskError> {
    let pointer = place(request, None);
    if let Some(last) = commit::find_or_set_aside(store, &pointer).await? {
        return Ok(adopted(None, last).0);
    }
    let committed = last_committed(store, request).await?;
    if let Some((number, last)) = &committed {
        // Its writer may have been killed right after the commit; those before it are finished.
        commit::mend(store, &place(request, Some(*number)), last).await?;
    }
    let mut iteration = match committed {
        None => 0,
        Some((number, last)) if last.next.as_deref() == Some(&*request.step) => number + 1,
        Some((number, last)) => {
            let last = point(store, &pointer, number, last).await?;
            return Ok(adopted(None, last).0);
        }
    };
    loop {
        let one = TaskRequest {
            iteration: Some(iteration),
            ..request.clone()
        };
        let report = task::run_one(store, &one, launcher, observer, stop.clone()).await;
        if report.exit != Exit::Done {
            return Ok(report);
        }
        if report.next.as_deref() != Some(&*request.step) {
            let own = place(request, Some(iteration));
            let Some(last) = commit::find(store, &own).await? else {
                let object = store.locate(&own.commit());
                return Err(StoreError::Missing { object }.into());
            };
            point(store, &pointer, iteration, last).await?;
            return Ok(report);
        }
        if stop.urgency() != Urgency::None {
            let message = format!("the task was told to stop after iteration {iteration}");
            return Err(TaskError::new(Exit::Interrupted, message));
        }
        iteration += 1;
    }
}

fn place(request: &TaskRequest, iteration: Option<u32>) -> Place {
    let task = TaskId {
        index: request.index.clone(),
        iteration,
    };
    Place::new(
        &request.manifest.flow,
        &request.run,
        &request.step,
        &task.to_string(),
    )
}

/// The last iteration that committed. They commit in order, so that a search by halves finds it.
async fn last_committed(
    store: &Store,
    request: &TaskRequest,
) -> Result<Option<(u32, Commit)>, StoreError> {
    let find =
        async |iteration| commit::find_or_set_aside(store, &place(request, Some(iteration))).await;
    let Some(first) = find(0).await? else {
        return Ok(None);
    };
    let (mut last, mut step) = ((0, first), 1_u32);
    while let Some(found) = find(last.0 + step).await? {
        last = (last.0 + step, found);
        step = step.saturating_mul(2);
    }
    // It lies in `last..last + step`.
    while step > 1 {
        step /= 2;
        if let Some(found) = find(last.0 + step).await? {
            last = (last.0 + step, found);
        }
    }
    Ok(Some(last))
}

/// Creates the commit by which successors find the last iteration, whatever its number; the first writer wins.
pub(crate) async fn point(
    store: &Store,
    pointer: &Place,
    iteration: u32,
    last: Commit,
) -> Result<Commit, StoreError> {
    let copy = Commit {
        iteration: Some(iteration),
        ..last
    };
    store
        .put_new(&pointer.commit(), commit::to_json(&copy))
        .await?;
    Ok(copy)
}

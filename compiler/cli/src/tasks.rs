//! The tasks that a name like `Flow/run/step/task` names, and what they left.

use std::borrow::Cow;

use anyhow::bail;
use flowc_protocol::identity::PARAMETERS_STEP;
use flowc_task::commit::{self, Place, Record};
use flowc_task::history::{self, Name, RunRecord, TaskRecord};
use flowc_task::store::{Store, StoreError};
use futures::{StreamExt, TryStreamExt};

/// Records that are read at a time.
const CONCURRENT: usize = 32;

/// What a task left: its result, or what its last attempt that ended recorded.
pub(crate) struct Left {
    /// `Flow/run/step/task`
    pub(crate) task: String,
    /// The result, for ever.
    pub(crate) is_result: bool,
    /// The run it was taken over from, if it was.
    pub(crate) origin: Option<String>,
    /// Its artifacts.
    pub(crate) record: Record,
}

impl Left {
    /// Artifacts by name; those that begin with an underscore are Metaflow's own.
    pub(crate) fn artifacts(&self, which: &Which) -> Vec<Artifact<'_>> {
        let all = self.record.objects.iter().map(|(name, key)| {
            let info = self.record.info.get(name);
            Artifact {
                name,
                key,
                ty: info.map_or("", |info| plain(&info.ty)),
                size: info.map_or(0, |info| info.size),
            }
        });
        let mut found: Vec<_> = all.filter(|artifact| which.has(artifact.name)).collect();
        found.sort_by_key(|artifact| artifact.name);
        found
    }
}

/// An artifact of a task.
pub(crate) struct Artifact<'a> {
    pub(crate) name: &'a str,
    /// The sha1 of its pickle.
    pub(crate) key: &'a str,
    /// `float`, `numpy.ndarray`
    pub(crate) ty: &'a str,
    /// Of the pickle, bytes.
    pub(crate) size: u64,
}

/// An artifact's name on one line: what would end the line or be taken for a command of the terminal is escaped.
pub(crate) fn one_line(name: &str) -> Cow<'_, str> {
    if name.contains(char::is_control) {
        Cow::Owned(name.escape_debug().to_string())
    } else {
        Cow::Borrowed(name)
    }
}

/// Which artifacts are wanted.
#[derive(Default, clap::Args)]
pub(crate) struct Which {
    /// Also artifacts whose name begins with an underscore, which are Metaflow's own
    #[arg(long)]
    private: bool,
    /// Only these artifacts, separated by commas
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    include: Vec<String>,
}

impl Which {
    fn has(&self, name: &str) -> bool {
        if self.include.is_empty() {
            return self.private || !name.starts_with('_');
        }
        self.include.iter().any(|wanted| wanted == name)
    }
}

/// Reads what the tasks that `name` names have left, in the run's order.
pub(crate) async fn left(store: &Store, name: &str) -> anyhow::Result<Vec<Left>> {
    let found = history::find(store, name).await?;
    let record = history::run(store, &found.flow, &found.run).await?;
    let Some(record) = record else {
        bail!("there is no run `{name}` in {}", store.url());
    };
    let tasks: Vec<(&str, &TaskRecord)> = if found.step.as_deref() == Some(PARAMETERS_STEP) {
        let parameters = record.parameters.iter();
        parameters.map(|task| (PARAMETERS_STEP, task)).collect()
    } else {
        check_step(&found, &record)?;
        selected(&found, &record).collect()
    };
    if tasks.is_empty() {
        bail!("{} has not begun", shown(&found));
    }
    let reads = tasks.into_iter().map(|(step, task)| {
        let place = Place::new(&record.flow, &record.run, step, &task.id);
        async move { read(store, place, task).await }
    });
    let reads: Vec<Option<Left>> = futures::stream::iter(reads)
        .buffered(CONCURRENT)
        .try_collect()
        .await?;
    let all: Vec<Left> = reads.into_iter().flatten().collect();
    if all.is_empty() {
        bail!("{} has left nothing yet", shown(&found));
    }
    Ok(all)
}

async fn read(store: &Store, place: Place, task: &TaskRecord) -> Result<Option<Left>, StoreError> {
    let commit = match task.committed_ms {
        Some(_) => commit::find(store, &place).await?,
        None => None,
    };
    let left = |is_result, origin, record| Left {
        task: place.prefix.clone(),
        is_result,
        origin,
        record,
    };
    if let Some(commit) = commit {
        return Ok(Some(left(true, commit.origin, commit.data)));
    }
    let Some(last) = task.last_ended() else {
        return Ok(None);
    };
    let record = history::read_record(store, &place, last.number).await?;
    // Metaflow itself commits nothing: its last attempt counts.
    let is_theirs = task.index.is_none();
    Ok(record.map(|record| left(is_theirs, None, record)))
}

/// The tasks that a name names.
pub(crate) fn selected<'a>(
    name: &'a Name,
    record: &'a RunRecord,
) -> impl Iterator<Item = (&'a str, &'a TaskRecord)> {
    let is_named = |wanted: &Option<String>, found: &str| {
        wanted.as_deref().is_none_or(|wanted| wanted == found)
    };
    record
        .steps
        .iter()
        .filter(move |step| is_named(&name.step, &step.name))
        .flat_map(move |step| {
            let tasks = step.tasks.iter();
            tasks
                .filter(move |task| is_named(&name.task, &task.id))
                .map(|task| (step.name.as_str(), task))
        })
}

/// An error if the run has no step of the name.
pub(crate) fn check_step(name: &Name, record: &RunRecord) -> anyhow::Result<()> {
    let Some(step) = &name.step else {
        return Ok(());
    };
    if record.step(step).is_some() {
        return Ok(());
    }
    let names: Vec<_> = record.steps.iter().map(|step| step.name.as_str()).collect();
    bail!(
        "{}/{} has no step `{step}`; it has {}",
        record.flow,
        record.run,
        names.join(", ")
    )
}

/// A name as people write it.
pub(crate) fn shown(name: &Name) -> String {
    let Name {
        flow,
        run,
        step,
        task,
    } = name;
    let parts = [Some(flow), Some(run), step.as_ref(), task.as_ref()];
    let parts: Vec<_> = parts.into_iter().flatten().map(String::as_str).collect();
    parts.join("/")
}

/// `float` for `<class 'float'>`.
fn plain(ty: &str) -> &str {
    let inner = ty
        .strip_prefix("<class '")
        .and_then(|ty| ty.strip_suffix("'>"));
    inner.unwrap_or(ty)
}

/// A size for people: `812 B`, `1.5 MB`.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64;
    let mut unit = "";
    for next in UNITS {
        if value < 1000. {
            break;
        }
        value /= 1000.;
        unit = next;
    }
    format!("{value:.1} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_types_read_well() {
        let shown = [0, 999, 1000, 1_530_000, 2_000_000_000].map(size);
        assert_eq!(shown, ["0 B", "999 B", "1.0 kB", "1.5 MB", "2.0 GB"]);
        assert_eq!(plain("<class 'numpy.ndarray'>"), "numpy.ndarray");
        assert_eq!(plain("odd"), "odd");
    }
}

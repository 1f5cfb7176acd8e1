//! What a resumed run takes over from the run that it resumes.
//!
//! Decided before anything runs, by the same unrolling of the graph that schedules tasks: a task that becomes ready has
//! had all its parents taken over. If its result is in the origin and fits the flow as it is now, it is taken over too and
//! makes others ready; if not it is left to the scheduler, and whatever starts from it never becomes ready here.

use std::collections::{BTreeSet, HashMap, HashSet};

use flowc_protocol::identity::{IndexPath, TaskId};
use flowc_protocol::manifest::{Manifest, Step, StepKind};
use flowc_task::commit::Commit;
use flowc_task::history::{RunRecord, TaskRecord, TaskState};
use flowc_task::metadata::Node;
use flowc_task::resume::{Contents, Copier};
use flowc_task::store::StoreError;
use futures::{StreamExt, TryStreamExt};

use crate::ready::{Ready, TaskName};

/// Tasks that are looked up or copied at a time.
const CONCURRENT: usize = 32;

/// The run that is resumed.
#[derive(Clone, Debug)]
pub struct Origin {
    /// What it left.
    pub record: RunRecord,
    /// The step that is run again whatever it left, and with it all that follows.
    pub rerun: Option<String>,
}

/// What was taken over, and why the rest was not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Adoption {
    /// The run it was taken from.
    pub origin: String,
    /// In the flow's order, each step of which something is known.
    pub steps: Vec<StepFate>,
    /// Steps of the origin that the flow does not have, with the number of their results.
    pub gone: Vec<(String, usize)>,
    /// A foreach that was taken over and is wider than the run allows.
    pub too_wide: Option<(String, IndexPath, u32)>,
}

/// What happens to the tasks of a step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StepFate {
    /// Its name.
    pub step: String,
    /// Those whose result was taken over.
    pub adopted: Vec<TaskId>,
    /// How many they are if all iterations of one count as one, and only where the last is there.
    pub whole: u32,
    /// Those that run although all they start from was taken over.
    pub runs: Vec<(TaskId, Why)>,
    /// Those that run because what they start from does.
    pub follows: BTreeSet<Following>,
    /// A switch may pass the step by.
    pub is_conditional: bool,
}

/// A task that follows one that runs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Following {
    /// Its place.
    pub index: IndexPath,
    /// There may be any number of tasks below this place: a foreach in between runs too.
    pub is_open: bool,
}

/// Why a task is run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// It was asked for.
    Named,
    /// It failed; with its last words.
    Failed(Option<String>),
    /// It began and did not end.
    Unfinished,
    /// It never began.
    NotBegun,
    /// The origin has the step in other foreaches.
    OtherNesting,
    /// Another node of its gang runs, and they only run together.
    RestOfGang,
    /// Its result is damaged; what was found, and that it was set aside.
    Damaged(String),
    /// An artifact of its result is not in the store any more.
    Lost(String),
    /// It leads elsewhere now: it became a foreach split, a switch or a loop, was one, or chose a step that is gone.
    OtherWay,
}

impl Adoption {
    /// Tasks that were taken over.
    pub fn adopted(&self) -> usize {
        self.steps.iter().map(|step| step.adopted.len()).sum()
    }
}

/// Takes over what can be, and tells `ready` so; `on_copy` hears of each copy.
pub(crate) async fn adopt(
    copier: &Copier,
    manifest: &Manifest,
    origin: &Origin,
    max_num_splits: u32,
    ready: &mut Ready,
    on_copy: &dyn Fn(&str, &TaskId, &Commit),
) -> Result<Adoption, StoreError> {
    let mut adoption = Adoption {
        origin: origin.record.run.clone(),
        gone: gone(manifest, &origin.record),
        ..Adoption::default()
    };
    let known = Known::new(&origin.record);
    let contents = Contents::new(&copier.store, manifest);
    let past = Past {
        copier,
        manifest,
        known: &known,
        contents: &contents,
    };
    let mut fates: Vec<StepFate> = manifest
        .steps
        .iter()
        .map(|(name, step)| StepFate {
            step: name.clone(),
            is_conditional: step.conditional,
            ..StepFate::default()
        })
        .collect();
    let mut left = Vec::new();
    loop {
        let wave: Vec<TaskName> = std::iter::from_fn(|| ready.take()).collect();
        if wave.is_empty() {
            break;
        }
        let broken = past.broken_gangs(&wave).await?;
        // Made before they are streamed: a closure that borrows would keep this future on one thread.
        let pending: Vec<_> = wave
            .iter()
            .map(|task| past.take_over(origin, task, broken.get(task)))
            .collect();
        let found: Vec<Taken> = futures::stream::iter(pending)
            .buffered(CONCURRENT)
            .try_collect()
            .await?;
        for (task, taken) in wave.into_iter().zip(found) {
            let fate = &mut fates[task.step];
            for (id, copy) in &taken.copies {
                on_copy(&fate.step, id, copy);
                fate.adopted.push(id.clone());
            }
            if let Some(why) = taken.missing {
                fate.runs.push(why);
                left.push(task);
                continue;
            }
            fate.whole += 1;
            let Some((_, last)) = taken.copies.last() else {
                continue;
            };
            if let Some(count) = last.count
                && count > max_num_splits
            {
                let wide = (fate.step.clone(), task.index.clone(), count);
                adoption.too_wide.get_or_insert(wide);
                continue;
            }
            let chosen = last.next.as_ref();
            let chosen = chosen.and_then(|next| manifest.steps.get_index_of(next));
            ready.committed(&task, last.count, chosen);
        }
    }
    follow(manifest, &left, &mut fates);
    ready.put_back(left);
    fates.retain(|fate| {
        !(fate.adopted.is_empty() && fate.runs.is_empty() && fate.follows.is_empty())
    });
    for fate in &mut fates {
        fate.adopted.sort_unstable();
        fate.runs.sort_by(|one, two| one.0.cmp(&two.0));
    }
    adoption.steps = fates;
    Ok(adoption)
}

/// What was taken over of a task.
struct Taken {
    /// The task itself; of a step that may choose itself again, its iterations.
    copies: Vec<(TaskId, Commit)>,
    /// What of it must run, and why; `None` if nothing.
    missing: Option<(TaskId, Why)>,
}

/// The origin, as its results are looked up.
struct Past<'a> {
    copier: &'a Copier,
    manifest: &'a Manifest,
    known: &'a Known<'a>,
    contents: &'a Contents,
}

impl Past<'_> {
    /// Takes over what can be of a task.
    async fn take_over(
        &self,
        origin: &Origin,
        task: &TaskName,
        broken: Option<&Why>,
    ) -> Result<Taken, StoreError> {
        let Self {
            copier, manifest, ..
        } = self;
        let mut made = Vec::new();
        let (name, step) = match manifest.steps.get_index(task.step) {
            Some((name, step)) if origin.rerun.as_ref() != Some(name) => (name, step),
            _ => {
                let missing = Some((first(task, None), Why::Named));
                return Ok(Taken {
                    copies: made,
                    missing,
                });
            }
        };
        if let Some(why) = broken {
            let missing = Some((first(task, None), why.clone()));
            return Ok(Taken {
                copies: made,
                missing,
            });
        }
        let mut id = first(task, step.repeats.then_some(0));
        let missing = loop {
            let result = match self.find((name, step), &id).await? {
                Ok(result) => result,
                Err(why) => break why,
            };
            let copy = copier.copy(name, &id, result).await?;
            let next = copy.next.clone();
            made.push((id.clone(), copy));
            let Some(iteration) = id.iteration else {
                return Ok(Taken {
                    copies: made,
                    missing: None,
                });
            };
            if next.as_ref() == Some(name) {
                id.iteration = Some(iteration + 1);
                continue;
            }
            if let Some((_, last)) = made.last() {
                copier.point(name, &task.index, iteration, last).await?;
            }
            return Ok(Taken {
                copies: made,
                missing: None,
            });
        };
        let missing = Some((id, missing));
        Ok(Taken {
            copies: made,
            missing,
        })
    }

    /// The result of a task that can be taken over, or why there is none.
    async fn find(
        &self,
        (name, step): (&String, &Step),
        id: &TaskId,
    ) -> Result<Result<Commit, Why>, StoreError> {
        if let Some(why) = self.known.why_not(name, step, id) {
            return Ok(Err(why));
        }
        let result = match self.copier.find(name, &id.to_string()).await {
            Ok(Some(result)) => result,
            Ok(None) => return Ok(Err(Why::Unfinished)),
            Err(damage @ StoreError::Corrupt { .. }) => {
                return Ok(Err(Why::Damaged(damage.to_string())));
            }
            // Whatever else goes wrong says nothing of the result.
            Err(error) => return Err(error),
        };
        if !has_nesting(self.manifest, step, &result) {
            return Ok(Err(Why::OtherNesting));
        }
        if !leads_here(name, step, &result) {
            return Ok(Err(Why::OtherWay));
        }
        if let Some(artifact) = self.contents.missing(&result).await? {
            return Ok(Err(Why::Lost(artifact)));
        }
        Ok(Ok(result))
    }

    /// Of the tasks that are ready, those whose gang cannot be taken over as a whole, each with its own reason.
    async fn broken_gangs(&self, wave: &[TaskName]) -> Result<HashMap<TaskName, Why>, StoreError> {
        let manifest = self.manifest;
        let mut nodes = Vec::new();
        for task in wave {
            let Some((name, step)) = manifest.steps.get_index(task.step) else {
                continue;
            };
            if manifest.is_gang(step) {
                let found = self.find((name, step), &first(task, None)).await?;
                let gang = (task.step, task.index.truncated(step.foreach.len() - 1));
                nodes.push((gang, task, found.err()));
            }
        }
        let is_missing = |(_, _, why): &&(_, _, Option<Why>)| why.is_some();
        let missing = nodes.iter().filter(is_missing);
        let gangs: HashSet<(usize, IndexPath)> = missing.map(|(gang, ..)| gang.clone()).collect();
        let rerun = nodes.into_iter().filter(|(gang, ..)| gangs.contains(gang));
        let broken = rerun
            .map(|(_, task, why)| (task.clone(), why.unwrap_or(Why::RestOfGang)))
            .collect();
        Ok(broken)
    }
}

/// What a task that was taken over is in its gang.
pub(crate) fn node(manifest: &Manifest, step: &str, copy: &Commit) -> Option<Node> {
    let step = manifest.steps.get(step)?;
    let frame = copy.foreach.last().filter(|_| manifest.is_gang(step))?;
    Some(Node {
        nodes: frame.count,
        is_control: frame.index == 0,
    })
}

fn first(task: &TaskName, iteration: Option<u32>) -> TaskId {
    TaskId {
        index: task.index.clone(),
        iteration,
    }
}

/// Whether what a task said of its way on can be said of its step now.
fn leads_here(name: &str, step: &Step, result: &Commit) -> bool {
    let is_kind = (step.kind == StepKind::Foreach) == result.count.is_some()
        && (step.kind == StepKind::Switch) == result.next.is_some();
    let has = |next: &String| step.next.contains(next) || (step.repeats && next == name);
    is_kind && result.next.as_ref().is_none_or(has)
}

/// Whether a result was made inside the foreaches that are around its step now.
fn has_nesting(manifest: &Manifest, step: &Step, result: &Commit) -> bool {
    let splits = step.foreach.iter().map(|split| manifest.steps.get(split));
    let mut frames = result.foreach.iter();
    for split in splits {
        let (Some(split), Some(frame)) = (split, frames.next()) else {
            return false;
        };
        let is_same = split.next.first() == Some(&frame.step)
            && split.variable.as_ref() == Some(&frame.variable);
        if !is_same {
            return false;
        }
    }
    frames.next().is_none()
}

/// The tasks of the origin by name.
struct Known<'a> {
    record: &'a RunRecord,
    steps: HashMap<&'a str, HashMap<&'a str, &'a TaskRecord>>,
}

impl<'a> Known<'a> {
    fn new(record: &'a RunRecord) -> Self {
        let steps = record.steps.iter().map(|step| {
            let tasks = step.tasks.iter().map(|task| (task.id.as_str(), task));
            (step.name.as_str(), tasks.collect())
        });
        Self {
            record,
            steps: steps.collect(),
        }
    }

    /// Why a task has no result that could be taken over, as far as names tell.
    fn why_not(&self, name: &str, step: &Step, id: &TaskId) -> Option<Why> {
        let Some(tasks) = self.steps.get(name) else {
            return Some(Why::NotBegun);
        };
        let Some(task) = tasks.get(id.to_string().as_str()) else {
            let depth = step.foreach.len();
            let places = || {
                tasks
                    .values()
                    .filter_map(|task| Some((task, task.index.as_ref()?)))
            };
            let is_elsewhere = places().any(|(_, index)| index.indices().len() != depth);
            let is_other = places().any(|(task, index)| {
                *index == id.index && task.iteration.is_some() != id.iteration.is_some()
            });
            return Some(match (is_elsewhere, is_other) {
                (true, _) => Why::OtherNesting,
                (false, true) => Why::OtherWay,
                (false, false) => Why::NotBegun,
            });
        };
        match self.record.state(name, task) {
            TaskState::Done => None,
            TaskState::Running => Some(Why::Unfinished),
            TaskState::Retrying | TaskState::Failed => {
                Some(Why::Failed(task.error().map(str::to_owned)))
            }
        }
    }
}

/// Steps that the flow has no more, with the number of their results.
fn gone(manifest: &Manifest, record: &RunRecord) -> Vec<(String, usize)> {
    let unknown = record
        .steps
        .iter()
        .filter(|step| !manifest.steps.contains_key(&step.name));
    unknown
        .map(|step| {
            let is_done = |task: &&TaskRecord| task.committed_ms.is_some();
            (step.name.clone(), step.tasks.iter().filter(is_done).count())
        })
        .collect()
}

/// Enters what follows the tasks that run.
fn follow(manifest: &Manifest, left: &[TaskName], fates: &mut [StepFate]) {
    let mut below: HashMap<usize, BTreeSet<usize>> = HashMap::new();
    for task in left {
        let steps = below
            .entry(task.step)
            .or_insert_with(|| downstream(manifest, task.step));
        for step in steps.iter() {
            let depth = manifest.steps[*step].foreach.len();
            fates[*step].follows.insert(Following {
                index: task.index.truncated(depth),
                is_open: depth > task.index.indices().len(),
            });
        }
    }
}

/// The steps that come after one, as positions.
fn downstream(manifest: &Manifest, step: usize) -> BTreeSet<usize> {
    let mut found = BTreeSet::new();
    let mut pending = vec![step];
    while let Some(at) = pending.pop() {
        for next in &manifest.steps[at].next {
            if let Some(next) = manifest.steps.get_index_of(next)
                && next != step
                && found.insert(next)
            {
                pending.push(next);
            }
        }
    }
    found
}

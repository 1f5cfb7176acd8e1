//! The commit protocol: claims, records, the one commit of a task, and adoption (DESIGN §3).
//!
//! The first `commit` wins for ever. Everything else here can be repeated, and is by whoever comes later.

use std::time::SystemTime;

use bytes::Bytes;
use flowc_protocol::conversation::Frame;
use flowc_protocol::identity::task_prefix;
use flowc_protocol::trigger::Started;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::damage;
use crate::store::{Put, Store, StoreError};

/// Metaflow's readers look at attempts 0 to 5.
const ATTEMPT_MAX: u32 = 5;

/// Where a task's files are.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    /// `<Flow>/<run>/<step>/<task>`.
    pub prefix: String,
}

impl Place {
    /// The folder of a task.
    pub fn new(flow: &str, run: &str, step: &str, task: &str) -> Self {
        Self {
            prefix: task_prefix(flow, run, step, task),
        }
    }

    /// Key of the commit.
    pub fn commit(&self) -> String {
        format!("{}/commit", self.prefix)
    }

    /// Key of the children's index paths.
    pub fn split(&self) -> String {
        format!("{}/split.json", self.prefix)
    }

    /// Key of a file of one attempt: `data.json`, `task_stdout.log`, ….
    pub fn of_attempt(&self, attempt: u32, name: &str) -> String {
        format!("{}/{attempt}.{name}", self.prefix)
    }
}

/// `N.data.json`: what an attempt left, in Metaflow's form.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Kind of the store.
    pub datastore: String,
    /// `"1.0"`.
    pub version: String,
    /// The attempt.
    pub attempt: u32,
    /// `sys.version`.
    pub python_version: String,
    /// Artifact to the sha1 of its pickle.
    pub objects: IndexMap<String, String>,
    /// Artifact to its description.
    pub info: IndexMap<String, Info>,
    /// Ours.
    #[serde(rename = "flowc", default, skip_serializing_if = "Option::is_none")]
    pub ours: Option<Outcome>,
}

/// Describes an artifact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Info {
    /// Size of the pickle, bytes.
    pub size: u64,
    /// `str(type(value))`.
    #[serde(rename = "type")]
    pub ty: String,
    /// Opened by `pickle.loads` whatever it says.
    pub encoding: String,
}

/// How an attempt ended, beside Metaflow's own fields.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// The result counts: user code succeeded, or `catch` took its failure.
    pub ok: bool,
    /// After a failure: whether another attempt would be useless.
    #[serde(rename = "final", default, skip_serializing_if = "std::ops::Not::not")]
    pub is_final: bool,
    /// After a failure: one line for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Number of elements after a foreach split.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
    /// The step that a switch chose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// The result of a task, for ever.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Commit {
    /// [`flowc_protocol::PROTOCOL`] of the writer.
    pub protocol: u32,
    /// The winning attempt.
    pub attempt: u32,
    /// Random; tells the winner that the commit it finds is its own, after an answer was lost.
    pub claim: String,
    /// Number of elements after a foreach split.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
    /// The step that a switch chose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// Of the commit that a step leaves once it chose another than itself: the iteration that it is a copy of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iteration: Option<u32>,
    /// Open foreaches around the task, outermost first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub foreach: Vec<Frame>,
    /// Digest of the known blobs that are in the store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known: Option<String>,
    /// Of `_parameters` alone: name of the code package that the run began with, by which its plan is found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package: Option<String>,
    /// Of `_parameters` alone: what started the run, the latest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub triggers: Vec<Started>,
    /// Of `_parameters` alone: name of the flow's last step, where it is not `end`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<String>,
    /// Of a copy alone: the run that this task was taken over from, where its logs are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// Its `data.json`, in full.
    pub data: Record,
}

/// What a start found.
#[derive(Debug)]
pub enum Start {
    /// The attempt is ours: user code may start.
    Claimed {
        /// Its number.
        attempt: u32,
        /// Our random mark in it.
        claim: String,
    },
    /// There is a result.
    Committed(Box<Commit>),
    /// An earlier attempt finished its work and was stopped before its commit.
    Unfinished(Box<Record>),
    /// No attempt may start any more.
    Exhausted {
        /// The failure that was recorded last, if any.
        error: Option<String>,
    },
}

/// The result of a task, if it has one.
pub async fn find(store: &Store, place: &Place) -> Result<Option<Commit>, StoreError> {
    read_json(store, &place.commit()).await
}

/// As [`find`], for whoever goes on from the result: a commit that is proven to be damaged is set aside, so that the task
/// counts as one without a result. The error says so.
pub async fn find_or_set_aside(store: &Store, place: &Place) -> Result<Option<Commit>, StoreError> {
    let key = place.commit();
    let detail = match find(store, place).await {
        Err(StoreError::Corrupt { detail, .. }) => detail,
        other => return other,
    };
    let moved = damage::move_aside(store, &key).await;
    if let Ok(aside) = &moved
        && let Ok(Some(_)) = read_json_once::<Commit>(store, aside).await
    {
        return Err(damage::give_back(store, &key, aside).await);
    }
    Err(damage::tell(store, &key, &detail, &moved))
}

/// Takes the first free attempt of `0..=last`, unless what is found there makes that needless.
pub async fn claim(
    store: &Store,
    place: &Place,
    last: u32,
    orchestrator_attempt: Option<u32>,
) -> Result<Start, StoreError> {
    let claim = uuid::Uuid::new_v4().simple().to_string();
    let mut error = None;
    for attempt in 0..=last.min(ATTEMPT_MAX) {
        let key = place.of_attempt(attempt, "attempt.json");
        let mut mark = serde_json::json!({"time": seconds_now(), "claim": claim});
        if let Some(number) = orchestrator_attempt {
            mark["orchestrator_attempt"] = number.into();
        }
        if store.put_new(&key, to_json(&mark)).await? == Put::Created {
            return Ok(Start::Claimed { attempt, claim });
        }
        // Whatever it holds: it is there, so that the attempt is taken.
        let theirs: Option<Value> = read_json_if_whole(store, &key).await?;
        let is_ours = theirs.is_some_and(|mark| mark["claim"] == claim.as_str());
        if is_ours {
            // The write was done and its answer lost.
            return Ok(Start::Claimed { attempt, claim });
        }
        if attempt == 0
            && let Some(commit) = find_or_set_aside(store, place).await?
        {
            return Ok(Start::Committed(Box::new(commit)));
        }
        // Without its record an attempt counts as one that was lost.
        let record: Option<Record> =
            read_json_if_whole(store, &place.of_attempt(attempt, "data.json")).await?;
        let Some(record) = record else { continue };
        match &record.ours {
            Some(outcome) if outcome.ok => {
                return Ok(Start::Unfinished(Box::new(record)));
            }
            Some(outcome) => {
                error.clone_from(&outcome.error);
                if outcome.is_final {
                    // A commit may have come after the look above.
                    return Ok(match find(store, place).await? {
                        Some(commit) => Start::Committed(Box::new(commit)),
                        None => Start::Exhausted { error },
                    });
                }
            }
            None => {}
        }
    }
    Ok(match find(store, place).await? {
        Some(commit) => Start::Committed(Box::new(commit)),
        None => Start::Exhausted { error },
    })
}

/// Makes a result the task's; `None` if it did, the winner if another was first.
/// The attempt's `data.json` must be there already. Marks the attempt as done in both cases.
pub async fn commit(
    store: &Store,
    place: &Place,
    commit: &Commit,
) -> Result<Option<Commit>, StoreError> {
    let won = store.put_new(&place.commit(), to_json(commit)).await?;
    if won == Put::Created {
        mark_done(store, place, commit.attempt).await?;
        return Ok(None);
    }
    let Some(winner) = find(store, place).await? else {
        return Err(StoreError::Missing {
            object: store.locate(&place.commit()),
        });
    };
    if winner.claim == commit.claim {
        mark_done(store, place, commit.attempt).await?;
        return Ok(None);
    }
    adopt(store, place, &winner, commit.attempt).await?;
    Ok(Some(winner))
}

/// Writes an attempt's `data.json`.
pub async fn record(store: &Store, place: &Place, record: &Record) -> Result<(), StoreError> {
    let key = place.of_attempt(record.attempt, "data.json");
    store.put(&key, vec![to_json(record)]).await
}

/// Marks an attempt as done. Metaflow's readers take the highest started attempt and require this.
pub async fn mark_done(store: &Store, place: &Place, attempt: u32) -> Result<(), StoreError> {
    let key = place.of_attempt(attempt, "DONE.lock");
    store.put(&key, vec![Bytes::from_static(b"\"\"")]).await
}

/// Gives an attempt the winner's content.
pub async fn adopt(
    store: &Store,
    place: &Place,
    winner: &Commit,
    attempt: u32,
) -> Result<(), StoreError> {
    let mut copy = winner.data.clone();
    copy.attempt = attempt;
    record(store, place, &copy).await?;
    mark_done(store, place, attempt).await
}

/// Finishes what a killed writer may have left undone after a commit: the highest started attempt is done and holds the
/// winner's content.
pub async fn mend(store: &Store, place: &Place, winner: &Commit) -> Result<(), StoreError> {
    let mut highest = winner.attempt;
    while highest < ATTEMPT_MAX {
        let next = place.of_attempt(highest + 1, "attempt.json");
        if !store.exists(&next).await? {
            break;
        }
        highest += 1;
    }
    if highest != winner.attempt {
        return adopt(store, place, winner, highest).await;
    }
    let done = place.of_attempt(highest, "DONE.lock");
    if store.exists(&done).await? {
        return Ok(());
    }
    mark_done(store, place, highest).await
}

pub(crate) fn to_json(value: &impl Serialize) -> Bytes {
    // These types have string keys and finite numbers only, so that this cannot fail.
    serde_json::to_vec(value).unwrap_or_default().into()
}

/// Reads an object of ours. What cannot be parsed is read once more: it may have been damaged on its way only.
pub(crate) async fn read_json<T: serde::de::DeserializeOwned>(
    store: &Store,
    key: &str,
) -> Result<Option<T>, StoreError> {
    match read_json_once(store, key).await {
        Err(StoreError::Corrupt { .. }) => read_json_once(store, key).await,
        other => other,
    }
}

/// As [`read_json`], for what only explains: a damaged object tells nothing.
pub(crate) async fn read_json_if_whole<T: serde::de::DeserializeOwned>(
    store: &Store,
    key: &str,
) -> Result<Option<T>, StoreError> {
    match read_json(store, key).await {
        Err(StoreError::Corrupt { .. }) => Ok(None),
        other => other,
    }
}

async fn read_json_once<T: serde::de::DeserializeOwned>(
    store: &Store,
    key: &str,
) -> Result<Option<T>, StoreError> {
    let Some(bytes) = store.get(key).await? else {
        return Ok(None);
    };
    match serde_json::from_slice(&bytes) {
        Ok(value) => Ok(Some(value)),
        Err(error) => Err(StoreError::Corrupt {
            object: store.locate(key),
            detail: format!("it is not what flowc writes there: {error}"),
        }),
    }
}

fn seconds_now() -> f64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0., |since| since.as_secs_f64())
}

//! Finding runs by what people call them.

use futures::{StreamExt, TryStreamExt};

use super::CONCURRENT;
use crate::store::{Store, StoreError};

/// A run, or something in it: what `Flow/run/step/task` names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Name {
    /// The flow.
    pub flow: String,
    /// Run id.
    pub run: String,
    /// Step, if one is named.
    pub step: Option<String>,
    /// Task id, if one is named.
    pub task: Option<String>,
}

/// What a name does not find.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    /// Nothing of that name.
    #[error("there is no run `{name}` in {store}")]
    Unknown {
        /// As given.
        name: String,
        /// Root of the store.
        store: String,
    },
    /// Several flows have a run of that id.
    #[error("`{name}` is a run of several flows; name one of {}", runs.join(", "))]
    Ambiguous {
        /// As given.
        name: String,
        /// `Flow/run`, each.
        runs: Vec<String>,
    },
    /// Not of the form `[Flow/]run[/step[/task]]`.
    #[error(
        "`{name}` does not name a run: write FLOW/RUN, or RUN alone, then /STEP and /TASK if wanted"
    )]
    Malformed {
        /// As given.
        name: String,
    },
    /// The store does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Finds `[Flow/]run[/step[/task]]`. A bare run id is looked for in all flows.
pub async fn find(store: &Store, name: &str) -> Result<Name, FindError> {
    let parts: Vec<&str> = name.split('/').collect();
    let is_legal = |part: &&str| !part.is_empty() && !part.starts_with('.');
    if parts.len() > 4 || !parts.iter().all(is_legal) {
        return Err(FindError::Malformed {
            name: name.to_owned(),
        });
    }
    let below = |rest: &[&str]| -> (Option<String>, Option<String>) {
        let part = |at: usize| rest.get(at).map(|part| (*part).to_owned());
        (part(0), part(1))
    };
    if let [flow, run, rest @ ..] = parts.as_slice()
        && has_run(store, flow, run).await?
    {
        let (step, task) = below(rest);
        return Ok(Name {
            flow: (*flow).to_owned(),
            run: (*run).to_owned(),
            step,
            task,
        });
    }
    let unknown = || FindError::Unknown {
        name: name.to_owned(),
        store: store.url().to_owned(),
    };
    if parts.len() > 3 {
        return Err(unknown());
    }
    let run = parts[0];
    let looks = flows(store).await?.into_iter().map(|flow| async move {
        let found = has_run(store, &flow, run).await?;
        Ok::<_, StoreError>(found.then_some(flow))
    });
    let found: Vec<Option<String>> = futures::stream::iter(looks)
        .buffered(CONCURRENT)
        .try_collect()
        .await?;
    let mut found: Vec<String> = found.into_iter().flatten().collect();
    if found.len() > 1 {
        let runs = found.iter().map(|flow| format!("{flow}/{run}")).collect();
        return Err(FindError::Ambiguous {
            name: run.to_owned(),
            runs,
        });
    }
    let flow = found.pop().ok_or_else(unknown)?;
    let (step, task) = below(&parts[1..]);
    Ok(Name {
        flow,
        run: run.to_owned(),
        step,
        task,
    })
}

/// The flows that have a folder in the store, sorted.
pub async fn flows(store: &Store) -> Result<Vec<String>, StoreError> {
    let mut folders = store.list("").await?.folders;
    // Flows are Python classes; `mf.cards` and the like are not, and `data` is where Metaflow's S3 client writes.
    folders.retain(|name| {
        let mut letters = name.chars();
        letters
            .next()
            .is_some_and(|first| first.is_alphabetic() || first == '_')
            && letters.all(|c| c.is_alphanumeric() || c == '_')
            && name != "data"
    });
    Ok(folders)
}

/// The ids of a flow's runs, sorted as text.
pub async fn runs(store: &Store, flow: &str) -> Result<Vec<String>, StoreError> {
    let mut folders = store.list(flow).await?.folders;
    folders.retain(|name| may_be_run(name));
    Ok(folders)
}

/// Whether a folder of a flow can be a run's.
fn may_be_run(name: &str) -> bool {
    !matches!(name, "data" | "input" | "packages") && !name.starts_with(['.', '_'])
}

async fn has_run(store: &Store, flow: &str, run: &str) -> Result<bool, StoreError> {
    Ok(may_be_run(run)
        && !store
            .list(&format!("{flow}/{run}"))
            .await?
            .folders
            .is_empty())
}

//! What the store keeps of the attempts of a run.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;

/// Of each task, `step/task`, what became of its attempts, in order, and which of them was committed.
pub(crate) type Attempts = BTreeMap<String, Vec<String>>;

/// Reads them from a folder in Metaflow's layout; `run` is `Flow/run`.
pub(crate) fn attempts(store: &Path, run: &str) -> Attempts {
    let mut found = Attempts::new();
    for step in folders(&store.join(run)) {
        for task in folders(&store.join(run).join(&step)) {
            let place = store.join(run).join(&step).join(&task);
            let told = (0..)
                .take_while(|number| place.join(format!("{number}.attempt.json")).exists())
                .map(|number| format!("{number}: {}", outcome(&place, number)));
            let mut told: Vec<String> = told.collect();
            let commit = json(&place.join("commit"));
            told.push(commit.map_or_else(
                || "not committed".to_owned(),
                |commit| format!("committed {}", commit["attempt"]),
            ));
            found.insert(format!("{step}/{task}"), told);
        }
    }
    found
}

fn outcome(place: &Path, number: usize) -> String {
    let Some(record) = json(&place.join(format!("{number}.data.json"))) else {
        return "no record".to_owned();
    };
    let ours = &record["flowc"];
    match (&ours["ok"], ours["error"].as_str()) {
        (Value::Bool(true), None) => "ok".to_owned(),
        (Value::Bool(true), Some(error)) => format!("ok, caught {error}"),
        (_, Some(error)) => format!("failed, {error}"),
        (_, None) => "failed".to_owned(),
    }
}

fn json(file: &Path) -> Option<Value> {
    serde_json::from_slice(&fs::read(file).ok()?).ok()
}

/// Names of the folders in a folder, without those of Metaflow's metadata.
fn folders(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap().map(Result::unwrap);
    entries
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().into_string().unwrap())
        .filter(|name| name != "_meta")
        .collect()
}

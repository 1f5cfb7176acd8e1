use serde_json::json;

use super::*;

fn facts(root: &Path) -> RunFacts {
    RunFacts {
        flow: "F".to_owned(),
        run: "17".to_owned(),
        user: "ann".to_owned(),
        tags: vec!["nightly".to_owned()],
        system_tags: vec!["user:ann".to_owned(), "runtime:flowc".to_owned()],
        ds_type: "local".to_owned(),
        ds_root: root.display().to_string(),
        origin_run: None,
        script: "f.py".to_owned(),
        triggers: None,
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// Names without the time that they end with.
fn fields(folder: &Path) -> Vec<String> {
    let names = names(folder).into_iter();
    let mut fields: Vec<_> = names
        .filter_map(|name| {
            Some(
                name.strip_prefix("sysmeta_")?
                    .rsplit_once('_')?
                    .0
                    .to_owned(),
            )
        })
        .collect();
    fields.dedup();
    fields
}

const ATTEMPT: Attempt<'_> = Attempt {
    step: "train",
    task: "t-3",
    number: 0,
    path: "train:3",
    gang: None,
};

#[test]
fn a_run_is_visible_at_once_and_a_task_when_it_starts() {
    let root = tempfile::tempdir().unwrap();
    let tree = MetadataTree::enter(root.path(), facts(root.path())).unwrap();
    assert_eq!(
        read(&root.path().join("F/17/_meta/_self.json"))["tags"],
        json!(["nightly"])
    );
    tree.started(ATTEMPT).unwrap();
    let folder = root.path().join("F/17/train/t-3/_meta");
    assert_eq!(read(&folder.join("_self.json"))["task_id"], "t-3");
    assert_eq!(
        fields(&folder),
        [
            "attempt",
            "ds-root",
            "ds-type",
            "foreach-execution-path",
            "origin-run-id",
            "runtime",
            "script-name",
            "user"
        ]
    );
    assert_eq!(names(folder.parent().unwrap()), ["_meta"]);
}

#[test]
fn artifacts_of_an_attempt_come_before_its_end() {
    let root = tempfile::tempdir().unwrap();
    let tree = MetadataTree::enter(root.path(), facts(root.path())).unwrap();
    let record = json!({
        "objects": {"y": "ab12", "odd~name": "cd34"},
        "python_version": "3.11.7 (main, Dec  4 2023) [GCC 12.2.0]",
        "info": {"y": {"encoding": "pickle-v4"}, "odd~name": {"encoding": "gzip+pickle-v4"}},
    });
    tree.started(ATTEMPT).unwrap();
    tree.ended(ATTEMPT, &record, false).unwrap();
    let second = Attempt {
        number: 1,
        ..ATTEMPT
    };
    tree.started(second).unwrap();
    tree.ended(second, &record, true).unwrap();
    let folder = root.path().join("F/17/train/t-3/_meta");
    let artifact = read(&folder.join("1_artifact_y.json"));
    assert_eq!(artifact["sha"], "ab12");
    assert_eq!(artifact["content_type"], "pickle-v4");
    assert_eq!(
        artifact["location"],
        format!(":root:{}", root.path().display())
    );
    assert!(fields(&folder).contains(&"attempt-done".to_owned()));
    let version = names(&folder)
        .into_iter()
        .find(|name| name.starts_with("sysmeta_python_version_"));
    assert_eq!(read(&folder.join(version.unwrap()))["value"], "3.11.7");
    assert!(names(&folder).iter().all(|name| !name.starts_with('.')));
}

#[test]
fn one_name_that_no_file_can_have_hides_nothing_else() {
    let root = tempfile::tempdir().unwrap();
    let tree = MetadataTree::enter(root.path(), facts(root.path())).unwrap();
    let long = "n".repeat(240);
    let odd = ["a/b", "../x", "a\0b", "", &long];
    let fine = ["aa", "..", "a\nb", "zz", &long[1..]];
    let names = odd.iter().chain(&fine);
    let objects: serde_json::Map<_, _> = names
        .map(|name| ((*name).to_owned(), json!("ab12")))
        .collect();
    tree.ended(ATTEMPT, &json!({"objects": objects}), true)
        .unwrap();
    let folder = root.path().join("F/17/train/t-3/_meta");
    for name in fine {
        assert!(
            folder.join(format!("0_artifact_{name}.json")).exists(),
            "{name}"
        );
    }
    assert!(fields(&folder).contains(&"attempt-done".to_owned()));
    assert_eq!(tree.hidden(), odd.len());
}

#[test]
fn an_adopted_task_is_entered_by_its_end() {
    let root = tempfile::tempdir().unwrap();
    let tree = MetadataTree::enter(root.path(), facts(root.path())).unwrap();
    tree.ended(ATTEMPT, &json!({"objects": {}}), true).unwrap();
    assert!(root.path().join("F/17/train/t-3/_meta/_self.json").exists());
    assert!(root.path().join("F/17/train/_meta/_self.json").exists());
}

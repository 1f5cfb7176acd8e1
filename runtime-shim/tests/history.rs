//! What a run left in the store, as `status`, `logs` and `sync` find it.

#![allow(clippy::unwrap_used, reason = "a test's functions fail the test")]

mod support;

use flowc_task::commit::{self, Place};
use flowc_task::history::{self, FindError, TaskState, log};
use flowc_task::signals::Stop;
use flowc_task::store::{Found, Store};
use flowc_task::task::{self, Stream, TaskRequest};
use futures::StreamExt;
use serde_json::json;
use support::moto::Moto;
use support::{Bed, FLOW, Silent, manifest, put_package, shim};

fn fails_at_two() -> Bed {
    let flow = FLOW.replace(
        "        print(\"squared\", self.input)\n",
        "        print(\"squared\", self.input)\n        import sys\n        print(\"loud\", file=sys.stderr)\n        assert self.input != 2, \"no twos\"\n",
    );
    let mut manifest = manifest();
    manifest.steps["work"].retries = 1;
    Bed::new(&flow, manifest)
}

async fn record(store: &Store) -> history::RunRecord {
    let mut record = history::run(store, "SumFlow", "argo-test")
        .await
        .unwrap()
        .unwrap();
    history::explain(store, &mut record, 10).await.unwrap();
    record
}

/// Runs a task by the shim, whatever becomes of it.
fn by_shim(bed: &Bed, package: &str, step: &str, index: &str) {
    shim(bed.folder.path(), package, step, index)
        .output()
        .unwrap();
}

#[tokio::test]
async fn a_run_is_told_from_its_folder() {
    let bed = fails_at_two();
    let store = &bed.store;
    let package = put_package(&bed);
    let none = history::run(store, "SumFlow", "argo-test").await.unwrap();
    assert!(none.is_none());

    by_shim(&bed, &package, "start", "-");
    let seen = record(store).await;
    assert_eq!(seen.plan.as_deref(), Some(&*bed.manifest));
    let expected: Vec<_> = seen
        .steps
        .iter()
        .map(|step| (step.name.as_str(), step.tasks.len(), step.expected))
        .collect();
    let [one, three] = [Some(1), Some(3)];
    assert_eq!(
        expected,
        [
            ("start", 1, one),
            ("work", 0, three),
            ("join", 0, one),
            ("middle", 0, one),
            ("end", 0, one)
        ]
    );

    by_shim(&bed, &package, "work", "0");
    by_shim(&bed, &package, "work", "1");
    let claimed = Place::new("SumFlow", "argo-test", "work", "t-2");
    commit::claim(store, &claimed, 1, None).await.unwrap();
    let states = |seen: &history::RunRecord| -> Vec<_> {
        let work = seen.step("work").unwrap();
        let state = |task| seen.state("work", task);
        work.tasks
            .iter()
            .map(|task| (task.id.clone(), state(task)))
            .collect()
    };
    let named = |states: [TaskState; 3]| -> Vec<_> {
        let ids = ["t-0", "t-1", "t-2"].map(str::to_owned);
        ids.into_iter().zip(states).collect()
    };
    let seen = record(store).await;
    assert_eq!(
        states(&seen),
        named([TaskState::Done, TaskState::Retrying, TaskState::Running])
    );
    let failed = &seen.step("work").unwrap().tasks[1];
    assert_eq!(
        failed.error(),
        Some("AssertionError: no twos (flow.py:18 in work)")
    );

    by_shim(&bed, &package, "work", "1");
    let seen = record(store).await;
    assert_eq!(
        states(&seen),
        named([TaskState::Done, TaskState::Failed, TaskState::Running])
    );
    let failed = &seen.step("work").unwrap().tasks[1];
    assert_eq!(failed.attempts.len(), 2);
    assert!(!seen.is_complete());
    let place = Place::new("SumFlow", "argo-test", "work", "t-1");
    let lines = log::read(store, &place, failed.attempts.last().unwrap(), |_| true)
        .await
        .unwrap();
    let text = |stream| -> Vec<_> {
        let of = lines.iter().filter(|line| line.stream == stream);
        of.map(|line| String::from_utf8_lossy(&line.text).into_owned())
            .collect()
    };
    assert_eq!(text(Stream::Stdout), ["squared 2"]);
    assert_eq!(text(Stream::Stderr)[0], "loud");
    let last = text(Stream::Stderr).pop().unwrap();
    assert_eq!(last, "AssertionError: no twos");
}

#[tokio::test]
async fn runs_are_found_by_id_where_that_is_unambiguous() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path().to_str().unwrap()).unwrap();
    for key in [
        "A/argo-x/start/t/commit",
        "A/argo-y/start/t/commit",
        "B/argo-x/start/t/commit",
        "A/data/ab/ab12",
        "A/packages/12.tgz",
        "mf.cards/argo-y/x/y/z",
        "A/_meta/_self.json",
    ] {
        store.put(key, vec!["{}".into()]).await.unwrap();
    }
    assert_eq!(history::flows(&store).await.unwrap(), ["A", "B"]);
    assert_eq!(
        history::runs(&store, "A").await.unwrap(),
        ["argo-x", "argo-y"]
    );
    let find = async |name: &str| {
        history::find(&store, name).await.map(|found| {
            let parts = [Some(found.flow), Some(found.run), found.step, found.task];
            parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
        })
    };
    assert_eq!(find("argo-y").await.unwrap(), "A argo-y");
    assert_eq!(find("B/argo-x").await.unwrap(), "B argo-x");
    assert_eq!(find("argo-y/start/t").await.unwrap(), "A argo-y start t");
    assert_eq!(find("A/argo-x/start/t").await.unwrap(), "A argo-x start t");
    let ambiguous = find("argo-x").await.unwrap_err();
    assert!(
        matches!(&ambiguous, FindError::Ambiguous { runs, .. } if runs == &["A/argo-x", "B/argo-x"]),
        "{ambiguous}"
    );
    for unknown in ["argo-z", "A/data", "C/argo-x", "B/argo-y/start/t"] {
        let error = find(unknown).await.unwrap_err();
        assert!(matches!(error, FindError::Unknown { .. }), "{error}");
    }
    for malformed in ["", "A/", "A/b/c/d/e", "../A/argo-x"] {
        let error = find(malformed).await.unwrap_err();
        assert!(matches!(error, FindError::Malformed { .. }), "{error}");
    }
}

/// The folder is listed once per step; nothing is read of tasks that committed, and few of those that failed.
#[tokio::test]
async fn a_wide_foreach_costs_few_requests() {
    const WIDTH: u32 = 2000;
    let bed = Bed::new(FLOW, manifest());
    let store = &bed.store;
    let request = TaskRequest {
        package: Some(put_package(&bed)),
        ..bed.request("start", "-")
    };
    task::run(store, &request, &bed.launcher, &Silent, Stop::never()).await;
    let failed = json!({
        "datastore": "local", "version": "1.0", "attempt": 0, "python_version": "3",
        "objects": {}, "info": {}, "flowc": {"ok": false, "error": "no luck"},
    });
    for index in 0..WIDTH {
        let place = Place::new("SumFlow", "argo-test", "work", &format!("t-{index}"));
        let put = async |key: String, text: String| store.put(&key, vec![text.into()]).await;
        put(place.of_attempt(0, "attempt.json"), "{}".to_owned())
            .await
            .unwrap();
        if index % 2 == 0 {
            put(place.commit(), "not to be read".to_owned())
                .await
                .unwrap();
        } else {
            put(place.of_attempt(0, "data.json"), failed.to_string())
                .await
                .unwrap();
        }
        put(place.of_attempt(0, "DONE.lock"), String::new())
            .await
            .unwrap();
    }
    let before = store.operations();
    let seen = record(store).await;
    // The run, its three folders, the parameters, the package, the split's count, and ten failures.
    assert_eq!(store.operations() - before, 1 + 3 + 1 + 1 + 1 + 10);
    let work = seen.step("work").unwrap();
    assert_eq!(work.tasks.len(), WIDTH as usize);
    let told = work.tasks.iter().filter_map(|task| task.error());
    assert_eq!(told.collect::<Vec<_>>(), ["no luck"; 10]);
}

#[tokio::test]
async fn a_bucket_is_listed_like_a_folder() {
    let moto = Moto::start();
    let bucket = moto.store("flows");
    // More than a page of a thousand.
    let puts = (0..1100).map(|task| {
        let (bucket, key) = (bucket.clone(), format!("F/r/s/t-{task}/commit"));
        async move { bucket.put(&key, vec!["1".into()]).await }
    });
    let mut puts = futures::stream::iter(puts).buffer_unordered(32);
    while let Some(put) = puts.next().await {
        put.unwrap();
    }
    moto.boto("s3.put_object(Bucket='flows', Key='rootless', Body=b'1')");
    let folder = tempfile::tempdir().unwrap();
    let local = Store::open(folder.path().to_str().unwrap()).unwrap();
    for store in [moto.store("flows"), local] {
        for key in ["F/r/other/t/0.data.json", "F/r/note", "F/rr/x"] {
            store.put(key, vec!["xyz".into()]).await.unwrap();
        }
        let root = store.list("").await.unwrap();
        assert_eq!((root.folders, root.keys), (vec!["F".to_owned()], vec![]));
        let run = store.list("F/r").await.unwrap();
        assert!(run.folders.contains(&"other".to_owned()));
        let [
            Found {
                key,
                size,
                modified_ms,
            },
        ] = run.keys.as_slice()
        else {
            panic!("{:?}", run.keys);
        };
        assert_eq!((key.as_str(), *size), ("F/r/note", 3));
        assert!(*modified_ms > 1_700_000_000_000);
        let mut keys = Vec::new();
        store
            .walk("F/r", &mut |found| keys.push(found.key))
            .await
            .unwrap();
        assert!(keys.contains(&"F/r/other/t/0.data.json".to_owned()));
        assert!(!keys.contains(&"F/rr/x".to_owned()));
        let committed = keys.iter().filter(|key| key.ends_with("/commit")).count();
        assert_eq!(committed, if store.kind() == "s3" { 1100 } else { 0 });
        assert_eq!(store.list("nothing").await.unwrap().folders.len(), 0);
    }
    let error = moto.store("no-such-bucket").list("F").await.unwrap_err();
    assert!(error.to_string().contains("no-such-bucket"), "{error}");
}

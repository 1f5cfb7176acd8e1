//! Whole tasks on a local store, through the real harness.

mod support;

use flowc_protocol::exit::Exit;
use flowc_task::signals::Stop;
use flowc_task::task;
use serde_json::json;
use support::{Bed, FLOW, Lines, manifest};

#[tokio::test]
async fn a_flow_runs_from_start_to_end() {
    let bed = Bed::new(FLOW, manifest());
    let start = bed.done("start", "-").await;
    assert_eq!(start.count, Some(3));
    assert_eq!(
        bed.stored("SumFlow/argo-test/start/t/split.json").unwrap(),
        r#"["0","1","2"]"#
    );
    for index in ["2", "0", "1"] {
        bed.done("work", index).await;
    }
    bed.done("join", "-").await;
    bed.done("middle", "-").await;
    let lines = Lines::default();
    let request = bed.request("end", "-");
    let report = task::run(&bed.store, &request, &bed.launcher, &lines, Stop::never()).await;
    assert_eq!((report.exit, report.attempt), (Exit::Done, Some(0)));
    // 1 + 4 + 9: the parameter's default, the foreach in order, and the join have all worked.
    assert_eq!(lines.0.lock().unwrap()[0].1, b"the answer is 14");
    let log = bed
        .stored("SumFlow/argo-test/end/t/0.task_stdout.log")
        .unwrap();
    assert!(
        log.starts_with("[MFLOG|0|") && log.ends_with("]the answer is 14\n"),
        "{log}"
    );
    let commit = bed.stored_json("SumFlow/argo-test/work/t-1/commit");
    assert_eq!(
        commit["foreach"],
        json!([{"step": "work", "variable": "items", "count": 3, "index": 1}])
    );
    let leftovers = std::fs::read_dir(bed.store.local_root().unwrap().join(".flowc-tmp"));
    assert_eq!(leftovers.unwrap().count(), 0);
}

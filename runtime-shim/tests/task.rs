//! Whole tasks on a local store, through the real harness.

mod support;

use std::time::{Duration, Instant};

use flowc_protocol::exit::Exit;
use flowc_task::signals::{self, Stop, Urgency};
use flowc_task::task;
use serde_json::json;
use support::{Bed, FLOW, Lines, Silent, manifest, one_step};

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

#[tokio::test]
async fn a_second_start_adopts_without_running_user_code() {
    let (flow, manifest) = one_step("print('ran')\nself.x = 1", &json!({}));
    let bed = Bed::new(&flow, manifest);
    bed.done("start", "-").await;
    let lines = Lines::default();
    let request = bed.request("start", "-");
    let report = task::run(&bed.store, &request, &bed.launcher, &lines, Stop::never()).await;
    assert_eq!((report.exit, report.adopted), (Exit::Done, true));
    assert!(lines.0.lock().unwrap().is_empty());
    assert!(
        bed.stored("OneFlow/argo-test/start/t/1.attempt.json")
            .is_none()
    );
}

#[tokio::test]
async fn a_parent_without_a_result_is_named() {
    let (flow, manifest) = one_step("pass", &json!({}));
    let bed = Bed::new(&flow, manifest);
    let report = bed.task("end", "-").await;
    assert_eq!((report.exit, report.attempt), (Exit::Configuration, None));
    let error = report.error.unwrap();
    assert!(
        error.contains("argo-test/start/t has not committed"),
        "{error}"
    );
    assert!(
        bed.stored("OneFlow/argo-test/end/t/0.attempt.json")
            .is_none()
    );
}

#[tokio::test]
async fn user_code_is_started_at_most_retries_and_one_times() {
    let (flow, manifest) = one_step("raise ValueError('no such shard')", &json!({"retries": 1}));
    let bed = Bed::new(&flow, manifest);
    let first = bed.task("start", "-").await;
    assert_eq!((first.exit, first.may_retry), (Exit::UserFailure, true));
    let line = first.error.unwrap();
    assert!(line.contains("ValueError: no such shard"), "{line}");
    let second = bed.task("start", "-").await;
    assert_eq!((second.attempt, second.may_retry), (Some(1), false));
    assert_eq!(second.exit, Exit::UserFailureFinal, "no attempt is left");
    let third = bed.task("start", "-").await;
    assert_eq!((third.exit, third.attempt), (Exit::UserFailureFinal, None));
    let line = third.error.unwrap();
    assert!(line.contains("no such shard"), "{line}");
    let record = bed.stored_json("OneFlow/argo-test/start/t/1.data.json");
    assert_eq!(record["flowc"]["ok"], false);
    assert!(
        bed.stored("OneFlow/argo-test/start/t/1.DONE.lock")
            .is_some()
    );
    assert!(bed.stored("OneFlow/argo-test/start/t/commit").is_none());
}

#[tokio::test]
async fn catch_acts_on_the_last_attempt() {
    let catch = json!({"retries": 1, "catch": {"variable": "failure", "print_exception": false}});
    let (flow, manifest) = one_step("raise ValueError('no such shard')", &catch);
    let bed = Bed::new(&flow, manifest);
    assert_eq!(bed.task("start", "-").await.exit, Exit::UserFailure);
    let second = bed.done("start", "-").await;
    assert_eq!((second.exit, second.attempt), (Exit::Done, Some(1)));
    let commit = bed.stored_json("OneFlow/argo-test/start/t/commit");
    assert!(commit["data"]["objects"]["failure"].is_string(), "{commit}");
}

#[tokio::test]
async fn catch_acts_when_all_attempts_were_lost() {
    let catch = json!({"catch": {"variable": "failure", "print_exception": false}});
    let (flow, manifest) = one_step("os.kill(os.getpid(), signal.SIGKILL)", &catch);
    let bed = Bed::new(&flow, manifest);
    let first = bed.task("start", "-").await;
    assert_eq!((first.exit, first.may_retry), (Exit::UserFailure, true));
    let error = first.error.unwrap();
    assert!(
        error.contains("SIGKILL") && error.contains("memory"),
        "{error}"
    );
    let second = bed.done("start", "-").await;
    assert_eq!(second.attempt, Some(1));
}

#[tokio::test]
async fn an_empty_foreach_is_tried_again() {
    let body = "from metaflow import current\nself.items = list(range(current.retry_count))";
    let (flow, mut manifest) = one_step(body, &json!({}));
    let flow = flow.replace("self.next(self.end)", "self.next(self.body, foreach='items')").replace(
        "    @step\n    def end",
        "    @step\n    def body(self):\n        self.next(self.j)\n\n    @step\n    def j(self, inputs):\n        self.next(self.end)\n\n    @step\n    def end",
    );
    let steps = json!({
        "start": {"type": "foreach", "next": ["body"], "parents": [], "variable": "items", "retries": 3},
        "body": {"type": "linear", "next": ["j"], "parents": ["start"], "foreach": ["start"]},
        "j": {"type": "join", "next": ["end"], "parents": ["body"], "split": "start"},
        "end": {"type": "end", "next": [], "parents": ["j"]},
    });
    manifest.steps = serde_json::from_value(steps).unwrap();
    let bed = Bed::new(&flow, manifest);
    let first = bed.task("start", "-").await;
    assert_eq!((first.exit, first.may_retry), (Exit::UserFailure, true));
    let error = first.error.unwrap();
    assert!(error.contains("zero splits"), "{error}");
    let second = bed.done("start", "-").await;
    assert_eq!((second.attempt, second.count), (Some(1), Some(1)));
}

/// Whichever way the process ends with 202; `catch` has no say, since Metaflow starts no fallback then.
#[tokio::test]
async fn exit_code_202_is_final() {
    for body in ["sys.exit(202)", "sys.exit(202 - 256)", "os._exit(202)"] {
        let more =
            json!({"retries": 2, "catch": {"variable": "failure", "print_exception": false}});
        let (flow, manifest) = one_step(body, &more);
        let bed = Bed::new(&flow, manifest);
        let first = bed.task("start", "-").await;
        assert_eq!(
            (first.exit, first.may_retry, first.attempt),
            (Exit::UserFailureFinal, false, Some(0)),
            "{body}"
        );
        // An orchestrator that starts the task again all the same hears it at once.
        let second = bed.task("start", "-").await;
        assert_eq!(
            (second.exit, second.attempt),
            (Exit::UserFailureFinal, None),
            "{body}"
        );
    }
    for body in ["sys.exit(203)", "sys.exit('202')", "os._exit(20)"] {
        let (flow, manifest) = one_step(body, &json!({"retries": 1}));
        let bed = Bed::new(&flow, manifest);
        let first = bed.task("start", "-").await;
        assert_eq!(
            (first.exit, first.may_retry),
            (Exit::UserFailure, true),
            "{body}"
        );
    }
}

#[tokio::test]
async fn a_signal_that_ends_the_process_is_named() {
    let (flow, manifest) = one_step("os.kill(os.getpid(), signal.SIGSEGV)", &json!({}));
    let bed = Bed::new(&flow, manifest);
    let report = bed.task("start", "-").await;
    assert_eq!(report.exit, Exit::UserFailureFinal);
    assert!(report.error.unwrap().contains("SIGSEGV"));
    let record = bed.stored_json("OneFlow/argo-test/start/t/0.data.json");
    assert!(record["objects"]["_task_ok"].is_string());
}

#[tokio::test]
async fn stopping_ends_user_code_and_records_the_attempt() {
    let body = "print('before', flush=True)\ntime.sleep(60)";
    let (flow, manifest) = one_step(body, &json!({"retries": 1}));
    let bed = Bed::new(&flow, manifest);
    let (stopper, stop) = signals::stop();
    let request = bed.request("start", "-");
    let began = Instant::now();
    let run = task::run(&bed.store, &request, &bed.launcher, &Silent, stop);
    let ask = async {
        let log = "OneFlow/argo-test/start/t/0.task_stdout.log";
        while bed.stored(log).is_none() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        stopper.request(Urgency::Soon);
    };
    let (report, ()) = tokio::join!(run, ask);
    assert_eq!((report.exit, report.may_retry), (Exit::Interrupted, true));
    assert!(began.elapsed() < Duration::from_secs(30));
    assert!(
        bed.stored("OneFlow/argo-test/start/t/0.data.json")
            .is_some()
    );
    assert!(bed.stored("OneFlow/argo-test/start/t/commit").is_none());
}

#[tokio::test]
async fn large_artifacts_come_back_whole() {
    let body = "self.noise = os.urandom(3_000_000)\nself.text = b'abc' * 1_000_000";
    let (flow, manifest) = one_step(body, &json!({}));
    let flow = flow.replace(
        "        pass",
        "        assert len(self.noise) == 3_000_000 and self.text == b'abc' * 1_000_000",
    );
    let bed = Bed::new(&flow, manifest);
    bed.done("start", "-").await;
    bed.done("end", "-").await;
    let commit = bed.stored_json("OneFlow/argo-test/start/t/commit");
    let blob = |name: &str| {
        let key = commit["data"]["objects"][name].as_str().unwrap();
        (
            bed.store
                .local_root()
                .unwrap()
                .join(format!("OneFlow/data/{}/{key}", &key[..2])),
            bed.stored(&format!("OneFlow/data/{}/{key}_meta", &key[..2])),
        )
    };
    // Noise is stored as it is, and Metaflow is told so; text is gzip.
    let (noise, meta) = blob("noise");
    assert!(std::fs::metadata(noise).unwrap().len() > 3_000_000);
    assert_eq!(
        meta.as_deref(),
        Some(r#"{"cas_raw": true, "cas_version": 1}"#)
    );
    let (text, meta) = blob("text");
    assert!(std::fs::metadata(text).unwrap().len() < 100_000);
    assert_eq!(meta, None);
}

#[tokio::test]
async fn a_corrupt_blob_is_named() {
    // Inside a frame, as a file, and as a file that is handed over before it is verified.
    for size in [10, 3_000_000, 30_000_000] {
        let body = format!("self.noise = os.urandom({size})");
        let (flow, manifest) = one_step(&body, &json!({}));
        let flow = flow.replace("        pass", "        print(len(self.noise))");
        let bed = Bed::new(&flow, manifest);
        bed.done("start", "-").await;
        let commit = bed.stored_json("OneFlow/argo-test/start/t/commit");
        let key = commit["data"]["objects"]["noise"].as_str().unwrap();
        let blob = format!("OneFlow/data/{}/{key}", &key[..2]);
        let path = bed.store.local_root().unwrap().join(&blob);
        let mut bytes = std::fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(&path, bytes).unwrap();
        let report = bed.task("end", "-").await;
        assert_eq!(report.exit, Exit::Corrupt, "{:?}", report.error);
        let log = bed.stored("OneFlow/argo-test/end/t/0.task_stdout.log");
        assert_eq!(log, None, "user code saw what was corrupt");
        let error = report.error.unwrap();
        assert!(
            error.contains(&blob) && error.contains("`noise`"),
            "{error}"
        );
        // It was set aside, so that the task that wrote it can write it again.
        assert!(
            !path.exists() && error.contains("it was set aside as"),
            "{error}"
        );
        let aside = std::fs::read_dir(path.parent().unwrap()).unwrap();
        let aside: Vec<_> = aside.map(|entry| entry.unwrap().file_name()).collect();
        let aside = aside.iter().filter(|name| {
            let name = name.to_str().unwrap();
            name.starts_with("damaged-") && name.ends_with(key)
        });
        assert_eq!(aside.count(), 1);
    }
}

#[tokio::test]
async fn what_time_does_not_heal_is_not_tried_again() {
    let (flow, manifest) = one_step("pass", &json!({}));
    let mut bed = Bed::new(&flow, manifest);
    let root = bed.store.local_root().unwrap().to_owned();
    // A folder where the mark of an attempt should be, and links in a circle on the way to it.
    let task = root.join("OneFlow/argo-test/start/t");
    std::fs::create_dir_all(task.join("0.attempt.json")).unwrap();
    let folder = bed.task("start", "-").await;
    std::fs::remove_dir_all(&task).unwrap();
    std::os::unix::fs::symlink(&task, &task).unwrap();
    let circle = bed.task("start", "-").await;
    bed.run = "r".repeat(300);
    let name = bed.task("start", "-").await;
    for (report, said) in [
        (folder, "a folder is where a file should be"),
        (circle, "lead in a circle"),
        (name, "255 bytes"),
    ] {
        let error = report.error.unwrap();
        assert!(error.contains(said), "{error}");
        assert_eq!(report.exit, Exit::Configuration, "{error}");
        assert!(!report.may_retry, "{error}");
    }
}

#[tokio::test]
async fn a_task_whose_folder_user_code_removes_has_no_result() {
    for removed in [
        "store",
        "store/OneFlow/argo-test",
        "store/OneFlow/argo-test/start",
    ] {
        let body = "import shutil\nself.x = 1\nshutil.rmtree(GONE)";
        let (flow, manifest) = one_step(body, &json!({}));
        let bed = Bed::new(&flow, manifest);
        let gone = bed.folder.path().join(removed);
        let flow = flow.replace(
            "class OneFlow",
            &format!("GONE = {gone:?}\n\nclass OneFlow"),
        );
        std::fs::write(bed.folder.path().join("code/flow.py"), flow).unwrap();
        let report = bed.task("start", "-").await;
        let error = report.error.unwrap();
        assert!(
            error.contains("was removed or replaced"),
            "{removed}: {error}"
        );
        assert_eq!(report.exit, Exit::Configuration, "{removed}: {error}");
        assert_eq!(
            bed.stored("OneFlow/argo-test/start/t/commit"),
            None,
            "{removed}"
        );
    }
}

#[tokio::test]
async fn output_survives_whatever_it_is() {
    let body = "sys.stdout.buffer.write(b'caf\\xe9\\nno end')\nsys.stdout.flush()";
    let (flow, manifest) = one_step(body, &json!({}));
    let bed = Bed::new(&flow, manifest);
    bed.done("start", "-").await;
    let log = bed
        .store
        .local_root()
        .unwrap()
        .join("OneFlow/argo-test/start/t/0.task_stdout.log");
    let log = std::fs::read(log).unwrap();
    let lines: Vec<_> = log.split(|byte| *byte == b'\n').collect();
    assert_eq!(lines.len(), 3, "two lines and the last line end");
    assert!(lines[0].ends_with(b"]caf\xe9"));
    assert!(lines[1].ends_with(b"]no end"));
}

#[tokio::test]
async fn a_missing_interpreter_is_named_and_claims_nothing() {
    let (flow, manifest) = one_step("pass", &json!({}));
    let mut bed = Bed::new(&flow, manifest);
    bed.launcher.python = "/nowhere/python3".into();
    let report = bed.task("start", "-").await;
    assert_eq!((report.exit, report.attempt), (Exit::Configuration, None));
    assert!(report.error.unwrap().contains("/nowhere/python3"));
    assert!(
        bed.stored("OneFlow/argo-test/start/t/0.attempt.json")
            .is_none()
    );
}

#[tokio::test]
async fn what_ignores_its_timeout_is_killed() {
    let body =
        "while True:\n    try:\n        time.sleep(60)\n    except BaseException:\n        pass";
    let (flow, manifest) = one_step(body, &json!({"timeout_s": 1}));
    let bed = Bed::new(&flow, manifest);
    let began = Instant::now();
    let report = bed.task("start", "-").await;
    assert_eq!(report.exit, Exit::UserFailureFinal);
    let error = report.error.unwrap();
    assert!(
        error.contains("timeout of 1 s") && error.contains("killed"),
        "{error}"
    );
    assert!((31..50).contains(&began.elapsed().as_secs()));
}

#[tokio::test]
async fn a_timeout_is_raised_in_user_code() {
    let catch = json!({"timeout_s": 1, "catch": {"variable": "late", "print_exception": false}});
    let (flow, manifest) = one_step("time.sleep(60)", &catch);
    let bed = Bed::new(&flow, manifest);
    bed.done("start", "-").await;
    let commit = bed.stored_json("OneFlow/argo-test/start/t/commit");
    assert!(commit["data"]["objects"]["late"].is_string());
}

#[tokio::test]
async fn long_output_is_cut_and_heard_in_full() {
    let body = "for i in range(12):\n    print(str(i) * 1_000_000)\nprint('x' * 3_000_000, end='')";
    let (flow, manifest) = one_step(body, &json!({}));
    let bed = Bed::new(&flow, manifest);
    let lines = Lines::default();
    let request = bed.request("start", "-");
    let report = task::run(&bed.store, &request, &bed.launcher, &lines, Stop::never()).await;
    assert_eq!(report.error, None);
    let heard: usize = lines
        .0
        .lock()
        .unwrap()
        .iter()
        .map(|(_, line)| line.len())
        .sum();
    assert_eq!(heard, 10 * 1_000_000 + 2 * 2_000_000 + 3_000_000);
    let log = bed
        .stored("OneFlow/argo-test/start/t/0.task_stdout.log")
        .unwrap();
    assert!(log.len() < 10_600_000, "{}", log.len());
    assert!(
        log.trim_end()
            .ends_with("[flowc: this log is cut here, at 10 MB]")
    );
}

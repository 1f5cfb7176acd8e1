//! What user code leaves running and lying about when its step is over, in the container.

#![allow(clippy::unwrap_used, reason = "a test's functions fail the test")]

mod support;

use std::path::Path;
use std::process::Output;

use serde_json::json;
use support::{Bed, one_step, put_package, shim};

const OUTPUT_WAIT: &str = "FLOWC_OUTPUT_WAIT";

/// Runs the first step of a flow of this body by the shim.
fn run(body: &str, wait: &str) -> (Bed, Output) {
    let (flow, manifest) = one_step(body, &json!({}));
    let bed = Bed::new(&flow, manifest);
    let package = put_package(&bed);
    let output = shim(bed.folder.path(), &package, "start", "-")
        .env(OUTPUT_WAIT, wait)
        .output()
        .unwrap();
    (bed, output)
}

fn log(bed: &Bed, stream: &str) -> String {
    let key = format!("OneFlow/argo-test/start/t/0.task_{stream}.log");
    bed.stored(&key).unwrap_or_default()
}

#[test]
fn output_of_what_outlives_the_step_is_kept() {
    let body = "import subprocess\nsubprocess.Popen(['sh', '-c', 'sleep 1; echo late; echo words >&2'])\nprint('first')";
    let (bed, output) = run(body, "");
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!((output.status.code(), &*said), (Some(0), "first\nlate\n"));
    assert!(log(&bed, "stdout").contains("late"));
    assert!(log(&bed, "stderr").contains("words"));
}

#[test]
fn what_never_ends_is_ended_after_the_wait() {
    // A process that left the group cannot be found, and is only listened to no more.
    for (options, is_ended) in [("", true), (", start_new_session=True", false)] {
        let body = format!(
            "import subprocess\nleft = subprocess.Popen(['sleep', '1000']{options})\nprint(left.pid)"
        );
        let (bed, output) = run(&body, "1");
        assert_eq!(output.status.code(), Some(0));
        let note = "what the step left running still had its output after 1 s, and was ended";
        assert!(log(&bed, "stderr").contains(note));
        assert!(String::from_utf8_lossy(&output.stderr).contains(note));
        let said = String::from_utf8_lossy(&output.stdout);
        let pid: i32 = said.trim().parse().unwrap();
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let lives = status
            .lines()
            .any(|line| line.starts_with("State:") && !line.contains('Z'));
        assert_eq!(lives, !is_ended, "{status}");
        let pid = rustix::process::Pid::from_raw(pid).unwrap();
        // It is there only where it was left alone.
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
    }
    let (_, output) = run("pass", "soon");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(20), "{said}");
    assert!(
        said.contains("FLOWC_OUTPUT_WAIT=soon is no number of seconds"),
        "{said}"
    );
}

#[test]
fn shared_memory_does_not_stay_behind() {
    let make = "from multiprocessing import get_context, shared_memory\nmemory = shared_memory.SharedMemory(create=True, size=10)\nlock = get_context('spawn').Lock()\nprint(memory._name.strip('/'))\nprint('sem.' + lock._semlock.name.strip('/'), flush=True)\nmemory.close()\n";
    for (ending, code) in [
        ("pass", 0),
        ("raise ValueError", 10),
        ("os.kill(os.getpid(), signal.SIGKILL)", 10),
        ("os._exit(0)", 10),
    ] {
        let (_, output) = run(&format!("{make}{ending}"), "");
        let said = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(code), "{ending}");
        let names: Vec<&str> = said.lines().collect();
        assert_eq!(names.len(), 2, "{said}");
        for name in names {
            assert!(
                !Path::new("/dev/shm").join(name).exists(),
                "{name} after {ending}"
            );
        }
    }
}

#[test]
fn a_copy_that_leaves_the_step_is_not_the_task() {
    let body = "pid = os.fork()\nif pid == 0:\n    sys.exit(3)\nself.code = os.waitpid(pid, 0)[1] >> 8\nos.closerange(3, 256)\nprint(self.code)";
    let (bed, output) = run(body, "");
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!((output.status.code(), &*said), (Some(0), "3\n"));
    assert_eq!(log(&bed, "stderr"), "");
}

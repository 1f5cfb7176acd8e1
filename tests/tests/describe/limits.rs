//! What a Python that is asked may take, and that it ends with whoever asked.

use std::fs;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use super::{command, flow, folder, run, said};

#[test]
fn a_file_that_takes_too_much_is_ended_and_told_how_to_take_more() {
    for (limit, head, value, expected) in [
        (
            "timeout_s = 1",
            "import time\ntime.sleep(600)",
            "int('2')",
            "takes longer than 1 s",
        ),
        (
            "memory_mib = 200",
            "import time\nALL = b'x' * (300 << 20)\ntime.sleep(600)",
            "int('2')",
            "takes more than 200 MiB",
        ),
        ("answer_mib = 1", "", "'x' * (2 << 20)", "larger than 1 MiB"),
    ] {
        let inside = format!("alpha = Parameter(\"alpha\", default={value})");
        let key = limit.split(' ').next().unwrap();
        let folder = folder(&[
            ("flow.py", &flow(head, "", &inside)),
            ("flowc.toml", &format!("[describe]\n{limit}\n")),
        ]);
        let text = said(&run(folder.path(), &["check", "flow.py"]));
        for part in ["error[FC0035]", expected, "--> flow.py", key, "exit 1"] {
            assert!(text.contains(part), "{limit}: {text}");
        }
    }
    let wrong = folder(&[
        ("flow.py", &flow("", "", "@retry(times=int('2'))")),
        ("flowc.toml", "[describe]\ntimeout_s = 0\ntimeout = 3\n"),
    ]);
    let text = said(&run(wrong.path(), &["check", "flow.py"]));
    assert!(text.contains("FC0304") && text.contains("FC0303"), "{text}");
}

/// Code that notes its process and one that it starts in a session of its own, and then goes on for ever.
fn endless(pids: &Path) -> String {
    let pids = pids.display();
    format!(
        "
def endless():
    import os, subprocess, time
    other = subprocess.Popen([\"sleep\", \"600\"], start_new_session=True)
    with open(\"{pids}.new\", \"w\") as file:
        file.write(\"%d %d\" % (os.getpid(), other.pid))
    os.rename(\"{pids}.new\", \"{pids}\")
    while True:
        time.sleep(1)
"
    )
}

fn is_running(pid: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat
        .rsplit(')')
        .next()
        .and_then(|rest| rest.split_whitespace().next());
    !matches!(state, None | Some("Z" | "X"))
}

#[test]
#[cfg(target_os = "linux")]
fn no_python_outlives_a_flowc_that_is_killed() {
    let home = folder(&[]);
    let pids = home.path().join("pids");
    let endless = endless(&pids);
    let hooked = format!("from metaflow import exit_hook\n{endless}");
    let folder = folder(&[
        (
            "describe.py",
            &flow(&format!("{endless}endless()"), "", "@retry(times=int('2'))"),
        ),
        (
            "hook.py",
            &flow(&hooked, "@exit_hook(on_success=[endless])", ""),
        ),
        ("plain.py", &flow("import slow", "", "made = slow.Made()")),
        ("imports.py", &flow("import warm", "", "")),
        (
            "slow.py",
            &format!(
                "{endless}
import os
class Made:
    def __setstate__(self, state):
        if os.environ.get(\"SLOW\"):
            endless()
    def __getstate__(self):
        return {{\"made\": 1}}
"
            ),
        ),
    ]);
    let noted = ["--run-id-file", "id"];
    let arguments = ["run", "plain.py", "--store", "runs"];
    let output = command(folder.path(), &arguments).args(noted).output();
    let output = output.unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let id = fs::read_to_string(folder.path().join("id")).unwrap();
    let dumped = format!("Demo/{id}/start");
    let pickle =
        "import pickle, slow; pickle.dump({'made': slow.Made()}, open('given.pickle', 'wb'))";
    let made = std::process::Command::new("python3")
        .current_dir(folder.path())
        .args(["-c", pickle])
        .status();
    assert!(made.unwrap().success());
    // Imported before the first task: a module that is not the flow's own.
    let warm = format!("{endless}endless()").replace(", start_new_session=True", "");
    fs::write(home.path().join("warm.py"), warm).unwrap();
    for arguments in [
        &["run", "imports.py", "--store", "runs"][..],
        &["check", "describe.py"],
        &["check", "describe.py", "--target", "argo"],
        &["run", "hook.py", "--store", "runs"],
        &["dump", &dumped, "--store", "runs"],
        &[
            "test",
            "step",
            "plain.py",
            "end",
            "--fixture",
            "given.pickle",
        ],
    ] {
        let mut process = command(folder.path(), arguments);
        let process = process.env("SLOW", "1");
        let mut process = process.env("PYTHONPATH", home.path()).spawn().unwrap();
        let wait = |what: &str, is_so: &mut dyn FnMut() -> bool| {
            for _ in 0..600 {
                if is_so() {
                    return;
                }
                sleep(Duration::from_millis(50));
            }
            panic!("{arguments:?}: {what}");
        };
        wait("it did not come to the endless part", &mut || pids.exists());
        let started = fs::read_to_string(&pids).unwrap();
        process.kill().unwrap();
        process.wait().unwrap();
        for pid in started.split(' ') {
            wait("a process stays behind", &mut || !is_running(pid));
        }
        fs::remove_file(&pids).unwrap();
    }
}

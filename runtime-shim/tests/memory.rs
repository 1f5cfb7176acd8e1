//! The shim's peak memory does not grow with the size of an artifact.
//!
//! The harness is played by a small Python program, so that no process ever holds the artifact in memory: it writes a
//! spool file in pieces, and in the next step asks for the artifact and checks what it is given.

#![allow(clippy::unwrap_used, reason = "a test's functions fail the test")]

mod support;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::json;
use support::{Bed, manifest_of, put_package, python, shim};

/// Speaks the protocol for `start` (parameters and a large artifact) and `end` (loads it).
const HARNESS: &str = r#"
import json, os, socket, struct, sys
control = socket.socket(fileno=os.dup(0))
def send(frame):
    body = json.dumps(frame).encode()
    control.sendall(struct.pack(">I", len(body)) + body)
def exactly(count):
    data = b""
    while len(data) < count:
        piece = control.recv(count - len(data))
        if not piece:
            sys.exit(3)
        data += piece
    return data
def receive():
    return json.loads(exactly(struct.unpack(">I", exactly(4))[0]))
def peak():
    status = open("/proc/%d/status" % os.getppid()).read()
    return int(status.split("VmHWM:")[1].split()[0])
size, noisy = int(os.environ["TEST_SIZE"]), os.environ["TEST_NOISY"] == "1"
send({"op": "hello", "protocol": 1, "python": sys.version})
task = receive()
if task["step"] == "start":
    send({"op": "parameters"})
    receive()
    path = os.path.join(task["spool_dir"], "large")
    piece = os.urandom(1 << 20) if noisy else b"0123456789abcdef" * (1 << 16)
    with open(path, "wb") as file:
        for _ in range(size >> 20):
            file.write(piece)
    send({"op": "artifact", "name": "large", "type": "<class 'bytes'>", "path": path, "size": size})
else:
    send({"op": "load", "input": 0, "name": "large"})
    answer = receive()
    assert answer["op"] == "ok" and os.path.getsize(answer["path"]) == size, answer
send({"op": "finish", "ok": True})
receive()
open(os.environ["TEST_PEAK"], "w").write(str(peak()))
"#;

/// Peak memory of the shim in MiB while it saves, and while it loads, an artifact of `size` MiB.
fn peaks(size_mib: u64, noisy: bool) -> [f64; 2] {
    let steps = json!({
        "start": {"type": "linear", "next": ["end"], "parents": []},
        "end": {"type": "end", "next": [], "parents": ["start"]},
    });
    let bed = Bed::new(
        "",
        manifest_of("LargeFlow", "start", "end", &steps, &json!([])),
    );
    let package = put_package(&bed);
    let folder = bed.folder.path();
    let program = folder.join("python");
    std::fs::write(&program, format!("#!{}\n{HARNESS}", absolute_python())).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    ["start", "end"].map(|step| {
        let file = folder.join("peak");
        let output = shim(folder, &package, step, "-")
            .env("FLOWC_PYTHON", &program)
            .env("TEST_SIZE", (size_mib << 20).to_string())
            .env("TEST_NOISY", if noisy { "1" } else { "0" })
            .env("TEST_PEAK", &file)
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        std::fs::read_to_string(file)
            .unwrap()
            .parse::<f64>()
            .unwrap()
            / 1024.
    })
}

fn absolute_python() -> String {
    let output = Command::new(python())
        .args(["-c", "import sys; print(sys.executable)"])
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    let path = String::from_utf8(output.stdout).unwrap().trim().to_owned();
    assert!(Path::new(&path).is_absolute(), "{path}");
    path
}

#[test]
fn peak_memory_is_small_and_does_not_grow() {
    for noisy in [true, false] {
        let small = peaks(64, noisy);
        let large = peaks(4096, noisy);
        println!("noise: {noisy}; save and load, MiB: {small:.1?} at 64 MiB, {large:.1?} at 4 GiB");
        for (small, large) in small.into_iter().zip(large) {
            assert!(small <= 64. && large <= 64., "{small} {large}");
            // Which thread's arena a buffer came from is worth a MiB or two; four more GiB are worth nothing.
            assert!(large - small <= 3., "{small} {large}");
        }
    }
}

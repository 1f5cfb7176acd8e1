//! Artifacts of a GiB through the shim and a real interpreter: they arrive unchanged, and neither needs much memory for them.
//!
//! That the shim needs no more for 4 GiB than for 64 MiB is tested beside it (`runtime-shim/tests/memory.rs`).

#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, in its helpers too"
)]

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flowc_protocol::manifest::EmptyForeach;
use flowc_target::manifest;
use flowc_target::testing::plan;
use flowc_tests::{metaflow_python, report, shim, temp_dir};

/// Makes an artifact of a kind and a size, and checks in the next step that it came back as it went.
const FLOW: &str = r#"
import os
import resource
import zlib

from metaflow import FlowSpec, Parameter, step


class BigFlow(FlowSpec):
    kind = Parameter("kind", type=str, required=True)
    mib = Parameter("mib", type=int, required=True)

    @step
    def start(self):
        size = self.mib << 20
        if self.kind == "floats":
            import numpy
            self.big = numpy.random.default_rng(7).random(size // 8)
        elif self.kind == "zeros":
            import numpy
            self.big = numpy.zeros(size // 8)
        elif self.kind == "random":
            self.big = os.urandom(1 << 20) * self.mib
        elif self.kind == "text":
            line = "".join("%d,%d,row %d of the table\n" % (n, n * n % 977, n) for n in range(5000))
            self.big = (line * (size // len(line) + 1))[:size]
        self.sum = checksum(self.big)
        self.next(self.end)

    @step
    def end(self):
        assert checksum(self.big) == self.sum, "the artifact has changed"
        self.seen = self.mib


def checksum(value):
    view = value.encode() if isinstance(value, str) else value
    return zlib.crc32(memoryview(view).cast("B"))


if __name__ == "__main__":
    BigFlow()
"#;

/// Peak resident memory of a process and of its children, MiB.
#[derive(Clone, Copy, Default)]
struct Peak {
    shim: f64,
    python: f64,
}

fn high_water_mark(pid: u32) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kib: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib / 1024.0)
}

fn children(pid: u32) -> Vec<u32> {
    let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else {
        return Vec::new();
    };
    tasks
        .filter_map(|task| fs::read_to_string(task.ok()?.path().join("children")).ok())
        .flat_map(|list| {
            list.split_whitespace()
                .filter_map(|pid| pid.parse().ok())
                .collect::<Vec<u32>>()
        })
        .collect()
}

/// Looks at the high-water marks until the process ends; they only ever rise, so that the last look is the peak.
fn watch(mut process: Child) -> Peak {
    let mut peak = Peak::default();
    loop {
        let pid = process.id();
        peak.shim = peak.shim.max(high_water_mark(pid).unwrap_or(0.0));
        for child in children(pid) {
            peak.python = peak.python.max(high_water_mark(child).unwrap_or(0.0));
        }
        if let Some(status) = process.try_wait().unwrap() {
            let output = process.wait_with_output().unwrap();
            assert!(
                status.success(),
                "{status}\n{}{}",
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            );
            return peak;
        }
        thread::sleep(Duration::from_millis(5));
    }
}

struct Bed {
    folder: tempfile::TempDir,
    code: PathBuf,
}

impl Bed {
    fn new() -> Self {
        let folder = temp_dir();
        let code = folder.path().join("code");
        fs::create_dir(&code).unwrap();
        fs::write(code.join("flow.py"), FLOW).unwrap();
        let plan = manifest::manifest(&plan(FLOW), EmptyForeach::Fail);
        fs::write(code.join("plan.json"), serde_json::to_vec(&plan).unwrap()).unwrap();
        Self { folder, code }
    }

    fn step(&self, run: &str, step: &str, parameters: &str) -> Peak {
        let work = self.folder.path().join("work");
        fs::create_dir_all(&work).unwrap();
        let process = Command::new(shim())
            .args(["step", step])
            .env("FLOWC_STORE", self.folder.path().join("store"))
            .env("FLOWC_CODE", &self.code)
            .env("FLOWC_WORK", &work)
            .env("FLOWC_PROTOCOL", "1")
            .env("FLOWC_RUN", format!("id:{run}"))
            .env("FLOWC_PARAMETERS", STANDARD.encode(parameters))
            .env("FLOWC_PYTHON", metaflow_python())
            .env("OPENBLAS_NUM_THREADS", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        watch(process)
    }

    fn round_trip(&self, kind: &str, mib: u64) -> Row {
        let run = format!("{kind}{mib}");
        let started = Instant::now();
        let save = self.step(
            &run,
            "start",
            &format!(r#"{{"kind":"{kind}","mib":{mib}}}"#),
        );
        let saved = Instant::now();
        let load = self.step(&run, "end", "{}");
        let row = Row {
            kind: kind.to_owned(),
            mib,
            save,
            load,
            save_s: (saved - started).as_secs_f64(),
            load_s: saved.elapsed().as_secs_f64(),
        };
        let left: Vec<_> = fs::read_dir(self.folder.path().join("work"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.starts_with("spool"))
            .collect();
        assert!(left.is_empty(), "spool files are left: {left:?}");
        fs::remove_dir_all(self.folder.path().join("store")).unwrap();
        row
    }
}

struct Row {
    kind: String,
    mib: u64,
    save: Peak,
    load: Peak,
    save_s: f64,
    load_s: f64,
}

fn table(rows: &[Row]) -> String {
    let mut text = String::from(
        "artifact        MiB   shim's peak MiB (save, load)   python's peak / artifact (save, load)   seconds\n",
    );
    for row in rows {
        let size = row.mib as f64;
        let _ = writeln!(
            text,
            "{:<10} {:>8}   {:>8.1} {:>8.1}                {:>8.2} {:>8.2}                      {:>8.1} {:>8.1}",
            row.kind,
            row.mib,
            row.save.shim,
            row.load.shim,
            row.save.python / size,
            row.load.python / size,
            row.save_s,
            row.load_s
        );
    }
    text
}

fn has_room(folder: &Path, gib: u64) -> bool {
    let output = Command::new("df")
        .args(["-Pk"])
        .arg(folder)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let free: u64 = text
        .lines()
        .nth(1)
        .unwrap()
        .split_whitespace()
        .nth(3)
        .unwrap()
        .parse()
        .unwrap();
    free > gib << 20
}

/// Random floats and bytes are stored as they are, text and zeros compressed; the shim streams all of them.
#[test]
fn a_gibibyte_arrives_unchanged_in_little_memory() {
    let bed = Bed::new();
    assert!(
        has_room(bed.folder.path(), 12),
        "this test needs 12 GiB in {}",
        bed.folder.path().display()
    );
    let mut rows = Vec::new();
    for kind in ["floats", "random", "text", "zeros"] {
        rows.push(bed.round_trip(kind, 64));
        rows.push(bed.round_trip(kind, 1024));
    }
    report(&table(&rows));
    for row in &rows {
        for peak in [row.save, row.load] {
            assert!(
                peak.shim <= 64.0,
                "the shim needed {:.1} MiB for {} MiB of {}",
                peak.shim,
                row.mib,
                row.kind
            );
        }
        if row.kind == "floats" && row.mib == 1024 {
            // The interpreter, numpy and the array itself; the checksum of the flow reads in place.
            assert!(
                row.save.python <= 1.3 * 1024.0,
                "python needed {:.0} MiB to save 1 GiB of floats",
                row.save.python
            );
            assert!(
                row.load.python <= 1.3 * 1024.0,
                "python needed {:.0} MiB to load 1 GiB of floats",
                row.load.python
            );
        }
    }
}

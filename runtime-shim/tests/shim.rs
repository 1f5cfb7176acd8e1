//! The binary: its environment, its package, its exit codes and what it says.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test's functions fail the test, and say why they skip it"
)]

mod support;

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flowc_protocol::exit::Exit;
use flowc_protocol::identity::{package_key, package_name};
use flowc_protocol::json_text::JsonText;
use flowc_protocol::known::hex;
use serde_json::json;
use sha2::{Digest, Sha256};
use support::{Bed, FLOW, manifest, manifest_of, one_step, put_package, shim};

/// Checks the exit code, that one line was said, and that it holds these words.
fn expect(output: &Output, exit: Exit, words: &[&str]) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(i32::from(exit.code())), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    for word in words {
        assert!(said.contains(word), "`{word}` is not in {said}");
    }
}

#[test]
fn a_split_is_reported_and_parameters_arrive() {
    let bed = Bed::new(FLOW, manifest());
    let package = put_package(&bed);
    let folder = bed.folder.path();
    let (report, count) = (folder.join("report"), folder.join("count"));
    let output = shim(folder, &package, "start", "-")
        // base64 of `3`: 1, 8 and 27 are 36.
        .env("FLOWC_PARAMETER_alpha", "Mw==")
        .env("FLOWC_REPORT", &report)
        .env("FLOWC_REPORT_COUNT", &count)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(std::fs::read_to_string(report).unwrap(), r#"{"count":3}"#);
    assert_eq!(std::fs::read_to_string(count).unwrap(), "3");
    let rest = [
        ("work", "0"),
        ("work", "1"),
        ("work", "2"),
        ("join", "-"),
        ("middle", "-"),
    ];
    for (step, index) in rest {
        let output = shim(folder, &package, step, index).output().unwrap();
        assert!(output.status.success(), "{step}");
    }
    let output = shim(folder, &package, "end", "-").output().unwrap();
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "the answer is 36\n"
    );
    assert!(output.stderr.is_empty());
}

/// JSON that Rust's numbers and strings cannot hold, or that is written unusually.
const UNUSUAL: &[&str] = &[
    "0.012934022201868423",
    "123456789012345678901",
    "-9223372036854775809",
    "5e-324",
    "1E400",
    "-0",
    "-0.0",
    "1.0e0",
    "9007199254740993",
    r#"{"b": [1, 0.1, {"z": null, "a": 1e2}], "a": "\u00e9\ud83d\ude00", "b2": {}, "a": 2}"#,
    r#"["\ud800", "\u0000", "{{", "$x"]"#,
];

/// What only Python's `json` takes for JSON.
const PYTHONS: &[&str] = &["NaN", r#"{"a": [NaN, -Infinity, 1], "NaN": "Infinity"}"#];

#[test]
fn values_and_configurations_are_what_python_reads_of_their_text() {
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    let few = format!("[{},{deep}]", UNUSUAL.join(","));
    let all = format!("[{},{few}]", PYTHONS.join(","));
    let flow = format!(
        r#"
from metaflow import Config, FlowSpec, JSONType, Parameter, step
import json

FEW, ALL = json.loads({texts:?})

def known(value):
    return repr(value.to_dict() if hasattr(value, "to_dict") else value)

class OneFlow(FlowSpec):
    whole = Config("whole")
    native = Config("native", plain=True)
    one = Parameter("one", type=JSONType)
    two = Parameter("two", type=JSONType)
    number = Parameter("number", type=float)
    count = Parameter("count", type=int)
    own = Parameter("own", type=JSONType, default=((1, float("nan")), {{2: 10**30}}))

    @step
    def start(self):
        assert repr(self.one) == repr(json.loads(FEW)), self.one
        assert repr(self.two) == repr(json.loads(ALL)), self.two
        assert known(self.whole) == repr({{"v": json.loads(FEW)}}), self.whole
        assert known(self.native) == "{{(1, 2): [nan, -inf, b'x', (3,)]}}", self.native
        assert repr(self.number) == "nan" and self.count == 10**30 + 1
        assert known(self.own) == "((1, nan), {{2: 1000000000000000000000000000000}})", self.own
        self.next(self.end)

    @step
    def end(self):
        assert known(self.native) == "{{(1, 2): [nan, -inf, b'x', (3,)]}}", self.native

if __name__ == "__main__":
    OneFlow()
"#,
        texts = serde_json::to_string(&[&few, &all]).unwrap(),
    );
    let steps = json!({
        "start": {"type": "linear", "next": ["end"], "parents": []},
        "end": {"type": "end", "next": [], "parents": ["start"]},
    });
    let parameter = |name: &str, ty: &str| json!({"name": name, "attribute": name, "type": ty});
    let parameters = [
        ("one", "json"),
        ("two", "json"),
        ("number", "float"),
        ("count", "int"),
        ("own", "json"),
    ];
    let parameters = parameters.map(|(name, ty)| parameter(name, ty)).into();
    let mut manifest = manifest_of("OneFlow", "start", "end", &steps, &parameters);
    let whole = JsonText::new(&format!("{{\"v\":{few}}}")).unwrap();
    manifest.configs.insert("whole".to_owned(), whole);
    let native = "{(1,2,):[float('nan'),float('-inf'),b'x',(3,)]}";
    let literals = &mut manifest.config_texts.literal;
    literals.insert("native".to_owned(), native.to_owned());
    let bed = Bed::new(&flow, manifest);
    let package = put_package(&bed);
    let folder = bed.folder.path();
    let store = bed.store.local_root().unwrap();
    // As a state machine keeps its input, as Argo hands over a parameter, and Airflow all of them.
    let input = format!(r#"{{"one": {few}, "number": "nan"}}"#);
    std::fs::write(store.join("input.json"), input).unwrap();
    let given = r#"{"count": 1000000000000000000000000000001}"#;
    let output = shim(folder, &package, "start", "-")
        .env("FLOWC_INPUT", "input.json")
        .env("FLOWC_PARAMETER_two", STANDARD.encode(&all))
        .env("FLOWC_PARAMETER_own", STANDARD.encode("null"))
        .env("FLOWC_PARAMETERS", STANDARD.encode(given))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let output = shim(folder, &package, "end", "-").output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    // What nobody takes for JSON is refused before any Python starts.
    let output = shim(folder, &package, "start", "-")
        .env("FLOWC_RUN", "argo:bad")
        .env("FLOWC_PARAMETER_two", STANDARD.encode("{nothing"))
        .output()
        .unwrap();
    expect(
        &output,
        Exit::Configuration,
        &["FLOWC_PARAMETER_two", "no JSON"],
    );
}

#[test]
fn a_failure_is_reported_in_one_line() {
    let (flow, manifest) = one_step("raise ValueError('no such shard')", &json!({"retries": 1}));
    let bed = Bed::new(&flow, manifest);
    let package = put_package(&bed);
    let report = bed.folder.path().join("report");
    // The last attempt that is allowed says so.
    for exit in [Exit::UserFailure, Exit::UserFailureFinal] {
        let output = shim(bed.folder.path(), &package, "start", "-")
            .env("FLOWC_REPORT", &report)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(i32::from(exit.code())), "{said}");
        assert!(
            said.contains("Traceback") && said.contains("no such shard"),
            "{said}"
        );
        let report = std::fs::read_to_string(&report).unwrap();
        assert!(
            report.contains("ValueError: no such shard") && !report.contains('\n'),
            "{report}"
        );
    }
}

#[test]
fn another_protocol_is_refused_and_both_are_named() {
    let (flow, mut manifest) = one_step("pass", &json!({}));
    manifest.protocol = 7;
    let bed = Bed::new(&flow, manifest);
    let package = put_package(&bed);
    let folder = bed.folder.path();
    let output = shim(folder, &package, "start", "-").output().unwrap();
    expect(&output, Exit::Configuration, &["protocol 7", "runs 1 to 1"]);
    let output = shim(folder, &package, "start", "-")
        .env("FLOWC_PROTOCOL", "9")
        .output()
        .unwrap();
    expect(&output, Exit::Configuration, &["protocol 9", "runs 1 to 1"]);
}

#[test]
fn a_package_with_another_digest_is_refused() {
    let (flow, manifest) = one_step("pass", &json!({}));
    let bed = Bed::new(&flow, manifest);
    let package = put_package(&bed);
    let folder = bed.folder.path();
    let (_, sha256) = package.split_once('/').unwrap();
    let other = "0".repeat(64);
    let store = bed.store.local_root().unwrap();
    std::fs::rename(
        store.join(package_key("OneFlow", sha256)),
        store.join(package_key("OneFlow", &other)),
    )
    .unwrap();
    let output = shim(folder, &package_name("OneFlow", &other), "start", "-")
        .output()
        .unwrap();
    expect(&output, Exit::Corrupt, &[sha256, &other]);
    assert!(!folder.join("work/code").exists());
    let output = shim(folder, &package, "start", "-").output().unwrap();
    expect(&output, Exit::Configuration, &[sha256, "not in the store"]);
}

#[test]
fn a_package_cannot_leave_its_folder() {
    let bed = Bed::new(FLOW, manifest());
    let folder = bed.folder.path();
    let entry = |name: &[u8], kind: tar::EntryType, link: &[u8]| {
        let mut header = tar::Header::new_ustar();
        let old = header.as_old_mut();
        old.name[..name.len()].copy_from_slice(name);
        old.linkname[..link.len()].copy_from_slice(link);
        header.set_entry_type(kind);
        header.set_size(0);
        header.set_mode(0o644);
        header.set_cksum();
        header
    };
    let cases = [
        (entry(b"../evil", tar::EntryType::Regular, b""), "outside"),
        (entry(b"/tmp/evil", tar::EntryType::Regular, b""), "outside"),
        (
            entry(b"link", tar::EntryType::Symlink, b"/etc"),
            "no plain file",
        ),
        (
            entry(b"hard", tar::EntryType::Link, b"plan.json"),
            "no plain file",
        ),
        (entry(b"pipe", tar::EntryType::Fifo, b""), "no plain file"),
    ];
    for (header, word) in cases {
        let mut tar = tar::Builder::new(Vec::new());
        tar.append(&header, std::io::empty()).unwrap();
        let tar = tar.into_inner().unwrap();
        let sha256 = hex(&Sha256::digest(&tar));
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&tar).unwrap();
        let path = bed
            .store
            .local_root()
            .unwrap()
            .join(package_key("SumFlow", &sha256));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, gzip.finish().unwrap()).unwrap();
        let output = shim(folder, &package_name("SumFlow", &sha256), "start", "-")
            .output()
            .unwrap();
        expect(&output, Exit::Corrupt, &[word]);
    }
    assert!(!folder.join("work/evil").exists());
}

#[test]
fn what_the_environment_lacks_is_named() {
    let bed = Bed::new(FLOW, manifest());
    let package = put_package(&bed);
    let folder = bed.folder.path();
    for variable in ["FLOWC_STORE", "FLOWC_RUN", "FLOWC_PACKAGE"] {
        let output = shim(folder, &package, "start", "-")
            .env_remove(variable)
            .output()
            .unwrap();
        expect(&output, Exit::Configuration, &[variable]);
    }
    let output = shim(folder, &package, "start", "x").output().unwrap();
    expect(&output, Exit::Configuration, &["FLOWC_INDEX=x"]);
    let output = shim(folder, &package, "strat", "-").output().unwrap();
    expect(&output, Exit::Configuration, &["strat"]);
    let output = shim(folder, &package, "work", "-").output().unwrap();
    expect(&output, Exit::Configuration, &["index path"]);
    let output = shim(folder, &package, "start", "-")
        .env("FLOWC_PYTHON", "/nowhere/python")
        .output()
        .unwrap();
    expect(&output, Exit::Configuration, &["/nowhere/python"]);
    let output = shim(folder, &package, "start", "-")
        .env("FLOWC_STORE", "ftp://x")
        .output()
        .unwrap();
    expect(&output, Exit::Configuration, &["ftp", "s3://"]);
}

#[test]
fn a_store_that_cannot_be_written_is_named() {
    let (flow, manifest) = one_step("pass", &json!({}));
    let bed = Bed::new(&flow, manifest);
    let folder = bed.folder.path();
    std::fs::write(
        folder.join("code/plan.json"),
        serde_json::to_vec(&*bed.manifest).unwrap(),
    )
    .unwrap();
    // Not even root can make a folder below a file.
    std::fs::write(folder.join("file"), "").unwrap();
    let output = shim(folder, "", "start", "-")
        .env("FLOWC_STORE", folder.join("file/store"))
        .env("FLOWC_CODE", folder.join("code"))
        .output()
        .unwrap();
    expect(&output, Exit::Configuration, &["file/store/OneFlow"]);
}

#[test]
fn sigterm_ends_the_task_and_leaves_no_commit() {
    let body = "print('before', flush=True)\ntime.sleep(60)";
    let (flow, manifest) = one_step(body, &json!({"retries": 1}));
    let bed = Bed::new(&flow, manifest);
    let package = put_package(&bed);
    let began = Instant::now();
    let mut child = shim(bed.folder.path(), &package, "start", "-")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let task = "OneFlow/argo-test/start/t";
    while bed.stored(&format!("{task}/0.task_stdout.log")).is_none() {
        assert!(began.elapsed() < Duration::from_secs(30));
        std::thread::sleep(Duration::from_millis(20));
    }
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    let status = child.wait().unwrap();
    assert_eq!(status.code(), Some(i32::from(Exit::Interrupted.code())));
    assert!(began.elapsed() < Duration::from_secs(40));
    assert!(
        bed.stored(&format!("{task}/0.task_stdout.log"))
            .unwrap()
            .ends_with("]before\n")
    );
    assert!(bed.stored(&format!("{task}/0.DONE.lock")).is_some());
    assert!(bed.stored(&format!("{task}/commit")).is_none());
}

/// What comes before a command that may mount file systems which it alone sees: as root, else in a user namespace;
/// `None` where neither is allowed.
///
/// # Panics
/// In CI, where nothing is skipped.
fn own_mounts() -> Option<&'static [&'static str]> {
    const WAYS: [&[&str]; 2] = [
        &["unshare", "--mount"],
        &["unshare", "--user", "--map-root-user", "--mount"],
    ];
    let works = |way: &&&[&str]| {
        let folder = tempfile::tempdir().unwrap();
        let tried = Command::new(way[0])
            .args(&way[1..])
            .args(["mount", "-t", "tmpfs", "none"])
            .arg(folder.path())
            .output();
        tried.is_ok_and(|output| output.status.success())
    };
    let way = WAYS.iter().find(works).copied();
    if way.is_none() {
        assert!(
            std::env::var_os("CI").is_none(),
            "CI runs the test of a full disk as root or with user namespaces, and `unshare` from util-linux"
        );
        eprintln!("skipped: this system does not let users mount a small file system");
    }
    way
}

/// Runs a step with the store on a file system of 600 kB of its own; `None` where the system does not allow that.
fn run_on_a_small_disk(body: &str) -> Option<(Output, Bed)> {
    let way = own_mounts()?;
    let (flow, manifest) = one_step(body, &json!({}));
    let bed = Bed::new(&flow, manifest);
    let folder = bed.folder.path();
    std::fs::write(
        folder.join("code/plan.json"),
        serde_json::to_vec(&*bed.manifest).unwrap(),
    )
    .unwrap();
    std::fs::create_dir(folder.join("small")).unwrap();
    let step = shim(folder, "", "start", "-");
    let mut command = Command::new(way[0]);
    command
        .args(&way[1..])
        .args(["sh", "-c"])
        .arg("mount -t tmpfs -o size=600k none \"$1\" && shift && exec \"$@\"")
        .arg("sh")
        .arg(folder.join("small"))
        .arg(step.get_program())
        .args(step.get_args());
    for (name, value) in step.get_envs() {
        command.env(name, value.unwrap());
    }
    command
        .env("FLOWC_CODE", folder.join("code"))
        .env("FLOWC_STORE", folder.join("small"));
    Some((command.output().unwrap(), bed))
}

#[test]
fn a_full_disk_is_named() {
    // One is written by the harness into the spool, the others by the shim into the store.
    let large = "self.large = os.urandom(3_000_000)";
    let many = "for i in range(20): setattr(self, 'a%d' % i, os.urandom(50_000))";
    for body in [large, many] {
        let Some((output, _bed)) = run_on_a_small_disk(body) else {
            return;
        };
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(
            output.status.code(),
            Some(i32::from(Exit::Machine.code())),
            "{said}"
        );
        assert!(said.to_lowercase().contains("no space left"), "{said}");
    }
}

/// What user code prints is its own affair; what the shim says names things and holds no values.
#[test]
fn no_message_holds_a_value() {
    const SECRET: &str = "hush-4711";
    let secret = STANDARD.encode(format!("\"{SECRET}\" and no JSON"));
    let attributes = json!({"environment": {"TOKEN": SECRET}});
    // A lost process, an artifact that does not pickle and one that is cut short.
    let bodies = [
        "os.kill(os.getpid(), signal.SIGSEGV)",
        "self.secret = [os.environ['TOKEN'], (x for x in ())]",
        "self.secret = os.environ['TOKEN']\nos._exit(3)",
    ];
    for body in bodies {
        let (flow, manifest) = one_step(body, &attributes);
        let bed = Bed::new(&flow, manifest);
        let package = put_package(&bed);
        let folder = bed.folder.path();
        let report = folder.join("report");
        let output = shim(folder, &package, "start", "-")
            .env("FLOWC_REPORT", &report)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(
            output.status.code(),
            Some(i32::from(Exit::UserFailureFinal.code())),
            "{said}"
        );
        let report = std::fs::read_to_string(report).unwrap();
        assert!(!said.contains(SECRET) && !report.contains(SECRET), "{said}");
    }
    let bed = Bed::new(FLOW, manifest());
    let package = put_package(&bed);
    for variable in ["FLOWC_PARAMETER_alpha", "FLOWC_PARAMETERS"] {
        // Not JSON, and not base64.
        for value in [&*secret, SECRET] {
            let output = shim(bed.folder.path(), &package, "start", "-")
                .env(variable, value)
                .output()
                .unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(!output.status.success() && !said.contains(SECRET), "{said}");
        }
    }
}

#[test]
fn it_installs_itself() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("bin");
    let program = Path::new(env!("CARGO_BIN_EXE_flowc-shim"));
    let status = Command::new(program)
        .arg("install")
        .arg(&target)
        .status()
        .unwrap();
    assert!(status.success());
    let output = Command::new(target.join("flowc-shim"))
        .arg("version")
        .output()
        .unwrap();
    assert!(
        String::from_utf8(output.stdout)
            .unwrap()
            .starts_with("flowc-shim 0.")
    );
    assert_eq!(std::fs::read_dir(target).unwrap().count(), 1);
}

//! What the test binaries share: where the programs under test are, and the beds they run on.
//!
//! Nothing has to be prepared by hand: binaries are built and beds installed when first asked for.
//! `./dev test` installs the beds beforehand, so that a missing one is said first.

pub mod beds;
pub mod constructs;
mod forks;
pub mod matrix;
mod outcome;
pub mod trials;
mod turn;
pub mod values;

use std::env;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{self, Command, Stdio};
use std::str::FromStr;
use std::sync::OnceLock;

pub use forks::Forks;
pub use outcome::{Attempts, Output, attempts, output};
pub use turn::Turn;

/// The root of the repository.
pub fn repo_root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// The command-line program, built if need be.
pub fn flowc() -> &'static Path {
    &binaries().flowc
}

/// The program that runs one task in a container, built if need be.
pub fn shim() -> &'static Path {
    &binaries().shim
}

/// A Python function for exit hooks of flows under test: the number of the shim's process, which has called the hook.
pub const HOOKS_SHIM: &str = "def shim():
    # Between the shim and the function's process is one that ends with the shim.
    with open('/proc/%d/stat' % os.getppid()) as file:
        return int(file.read().rpartition(')')[2].split()[1])

";

/// The Python of the Metaflow bed: Metaflow and what the examples import; installed if need be.
pub fn metaflow_python() -> &'static Path {
    static PYTHON: OnceLock<PathBuf> = OnceLock::new();
    PYTHON.get_or_init(|| {
        install(&["metaflow"])
            .unwrap_or_else(|why| panic!("cannot install the Metaflow bed: {why}"))
    })
}

/// A Python of the version, such as `3.8`; `None` if this machine has none.
///
/// In CI, where `CI` is set, `./dev test` has refused to start without the oldest and the newest.
pub fn python(version: &str) -> Option<PathBuf> {
    install(&["python", version]).ok()
}

/// The folder in which the beds are installed, `tests/beds/install` says which.
pub fn cache_dir() -> PathBuf {
    let named = |name: &str| {
        env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    named("FLOWC_CACHE")
        .or_else(|| named("XDG_CACHE_HOME").map(|folder| folder.join("flowc")))
        .or_else(|| named("HOME").map(|folder| folder.join(".cache/flowc")))
        .expect("none of FLOWC_CACHE, XDG_CACHE_HOME and HOME is set")
}

/// What an environment variable sets, else the default.
///
/// # Panics
/// If the variable's text is no such value.
pub fn setting<T: FromStr>(name: &str, default: T) -> T {
    env::var(name).map_or(default, |text| {
        let value = text.parse().ok();
        value.unwrap_or_else(|| panic!("{name}={text} cannot be read"))
    })
}

/// An empty folder that goes away with the value.
pub fn temp_dir() -> tempfile::TempDir {
    tempfile::Builder::new()
        .prefix("flowc-test-")
        .tempdir()
        .expect("the machine's folder for temporary files is writable")
}

/// Runs the command to its end and returns its stdout; a failure panics with all that it printed.
#[track_caller]
pub fn run(command: &mut Command) -> String {
    let output = command
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|why| panic!("cannot start {command:?}: {why}"));
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{command:?}: {}\n--- stdout\n{stdout}\n--- stderr\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr),
    );
    stdout
}

/// Shows a table that a test made, also when the test passes and its output is captured.
pub fn report(table: &str) {
    // Nobody reads it if stderr is closed; that is no failure of the test.
    let _ = io::stderr().write_all(format!("\n{}\n", table.trim_end()).as_bytes());
}

struct Binaries {
    flowc: PathBuf,
    shim: PathBuf,
}

/// Both programs: those in the folder that `FLOWC_TEST_PROGRAMS` names, which `./dev test` has built for all test binaries, or
/// built now, in the profile and the target folder of the running test.
fn binaries() -> &'static Binaries {
    static BINARIES: OnceLock<Binaries> = OnceLock::new();
    BINARIES.get_or_init(|| {
        if let Some(folder) = env::var_os("FLOWC_TEST_PROGRAMS").map(PathBuf::from) {
            return Binaries {
                flowc: folder.join("flowc"),
                shim: folder.join("flowc-shim"),
            };
        }
        let test = env::current_exe().expect("the running test has a path");
        // A test runs as `<target folder>/<profile>/deps/<name>-<digest>`.
        let built = test
            .ancestors()
            .nth(2)
            .expect("the running test is in a target folder");
        let profile = match built.file_name().and_then(|name| name.to_str()) {
            None | Some("debug") => "dev",
            Some(name) => name,
        };
        let mut cargo = Command::new(env!("CARGO"));
        // What cargo told this test about its package would make build scripts of others run again.
        for (name, _) in env::vars_os() {
            let known = name.to_string_lossy();
            let told = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_"];
            if known == "CARGO" || told.iter().any(|start| known.starts_with(start)) {
                cargo.env_remove(name);
            }
        }
        let target = built.parent();
        // As `./dev` does, the shim as it is released: no shared library is needed, whatever the image has.
        run(cargo
            .env(
                "RUSTC_WORKSPACE_WRAPPER",
                repo_root().join("tests/rustc/plain.py"),
            )
            .args(["build", "--package", "flowc", "--package", "flowc-task"])
            .args(["--bins", "--quiet", "--profile", profile, "--target-dir"])
            .arg(target.expect("a profile is a folder in the target folder"))
            .current_dir(repo_root()));
        Binaries {
            flowc: keep(built, "flowc"),
            shim: keep(built, "flowc-shim"),
        }
    })
}

/// Moves a copy of the program to where no later build replaces it while a test runs it.
fn keep(built: &Path, name: &str) -> PathBuf {
    let folder = built.join("tested");
    fs::create_dir_all(&folder).expect("the target folder is writable");
    let (copy, kept) = (
        folder.join(format!("{name}.{}", process::id())),
        folder.join(name),
    );
    fs::copy(built.join(name), &copy).expect("the program was just built");
    fs::rename(&copy, &kept).expect("the target folder is writable");
    kept
}

/// Runs `tests/beds/install`, whose last line of stdout is a path.
fn install(arguments: &[&str]) -> Result<PathBuf, String> {
    let output = Command::new(repo_root().join("tests/beds/install"))
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .map_err(|why| why.to_string())?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let stdout = String::from_utf8_lossy(&output.stdout);
    Ok(PathBuf::from(stdout.lines().last().unwrap_or_default()))
}

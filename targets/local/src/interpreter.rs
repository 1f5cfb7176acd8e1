//! Which Python runs the flow.

use std::ffi::{OsStr, OsString};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use flowc_task::launch::LaunchError;

/// Who chose an interpreter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chooser {
    /// `--python`
    Option,
    /// The variable `FLOWC_PYTHON`.
    Variable,
    /// The active virtual environment, by `VIRTUAL_ENV`.
    VirtualEnvironment,
    /// `python3` on the path.
    Path,
}

/// An interpreter that exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interpreter {
    /// The program; links are not followed, since a virtual environment is found through its own link.
    pub program: PathBuf,
    /// Who chose it.
    pub chooser: Chooser,
}

/// There is no interpreter where one was expected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoInterpreter {
    /// It was named, and is not there or cannot be executed.
    #[error("{} is no Python interpreter ({}): {reason}", program.display(), chooser.describe())]
    Unusable {
        /// As given.
        program: PathBuf,
        /// Who named it.
        chooser: Chooser,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Nothing was named and the path has none.
    #[error("there is no `python3` on the PATH")]
    NotFound,
}

impl Chooser {
    /// As told to people.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Option => "given by --python",
            Self::Variable => "given by FLOWC_PYTHON",
            Self::VirtualEnvironment => "of the active virtual environment, VIRTUAL_ENV",
            Self::Path => "found on the PATH",
        }
    }
}

/// Chooses: `--python`, else `FLOWC_PYTHON`, else the active virtual environment, else `python3` on the path.
///
/// A bare name is looked up on the path. `variable` reads the environment.
pub fn choose(
    option: Option<&OsStr>,
    variable: &dyn Fn(&str) -> Option<OsString>,
) -> Result<Interpreter, NoInterpreter> {
    let variable = |name: &str| variable(name).filter(|value| !value.is_empty());
    let path = variable("PATH").unwrap_or_default();
    let named = match option {
        Some(program) => Some((PathBuf::from(program), Chooser::Option)),
        None => variable("FLOWC_PYTHON").map(|program| (program.into(), Chooser::Variable)),
    };
    if let Some((given, chooser)) = named {
        let bare = given.components().count() == 1 && !given.is_absolute();
        let found = if bare {
            on_path(given.as_os_str(), &path)
        } else {
            None
        };
        return usable(found.unwrap_or(given), chooser);
    }
    if let Some(environment) = variable("VIRTUAL_ENV") {
        let program = Path::new(&environment).join("bin").join("python");
        return usable(program, Chooser::VirtualEnvironment);
    }
    let program = on_path(OsStr::new("python3"), &path).ok_or(NoInterpreter::NotFound)?;
    Ok(Interpreter {
        program,
        chooser: Chooser::Path,
    })
}

/// Starts an interpreter once, to see that it works: its own name for itself and its version.
///
/// What a version manager puts on the path is a launcher that takes 0.2 s to find the interpreter; its own name avoids that for each task.
pub(crate) async fn ask(program: &Path) -> Result<(PathBuf, String), LaunchError> {
    let broken = |reason: String| LaunchError {
        program: program.display().to_string(),
        reason,
    };
    let question = "import sys; print(sys.executable); print(sys.version.split()[0])";
    let answer = tokio::process::Command::new(program)
        .args(["-c", question])
        .stdin(Stdio::null())
        .process_group(0)
        .kill_on_drop(true)
        .output()
        .await
        .map_err(|error| broken(error.to_string()))?;
    let said = String::from_utf8_lossy(&answer.stdout);
    match said.lines().collect::<Vec<_>>().as_slice() {
        [executable, version] if answer.status.success() => {
            Ok((PathBuf::from(executable), (*version).to_owned()))
        }
        _ => {
            let words = String::from_utf8_lossy(&answer.stderr);
            Err(broken(format!(
                "it does not run Python code: {}",
                words.trim()
            )))
        }
    }
}

fn usable(program: PathBuf, chooser: Chooser) -> Result<Interpreter, NoInterpreter> {
    let reason = if !program.exists() {
        "there is no such file"
    } else if !is_executable(&program) {
        "it cannot be executed"
    } else {
        return Ok(Interpreter { program, chooser });
    };
    Err(NoInterpreter::Unusable {
        program,
        chooser,
        reason,
    })
}

fn on_path(name: &OsStr, path: &OsStr) -> Option<PathBuf> {
    std::env::split_paths(path)
        .map(|folder| folder.join(name))
        .find(|program| is_executable(program))
}

fn is_executable(program: &Path) -> bool {
    std::fs::metadata(program)
        .is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::fs;

    use super::*;

    fn program(path: &Path, text: &str) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    #[test]
    fn the_nearest_wish_wins() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in ["one/python3", "venv/bin/python", "two/python3", "mine"] {
            program(&at(name), "");
        }
        let mut world: HashMap<&str, OsString> = HashMap::new();
        let path = std::env::join_paths([at("none"), at("one"), at("two")]).unwrap();
        let pick = |option: Option<&OsStr>, world: &HashMap<&str, OsString>| {
            choose(option, &|name| world.get(name).cloned())
        };
        assert_eq!(pick(None, &world), Err(NoInterpreter::NotFound));
        world.insert("PATH", path);
        assert_eq!(pick(None, &world).unwrap().program, at("one/python3"));
        world.insert("VIRTUAL_ENV", at("venv").into());
        assert_eq!(pick(None, &world).unwrap().program, at("venv/bin/python"));
        world.insert("FLOWC_PYTHON", at("mine").into());
        assert_eq!(pick(None, &world).unwrap().program, at("mine"));
        let python3 = Some(OsStr::new("python3"));
        assert_eq!(pick(python3, &world).unwrap().program, at("one/python3"));
        let error = pick(Some(at("gone").as_os_str()), &world).unwrap_err();
        assert!(error.to_string().contains("given by --python"), "{error}");
        world.insert("FLOWC_PYTHON", folder.path().into());
        let error = pick(None, &world).unwrap_err();
        assert!(error.to_string().contains("cannot be executed"), "{error}");
    }

    #[tokio::test]
    async fn a_launcher_is_looked_through() {
        let folder = tempfile::tempdir().unwrap();
        let launcher = folder.path().join("launcher");
        program(&launcher, "#!/bin/sh\necho /real/python3\necho 3.12.1\n");
        let (executable, version) = ask(&launcher).await.unwrap();
        assert_eq!(executable, Path::new("/real/python3"));
        assert_eq!(version, "3.12.1");
        program(&launcher, "#!/bin/sh\necho no such version >&2\nexit 3\n");
        let error = ask(&launcher).await.unwrap_err().to_string();
        assert!(error.contains("no such version"), "{error}");
    }
}

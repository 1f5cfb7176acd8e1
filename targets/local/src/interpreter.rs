//! Which Python runs the flow.

use std::ffi::{OsStr, OsString};
use std::io::Read;
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
    /// The program, an absolute path; links are not followed, since a virtual environment is found through its own link.
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
    usable(program, Chooser::Path)
}

impl Interpreter {
    /// Looks through pyenv's launcher, a shell script that takes 0.15 s to find the interpreter that it then becomes.
    ///
    /// Follows pyenv's rule for one version: `PYENV_VERSION`, else the nearest `.python-version` from `cwd` upward,
    /// else the file `version` of its root. Whatever is less plain than that is left to the launcher.
    pub fn resolve(&mut self, cwd: &Path, variable: &dyn Fn(&str) -> Option<OsString>) {
        if let Some(program) = behind_pyenv(&self.program, cwd, variable) {
            self.program = program;
        }
    }
}

fn behind_pyenv(
    launcher: &Path,
    cwd: &Path,
    variable: &dyn Fn(&str) -> Option<OsString>,
) -> Option<PathBuf> {
    let shims = launcher.parent()?;
    let root = shims.parent().filter(|_| shims.ends_with("shims"))?;
    let mut head = [0; 1024];
    let length = std::fs::File::open(launcher).and_then(|mut file| file.read(&mut head));
    let head = String::from_utf8_lossy(&head[..length.ok()?]);
    if !head.starts_with("#!") || !head.contains("pyenv") {
        return None;
    }
    let named = variable("PYENV_VERSION").filter(|version| !version.is_empty());
    let version = if let Some(version) = named {
        version.into_string().ok()?
    } else {
        let mut files = cwd.ancestors().map(|folder| folder.join(".python-version"));
        let file = files.find(|file| file.is_file());
        std::fs::read_to_string(file.unwrap_or_else(|| root.join("version"))).ok()?
    };
    let mut words = version.split_whitespace();
    let version = words
        .next()
        .filter(|version| !version.contains([':', '/']))?;
    if words.next().is_some() {
        return None;
    }
    let program = root.join("versions").join(version).join("bin");
    let program = program.join(launcher.file_name()?);
    is_executable(&program).then_some(program)
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
        // What starts it may do so in another folder than the one from which it was named.
        let program = std::path::absolute(&program).unwrap_or(program);
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

    #[test]
    fn pyenvs_launcher_is_looked_through_where_its_rule_is_plain() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        for version in ["3.11.7", "3.8.18"] {
            program(&at("versions").join(version).join("bin/python3"), "");
        }
        let launcher = at("shims/python3");
        program(
            &launcher,
            "#!/usr/bin/env bash\nexec \"/x/libexec/pyenv\" exec \"$program\" \"$@\"\n",
        );
        let project = at("project/deep");
        fs::create_dir_all(&project).unwrap();
        let behind = |version: Option<&'static str>| {
            behind_pyenv(&launcher, &project, &move |name| {
                version.filter(|_| name == "PYENV_VERSION").map(Into::into)
            })
        };
        assert_eq!(behind(None), None);
        fs::write(at("version"), "3.11.7\n").unwrap();
        assert_eq!(behind(None), Some(at("versions/3.11.7/bin/python3")));
        fs::write(at("project/.python-version"), "3.8.18\n").unwrap();
        assert_eq!(behind(None), Some(at("versions/3.8.18/bin/python3")));
        assert_eq!(
            behind(Some("3.11.7")),
            Some(at("versions/3.11.7/bin/python3"))
        );
        for odd in ["system", "3.11.7:3.8.18", "3.11", "../3.11.7"] {
            assert_eq!(behind(Some(odd)), None, "{odd}");
        }
        fs::write(at("project/.python-version"), "3.8.18\n3.11.7\n").unwrap();
        assert_eq!(behind(None), None);
        program(&launcher, "#!/bin/sh\nexec something-else\n");
        assert_eq!(behind(Some("3.11.7")), None);
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

//! Metaflow's settings: variables `METAFLOW_*`, and under them its configuration files.
//!
//! Which of them `flowc` follows stands in `docs/settings.md`; a test compares that page with Metaflow's own list.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::place;

/// A variable of the environment by its name.
pub type Variables<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// The two files below the environment.
#[derive(Debug, Default)]
pub struct Settings {
    /// `config.json` in the folder of the local store.
    project: Map<String, Value>,
    /// `config.json` or `config_<profile>.json` in Metaflow's home.
    user: Map<String, Value>,
}

/// A setting that cannot be followed.
#[derive(Debug, thiserror::Error)]
pub enum SettingError {
    /// The file of a profile is not there.
    #[error("METAFLOW_PROFILE={profile} names no profile: there is no {}", path.display())]
    NoProfile {
        /// `METAFLOW_PROFILE`.
        profile: String,
        /// Where it would be.
        path: PathBuf,
    },
    /// A configuration file that is there cannot be read.
    #[error("Metaflow's configuration file {} cannot be read: {why}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// A value that the setting cannot have.
    #[error("{name}={value} cannot be followed: {why}")]
    Value {
        /// Its full name.
        name: String,
        /// What it says.
        value: String,
        /// What is wrong with it.
        why: String,
    },
    /// A setting that another one asks for.
    #[error("{because} needs {name}, which is not set")]
    Missing {
        /// Full name of what is missing.
        name: String,
        /// What asks for it, as in `METAFLOW_DEFAULT_DATASTORE=s3`.
        because: String,
    },
}

impl SettingError {
    /// What to do about it.
    pub fn help(&self) -> String {
        match self {
            Self::NoProfile { .. } => {
                "unset METAFLOW_PROFILE, or make the profile by `metaflow configure`".to_owned()
            }
            Self::File { path, .. } => {
                format!("mend {}: it holds one JSON object", path.display())
            }
            Self::Value { name, .. } => format!("change {name} or unset it"),
            Self::Missing { name, .. } => {
                format!("set {name}, or name the store by `--store DIR|URL`")
            }
        }
    }
}

/// A value and the name of the setting that has it.
struct Said {
    name: String,
    value: String,
}

impl Said {
    fn needs(&self, name: &str) -> SettingError {
        SettingError::Missing {
            name: name.to_owned(),
            because: format!("{}={}", self.name, self.value),
        }
    }

    fn wrong(self, why: impl Into<String>) -> SettingError {
        SettingError::Value {
            name: self.name,
            value: self.value,
            why: why.into(),
        }
    }
}

impl Settings {
    /// Reads `$METAFLOW_HOME/config[_$METAFLOW_PROFILE].json`, `~/.metaflowconfig` by default, and `config.json` in the
    /// nearest `.metaflow` from `cwd` upward.
    ///
    /// # Errors
    /// Where one is there and cannot be read, or `METAFLOW_PROFILE` names none (`init_config`, `metaflow/metaflow_config_funcs.py`, 2.19.39).
    pub fn read(cwd: &Path, variables: Variables<'_>) -> Result<Self, SettingError> {
        let project = place::nearest(cwd).map(|folder| folder.join("config.json"));
        let project = project.map(|file| read(&file)).transpose()?.flatten();
        let user = match home(variables) {
            Some(home) => read_user(&home, variables)?,
            None => None,
        };
        Ok(Self {
            project: project.unwrap_or_default(),
            user: user.unwrap_or_default(),
        })
    }

    /// A setting by its name without `METAFLOW_`: the environment wins, then the project's file. An empty one is none.
    pub fn get(&self, name: &str, variables: Variables<'_>) -> Option<String> {
        let name = format!("METAFLOW_{name}");
        let text = match variables(&name).and_then(|value| value.into_string().ok()) {
            Some(value) => value,
            None => match self.project.get(&name).or_else(|| self.user.get(&name))? {
                Value::Null => return None,
                Value::String(text) => text.clone(),
                other
                @ (Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
                    other.to_string()
                }
            },
        };
        Some(text).filter(|text| !text.is_empty())
    }

    /// What an option of Metaflow's command line says, which takes it from the environment alone, else a setting.
    fn option_or(&self, option: &str, setting: &str, variables: Variables<'_>) -> Option<Said> {
        let said = |name: &str, value: String| Said {
            name: format!("METAFLOW_{name}"),
            value,
        };
        if let Some(value) = from_environment(option, variables) {
            return Some(said(option, value));
        }
        Some(said(setting, self.get(setting, variables)?))
    }

    /// The store that is set, as a URL or a path; `None` for the local one where Metaflow puts it.
    ///
    /// `METAFLOW_DATASTORE` and `METAFLOW_DATASTORE_ROOT` are Metaflow's options `--datastore` and `--datastore-root`,
    /// which its command line takes from the environment.
    ///
    /// # Errors
    /// Where the kind of store is none that there is, or its root is missing or of another kind: the run's data must not go elsewhere in silence.
    pub fn datastore(&self, variables: Variables<'_>) -> Result<Option<String>, SettingError> {
        let kind = self.option_or("DATASTORE", "DEFAULT_DATASTORE", variables);
        let kind = kind.unwrap_or_else(|| Said {
            name: "METAFLOW_DEFAULT_DATASTORE".to_owned(),
            value: "local".to_owned(),
        });
        let (sysroot, scheme) = match kind.value.as_str() {
            "local" => return Ok(from_environment("DATASTORE_ROOT", variables)),
            "s3" => ("DATASTORE_SYSROOT_S3", "s3"),
            "gs" => ("DATASTORE_SYSROOT_GS", "gs"),
            "azure" => ("DATASTORE_SYSROOT_AZURE", "az"),
            _ => return Err(kind.wrong("it is none of `local`, `s3`, `azure` and `gs`")),
        };
        let Some(root) = self.option_or("DATASTORE_ROOT", sysroot, variables) else {
            return Err(kind.needs(&format!("METAFLOW_{sysroot}")));
        };
        match root.value.split_once("://") {
            Some((said, _)) if said == scheme => Ok(Some(root.value)),
            // Metaflow's form: `container/prefix`, of the account that the endpoint names.
            None if scheme == "az" => Ok(Some(format!("az://{}", root.value.trim_matches('/')))),
            _ => {
                let form = match scheme {
                    "az" => "CONTAINER/PREFIX".to_owned(),
                    scheme => format!("{scheme}://BUCKET/PREFIX"),
                };
                Err(root.wrong(format!("write it as `{form}`")))
            }
        }
    }

    /// URL of Metaflow's service if runs are to be entered there, which `flowc` does not do; empty if it is not set.
    ///
    /// # Errors
    /// Where the kind of metadata is none that there is.
    pub fn service(&self, variables: Variables<'_>) -> Result<Option<String>, SettingError> {
        let url = self.get("SERVICE_URL", variables);
        match self.option_or("METADATA", "DEFAULT_METADATA", variables) {
            None => Ok(url),
            Some(kind) => match kind.value.as_str() {
                "local" => Ok(None),
                "service" => Ok(Some(url.unwrap_or_default())),
                _ => Err(kind.wrong("it is none of `local` and `service`")),
            },
        }
    }
}

/// What a variable says, by its name without `METAFLOW_`; an empty one says nothing.
pub fn from_environment(name: &str, variables: Variables<'_>) -> Option<String> {
    let value = variables(&format!("METAFLOW_{name}"))?.into_string().ok();
    value.filter(|value| !value.is_empty())
}

/// Metaflow's home.
fn home(variables: Variables<'_>) -> Option<PathBuf> {
    let own = variables("HOME").map(PathBuf::from);
    match variables("METAFLOW_HOME").map(PathBuf::from) {
        None => Some(own?.join(".metaflowconfig")),
        Some(home) => match home.strip_prefix("~") {
            Ok(below) => Some(own?.join(below)),
            Err(_) => Some(home),
        },
    }
}

fn read_user(
    home: &Path,
    variables: Variables<'_>,
) -> Result<Option<Map<String, Value>>, SettingError> {
    let profile = variables("METAFLOW_PROFILE").filter(|profile| !profile.is_empty());
    let Some(profile) = profile else {
        return read(&home.join("config.json"));
    };
    let profile = profile.to_string_lossy().into_owned();
    let path = home.join(format!("config_{profile}.json"));
    match read(&path)? {
        Some(found) => Ok(Some(found)),
        None => Err(SettingError::NoProfile { profile, path }),
    }
}

/// The object in a file, if there is such a file.
fn read(path: &Path) -> Result<Option<Map<String, Value>>, SettingError> {
    use io::ErrorKind::{NotADirectory, NotFound};
    let failed = |why: String| SettingError::File {
        path: path.to_owned(),
        why,
    };
    match std::fs::read(path) {
        Ok(text) => match serde_json::from_slice(&text) {
            Ok(Value::Object(found)) => Ok(Some(found)),
            Ok(_) => Err(failed("it is no JSON object".to_owned())),
            Err(error) => Err(failed(error.to_string())),
        },
        Err(error) if matches!(error.kind(), NotFound | NotADirectory) => Ok(None),
        Err(error) => Err(failed(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs;

    use super::*;

    /// A machine: variables, and a folder that is home and where the command is typed.
    struct Machine {
        folder: tempfile::TempDir,
        variables: BTreeMap<String, OsString>,
    }

    impl Machine {
        fn new(variables: &[(&str, &str)]) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let pairs = variables.iter();
            let mut variables: BTreeMap<_, _> = pairs
                .map(|(name, value)| ((*name).to_owned(), OsString::from(value)))
                .collect();
            variables.insert("HOME".to_owned(), folder.path().into());
            Self { folder, variables }
        }

        fn write(&self, name: &str, text: &str) {
            let path = self.folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }

        fn ask<T>(
            &self,
            question: impl Fn(&Settings, Variables<'_>) -> T,
        ) -> Result<T, SettingError> {
            let variables = |name: &str| self.variables.get(name).cloned();
            let settings = Settings::read(self.folder.path(), &variables)?;
            Ok(question(&settings, &variables))
        }

        fn get(&self, name: &str) -> Option<String> {
            self.ask(|settings, variables| settings.get(name, variables))
                .unwrap()
        }
    }

    fn datastore(variables: &[(&str, &str)]) -> Result<Option<String>, String> {
        let asked = Machine::new(variables).ask(Settings::datastore);
        asked.unwrap().map_err(|error| error.to_string())
    }

    #[test]
    fn the_environment_wins_over_the_project_and_that_over_the_user() {
        let machine = Machine::new(&[("METAFLOW_USER", "ann"), ("METAFLOW_SERVICE_URL", "")]);
        machine.write(
            ".metaflowconfig/config.json",
            r#"{"METAFLOW_USER": "u", "METAFLOW_A": "u", "METAFLOW_B": "u", "METAFLOW_C": 3, "METAFLOW_SERVICE_URL": "u"}"#,
        );
        machine.write(
            ".metaflow/config.json",
            r#"{"METAFLOW_USER": "p", "METAFLOW_A": "p", "METAFLOW_B": null}"#,
        );
        let get = |name: &str| machine.get(name);
        assert_eq!(get("USER").as_deref(), Some("ann"));
        assert_eq!(get("A").as_deref(), Some("p"));
        assert_eq!(get("B"), None);
        assert_eq!(get("C").as_deref(), Some("3"));
        assert_eq!(get("SERVICE_URL"), None);
    }

    #[test]
    fn homes_and_profiles_are_found() {
        let machine = Machine::new(&[
            ("METAFLOW_HOME", "~/mine"),
            ("METAFLOW_PROFILE", "dev"),
            ("METAFLOW_DATASTORE_ROOT", "s3://b/other"),
        ]);
        machine.write(
            "mine/config_dev.json",
            r#"{"METAFLOW_DEFAULT_DATASTORE": "s3", "METAFLOW_DATASTORE_SYSROOT_S3": "s3://b/root"}"#,
        );
        let chosen = machine.ask(Settings::datastore).unwrap().unwrap();
        assert_eq!(chosen.as_deref(), Some("s3://b/other"));
    }

    #[test]
    fn a_file_that_is_meant_and_cannot_be_read_is_named() {
        let machine = Machine::new(&[("METAFLOW_PROFILE", "dev")]);
        let said = |machine: &Machine| {
            let refused = machine.ask(|_, _| ()).unwrap_err();
            assert!(!refused.help().is_empty());
            refused.to_string()
        };
        assert!(
            said(&machine).contains("config_dev.json"),
            "{}",
            said(&machine)
        );
        for text in ["{", "[]", "\"text\""] {
            machine.write(".metaflowconfig/config_dev.json", text);
            assert!(said(&machine).contains("cannot be read"), "{text}");
        }
        machine.write(".metaflowconfig/config_dev.json", "{}");
        machine.write(".metaflow/config.json", "nothing");
        assert!(said(&machine).contains(".metaflow/config.json"));
    }

    #[test]
    fn the_store_is_the_one_that_is_set() {
        let set =
            |kind, root, value| datastore(&[("METAFLOW_DEFAULT_DATASTORE", kind), (root, value)]);
        for (kind, root, value, chosen) in [
            (
                "s3",
                "METAFLOW_DATASTORE_SYSROOT_S3",
                "s3://b/p",
                "s3://b/p",
            ),
            (
                "gs",
                "METAFLOW_DATASTORE_SYSROOT_GS",
                "gs://b/p",
                "gs://b/p",
            ),
            (
                "azure",
                "METAFLOW_DATASTORE_SYSROOT_AZURE",
                "flows/root",
                "az://flows/root",
            ),
            (
                "azure",
                "METAFLOW_DATASTORE_SYSROOT_AZURE",
                "flows",
                "az://flows",
            ),
            (
                "azure",
                "METAFLOW_DATASTORE_ROOT",
                "az://flows/p",
                "az://flows/p",
            ),
            ("local", "METAFLOW_DATASTORE_ROOT", "runs", "runs"),
        ] {
            assert_eq!(
                set(kind, root, value),
                Ok(Some(chosen.to_owned())),
                "{value}"
            );
        }
        assert_eq!(datastore(&[]), Ok(None));
        // The option of Metaflow's command line wins over the default.
        let local = [
            ("METAFLOW_DATASTORE", "local"),
            ("METAFLOW_DEFAULT_DATASTORE", "s3"),
        ];
        assert_eq!(datastore(&local), Ok(None));
    }

    #[test]
    fn a_store_that_cannot_be_meant_is_refused() {
        for (variables, said) in [
            (
                &[("METAFLOW_DEFAULT_DATASTORE", "s3")][..],
                "METAFLOW_DATASTORE_SYSROOT_S3",
            ),
            (
                &[("METAFLOW_DATASTORE", "azure")],
                "METAFLOW_DATASTORE_SYSROOT_AZURE",
            ),
            (&[("METAFLOW_DEFAULT_DATASTORE", "gcs")], "none of `local`"),
            (
                &[
                    ("METAFLOW_DATASTORE", "s3"),
                    ("METAFLOW_DATASTORE_SYSROOT_S3", "b/p"),
                ],
                "`s3://BUCKET/PREFIX`",
            ),
            (
                &[
                    ("METAFLOW_DATASTORE", "gs"),
                    ("METAFLOW_DATASTORE_ROOT", "s3://b/p"),
                ],
                "METAFLOW_DATASTORE_ROOT=s3://b/p",
            ),
            (
                &[
                    ("METAFLOW_DATASTORE", "azure"),
                    (
                        "METAFLOW_DATASTORE_SYSROOT_AZURE",
                        "https://a.blob.core.windows.net/c",
                    ),
                ],
                "CONTAINER/PREFIX",
            ),
        ] {
            let error = datastore(variables).unwrap_err();
            assert!(error.contains(said), "{error}");
        }
    }

    #[test]
    fn the_service_is_asked_for_by_its_kind_or_its_url() {
        let service = |variables: &[(&str, &str)]| {
            let asked = Machine::new(variables).ask(Settings::service);
            asked.unwrap().map_err(|error| error.to_string())
        };
        let url = ("METAFLOW_SERVICE_URL", "https://m");
        assert_eq!(service(&[]), Ok(None));
        assert_eq!(service(&[url]), Ok(Some("https://m".to_owned())));
        assert_eq!(service(&[url, ("METAFLOW_METADATA", "local")]), Ok(None));
        let alone = [("METAFLOW_DEFAULT_METADATA", "service")];
        assert_eq!(service(&alone), Ok(Some(String::new())));
        let error = service(&[("METAFLOW_DEFAULT_METADATA", "servce")]).unwrap_err();
        assert!(error.contains("`service`"), "{error}");
    }
}

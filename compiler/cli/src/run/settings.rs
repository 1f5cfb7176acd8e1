//! What is said of settings of Metaflow that `flowc run` cannot follow, or takes no notice of.

use flowc_core::diag::{Code, Diagnostic, Severity};
use flowc_local::settings::{SettingError, from_environment};

use crate::place::{Local, variable};
use crate::run::findings::{Findings, service_warning};

/// A setting that would change where data goes or what steps run in, and has no effect here.
struct Unheeded {
    /// Its name without `METAFLOW_`.
    name: &'static str,
    /// What it may say without a difference, besides nothing.
    same: &'static [&'static str],
    /// What is so instead.
    instead: &'static str,
}

/// What says no to a setting that is on or off (`from_conf`, `metaflow/metaflow_config_funcs.py`, 2.19.39).
const OFF: &[&str] = &["0", "false", "False", "FALSE"];

/// What is so whatever a setting or an option says, where both have it.
const ONE_PYTHON: &str = "all steps run in one Python, which has the packages that it has";
const NO_EVENTS: &str = "events are logged nowhere";
const NO_MEASUREMENTS: &str = "no measurements are sent";
const AWS_CREDENTIALS: &str = "credentials of AWS come from where `aws` takes them";
const LOG_SIZE: &str = "what a task prints is kept up to 10 MB";
const RUN_ID_FILE: &str = "`--run-id-file FILE` writes the run's id";

/// Of configuration files and of the environment.
const SETTINGS: &[Unheeded] = &[
    Unheeded {
        name: "DEFAULT_ENVIRONMENT",
        same: &["local"],
        instead: ONE_PYTHON,
    },
    Unheeded {
        name: "DEFAULT_EVENT_LOGGER",
        same: &["nullSidecarLogger"],
        instead: NO_EVENTS,
    },
    Unheeded {
        name: "DEFAULT_MONITOR",
        same: &["nullSidecarMonitor"],
        instead: NO_MEASUREMENTS,
    },
    Unheeded {
        name: "DEFAULT_AWS_CLIENT_PROVIDER",
        same: &["boto3"],
        instead: AWS_CREDENTIALS,
    },
    Unheeded {
        name: "DEFAULT_AZURE_CLIENT_PROVIDER",
        same: &["azure-default"],
        instead: "credentials of Azure come from the variables `AZURE_…` and the machine",
    },
    Unheeded {
        name: "DEFAULT_GCP_CLIENT_PROVIDER",
        same: &["gcp-default"],
        instead: "credentials of Google come from `GOOGLE_APPLICATION_CREDENTIALS` and the machine",
    },
    Unheeded {
        name: "AWS_SANDBOX_ENABLED",
        same: OFF,
        instead: AWS_CREDENTIALS,
    },
    Unheeded {
        name: "FEAT_ALWAYS_UPLOAD_CODE_PACKAGE",
        same: OFF,
        instead: "the code of a run on this machine is not put into the store",
    },
];

/// Options that Metaflow's command line takes from the environment.
const OPTIONS: &[Unheeded] = &[
    Unheeded {
        name: "ENVIRONMENT",
        same: &["local"],
        instead: ONE_PYTHON,
    },
    Unheeded {
        name: "EVENT_LOGGER",
        same: &["nullSidecarLogger"],
        instead: NO_EVENTS,
    },
    Unheeded {
        name: "MONITOR",
        same: &["nullSidecarMonitor"],
        instead: NO_MEASUREMENTS,
    },
    Unheeded {
        name: "MODE",
        same: &[],
        instead: "to run a single step, there is `flowc test step`",
    },
    Unheeded {
        name: "RUN_MAX_LOG_SIZE",
        same: &["10"],
        instead: LOG_SIZE,
    },
    Unheeded {
        name: "RESUME_MAX_LOG_SIZE",
        same: &["10"],
        instead: LOG_SIZE,
    },
    Unheeded {
        name: "RUN_RUNNER_ATTRIBUTE_FILE",
        same: &[],
        instead: RUN_ID_FILE,
    },
    Unheeded {
        name: "RESUME_RUNNER_ATTRIBUTE_FILE",
        same: &[],
        instead: RUN_ID_FILE,
    },
];

/// Warns of settings that have no effect on a run on this machine.
pub(crate) fn warn(local: &Local, findings: &Findings<'_>) -> Result<(), SettingError> {
    if let Some(url) = local.settings.service(&variable)? {
        findings.show_one(service_warning(&url));
    }
    let set = |name: &str| local.get(name);
    let option = |name: &str| from_environment(name, &variable);
    for found in unheeded(SETTINGS, &set).chain(unheeded(OPTIONS, &option)) {
        findings.show_one(found);
    }
    Ok(())
}

fn unheeded<'a>(
    all: &'a [Unheeded],
    get: &'a dyn Fn(&str) -> Option<String>,
) -> impl Iterator<Item = Diagnostic> + 'a {
    all.iter().filter_map(|one| {
        let value = get(one.name).filter(|value| !value.is_empty())?;
        if one.same.contains(&value.as_str()) {
            return None;
        }
        let message = format!("`METAFLOW_{}={value}` has no effect", one.name);
        Some(Diagnostic::new(Code::FC4010, Severity::Warning, message).note(one.instead))
    })
}

/// A setting that cannot be followed.
pub(crate) fn refused(error: &SettingError) -> Diagnostic {
    Diagnostic::new(Code::FC4009, Severity::Error, error.to_string()).help(error.help())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_would_make_a_difference_is_warned_about() {
        for one in SETTINGS.iter().chain(OPTIONS) {
            let said = |value: &str| {
                let get = |name: &str| (name == one.name).then(|| value.to_owned());
                let all = [SETTINGS, OPTIONS];
                let mut messages = Vec::new();
                for list in all {
                    messages.extend(unheeded(list, &get).map(|found| found.message));
                }
                messages
            };
            assert_eq!(
                said("other"),
                [format!("`METAFLOW_{}=other` has no effect", one.name)]
            );
            for same in one.same.iter().chain(&[""]) {
                assert!(said(same).is_empty(), "{} {same}", one.name);
            }
        }
    }
}

//! Where runs are: the store that a command looks into when it is given the name of a run.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::Context;
use flowc_local::place;
use flowc_local::settings::{SettingError, Settings};
use flowc_target::Placeholder;
use flowc_task::store::{Store, is_nearly_a_url};

use crate::{operate, sources, store};

/// Where a command finds runs.
#[derive(clap::Args)]
pub(crate) struct StoreArgs {
    /// Profile of flowc.toml whose store holds the run
    #[arg(long, value_name = "NAME", conflicts_with = "store")]
    profile: Option<String>,
    /// The store itself: a folder, s3://…, gs://… or az://…
    #[arg(long, value_name = "URL")]
    store: Option<String>,
}

/// What kind of runs are asked for, which decides where they are looked for if nobody says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Those of an orchestrator: in the store of the default profile, if there is a flowc.toml.
    Orchestrator,
    /// Those of `flowc run`: where it puts them.
    Here,
}

impl Origin {
    /// As the name of a run tells it, `[Flow/]run[/…]`.
    pub(crate) fn of(name: &str) -> Self {
        let is_orchestrators = |part: &str| {
            let kinds = ["sfn-", "argo-", "airflow-"];
            kinds.iter().any(|kind| part.starts_with(kind))
        };
        if name.split('/').take(2).any(is_orchestrators) {
            Self::Orchestrator
        } else {
            Self::Here
        }
    }
}

impl StoreArgs {
    /// Opens the store; `None` after mistakes in flowc.toml were shown.
    pub(crate) async fn open(&self, origin: Origin) -> anyhow::Result<Option<Store>> {
        let named = self.store.as_deref();
        let has_settings = sources::nearest_settings(Path::new("."))?.is_some();
        let by_profile = origin == Origin::Orchestrator && has_settings && named.is_none();
        if self.profile.is_some() || by_profile {
            let Some(profile) =
                operate::profile_here(self.profile.as_deref(), &[Placeholder::Store])?
            else {
                return Ok(None);
            };
            return store::open(&profile.store).await.map(Some);
        }
        // Metaflow's settings say nothing of a profile's store, and must not be in its way.
        let local = Local::find()?;
        local.open(&local.choose(named)?).await.map(Some)
    }
}

/// What Metaflow's settings say of this machine.
pub(crate) struct Local {
    /// `METAFLOW_*` and the configuration files.
    pub(crate) settings: Settings,
    /// Root of the local store, which also holds the metadata tree of runs whose data is elsewhere.
    pub(crate) root: PathBuf,
    cwd: PathBuf,
}

impl Local {
    /// Reads them.
    pub(crate) fn find() -> anyhow::Result<Self> {
        let cwd = env::current_dir().context("cannot tell the current folder")?;
        let settings = Settings::read(&cwd, &variable)?;
        let sysroot = settings.get("DATASTORE_SYSROOT_LOCAL", &variable);
        Ok(Self {
            root: place::default_root(&cwd, sysroot.as_deref()),
            settings,
            cwd,
        })
    }

    /// A setting of Metaflow by its name without `METAFLOW_`.
    pub(crate) fn get(&self, name: &str) -> Option<String> {
        self.settings.get(name, &variable)
    }

    /// The store's URL: the one that is named, else what Metaflow is configured for, else its local store.
    pub(crate) fn choose(&self, named: Option<&str>) -> Result<String, SettingError> {
        let set = match named {
            Some(store) => Some(store.to_owned()),
            None => self.settings.datastore(&variable)?,
        };
        let Some(store) = set else {
            return Ok(self.root.to_string_lossy().into_owned());
        };
        if store.contains("://") || is_nearly_a_url(&store) {
            return Ok(store);
        }
        Ok(self.cwd.join(store).to_string_lossy().into_owned())
    }

    /// Opens a store, with what Metaflow is configured for where its cloud's own settings say nothing.
    pub(crate) async fn open(&self, url: &str) -> anyhow::Result<Store> {
        store::open_at(url, &store::of_metaflow(|name| self.get(name))).await
    }

    /// Who is at work, as Metaflow finds it.
    pub(crate) fn user(&self) -> String {
        place::username(&self.settings, &variable).unwrap_or_else(|| "unknown".to_owned())
    }
}

/// A variable of the environment.
pub(crate) fn variable(name: &str) -> Option<OsString> {
    env::var_os(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_s_name_tells_where_it_ran() {
        for name in [
            "argo-hello-x7k2",
            "Hello/sfn-5f2c",
            "airflow-manual__2026/start/t",
            "Hello/argo-x/start",
        ] {
            assert_eq!(Origin::of(name), Origin::Orchestrator, "{name}");
        }
        for name in [
            "1732190000000000",
            "Hello/1732190000000000",
            "Hello/17/argo-x",
        ] {
            assert_eq!(Origin::of(name), Origin::Here, "{name}");
        }
    }
}

//! The launcher of the local runner: forks of a warm interpreter where that is safe, a fresh interpreter elsewhere.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use flowc_task::launch::{HarnessProcess, LaunchError, LaunchRequest, Launcher};

use crate::zygote::{About, Recipe, Zygote};

/// Variables that a step sets before anything is imported.
type Environment = Vec<(String, String)>;

/// The warm interpreter of one environment, once it is started.
type Slot = Arc<tokio::sync::Mutex<Option<Arc<Zygote>>>>;

/// Forks tasks from warm interpreters.
///
/// Libraries read the environment when they are imported (`OMP_NUM_THREADS`), so each environment that `@environment` makes has an interpreter of its own.
pub struct ForkServer {
    recipe: Recipe,
    /// Environments by step name; steps without one are absent.
    environments: HashMap<String, Environment>,
    slots: Mutex<HashMap<Environment, Slot>>,
    fresh: Arc<dyn Launcher>,
}

impl ForkServer {
    /// Starts nothing yet; `fresh` runs the tasks of interpreters that must not fork.
    pub fn new(
        recipe: Recipe,
        environments: HashMap<String, Environment>,
        fresh: Arc<dyn Launcher>,
    ) -> Self {
        Self {
            recipe,
            environments,
            slots: Mutex::default(),
            fresh,
        }
    }

    /// Starts the interpreter of steps without an environment of their own, if it is not running, and says what it is.
    pub async fn warm_up(&self) -> Result<About, LaunchError> {
        Ok(self.zygote(&Vec::new()).await?.about.clone())
    }

    async fn zygote(&self, environment: &Environment) -> Result<Arc<Zygote>, LaunchError> {
        let slot = {
            let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(slots.entry(environment.clone()).or_default())
        };
        let mut slot = slot.lock().await;
        if let Some(zygote) = slot.as_ref().filter(|zygote| zygote.is_alive()) {
            return Ok(Arc::clone(zygote));
        }
        let zygote = Arc::new(Zygote::start(&self.recipe, environment).await?);
        *slot = Some(Arc::clone(&zygote));
        Ok(zygote)
    }
}

#[async_trait]
impl Launcher for ForkServer {
    async fn launch(&self, request: LaunchRequest) -> Result<HarnessProcess, LaunchError> {
        let step = request.label.split('/').next().unwrap_or_default();
        let none = Environment::new();
        let environment = self.environments.get(step).unwrap_or(&none);
        let zygote = self.zygote(environment).await?;
        if zygote.about.threads.is_empty() {
            zygote.fork(&request).await
        } else {
            self.fresh.launch(request).await
        }
    }
}

//! The launcher of the local runner: forks of a warm interpreter where that is safe, a fresh interpreter elsewhere.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use flowc_task::launch::{
    HarnessProcess, Interpreter, LaunchError, LaunchRequest, Launcher, Streams,
};

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
    slots: Mutex<HashMap<Environment, Slot>>,
}

impl ForkServer {
    /// Starts nothing yet.
    pub fn new(recipe: Recipe) -> Self {
        Self {
            recipe,
            slots: Mutex::default(),
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
        let zygote = self.zygote(&request.environment).await?;
        if zygote.about.threads.is_empty() {
            return zygote.fork(&request).await;
        }
        // A child would miss the threads that its libraries rely on.
        let executable = zygote.about.executable.clone();
        let fresh = Interpreter {
            python: executable.map_or_else(|| self.recipe.python.clone(), Into::into),
            harness: self.recipe.harness.clone(),
            streams: Streams::Pipes,
        };
        fresh.launch(request).await
    }
}

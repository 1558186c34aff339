use crate::Part;
use crate::readiness::Readiness;
use anyhow::anyhow;
use futures::FutureExt;
use std::any::Any;
use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The running service, as its application sees it.
///
/// It lives until it is told to end, one of its tasks fails, or all of them are done.
#[derive(Clone, Debug, Default)]
pub struct Service {
    shutdown: CancellationToken,
    readiness: Readiness,
    tasks: TaskTracker,
    state: Arc<Mutex<State>>,
    config_file: Option<Arc<Path>>,
}

#[derive(Debug, Default)]
struct State {
    /// Names of the tasks that have not ended, by the order of their start.
    running: BTreeMap<u64, String>,
    started: u64,
    /// The first error; later ones are its consequences and only logged.
    failure: Option<anyhow::Error>,
}

impl Service {
    /// Cancelled on the first SIGTERM or SIGINT, and when a task fails. Cancel it to end the service.
    pub fn shutdown(&self) -> CancellationToken {
        self.shutdown.clone()
    }

    /// The configuration file that the command line or the environment named.
    pub fn config_file(&self) -> Option<&Path> {
        self.config_file.as_deref()
    }

    pub(crate) fn configured_by(config_file: Option<PathBuf>) -> Self {
        Self { config_file: config_file.map(Arc::from), ..Self::default() }
    }

    /// Adds a part to the readiness of the service.
    pub fn part(&self, name: impl Into<String>) -> Part {
        self.readiness.part(name)
    }

    /// Runs `future` beside the others. An error or a panic of it ends the service. On shutdown it
    /// has `shutdown.grace_seconds` to end by itself.
    pub fn spawn<F, E>(&self, name: impl Into<String>, future: F)
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<anyhow::Error>,
    {
        let name = name.into();
        let number = self.note_start(&name);
        let service = self.clone();
        self.tasks.spawn(async move {
            service.watch(&name, future).await;
            service.lock().running.remove(&number);
        });
    }

    /// What `/readyz` tells: whether all parts are ready, and the state of each, a line for each.
    pub fn readiness_report(&self) -> (bool, String) {
        self.readiness.report()
    }

    pub(crate) fn readiness(&self) -> &Readiness {
        &self.readiness
    }

    /// Runs the application and whatever it spawns to the end. After a shutdown begins, all of it
    /// has `grace` to finish.
    pub async fn supervise<F>(&self, application: F, grace: Duration) -> anyhow::Result<()>
    where
        F: Future<Output = anyhow::Result<()>>,
    {
        let work = async {
            self.watch("the application", application).await;
            self.tasks.close();
            self.tasks.wait().await;
        };
        tokio::pin!(work);
        tokio::select! {
            () = &mut work => return self.outcome(),
            () = self.shutdown.cancelled() => {}
        }
        self.part("service").not_ready("shutting down");
        if tokio::time::timeout(grace, work).await.is_err() {
            let error = anyhow!("still running after {grace:?} of shutdown: {}", self.running());
            self.fail(error);
        }
        self.outcome()
    }

    /// Runs `future` and notes how it failed, if it did.
    async fn watch<F, E>(&self, name: &str, future: F)
    where
        F: Future<Output = Result<(), E>>,
        E: Into<anyhow::Error>,
    {
        match AssertUnwindSafe(future).catch_unwind().await {
            Ok(Ok(())) => tracing::debug!(task = name, "done"),
            Ok(Err(error)) => self.fail(error.into().context(format!("{name} failed"))),
            Err(panic) => self.fail(anyhow!("{name} panicked: {}", panic_message(&*panic))),
        }
    }

    fn fail(&self, error: anyhow::Error) {
        let mut state = self.lock();
        if state.failure.is_some() {
            tracing::error!(error = format!("{error:#}"), "failed as well");
        } else {
            state.failure = Some(error);
        }
        drop(state);
        self.shutdown.cancel();
    }

    fn outcome(&self) -> anyhow::Result<()> {
        self.lock().failure.take().map_or(Ok(()), Err)
    }

    fn note_start(&self, name: &str) -> u64 {
        let mut state = self.lock();
        state.started += 1;
        let number = state.started;
        state.running.insert(number, name.to_owned());
        number
    }

    fn running(&self) -> String {
        let state = self.lock();
        if state.running.is_empty() {
            return "the application".to_owned();
        }
        state.running.values().map(String::as_str).collect::<Vec<_>>().join(", ")
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn panic_message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&'static str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("(no message)")
}

#[cfg(test)]
mod tests;

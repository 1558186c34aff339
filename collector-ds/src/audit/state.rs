use super::AuditConfig;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// How it stands with the audit file, as the status tells it.
#[derive(Clone, Debug)]
pub struct State {
    problem: Arc<Mutex<Option<String>>>,
    is_followed: Arc<AtomicBool>,
    /// Why no request is seen, where the file is not followed.
    why_not: Arc<str>,
}

impl State {
    /// Before the first look at the file: it is held to be there where it is configured.
    pub fn new(config: &AuditConfig) -> Self {
        let why_not = if config.is_on() {
            format!(
                "needs the audit file of a Kubernetes API server, and {} is not there",
                config.path.display()
            )
        } else {
            "needs the audit file of a Kubernetes API server, and audit.path names none".to_owned()
        };
        Self {
            problem: Arc::default(),
            is_followed: Arc::new(AtomicBool::new(config.is_on())),
            why_not: why_not.into(),
        }
    }

    /// The problem, where there is one.
    pub fn problem(&self) -> Option<String> {
        self.problem.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Why no request is seen. None where the file is followed.
    pub fn blindness(&self) -> Option<&str> {
        (!self.is_followed.load(Ordering::Relaxed)).then_some(&*self.why_not)
    }

    pub(super) fn set_followed(&self, is_followed: bool) {
        self.is_followed.store(is_followed, Ordering::Relaxed);
    }

    pub(super) fn set_problem(&self, problem: Option<String>) {
        let mut told = self.problem.lock().unwrap_or_else(PoisonError::into_inner);
        if *told != problem {
            if let Some(problem) = &problem {
                tracing::warn!("{problem}");
            }
            *told = problem;
        }
    }
}

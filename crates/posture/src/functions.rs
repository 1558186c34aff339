//! The functions that expressions may call.

use kube_cel::KubeCelExt;
use kube_cel::cel::extractors::This;
use kube_cel::cel::{Context, ExecutionError, FunctionContext};
use regex::Regex;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Most patterns that are kept compiled: those of the policies and of their parameters.
const MOST_PATTERNS: usize = 64;

/// The language's own functions and those of Kubernetes.
pub(crate) fn context() -> Context<'static> {
    let mut context = Context::default().with_all();
    let compiled = Patterns::default();
    // The crate's own compiles its pattern at each call, which costs more than all else of a policy.
    context.add_function(
        "matches",
        move |ftx: &FunctionContext, This(text): This<Arc<String>>, pattern: Arc<String>| {
            compiled
                .of(&pattern)
                .map(|pattern| pattern.is_match(&text))
                .map_err(|error| ftx.error(error))
        },
    );
    context
}

/// Compiled patterns.
#[derive(Default)]
struct Patterns(Mutex<HashMap<String, Arc<Regex>>>);

impl Patterns {
    /// Shared, not cloned: a clone makes the memory that its searches need anew.
    fn of(&self, pattern: &str) -> Result<Arc<Regex>, regex::Error> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(compiled) = known.get(pattern) {
            return Ok(Arc::clone(compiled));
        }
        let compiled = Arc::new(Regex::new(pattern)?);
        if known.len() < MOST_PATTERNS {
            known.insert(pattern.to_owned(), Arc::clone(&compiled));
        }
        Ok(compiled)
    }
}

/// An error in words that are short enough for a log: the interpreter's name whole objects.
pub(crate) fn reason(error: &ExecutionError) -> String {
    let text = error.to_string();
    let short: String = text.chars().take(200).collect();
    if short.len() < text.len() { format!("{short}…") } else { short }
}

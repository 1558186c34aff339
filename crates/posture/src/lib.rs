//! Posture policies: what an object of Kubernetes should be like.
//!
//! A policy is written once, in the Common Expression Language as Kubernetes speaks it, and used twice: [`Evaluator`] asks it
//! of objects that are there, and [`admission_file`] gives it to the chart, which makes a `ValidatingAdmissionPolicy`
//! (admissionregistration.k8s.io/v1) of it, asked by the API server of objects that are to be. Both read the same expressions.
//! Pure: files come as text, objects as JSON.

mod admission;
mod bounds;
mod documentation;
mod evaluator;
mod expression;
mod finding;
mod functions;
mod load;
mod parameter;
mod policy;
mod policy_set;
mod service_index;
mod settings;
mod shape;
mod subject;
mod value;

pub use admission::{admission_file, change_condition};
pub use bounds::{DEEPEST, LONGEST_LIST, LONGEST_TEXTS, MOST_NODES};
pub use documentation::policy_table;
pub use evaluator::{Evaluator, Related};
pub use finding::{EvaluationError, Finding, ObjectReference, Report};
pub use load::{LoadError, PolicyFile};
pub use parameter::{Parameter, ParameterType, ParameterValue};
pub use policy::{Need, Policy, Severity, Validation, Variable};
pub use policy_set::PolicySet;
pub use service_index::ServiceIndex;
pub use settings::{PolicySettings, Settings, SettingsError};
pub use subject::{ResourceRule, Subject};
pub use value::from_json;

/// The crate that evaluates expressions, for tests that evaluate the chart's.
pub use kube_cel::cel;

/// What every expression may call: the functions that Kubernetes adds to the language.
pub fn new_context() -> cel::Context<'static> {
    functions::context()
}

/// An expression as Kubernetes reads it, optional fields included.
///
/// # Errors
/// Where it is no expression, or one of a kind that is not evaluated here.
pub fn parse(expression: &str) -> Result<cel::IdedExpr, String> {
    expression::parse(expression)
}

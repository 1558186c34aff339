//! What is to be said against the objects of a cluster.
//!
//! [`Assessment`] is fed with objects as the API server sends them, and tells findings: those of the posture policies, of the
//! Pod Security Standards, of the graph of roles and bindings, of what can be reached from outside, and what others (Gatekeeper, policy
//! reports, admission policies) found. Pure: no I/O, no clock of its own. It keeps of an object what its findings need, not
//! the object: texts that several share once, and of the findings themselves no text at all.

mod assessment;
mod changes;
mod checks;
mod exposure;
mod kind;
mod ledger;
mod names;
mod object;
mod offences;
mod part;
mod places;
mod pod_security;
mod problems;
mod reports;
mod rights;
mod settings;
mod siblings;
mod workload;

pub use assessment::Assessment;
pub use changes::Changes;
pub use checks::{CHECKS, Check, check_table};
pub use problems::Problems;
pub use reports::{ADMISSION_FAILURE, admission_findings};
pub use settings::{AssessmentError, AssessmentSettings};
pub use workload::passed_by;

//! Cases beside rules: acts and requests in YAML, and whether they raise an alert. docs/rule-authors.md describes the format.
//!
//! The crate is pure: it takes names and texts of files, and does no I/O.

mod audit;
mod case;
mod judge;
mod read;

pub use audit::CaseAudit;
pub use case::{
    Case, CaseContainer, CaseDns, CaseFile, CaseNetwork, CaseProcess, CaseSystem, RuleCases, Scene,
};
pub use judge::{Failure, Wrong, judge};
pub use read::{CaseError, read_acts, read_cases};

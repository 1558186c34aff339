//! What is concluded about the cluster's objects, as findings: on a thread of its own, since it may take long.

mod assessor;
mod config;
mod input;
mod telling;

pub(crate) use assessor::Assessor;
pub use config::AssessConfig;
pub(crate) use input::{Input, Message, input};

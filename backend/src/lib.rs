//! The backend: what the nodes' publishers send becomes alerts on a page.
//!
//! In the order in which data flows: [`ingest`] takes envelopes over TLS from who proves to be a publisher,
//! [`store`] keeps each record exactly once, [`alerts`] completes alerts with what
//! became known later and follows new ones, [`api`] answers in JSON, [`console`]
//! is the page at `/`; [`enrolment`] gives nodes their certificates. [`app`] wires them together.

pub mod alerts;
pub mod api;
pub mod app;
pub mod config;
pub mod console;
pub mod enrolment;
mod hexadecimal;
pub mod ingest;
mod metric_names;
pub mod store;

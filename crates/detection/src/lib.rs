//! The rule language, and the engine that evaluates it.
//!
//! Rules are written in Falco's rule language, so rule files that already exist load here. The way of a rule is
//!
//! ```text
//! files ─load─▶ items ─collect─▶ lists, macros, rules ─lower─▶ one graph of conditions ─compile─▶ index by event type
//!                                                                     act ─evaluate─▶ matches ─▶ alerts
//! ```
//!
//! The crate is pure: it takes names and texts of files and events of [`event_model`], and does no I/O.
//!
//! # Use
//!
//! ```
//! use detection::{Act, Engine, EventType, RuleSet, SourceFile};
//! use event_model::{Event, EventKind, Host, Process, Timestamp};
//!
//! let text = "
//! - rule: Netcat
//!   desc: Netcat was started.
//!   condition: evt.type = execve and proc.name in (nc, ncat)
//!   output: netcat | command=%proc.cmdline
//!   priority: NOTICE
//! ";
//! // All errors of all files come at once: a LoadError, whose Display reads like a compiler's output.
//! let rules = RuleSet::load(&[SourceFile { name: "rules/mine.yaml", text }])?;
//! assert!(rules.warnings().is_empty());
//! // Nothing can fail any more.
//! let engine = Engine::compile(rules);
//! assert!(engine.event_types().contains(EventType::EXECVE));
//! assert!(engine.blind_rules(|event_type| event_type == EventType::EXECVE).is_empty());
//!
//! let process = Process { name: "nc".to_owned(), ..Process::default() };
//! let event = Event {
//!     time: Timestamp::now(),
//!     process: process.reference,
//!     container: None,
//!     kind: EventKind::Exec,
//! };
//! let host = Host::default();
//! let act = Act {
//!     event: &event,
//!     process: &process,
//!     ancestors: &[],
//!     container: None,
//!     host: &host,
//!     remote_name: None,
//!     is_on_sensor: false,
//!     environment: None,
//!     login_name: None,
//!     group_name: None,
//! };
//! for matched in engine.evaluate(&act) {
//!     let alert = matched.into_alert(&act, Timestamp::now());
//!     assert_eq!(alert.message, "netcat | command=nc");
//! }
//! # Ok::<(), detection::LoadError>(())
//! ```

mod act;
mod addition;
mod condition;
mod diagnostic;
mod documentation;
mod domain_set;
mod engine;
mod event_source;
mod event_type;
mod explanation;
mod field;
mod graph;
mod guard;
mod index;
mod load;
mod lower;
mod memory;
mod mention;
mod network;
mod network_set;
mod outline;
mod output;
mod paths;
mod rule;
mod shared_parts;
mod source;
mod suppression;
mod test;
mod transform;
mod why;

pub use act::{Act, AuditAct};
pub use addition::ListAddition;
pub use diagnostic::{Diagnostic, LoadError, Severity};
pub use documentation::{event_type_table, field_table, rule_table};
pub use domain_set::is_domain;
pub use engine::{Engine, Match};
pub use event_source::EventSource;
pub use event_type::{EventType, EventTypes};
pub use explanation::Explanation;
pub use field::{Argument, Field, Kind, Provider, fields};
pub use memory::{BaselinesError, Tally};
pub use network::is_network;
pub use paths::WantedPaths;
pub use rule::{Rule, RuleSet};
pub use source::{SourceFile, Sources};
pub use suppression::Suppression;
pub use why::{Truth, Why, WhyPart};

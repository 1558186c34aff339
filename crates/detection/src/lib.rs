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
//! ```text
//! // All errors of all files come at once; LoadError is an Error, its Display reads like a compiler's output.
//! let rules: RuleSet = RuleSet::load(&[SourceFile { name: "rules/execution.yaml", text: &text }])?;
//! for warning in rules.warnings() { tracing::warn!("{warning}") }        // &[Diagnostic]
//! let engine: Engine = Engine::compile(rules);                          // cannot fail
//!
//! engine.rules_loaded();                                                // u32, enabled rules
//! engine.rules();                                                       // &[Rule]: name, priority, tags, fields(), event_types()
//! engine.event_types();                                                 // &EventTypes: what the rules want to see
//! engine.blind_rules(|event_type| sensor_sees(event_type));             // Vec<event_model::BlindRule>
//!
//! let act = Act {
//!     event: &event,
//!     process: &process,              // after an exec: the new program
//!     ancestors: &[&parent, &grandparent],  // parent first
//!     container: container.as_ref(),  // None on the host, and while nothing but its id is known
//!     host: &host,
//! };
//! for matched in engine.evaluate(&act) {                                // in the order of the files
//!     let alert: event_model::Alert = matched.into_alert(&act, Timestamp::now());
//! }
//! ```

mod act;
mod condition;
mod diagnostic;
mod documentation;
mod engine;
mod event_type;
mod field;
mod graph;
mod load;
mod lower;
mod output;
mod rule;
mod source;
mod test;
mod transform;

pub use act::Act;
pub use diagnostic::{Diagnostic, LoadError, Severity};
pub use documentation::{field_table, rule_table};
pub use engine::{Engine, Match};
pub use event_type::{EventType, EventTypes};
pub use field::{Argument, Field, Kind, Provider, fields};
pub use rule::{Rule, RuleSet};
pub use source::SourceFile;

//! Rules, ready to be compiled.

use crate::addition::ListAddition;
use crate::burst::Burst;
use crate::diagnostic::{Diagnostic, LoadError};
use crate::event_source::EventSource;
use crate::event_type::EventTypes;
use crate::field::Field;
use crate::graph::{Graph, NodeId};
use crate::output::Template;
use crate::source::SourceFile;
use event_model::Priority;

/// A rule that is switched on.
#[derive(Debug)]
pub struct Rule {
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) priority: Priority,
    pub(crate) tags: Vec<String>,
    pub(crate) source: EventSource,
    pub(crate) enabled: bool,
    pub(crate) output: Template,
    pub(crate) condition: NodeId,
    pub(crate) fields: Vec<&'static Field>,
    pub(crate) event_types: EventTypes,
    pub(crate) burst: Option<Burst>,
}

impl Rule {
    /// The name, which no other rule has.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it finds and why that matters, in its author's words.
    pub fn description(&self) -> &str {
        &self.description
    }

    /// How urgent its author holds a match to be.
    pub fn priority(&self) -> Priority {
        self.priority
    }

    /// MITRE techniques, ids of known alerts, and other words to sort rules by.
    pub fn tags(&self) -> &[String] {
        &self.tags
    }

    /// Which events it is about.
    pub fn source(&self) -> EventSource {
        self.source
    }

    /// The fields that its condition compares.
    pub fn fields(&self) -> &[&'static Field] {
        &self.fields
    }

    /// The types of acts that it can match; none for rules of another source than acts.
    pub fn event_types(&self) -> &EventTypes {
        &self.event_types
    }
}

/// The rules of some files, checked: nothing in them can fail any more.
#[derive(Debug)]
pub struct RuleSet {
    pub(crate) rules: Vec<Rule>,
    pub(crate) graph: Graph,
    pub(crate) warnings: Vec<Diagnostic>,
    pub(crate) unused_additions: Vec<String>,
}

impl RuleSet {
    /// Loads rule files. Later files override earlier ones, so their order matters.
    ///
    /// # Errors
    /// Every error of every file at once.
    pub fn load(files: &[SourceFile<'_>]) -> Result<Self, LoadError> {
        Self::load_with(files, &[])
    }

    /// The same, with values for lists that the files define.
    ///
    /// # Errors
    /// Every error of every file at once.
    pub fn load_with(
        files: &[SourceFile<'_>],
        additions: &[ListAddition],
    ) -> Result<Self, LoadError> {
        crate::load::load(files, additions)
    }

    /// The lists that were to be added to and that no file defines.
    pub fn unused_additions(&self) -> &[String] {
        &self.unused_additions
    }

    /// The rules that are switched on, in the order of their names' first occurrence.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// What is likely not meant as it is written.
    pub fn warnings(&self) -> &[Diagnostic] {
        &self.warnings
    }
}

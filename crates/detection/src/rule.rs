//! Rules, ready to be compiled.

use crate::diagnostic::{Diagnostic, LoadError};
use crate::event_source::EventSource;
use crate::event_type::EventTypes;
use crate::field::Field;
use crate::graph::{Graph, NodeId};
use crate::memory::{Fingerprint, Stateful, Step};
use crate::outline::Outline;
use crate::output::Template;
use crate::source::{SourceFile, Sources};
use crate::suppression::{LoadedSuppression, Suppression};
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
    /// The condition as it was written.
    pub(crate) outline: Outline,
    pub(crate) fields: Vec<&'static Field>,
    pub(crate) event_types: EventTypes,
    pub(crate) stateful: Option<Stateful>,
    /// Of what it says, where it remembers acts. Set when the rules are compiled.
    pub(crate) fingerprint: Fingerprint,
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

    /// Whether it compares or prints the environment of programs.
    pub fn wants_environment(&self) -> bool {
        const NAME: &str = "proc.env";
        let mut remembered = self.stateful.iter().flat_map(Stateful::fields);
        self.fields.iter().any(|field| field.name == NAME)
            || remembered.any(|field| field.field.name == NAME)
            || self.output.prints(NAME)
    }

    /// The fields that its condition compares.
    pub fn fields(&self) -> &[&'static Field] {
        &self.fields
    }

    /// Whether its alert depends on acts before the one that it is about.
    pub fn remembers(&self) -> bool {
        self.stateful.is_some()
    }

    /// The acts that must come before.
    pub(crate) fn steps(&self) -> &[Step] {
        self.stateful.as_ref().map_or(&[], Stateful::steps)
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
    pub(crate) suppressions: Vec<LoadedSuppression>,
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
        Self::load_from(Sources { rules: files, ..Sources::default() })
    }

    /// Loads rule files with what belongs to them.
    ///
    /// # Errors
    /// Every error of every file at once.
    pub fn load_from(sources: Sources<'_>) -> Result<Self, LoadError> {
        crate::load::load(sources)
    }

    /// The rules of one source alone, with the suppressions of their alerts.
    #[must_use]
    pub fn of_source(mut self, source: EventSource) -> Self {
        let kept = self.rules.iter().map(|rule| rule.source == source);
        let places: Vec<Option<usize>> = kept
            .scan(0, |next, is_kept| {
                let place = is_kept.then_some(*next);
                *next += usize::from(is_kept);
                Some(place)
            })
            .collect();
        self.rules.retain(|rule| rule.source == source);
        for loaded in &mut self.suppressions {
            loaded.rules = loaded.rules.iter().filter_map(|place| places[*place]).collect();
        }
        self
    }

    /// The suppressions, in the order of their files.
    pub fn suppressions(&self) -> impl Iterator<Item = &Suppression> {
        self.suppressions.iter().map(|loaded| &loaded.suppression)
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

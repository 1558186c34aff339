//! Policies that can be asked.

use crate::load::{self, LoadedPolicy, SharedVariable};
use crate::{LoadError, Policy, PolicyFile, Variable, expression};
use std::collections::BTreeSet;

/// Policies and the variables that they share, read and checked.
#[derive(Clone, Debug, Default)]
pub struct PolicySet {
    pub(crate) variables: Vec<SharedVariable>,
    pub(crate) policies: Vec<LoadedPolicy>,
}

impl PolicySet {
    /// Reads policies, in the order of the files.
    ///
    /// # Errors
    /// The first of a file that can't be used: its line, and the way out.
    pub fn load(files: &[PolicyFile<'_>]) -> Result<Self, LoadError> {
        load::load(files)
    }

    /// In the order of their files.
    pub fn policies(&self) -> impl ExactSizeIterator<Item = &Policy> {
        self.policies.iter().map(|loaded| &loaded.policy)
    }

    /// One of them, by its name.
    pub fn policy(&self, name: &str) -> Option<&Policy> {
        self.policies().find(|policy| policy.name == name)
    }

    /// The shared variables that a policy's questions read, each after those that it reads.
    pub fn variables_of(&self, name: &str) -> impl Iterator<Item = &Variable> {
        let loaded = self.policies.iter().filter(move |loaded| loaded.policy.name == name);
        let needs =
            loaded.flat_map(|loaded| &loaded.questions).flat_map(|question| &question.needs);
        let needs: BTreeSet<usize> = needs.copied().collect();
        needs
            .into_iter()
            .filter_map(|place| self.variables.get(place))
            .map(|shared| &shared.variable)
    }

    /// The fields that a policy's expressions name, those of the variables that they read included, and the texts in them.
    /// A field that is not among them can be read only by going through all fields of what holds it.
    pub fn mentions(&self, name: &str) -> BTreeSet<String> {
        let mut mentioned = BTreeSet::new();
        let loaded = self.policies.iter().filter(|loaded| loaded.policy.name == name);
        for question in loaded.flat_map(|loaded| &loaded.questions) {
            expression::mentions(&question.offenders, &mut mentioned);
            for shared in question.needs.iter().filter_map(|place| self.variables.get(*place)) {
                expression::mentions(&shared.expression, &mut mentioned);
            }
        }
        mentioned
    }

    /// Where the shared variable of this name stands.
    pub(crate) fn variable(&self, name: &str) -> Option<usize> {
        self.variables.iter().position(|shared| shared.variable.name == name)
    }

    /// Variables with all that they read, directly or not. Since a variable reads only those above it, their order is that of need.
    pub(crate) fn with_what_they_read(&self, variables: BTreeSet<usize>) -> BTreeSet<usize> {
        let (mut all, mut rest) = (BTreeSet::new(), Vec::from_iter(variables));
        while let Some(place) = rest.pop() {
            if all.insert(place) {
                rest.extend(self.variables.get(place).into_iter().flat_map(|shared| &shared.reads));
            }
        }
        all
    }
}

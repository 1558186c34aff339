//! Values for lists that stand in no rule file.

use std::collections::HashMap;

/// Values that a list of the rules has beside its own, such as those of a file of threat intelligence.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListAddition {
    /// The list's name, as a rule file defines it.
    pub list: String,
    /// Each is one value as it is: never the name of a list, and commas and quotation marks are its own.
    pub values: Vec<String>,
}

/// By the list's name.
#[derive(Debug, Default)]
pub(crate) struct Additions<'a> {
    by_list: HashMap<&'a str, Vec<&'a str>>,
}

impl<'a> Additions<'a> {
    pub fn new(additions: &'a [ListAddition]) -> Self {
        let mut by_list: HashMap<&str, Vec<&str>> = HashMap::new();
        for addition in additions {
            let values = by_list.entry(&addition.list).or_default();
            values.extend(addition.values.iter().map(String::as_str));
        }
        Self { by_list }
    }

    pub fn of(&self, list: &str) -> &[&'a str] {
        self.by_list.get(list).map_or(&[], Vec::as_slice)
    }

    /// The lists that no rule file defines, in the order of their names.
    pub fn unused(&self, is_defined: impl Fn(&str) -> bool) -> Vec<String> {
        let mut unused: Vec<String> = self
            .by_list
            .keys()
            .filter(|list| !is_defined(list))
            .map(|list| (*list).to_owned())
            .collect();
        unused.sort();
        unused
    }
}

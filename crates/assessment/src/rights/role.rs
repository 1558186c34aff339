use super::power::{Power, Powers, granted};
use crate::names::{Name, Names};
use crate::object::{Subject, entries, items, text, texts};
use serde_json::Value;

/// Most objects that a role names.
const MOST_NAMED: usize = 256;
/// Most labels, selectors, and conditions of a selector.
const MOST_LABELS: usize = 64;

/// A role, by what it leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Role {
    pub(crate) subject: Subject,
    pub(crate) powers: Powers,
    /// Powers over objects of these names alone.
    pub(crate) named: Box<[(Power, Name)]>,
    /// It grants something, whatever it is.
    pub(crate) grants: bool,
    labels: Box<[(Name, Name)]>,
    /// What it takes the rules of others by, those that meet any of them: none where it has its own.
    aggregates: Box<[Selector]>,
}

/// All conditions hold.
type Selector = Box<[Condition]>;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Condition {
    In(Name, Box<[Name]>),
    NotIn(Name, Box<[Name]>),
    Exists(Name),
    DoesNotExist(Name),
}

impl Role {
    pub(crate) fn new(subject: Subject, object: &Value, names: &mut Names) -> Self {
        let mut over_names = vec![];
        let mut powers = Powers::default();
        for rule in items(object, "rules") {
            powers = powers.with(granted(rule, &mut over_names));
        }
        let is_of_cluster = subject.namespace.is_empty();
        let labels = entries(&object["metadata"]["labels"]).filter(|_| is_of_cluster);
        let labels = labels.take(MOST_LABELS).map(|(key, value)| (names.of(key), names.of(value)));
        let labels = labels.collect();
        let over_names = over_names.into_iter().take(MOST_NAMED);
        let over_names = over_names.map(|(power, name)| (power, names.of(name))).collect();
        let selectors = items(&object["aggregationRule"], "clusterRoleSelectors");
        let selectors = selectors.iter().take(MOST_LABELS).map(|one| selector(one, names));
        let aggregates = selectors.collect();
        let grants = !items(object, "rules").is_empty();
        Self { subject, powers, named: over_names, grants, labels, aggregates }
    }

    pub(crate) fn aggregates(&self) -> bool {
        !self.aggregates.is_empty()
    }

    /// Whether it takes this role's rules for its own.
    pub(crate) fn takes(&self, other: &Self) -> bool {
        let value = |key: &Name| other.labels.iter().find(|(label, _)| label == key);
        let holds = |condition: &Condition| match condition {
            Condition::In(key, values) => {
                value(key).is_some_and(|(_, label)| values.contains(label))
            }
            Condition::NotIn(key, values) => {
                !value(key).is_some_and(|(_, label)| values.contains(label))
            }
            Condition::Exists(key) => value(key).is_some(),
            Condition::DoesNotExist(key) => value(key).is_none(),
        };
        other.subject.namespace.is_empty()
            && self.aggregates.iter().any(|selector| selector.iter().all(holds))
    }
}

fn selector(selector: &Value, names: &mut Names) -> Selector {
    let mut conditions = vec![];
    for (key, value) in entries(&selector["matchLabels"]).take(MOST_LABELS) {
        conditions.push(Condition::In(names.of(key), [names.of(value)].into()));
    }
    for expression in items(selector, "matchExpressions").iter().take(MOST_LABELS) {
        let key = names.of(text(expression, "key"));
        let values = texts(expression, "values").take(MOST_LABELS).map(|value| names.of(value));
        let values = values.collect();
        conditions.push(match text(expression, "operator") {
            "In" => Condition::In(key, values),
            "NotIn" => Condition::NotIn(key, values),
            "Exists" => Condition::Exists(key),
            _ => Condition::DoesNotExist(key),
        });
    }
    conditions.into()
}

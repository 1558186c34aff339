//! The conditions of all rules as one graph, in which equal parts stand once.

use crate::condition::Transformer;
use crate::field::{Facts, FieldUse, Value};
use crate::shared_parts::{Memo, SharedParts};
use crate::test::Test;
use crate::transform::transformed;
use std::collections::HashMap;

/// A part of a condition.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Node {
    Constant(bool),
    Check(CheckId),
    Not(NodeId),
    And(Box<[NodeId]>),
    Or(Box<[NodeId]>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct NodeId(u32);

impl NodeId {
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    #[cfg(test)]
    pub fn of(place: usize) -> Self {
        Self(index(place))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct CheckId(u32);

/// A field and what is asked of it.
#[derive(Debug)]
pub(crate) struct Check {
    pub field: FieldUse,
    /// The outermost first, as written.
    pub transformers: Box<[Transformer]>,
    pub test: Test,
    /// Of a field that has several values, each must pass.
    pub each: bool,
}

/// How large a node is when everything that is shared is written out, and how deep it goes.
#[derive(Clone, Copy, Debug)]
struct Extent {
    size: u64,
    depth: u32,
}

/// All nodes and checks.
#[derive(Debug, Default)]
pub(crate) struct Graph {
    nodes: Vec<Node>,
    extents: Vec<Extent>,
    known_nodes: HashMap<Node, NodeId>,
    checks: Vec<Check>,
    /// By the check's text.
    known_checks: HashMap<String, CheckId>,
    shared: SharedParts,
}

impl Graph {
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.0 as usize]
    }

    pub fn check(&self, id: CheckId) -> &Check {
        &self.checks[id.0 as usize]
    }

    /// The checks with their texts.
    pub fn check_texts(&self) -> impl Iterator<Item = (CheckId, &str)> {
        self.known_checks.iter().map(|(text, id)| (*id, text.as_str()))
    }

    /// Nodes of the condition when nothing is shared: the most that one evaluation visits.
    pub fn size(&self, id: NodeId) -> u64 {
        self.extents[id.0 as usize].size
    }

    pub fn depth(&self, id: NodeId) -> u32 {
        self.extents[id.0 as usize].depth
    }

    pub fn constant(&mut self, truth: bool) -> NodeId {
        self.insert(Node::Constant(truth))
    }

    /// A check; `text` tells it from all others.
    pub fn add_check(&mut self, text: String, check: impl FnOnce() -> Check) -> NodeId {
        let next = CheckId(index(self.checks.len()));
        let id = *self.known_checks.entry(text).or_insert(next);
        if id == next {
            self.checks.push(check());
        }
        self.insert(Node::Check(id))
    }

    pub fn not(&mut self, part: NodeId) -> NodeId {
        match *self.node(part) {
            Node::Constant(truth) => self.constant(!truth),
            Node::Not(inner) => inner,
            _ => self.insert(Node::Not(part)),
        }
    }

    pub fn and(&mut self, parts: impl IntoIterator<Item = NodeId>) -> NodeId {
        self.junction(parts, true)
    }

    pub fn or(&mut self, parts: impl IntoIterator<Item = NodeId>) -> NodeId {
        self.junction(parts, false)
    }

    /// A conjunction has the neutral part `true`, a disjunction `false`; the other constant decides alone.
    fn junction(&mut self, parts: impl IntoIterator<Item = NodeId>, neutral: bool) -> NodeId {
        let mut flat: Vec<NodeId> = Vec::new();
        for part in parts {
            match (self.node(part), neutral) {
                (Node::Constant(truth), _) if *truth == neutral => {}
                (Node::Constant(_), _) => return part,
                (Node::And(inner), true) | (Node::Or(inner), false) => {
                    let fresh: Vec<NodeId> =
                        inner.iter().copied().filter(|id| !flat.contains(id)).collect();
                    flat.extend(fresh);
                }
                _ if flat.contains(&part) => {}
                _ => flat.push(part),
            }
        }
        match (flat.as_slice(), neutral) {
            ([], _) => self.constant(neutral),
            ([only], _) => *only,
            (_, true) => self.insert(Node::And(flat.into())),
            (_, false) => self.insert(Node::Or(flat.into())),
        }
    }

    fn insert(&mut self, node: Node) -> NodeId {
        if let Some(id) = self.known_nodes.get(&node) {
            return *id;
        }
        let id = NodeId(index(self.nodes.len()));
        self.extents.push(self.extent(&node));
        self.known_nodes.insert(node.clone(), id);
        self.nodes.push(node);
        id
    }

    fn extent(&self, node: &Node) -> Extent {
        let parts: &[NodeId] = match node {
            Node::Constant(_) | Node::Check(_) => &[],
            Node::Not(part) => std::slice::from_ref(part),
            Node::And(parts) | Node::Or(parts) => parts,
        };
        let size = parts.iter().fold(1_u64, |sum, part| sum.saturating_add(self.size(*part)));
        let depth = parts.iter().map(|part| self.depth(*part)).max().unwrap_or(0);
        Extent { size, depth: depth + 1 }
    }

    /// Rebuilds a condition with some of its checks decided in advance.
    pub fn specialised(
        &mut self,
        id: NodeId,
        decide: &dyn Fn(&Check) -> Option<bool>,
        done: &mut HashMap<NodeId, NodeId>,
    ) -> NodeId {
        if let Some(known) = done.get(&id) {
            return *known;
        }
        let special = match self.node(id).clone() {
            Node::Constant(_) => id,
            Node::Check(check) => match decide(self.check(check)) {
                Some(truth) => self.constant(truth),
                None => id,
            },
            Node::Not(part) => {
                let part = self.specialised(part, decide, done);
                self.not(part)
            }
            Node::And(parts) => {
                let parts: Vec<NodeId> =
                    parts.iter().map(|part| self.specialised(*part, decide, done)).collect();
                self.and(parts)
            }
            Node::Or(parts) => {
                let parts: Vec<NodeId> =
                    parts.iter().map(|part| self.specialised(*part, decide, done)).collect();
                self.or(parts)
            }
        };
        done.insert(id, special);
        special
    }

    /// Calls `visit` for each check of a condition, for some of them more than once.
    pub fn visit_checks(&self, id: NodeId, visit: &mut dyn FnMut(&Check)) {
        match self.node(id) {
            Node::Constant(_) => {}
            Node::Check(check) => visit(self.check(*check)),
            Node::Not(part) => self.visit_checks(*part, visit),
            Node::And(parts) | Node::Or(parts) => {
                parts.iter().for_each(|part| self.visit_checks(*part, visit));
            }
        }
    }

    /// Finds what these conditions share, which is then asked once an act.
    pub fn share(&mut self, conditions: impl Iterator<Item = NodeId>) {
        let mut uses = vec![0; self.nodes.len()];
        conditions.for_each(|condition| self.count_uses(condition, &mut uses));
        self.shared = SharedParts::new(&uses);
    }

    fn count_uses(&self, id: NodeId, uses: &mut [u32]) {
        uses[id.index()] += 1;
        if uses[id.index()] > 1 {
            return;
        }
        match self.node(id) {
            Node::Constant(_) | Node::Check(_) => {}
            Node::Not(part) => self.count_uses(*part, uses),
            Node::And(parts) | Node::Or(parts) => {
                parts.iter().for_each(|part| self.count_uses(*part, uses));
            }
        }
    }

    /// Whether a condition holds. `memo` is of these facts alone.
    pub fn holds(&self, id: NodeId, facts: &Facts<'_>, memo: &mut Memo) -> bool {
        let Some(place) = self.shared.place(id) else { return self.ask(id, facts, memo) };
        memo.get(place).unwrap_or_else(|| {
            let truth = self.ask(id, facts, memo);
            memo.set(place, truth);
            truth
        })
    }

    fn ask(&self, id: NodeId, facts: &Facts<'_>, memo: &mut Memo) -> bool {
        match self.node(id) {
            Node::Constant(truth) => *truth,
            Node::Check(check) => self.check(*check).holds(facts),
            Node::Not(part) => !self.holds(*part, facts, memo),
            Node::And(parts) => parts.iter().all(|part| self.holds(*part, facts, memo)),
            Node::Or(parts) => parts.iter().any(|part| self.holds(*part, facts, memo)),
        }
    }

    /// The checks that make a condition hold: all of a conjunction, the first that holds of a disjunction. What is
    /// negated did not hold, and is no evidence.
    pub fn evidence<'g>(
        &'g self,
        id: NodeId,
        facts: &Facts<'_>,
        memo: &mut Memo,
        found: &mut Vec<&'g Check>,
    ) {
        match self.node(id) {
            Node::Constant(_) | Node::Not(_) => {}
            Node::Check(check) => found.push(self.check(*check)),
            Node::And(parts) => {
                parts.iter().for_each(|part| self.evidence(*part, facts, memo, found));
            }
            Node::Or(parts) => {
                if let Some(part) = parts.iter().find(|part| self.holds(**part, facts, memo)) {
                    self.evidence(*part, facts, memo, found);
                }
            }
        }
    }
}

/// More than 2^32 parts would need a file of that size, which the loader refuses.
fn index(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

impl Check {
    /// The value for which the check holds: of several, the first that does.
    pub fn value_that_holds<'f>(&self, facts: &'f Facts<'_>) -> Option<Value<'f>> {
        self.field.access.find(facts, self.each, |value| {
            self.test.holds(&transformed(&self.transformers, value))
        })
    }

    pub fn holds(&self, facts: &Facts<'_>) -> bool {
        if self.transformers.is_empty() {
            return self.field.access.satisfies(facts, self.each, |value| self.test.holds(value));
        }
        self.field.access.satisfies(facts, self.each, |value| {
            self.test.holds(&transformed(&self.transformers, value))
        })
    }
}

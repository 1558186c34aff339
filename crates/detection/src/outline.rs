//! A condition as its author wrote it, over the checks of the graph: which parts there are, and which macros they come from.
//! The graph itself no longer knows: there, equal parts stand once and nested ones are merged.

use crate::graph::NodeId;
use std::sync::Arc;

/// A part of a condition. Macros are shared by those that use them.
#[derive(Clone, Debug)]
pub(crate) enum Outline {
    /// A check's node.
    Check(NodeId),
    Not(Box<Outline>),
    And(Box<[Outline]>),
    Or(Box<[Outline]>),
    Macro(Arc<NamedOutline>),
}

/// A macro.
#[derive(Debug)]
pub(crate) struct NamedOutline {
    pub name: Box<str>,
    pub outline: Outline,
}

impl Outline {
    /// A use of a macro.
    pub fn of_macro(name: &str, outline: Self) -> Self {
        Self::Macro(Arc::new(NamedOutline { name: name.into(), outline }))
    }
}

/// A part of a condition that was lowered: what is evaluated, and how it was written.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub node: NodeId,
    pub outline: Outline,
}

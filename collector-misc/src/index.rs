//! What was sent of each object: enough to tell what is new, and no more.

mod entries;
mod uid;

pub(crate) use entries::{Change, Index};

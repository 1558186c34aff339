//! What was sent of each object: enough to tell what is new, and no more.

mod entries;
mod uid_map;

pub(crate) use entries::{Change, Index, News};

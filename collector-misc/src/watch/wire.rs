//! What the API server's answers are made of, cut out of their bytes: objects, each by itself. No more than one is held,
//! and none that is larger than [`LARGEST_OBJECT`].

mod items;
mod lines;

pub(crate) use items::{Items, Page};
pub(crate) use lines::Lines;

/// The largest object that is read: twice what etcd takes by default (1.5 MiB).
pub(crate) const LARGEST_OBJECT: usize = 3 << 20;

/// What is kept of a larger one: its metadata stands at its beginning.
const BEGINNING: usize = 64 << 10;

/// An object's bytes as the API server sent them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Piece<'a> {
    Whole(&'a [u8]),
    /// It was larger than is read.
    TooLarge {
        beginning: &'a [u8],
        bytes: usize,
    },
}

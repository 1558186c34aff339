//! The crash test stands in `tests/`.

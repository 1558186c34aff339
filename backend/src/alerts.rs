//! Alerts as people and programs read them: completed with what became known after they were
//! made, and followed as they arrive.

mod completion;
mod follow;

pub use completion::{CompleteAlert, complete, complete_container};
pub use follow::{Followed, follow};

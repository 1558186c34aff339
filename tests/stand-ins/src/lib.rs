//! What tests of the link and of the publisher put in the place of the real thing.

mod collector;
mod killable;

pub use collector::{description, event, event_numbers};
pub use killable::Killable;

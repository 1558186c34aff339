//! What the posture policies say of objects: who offends, held so that objects alike share it.

mod cache;
mod examiner;
mod offence;
mod reduction;

pub(crate) use examiner::{Examiner, containers};
pub(crate) use offence::{Container, Examined, OffenceList, stand_in};
pub(crate) use reduction::template;

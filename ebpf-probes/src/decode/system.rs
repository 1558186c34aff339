//! `struct system_record`.

use super::act::Head;
use crate::DecodeError;
use crate::fields::Fields;
use event_model::{SystemAct, SystemEvent};

pub fn read(
    head: &Head<'_>,
    act: SystemAct,
    _: &mut Fields<'_>,
) -> Result<SystemEvent, DecodeError> {
    Ok(SystemEvent { act, result: head.result, ..SystemEvent::default() })
}

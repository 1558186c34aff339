//! `struct network_record`.

use super::act::Head;
use crate::DecodeError;
use crate::fields::Fields;
use event_model::{NetworkAct, NetworkEvent};

pub fn read(
    head: &Head<'_>,
    act: NetworkAct,
    _: &mut Fields<'_>,
) -> Result<NetworkEvent, DecodeError> {
    Ok(NetworkEvent { act, error: head.error(), ..NetworkEvent::default() })
}

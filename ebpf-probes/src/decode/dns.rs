//! `struct dns_record`: a packet of the domain name system.

use super::act::Head;
use crate::DecodeError;
use crate::fields::Fields;
use event_model::DnsEvent;

pub fn read(_: &Head<'_>, _: &mut Fields<'_>) -> Result<DnsEvent, DecodeError> {
    Ok(DnsEvent::default())
}

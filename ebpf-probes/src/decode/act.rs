//! `struct act_head`, and what follows it.

use super::{Header, cgroup_key, dns, file, key, network, system};
use crate::fields::Fields;
use crate::layout::{ACT_RESULT_FOLLOWS, ACT_RESULT_KNOWN, NO_CALL};
use crate::record::error_of;
use crate::{ActRecord, DecodeError, Identity, OutcomeRecord, RecordKind};
use event_model::EventKind;

/// What the subjects' readers need of the head.
pub struct Head<'header> {
    pub header: &'header Header,
    /// What the call returned, where the act has ended.
    pub result: Option<i64>,
}

impl Head<'_> {
    pub const fn has(&self, flag: u16) -> bool {
        self.header.has(flag)
    }

    /// 0, or the error number.
    pub fn error(&self) -> Option<u16> {
        self.result.map(error_of)
    }
}

pub fn read(header: &Header, fields: &mut Fields<'_>) -> Result<ActRecord, DecodeError> {
    let process = key(fields)?;
    let cgroup = cgroup_key(fields)?;
    let result = fields.i64()?;
    let thread = fields.u32()?;
    let call = Some(fields.u32()?).filter(|call| *call != NO_CALL);
    let identity = Identity {
        uid: fields.u32()?,
        euid: fields.u32()?,
        gid: fields.u32()?,
        egid: fields.u32()?,
    };
    let head = Head { header, result: header.has(ACT_RESULT_KNOWN).then_some(result) };
    let mut file_system_path = None;
    let event = match header.kind {
        RecordKind::File(act) => {
            let (event, place) = file::read(&head, act, fields)?;
            file_system_path = place;
            EventKind::File(Box::new(event))
        }
        RecordKind::Network(act) => {
            EventKind::Network(Box::new(network::read(&head, act, fields)?))
        }
        RecordKind::Dns => EventKind::Dns(Box::new(dns::read(&head, fields)?)),
        RecordKind::System(act) => EventKind::System(Box::new(system::read(&head, act, fields)?)),
        other => return Err(DecodeError::Kind(other.number())),
    };
    let outcome_follows = header.has(ACT_RESULT_FOLLOWS);
    let time = header.time;
    Ok(ActRecord {
        time,
        process,
        thread,
        cgroup,
        identity,
        call,
        outcome_follows,
        file_system_path,
        event,
    })
}

/// `struct outcome_record`.
pub fn outcome(header: &Header, fields: &mut Fields<'_>) -> Result<OutcomeRecord, DecodeError> {
    let result = fields.i64()?;
    Ok(OutcomeRecord { time: header.time, result, thread: fields.u32()?, call: fields.u32()? })
}

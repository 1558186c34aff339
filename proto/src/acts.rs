//! Acts on files, sockets and the system, to the wire and back.

use crate::from_wire::{ConversionError, Result, convert_all};
use crate::wire;
use event_model as model;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};

impl From<&model::FileEvent> for wire::FileEvent {
    fn from(event: &model::FileEvent) -> Self {
        Self {
            act: event.act.name().into(),
            path: event.path.clone(),
            path_of_caller: event.path_source == model::PathSource::Caller,
            host_path: event.host_path.clone(),
            other_path: event.other_path.clone(),
            flags: event.flags,
            created: event.created,
            mode: event.mode,
            owner: event.owner,
            group: event.group,
            inode: event.inode,
            device: event.device,
            name: event.name.clone(),
            error: event.error.map(u32::from),
        }
    }
}

impl TryFrom<wire::FileEvent> for model::FileEvent {
    type Error = ConversionError;

    fn try_from(raw: wire::FileEvent) -> Result<Self> {
        Ok(Self {
            act: named(&model::FileAct::ALL, model::FileAct::name, &raw.act, "file.act")?,
            path: raw.path,
            path_source: if raw.path_of_caller {
                model::PathSource::Caller
            } else {
                model::PathSource::Kernel
            },
            host_path: raw.host_path,
            other_path: raw.other_path,
            flags: raw.flags,
            created: raw.created,
            mode: raw.mode,
            owner: raw.owner,
            group: raw.group,
            inode: raw.inode,
            device: raw.device,
            name: raw.name,
            error: raw.error.map(|error| short(error, "file.error")).transpose()?,
        })
    }
}

impl From<&model::NetworkEvent> for wire::NetworkEvent {
    fn from(event: &model::NetworkEvent) -> Self {
        Self {
            act: event.act.name().into(),
            family: event.family.into(),
            protocol: event.protocol.into(),
            socket_type: event.socket_type.into(),
            local: event.local.map(Into::into),
            remote: event.remote.map(Into::into),
            path: event.path.clone(),
            backlog: event.backlog,
            flow: event.flow.map(|flow| wire::Flow {
                inbound: flow.inbound,
                bytes_sent: flow.bytes_sent,
                bytes_received: flow.bytes_received,
                duration: flow.duration,
            }),
            error: event.error.map(u32::from),
        }
    }
}

impl TryFrom<wire::NetworkEvent> for model::NetworkEvent {
    type Error = ConversionError;

    fn try_from(raw: wire::NetworkEvent) -> Result<Self> {
        Ok(Self {
            act: named(&model::NetworkAct::ALL, model::NetworkAct::name, &raw.act, "network.act")?,
            family: short(raw.family, "network.family")?,
            protocol: short(raw.protocol, "network.protocol")?,
            socket_type: short(raw.socket_type, "network.socket_type")?,
            local: raw.local.map(TryInto::try_into).transpose()?,
            remote: raw.remote.map(TryInto::try_into).transpose()?,
            path: raw.path,
            backlog: raw.backlog,
            flow: raw.flow.map(|flow| model::Flow {
                inbound: flow.inbound,
                bytes_sent: flow.bytes_sent,
                bytes_received: flow.bytes_received,
                duration: flow.duration,
            }),
            error: raw.error.map(|error| short(error, "network.error")).transpose()?,
        })
    }
}

impl From<SocketAddr> for wire::SocketAddress {
    fn from(address: SocketAddr) -> Self {
        let scope = if let SocketAddr::V6(address) = address { address.scope_id() } else { 0 };
        let bytes = match address.ip() {
            IpAddr::V4(ip) => ip.octets().to_vec(),
            IpAddr::V6(ip) => ip.octets().to_vec(),
        };
        Self { address: bytes, port: address.port().into(), scope }
    }
}

impl TryFrom<wire::SocketAddress> for SocketAddr {
    type Error = ConversionError;

    fn try_from(raw: wire::SocketAddress) -> Result<Self> {
        let port = short(raw.port, "address.port")?;
        if let Ok(bytes) = <[u8; 4]>::try_from(raw.address.as_slice()) {
            return Ok(Self::from((bytes, port)));
        }
        match <[u8; 16]>::try_from(raw.address.as_slice()) {
            Ok(bytes) => Ok(SocketAddrV6::new(bytes.into(), port, 0, raw.scope).into()),
            Err(_) => Err(ConversionError::Address { length: raw.address.len() }),
        }
    }
}

impl From<&model::DnsEvent> for wire::DnsEvent {
    fn from(event: &model::DnsEvent) -> Self {
        Self {
            tcp: event.tcp,
            local: event.local.map(Into::into),
            server: event.server.map(Into::into),
            response: event.response,
            id: event.id.into(),
            code: event.code.into(),
            questions: event
                .questions
                .iter()
                .map(|question| wire::DnsQuestion {
                    name: question.name.clone(),
                    record_type: question.record_type.clone(),
                })
                .collect(),
            answers: event
                .answers
                .iter()
                .map(|answer| wire::DnsAnswer {
                    name: answer.name.clone(),
                    record_type: answer.record_type.clone(),
                    ttl: answer.ttl,
                    data: answer.data.clone(),
                })
                .collect(),
            partial: event.partial,
        }
    }
}

impl TryFrom<wire::DnsEvent> for model::DnsEvent {
    type Error = ConversionError;

    fn try_from(raw: wire::DnsEvent) -> Result<Self> {
        Ok(Self {
            tcp: raw.tcp,
            local: raw.local.map(TryInto::try_into).transpose()?,
            server: raw.server.map(TryInto::try_into).transpose()?,
            response: raw.response,
            id: short(raw.id, "dns.id")?,
            code: short(raw.code, "dns.code")?,
            questions: convert_all(raw.questions)?,
            answers: convert_all(raw.answers)?,
            partial: raw.partial,
        })
    }
}

impl TryFrom<wire::DnsQuestion> for model::DnsQuestion {
    type Error = ConversionError;

    fn try_from(raw: wire::DnsQuestion) -> Result<Self> {
        Ok(Self { name: raw.name, record_type: raw.record_type })
    }
}

impl TryFrom<wire::DnsAnswer> for model::DnsAnswer {
    type Error = ConversionError;

    fn try_from(raw: wire::DnsAnswer) -> Result<Self> {
        let wire::DnsAnswer { name, record_type, ttl, data } = raw;
        Ok(Self { name, record_type, ttl, data })
    }
}

impl From<&model::SystemEvent> for wire::SystemEvent {
    fn from(event: &model::SystemEvent) -> Self {
        let argument = |argument: &model::Argument| wire::Argument {
            name: argument.name.clone(),
            value: argument.value.clone(),
        };
        Self {
            act: event.act.name().into(),
            arguments: event.arguments.iter().map(argument).collect(),
            target: event.target.as_ref().map(Into::into),
            result: event.result,
        }
    }
}

impl TryFrom<wire::SystemEvent> for model::SystemEvent {
    type Error = ConversionError;

    fn try_from(raw: wire::SystemEvent) -> Result<Self> {
        let argument = |argument: wire::Argument| model::Argument {
            name: argument.name,
            value: argument.value,
        };
        Ok(Self {
            act: named(model::SystemAct::ALL, model::SystemAct::name, &raw.act, "system.act")?,
            arguments: raw.arguments.into_iter().map(argument).collect(),
            target: raw.target.map(Into::into),
            result: raw.result,
        })
    }
}

fn named<T: Copy>(
    all: &[T],
    name: impl Fn(T) -> &'static str,
    wanted: &str,
    field: &'static str,
) -> Result<T> {
    let found = all.iter().copied().find(|one| name(*one) == wanted);
    found.ok_or_else(|| ConversionError::UnknownName { field, name: wanted.to_owned() })
}

fn short(value: u32, field: &'static str) -> Result<u16> {
    u16::try_from(value).map_err(|_| ConversionError::Unknown { field, value: value.into() })
}

//! Records as the store keeps them: the protobuf of the wire, which is a third of JSON's size
//! and whose readers take what older versions wrote.

use super::error::StoreError;
use event_model::{
    Alert, AuditEvent, Container, Event, EventKind, Host, InventoryItem, KubernetesEvent,
    KubernetesObject, Process, ProcessRef, SensorStatus,
};
use prost::Message;
use proto::wire;

/// A record that the store keeps whole.
pub(crate) trait Body: Sized {
    /// The message of the wire.
    type Wire: Message + Default;

    fn to_wire(&self) -> Self::Wire;
    fn from_wire(wire: Self::Wire) -> Result<Self, proto::ConversionError>;

    fn encode(&self) -> Vec<u8> {
        self.to_wire().encode_to_vec()
    }

    fn decode(bytes: &[u8]) -> Result<Self, StoreError> {
        let wire =
            Self::Wire::decode(bytes).map_err(|error| StoreError::Record(error.to_string()))?;
        Self::from_wire(wire).map_err(|error| StoreError::Record(error.to_string()))
    }
}

macro_rules! body {
    ($model:ty, $wire:ty, $read:expr) => {
        impl Body for $model {
            type Wire = $wire;

            fn to_wire(&self) -> Self::Wire {
                self.into()
            }

            fn from_wire(wire: Self::Wire) -> Result<Self, proto::ConversionError> {
                let read: fn(Self::Wire) -> Result<Self, proto::ConversionError> = $read;
                read(wire)
            }
        }
    };
}

body!(Alert, wire::Alert, |wire| wire.try_into());
body!(Process, wire::Process, |wire| wire.try_into());
body!(SensorStatus, wire::SensorStatus, |wire| wire.try_into());
body!(Host, wire::Host, |wire| wire.try_into());
body!(AuditEvent, wire::AuditEvent, |wire| wire.try_into());
body!(InventoryItem, wire::InventoryItem, |wire| wire.try_into());
body!(Container, wire::Container, |wire| Ok(wire.into()));
body!(KubernetesEvent, wire::KubernetesEvent, |wire| wire.try_into());
body!(KubernetesObject, wire::KubernetesObject, |wire| Ok(wire.into()));

/// What columns do not hold of an event: its kind's particulars.
pub(crate) fn encode_kind(event: &Event) -> Vec<u8> {
    let kind = wire::Event::from(event).kind;
    wire::Event { kind, ..wire::Event::default() }.encode_to_vec()
}

pub(crate) fn decode_kind(bytes: &[u8]) -> Result<EventKind, StoreError> {
    let mut wire =
        wire::Event::decode(bytes).map_err(|error| StoreError::Record(error.to_string()))?;
    wire.process = Some((&ProcessRef::default()).into());
    let event = Event::try_from(wire).map_err(|error| StoreError::Record(error.to_string()))?;
    Ok(event.kind)
}

#[cfg(test)]
mod tests {
    use super::*;
    use event_model::{
        Argument, DnsAnswer, DnsEvent, DnsQuestion, ExitStatus, FileAct, FileEvent, Flow,
        NetworkAct, NetworkEvent, PathSource, ProcessKey, SystemAct, SystemEvent, Timestamp,
    };

    fn event(kind: EventKind) -> Event {
        Event { time: Timestamp(1), process: ProcessRef::default(), container: None, kind }
    }

    #[test]
    fn what_was_done_to_what_is_kept_whole() {
        let file = FileEvent {
            act: FileAct::Mount,
            path: "/mnt".into(),
            path_source: PathSource::Caller,
            host_path: Some("/var/lib/x/mnt".into()),
            other_path: Some("/dev/sda1".into()),
            flags: 4096,
            mode: 0o040_755,
            owner: Some(0),
            inode: 3,
            device: 8,
            name: Some("ext4".into()),
            error: Some(13),
            ..FileEvent::default()
        };
        let flow = Flow { inbound: true, bytes_sent: 1, bytes_received: 2, duration: 3 };
        let network = NetworkEvent {
            act: NetworkAct::Close,
            family: 10,
            protocol: 6,
            socket_type: 1,
            local: "[2001:db8::1]:80".parse().ok(),
            remote: "[2001:db8::2]:5555".parse().ok(),
            flow: Some(flow),
            error: Some(0),
            ..NetworkEvent::default()
        };
        let dns = DnsEvent {
            tcp: true,
            server: "10.96.0.10:53".parse().ok(),
            response: true,
            id: 7,
            code: 3,
            questions: vec![DnsQuestion { name: "a.example".into(), record_type: "A".into() }],
            answers: vec![DnsAnswer { data: "192.0.2.1".into(), ttl: 9, ..DnsAnswer::default() }],
            ..DnsEvent::default()
        };
        let system = SystemEvent {
            act: SystemAct::IoUring,
            arguments: vec![Argument { name: "opcode".into(), value: "IORING_OP_CONNECT".into() }],
            target: Some(ProcessRef::default()),
            result: Some(-1),
        };
        for kind in [
            EventKind::File(Box::new(file)),
            EventKind::Network(Box::new(network)),
            EventKind::Dns(Box::new(dns)),
            EventKind::System(Box::new(system)),
        ] {
            let event = event(kind);
            assert_eq!(decode_kind(&encode_kind(&event)).unwrap(), event.kind);
        }
    }

    #[test]
    fn the_particulars_of_each_kind_of_event_are_kept_in_a_few_bytes() {
        for kind in [
            EventKind::Exec,
            EventKind::Fork { child: ProcessKey { pid: 7, start_time: 123_456_789_000 } },
            EventKind::Exit(ExitStatus { code: 3, signal: 0, core_dumped: false }),
            EventKind::Exit(ExitStatus { code: 0, signal: 11, core_dumped: true }),
        ] {
            let event = Event {
                time: Timestamp(1),
                process: ProcessRef::default(),
                container: Some("a".repeat(64).as_str().into()),
                kind,
            };
            let bytes = encode_kind(&event);
            assert!(bytes.len() <= 16, "{} bytes", bytes.len());
            assert_eq!(decode_kind(&bytes).unwrap(), event.kind);
        }
    }
}

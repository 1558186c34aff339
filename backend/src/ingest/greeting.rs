//! The first message of a publisher, and the answer to it.

use event_model::SourceDescription;
use proto::{PROTOCOL_VERSION, wire};
use tonic::Status;

/// A publisher's greeting, understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Greeting {
    /// The version that both will speak.
    pub(super) version: u32,
    /// The publisher's own source.
    pub(super) description: SourceDescription,
}

/// Reads the first message of a stream.
pub(super) fn read(first: Option<wire::ToBackend>) -> Result<Greeting, Status> {
    use wire::to_backend::Message;
    let message = first.and_then(|first| first.message);
    let Some(Message::Hello(hello)) = message else {
        return Err(Status::invalid_argument("the first message must be a Hello"));
    };
    let version = negotiate(hello.minimum_version, hello.maximum_version)?;
    let source = hello.source.ok_or_else(|| Status::invalid_argument("the Hello has no source"))?;
    let description = proto::description_from_wire(source)
        .map_err(|error| Status::invalid_argument(format!("the Hello's source: {error}")))?;
    Ok(Greeting { version, description })
}

fn negotiate(minimum: u32, maximum: u32) -> Result<u32, Status> {
    if (minimum..=maximum).contains(&PROTOCOL_VERSION) {
        return Ok(PROTOCOL_VERSION);
    }
    Err(Status::failed_precondition(format!(
        "the publisher speaks protocol versions {minimum} to {maximum}, this backend {PROTOCOL_VERSION}: \
         upgrade the older of the two"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use event_model::{Component, SourceId};
    use uuid::Uuid;
    use wire::to_backend::Message;

    fn hello(minimum_version: u32, maximum_version: u32) -> wire::ToBackend {
        let description = SourceDescription {
            id: SourceId(Uuid::from_u128(1)),
            component: Component::PublisherDs,
            version: "1.0.0".into(),
            node: "node-1".into(),
            boot_id: Uuid::nil(),
        };
        let source = Some(proto::description_to_wire(&description));
        wire::ToBackend {
            message: Some(Message::Hello(wire::Hello { minimum_version, maximum_version, source })),
        }
    }

    #[test]
    fn the_highest_version_that_both_speak_is_taken() {
        assert_eq!(read(Some(hello(1, 9))).unwrap().version, 1);
    }

    #[test]
    fn a_publisher_of_another_time_is_told_to_upgrade() {
        let status = read(Some(hello(2, 3))).unwrap_err();
        assert_eq!(status.code(), tonic::Code::FailedPrecondition);
        assert!(status.message().contains("versions 2 to 3"), "{status}");
        assert!(read(Some(hello(3, 1))).is_err(), "an empty range");
    }

    #[test]
    fn a_stream_that_does_not_begin_with_a_greeting_is_refused() {
        let envelope =
            wire::ToBackend { message: Some(Message::Envelope(wire::Envelope::default())) };
        for first in [None, Some(wire::ToBackend { message: None }), Some(envelope)] {
            assert_eq!(read(first).unwrap_err().code(), tonic::Code::InvalidArgument);
        }
    }
}

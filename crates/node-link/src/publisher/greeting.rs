use super::refusal::Refusal;
use event_model::SourceDescription;
use proto::wire::to_publisher;
use proto::{NODE_VERSIONS, common_version, description_from_wire, wire};

/// The name of a node is a DNS name of at most 253 bytes (RFC 1123); a version is shorter.
const MAXIMUM_NAME_BYTES: usize = 253;

/// What a collector's greeting comes to.
#[derive(Debug)]
pub(crate) struct Greeting {
    pub(crate) source: SourceDescription,
    /// The highest version that both speak.
    pub(crate) version: u32,
}

/// Reads a collector's greeting: a version that both speak, and who it is.
pub(crate) fn read_hello(message: Option<wire::ToPublisher>) -> Result<Greeting, Refusal> {
    let Some(to_publisher::Message::Hello(hello)) = message.and_then(|it| it.message) else {
        return Err(Refusal::NoGreeting);
    };
    let (minimum, maximum) = (hello.minimum_version, hello.maximum_version);
    let version = common_version(&NODE_VERSIONS, &(minimum..=maximum))
        .ok_or(Refusal::Version { minimum, maximum })?;
    let source = description_from_wire(hello.source.ok_or(Refusal::NoGreeting)?);
    let source = source.map_err(Refusal::Source)?;
    for (field, name) in [("node", &source.node), ("version", &source.version)] {
        if name.len() > MAXIMUM_NAME_BYTES {
            let maximum = MAXIMUM_NAME_BYTES;
            return Err(Refusal::LongName { field, bytes: name.len(), maximum });
        }
    }
    Ok(Greeting { source, version })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hello(minimum_version: u32, maximum_version: u32) -> wire::ToPublisher {
        let source = Some(wire::SourceDescription {
            source_id: vec![7; 16],
            component: wire::Component::CollectorDs.into(),
            version: "1.2.3".into(),
            node: "node-1".into(),
            boot_id: vec![9; 16],
        });
        let hello = wire::Hello { minimum_version, maximum_version, source };
        wire::ToPublisher { message: Some(to_publisher::Message::Hello(hello)) }
    }

    #[test]
    fn a_collector_that_also_speaks_later_versions_is_understood() {
        let greeting = read_hello(Some(hello(1, 9))).unwrap();
        let source = greeting.source;
        assert_eq!((source.node.as_str(), source.version.as_str()), ("node-1", "1.2.3"));
        assert_eq!(greeting.version, *NODE_VERSIONS.end());
    }

    #[test]
    fn with_a_collector_of_the_release_before_its_version_is_spoken() {
        assert_eq!(read_hello(Some(hello(1, 1))).unwrap().version, 1);
    }

    #[test]
    fn a_collector_of_another_version_is_told_both_versions() {
        let refusal = read_hello(Some(hello(7, 9))).unwrap_err().to_string();
        assert!(refusal.contains("versions 7 to 9"), "{refusal}");
        assert!(refusal.contains("speaks 1 to 2"), "{refusal}");
    }

    #[test]
    fn a_node_or_version_of_boundless_length_is_refused_by_its_name() {
        for field in ["node", "version"] {
            let mut greeting = hello(1, 1);
            let Some(to_publisher::Message::Hello(hello)) = &mut greeting.message else { panic!() };
            let source = hello.source.as_mut().unwrap();
            let name = if field == "node" { &mut source.node } else { &mut source.version };
            *name = "n".repeat(254);
            let refusal = read_hello(Some(greeting)).unwrap_err().to_string();
            assert!(refusal.contains(field) && refusal.contains("254 bytes"), "{refusal}");
        }
    }

    #[test]
    fn an_envelope_or_nothing_is_no_greeting() {
        let envelope = to_publisher::Message::Envelope(wire::Envelope::default());
        let early = wire::ToPublisher { message: Some(envelope) };
        assert!(matches!(read_hello(Some(early)), Err(Refusal::NoGreeting)));
        assert!(matches!(read_hello(None), Err(Refusal::NoGreeting)));
    }
}

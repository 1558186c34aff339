//! The codec gives back what it was given, and takes any bytes without a panic.

use event_model::{
    Alert, AlertSubject, Argument, AuditEvent, AuditObject, AuditUser, BlindRule, ClusterFacts,
    Component, Container, Credentials, DnsAnswer, DnsEvent, DnsQuestion, Event, EventKind,
    Executable, ExitStatus, FileAct, FileEvent, Finding, FindingSeverity, FindingSource, Flow,
    HeldAlerts, HeldReason, Host, Image, Inventory, InventoryItem, InventoryKind, InventorySubject,
    KubernetesCensus, KubernetesContainer, KubernetesEvent, KubernetesObject, Lane, ListeningPort,
    Loss, LossReason, MatchedField, NetworkAct, NetworkEvent, ObjectReference, OwnerReference,
    Package, PackageManager, PasswordState, PathSource, Pod, Priority, ProbeCoverage, ProbeState,
    Process, ProcessKey, ProcessRef, Record, SensorStatus, SourceDescription, SourceId, SystemAct,
    SystemEvent, Timestamp, TransportProtocol, UserAccount,
};
use proptest::collection::{btree_map, btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use prost::Message;
use prost::bytes::Bytes;
use proto::{BatchError, Envelope, EnvelopeError, decode_batch, encode_batch, wire};
use std::io::Write;
use std::net::{SocketAddr, SocketAddrV6};
use uuid::Uuid;

fn text() -> impl Strategy<Value = String> {
    "\\PC{0,24}"
}

fn time() -> impl Strategy<Value = Timestamp> {
    any::<u64>().prop_map(Timestamp)
}

fn uuid() -> impl Strategy<Value = Uuid> {
    any::<u128>().prop_map(Uuid::from_u128)
}

prop_compose! {
    fn reference()(pid in any::<u32>(), start_time in any::<u64>(), generation in any::<u32>()) -> ProcessRef {
        ProcessRef { key: ProcessKey { pid, start_time }, generation }
    }
}

prop_compose! {
    fn executable()(
        (path, invoked_as) in (text(), text()),
        (inode, device, mode, owner) in any::<(u64, u32, u32, u32)>(),
        (changed_at, modified_at) in (time(), time()),
        (upper_layer, memfd, unlinked) in any::<(bool, bool, bool)>(),
    ) -> Executable {
        Executable { path, invoked_as, inode, device, mode, owner, changed_at, modified_at, upper_layer, memfd, unlinked }
    }
}

prop_compose! {
    fn credentials()(
        (uid, euid, gid, egid) in any::<(u32, u32, u32, u32)>(),
        login_uid in any::<Option<u32>>(),
        (capabilities_effective, capabilities_permitted) in any::<(u64, u64)>(),
    ) -> Credentials {
        Credentials { uid, euid, gid, egid, login_uid, capabilities_effective, capabilities_permitted }
    }
}

prop_compose! {
    fn process()(
        reference in reference(),
        parent in option::of(reference()),
        (name, working_directory) in (text(), text()),
        executable in executable(),
        arguments in vec(text(), 0..4),
        arguments_truncated in any::<bool>(),
        credentials in credentials(),
        (user_name, terminal, container) in (option::of(text()), option::of(text()), option::of(text())),
        namespace_pid in any::<u32>(),
        started_at in time(),
    ) -> Process {
        let container = container.as_deref().map(Into::into);
        Process {
            reference, parent, name, executable, arguments, arguments_truncated, working_directory,
            credentials, user_name, namespace_pid, process_group: 0, terminal, container, started_at,
        }
    }
}

prop_compose! {
    fn pod()(
        uid in text(),
        (name, namespace, service_account) in (option::of(text()), option::of(text()), option::of(text())),
        labels in btree_map(text(), text(), 0..3),
    ) -> Pod {
        Pod { uid, name, namespace, labels, service_account }
    }
}

prop_compose! {
    fn container()(
        id in text(),
        (runtime, name) in (option::of(text()), option::of(text())),
        (image, image_digest) in (option::of(text()), option::of(text())),
        pod in option::of(pod()),
        labels in btree_map(text(), text(), 0..3),
        privileged in any::<Option<bool>>(),
        cgroup_path in text(),
        created_at in option::of(time()),
    ) -> Container {
        Container {
            id: id.as_str().into(),
            runtime, name, image, image_digest, pod, labels, privileged, cgroup_path, created_at,
            mounts: None,
        }
    }
}

prop_compose! {
    fn host()(
        boot_id in uuid(),
        (node, hostname, kernel) in (text(), text(), text()),
        machine_id in option::of(text()),
        (operating_system, architecture) in (text(), text()),
    ) -> Host {
        Host { boot_id, node, hostname, machine_id, kernel, operating_system, architecture }
    }
}

fn event_kind() -> impl Strategy<Value = EventKind> {
    prop_oneof![
        Just(EventKind::Exec),
        reference().prop_map(|child| EventKind::Fork { child: child.key }),
        any::<u32>().prop_map(|raw| EventKind::Exit(ExitStatus::from(raw))),
        file_event().prop_map(|event| EventKind::File(Box::new(event))),
        network_event().prop_map(|event| EventKind::Network(Box::new(event))),
        dns_event().prop_map(|event| EventKind::Dns(Box::new(event))),
        system_event().prop_map(|event| EventKind::System(Box::new(event))),
    ]
}

prop_compose! {
    fn file_event()(
        act in select(FileAct::ALL.to_vec()),
        path_source in select(PathSource::ALL.to_vec()),
        path in text(),
        (host_path, other_path, name) in (option::of(text()), option::of(text()), option::of(text())),
        (flags, created, mode, inode, device) in any::<(u64, bool, u32, u64, u32)>(),
        (owner, group, error) in any::<(Option<u32>, Option<u32>, Option<u16>)>(),
    ) -> FileEvent {
        FileEvent {
            act, path, path_source, host_path, other_path, flags, created, mode, owner, group,
            inode, device, name, error,
        }
    }
}

fn address() -> impl Strategy<Value = SocketAddr> {
    prop_oneof![
        any::<([u8; 4], u16)>().prop_map(SocketAddr::from),
        any::<([u8; 16], u16, u32)>().prop_map(|(ip, port, scope)| SocketAddrV6::new(
            ip.into(),
            port,
            0,
            scope
        )
        .into()),
    ]
}

prop_compose! {
    fn network_event()(
        act in select(NetworkAct::ALL.to_vec()),
        (family, protocol, socket_type, error) in any::<(u16, u16, u16, Option<u16>)>(),
        backlog in any::<Option<u32>>(),
        (local, remote, path) in (option::of(address()), option::of(address()), option::of(text())),
        flow in any::<Option<(bool, u64, u64, u64)>>(),
    ) -> NetworkEvent {
        let flow = flow.map(|(inbound, bytes_sent, bytes_received, duration)| Flow {
            inbound, bytes_sent, bytes_received, duration,
        });
        NetworkEvent {
            act, family, protocol, socket_type, local, remote, path, backlog, flow, error,
        }
    }
}

prop_compose! {
    fn dns_event()(
        (tcp, response, id, code, partial) in any::<(bool, bool, u16, u16, bool)>(),
        (local, server) in (option::of(address()), option::of(address())),
        questions in vec((text(), text()), 0..3),
        answers in vec((text(), text(), any::<u32>(), text()), 0..3),
    ) -> DnsEvent {
        let question = |(name, record_type)| DnsQuestion { name, record_type };
        let answer = |(name, record_type, ttl, data)| DnsAnswer { name, record_type, ttl, data };
        DnsEvent {
            tcp, local, server, response, id, code,
            questions: questions.into_iter().map(question).collect(),
            answers: answers.into_iter().map(answer).collect(),
            partial,
        }
    }
}

prop_compose! {
    fn system_event()(
        act in select(SystemAct::ALL.to_vec()),
        arguments in vec((text(), text()), 0..4),
        target in option::of(reference()),
        result in any::<Option<i64>>(),
    ) -> SystemEvent {
        let arguments =
            arguments.into_iter().map(|(name, value)| Argument { name, value }).collect();
        SystemEvent { act, arguments, target, result }
    }
}

prop_compose! {
    fn event()(
        time in time(),
        process in reference(),
        container in option::of(text()),
        kind in event_kind(),
    ) -> Event {
        Event { time, process, container: container.as_deref().map(Into::into), kind }
    }
}

/// Boxed: strategies in one another are large, and a test's stack is not.
fn alert_subject() -> BoxedStrategy<AlertSubject> {
    let act = (event().boxed(), vec(process().boxed(), 0..3), option::of(container().boxed()));
    let act = act.prop_map(|(event, process_chain, container)| AlertSubject::Act {
        event,
        process_chain,
        container,
    });
    let audit = audit().boxed().prop_map(|record| match record {
        Record::Audit(event) => AlertSubject::Audit(event),
        other => unreachable!("{other:?}"),
    });
    prop_oneof![act.boxed(), audit.boxed()].boxed()
}

prop_compose! {
    fn alert()(
        id in uuid(),
        (time, detected_at) in (time(), time()),
        (rule, message) in (text(), text()),
        priority in select(Priority::ALL.to_vec()),
        tags in vec(text(), 0..3),
        subject in alert_subject(),
        host in host(),
        fields in vec((text(), text()), 0..3),
    ) -> Alert {
        let matched_fields = fields.into_iter().map(|(field, value)| MatchedField { field, value }).collect();
        Alert {
            id, time, detected_at, rule, priority, message, tags, subject, host, matched_fields,
        }
    }
}

prop_compose! {
    fn loss()(
        lane in select(Lane::ALL.to_vec()),
        kind in text(),
        reason in select(LossReason::ALL.to_vec()),
        count in any::<u64>(),
        (since, until) in (time(), time()),
    ) -> Loss {
        Loss { lane, kind, reason, count, since, until }
    }
}

fn held_reason() -> BoxedStrategy<HeldReason> {
    prop_oneof![
        uuid().prop_map(|alert| HeldReason::Repeated { alert }),
        uuid().prop_map(|alert| HeldReason::RateLimited { alert }),
        text().prop_map(|suppression| HeldReason::Suppressed { suppression }),
    ]
    .boxed()
}

prop_compose! {
    fn held()(
        rule in text(),
        reason in held_reason(),
        count in any::<u64>(),
        (since, until) in (time(), time()),
    ) -> HeldAlerts {
        HeldAlerts { rule, reason, count, since, until }
    }
}

prop_compose! {
    fn coverage()(
        (probe, hook, reason) in (text(), text(), option::of(text())),
        state in select(ProbeState::ALL.to_vec()),
    ) -> ProbeCoverage {
        ProbeCoverage { probe, hook, state, reason }
    }
}

prop_compose! {
    fn status()(
        (id, boot_id) in (uuid(), uuid()),
        component in select(vec![Component::CollectorDs, Component::CollectorMisc, Component::PublisherDs]),
        (version, node) in (text(), text()),
        (started_at, observed_at) in (time(), time()),
        problems in vec(text(), 0..3),
        probes in vec(coverage(), 0..3),
        rules_loaded in any::<u32>(),
        blind in vec((text(), text()), 0..3),
        counters in btree_map(text(), any::<u64>(), 0..3),
    ) -> SensorStatus {
        SensorStatus {
            description: SourceDescription { id: SourceId(id), component, version, node, boot_id },
            started_at, observed_at, problems, probes, rules_loaded,
            blind_rules: blind.into_iter().map(|(rule, reason)| BlindRule { rule, reason }).collect(),
            counters,
        }
    }
}

prop_compose! {
    fn kubernetes_object()(
        (api_version, kind, name, uid) in (text(), text(), text(), text()),
        (namespace, node, service_account) in (option::of(text()), option::of(text()), option::of(text())),
        (labels, attributes) in (btree_map(text(), text(), 0..3), btree_map(text(), text(), 0..3)),
        containers in vec((text(), text(), option::of(text()), option::of(text())), 0..3),
        (resource_version, configuration) in (text(), option::of(text())),
        created_at in option::of(time()),
        owners in vec((text(), text(), text(), any::<bool>()), 0..3),
        deleted in any::<bool>(),
    ) -> KubernetesObject {
        let owners = owners
            .into_iter()
            .map(|(kind, name, uid, controller)| OwnerReference { kind, name, uid, controller })
            .collect();
        let containers = containers
            .into_iter()
            .map(|(name, image, image_id, container_id)| KubernetesContainer { name, image, image_id, container_id })
            .collect();
        KubernetesObject {
            api_version, kind, namespace, name, uid, resource_version, created_at, owners, labels, node,
            service_account, containers, attributes, configuration, deleted,
        }
    }
}

prop_compose! {
    fn census()(
        (group, kind, resource_version) in (text(), text(), text()),
        taken_at in time(),
        uids in btree_set(uuid(), 0..20),
        is_part in any::<bool>(),
    ) -> Record {
        let mut uids: Vec<Uuid> = uids.into_iter().collect();
        let mut ends = (None, None);
        if is_part && uids.len() > 1 {
            ends = (Some(uids.remove(0)), uids.last().copied());
        }
        let (after, through) = ends;
        Record::KubernetesCensus(Box::new(KubernetesCensus {
            group, kind, resource_version, taken_at, after, through, uids,
        }))
    }
}

prop_compose! {
    fn object_reference()(
        (api_version, kind, name, uid) in (text(), text(), text(), text()),
        namespace in option::of(text()),
    ) -> ObjectReference {
        ObjectReference { api_version, kind, namespace, name, uid }
    }
}

prop_compose! {
    fn kubernetes_event()(
        (uid, resource_version) in (text(), text()),
        regarding in object_reference(),
        (reason, message, reporter) in (text(), text(), text()),
        is_warning in any::<bool>(),
        node in option::of(text()),
        count in any::<u32>(),
        (first_at, last_at) in (time(), time()),
    ) -> Record {
        Record::KubernetesEvent(Box::new(KubernetesEvent {
            uid, resource_version, regarding, reason, is_warning, message, reporter, node, count, first_at, last_at,
        }))
    }
}

prop_compose! {
    fn finding()(
        source in select(FindingSource::ALL.to_vec()),
        severity in select(FindingSeverity::ALL.to_vec()),
        (policy, title, part, message) in (text(), text(), text(), text()),
        object in object_reference(),
        (evidence, tags) in (vec(text(), 0..3), vec(text(), 0..3)),
    ) -> InventoryItem {
        InventoryItem::Finding(Box::new(Finding {
            source, policy, title, severity, object, part, message, evidence, tags,
        }))
    }
}

prop_compose! {
    fn cluster()(
        (uid, version, distribution) in (text(), text(), text()),
        (cloud, told_by) in (option::of(text()), option::of(text())),
        nodes in any::<u32>(),
    ) -> InventoryItem {
        InventoryItem::Cluster(ClusterFacts { uid, version, distribution, cloud, told_by, nodes })
    }
}

prop_compose! {
    fn package()(
        manager in select(PackageManager::ALL.to_vec()),
        (name, version) in (text(), text()),
        (architecture, source, path) in (option::of(text()), option::of(text()), option::of(text())),
    ) -> InventoryItem {
        InventoryItem::Package(Package { manager, name, version, architecture, source, path })
    }
}

prop_compose! {
    fn image()(
        (key, digest, reference, operating_system) in (text(), option::of(text()), option::of(text()), option::of(text())),
        containers in vec(text(), 0..3),
        container_count in any::<u32>(),
    ) -> InventoryItem {
        let containers = containers.iter().map(|id| id.as_str().into()).collect();
        InventoryItem::Image(Image { key, digest, reference, operating_system, containers, container_count })
    }
}

prop_compose! {
    fn listening_port()(
        protocol in select(vec![TransportProtocol::Tcp, TransportProtocol::Udp]),
        address in any::<std::net::IpAddr>(),
        (port, network_namespace, uid) in any::<(u16, u64, u32)>(),
        process in option::of(reference()),
        (process_name, executable, container) in (option::of(text()), option::of(text()), option::of(text())),
    ) -> InventoryItem {
        let process = process.map(|process| process.key);
        let container = container.as_deref().map(Into::into);
        InventoryItem::ListeningPort(ListeningPort {
            protocol, address, port, network_namespace, uid, process, process_name, executable, container,
        })
    }
}

prop_compose! {
    fn user_account()(
        (name, home, shell) in (text(), text(), text()),
        (uid, gid) in any::<(u32, u32)>(),
        groups in vec(text(), 0..3),
        password in select(vec![PasswordState::Unknown, PasswordState::Empty, PasswordState::Locked, PasswordState::Set]),
    ) -> InventoryItem {
        InventoryItem::User(UserAccount { name, uid, gid, home, shell, groups, password })
    }
}

fn items() -> impl Strategy<Value = (InventoryKind, Vec<InventoryItem>)> {
    select(InventoryKind::ALL.to_vec()).prop_flat_map(|kind| {
        let item = match kind {
            InventoryKind::Packages => package().boxed(),
            InventoryKind::Images => image().boxed(),
            InventoryKind::ListeningPorts => listening_port().boxed(),
            InventoryKind::Users => user_account().boxed(),
            InventoryKind::Findings => finding().boxed(),
            InventoryKind::Cluster => cluster().boxed(),
        };
        (Just(kind), vec(item, 0..4))
    })
}

prop_compose! {
    fn inventory()(
        subject in prop_oneof![
            Just(InventorySubject::Node),
            text().prop_map(InventorySubject::Image),
            Just(InventorySubject::Cluster),
        ],
        (kind, changed) in items(),
        scanned_at in time(),
        removed in vec(uuid(), 0..3),
        snapshot_items in any::<Option<u64>>(),
    ) -> Record {
        Record::Inventory(Box::new(Inventory { subject, kind, scanned_at, changed, removed, snapshot_items }))
    }
}

prop_compose! {
    fn audit_user()(
        (name, uid) in (text(), text()),
        groups in vec(text(), 0..3),
        extra in btree_map(text(), text(), 0..2),
    ) -> AuditUser {
        AuditUser { name, uid, groups, extra }
    }
}

prop_compose! {
    fn audit_object()(
        resource in text(),
        (subresource, namespace, name) in (option::of(text()), option::of(text()), option::of(text())),
        (uid, api_group, api_version) in (option::of(text()), option::of(text()), option::of(text())),
    ) -> AuditObject {
        AuditObject { resource, subresource, namespace, name, uid, api_group, api_version }
    }
}

prop_compose! {
    fn audit()(
        (audit_id, stage, level, verb) in (text(), text(), text(), text()),
        (request_uri, user_agent) in (text(), text()),
        (user, impersonated_user) in (audit_user(), option::of(audit_user())),
        source_ips in vec(text(), 0..3),
        object in option::of(audit_object()),
        response_code in any::<Option<u32>>(),
        (response_reason, response_message) in (option::of(text()), option::of(text())),
        (response_name, request_object) in (option::of(text()), option::of(text())),
        request_object_dropped in any::<bool>(),
        (received_at, stage_at) in (time(), time()),
        annotations in btree_map(text(), text(), 0..3),
    ) -> Record {
        Record::Audit(Box::new(AuditEvent {
            audit_id, stage, level, verb, request_uri, user, impersonated_user, source_ips, user_agent, object,
            response_code, response_reason, response_message, response_name, request_object,
            request_object_dropped, received_at, stage_at, annotations,
        }))
    }
}

fn record(lane: Lane) -> BoxedStrategy<Record> {
    match lane {
        Lane::Alert => prop_oneof![
            alert().prop_map(|alert| Record::Alert(Box::new(alert))),
            held().prop_map(|held| Record::HeldAlerts(Box::new(held))),
            loss().prop_map(Record::Loss),
            status().prop_map(|status| Record::SensorStatus(Box::new(status))),
        ]
        .boxed(),
        Lane::Entity => prop_oneof![
            host().prop_map(Record::Host),
            container().prop_map(|container| Record::Container(Box::new(container))),
            process().prop_map(|process| Record::Process(Box::new(process))),
            kubernetes_object().prop_map(|object| Record::KubernetesObject(Box::new(object))),
        ]
        .boxed(),
        Lane::Inventory => prop_oneof![inventory(), census()].boxed(),
        Lane::Telemetry => {
            prop_oneof![event().prop_map(Record::Event), audit(), kubernetes_event()].boxed()
        }
    }
}

fn batch() -> impl Strategy<Value = (Lane, Vec<Record>)> {
    select(Lane::ALL.to_vec()).prop_flat_map(|lane| (Just(lane), vec(record(lane), 1..12)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn a_batch_comes_back_as_it_was_sent(
        (lane, records) in batch(),
        source in uuid(),
        first in 1..i64::MAX.cast_unsigned() - 12,
    ) {
        let sent = encode_batch(SourceId(source), lane, first, &records).unwrap();
        let bytes = wire::Envelope::from(sent.clone()).encode_to_vec();
        let received = Envelope::try_from(wire::Envelope::decode(bytes.as_slice()).unwrap()).unwrap();
        prop_assert_eq!(&received, &sent);
        prop_assert_eq!(received.last_sequence(), first + records.len() as u64 - 1);
        prop_assert_eq!(decode_batch(&received).unwrap(), records);
    }

    #[test]
    fn a_flipped_bit_of_the_payload_is_noticed((lane, records) in batch(), place in any::<prop::sample::Index>()) {
        let sent = encode_batch(SourceId(Uuid::nil()), lane, 1, &records).unwrap();
        let mut raw = wire::Envelope::from(sent);
        let mut payload = raw.payload.to_vec();
        let place = place.index(payload.len());
        payload[place] ^= 1;
        raw.payload = Bytes::from(payload);
        let refused = matches!(Envelope::try_from(raw), Err(EnvelopeError::Checksum { .. }));
        prop_assert!(refused);
    }

    #[test]
    fn no_payload_makes_the_decoder_panic(payload in vec(any::<u8>(), 0..512), zstd in any::<bool>()) {
        let encoding = if zstd { wire::Encoding::ProtobufZstd } else { wire::Encoding::Protobuf };
        let _ = decode_batch(&Envelope::try_from(frame(payload, encoding)).unwrap());
    }

    #[test]
    fn no_bytes_make_the_frame_panic(bytes in vec(any::<u8>(), 0..128)) {
        if let Ok(raw) = wire::Envelope::decode(bytes.as_slice()) {
            let _ = Envelope::try_from(raw);
        }
    }
}

fn frame(payload: Vec<u8>, encoding: wire::Encoding) -> wire::Envelope {
    wire::Envelope {
        source_id: vec![7; 16],
        lane: wire::Lane::Telemetry.into(),
        first_sequence: 1,
        count: 1,
        encoding: encoding.into(),
        checksum: crc32fast::hash(&payload),
        payload: payload.into(),
    }
}

#[test]
fn a_small_payload_that_grows_past_the_bound_is_refused() {
    let bomb = zstd::bulk::compress(&vec![0; proto::MAXIMUM_BATCH_BYTES + 1], 1).unwrap();
    assert!(bomb.len() < 10_000, "{} bytes", bomb.len());
    let envelope = Envelope::try_from(frame(bomb, wire::Encoding::ProtobufZstd)).unwrap();
    assert_eq!(proto::plain_bytes(&envelope), proto::MAXIMUM_BATCH_BYTES);
    let refusal = decode_batch(&envelope).unwrap_err();
    assert!(matches!(refusal, BatchError::TooLarge), "{refusal}");
}

#[test]
fn the_plain_size_of_a_payload_is_known_before_it_is_decompressed() {
    for bytes in [10, 100_000] {
        let host = Host { node: "n".repeat(bytes), ..Host::default() };
        let records = [Record::Host(host)];
        let envelope = encode_batch(SourceId(Uuid::nil()), Lane::Entity, 1, &records).unwrap();
        let plain = proto::plain_bytes(&envelope);
        assert!((bytes..bytes + 200).contains(&plain), "{plain} bytes");
        assert_eq!(decode_batch(&envelope).unwrap(), records);
    }
}

#[test]
fn a_payload_that_says_less_than_it_has_is_refused() {
    let mut payload = zstd::bulk::compress(&[0; 10], 1).unwrap();
    payload.extend(zstd::bulk::compress(&vec![0; 1 << 20], 1).unwrap());
    let envelope = Envelope::try_from(frame(payload, wire::Encoding::ProtobufZstd)).unwrap();
    assert_eq!(proto::plain_bytes(&envelope), 10);
    let refusal = decode_batch(&envelope).unwrap_err();
    assert!(matches!(refusal, BatchError::Grows { stated: 10 }), "{refusal}");
}

#[test]
fn a_payload_that_asks_for_a_huge_window_is_refused() {
    let mut encoder = zstd::stream::Encoder::new(Vec::new(), 1).unwrap();
    encoder.window_log(27).unwrap();
    encoder.write_all(&[0x0a, 0x00]).unwrap();
    let payload = encoder.finish().unwrap();
    let envelope = Envelope::try_from(frame(payload, wire::Encoding::ProtobufZstd)).unwrap();
    assert_eq!(proto::plain_bytes(&envelope), proto::MAXIMUM_BATCH_BYTES);
    let refusal = decode_batch(&envelope).unwrap_err();
    assert!(matches!(refusal, BatchError::Compression(_)), "{refusal}");
}

#[test]
fn a_payload_with_more_records_than_its_frame_says_is_refused_before_they_are_made() {
    let empty_records = [0x0a, 0x00].repeat(4_000_000);
    let envelope = Envelope::try_from(frame(empty_records, wire::Encoding::Protobuf)).unwrap();
    let refusal = decode_batch(&envelope).unwrap_err();
    assert!(matches!(refusal, BatchError::Count { stated: 1, actual: 4_000_000 }), "{refusal}");
}

/// An encoded message whose only field is `content`, length-delimited.
fn field(number: u8, content: &[u8]) -> Vec<u8> {
    let mut encoded = vec![number << 3 | 2];
    prost::encoding::encode_varint(content.len() as u64, &mut encoded);
    encoded.extend_from_slice(content);
    encoded
}

#[test]
fn a_payload_of_a_few_bytes_for_each_entry_is_refused_before_the_entries_are_made() {
    let (alert, container, object, status, process, event) = (1, 5, 7, 3, 6, 8);
    let empty = |number: u8| [number << 3 | 2, 0].repeat(3_000_000);
    let within = |outer: u8, inner: Vec<u8>| field(outer, &inner);
    for (what, record) in [
        ("alert.tags", within(alert, empty(7))),
        ("alert.process_chain", within(alert, empty(9))),
        ("alert.matched_fields", within(alert, empty(12))),
        ("alert.process_chain.arguments", within(alert, field(9, &empty(5)))),
        ("alert.audit.user.groups", within(alert, field(13, &field(6, &empty(3))))),
        ("alert.container.pod.labels", within(alert, field(10, &field(6, &empty(4))))),
        ("container.labels", within(container, empty(7))),
        ("kubernetes_object.containers", within(object, empty(9))),
        ("kubernetes_object.attributes", within(object, empty(10))),
        ("status.problems", within(status, empty(4))),
        ("status.probes", within(status, empty(5))),
        ("status.counters", within(status, empty(8))),
        ("process.arguments", within(process, empty(5))),
    ] {
        let envelope = Envelope::try_from(frame(field(1, &record), wire::Encoding::Protobuf));
        let refusal = decode_batch(&envelope.unwrap()).unwrap_err();
        assert!(matches!(refusal, BatchError::Heavy { place: 0 }), "{what}: {refusal}");
    }
    // A field that takes no list, however often it comes, keeps its last value: nothing grows.
    let envelope =
        Envelope::try_from(frame(field(1, &within(event, empty(3))), wire::Encoding::Protobuf));
    let refusal = decode_batch(&envelope.unwrap()).unwrap_err();
    assert!(matches!(refusal, BatchError::Record { place: 0, .. }), "{refusal}");
}

#[test]
fn a_frame_that_owns_to_millions_of_empty_records_is_refused_too() {
    let count = 4_000_000;
    let payload = [0x0a, 0x00].repeat(count as usize);
    let raw = wire::Envelope { count, ..frame(payload, wire::Encoding::Protobuf) };
    let refusal = decode_batch(&Envelope::try_from(raw).unwrap()).unwrap_err();
    assert!(matches!(refusal, BatchError::Heavy { .. }), "{refusal}");
    assert!(refusal.to_string().contains("bytes of memory once decoded"), "{refusal}");
}

#[test]
fn the_richest_alert_that_a_node_can_tell_of_is_taken() {
    let process = Process { arguments: vec!["x".into(); 2000], ..Process::default() };
    let alert = Alert {
        id: Uuid::nil(),
        time: Timestamp(1),
        detected_at: Timestamp(2),
        rule: "rule".into(),
        priority: Priority::Alert,
        message: "message".into(),
        tags: vec!["tag".into(); 100],
        subject: AlertSubject::Act {
            event: Event {
                time: Timestamp(1),
                process: ProcessRef::default(),
                container: None,
                kind: EventKind::Exec,
            },
            process_chain: vec![process; 64],
            container: None,
        },
        host: Host::default(),
        matched_fields: vec![MatchedField { field: "f".into(), value: "v".into() }; 1000],
    };
    let records = vec![Record::Alert(Box::new(alert)); 8];
    let envelope = encode_batch(SourceId(Uuid::nil()), Lane::Alert, 1, &records).unwrap();
    assert_eq!(decode_batch(&envelope).unwrap(), records);
}

#[test]
fn a_batch_that_no_reader_would_take_is_not_made() {
    let host = Host { node: "n".repeat(proto::MAXIMUM_BATCH_BYTES), ..Host::default() };
    let source = SourceId(Uuid::nil());
    let refusal = encode_batch(source, Lane::Entity, 1, &[Record::Host(host)]).unwrap_err();
    assert!(matches!(refusal, BatchError::TooLarge), "{refusal}");
}

#[test]
fn an_inventory_of_one_kind_holds_no_items_of_another() {
    let user =
        wire::UserAccount { password: wire::PasswordState::Set.into(), ..Default::default() };
    let item = wire::InventoryItem { item: Some(wire::inventory_item::Item::User(user)) };
    let inventory = wire::Inventory {
        kind: wire::InventoryKind::Packages.into(),
        changed: vec![item],
        ..wire::Inventory::default()
    };
    let raw = wire::Record { record: Some(wire::record::Record::Inventory(inventory)) };
    let refusal = Record::try_from(raw).unwrap_err().to_string();
    assert!(refusal.contains("inventory.kind"), "{refusal}");
}

fn census_of(uids: Vec<Uuid>) -> Record {
    let (kind, resource_version) = ("Pod".to_owned(), "123456789".to_owned());
    let census = KubernetesCensus { kind, resource_version, uids, ..KubernetesCensus::default() };
    Record::KubernetesCensus(Box::new(census))
}

#[test]
fn a_reader_that_knows_no_census_takes_it_for_an_inventory_in_which_nothing_changed() {
    let raw = wire::Record::from(&census_of(vec![Uuid::nil()]));
    let Some(wire::record::Record::Inventory(mut inventory)) = raw.record else {
        panic!("{raw:?}")
    };
    inventory.census = None;
    let raw = wire::Record { record: Some(wire::record::Record::Inventory(inventory)) };
    let read = Record::try_from(raw).unwrap();
    let expected =
        Inventory::of_cluster(InventoryKind::Cluster, Timestamp(0), vec![], vec![], None);
    assert_eq!(read, Record::Inventory(Box::new(expected)));
}

#[test]
fn a_census_out_of_order_is_refused() {
    let [one, two] = [1, 2].map(Uuid::from_u128);
    let refusal = |change: fn(&mut wire::KubernetesCensus)| {
        let mut census = wire::KubernetesCensus {
            uids: [one, two].iter().flat_map(Uuid::as_bytes).copied().collect(),
            ..wire::KubernetesCensus::default()
        };
        change(&mut census);
        KubernetesCensus::try_from(census).map_err(|error| error.to_string())
    };
    assert_eq!(refusal(|_| {}).unwrap().uids, [one, two]);
    for (change, words) in [
        ((|it| it.uids.rotate_left(16)) as fn(&mut wire::KubernetesCensus), "ascending order"),
        (|it| it.after = Some(vec![0; 15]), "census.after has 15 bytes"),
        (|it| it.through = Some(Uuid::nil().as_bytes().to_vec()), "within their range"),
        (|it| it.uids.truncate(31), "census.uids has 15 bytes"),
    ] {
        let refused = refusal(change).unwrap_err();
        assert!(refused.contains(words), "{refused}");
    }
}

#[test]
fn a_census_takes_little_more_than_sixteen_bytes_an_object() {
    let uids: Vec<Uuid> = {
        let mut uids: Vec<Uuid> = (0..150_000_u32)
            .map(|number| Uuid::new_v5(&Uuid::NAMESPACE_OID, &number.to_be_bytes()))
            .collect();
        uids.sort_unstable();
        uids
    };
    let records: Vec<Record> = uids.chunks(1024).map(|part| census_of(part.to_vec())).collect();
    let batches = records.chunks(60).map(|batch| {
        let envelope = encode_batch(SourceId(Uuid::nil()), Lane::Inventory, 1, batch).unwrap();
        envelope.payload().len()
    });
    let bytes: usize = batches.sum();
    assert!((2_400_000..2_415_000).contains(&bytes), "{bytes} bytes");
}

#[test]
fn a_record_in_the_wrong_lane_is_refused() {
    let host = Record::Host(Host::default());
    let envelope = encode_batch(SourceId(Uuid::nil()), Lane::Telemetry, 1, &[host]).unwrap();
    let refusal = decode_batch(&envelope).unwrap_err().to_string();
    assert_eq!(
        refusal,
        "record 0 of the batch is a host, which does not travel in the telemetry lane"
    );
}

#[test]
fn a_loss_whose_reason_is_newer_than_its_reader_is_a_loss_all_the_same() {
    let batch = |reason| {
        let loss = wire::Loss {
            lane: wire::Lane::Telemetry.into(),
            kind: "any".into(),
            reason,
            count: 7,
            ..wire::Loss::default()
        };
        let record = wire::Record { record: Some(wire::record::Record::Loss(loss)) };
        let payload = wire::RecordBatch { records: vec![record] }.encode_to_vec();
        let raw = wire::Envelope {
            lane: wire::Lane::Alert.into(),
            ..frame(payload, wire::Encoding::Protobuf)
        };
        decode_batch(&Envelope::try_from(raw).unwrap())
    };
    for unheard_of in [99, i32::MAX, -1] {
        let records = batch(unheard_of).unwrap();
        let [Record::Loss(loss)] = &records[..] else { panic!("{records:?}") };
        assert_eq!((loss.reason, loss.count), (LossReason::Other, 7));
    }
    assert!(batch(0).is_err(), "none at all was taken for one");
}

#[test]
fn frames_that_no_sender_makes_are_refused_by_name() {
    let good = frame(vec![1], wire::Encoding::Protobuf);
    let refusal = |change: fn(&mut wire::Envelope)| {
        let mut raw = good.clone();
        change(&mut raw);
        Envelope::try_from(raw).unwrap_err()
    };
    assert_eq!(refusal(|raw| raw.source_id.truncate(4)), EnvelopeError::SourceId(4));
    assert_eq!(refusal(|raw| raw.lane = 99), EnvelopeError::Lane(99));
    assert_eq!(refusal(|raw| raw.encoding = 0), EnvelopeError::Encoding(0));
    assert_eq!(refusal(|raw| raw.count = 0), EnvelopeError::Empty);
    assert_eq!(
        refusal(|raw| raw.first_sequence = u64::MAX),
        EnvelopeError::Sequence { first: u64::MAX, count: 1 }
    );
}

#[test]
fn sequences_end_where_signed_integers_do() {
    let last = i64::MAX.cast_unsigned();
    let of = |first_sequence, count| {
        let good = frame(vec![1], wire::Encoding::Protobuf);
        Envelope::try_from(wire::Envelope { first_sequence, count, ..good })
    };
    assert_eq!(of(last, 1).unwrap().last_sequence(), last);
    assert_eq!(of(last - 1, 2).unwrap().last_sequence(), last);
    for (first, count) in [(last, 2), (last + 1, 1), (u64::MAX, 2), (0, 1)] {
        assert_eq!(of(first, count), Err(EnvelopeError::Sequence { first, count }));
    }
}

//! Our rules over the audit log of a real API server (`DEFENDER_AUDIT_LOG` names it), and over the worst that clients send.

use detection::{AuditAct, Engine, RuleSet, SourceFile};
use event_model::{AuditEvent, AuditObject, Host};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, Instant};

fn our_rules() -> Engine {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../rules");
    let entries = std::fs::read_dir(folder).expect("the rules");
    let paths = entries.map(|entry| entry.expect("a readable folder").path());
    let files: BTreeMap<_, _> = paths
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .map(|path| {
            (path.display().to_string(), std::fs::read_to_string(&path).expect("a readable file"))
        })
        .collect();
    let sources: Vec<_> = files.iter().map(|(name, text)| SourceFile { name, text }).collect();
    Engine::compile(RuleSet::load(&sources).unwrap_or_else(|error| panic!("{error}")))
}

#[test]
#[ignore = "wants DEFENDER_AUDIT_LOG: the audit log of a real API server"]
fn a_real_server_s_log_raises_alerts_of_people_and_none_of_the_control_plane() {
    let path = std::env::var("DEFENDER_AUDIT_LOG").expect("DEFENDER_AUDIT_LOG names an audit log");
    let text = std::fs::read_to_string(path).expect("a readable log");
    let (engine, host) = (our_rules(), Host::default());
    let mut raised = BTreeMap::<_, BTreeMap<_, u32>>::new();
    let mut ids = BTreeSet::new();
    for line in text.lines() {
        let event = kubernetes_audit::parse(line.as_bytes()).expect("an audit event");
        for matched in engine.evaluate_audit(&AuditAct { event: &event, host: &host }) {
            let by_user = raised.entry(matched.rule().name().to_owned()).or_default();
            *by_user.entry(event.user.name.clone()).or_default() += 1;
            ids.extend(matched.rule().tags().iter().filter(|tag| tag.starts_with("K8S_")).cloned());
            println!("{}", matched.message());
        }
    }
    println!("{raised:#?}\n{} rules matched, by the ids {ids:?}", raised.len());
    let of_the_control_plane =
        |user: &&String| user.starts_with("system:") && !user.starts_with("system:anonymous");
    let users: BTreeSet<_> = raised.values().flat_map(BTreeMap::keys).collect();
    assert_eq!(users.iter().copied().find(of_the_control_plane), None);
    assert!(!raised.is_empty(), "the log holds nothing that a rule looks for");
}

/// Objects of 64 KiB that come near to what the expressions look for, again and again.
#[test]
fn no_object_makes_our_rules_slow() {
    const PARTS: [(&str, &str, &str, &str); 6] = [
        (
            "clusterroles",
            "{\"rules\":[",
            "{\"apiGroups\":[\"\"],\"resources\":[\"a\"],\"verbs\":[\"get\"]}",
            "]}",
        ),
        (
            "clusterroles",
            "{\"rules\":[{\"apiGroups\":[",
            "\"x\"",
            "],\"resources\":[\"pods\"],\"verbs\":[]}]}",
        ),
        ("configmaps", "{\"data\":{\"a\":\"", "_password: ", "\"}}"),
        ("configmaps", "{\"data\":{\"a\":\"", "-----BEGIN A PRIVATE ", "\"}}"),
        (
            "pods",
            "{\"spec\":{\"containers\":[",
            "{\"image\":\"a/xmri/-xmr\",\"args\":[\"stratum+tcp:/\"]}",
            "]}}",
        ),
        ("services", "{\"spec\":{\"type\":\"NodePort\",\"ports\":[", "{\"port\":6378}", "]}}"),
    ];
    let (engine, host) = (our_rules(), Host::default());
    for (resource, begin, part, end) in PARTS {
        let separator = if begin.ends_with('[') { "," } else { "" };
        let parts = vec![part; (60 << 10) / (part.len() + separator.len())].join(separator);
        let object = AuditObject { resource: resource.into(), ..AuditObject::default() };
        let event = AuditEvent {
            stage: "ResponseComplete".into(),
            verb: "create".into(),
            object: Some(object),
            request_object: Some(format!("{begin}{parts}{end}")),
            response_code: Some(201),
            ..AuditEvent::default()
        };
        let began = Instant::now();
        engine.evaluate_audit(&AuditAct { event: &event, host: &host }).count();
        // Unoptimized, and beside other tests.
        assert!(began.elapsed() < Duration::from_secs(3), "{part:?} took {:?}", began.elapsed());
        println!("{part:?} took {:?}", began.elapsed());
    }
}

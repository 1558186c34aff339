//! Every record of a stream becomes events that hold what the published schema asks of their classes, whether what it
//! refers to is known or not.

mod records;
mod schema;

use event_model::{
    EventKind, FindingSeverity, FindingSource, InventoryItem, InventoryKind, PackageManager,
    Record, SourceId, SystemAct, SystemEvent,
};
use ocsf::{Entities, Source, events};
use records::{
    BOOT, NOON, event, finding, inventories, known, note, of_cluster, records, reference,
};
use schema::Schema;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;

#[test]
fn every_event_is_as_the_published_schema_asks() {
    let schema = Schema::read();
    assert_eq!(schema.version(), ocsf::VERSION);
    let id = SourceId::generate();
    let mut classes = BTreeSet::new();
    for (mut known, source) in [
        (
            known(id),
            Source {
                version: "0.1.0",
                cluster: Some("main"),
                node: Some("node-1"),
                ..Source::default()
            },
        ),
        (Entities::new(0), Source { version: "0.1.0", ..Source::default() }),
    ] {
        for record in records() {
            for event in events(&record, id, &mut known, &source, NOON) {
                let wrong = schema.problems(&event);
                assert!(wrong.is_empty(), "{wrong:#?}\nin {event:#}\nof {record:?}");
                classes.insert(event["class_uid"].as_u64().unwrap());
            }
        }
    }
    let all = [
        1001, 1002, 1003, 1004, 1007, 2003, 2004, 3004, 4001, 4003, 5001, 5003, 5020, 5023, 5040,
        6002, 6003, 6008,
    ];
    assert_eq!(classes.into_iter().collect::<Vec<_>>(), all);
}

fn event_of(record: &Record) -> Value {
    let id = SourceId::generate();
    let source = Source { version: "0.1.0", ..Source::default() };
    events(record, id, &mut known(id), &source, NOON).remove(0)
}

#[test]
fn a_census_is_no_event() {
    let id = SourceId::generate();
    let source = Source { version: "0.1.0", ..Source::default() };
    let census = Record::KubernetesCensus(Box::default());
    assert!(events(&census, id, &mut known(id), &source, NOON).is_empty());
}

const BEGIN: &str = "<!-- classes: generated -->\n";
const END: &str = "<!-- end of classes -->";

/// What each kind of record becomes, in the order in which they stand above.
fn table() -> String {
    let id = SourceId::generate();
    let (mut known, source) = (known(id), Source { version: "0.1.0", ..Source::default() });
    let mut rows: Vec<(String, BTreeSet<String>, BTreeSet<String>)> = vec![];
    for record in records() {
        let name = match &record {
            Record::Inventory(inventory) => format!("inventory: `{}`", inventory.kind.name()),
            record => format!("`{}`", record.kind()),
        };
        for event in events(&record, id, &mut known, &source, NOON) {
            let class = format!(
                "{} {}",
                event["class_name"].as_str().expect("a class"),
                event["class_uid"]
            );
            let activity = event["activity_name"].as_str().expect("an activity").to_owned();
            match rows.iter_mut().find(|(known, ..)| *known == name) {
                Some((_, classes, activities)) => {
                    classes.insert(class);
                    activities.insert(activity);
                }
                None => rows.push((name.clone(), [class].into(), [activity].into())),
            }
        }
    }
    let joined = |words: &BTreeSet<String>| words.iter().cloned().collect::<Vec<_>>().join(", ");
    let lines = rows.iter().map(|(name, classes, activities)| {
        format!("| {name} | {} | {} |\n", joined(classes), joined(activities))
    });
    format!("| Record | Class | Activities |\n|---|---|---|\n{}", lines.collect::<String>())
}

#[test]
fn the_table_of_classes_is_current() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/ocsf.md");
    let text = std::fs::read_to_string(&file).expect("docs/ocsf.md");
    let (before, rest) = text.split_once(BEGIN).expect("the table's beginning");
    let (_, after) = rest.split_once(END).expect("the table's end");
    let current = format!("{before}{BEGIN}{}{END}{after}", table());
    if std::env::var_os("UPDATE_DOCUMENTATION").is_some() {
        std::fs::write(&file, current).expect("docs/ocsf.md can be written");
    } else {
        assert!(
            text == current,
            "docs/ocsf.md is not current: UPDATE_DOCUMENTATION=1 cargo test -p ocsf --test every_record"
        );
    }
}

#[test]
fn a_program_that_is_run_tells_who_ran_it_and_where() {
    let told = event_of(&event(EventKind::Exec));
    assert_eq!((&told["class_uid"], &told["type_uid"]), (&1007.into(), &100_701.into()));
    assert_eq!(told["process"]["file"]["path"], "/usr/bin/curl");
    assert_eq!(told["process"]["uid"], format!("{BOOT}:7@10000000"));
    assert_eq!(told["process"]["parent_process"]["name"], "init");
    assert_eq!(told["process"]["container"]["image"]["name"], "registry.example/web:1");
    assert_eq!(told["actor"]["process"]["file"]["path"], "/bin/sh");
    assert_eq!(told["unmapped"]["kubernetes"]["namespace"], "shop");
    assert_eq!(told["device"]["hostname"], "node-1.example");
}

#[test]
fn of_a_process_that_is_not_known_its_id_remains() {
    let source = Source { version: "0.1.0", ..Source::default() };
    let id = SourceId::generate();
    let told = events(&event(EventKind::Exec), id, &mut Entities::new(0), &source, NOON).remove(0);
    assert_eq!(told["process"]["uid"], "7@10000000");
    assert_eq!(told["process"]["pid"], 7);
    assert_eq!(told["process"]["container"]["uid"], "c1");
    assert!(told["process"].get("name").is_none() && told["process"].get("file").is_none());
}

#[test]
fn an_act_on_another_process_tells_both() {
    let act = |act| {
        let target = Some(reference(8, 0));
        EventKind::System(Box::new(SystemEvent { act, target, ..SystemEvent::default() }))
    };
    let told = event_of(&event(act(SystemAct::ProcessVmWritev)));
    assert_eq!((&told["class_uid"], &told["activity_name"]), (&1004.into(), &"Write".into()));
    assert_eq!(told["process"]["name"], "sleep");
    assert_eq!(told["actor"]["process"]["name"], "curl");
}

#[test]
fn of_an_inventory_each_item_is_an_event() {
    let id = SourceId::generate();
    let source = Source { version: "0.1.0", ..Source::default() };
    let told = events(&inventories()[0], id, &mut known(id), &source, NOON);
    assert_eq!(told.len(), PackageManager::ALL.len() + 1);
    assert_eq!(told[0]["sbom"]["package"]["name"], "bash");
    let gone = told.last().unwrap();
    assert_eq!((&gone["class_uid"], &gone["activity_name"]), (&3004.into(), &"Delete".into()));
}

#[test]
fn a_finding_is_closed_by_the_id_that_it_was_created_with() {
    let id = SourceId::generate();
    let source = Source { version: "0.1.0", cluster: Some("main"), ..Source::default() };
    let found = finding(FindingSource::Posture, FindingSeverity::High);
    let item = InventoryItem::Finding(Box::new(found));
    let mut gone = of_cluster(InventoryKind::Findings, vec![item.clone()]);
    if let Record::Inventory(inventory) = &mut gone {
        inventory.removed = vec![item.id()];
    }
    let told = events(&gone, id, &mut known(id), &source, NOON);
    let [created, closed] = told.as_slice() else { panic!("{told:#?}") };
    assert_eq!((&created["type_uid"], &closed["type_uid"]), (&200_301.into(), &200_303.into()));
    assert_eq!(created["finding_info"]["uid"], format!("main/{}", item.id()));
    assert_eq!(created["finding_info"]["uid"], closed["finding_info"]["uid"]);
    assert_eq!((&created["severity"], &closed["status"]), (&"High".into(), &"Resolved".into()));
    assert_eq!(created["compliance"]["control"], "privileged-containers");
    assert_eq!(created["resources"][0]["name"], "web");
    assert_eq!(created["finding_info"]["attacks"][0]["technique"]["uid"], "T1611");
}

#[test]
fn what_kubernetes_notes_is_named_by_its_reason() {
    let told = event_of(&Record::KubernetesEvent(Box::new(note(true))));
    assert_eq!((&told["class_uid"], &told["activity_name"]), (&3004.into(), &"FailedMount".into()));
    assert_eq!((&told["entity"]["name"], &told["status"]), (&"web".into(), &"Failure".into()));
    assert_eq!(told["actor"]["app_name"], "kubelet");
}

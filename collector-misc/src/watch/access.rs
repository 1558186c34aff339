//! The rights that the chart grants, made from the table of kinds: what is watched, and nothing else.

use super::kind::Kind;
use super::kinds::{CONSTRAINTS, KINDS};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

/// Granted only where it is wanted: the right to list Secrets is the right to read them.
const LEFT_OUT: &str = "secrets";

/// The rules of a ClusterRole, as YAML.
fn rules() -> String {
    let mut groups = BTreeMap::<&str, BTreeSet<&str>>::new();
    for Kind { group, plural, .. } in KINDS.iter().filter(|kind| kind.plural != LEFT_OUT) {
        groups.entry(group).or_default().insert(plural);
    }
    // Each constraint is a kind that a template names.
    groups.entry(CONSTRAINTS).or_default().insert("*");
    let mut text = "# Made from collector-misc/src/watch/kinds.rs.\n".to_owned();
    for (group, plurals) in groups {
        let plurals: Vec<_> = plurals.into_iter().map(|plural| format!("\"{plural}\"")).collect();
        // Writing to a String can't fail.
        let _ = write!(
            text,
            "- apiGroups: [\"{group}\"]\n  resources: [{}]\n  verbs: [\"list\", \"watch\"]\n",
            plurals.join(", ")
        );
    }
    text
}

#[test]
fn the_charts_cluster_role_grants_what_is_watched() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../charts/defender/files/collector-misc-rules.yaml");
    if std::env::var_os("UPDATE_DOCUMENTATION").is_some() {
        std::fs::write(&file, rules()).unwrap();
    }
    let granted = std::fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(
        granted,
        rules(),
        "UPDATE_DOCUMENTATION=1 cargo test -p collector-misc --lib writes {}",
        file.display()
    );
}

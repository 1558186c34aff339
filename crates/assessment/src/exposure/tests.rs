use super::APPLICATIONS;
use std::path::Path;

/// The names in a list of the rules, whose items stand in brackets.
fn names_in_rules() -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../rules/kubernetes-services.yaml");
    let rules = std::fs::read_to_string(path).unwrap();
    let list = rules.split("list: applications_that_run_what_they_are_told").nth(1).unwrap();
    let items = list.split('[').nth(1).unwrap().split(']').next().unwrap();
    items.split(',').map(|name| name.trim().to_owned()).collect()
}

#[test]
fn every_application_that_the_rules_know_is_known_here() {
    let names = names_in_rules();
    assert!(names.len() > 20, "{names:?}");
    for name in names {
        assert!(
            APPLICATIONS.iter().any(|one| one.names.contains(&&*name)),
            "{name} is in rules/kubernetes-services.yaml alone"
        );
    }
}

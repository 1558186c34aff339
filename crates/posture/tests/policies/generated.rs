//! What is generated from the policies is current.

use crate::{cases, policies, repository};
use posture::{admission_file, policy_table};
use std::path::Path;

fn must_be(path: &Path, wanted: &str) {
    if std::env::var_os("UPDATE_DOCUMENTATION").is_some() {
        std::fs::write(path, wanted).unwrap();
    } else {
        let current = std::fs::read_to_string(path).unwrap_or_default();
        let path = path.display();
        assert!(
            wanted == current,
            "{path} is stale: UPDATE_DOCUMENTATION=1 cargo test -p posture --test policies"
        );
    }
}

#[test]
fn the_charts_file_of_policies_is_current() {
    let path = repository().join("charts/defender/files/policies.yaml");
    must_be(&path, &admission_file(&policies()).unwrap());
}

#[test]
fn the_documentation_is_current() {
    let path = repository().join("docs/policies.md");
    let mut text = std::fs::read_to_string(&path).unwrap();
    let cases = cases::all();
    let count = |policy: &str| {
        let of_policy = cases.iter().filter(|cases| cases.policy == policy);
        of_policy.fold((0, 0), |sum, cases| (sum.0 + cases.fails.len(), sum.1 + cases.passes.len()))
    };
    let (begin, end) = ("<!-- policies: generated -->\n", "<!-- end of policies -->");
    let start = text.find(begin).unwrap() + begin.len();
    let stop = text.find(end).unwrap();
    text.replace_range(start..stop, &policy_table(&policies(), count));
    must_be(&path, &text);
}

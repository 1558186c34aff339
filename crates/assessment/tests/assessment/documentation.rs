//! What is generated from the checks is current.

use std::path::Path;

#[test]
fn the_table_of_checks_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/posture.md");
    let current = std::fs::read_to_string(&path).unwrap();
    let (begin, end) = ("<!-- checks: generated -->\n", "<!-- end of checks -->");
    let start = current.find(begin).unwrap() + begin.len();
    let stop = current.find(end).unwrap();
    let mut wanted = current.clone();
    wanted.replace_range(start..stop, &assessment::check_table());
    if std::env::var_os("UPDATE_DOCUMENTATION").is_some() {
        std::fs::write(&path, wanted).unwrap();
    } else {
        assert!(
            wanted == current,
            "docs/posture.md is stale: UPDATE_DOCUMENTATION=1 cargo test -p assessment --test assessment"
        );
    }
}

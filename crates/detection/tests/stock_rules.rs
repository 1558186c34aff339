//! Rule files of the Falco project, where a developer has fetched them: `DEFENDER_STOCK_RULES` names their folder.

use detection::{Engine, EventSource, EventType, RuleSet, SourceFile};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The files of a folder by name, in sets that are loaded together: files whose names begin with the same word refer to one another.
fn sets(folder: &Path) -> BTreeMap<String, Vec<(String, String)>> {
    let entries =
        std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut sets = BTreeMap::<String, Vec<_>>::new();
    for path in entries.map(|entry| entry.expect("a readable folder").path()) {
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        if path.extension().is_some_and(|extension| extension == "yaml") {
            let text = std::fs::read_to_string(&path).expect("a readable file");
            let set = if name.starts_with("k8s_audit") { "k8s_audit" } else { name.as_str() };
            sets.entry(set.to_owned()).or_default().push((name, text));
        }
    }
    for files in sets.values_mut() {
        files.sort();
    }
    sets
}

/// The names of the rules in a file, and of those that the file switches off.
fn names(text: &str) -> (BTreeSet<&str>, BTreeSet<&str>) {
    let (mut written, mut off, mut name) = (BTreeSet::new(), BTreeSet::new(), "");
    for line in text.lines() {
        if let Some(rule) = line.strip_prefix("- ") {
            name = rule.strip_prefix("rule:").unwrap_or_default().trim();
            written.extend((!name.is_empty()).then_some(name));
        } else if line.trim() == "enabled: false" {
            off.insert(name);
        }
    }
    (written, off)
}

#[test]
#[ignore = "wants DEFENDER_STOCK_RULES: a folder with another project's rule files, which are not ours to ship"]
fn stock_rules_load_without_an_error_and_none_is_skipped() {
    let folder = std::env::var("DEFENDER_STOCK_RULES").expect("DEFENDER_STOCK_RULES is set");
    let (mut loaded, mut of_audit) = (0, 0);
    for (set, files) in sets(Path::new(&folder)) {
        let sources: Vec<_> = files.iter().map(|(name, text)| SourceFile { name, text }).collect();
        let (written, off): (Vec<_>, Vec<_>) = files.iter().map(|(_, text)| names(text)).unzip();
        let (written, off): (BTreeSet<_>, BTreeSet<_>) =
            (written.into_iter().flatten().collect(), off.into_iter().flatten().collect());
        let rules = RuleSet::load(&sources).unwrap_or_else(|error| panic!("{set}: {error}"));
        let enabled: BTreeSet<_> = rules.rules().iter().map(detection::Rule::name).collect();
        println!(
            "{set}: {} rules, {} enabled, {} switched off, 0 errors",
            written.len(),
            enabled.len(),
            off.len()
        );
        assert_eq!(enabled, &written - &off, "{set}: what is not switched off is loaded");
        for warning in rules.warnings() {
            println!("    {warning}");
        }
        loaded += enabled.len();
        of_audit += rules
            .rules()
            .iter()
            .filter(|rule| rule.source() == EventSource::KubernetesAudit)
            .count();
        for blind in Engine::compile(rules).blind_rules(EventType::is_seen) {
            println!("    blind: {}: {}", blind.rule, blind.reason);
        }
    }
    println!(
        "shown: {loaded} rules of others loaded, {of_audit} of them about audit events, 0 errors"
    );
    assert!(loaded > 0, "{folder} holds no rules");
}

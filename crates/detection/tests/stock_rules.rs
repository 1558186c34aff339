//! Rule files of the Falco project, where a developer has fetched them: `DEFENDER_STOCK_RULES` names their folder.

use detection::{Engine, EventType, RuleSet, SourceFile};
use std::collections::BTreeMap;
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

fn is_about_another_source(warning: &str) -> bool {
    warning.contains("source")
}

#[test]
#[ignore = "wants DEFENDER_STOCK_RULES: a folder with another project's rule files, which are not ours to ship"]
fn stock_rules_load_without_an_error_and_warn_of_other_sources_alone() {
    let folder = std::env::var("DEFENDER_STOCK_RULES").expect("DEFENDER_STOCK_RULES is set");
    let mut loaded = 0;
    for (set, files) in sets(Path::new(&folder)) {
        let sources: Vec<_> = files.iter().map(|(name, text)| SourceFile { name, text }).collect();
        let written: usize = files
            .iter()
            .map(|(_, text)| text.lines().filter(|line| line.starts_with("- rule:")).count())
            .sum();
        let rules = RuleSet::load(&sources).unwrap_or_else(|error| panic!("{set}: {error}"));
        let warnings: Vec<_> = rules.warnings().iter().map(ToString::to_string).collect();
        let skipped = warnings.iter().filter(|text| is_about_another_source(text)).count();
        let enabled = rules.rules().len();
        println!("{set}: {written} rules, {enabled} enabled, {skipped} of other sources, 0 errors");
        for warning in warnings.iter().filter(|text| !is_about_another_source(text)) {
            println!("    {warning}");
        }
        for blind in Engine::compile(rules).blind_rules(EventType::is_seen) {
            println!("    blind: {}: {}", blind.rule, blind.reason);
        }
        loaded += enabled;
    }
    println!("shown: {loaded} rules of others loaded, 0 errors");
    assert!(loaded > 0, "{folder} holds no rules");
}

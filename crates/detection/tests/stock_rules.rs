//! Rule files of the Falco project, where a developer has fetched them: `DEFENDER_STOCK_RULES` names their folder.

use detection::{Engine, EventType, LoadError, RuleSet, SourceFile};
use std::collections::BTreeMap;
use std::path::Path;

/// The files of a folder, by name.
fn files(folder: &Path) -> BTreeMap<String, String> {
    let entries =
        std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let paths = entries.map(|entry| entry.expect("a readable folder").path());
    let yaml = paths.filter(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    yaml.map(|path| {
        (path.display().to_string(), std::fs::read_to_string(&path).expect("a readable file"))
    })
    .collect()
}

/// Prints what does not load: how often each message occurred, most often first.
fn print_summary(error: &LoadError) {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for diagnostic in &error.diagnostics {
        *counts.entry(&diagnostic.message).or_default() += 1;
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    for (message, count) in counts {
        println!("{count:5} × {message}");
    }
}

#[test]
#[ignore = "wants DEFENDER_STOCK_RULES: a folder with another project's rule files, which are not ours to ship"]
fn stock_rules_fail_for_fields_of_other_events_alone() {
    let folder = std::env::var("DEFENDER_STOCK_RULES").expect("DEFENDER_STOCK_RULES is set");
    for (name, text) in files(Path::new(&folder)) {
        let rules = text.lines().filter(|line| line.starts_with("- rule:")).count();
        match RuleSet::load(&[SourceFile { name: &name, text: &text }]) {
            Ok(loaded) => {
                println!("{name}: {rules} rules, all load, {} are enabled", loaded.rules().len());
                for blind in Engine::compile(loaded).blind_rules(EventType::is_seen) {
                    println!("    blind: {}: {}", blind.rule, blind.reason);
                }
            }
            Err(error) => {
                println!("{name}: {rules} rules, {} do not load", error.faulty_rules.len());
                print_summary(&error);
                let unexpected = error
                    .diagnostics
                    .iter()
                    .find(|diagnostic| !diagnostic.message.starts_with("there is no field"));
                if let Some(diagnostic) = unexpected {
                    panic!("not an unknown field:\n{diagnostic}");
                }
            }
        }
    }
}

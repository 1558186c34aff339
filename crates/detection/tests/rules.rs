//! The rules of this repository, and the cases that stand beside them in `rules/tests`.

mod actions;

use detection::{Act, Engine, EventSource, EventType, RuleSet, SourceFile, Tally, Truth};
use rule_cases::{Case, RuleCases, judge, read_acts, read_cases};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Its mounts are of no certain path: it sees those that `kernel.files` names. No other rule may be so.
const UNBOUNDED: [&str; 1] = ["Way out of a container"];

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The YAML files of a folder, in the order of their names.
fn yaml_files(folder: &Path) -> BTreeMap<String, String> {
    let entries =
        std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let paths = entries.map(|entry| entry.expect("a readable folder").path());
    let yaml = paths.filter(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    let name = |path: &Path| path.file_name().expect("a file").to_string_lossy().into_owned();
    yaml.map(|path| (name(&path), std::fs::read_to_string(&path).expect("a readable file")))
        .collect()
}

fn load(files: &BTreeMap<String, String>) -> RuleSet {
    let sources: Vec<SourceFile<'_>> =
        files.iter().map(|(name, text)| SourceFile { name, text }).collect();
    RuleSet::load(&sources).unwrap_or_else(|error| panic!("{error}"))
}

fn rules() -> RuleSet {
    load(&yaml_files(&repository().join("rules")))
}

fn all_cases() -> Vec<RuleCases> {
    let files = yaml_files(&repository().join("rules/tests"));
    let read = |(name, text): (String, String)| -> Vec<RuleCases> {
        read_cases(&format!("rules/tests/{name}"), &text).unwrap_or_else(|error| panic!("{error}"))
    };
    files.into_iter().flat_map(read).collect()
}

/// The names of the rules of which a case makes an alert by itself.
fn alerts(engine: &Engine, case: &Case) -> BTreeSet<String> {
    let detect = |act: &Act<'_>| {
        let matches = engine.detect(act, &mut Tally::default());
        matches.iter().map(|matched| matched.rule().name().to_owned()).collect()
    };
    case.scene().with_act(true, detect)
}

#[test]
fn our_rules_load_without_a_warning() {
    let rules = rules();
    let warnings: Vec<String> = rules.warnings().iter().map(ToString::to_string).collect();
    assert_eq!(warnings, Vec::<String>::new());
    assert_eq!(rules.rules().len(), 169);
}

#[test]
fn every_rule_names_a_technique_and_sees_what_the_sensor_tells() {
    let engine = Engine::compile(rules());
    assert_eq!(engine.blind_rules(EventType::is_seen), []);
    assert_eq!(engine.wanted_paths().unbounded, UNBOUNDED);
    for rule in engine.rules() {
        let technique = |tag: &String| {
            let digits = tag.strip_prefix('T').unwrap_or_default();
            digits.len() >= 4 && digits.chars().all(|c| c.is_ascii_digit() || c == '.')
        };
        assert!(rule.tags().iter().any(technique), "{} names no technique", rule.name());
        assert!(rule.description().len() > 80, "{} does not tell what it finds", rule.name());
    }
}

#[test]
fn every_rule_has_cases_for_and_against_it() {
    let cases = all_cases();
    for rule in rules().rules() {
        let cases = cases.iter().find(|cases| cases.rule == rule.name());
        let cases = cases.unwrap_or_else(|| panic!("no cases for `{}`", rule.name()));
        assert!(
            cases.alerts.len() >= 3 && cases.silent.len() >= 3,
            "too few cases for `{}`",
            rule.name()
        );
    }
}

#[test]
fn every_case_does_as_it_says() {
    let engine = Engine::compile(rules());
    let mut failures = Vec::new();
    for cases in all_cases() {
        let rule = &cases.rule;
        assert!(
            engine.rules().iter().any(|known| known.name() == rule),
            "there is no rule `{rule}`"
        );
        let wrong = judge(&engine, &cases).into_iter();
        failures.extend(
            wrong.map(|failure| format!("{rule}: {:?}: {}", failure.wrong, failure.case.what)),
        );
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// What `why` tells of a rule is what the engine says, which leaves out what an act's type decides: of each case for each rule.
#[test]
fn what_is_explained_is_what_is_evaluated() {
    let engine = Engine::compile(rules());
    let mut compared = 0;
    for cases in all_cases() {
        for case in cases.alerts.iter().chain(&cases.silent) {
            let matched = case.matches(&engine, true);
            for rule in engine.rules() {
                let distance = case.distance(&engine, rule.name()).expect("the rule is there");
                let holds = matched.contains(rule.name());
                assert_eq!(distance == 0, holds, "{}: {}", rule.name(), case.what);
                compared += 1;
            }
            let why = case.why(&engine, &cases.rule, true).expect("the rule is there");
            assert_eq!(why.holds(), matched.contains(&cases.rule), "{}\n{why}", case.what);
            let whole = why.parts().first().map(|part| part.truth == Truth::True);
            assert_eq!(whole, Some(why.holds()), "{}\n{why}", case.what);
        }
    }
    assert!(compared > 100_000, "{compared}");
}

/// Command lines of 32 KiB that come near to what the expressions look for, again and again.
#[test]
fn no_command_line_makes_the_rules_slow() {
    const PARTS: [&str; 12] = [
        "curl a; ",
        "-u 48 ",
        "-o pipefail ",
        "/../tmp",
        "wget x && chmod +x y ",
        "-u 4AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "echo a > /tmp/a; ",
        "whoami; cat /etc/passwd | ",
        "base64 -d | gunzip | ",
        "\\x41\\x42",
        "http://10.0.0.1/a -o ",
        "sh -i /dev/tcp/ 0",
    ];
    let engine = Engine::compile(rules());
    let cases = all_cases();
    let shell = cases.iter().find(|cases| cases.rule == "Download and run").unwrap();
    for part in PARTS {
        let line = part.repeat((32 << 10) / part.len());
        let case = shell.alerts[0].with_arguments(&["sh".to_owned(), "-c".to_owned(), line]);
        let begin = Instant::now();
        case.matches(&engine, true);
        let took = begin.elapsed();
        assert!(took < Duration::from_millis(500), "{part:?} took {took:?}");
    }
}

#[test]
fn everyday_acts_raise_no_alert() {
    let engine = Engine::compile(rules());
    let text =
        std::fs::read_to_string(repository().join("rules/tests/everyday/acts.yaml")).unwrap();
    let cases = read_acts("rules/tests/everyday/acts.yaml", &text)
        .unwrap_or_else(|error| panic!("{error}"));
    let alerting = cases.iter().filter_map(|case| {
        let rules = alerts(&engine, case);
        (!rules.is_empty()).then(|| format!("{}: {rules:?}", case.what))
    });
    assert_eq!(alerting.collect::<Vec<_>>(), Vec::<String>::new());
}

/// The first alert case of a rule, and the rule set with a user's file behind ours.
fn overridden(rule: &str, user_file: &str) -> (Engine, Case) {
    let mut files = yaml_files(&repository().join("rules"));
    files.insert("z-user.yaml".to_owned(), user_file.to_owned());
    let mut cases = all_cases();
    let position = cases.iter().position(|cases| cases.rule == rule).expect("cases for the rule");
    (Engine::compile(load(&files)), cases.swap_remove(position).alerts.swap_remove(0))
}

#[test]
fn a_user_s_exception_silences_a_rule_for_an_image() {
    let rule = "Program that is not of the image";
    let user_file = format!(
        "- rule: {rule}\n  exceptions:\n    - name: images_that_build\n      values: [docker.io/library/nginx]\n  \
         override: {{exceptions: append}}\n"
    );
    let (engine, case) = overridden(rule, &user_file);
    assert!(!case.matches(&engine, true).contains(rule));
    // The exception needs the image's name: as long as nobody told it, the rule holds.
    assert!(case.matches(&engine, false).contains(rule));
}

#[test]
fn a_user_can_switch_a_rule_off() {
    let rule = "Set-user-id shell";
    let (engine, case) = overridden(rule, &format!("- rule: {rule}\n  enabled: false\n"));
    assert!(!case.matches(&engine, true).contains(rule));
    assert_eq!(engine.rules_loaded(), 168);
}

#[test]
fn an_alert_carries_its_evidence_whole() {
    let engine = Engine::compile(rules());
    let cases = all_cases();
    let case = &cases.iter().find(|cases| cases.rule == "Set-user-id shell").unwrap().alerts[0];
    let scene = case.scene();
    scene.with_act(true, |act| {
        let matched = engine
            .evaluate(act)
            .find(|matched| matched.rule().name() == "Set-user-id shell")
            .unwrap();
        let fields: BTreeMap<&str, &str> = matched
            .matched_fields()
            .iter()
            .map(|field| (field.field.as_str(), field.value.as_str()))
            .collect();
        assert_eq!(fields.get("proc.name"), Some(&"bash"), "{fields:?}");
        assert_eq!(fields.get("proc.exe_setuid"), Some(&"true"), "{fields:?}");
        let message = matched.message().to_owned();
        let alert = matched.into_alert(act, event_model::Timestamp(7));
        assert_eq!(alert.message, message);
        assert_eq!(alert.time, act.event.time);
        assert_eq!(alert.process_chain().len(), 1 + act.ancestors.len());
        assert_eq!(alert.process_chain()[0], *act.process);
        assert!(alert.tags.contains(&"T1548.001".to_owned()));
    });
}

/// An entry of `rules/tests/acts/acts.yaml`, as far as it is asked for here.
#[derive(serde::Deserialize)]
struct PerformedAct {
    name: String,
    rule: String,
    proved_by: Option<String>,
    not_done: Option<String>,
}

fn performed_acts() -> Vec<PerformedAct> {
    let file = repository().join("rules/tests/acts/acts.yaml");
    let text = std::fs::read_to_string(file).expect("the acts");
    serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn every_rule_has_an_act_that_is_performed_and_every_act_a_rule() {
    let (rules, acts) = (rules(), performed_acts());
    // Requests are made to an API server, which no machine of the tests has: their cases are all there is.
    let of_acts = rules.rules().iter().filter(|rule| rule.source() == EventSource::Syscall);
    for rule in of_acts {
        assert!(acts.iter().any(|act| act.rule == rule.name()), "no act for `{}`", rule.name());
    }
    for act in &acts {
        assert!(
            rules.rules().iter().any(|rule| rule.name() == act.rule),
            "there is no rule `{}`",
            act.rule
        );
    }
    let not_done: Vec<&str> =
        acts.iter().filter(|act| act.not_done.is_some()).map(|act| act.rule.as_str()).collect();
    // What is new is told after a day of learning.
    let learns = "New port that an image connects to";
    assert_eq!(not_done, ["Kernel module loaded from a container", learns]);
}

/// The ids of alerts that the rules are to cover, in the order of the file.
fn alert_ids() -> Vec<String> {
    let text = std::fs::read_to_string(repository().join("rules/alert-ids.txt")).expect("the ids");
    text.lines().map(str::to_owned).collect()
}

fn is_alert_id(tag: &str) -> bool {
    ["K8S.", "K8S_", "new."].iter().any(|begin| tag.starts_with(begin))
}

#[test]
fn rules_name_no_unknown_alert_id() {
    let ids = alert_ids();
    for rule in rules().rules() {
        for tag in rule.tags().iter().filter(|tag| is_alert_id(tag)) {
            assert!(ids.contains(tag), "{}: {tag} is no id of rules/alert-ids.txt", rule.name());
        }
    }
}

/// What the rules of an id look at.
fn sources(rules: &[&detection::Rule]) -> String {
    let subject = |event_type: EventType| match event_type.name() {
        "execve" => "programs",
        "dns" => "names",
        "open" | "rename" | "link" | "symlink" | "unlink" | "rmdir" | "mkdir" | "mknod"
        | "truncate" | "chmod" | "chown" | "utimes" | "setxattr" | "chattr" | "mount"
        | "umount" | "move_mount" => "files",
        "socket" | "connect" | "accept" | "bind" | "listen" | "sendto" | "recvfrom" | "close" => {
            "network"
        }
        _ => "system",
    };
    let seen = EventType::seen()
        .filter(|event_type| rules.iter().any(|rule| rule.event_types().contains(*event_type)));
    let subjects: BTreeSet<&str> = seen.map(subject).collect();
    subjects.into_iter().collect::<Vec<_>>().join(", ")
}

/// The techniques that the rules name, each once.
fn techniques(rules: &[&detection::Rule]) -> String {
    let is_technique = |tag: &&String| {
        tag.strip_prefix('T').is_some_and(|digits| digits.starts_with(|c: char| c.is_ascii_digit()))
    };
    let techniques: BTreeSet<&String> =
        rules.iter().flat_map(|rule| rule.tags()).filter(is_technique).collect();
    techniques.into_iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}

/// A line for each id that rules cover, and those that none covers below.
fn alert_table() -> String {
    use std::fmt::Write as _;
    let (rules, acts) = (rules(), performed_acts());
    let mut table = "| Alert | Rules | Looks at | Techniques | Performed, for real, by |\n|---|---|---|---|---|\n".to_owned();
    let mut missing = Vec::new();
    let ids = alert_ids();
    for id in &ids {
        let of_id: Vec<&detection::Rule> =
            rules.rules().iter().filter(|rule| rule.tags().contains(id)).collect();
        if of_id.is_empty() {
            missing.push(format!("`{id}`"));
            continue;
        }
        let names: Vec<&str> = of_id.iter().map(|rule| rule.name()).collect();
        let performed: Vec<&str> = acts
            .iter()
            .filter(|act| act.not_done.is_none() && names.contains(&act.rule.as_str()))
            .map(|act| act.proved_by.as_deref().unwrap_or(&act.name))
            .collect();
        let _ = writeln!(
            table,
            "| `{id}` | {} | {} | {} | {} |",
            names.join("; "),
            sources(&of_id),
            techniques(&of_id),
            performed.join("; ")
        );
    }
    assert_eq!(missing, Vec::<String>::new(), "ids that no rule names");
    let _ = write!(table, "\nAll {} are covered.\n", ids.len());
    table
}

#[test]
fn the_documentation_is_current() {
    let path = repository().join("docs/detections.md");
    let current = std::fs::read_to_string(&path).unwrap_or_default();
    let mut wanted = current.clone();
    for (name, table) in [
        ("rules", detection::rule_table(rules().rules())),
        ("alerts", alert_table()),
        ("actions", actions::table(&rules(), &performed_acts())),
        ("event types", detection::event_type_table()),
        ("fields", detection::field_table()),
    ] {
        let (begin, end) =
            (format!("<!-- {name}: generated -->\n"), format!("<!-- end of {name} -->"));
        let start = wanted.find(&begin).unwrap_or_else(|| panic!("no mark {begin}")) + begin.len();
        let stop = wanted.find(&end).unwrap_or_else(|| panic!("no mark {end}"));
        wanted.replace_range(start..stop, &table);
    }
    if std::env::var_os("UPDATE_DOCUMENTATION").is_some() {
        std::fs::write(&path, wanted).unwrap();
    } else {
        assert!(
            wanted == current,
            "docs/detections.md is stale: run this test with UPDATE_DOCUMENTATION=1"
        );
    }
}

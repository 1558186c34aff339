//! `check`, `list` and `explain`.

use crate::program::{defender_rules, our_rules, text};

/// A rule file with that condition.
fn file_with(condition: &str) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::with_suffix(".yaml").expect("a file");
    let rule = format!(
        "- rule: Netcat\n  desc: Netcat was started.\n  condition: {condition}\n  output: O\n  priority: NOTICE\n  tags: [T1095]\n"
    );
    std::fs::write(file.path(), rule).expect("it is written");
    file
}

#[test]
fn our_rules_pass_the_check() {
    let output = defender_rules(&["check", our_rules().to_str().unwrap()]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stdout).ends_with(" rules load, 0 warnings\n"));
}

#[test]
fn what_is_wrong_is_pointed_at_and_fails_the_check() {
    let file = file_with("evt.type = execve and proc.nam = nc");
    let output = defender_rules(&["check", file.path().to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    let told = text(&output.stderr);
    assert!(told.contains("there is no field `proc.nam`"), "{told}");
    assert!(told.contains(".yaml:3:36") && told.contains("^^^^"), "{told}");
    assert!(told.contains("proc.name"), "{told}");
}

#[test]
fn a_rule_is_listed_with_its_priority_and_tags() {
    let file = file_with("evt.type = execve and proc.name in (nc, ncat)");
    let output = defender_rules(&["list", file.path().to_str().unwrap()]);
    assert_eq!(text(&output.stdout), "notice        Netcat  [T1095]\n");
}

#[test]
fn a_rule_is_explained_by_what_an_act_must_show() {
    let condition = "evt.type = execve and proc.name in (nc, ncat) and proc.args contains -e";
    let file = file_with(condition);
    let output = defender_rules(&["explain", "Netcat", file.path().to_str().unwrap()]);
    let told = text(&output.stdout);
    for part in [
        "Types of events:\n    execve\n",
        "and proc.name in \"nc\" \"ncat\"\n",
        "Asked of acts that show one of these:\n    proc.name is \"nc\" or \"ncat\"\n",
    ] {
        assert!(told.contains(part), "{part:?} is missing in\n{told}");
    }
}

#[test]
fn a_rule_that_is_not_there_is_asked_for_by_a_name_like_it() {
    let file = file_with("evt.type = execve");
    let output = defender_rules(&["explain", "netc", file.path().to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("did you mean Netcat?"));
}

#[test]
fn suppressions_are_checked_against_the_rules() {
    let rules = file_with("evt.type = execve and proc.name = nc");
    let suppressions = tempfile::NamedTempFile::with_suffix(".yaml").expect("a file");
    let check = |text: &str| {
        std::fs::write(suppressions.path(), text).expect("it is written");
        let paths = [rules.path(), suppressions.path()].map(|path| path.to_str().unwrap());
        defender_rules(&["check", paths[0], "--suppressions", paths[1]])
    };
    let known = "- {suppression: Scans, rule: Netcat, when: proc.pname = nmap, reason: R, owner: O, expires: 2020-02-02}\n";
    let output = check(known);
    assert_eq!(text(&output.stdout), "1 rules and 1 suppressions load, 1 warnings\n");
    assert!(text(&output.stderr).contains("expired on 2020-02-02"), "{}", text(&output.stderr));
    let output = check(&known.replace("rule: Netcat", "rule: Netcta"));
    assert_eq!(output.status.code(), Some(1));
    let told = text(&output.stderr);
    assert!(told.contains(":1:30") && told.contains("did you mean `Netcat`?"), "{told}");
}

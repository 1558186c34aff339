//! `test`.

use crate::program::{argument, our_rules, said};
use std::path::Path;
use tempfile::TempDir;

const RULES: &str = "
- macro: started
  condition: evt.type = execve
- rule: Netcat that runs a program
  desc: d
  condition: started and proc.name in (nc, ncat) and proc.args contains -e and container.image.repository != docker.io/library/tools
  output: o
  priority: NOTICE
";

/// A folder of rules with these cases.
fn folder(cases: &str) -> TempDir {
    let folder = tempfile::tempdir().expect("a directory");
    std::fs::write(folder.path().join("rules.yaml"), RULES).expect("a rule file");
    std::fs::create_dir(folder.path().join("tests")).expect("a directory");
    std::fs::write(folder.path().join("tests/netcat.yaml"), cases).expect("a file of cases");
    folder
}

#[test]
fn our_rules_do_as_their_cases_say() {
    let rules = our_rules();
    let (code, out, error) = said(&["test", argument(&rules)]);
    assert_eq!((code, error.as_str()), (Some(0), ""), "{out}");
    assert!(out.ends_with(" do as they say, 0 do not\n"), "{out}");
    assert!(!out.contains("warning"), "each rule has cases: {out}");
}

#[test]
fn a_case_that_does_not_do_as_it_says_is_told_with_its_line_and_the_reason() {
    let folder = folder(
        "- rule: Netcat that runs a program
  alerts:
    - what: netcat with a shell
      container: { image: docker.io/library/nginx:1.27 }
      needs_metadata: true
      process: { path: /usr/bin/nc, arguments: [nc, -e, sh] }
    - what: a listening netcat
      container: { image: docker.io/library/nginx:1.27 }
      process: { path: /usr/bin/nc, arguments: [nc, -l] }
    - what: netcat with a shell, soon after the container's start
      container: { image: docker.io/library/nginx:1.27 }
      process: { path: /usr/bin/nc, arguments: [nc, -e, sh] }
  silent:
    - what: a shell in its place
      container: { image: docker.io/library/nginx:1.27 }
      process: { path: /usr/bin/ncat, arguments: [ncat, -e, sh] }
",
    );
    let (code, out, _) = said(&["test", argument(folder.path())]);
    assert_eq!(code, Some(1), "{out}");
    let file = folder.path().join("tests/netcat.yaml");
    let wanted = format!(
        "error: `Netcat that runs a program` does not match, and should: a listening netcat
 --> {}:7
  = expected: an alert of `Netcat that runs a program`
  = raised: nothing
  = because:
    false     all of
    false       proc.args contains \"-e\"  [\"-l\"]
",
        file.display()
    );
    assert!(out.contains(&wanted), "{wanted}\nis missing in\n{out}");
    for part in [
        "does not match, and should: netcat with a shell, soon after",
        "netcat.yaml:10\n",
        "  = while nothing but the container's id is known",
        "    no value    container.image.repository != \"docker.io/library/tools\"\n",
        "matches, and should not: a shell in its place",
        "netcat.yaml:14\n",
        "  = raised: `Netcat that runs a program`\n",
        "    true        started: evt.type = \"execve\"  [\"execve\"]\n",
        "4 cases of 1 rules: 1 do as they say, 3 do not\n",
    ] {
        assert!(out.contains(part), "{part:?} is missing in\n{out}");
    }
}

#[test]
fn cases_are_chosen_by_their_rule_or_words() {
    let rules = our_rules();
    let (code, out, _) = said(&["test", argument(&rules), "--filter", "CURL INTO BASH"]);
    assert_eq!((code, out.as_str()), (Some(0), "1 cases of 1 rules: 1 do as they say, 0 do not\n"));
    let (code, _, error) = said(&["test", argument(&rules), "--filter", "no such thing"]);
    assert_eq!(code, Some(1));
    assert!(error.starts_with("error: no case of "), "{error}");
}

#[test]
fn rules_of_another_folder_can_be_loaded_before_for_their_macros() {
    let folder = folder(
        "- rule: Mine\n  alerts:\n    - { what: a shell, process: { path: /bin/sh } }\n  silent:\n    - { what: cat, process: { path: /bin/cat } }\n",
    );
    let rule = "- rule: Mine\n  desc: d\n  condition: program_started and shell_started\n  output: o\n  priority: NOTICE\n";
    std::fs::write(folder.path().join("rules.yaml"), rule).expect("a rule file");
    let (ours, mine) = (our_rules(), argument(folder.path()));
    let (code, _, error) = said(&["test", mine]);
    assert_eq!(code, Some(1));
    assert!(error.contains("there is no macro `program_started`"), "{error}");
    let (code, out, error) = said(&["test", mine, "--rules", argument(&ours)]);
    assert_eq!(
        (code, out.as_str()),
        (Some(0), "2 cases of 1 rules: 2 do as they say, 0 do not\n"),
        "{error}"
    );
}

#[test]
fn what_is_wrong_with_a_file_of_cases_is_pointed_at() {
    let error_of = |cases: &str| {
        let folder = folder(cases);
        let (code, out, error) = said(&["test", argument(folder.path())]);
        assert_eq!(code, Some(1), "{out}");
        format!("{out}{error}")
    };
    let begin = "- rule: Netcat that runs a program\n  alerts:\n";
    let unknown = error_of(&format!("{begin}    - what: a\n      porcess: {{ path: /bin/nc }}\n"));
    assert!(unknown.contains("porcess") && unknown.contains("netcat.yaml:4:7"), "{unknown}");
    assert!(unknown.contains('^'), "{unknown}");
    let pathless = error_of(&format!("{begin}    - what: a\n      process: {{ name: nc }}\n"));
    assert!(pathless.contains("needs the path of its program (`a`)"), "{pathless}");
    assert!(pathless.contains("netcat.yaml:3:7"), "{pathless}");
    let double = error_of(&format!(
        "{begin}    - what: a\n      process: {{ path: /bin/nc }}\n      file: {{ path: /a }}\n      dns: {{ names: [a] }}\n"
    ));
    assert!(double.contains("a case is one act"), "{double}");
    let empty = error_of("- rule: Netcat that runs a program\n");
    assert!(empty.contains("there is no case for `Netcat that runs a program`"), "{empty}");
    let other = error_of(
        "- rule: Netcat that runs\n  alerts:\n    - { what: a, process: { path: /bin/nc } }\n",
    );
    assert!(other.contains("did you mean Netcat that runs a program?"), "{other}");
    assert!(other.contains("netcat.yaml:1\n"), "{other}");
    let none =
        said(&["test", argument(Path::new(env!("CARGO_MANIFEST_DIR")).join("src").as_path())]);
    assert!(none.2.starts_with("error: no case lies in "), "{none:?}");
}

/// The pages for authors show a rule and its cases: they load, and do as they say.
#[test]
fn the_example_of_the_documentation_does_as_it_says() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/rule-authors.md");
    let page = std::fs::read_to_string(page).expect("the page");
    let example = |name: &str| {
        let begin = format!("```yaml\n# {name}\n");
        let start = page.find(&begin).unwrap_or_else(|| panic!("no example of {name}"));
        let text = &page[start + "```yaml\n".len()..];
        text[..text.find("```").expect("its end")].to_owned()
    };
    let folder = tempfile::tempdir().expect("a directory");
    std::fs::create_dir(folder.path().join("tests")).expect("a directory");
    for name in ["mine/payments.yaml", "mine/tests/payments.yaml"] {
        let file = folder.path().join(name.strip_prefix("mine/").expect("its folder"));
        std::fs::write(file, example(name)).expect("a file");
    }
    let (code, out, error) = said(&["test", argument(folder.path())]);
    assert_eq!((code, error.as_str()), (Some(0), ""), "{out}");
    assert!(out.ends_with("0 do not\n") && !out.contains("warning"), "{out}");
    let shown = "example of a failure -->\n```\n";
    let start = page.find(shown).expect("the failure that is shown") + shown.len();
    let shown = &page[start..start + page[start..].find("```").expect("its end")];
    let cases = example("mine/tests/payments.yaml")
        .replace("/srv/payments/keys/live", "/srv/payments/keys.old");
    std::fs::write(folder.path().join("tests/payments.yaml"), cases).expect("a file");
    let (_, out, _) = said(&["test", argument(folder.path())]);
    let told = out.replace(argument(folder.path()), "mine");
    assert!(told.starts_with(shown.trim_end()), "{told}\nis not what is shown:\n{shown}");
}

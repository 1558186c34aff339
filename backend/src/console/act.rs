//! What was done, and to what, in words.

use super::card::{Fact, MOST_ROWS};
use super::visible::visible;
use event_model::{DnsEvent, EventKind, FileEvent, NetworkEvent, PathSource, SystemEvent};
use std::net::SocketAddr;

/// What an alert's event tells besides who did it. Empty for the start and the end of a program.
pub(super) fn facts(kind: &EventKind) -> Vec<Fact> {
    let mut facts = Facts(vec![]);
    match kind {
        EventKind::Exec | EventKind::Fork { .. } | EventKind::Exit(_) => return vec![],
        EventKind::File(event) => file(event, &mut facts),
        EventKind::Network(event) => network(event, &mut facts),
        EventKind::Dns(event) => dns(event, &mut facts),
        EventKind::System(event) => system(event, &mut facts),
    }
    facts.0.truncate(MOST_ROWS);
    facts.0
}

struct Facts(Vec<Fact>);

impl Facts {
    fn add(&mut self, name: &str, value: impl Into<Option<String>>) {
        let value = value.into().filter(|value| !value.is_empty());
        self.0.extend(value.map(|value| Fact::new(name, value)));
    }
}

fn file(event: &FileEvent, facts: &mut Facts) {
    facts.add("Act", event.act.name().to_owned());
    facts.add("File", event.path.clone());
    facts.add("On the node", event.host_path.clone());
    facts.add("Second path", event.other_path.clone());
    facts.add("Flags", Some(event.flag_symbols()).filter(|_| event.flags != 0));
    facts.add("Made the file", event.created.then(|| "yes".to_owned()));
    facts.add("Mode", (event.mode != 0).then(|| format!("{:04o}", event.mode & 0o7777)));
    facts.add("New owner", event.owner.map(|owner| format!("uid {owner}")));
    facts.add("Attribute or type", event.name.clone());
    facts.add("Result", event.error.map(outcome));
    let callers = event.path_source == PathSource::Caller;
    facts.add(
        "Path told by",
        callers.then(|| "the caller: another thread may have changed it".into()),
    );
}

fn network(event: &NetworkEvent, facts: &mut Facts) {
    facts.add("Act", event.act.name().to_owned());
    facts.add("Remote address", event.remote.map(shown));
    facts.add("Local address", event.local.map(shown));
    facts.add("Socket", event.path.clone());
    if let Some(flow) = &event.flow {
        facts.add("Sent", format!("{} bytes", flow.bytes_sent));
        facts.add("Received", format!("{} bytes", flow.bytes_received));
    }
    facts.add("Result", event.error.map(outcome));
}

fn dns(event: &DnsEvent, facts: &mut Facts) {
    facts.add("Act", if event.response { "DNS answer" } else { "DNS question" }.to_owned());
    for question in &event.questions {
        facts.add("Question", format!("{} ({})", question.name, question.record_type));
    }
    for answer in &event.answers {
        facts.add("Answer", format!("{} ({})", answer.data, answer.record_type));
    }
    facts.add("Name server", event.server.map(shown));
}

fn system(event: &SystemEvent, facts: &mut Facts) {
    facts.add("Act", event.act.name().to_owned());
    for argument in &event.arguments {
        facts.add(&visible(&argument.name), argument.value.clone());
    }
    facts.add("Done to", event.target.map(|target| format!("pid {}", target.key.pid)));
    facts.add("Result", event.result.map(|result| result.to_string()));
}

fn shown(end: SocketAddr) -> String {
    end.to_string()
}

fn outcome(error: u16) -> String {
    match error {
        0 => "success".to_owned(),
        error => std::io::Error::from_raw_os_error(error.into()).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use event_model::{Argument, FileAct, SystemAct};

    fn lines(kind: &EventKind) -> Vec<String> {
        facts(kind).into_iter().map(|fact| format!("{}: {}", fact.name, fact.value)).collect()
    }

    #[test]
    fn an_act_is_told_with_what_it_was_done_to() {
        let link = FileEvent {
            act: FileAct::Symlink,
            path: "/tmp/x".to_owned(),
            other_path: Some("/etc/shadow\u{202e}".to_owned()),
            error: Some(13),
            ..FileEvent::default()
        };
        let told = lines(&EventKind::File(Box::new(link)));
        assert_eq!(told[..2], ["Act: symlink", "File: /tmp/x"]);
        assert!(told[2].starts_with("Second path: /etc/shadow"), "{told:?}");
        assert!(!told[2].contains('\u{202e}'), "{told:?}");
        assert!(told[3].starts_with("Result: Permission denied"), "{told:?}");
        let connect =
            NetworkEvent { remote: "203.0.113.9:4444".parse().ok(), ..NetworkEvent::default() };
        let told = lines(&EventKind::Network(Box::new(connect)));
        assert_eq!(told, ["Act: connect", "Remote address: 203.0.113.9:4444"]);
        let ptrace = SystemEvent {
            act: SystemAct::Ptrace,
            arguments: vec![Argument { name: "request".into(), value: "PTRACE_ATTACH".into() }],
            ..SystemEvent::default()
        };
        let told = lines(&EventKind::System(Box::new(ptrace)));
        assert_eq!(told, ["Act: ptrace", "request: PTRACE_ATTACH"]);
        assert_eq!(lines(&EventKind::Exec), [""; 0]);
    }
}

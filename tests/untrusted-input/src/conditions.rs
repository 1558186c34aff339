//! Conditions, asked of events.

use detection::{Act, Engine, Rule, RuleSet, SourceFile};
use event_model::{
    Argument, Container, ContainerId, Credentials, DnsEvent, DnsQuestion, Event, EventKind,
    FileAct, FileEvent, Host, NetworkAct, NetworkEvent, Process, SystemAct, SystemEvent, Timestamp,
};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Most events of one input.
const MOST_EVENTS: usize = 16;

/// The first line is a condition, what follows makes events. A condition and its contrary: of each event exactly one of the two holds, whatever
/// the event shows and by whichever way the engine finds out.
pub fn condition(bytes: &[u8]) {
    let end = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
    let (condition, rest) = bytes.split_at(end);
    let condition = String::from_utf8_lossy(condition);
    let Some(engine) = engine(&condition) else { return };
    let mut source = Source { bytes: rest };
    for _ in 0..MOST_EVENTS {
        exactly_one_holds(&engine, &mut source, &condition);
        if source.bytes.is_empty() {
            return;
        }
    }
}

/// A rule of the condition, and one of its contrary; none where the condition is refused, which must be told with a message.
fn engine(condition: &str) -> Option<Engine> {
    let rule = |name: &str, condition: &str| {
        let quoted = serde_json::to_string(condition).unwrap_or_default();
        format!(
            "- rule: {name}\n  desc: D.\n  condition: {quoted}\n  output: \"%evt.args %proc.cmdline\"\n  priority: INFO\n"
        )
    };
    let text = rule("It", condition) + &rule("Contrary", &format!("not ({condition})"));
    match RuleSet::load(&[SourceFile { name: "rules.yaml", text: &text }]) {
        Ok(rules) => Some(Engine::compile(rules)),
        Err(error) => {
            assert!(!error.diagnostics.is_empty(), "an error says what is wrong");
            None
        }
    }
}

fn exactly_one_holds(engine: &Engine, source: &mut Source<'_>, condition: &str) {
    let process = source.process();
    let parents = [source.process(), source.process()];
    let ancestors: Vec<&Process> = parents.iter().collect();
    let container = source.container();
    let environment = source.text();
    let event = Event {
        time: Timestamp(source.number()),
        process: process.reference,
        container: container.as_ref().map(|container| container.id.clone()),
        kind: source.kind(),
    };
    let act = Act {
        event: &event,
        process: &process,
        ancestors: &ancestors,
        container: container.as_ref(),
        host: &Host::default(),
        remote_name: Some("a.example"),
        is_on_sensor: source.byte() % 2 == 1,
        environment: Some(&environment),
        login_name: Some("ann"),
        group_name: None,
    };
    let holding: Vec<String> =
        engine.evaluate(&act).map(|matched| Rule::name(matched.rule()).to_owned()).collect();
    assert_eq!(holding.len(), 1, "{condition:?}: {holding:?} hold of {act:?}");
}

/// Values out of bytes; where there are none left, the plainest.
struct Source<'b> {
    bytes: &'b [u8],
}

impl Source<'_> {
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.bytes.split_first() else { return 0 };
        self.bytes = rest;
        *first
    }

    fn number(&mut self) -> u64 {
        u64::from(self.byte()) << (self.byte() % 57)
    }

    fn small(&mut self) -> u32 {
        u32::from(self.byte())
    }

    /// A word that conditions are likely to ask for, or any bytes up to the next zero.
    fn text(&mut self) -> String {
        const WORDS: [&str; 12] = [
            "",
            "nc",
            "sh",
            "/bin/sh",
            "/etc/shadow",
            "/tmp/x",
            "a.evil.example",
            "PATH=/bin\0A=b",
            "-e",
            "aGVsbG8=",
            "é",
            "10.0.0.1",
        ];
        let first = self.byte();
        if let Some(word) = WORDS.get(usize::from(first)) {
            return (*word).to_owned();
        }
        let end = self.bytes.iter().position(|byte| *byte == 0).unwrap_or(self.bytes.len());
        let (text, rest) = self.bytes.split_at(end);
        self.bytes = rest.get(1..).unwrap_or_default();
        String::from_utf8_lossy(text).into_owned()
    }

    fn process(&mut self) -> Process {
        let arguments = (0..self.byte() % 4).map(|_| self.text()).collect();
        Process {
            name: self.text(),
            arguments,
            working_directory: self.text(),
            credentials: Credentials {
                uid: self.small(),
                capabilities_effective: self.number(),
                login_uid: (self.byte() % 2 == 1).then_some(7),
                ..Credentials::default()
            },
            terminal: (self.byte() % 2 == 1).then(|| self.text()),
            ..Process::default()
        }
    }

    fn container(&mut self) -> Option<Container> {
        (self.byte() % 2 == 1).then(|| Container {
            id: ContainerId::from(self.text().as_str()),
            image: Some(self.text()),
            privileged: (self.byte() % 2 == 1).then_some(true),
            ..Container::default()
        })
    }

    fn address(&mut self) -> Option<SocketAddr> {
        let bits = self.number();
        let address: IpAddr = match self.byte() % 3 {
            0 => return None,
            1 => Ipv4Addr::from_bits(u32::try_from(bits >> 32).unwrap_or(0)).into(),
            _ => Ipv6Addr::from_bits(u128::from(bits) << 64).into(),
        };
        Some(SocketAddr::new(address, u16::from(self.byte())))
    }

    fn kind(&mut self) -> EventKind {
        match self.byte() % 5 {
            0 => EventKind::Exec,
            1 => EventKind::File(Box::new(FileEvent {
                act: [
                    FileAct::Open,
                    FileAct::Rename,
                    FileAct::Chmod,
                    FileAct::Symlink,
                    FileAct::Mount,
                ][usize::from(self.byte() % 5)],
                path: self.text(),
                other_path: (self.byte() % 2 == 1).then(|| self.text()),
                flags: self.number(),
                mode: self.small(),
                created: self.byte() % 2 == 1,
                error: (self.byte() % 2 == 1).then_some(13),
                ..FileEvent::default()
            })),
            2 => EventKind::Network(Box::new(NetworkEvent {
                act: [
                    NetworkAct::Connect,
                    NetworkAct::Accept,
                    NetworkAct::Datagram,
                    NetworkAct::Socket,
                ][usize::from(self.byte() % 4)],
                family: u16::from(self.byte()),
                protocol: u16::from(self.byte()),
                local: self.address(),
                remote: self.address(),
                path: (self.byte() % 2 == 1).then(|| self.text()),
                ..NetworkEvent::default()
            })),
            3 => EventKind::Dns(Box::new(DnsEvent {
                response: self.byte() % 2 == 1,
                questions: (0..self.byte() % 3)
                    .map(|_| DnsQuestion { name: self.text(), record_type: "A".to_owned() })
                    .collect(),
                ..DnsEvent::default()
            })),
            _ => EventKind::System(Box::new(SystemEvent {
                act: [SystemAct::Ptrace, SystemAct::Setuid, SystemAct::Dup, SystemAct::Unshare]
                    [usize::from(self.byte() % 4)],
                arguments: (0..self.byte() % 3)
                    .map(|_| Argument { name: self.text(), value: self.text() })
                    .collect(),
                target: None,
                result: (self.byte() % 2 == 1).then_some(-1),
            })),
        }
    }
}

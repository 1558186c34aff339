use detection::{Kind, Provider, fields};
use foldhash::HashSet;

/// Fields that differ without the act being another: when it was, what unique words others put into their command lines,
/// and what is in the identity anyway (the file, the other end).
const VARYING: [&str; 9] = [
    "evt.time",
    "evt.time.iso8601",
    "evt.args",
    "evt.arg.tuple",
    "fd.name",
    "proc.pcmdline",
    "proc.acmdline",
    "ka.auditid",
    "ka.uri",
];
/// All that `jevt` tells: parts of the event, its times and ids among them.
const WHOLE_EVENT: &str = "jevt.";

/// The fields whose values tell alerts apart beyond what was done, by whom and where: the names of ancestors, an outcome,
/// a part of a request. Numbers do not: they are of processes, times and ports, or of what is in the identity anyway.
/// Nor does what the runtime says of a container, which it may say a moment later.
pub struct TellingFields(HashSet<&'static str>);

impl TellingFields {
    /// Of all that rules can name.
    pub fn new() -> Self {
        let is_word = |kind: Kind| matches!(kind, Kind::Text | Kind::Boolean);
        let of_place = |provider: Provider| {
            matches!(provider, Provider::ContainerRuntime | Provider::Cgroup | Provider::Network)
        };
        let telling = fields().iter().filter(|field| {
            is_word(field.kind)
                && !of_place(field.provider)
                && !VARYING.contains(&field.name)
                && !field.name.starts_with(WHOLE_EVENT)
        });
        Self(telling.map(|field| field.name).collect())
    }

    /// Whether a field as a rule names it, `proc.aname[2]`, is one.
    pub fn contains(&self, field: &str) -> bool {
        let name = field.split_once('[').map_or(field, |(name, _)| name);
        self.0.contains(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_processes_times_and_words_by_chance_tell_nothing() {
        let telling = TellingFields::new();
        for field in ["proc.name", "proc.aname[2]", "evt.res", "file.created", "ka.target.name"] {
            assert!(telling.contains(field), "{field}");
        }
        for field in [
            "proc.vpid",
            "proc.duration",
            "evt.time",
            "proc.pcmdline",
            "proc.acmdline[2]",
            "container.image.repository",
            "k8s.pod.label[app]",
            "fd.lport",
            "jevt.value[/auditID]",
            "no.field",
        ] {
            assert!(!telling.contains(field), "{field}");
        }
    }

    #[test]
    fn every_varying_field_is_one_of_the_language() {
        for name in VARYING {
            assert!(fields().iter().any(|field| field.name == name), "{name}");
        }
    }
}

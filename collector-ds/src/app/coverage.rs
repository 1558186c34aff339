use detection::EventType;
use ebpf_probes::RecordKind;
use event_model::{EventKind, ExitStatus, ProbeCoverage, ProbeState, ProcessKey};
use metrics::gauge;
use service_runtime::Part;

/// How each kind of event is seen on this node.
pub(super) struct Coverage {
    /// As the kernel's loader told it.
    pub probes: Vec<ProbeCoverage>,
}

impl Coverage {
    pub fn new(probes: Vec<ProbeCoverage>) -> Self {
        for probe in &probes {
            for state in ProbeState::ALL {
                let labels = [
                    ("probe", probe.probe.clone()),
                    ("hook", probe.hook.clone()),
                    ("state", state.name().to_owned()),
                ];
                let value = if probe.state == state { 1.0 } else { 0.0 };
                gauge!("defender_probe_state", &labels).set(value);
            }
        }
        Self { probes }
    }

    /// The sensor is ready when it sees programs begin; what else it does not see stands in its status.
    pub fn report(&self, part: &Part) {
        for probe in self.blind() {
            let reason = probe.reason.as_deref().unwrap_or_default();
            tracing::warn!(probe = probe.probe, hook = probe.hook, reason, "a probe does not work");
        }
        match self.blind().find(|probe| probe.probe == RecordKind::Exec.name()) {
            None => part.ready(),
            Some(probe) => part.not_ready(describe(probe)),
        }
    }

    /// The probes that do not work, in words.
    pub fn problems(&self) -> impl Iterator<Item = String> {
        self.blind().map(describe)
    }

    /// Whether events of that type come from this node's kernel.
    pub fn sees(&self, event_type: EventType) -> bool {
        let kinds = [
            (RecordKind::Exec, EventKind::Exec),
            (RecordKind::Fork, EventKind::Fork { child: ProcessKey::default() }),
            (RecordKind::Exit, EventKind::Exit(ExitStatus::default())),
        ];
        kinds.iter().any(|(probe, kind)| {
            EventType::from(kind) == event_type && self.is_active(probe.name())
        })
    }

    fn is_active(&self, name: &str) -> bool {
        self.probes.iter().any(|probe| probe.probe == name && probe.state == ProbeState::Active)
    }

    fn blind(&self) -> impl Iterator<Item = &ProbeCoverage> {
        let blind = [ProbeState::Unsupported, ProbeState::Failed];
        self.probes.iter().filter(move |probe| blind.contains(&probe.state))
    }
}

fn describe(probe: &ProbeCoverage) -> String {
    let reason = probe.reason.as_deref().unwrap_or("the kernel did not say why");
    format!("{} is not seen: {} is {}: {reason}", probe.probe, probe.hook, probe.state.name())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn probe(kind: RecordKind, state: ProbeState) -> ProbeCoverage {
        ProbeCoverage {
            probe: kind.name().to_owned(),
            hook: format!("tp_btf/{}", kind.name()),
            state,
            reason: (state != ProbeState::Active).then(|| "no such tracepoint".to_owned()),
        }
    }

    #[test]
    fn what_no_probe_sees_is_told() {
        let coverage = Coverage::new(vec![
            probe(RecordKind::Exec, ProbeState::Active),
            probe(RecordKind::Fork, ProbeState::Unsupported),
        ]);
        assert!(coverage.sees(EventType::from(&EventKind::Exec)));
        assert!(!coverage.sees(EventType::from(&EventKind::Fork { child: ProcessKey::default() })));
        assert!(!coverage.sees(EventType::from(&EventKind::Exit(ExitStatus::default()))));
        let problems: Vec<_> = coverage.problems().collect();
        assert_eq!(problems, ["fork is not seen: tp_btf/fork is unsupported: no such tracepoint"]);
    }
}

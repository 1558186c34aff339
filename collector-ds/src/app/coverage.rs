use crate::detect::event_types_of;
use detection::EventType;
use ebpf_probes::RecordKind;
use event_model::{ProbeCoverage, ProbeState};
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
            ProbeState::ALL
                .into_iter()
                .for_each(|state| measure(probe, state, probe.state == state));
        }
        Self { probes }
    }

    /// The kernel is asked for other acts now.
    pub fn renew(&mut self, probes: Vec<ProbeCoverage>) {
        self.probes.iter().for_each(|probe| measure(probe, probe.state, false));
        *self = Self::new(probes);
        for problem in self.problems() {
            tracing::warn!("{problem}");
        }
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
        RecordKind::ALL.into_iter().any(|kind| {
            event_types_of(kind).any(|told| told == event_type) && self.is_active(kind.name())
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

fn measure(probe: &ProbeCoverage, state: ProbeState, is_in_it: bool) {
    let labels = [
        ("probe", probe.probe.clone()),
        ("hook", probe.hook.clone()),
        ("state", state.name().to_owned()),
    ];
    gauge!("defender_probe_state", &labels).set(if is_in_it { 1.0 } else { 0.0 });
}

fn describe(probe: &ProbeCoverage) -> String {
    let reason = probe.reason.as_deref().unwrap_or("the kernel did not say why");
    format!("{} is not seen: {} is {}: {reason}", probe.probe, probe.hook, probe.state.name())
}

#[cfg(test)]
mod tests {
    use super::*;
    use event_model::FileAct;

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
            probe(RecordKind::File(FileAct::Open), ProbeState::Active),
            probe(RecordKind::Dns, ProbeState::Off),
        ]);
        assert!(coverage.sees(FileAct::Open.into()) && !coverage.sees(EventType::DNS));
        assert!(coverage.sees(EventType::EXECVE));
        assert!(!coverage.sees(EventType::CLONE));
        assert!(!coverage.sees(EventType::PROCEXIT));
        let problems: Vec<_> = coverage.problems().collect();
        assert_eq!(problems, ["fork is not seen: tp_btf/fork is unsupported: no such tracepoint"]);
    }
}

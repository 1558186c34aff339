//! Fields of one source in a rule of another: such a comparison would never hold.

use super::{Lowering, MacroState, Problem};
use crate::condition::{CallPart, Comparison, Expression, Subject};
use crate::diagnostic::{Report, Severity};
use crate::event_source::EventSource;
use crate::field::{Field, FieldUse};
use crate::source::Place;

impl Lowering<'_> {
    /// An error for each place of a rule's condition that asks for a field of another source. A macro serves rules of
    /// any source, so what stands in one is told where the rule uses it.
    pub(super) fn fields_of_other_sources(
        &self,
        condition: &Expression,
        source: EventSource,
        report: &Report<'_>,
        problems: &mut Vec<Problem>,
    ) {
        match condition {
            Expression::And(parts) | Expression::Or(parts) => {
                for part in parts {
                    self.fields_of_other_sources(part, source, report, problems);
                }
            }
            Expression::Not(part) => self.fields_of_other_sources(part, source, report, problems),
            Expression::Check(check) => {
                let mut asked = vec![];
                fields_of(&check.subject, &mut asked);
                if let Comparison::Field(_, other) = &check.comparison {
                    fields_of(other, &mut asked);
                }
                let refused = asked
                    .into_iter()
                    .filter_map(|(field, place)| refuse(field, source, place, report));
                problems.extend(refused);
            }
            Expression::Macro(name) => {
                let field = self.field_of_other_source(&name.text, source);
                problems.extend(field.and_then(|field| refuse(field, source, name.place, report)));
            }
        }
    }

    /// The first one that a macro compares.
    fn field_of_other_source(&self, name: &str, source: EventSource) -> Option<&'static Field> {
        let Some(MacroState::Lowered(part)) = self.states.get(name) else { return None };
        let mut found = None;
        self.graph.visit_checks(part.node, &mut |check| {
            let of_others = check.field.fields().into_iter().find(|field| !field.is_of(source));
            found = found.or(of_others);
        });
        found
    }
}

/// The fields that a subject names, and where.
fn fields_of(subject: &Subject, found: &mut Vec<(&'static Field, Place)>) {
    match &subject.call {
        None => {
            let named = FieldUse::named(&subject.field, subject.argument.as_deref());
            found.extend(named.ok().map(|named| (named.field, subject.place)));
        }
        Some(call) => {
            for part in &call.parts {
                if let CallPart::Subject(subject) = part {
                    fields_of(subject, found);
                }
            }
        }
    }
}

/// The error for a field that rules of that source can't name; none where they can.
pub(crate) fn refuse(
    field: &Field,
    source: EventSource,
    place: Place,
    report: &Report<'_>,
) -> Option<Problem> {
    let other = EventSource::ALL.into_iter().find(|other| field.is_of(*other))?;
    if field.is_of(source) {
        return None;
    }
    let message = format!(
        "`{}` is told of {}, and the rule is about {}",
        field.name,
        other.describe(),
        source.describe()
    );
    let mut diagnostic = report.diagnostic(Severity::Error, place, message);
    diagnostic.help(match other {
        EventSource::KubernetesAudit => "a rule with `source: k8s_audit` can name it",
        EventSource::Syscall => {
            "of an audit event, the fields whose names begin with `ka.` and `jevt.` are told"
        }
    });
    Some(Problem { unknown_name: true, ..Problem::new(diagnostic) })
}

//! Policies asked of objects that are there.

use crate::load::{LoadedPolicy, Question, parameter_name, shared_name};
use crate::{
    EvaluationError, Finding, Need, ObjectReference, PolicySet, Report, Settings, SettingsError,
    Validation, bounds, from_json, functions, settings, shape,
};
use kube_cel::cel::{Context, IdedExpr, Value};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// Most offenders that one question tells of, of one object.
const MOST_OFFENDERS: usize = 64;

/// What policies may read beside the object. Where it is not known, policies that need it are not asked.
#[derive(Clone, Debug, Default)]
pub struct Related {
    /// For a Service: the names of the others of its namespace with the same selector, of [`crate::ServiceIndex`].
    pub services_with_same_selector: Option<Vec<String>>,
}

/// Policies with their parameters, ready to be asked. It belongs to one thread.
pub struct Evaluator {
    policies: Arc<PolicySet>,
    /// By their places, without those that are disabled.
    enabled: Vec<usize>,
    /// The functions, and the parameters of all policies.
    constants: Context<'static>,
}

impl Evaluator {
    /// Policies with what is set of them.
    ///
    /// # Errors
    /// Something is set that no policy has, or by a value that it can't be.
    pub fn new(policies: Arc<PolicySet>, settings: &Settings) -> Result<Self, SettingsError> {
        settings::check(settings, &policies)?;
        let mut constants = functions::context();
        for policy in policies.policies() {
            for parameter in &policy.parameters {
                let value = settings::value(settings, policy, parameter).to_json();
                let name = parameter_name(&policy.name, &parameter.name);
                constants.add_variable_from_value(name, from_json(&value));
            }
        }
        let is_enabled =
            |name: &str| !settings.get(name).is_some_and(|of_policy| of_policy.disabled);
        let names = policies.policies().enumerate();
        let enabled =
            names.filter(|(_, policy)| is_enabled(&policy.name)).map(|(place, _)| place).collect();
        Ok(Self { policies, enabled, constants })
    }

    /// The policies.
    pub fn policies(&self) -> &PolicySet {
        &self.policies
    }

    /// Whether any policy is asked of objects of this kind.
    pub fn asks_of(&self, api_version: &str, kind: &str) -> bool {
        self.asked_of(api_version, kind).next().is_some()
    }

    /// Asks every policy of an object. It must say its `apiVersion` and `kind`, which the items of the API server's lists don't.
    pub fn evaluate(&self, object: &serde_json::Value, related: &Related) -> Report<'_> {
        let reference = ObjectReference::of(object);
        let mut report = Report { object: reference, ..Report::default() };
        let asked: Vec<_> =
            self.asked_of(&report.object.api_version, &report.object.kind).collect();
        if asked.is_empty() {
            return report;
        }
        if let Some(reason) = bounds::problem(object).or_else(|| shape::problem(object)) {
            report.errors.push(EvaluationError { policy: None, reason });
            return report;
        }
        let mut facts = Facts::new(self, object, related);
        for loaded in asked {
            if facts.are_enough_for(loaded.policy.needs) {
                report.asked += 1;
                ask(loaded, &mut facts, &mut report);
            }
        }
        report
    }

    fn asked_of(&self, api_version: &str, kind: &str) -> impl Iterator<Item = &LoadedPolicy> {
        let enabled = self.enabled.iter().filter_map(|place| self.policies.policies.get(*place));
        enabled.filter(move |loaded| {
            loaded.policy.subjects.iter().any(|subject| subject.includes(api_version, kind))
        })
    }
}

fn ask<'p>(loaded: &'p LoadedPolicy, facts: &mut Facts<'_>, report: &mut Report<'p>) {
    let policy = &loaded.policy;
    for (place, (validation, question)) in
        policy.validations.iter().zip(&loaded.questions).enumerate()
    {
        match facts.offenders(question) {
            Ok(offenders) => {
                report.more_findings += offenders.len().saturating_sub(MOST_OFFENDERS);
                let told = offenders.iter().take(MOST_OFFENDERS);
                report
                    .findings
                    .extend(told.map(|told| Finding::new(policy, place, validation, told)));
            }
            Err(reason) => report.errors.push(error(&policy.name, validation, &reason)),
        }
    }
}

fn error<'p>(policy: &'p str, validation: &Validation, reason: &str) -> EvaluationError<'p> {
    EvaluationError {
        policy: Some(policy),
        reason: format!("{} offenders: {reason}", validation.of),
    }
}

/// What expressions see of one object.
struct Facts<'f> {
    policies: &'f PolicySet,
    context: Context<'f>,
    /// Shared variables that have been evaluated, by their places.
    known: BTreeSet<usize>,
    has_services: bool,
}

impl<'f> Facts<'f> {
    fn new(evaluator: &'f Evaluator, object: &serde_json::Value, related: &Related) -> Self {
        let mut context = evaluator.constants.new_inner_scope();
        context.add_variable_from_value("object", from_json(object));
        let services = related.services_with_same_selector.clone();
        let has_services = services.is_some();
        if let Some(services) = services {
            let related = HashMap::from([("servicesWithSameSelector", Value::from(services))]);
            context.add_variable_from_value("related", related);
        }
        Self { policies: &evaluator.policies, context, known: BTreeSet::new(), has_services }
    }

    fn are_enough_for(&self, need: Option<Need>) -> bool {
        match need {
            None => true,
            Some(Need::ServicesWithSameSelector) => self.has_services,
        }
    }

    fn offenders(&mut self, question: &Question) -> Result<Vec<Arc<String>>, String> {
        for place in &question.needs {
            self.learn(*place);
        }
        let Value::List(offenders) = self.value(&question.offenders)? else {
            return Err("the answer is no list".to_owned());
        };
        let texts = offenders.iter().map(|offender| match offender {
            Value::String(text) => Ok(Arc::clone(text)),
            other => Err(format!("an offender is no text but {}", other.type_of())),
        });
        texts.collect()
    }

    /// A variable whose expression fails stays unknown: what reads it fails in turn, and what does not is answered, as by the API server.
    fn learn(&mut self, place: usize) {
        if !self.known.insert(place) {
            return;
        }
        if let Some(shared) = self.policies.variables.get(place)
            && let Ok(value) = self.value(&shared.expression)
        {
            self.context.add_variable_from_value(shared_name(&shared.variable.name), value);
        }
    }

    fn value(&self, expression: &IdedExpr) -> Result<Value, String> {
        Value::resolve(expression, &self.context).map_err(|error| functions::reason(&error))
    }
}

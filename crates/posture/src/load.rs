//! From the text of files to policies.

use crate::{Policy, PolicySet, Variable, expression};
use kube_cel::cel::IdedExpr;
use serde::Deserialize;
use serde_saphyr::{Location, Spanned};
use std::collections::BTreeSet;

/// Deepest nesting of a policy file, with room to spare.
const DEEPEST: usize = 24;
/// Most nodes of one file.
const MOST_NODES: usize = 200_000;

/// A file of policies.
#[derive(Clone, Copy, Debug)]
pub struct PolicyFile<'f> {
    /// Stands in messages.
    pub name: &'f str,
    /// YAML: a mapping with `variables`, `policies`, or both.
    pub text: &'f str,
}

/// Why policies can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {message}")]
pub struct LoadError {
    /// Its name.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// What is wrong, and the way out.
    pub message: String,
}

/// What stands in a file.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Written {
    variables: Vec<Spanned<Variable>>,
    policies: Vec<Spanned<Policy>>,
}

/// A variable that all policies may read.
#[derive(Clone, Debug)]
pub(crate) struct SharedVariable {
    pub variable: Variable,
    /// Bound.
    pub expression: IdedExpr,
    /// Those that it reads, by their places.
    pub reads: BTreeSet<usize>,
}

/// A policy whose questions are read.
#[derive(Clone, Debug)]
pub(crate) struct LoadedPolicy {
    pub policy: Policy,
    /// One for each validation.
    pub questions: Vec<Question>,
}

/// Who offends.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    /// Bound.
    pub offenders: IdedExpr,
    /// The shared variables that it needs, by their places, each after those that it reads.
    pub needs: BTreeSet<usize>,
}

/// The name under which a shared variable's value is held.
pub(crate) fn shared_name(variable: &str) -> String {
    format!("variables.{variable}")
}

/// The name under which a parameter's value is held: it is its policy's alone.
pub(crate) fn parameter_name(policy: &str, parameter: &str) -> String {
    format!("variables.{policy}.{parameter}")
}

/// Reads files. Variables may be read by the policies of all files, and by the variables of later ones.
pub(crate) fn load(files: &[PolicyFile<'_>]) -> Result<PolicySet, LoadError> {
    let written: Vec<Written> = files.iter().map(read).collect::<Result<_, _>>()?;
    let mut set = PolicySet::default();
    // Variables first: their file may come after those that use them.
    let mut policies = vec![];
    for (file, Written { variables, policies: of_file }) in files.iter().zip(written) {
        for variable in variables {
            let variable = shared_variable(file, variable, &set)?;
            set.variables.push(variable);
        }
        policies.extend(of_file.into_iter().map(|policy| (file, policy)));
    }
    for (file, policy) in policies {
        let policy = loaded_policy(file, policy, &set)?;
        set.policies.push(policy);
    }
    Ok(set)
}

fn read(file: &PolicyFile<'_>) -> Result<Written, LoadError> {
    let options = serde_saphyr::options! {
        with_snippet: false,
        budget: serde_saphyr::budget! { max_depth: DEEPEST, max_nodes: MOST_NODES },
    };
    serde_saphyr::from_str_with_options(file.text, options).map_err(|error| {
        let message = error.render_with_formatter(&serde_saphyr::UserMessageFormatter);
        let line = message.lines().next().unwrap_or_default();
        let message = line.split(" at line ").next().unwrap_or(line);
        file.error(error.location().unwrap_or(Location::UNKNOWN), message)
    })
}

impl PolicyFile<'_> {
    fn error(&self, at: Location, message: impl Into<String>) -> LoadError {
        let line = usize::try_from(at.line()).unwrap_or(1).max(1);
        LoadError { file: self.name.to_owned(), line, message: message.into() }
    }
}

fn shared_variable(
    file: &PolicyFile<'_>,
    written: Spanned<Variable>,
    set: &PolicySet,
) -> Result<SharedVariable, LoadError> {
    let (at, variable) = (written.defined, written.value);
    let error =
        |message: String| file.error(at, format!("variable `{}`: {message}", variable.name));
    if !is_identifier(&variable.name) {
        return Err(error("its name must be letters and digits, a letter first".to_owned()));
    }
    if set.variable(&variable.name).is_some() {
        return Err(error("there is another of this name; rename one".to_owned()));
    }
    let names = Names { set, policy: None };
    let (expression, reads) = names.bind(&variable.expression).map_err(error)?;
    Ok(SharedVariable { variable, expression, reads })
}

fn loaded_policy(
    file: &PolicyFile<'_>,
    written: Spanned<Policy>,
    set: &PolicySet,
) -> Result<LoadedPolicy, LoadError> {
    let (at, policy) = (written.defined, written.value);
    let error = |message: String| file.error(at, format!("policy `{}`: {message}", policy.name));
    if let Some(problem) = problem(&policy, set) {
        return Err(error(problem));
    }
    let names = Names { set, policy: Some(&policy) };
    let question = |validation: &crate::Validation| {
        let (offenders, reads) = names.bind(&validation.offenders).map_err(error)?;
        Ok(Question { offenders, needs: set.with_what_they_read(reads) })
    };
    let questions = policy.validations.iter().map(question).collect::<Result<_, _>>()?;
    Ok(LoadedPolicy { policy, questions })
}

/// What is wrong with a policy, its expressions aside.
fn problem(policy: &Policy, set: &PolicySet) -> Option<String> {
    if !is_label(&policy.name) {
        return Some(
            "its name must be lower case letters, digits and hyphens, 40 at most".to_owned(),
        );
    }
    if set.policy(&policy.name).is_some() {
        return Some("there is another of this name; rename one".to_owned());
    }
    if policy.subjects.is_empty() || policy.validations.is_empty() {
        return Some("it asks nothing; give it `subjects` and `validations`".to_owned());
    }
    if let Some(validation) = policy.validations.iter().find(|one| one.message.contains('\n')) {
        return Some(format!(
            "the API server shows no message of several lines: {}",
            validation.message
        ));
    }
    let mut seen = BTreeSet::new();
    for parameter in &policy.parameters {
        if !is_identifier(&parameter.name) || !seen.insert(&parameter.name) {
            return Some(format!(
                "parameter `{}` needs a name of its own, of letters and digits",
                parameter.name
            ));
        }
        if set.variable(&parameter.name).is_some() {
            return Some(format!(
                "parameter `{}` is a shared variable's name too; rename it",
                parameter.name
            ));
        }
        if let Some(problem) = parameter.problem(&parameter.default) {
            return Some(format!("its default for {problem}"));
        }
    }
    None
}

fn is_identifier(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

fn is_label(name: &str) -> bool {
    let inside = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=40).contains(&name.len())
        && name.bytes().all(inside)
        && !name.starts_with('-')
        && !name.ends_with('-')
}

/// The names that an expression may use.
struct Names<'n> {
    set: &'n PolicySet,
    policy: Option<&'n Policy>,
}

impl Names<'_> {
    /// The expression with what it names, and the shared variables that it reads.
    fn bind(&self, text: &str) -> Result<(IdedExpr, BTreeSet<usize>), String> {
        let mut parsed =
            expression::parse(text).map_err(|reason| format!("this is no expression: {reason}"))?;
        let (mut reads, mut unknown) = (BTreeSet::new(), None);
        expression::bind(&mut parsed, &mut |name| {
            if let Some(policy) = self.policy.filter(|policy| has_parameter(policy, name)) {
                return parameter_name(&policy.name, name);
            }
            match self.set.variable(name) {
                Some(place) => _ = reads.insert(place),
                None => unknown = Some(name.to_owned()),
            }
            shared_name(name)
        });
        match unknown {
            Some(name) => Err(self.unknown(&name)),
            None => Ok((parsed, reads)),
        }
    }

    fn unknown(&self, name: &str) -> String {
        let parameters = self.policy.iter().flat_map(|policy| &policy.parameters);
        let known = parameters.map(|parameter| &parameter.name);
        let known = known.chain(self.set.variables.iter().map(|shared| &shared.variable.name));
        let likest = known
            .max_by(|a, b| strsim::jaro_winkler(a, name).total_cmp(&strsim::jaro_winkler(b, name)));
        let hint = likest.map(|likest| format!("; did you mean `variables.{likest}`?"));
        format!(
            "nothing above defines `variables.{name}`{}",
            hint.as_deref().unwrap_or("; add it to `variables`")
        )
    }
}

fn has_parameter(policy: &Policy, name: &str) -> bool {
    policy.parameters.iter().any(|parameter| parameter.name == name)
}

#[cfg(test)]
mod tests;

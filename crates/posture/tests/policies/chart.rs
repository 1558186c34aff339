//! What the chart renders, evaluated from its own text: the answers must be those of the crate.

use crate::cases::{self, Case, PolicyCases};
use crate::{policies, repository};
use posture::cel::{Context, IdedExpr, Value as CelValue};
use posture::{Evaluator, PolicySettings, Settings, from_json};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use std::process::Command;
use std::sync::OnceLock;

/// A ValidatingAdmissionPolicy as it was rendered, its expressions read.
struct AdmissionPolicy {
    name: String,
    match_conditions: Vec<IdedExpr>,
    variables: Vec<(String, IdedExpr)>,
    /// Each with its message.
    validations: Vec<(IdedExpr, IdedExpr)>,
}

/// A request for it.
struct Request<'r> {
    operation: &'r str,
    user: &'r str,
    object: &'r Value,
    old: Option<&'r Value>,
}

impl AdmissionPolicy {
    fn of(manifest: &Value) -> Self {
        let spec = &manifest["spec"];
        let list = |field: &str| spec[field].as_array().cloned().unwrap_or_default();
        let read = |value: &Value| {
            let text = value.as_str().unwrap_or_else(|| panic!("no text: {value}"));
            posture::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
        };
        Self {
            name: manifest["metadata"]["name"].as_str().unwrap().to_owned(),
            match_conditions: list("matchConditions")
                .iter()
                .map(|one| read(&one["expression"]))
                .collect(),
            variables: list("variables")
                .iter()
                .map(|one| (one["name"].as_str().unwrap().to_owned(), read(&one["expression"])))
                .collect(),
            validations: list("validations")
                .iter()
                .map(|one| (read(&one["expression"]), read(&one["messageExpression"])))
                .collect(),
        }
    }

    /// The messages of what fails; None where a condition leaves the request out.
    fn messages(&self, request: &Request<'_>) -> Option<Vec<String>> {
        let mut context = posture::new_context();
        context.add_variable_from_value("object", from_json(request.object));
        context
            .add_variable_from_value("oldObject", from_json(request.old.unwrap_or(&Value::Null)));
        let told = json!({"operation": request.operation, "userInfo": {"username": request.user}});
        context.add_variable_from_value("request", from_json(&told));
        if self.match_conditions.iter().any(|condition| !self.holds(condition, &context)) {
            return None;
        }
        let mut variables: HashMap<String, CelValue> = HashMap::new();
        context.add_variable_from_value("variables", variables.clone());
        for (name, expression) in &self.variables {
            let value = CelValue::resolve(expression, &context);
            variables.insert(
                name.clone(),
                value.unwrap_or_else(|error| panic!("{}: {name}: {error}", self.name)),
            );
            context.add_variable_from_value("variables", variables.clone());
        }
        let failed =
            self.validations.iter().filter(|(expression, _)| !self.holds(expression, &context));
        Some(failed.map(|(_, message)| self.text(message, &context)).collect())
    }

    fn holds(&self, expression: &IdedExpr, context: &Context<'_>) -> bool {
        match CelValue::resolve(expression, context) {
            Ok(CelValue::Bool(holds)) => holds,
            other => panic!("{}: {other:?} is no truth value", self.name),
        }
    }

    fn text(&self, expression: &IdedExpr, context: &Context<'_>) -> String {
        match CelValue::resolve(expression, context) {
            Ok(CelValue::String(text)) => (*text).clone(),
            other => panic!("{}: {other:?} is no message", self.name),
        }
    }
}

/// The helm that the tests of the chart use.
fn helm() -> &'static str {
    static HELM: OnceLock<String> = OnceLock::new();
    HELM.get_or_init(|| {
        let script = "source tests/chart/tools.sh >&2 && printf %s \"$HELM\"";
        let told =
            Command::new("bash").args(["-ec", script]).current_dir(repository()).output().unwrap();
        assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
        String::from_utf8(told.stdout).unwrap()
    })
}

/// The objects of the kind that the chart renders with these values.
fn rendered(values: &Value, kind: &str) -> Vec<Value> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("values.yaml");
    std::fs::write(&file, values.to_string()).unwrap();
    let chart = repository().join("charts/defender");
    let mut command = Command::new(helm());
    command.args(["template", "defender"]).arg(chart).args([
        "--namespace",
        "defender",
        "--kube-version",
        "1.30.0",
        "--values",
    ]);
    let told = command.arg(&file).output().unwrap();
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    let text = String::from_utf8(told.stdout).unwrap();
    let documents =
        text.split("\n---\n").filter(|document| document.contains(&format!("\nkind: {kind}\n")));
    documents
        .map(|document| {
            serde_saphyr::from_str(document).unwrap_or_else(|error| panic!("{error}: {document}"))
        })
        .collect()
}

fn admission_policies(values: &Value) -> BTreeMap<String, AdmissionPolicy> {
    let policies = rendered(values, "ValidatingAdmissionPolicy");
    let named = policies.iter().map(AdmissionPolicy::of);
    named.map(|policy| (policy.name.trim_start_matches("defender-").to_owned(), policy)).collect()
}

/// Of each policy the sets of parameters that its cases have, each once, the defaults first.
fn parameter_sets(of_policy: &PolicyCases) -> Vec<Value> {
    let mut sets = vec![json!({})];
    for case in of_policy.fails.iter().chain(&of_policy.passes) {
        let set = json!(case.parameters);
        if !sets.contains(&set) {
            sets.push(set);
        }
    }
    sets
}

fn messages_of_the_crate(policy: &str, case: &Case, object: &Value) -> Vec<String> {
    let policies = policies();
    let disabled =
        |name: &str| PolicySettings { disabled: name != policy, ..PolicySettings::default() };
    let mut settings: Settings =
        policies.policies().map(|other| (other.name.clone(), disabled(&other.name))).collect();
    settings.entry(policy.to_owned()).or_default().parameters = case.parameters.clone();
    let evaluator = Evaluator::new(policies.clone(), &settings).unwrap();
    let report = evaluator.evaluate(object, &case.related(object));
    assert_eq!(report.errors, [], "{policy}: {}", case.what);
    report.findings.iter().map(|finding| finding.message.clone()).collect()
}

/// What the API server would say of all offenders, put together of what the crate says of each.
fn together(messages: &[String]) -> Vec<String> {
    let mut by_rest: Vec<(String, String)> = vec![];
    for message in messages {
        let (head, rest) = message.split_once(": ").unwrap();
        let (_, name) = head.split_once(' ').unwrap();
        match by_rest.iter_mut().find(|(_, known)| known == rest) {
            Some((heads, _)) => heads.extend([", ", name]),
            None => by_rest.push((head.to_owned(), rest.to_owned())),
        }
    }
    by_rest.into_iter().map(|(heads, rest)| format!("{heads}: {rest}")).collect()
}

#[test]
fn the_rendered_policies_say_of_each_case_what_the_crate_says() {
    let all: Vec<PolicyCases> = cases::all();
    let most =
        all.iter().map(|of_policy| parameter_sets(of_policy).len()).max().unwrap_or_default();
    let mut asked = 0;
    for number in 0..most {
        let chosen = |of_policy: &PolicyCases| parameter_sets(of_policy).get(number).cloned();
        let set = |of_policy: &PolicyCases| {
            Some((of_policy.policy.clone(), json!({"parameters": chosen(of_policy)?})))
        };
        let by_name: BTreeMap<String, Value> = all
            .iter()
            .filter(|one| one.policy != "unique-service-selector")
            .filter_map(set)
            .collect();
        let admission = json!({"admission": {"defaultAction": "deny", "policies": by_name}});
        let rendered = admission_policies(&admission);
        for of_policy in &all {
            let Some(policy) = rendered.get(&of_policy.policy) else { continue };
            let chosen = chosen(of_policy);
            let cases = of_policy.fails.iter().chain(&of_policy.passes);
            for case in cases.filter(|case| Some(json!(case.parameters)) == chosen) {
                for object in case.objects() {
                    let request =
                        Request { operation: "CREATE", user: "jane", object: &object, old: None };
                    let said = policy.messages(&request).expect("a request that is looked at");
                    let wanted = together(&messages_of_the_crate(&of_policy.policy, case, &object));
                    // A template is no subject of a policy about pods alone: the API server would not ask.
                    let is_asked = is_asked(&of_policy.policy, &object);
                    assert_eq!(
                        if is_asked { said } else { vec![] },
                        wanted,
                        "{}: {}",
                        of_policy.policy,
                        case.what
                    );
                    asked += 1;
                }
            }
        }
    }
    println!("{asked} requests, {most} renderings");
    assert!(asked > 1000, "{asked}");
}

fn is_asked(policy: &str, object: &Value) -> bool {
    let policies = policies();
    let text = |field: &str| object[field].as_str().unwrap_or_default().to_owned();
    let (version, kind) = (text("apiVersion"), text("kind"));
    policies
        .policy(policy)
        .unwrap()
        .subjects
        .iter()
        .any(|subject| subject.includes(&version, &kind))
}

#[test]
fn all_policies_that_see_one_object_are_rendered() {
    let rendered = admission_policies(&json!({"admission": {"defaultAction": "audit"}}));
    for policy in policies().policies() {
        assert_eq!(rendered.contains_key(&policy.name), policy.needs.is_none(), "{}", policy.name);
    }
}

#[test]
fn what_was_there_before_can_be_scaled_labelled_and_let_go_and_the_api_server_can_start() {
    let rendered = admission_policies(&json!({"admission": {"defaultAction": "deny"}}));
    let policy = &rendered["no-privileged"];
    let container = json!({"name": "a", "image": "a:1", "securityContext": {"privileged": true}});
    let template =
        json!({"metadata": {"labels": {"app": "a"}}, "spec": {"containers": [container]}});
    let deployment = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a"}, "spec": {"replicas": 3, "template": template}});
    let cron_job = json!({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "a"},
        "spec": {"schedule": "0 3 * * *", "jobTemplate": {"spec": {"template": template}}}});
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": {"containers": [container]}});
    let changed = |object: &Value, pointer: &str, to: Value| {
        let mut changed = object.clone();
        let (above, key) = pointer.rsplit_once('/').unwrap();
        let parent = changed.pointer_mut(above).unwrap();
        match parent.as_array_mut() {
            Some(items) => items[key.parse::<usize>().unwrap()] = to,
            None => parent[key] = to,
        }
        changed
    };
    for (object, pointer, to, is_asked) in [
        (&deployment, "/spec/replicas", json!(0), false),
        (&deployment, "/metadata/labels", json!({"a": "b"}), false),
        (&deployment, "/spec/template/spec/containers/0/image", json!("a:2"), true),
        (&cron_job, "/spec/schedule", json!("0 4 * * *"), false),
        (&cron_job, "/spec/jobTemplate/spec/backoffLimit", json!(3), true),
        (&pod, "/metadata/finalizers", json!([]), false),
        (&pod, "/spec/containers/0/image", json!("a:2"), true),
        (&pod, "/spec/ephemeralContainers", json!([{"name": "debug", "image": "b:1"}]), true),
    ] {
        let new = changed(object, pointer, to);
        let request =
            Request { operation: "UPDATE", user: "jane", object: &new, old: Some(object) };
        assert_eq!(
            policy.messages(&request).is_some(),
            is_asked,
            "{pointer} of {}",
            object["kind"]
        );
    }
    let role = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "new"},
        "rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]});
    let by = |user| {
        rendered["rbac-wildcard"].messages(&Request {
            operation: "CREATE",
            user,
            object: &role,
            old: None,
        })
    };
    assert_eq!(by("system:apiserver"), None);
    assert_eq!(by("jane").map(|messages| messages.len()), Some(1));
}

/// What a binding says.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BindingSpec {
    policy_name: String,
    validation_actions: Vec<String>,
}

#[test]
fn each_rendered_policy_is_bound_by_its_action() {
    let values = json!({"admission": {"defaultAction": "audit", "policies": {"no-privileged": {"action": "deny"}, "probes": {"action": false}}}});
    let bindings = rendered(&values, "ValidatingAdmissionPolicyBinding");
    let actions: BTreeMap<String, Vec<String>> = bindings
        .iter()
        .map(|binding| BindingSpec::deserialize(&binding["spec"]).unwrap())
        .map(|spec| (spec.policy_name, spec.validation_actions))
        .collect();
    assert_eq!(actions["defender-no-privileged"], ["Deny", "Audit"]);
    assert_eq!(actions["defender-latest-tag"], ["Audit"]);
    assert!(!actions.contains_key("defender-probes"));
    assert_eq!(actions.len(), admission_policies(&values).len());
}

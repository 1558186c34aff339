"""Policies for the API server: off unless asked for, bound where they were meant, wrong settings refused."""

import unittest

import kubernetes_validate
import yaml

from chart import CHART, HelmError, config_of, render

POLICIES = [policy["name"] for policy in yaml.safe_load((CHART / "files" / "policies.yaml").read_text(encoding="utf-8"))["policies"]]
VERSIONS = ["1.30.0", "1.33.0", "1.37.0"]
DENY_ONE = ["admission.policies.no-privileged.action=deny"]

REFUSED = {
    "admission.defaultAction=block": ["/admission/defaultAction", "'audit'"],
    "admission.policies.no-priviliged.action=deny": ["admission.policies.no-priviliged", "no such admission policy", "no-privileged"],
    "admission.policies.unique-service-selector.action=audit": ["no such admission policy"],
    "admission.policies.host-path.actoin=deny": ["/admission/policies/host-path", "'actoin' not allowed"],
    "admission.policies.host-path.namespaces.shop=block": ["/admission/policies/host-path/namespaces/shop"],
    "admission.policies.host-path.parameters.paths={/var}": ["admission.policies.host-path.parameters.paths", "there are allowedPaths, readOnly"],
    "admission.policies.host-path.parameters.allowedPaths=/var,admission.defaultAction=audit": ["host-path.parameters.allowedPaths must be a list of texts"],
    "admission.policies.host-path.parameters.readOnly=maybe,admission.defaultAction=audit": ["readOnly must be true or false"],
    "admission.policies.service-ports.parameters.allowedPorts={http},admission.defaultAction=audit": ["allowedPorts must be a list of whole numbers"],
    "admission.policies.cpu-memory-limits.parameters.maximumCpu=lots,admission.defaultAction=audit": ["maximumCpu must be a quantity"],
    "admission.policies.trusted-registries.parameters.allowedImages=(,admission.defaultAction=audit": ["error parsing regexp"],
}


def admission(objects):
    return objects.kind("ValidatingAdmissionPolicy") + objects.kind("ValidatingAdmissionPolicyBinding")


def selector(binding):
    (expression,) = binding["spec"]["matchResources"]["namespaceSelector"]["matchExpressions"]
    assert expression["key"] == "kubernetes.io/metadata.name"
    return expression["operator"], expression["values"]


class Admission(unittest.TestCase):
    def test_nothing_is_asked_unless_a_user_says_so(self):
        self.assertEqual(admission(render()), [])
        self.assertEqual(admission(render(kubernetes="1.25.0")), [])

    def test_every_policy_is_valid_in_every_version_that_has_them_in_both_helms(self):
        for version in VERSIONS:
            for binary in ("HELM", "HELM3"):
                objects = admission(render(settings=["admission.defaultAction=audit"], kubernetes=version, binary=binary))
                self.assertEqual(len(objects), 2 * len(POLICIES))
                for one in objects:
                    with self.subTest(version=version, object=one["metadata"]["name"]):
                        kubernetes_validate.validate(one, version.rsplit(".", 1)[0], strict=True)

    def test_an_older_kubernetes_is_told(self):
        with self.assertRaises(HelmError) as refusal:
            render(settings=DENY_ONE, kubernetes="1.29.0")
        self.assertIn("need Kubernetes 1.30 or newer, this is v1.29.0; set admission.defaultAction", str(refusal.exception))

    def test_kube_system_and_the_releases_own_namespace_are_left_out(self):
        binding = render(settings=DENY_ONE, namespace="security").find("ValidatingAdmissionPolicyBinding", "defender-no-privileged")
        self.assertEqual(selector(binding), ("NotIn", ["kube-node-lease", "kube-public", "kube-system", "security"]))
        self.assertNotIn("resourceRules", binding["spec"]["matchResources"])

    def test_each_action_is_the_api_servers_of_that_name(self):
        wanted = {"audit": ["Audit"], "warn": ["Warn", "Audit"], "deny": ["Deny", "Audit"]}
        for action, actions in wanted.items():
            objects = render(settings=[f"admission.policies.probes.action={action}"])
            self.assertEqual(objects.find("ValidatingAdmissionPolicyBinding", "defender-probes")["spec"]["validationActions"], actions)
            self.assertEqual(len(admission(objects)), 2)

    def test_a_namespace_may_have_an_action_of_its_own(self):
        settings = ["admission.policies.probes.action=warn"]
        settings += [f"admission.policies.probes.namespaces.{name}={action}" for name, action in {"prod": "deny", "sandbox": "off", "kube-system": "deny"}.items()]
        objects = render(settings=settings)
        bindings = {one["metadata"]["name"]: one for one in objects.kind("ValidatingAdmissionPolicyBinding")}
        self.assertEqual(sorted(bindings), ["defender-probes", "defender-probes-deny"])
        self.assertEqual(selector(bindings["defender-probes"]), ("NotIn", ["kube-node-lease", "kube-public", "kube-system", "prod", "sandbox"]))
        self.assertEqual(selector(bindings["defender-probes-deny"]), ("In", ["prod"]))
        (rule,) = bindings["defender-probes-deny"]["spec"]["matchResources"]["resourceRules"]
        self.assertEqual(rule["scope"], "Namespaced")

    def test_a_bare_off_is_off(self):
        # YAML reads it as false.
        settings = ["admission.defaultAction=audit", "admission.policies.probes.action=false"]
        self.assertEqual(len(render(settings=settings).kind("ValidatingAdmissionPolicy")), len(POLICIES) - 1)

    def test_parameters_are_the_policys_first_variables(self):
        settings = ["admission.policies.host-path.action=audit", r"admission.policies.host-path.parameters.allowedPaths={/var/log,/a\"b<c}"]
        policy = render(settings=settings).find("ValidatingAdmissionPolicy", "defender-host-path")
        variables = {one["name"]: one["expression"] for one in policy["spec"]["variables"]}
        self.assertEqual(list(variables)[:2], ["allowedPaths", "readOnly"])
        self.assertEqual(variables["allowedPaths"], '["/var/log","/a\\"b<c"]')
        self.assertEqual(variables["readOnly"], "true")

    def test_what_runs_is_asked_by_the_same_parameters_in_the_same_namespaces(self):
        settings = ["admission.policies.host-path.parameters.allowedPaths={/var/log}", "admission.exemptNamespaces={kube-system,lab}"]
        checks = config_of(render(settings=settings), "collector-misc")["assess"]["checks"]
        self.assertEqual(checks["policies"], {"host-path": {"parameters": {"allowedPaths": ["/var/log"]}}})
        self.assertEqual(checks["exempt_namespaces"], ["kube-system", "lab"])

    def test_what_can_not_be_evaluated_does_not_pass(self):
        for policy in render(settings=["admission.defaultAction=deny"]).kind("ValidatingAdmissionPolicy"):
            self.assertEqual(policy["spec"]["failurePolicy"], "Fail")

    def test_expressions_and_messages_are_within_the_api_servers_bounds(self):
        for policy in render(settings=["admission.defaultAction=audit"]).kind("ValidatingAdmissionPolicy"):
            for validation in policy["spec"]["validations"]:
                self.assertNotIn("\n", validation["message"])
                self.assertLess(len(validation["message"]), 2048)
            self.assertLessEqual(len(policy["metadata"]["name"]), 63)

    def test_wrong_settings_are_refused_by_a_message_that_names_them(self):
        for setting, parts in REFUSED.items():
            with self.subTest(setting):
                with self.assertRaises(HelmError) as refusal:
                    render(settings=[setting])
                for part in parts:
                    self.assertIn(part, str(refusal.exception))

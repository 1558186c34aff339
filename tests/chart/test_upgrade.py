"""Install, upgrade, uninstall by the real helm: what is secret stays, what changed rolls, nothing is left."""

import base64
import copy
import pathlib
import tempfile
import unittest

from api_server import ApiServer
from chart import CHART, NAMESPACE, HelmError, helm

KUBECONFIG = """
apiVersion: v1
kind: Config
clusters: [{{name: test, cluster: {{server: "{address}"}}}}]
users: [{{name: test, user: {{}}}}]
contexts: [{{name: test, context: {{cluster: test, user: test}}}}]
current-context: test
"""


class Upgrade(unittest.TestCase):
    def setUp(self):
        self.server = self.enterContext(ApiServer())
        self.home = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        (self.home / "kubeconfig").write_text(KUBECONFIG.format(address=self.server.address))

    def helm(self, *arguments, binary="HELM"):
        environment = {"HOME": str(self.home), "KUBECONFIG": str(self.home / "kubeconfig")}
        return helm(*arguments, "--namespace", NAMESPACE, binary=binary, environment=environment)

    def install(self, *settings, binary="HELM"):
        # The schemas are tested elsewhere; this server has none.
        arguments = ["upgrade", "--install", "--disable-openapi-validation", "defender", CHART]
        for setting in settings:
            arguments += ["--set", setting]
        notes = self.helm(*arguments, binary=binary)
        return notes, {path: copy.deepcopy(one) for path, one in self.server.objects.items() if "sh.helm.release" not in path}

    def assertChanged(self, before, after, names):
        changed = [path.rsplit("/", 2)[-2:] for path in {*before, *after} if before.get(path) != after.get(path)]
        self.assertEqual(sorted("/".join(path) for path in changed), sorted(names))

    def test_an_upgrade_without_a_change_changes_nothing(self):
        for binary in ("HELM", "HELM3"):
            with self.subTest(binary):
                self.setUp()
                _, before = self.install(binary=binary)
                _, after = self.install(binary=binary)
                self.assertChanged(before, after, [])

    def test_a_changed_configuration_rolls_its_workload_alone(self):
        _, before = self.install()
        _, after = self.install("publisherDs.spool.maximumBytes=3GiB")
        self.assertChanged(before, after, ["configmaps/defender-publisher-ds", "daemonsets/defender-publisher-ds"])
        template = self.server.found("DaemonSet", "defender-publisher-ds")["spec"]["template"]
        first = next(one for path, one in before.items() if path.endswith("daemonsets/defender-publisher-ds"))
        self.assertEqual(template["spec"], first["spec"]["template"]["spec"])
        self.assertNotEqual(template["metadata"]["annotations"], first["spec"]["template"]["metadata"]["annotations"])

    def test_a_further_name_has_the_backends_certificate_alone_made_anew(self):
        _, before = self.install()
        _, after = self.install("tls.dnsNames={defender.example.com}")
        self.assertChanged(before, after, ["secrets/defender-backend-tls"])

    def test_a_raised_revision_has_both_certificates_made_anew_by_the_same_authority(self):
        _, before = self.install()
        _, after = self.install("tls.generated.revision=2")
        self.assertChanged(before, after, ["secrets/defender-backend-tls", "secrets/defender-publisher-tls"])
        authority = self.server.found("Secret", "defender-ca")["data"]["tls.crt"]
        for name in ("defender-backend-tls", "defender-publisher-tls"):
            self.assertEqual(self.server.found("Secret", name)["data"]["ca.crt"], authority)

    def test_a_further_authority_is_believed_by_publishers_alone_and_takes_no_certificate_away(self):
        _, before = self.install()
        proxy = "-----BEGIN CERTIFICATE-----\nproxy\n-----END CERTIFICATE-----"
        _, after = self.install(f"tls.generated.publishersBelieve={proxy}")
        self.assertChanged(before, after, ["secrets/defender-publisher-tls"])
        own = base64.b64decode(self.server.found("Secret", "defender-ca")["data"]["tls.crt"]).decode()
        then = self.server.found("Secret", "defender-publisher-tls")["data"]
        self.assertEqual(base64.b64decode(then["ca.crt"]).decode(), f"{own.strip()}\n{proxy}\n")
        first = next(one["data"] for path, one in before.items() if path.endswith("secrets/defender-publisher-tls"))
        self.assertEqual((then["tls.crt"], then["tls.key"]), (first["tls.crt"], first["tls.key"]))
        _, again = self.install("tls.generated.publishersBelieve=")
        self.assertChanged(before, again, [])

    def test_the_notes_teach_the_first_steps(self):
        notes, _ = self.install()
        for part in (
            "port-forward service/defender-console 8443:443",
            "get secret defender-api-token",
            "kubectl run defender-test",
            "must have been loaded onto every node",
        ):
            self.assertIn(part, notes)

    def test_a_namespace_that_would_refuse_the_pods_is_told_before_anything_is_installed(self):
        for level in ("baseline", "restricted"):
            self.enforce(level)
            with self.subTest(level), self.assertRaises(HelmError) as refusal:
                self.install()
            for part in (f"enforces the Pod Security level {level}", "label --overwrite namespace kube-system"):
                self.assertIn(part, str(refusal.exception))
            self.assertEqual(self.server.workloads(), [])

    def test_such_a_namespace_takes_a_backend_without_sensors(self):
        self.enforce("restricted")
        sensors = ["collectorDs", "collectorMisc", "publisherDs"]
        self.install(*[f"{workload}.enabled=false" for workload in sensors])
        self.assertEqual(self.server.workloads(), ["defender-backend"])

    def test_a_privileged_namespace_takes_all(self):
        self.enforce("privileged")
        self.install()
        self.assertIn("defender-collector-ds", self.server.workloads())

    def enforce(self, level):
        labels = {"pod-security.kubernetes.io/enforce": level}
        self.server.objects[f"/api/v1/namespaces/{NAMESPACE}"] = {
            "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": labels},
        }

    def test_nothing_is_left_after_an_uninstall(self):
        self.install()
        self.helm("uninstall", "defender")
        self.assertEqual(list(self.server.objects), [])

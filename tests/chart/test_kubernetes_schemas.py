"""What is rendered is what Kubernetes takes: every object against the published schemas, unknown fields refused."""

import logging
import unittest

import kubernetes_validate

from chart import CHART, VALUES, helm, render

# The oldest the chart supports, the last without the AppArmor field, the first with it, and the newest.
VERSIONS = ["1.25.0", "1.29.0", "1.30.0", "1.37.0"]
# Custom resources: no schema of Kubernetes' own.
CUSTOM = {
    ("cert-manager.io/v1", "Issuer"),
    ("cert-manager.io/v1", "Certificate"),
    ("monitoring.coreos.com/v1", "PodMonitor"),
}


class KubernetesSchemas(unittest.TestCase):
    def test_every_object_of_every_value_set_is_valid_in_every_version(self):
        for version in VERSIONS:
            for values in [None, *VALUES]:
                for one in render(values, kubernetes=version):
                    with self.subTest(version=version, values=values and values.name, object=f"{one['kind']}/{one['metadata']['name']}"):
                        self.check(one, version)

    def check(self, one, version):
        if (one["apiVersion"], one["kind"]) not in CUSTOM:
            kubernetes_validate.validate(one, version.rsplit(".", 1)[0], strict=True)

    def test_a_wrong_field_would_be_found(self):
        one = render().find("DaemonSet", "defender-collector-ds")
        one["spec"]["template"]["spec"]["hostPid"] = True
        with self.assertRaises(kubernetes_validate.ValidationError):
            self.check(one, "1.35.0")

    def test_no_object_is_rendered_twice(self):
        for values in [None, *VALUES]:
            names = [(one["kind"], one["metadata"]["name"]) for one in render(values)]
            self.assertEqual(len(names), len(set(names)), values)

    def test_the_chart_is_clean_for_the_linter(self):
        for values in [None, *VALUES]:
            for binary in ("HELM", "HELM3"):
                arguments = ["--values", values] if values else []
                self.assertIn("0 chart(s) failed", helm("lint", "--strict", CHART, *arguments, binary=binary))

    def test_helm_3_renders_what_helm_4_renders(self):
        for values in VALUES:
            self.assertEqual(stable(render(values, binary="HELM3")), stable(render(values)), values)


def stable(objects):
    """Without what is drawn by lot: keys, certificates, tokens."""
    return [one for one in objects if one["kind"] != "Secret"]


logging.getLogger("kubernetes_validate").setLevel(logging.ERROR)

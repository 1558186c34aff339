"""Audit events by the API servers' webhook: off unless asked for, and then whole."""

import unittest

import yaml

from chart import CHART, FOLDER, config_of, only_container, render

ON = ["collectorMisc.audit.enabled=true"]


def mounts(objects):
    container = only_container(objects.pod("Deployment", "defender-collector-misc"))
    return {mount["mountPath"]: mount for mount in container["volumeMounts"]}


class Audit(unittest.TestCase):
    def test_nothing_of_it_is_there_unless_it_is_asked_for(self):
        objects = render()
        self.assertNotIn("audit", config_of(objects, "collector-misc"))
        self.assertFalse([one for one in objects if "audit" in one["metadata"]["name"]])
        container = only_container(objects.pod("Deployment", "defender-collector-misc"))
        self.assertEqual([port["name"] for port in container["ports"]], ["admin"])

    def test_the_service_leads_to_the_receivers_port_and_the_policy_lets_it(self):
        objects = render(settings=ON)
        (port,) = objects.find("Service", "defender-audit")["spec"]["ports"]
        container = only_container(objects.pod("Deployment", "defender-collector-misc"))
        (target,) = [each["containerPort"] for each in container["ports"] if each["name"] == port["targetPort"]]
        self.assertEqual(config_of(objects, "collector-misc")["audit"]["listen"], f"0.0.0.0:{target}")
        rules = objects.find("NetworkPolicy", "defender-collector-misc")["spec"]["ingress"]
        self.assertEqual(rules, [{"ports": [{"protocol": "TCP", "port": target}]}])

    def test_the_certificates_are_of_an_authority_that_signs_nothing_else(self):
        objects = render(settings=ON)
        data = {name: objects.find("Secret", f"defender-{name}")["data"] for name in ("audit-ca", "audit-tls", "audit-api-server", "ca")}
        self.assertEqual(data["audit-tls"]["ca.crt"], data["audit-ca"]["tls.crt"])
        self.assertEqual(data["audit-api-server"]["ca.crt"], data["audit-ca"]["tls.crt"])
        self.assertNotEqual(data["ca"]["tls.crt"], data["audit-ca"]["tls.crt"])
        secrets = [volume["secret"]["secretName"] for volume in objects.pod("Deployment", "defender-collector-misc")["volumes"] if "secret" in volume]
        self.assertEqual(secrets, ["defender-audit-tls"])

    def test_cert_manager_issues_them_of_an_authority_of_their_own(self):
        objects = render(settings=[*ON, "tls.mode=certManager"])
        issuers = {one["metadata"]["name"]: one["spec"]["issuerRef"]["name"] for one in objects.kind("Certificate") if "audit" in one["metadata"]["name"]}
        self.assertEqual(issuers, {
            "defender-audit-ca": "defender-audit-ca-self-signed",
            "defender-audit": "defender-audit-ca",
            "defender-audit-api-server": "defender-audit-ca",
        })
        self.assertEqual(objects.find("Certificate", "defender-audit-api-server")["spec"]["usages"], ["digital signature", "client auth"])

    def test_with_secrets_of_yours_a_token_may_be_enough(self):
        objects = render(FOLDER / "values" / "audit.yaml")
        audit = config_of(objects, "collector-misc")["audit"]
        self.assertEqual((audit["client_ca_file"], audit["token_file"]), ("", "/etc/defender/audit-token/token"))
        self.assertFalse([one for one in objects.kind("Secret") if "audit" in one["metadata"]["name"]])
        self.assertEqual(objects.find("Service", "defender-audit")["spec"]["ports"][0]["nodePort"], 30844)
        (rule,) = objects.find("NetworkPolicy", "defender-collector-misc")["spec"]["ingress"]
        self.assertEqual(rule["from"], [{"ipBlock": {"cidr": "10.0.0.0/24"}}])

    def test_secrets_of_yours_must_be_named(self):
        settings = [*ON, "tls.mode=existingSecret", "tls.existingSecret.backend=b", "tls.existingSecret.publisher=p"]
        with self.assertRaisesRegex(Exception, "collectorMisc.audit.tlsSecret is empty"):
            render(settings=settings)

    def test_rules_and_what_belongs_to_them_are_the_sensors(self):
        objects = render(FOLDER / "values" / "everything.yaml")
        sensor, cluster = (config_of(objects, name) for name in ("collector-ds", "collector-misc"))
        for key in ("rules", "suppressions", "threat_intelligence"):
            self.assertEqual(sensor[key]["paths"], cluster[key]["paths"])
            for path in cluster[key]["paths"]:
                self.assertTrue(path == "/etc/defender/rules" or path in mounts(objects), path)

    def test_without_sensors_the_rules_are_there_all_the_same(self):
        settings = [*ON, "collectorDs.enabled=false"]
        objects = render(FOLDER / "values" / "everything.yaml", settings=settings)
        objects.find("ConfigMap", "defender-custom-rules")
        self.assertIn("/etc/defender/custom-rules", mounts(objects))

    def test_the_kubeconfig_leads_to_the_service_by_its_name_and_path(self):
        (cluster,) = yaml.safe_load((CHART / "files" / "audit" / "kubeconfig.yaml").read_text())["clusters"]
        self.assertTrue(cluster["cluster"]["server"].endswith(":443/audit"))
        self.assertEqual(cluster["cluster"]["tls-server-name"], "defender-audit.kube-system.svc")

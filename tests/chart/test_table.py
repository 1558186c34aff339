"""The table of the documentation (docs/install.md), field by field: kind, capabilities, limits, way out."""

import unittest

from chart import only_container, render

SYSTEM = "kube-system"

# Workload: kind, capabilities, memory, CPU.
TABLE = {
    "defender-collector-ds": ("DaemonSet", ["SYS_ADMIN", "SYS_RESOURCE", "SYS_PTRACE"], "296Mi", "360m"),
    "defender-collector-misc": ("Deployment", [], "64Mi", "60m"),
    "defender-publisher-ds": ("DaemonSet", [], "200Mi", "60m"),
}
DNS_PORTS = [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}]


class Table(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.objects = render()

    def test_the_workloads_are_those_of_the_table_and_the_backend(self):
        found = {one["metadata"]["name"]: one["kind"] for one in self.objects.workloads()}
        wanted = {name: row[0] for name, row in TABLE.items()}
        self.assertEqual(found, {**wanted, "defender-backend": "StatefulSet"})

    def test_everything_is_in_kube_system(self):
        for one in self.objects:
            if one["kind"] not in ("ClusterRole", "ClusterRoleBinding"):
                self.assertEqual(one["metadata"].get("namespace"), SYSTEM, one["metadata"]["name"])

    def test_the_limits_are_the_tables(self):
        for name, (kind, _, memory, cpu) in TABLE.items():
            limits = only_container(self.objects.pod(kind, name))["resources"]["limits"]
            self.assertEqual(limits, {"memory": memory, "cpu": cpu}, name)

    def test_the_capabilities_are_the_tables_and_no_other(self):
        for name, (kind, capabilities, _, _) in TABLE.items():
            pod = self.objects.pod(kind, name)
            container = only_container(pod)["securityContext"]["capabilities"]
            self.assertEqual(container["drop"], ["ALL"], name)
            self.assertEqual(container.get("add", []), capabilities, name)
            for init in pod.get("initContainers", []):
                self.assertEqual(init["securityContext"]["capabilities"], {"drop": ["ALL"]}, name)

    def test_the_sensor_may_send_nothing(self):
        self.assertEqual(self.egress("defender-collector-ds"), [])

    def test_the_cluster_collector_may_reach_the_api_server_alone(self):
        ports = [{"protocol": "TCP", "port": 443}, {"protocol": "TCP", "port": 6443}]
        self.assertEqual(self.egress("defender-collector-misc"), [{"ports": ports}])

    def test_the_publisher_may_reach_its_backend_and_resolve_its_name(self):
        backend, dns = self.egress("defender-publisher-ds")
        self.assertEqual(backend["ports"], [{"protocol": "TCP", "port": 8443}])
        (peer,) = backend["to"]
        self.assertEqual(peer["podSelector"]["matchLabels"]["app.kubernetes.io/component"], "backend")
        self.assertEqual(dns["ports"], DNS_PORTS)
        self.assertEqual(dns["to"][0]["podSelector"]["matchLabels"], {"k8s-app": "kube-dns"})

    def test_the_publisher_of_a_further_cluster_may_reach_port_443(self):
        objects = render(settings=SENSORS_ONLY + ["publisherDs.backend.url=https://defender.example.com"])
        backend, _ = egress(objects, "defender-publisher-ds")
        self.assertEqual(backend, {"ports": [{"protocol": "TCP", "port": 443}]})

    def test_another_port_of_the_url_and_the_addresses_are_followed(self):
        settings = ["publisherDs.backend.url=https://defender.example.com:9443", "networkPolicy.backendCidrs={203.0.113.7/32}"]
        backend, _ = egress(render(settings=SENSORS_ONLY + settings), "defender-publisher-ds")
        to = [{"ipBlock": {"cidr": "203.0.113.7/32"}}]
        self.assertEqual(backend, {"ports": [{"protocol": "TCP", "port": 9443}], "to": to})

    def test_the_backend_is_reached_by_publishers_alone_and_reaches_nobody(self):
        policy = self.objects.find("NetworkPolicy", "defender-backend")["spec"]
        self.assertEqual(policy["egress"], [])
        (rule,) = policy["ingress"]
        self.assertEqual(rule["ports"], [{"protocol": "TCP", "port": 8443}])
        (peer,) = rule["from"]
        self.assertEqual(peer["podSelector"]["matchLabels"]["app.kubernetes.io/component"], "publisher-ds")

    def test_the_collectors_and_publishers_are_reached_by_nobody(self):
        for name in TABLE:
            self.assertEqual(self.objects.find("NetworkPolicy", name)["spec"]["ingress"], [], name)

    def test_each_policy_selects_its_pods_and_covers_both_directions(self):
        for workload in self.objects.workloads():
            policy = self.objects.find("NetworkPolicy", workload["metadata"]["name"])["spec"]
            labels = workload["spec"]["template"]["metadata"]["labels"]
            self.assertLessEqual(policy["podSelector"]["matchLabels"].items(), labels.items())
            self.assertEqual(policy["policyTypes"], ["Ingress", "Egress"])

    def egress(self, name):
        return egress(self.objects, name)


SENSORS_ONLY = ["backend.enabled=false", "tls.mode=existingSecret", "tls.existingSecret.publisher=ours"]


def egress(objects, name):
    return objects.find("NetworkPolicy", name)["spec"]["egress"]

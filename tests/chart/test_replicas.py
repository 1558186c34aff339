"""The replicas of the cluster's collector: one leads by a Lease, one stands by."""

import unittest

from chart import config_of, only_container, render

NAME = "defender-collector-misc"


class Replicas(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.objects = render()

    def test_there_are_two_and_the_next_begins_before_one_ends(self):
        deployment = self.objects.find("Deployment", NAME)["spec"]
        self.assertEqual(deployment["replicas"], 2)
        self.assertEqual(deployment["strategy"], {
            "type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0},
        })

    def test_they_elect_a_leader_and_know_their_names(self):
        leadership = config_of(self.objects, "collector-misc")["leadership"]
        self.assertEqual(leadership, {"enabled": True, "lease": NAME})
        environment = only_container(self.objects.pod("Deployment", NAME))["env"]
        names = {one["name"]: one["valueFrom"]["fieldRef"]["fieldPath"] for one in environment}
        self.assertEqual(names, {"NODE_NAME": "spec.nodeName", "POD_NAME": "metadata.name"})

    def test_they_may_use_their_own_lease_and_no_other_in_their_own_namespace(self):
        (role,) = self.objects.kind("Role")
        self.assertEqual(role["metadata"]["namespace"], "kube-system")
        leases = {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"]}
        self.assertEqual(role["rules"], [
            {**leases, "verbs": ["create"]},
            {**leases, "resourceNames": [NAME], "verbs": ["get", "update"]},
        ])
        (binding,) = self.objects.kind("RoleBinding")
        self.assertEqual(binding["roleRef"]["name"], role["metadata"]["name"])
        self.assertEqual(binding["subjects"], [{"kind": "ServiceAccount", "name": NAME, "namespace": "kube-system"}])

    def test_they_prefer_nodes_of_their_own_wherever_else_they_are_sent(self):
        for settings in ([], ["collectorMisc.affinity.nodeAffinity=null"], ["collectorMisc.affinity=null"]):
            affinity = render(settings=settings).pod("Deployment", NAME)["affinity"]
            (apart,) = affinity["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"]
            term = apart["podAffinityTerm"]
            self.assertEqual(term["topologyKey"], "kubernetes.io/hostname")
            labels = self.objects.find("Deployment", NAME)["spec"]["selector"]["matchLabels"]
            self.assertEqual(term["labelSelector"]["matchLabels"], labels)
        self.assertIn("nodeAffinity", self.objects.pod("Deployment", NAME)["affinity"])

    def test_one_after_the_other_may_be_evicted(self):
        budget = self.objects.find("PodDisruptionBudget", NAME)["spec"]
        self.assertEqual(budget["maxUnavailable"], 1)
        labels = self.objects.find("Deployment", NAME)["spec"]["selector"]["matchLabels"]
        self.assertEqual(budget["selector"]["matchLabels"], labels)

    def test_a_single_replica_needs_no_budget(self):
        for setting in ("collectorMisc.replicas=1", "collectorMisc.podDisruptionBudget.enabled=false"):
            budgets = render(settings=[setting]).kind("PodDisruptionBudget")
            self.assertEqual([one["metadata"]["name"] for one in budgets], [])

"""Each pod holds the least that its work needs."""

import unittest

from chart import VALUES, all_pods, only_container, render


def containers(pod):
    return pod.get("initContainers", []) + pod["containers"]


class Hardening(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.objects = render()
        cls.pods = dict(all_pods(cls.objects))

    def test_every_root_file_system_is_read_only_in_every_value_set(self):
        for values in VALUES:
            for name, pod in all_pods(render(values)):
                for container in containers(pod):
                    self.assertIs(container["securityContext"]["readOnlyRootFilesystem"], True, (values.name, name))
                    self.assertIsNot(container["securityContext"].get("privileged"), True, (values.name, name))

    def test_every_pod_has_the_runtimes_seccomp_profile(self):
        for name, pod in self.pods.items():
            self.assertEqual(pod["securityContext"]["seccompProfile"], {"type": "RuntimeDefault"}, name)

    def test_all_but_the_sensor_run_without_root(self):
        for name, pod in self.pods.items():
            user = pod["securityContext"]["runAsUser"]
            if name == "defender-collector-ds":
                self.assertEqual(user, 0)
                continue
            self.assertEqual(user, 65532, name)
            self.assertIs(pod["securityContext"]["runAsNonRoot"], True, name)
            for container in pod["containers"]:
                self.assertIs(container["securityContext"]["allowPrivilegeEscalation"], False, name)
                self.assertNotIn("runAsUser", container["securityContext"], name)

    def test_the_one_root_init_container_has_no_capability_and_two_folders(self):
        inits = [(name, init) for name, pod in self.pods.items() for init in pod.get("initContainers", [])]
        ((name, init),) = inits
        self.assertEqual(name, "defender-publisher-ds")
        context = init["securityContext"]
        self.assertEqual((context["runAsUser"], context["runAsGroup"]), (0, 65532))
        self.assertEqual(context["capabilities"], {"drop": ["ALL"]})
        self.assertIs(context["allowPrivilegeEscalation"], False)
        self.assertEqual([mount["name"] for mount in init["volumeMounts"]], ["socket", "spool"])

    def test_the_cluster_collector_alone_holds_a_token_of_the_api_server(self):
        holders = [name for name, pod in self.pods.items() if pod["automountServiceAccountToken"]]
        self.assertEqual(holders, ["defender-collector-misc"])
        for account in self.objects.kind("ServiceAccount"):
            self.assertIs(account["automountServiceAccountToken"], False, account["metadata"]["name"])

    def test_that_token_lists_and_watches_and_no_secrets_unless_wanted(self):
        (role,) = self.objects.kind("ClusterRole")
        for rule in role["rules"]:
            self.assertEqual(rule["verbs"], ["list", "watch"], rule)
        granted = {name for rule in role["rules"] for name in rule["resources"]}
        self.assertIn("pods", granted)
        self.assertNotIn("secrets", granted)
        wanted = render(settings=["collectorMisc.secrets=true"])
        (role,) = wanted.kind("ClusterRole")
        self.assertIn({"apiGroups": [""], "resources": ["secrets"], "verbs": ["list", "watch"]}, role["rules"])
        (config,) = [it for it in wanted.kind("ConfigMap") if it["metadata"]["name"] == "defender-collector-misc"]
        self.assertIn("secrets: true", config["data"]["collector-misc.yaml"])
        (binding,) = self.objects.kind("ClusterRoleBinding")
        self.assertEqual([subject["name"] for subject in binding["subjects"]], ["defender-collector-misc"])

    def test_the_sensor_alone_shares_the_hosts_processes_and_none_its_network(self):
        for name, pod in self.pods.items():
            self.assertEqual(pod.get("hostPID", False), name == "defender-collector-ds", name)
            self.assertNotIn("hostNetwork", pod, name)
            self.assertNotIn("hostIPC", pod, name)

    def test_the_sensors_host_paths_are_read_only_but_for_its_state_and_follow_unmounts(self):
        container = only_container(self.pods["defender-collector-ds"])
        written = [mount["name"] for mount in container["volumeMounts"] if not mount.get("readOnly")]
        self.assertEqual(written, ["state"])
        (host,) = [mount for mount in container["volumeMounts"] if mount["name"] == "host"]
        self.assertEqual((host["mountPath"], host["mountPropagation"]), ("/host", "HostToContainer"))

    def test_the_sensor_is_in_the_sockets_group(self):
        self.assertEqual(self.pods["defender-collector-ds"]["securityContext"]["supplementalGroups"], [65532])

    def test_host_paths_are_the_root_the_socket_the_spool_and_the_sensors_state(self):
        paths = {name: host_paths(pod) for name, pod in self.pods.items()}
        self.assertEqual(paths, {
            "defender-collector-ds": {"host": "/", "socket": "/run/defender", "state": "/var/lib/defender/collector"},
            "defender-collector-misc": {"socket": "/run/defender"},
            "defender-publisher-ds": {"socket": "/run/defender", "spool": "/var/lib/defender/spool"},
            "defender-backend": {},
        })

    def test_the_collectors_hold_no_secret(self):
        for name in ("defender-collector-ds", "defender-collector-misc"):
            self.assertFalse([volume for volume in self.pods[name]["volumes"] if "secret" in volume], name)

    def test_publisher_and_backend_hold_a_key_each_and_not_the_authoritys(self):
        self.assertEqual(secrets(self.pods["defender-publisher-ds"]), ["defender-publisher-tls"])
        self.assertEqual(secrets(self.pods["defender-backend"]), ["defender-backend-tls", "defender-api-token"])

    def test_apparmor_is_lifted_for_the_sensor_alone_by_field_and_before_it_by_annotation(self):
        for name, pod in self.pods.items():
            profile = only_container(pod)["securityContext"].get("appArmorProfile")
            self.assertEqual(profile, {"type": "Unconfined"} if name == "defender-collector-ds" else None)
        old = render(kubernetes="1.29.0").find("DaemonSet", "defender-collector-ds")["spec"]["template"]
        annotation = "container.apparmor.security.beta.kubernetes.io/collector-ds"
        self.assertEqual(old["metadata"]["annotations"][annotation], "unconfined")
        self.assertNotIn("appArmorProfile", only_container(old["spec"])["securityContext"])

    def test_priority_classes_keep_the_sensors_scheduled(self):
        classes = {name: pod.get("priorityClassName") for name, pod in self.pods.items()}
        self.assertEqual(classes, {
            "defender-collector-ds": "system-node-critical",
            "defender-publisher-ds": "system-node-critical",
            "defender-collector-misc": "system-cluster-critical",
            "defender-backend": None,
        })

    def test_the_daemon_sets_tolerate_every_taint(self):
        for name in ("defender-collector-ds", "defender-publisher-ds"):
            self.assertEqual(self.pods[name]["tolerations"], [{"operator": "Exists"}], name)


def host_paths(pod):
    return {volume["name"]: volume["hostPath"]["path"] for volume in pod["volumes"] if "hostPath" in volume}


def secrets(pod):
    return [volume["secret"]["secretName"] for volume in pod["volumes"] if "secret" in volume]

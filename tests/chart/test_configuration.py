"""The configuration files that the chart writes: complete, and good in the eyes of the binaries themselves."""

import os
import pathlib
import subprocess
import tempfile
import unittest

import yaml

from chart import CHART, FOLDER, VALUES, config_of, only_container, render

RULES = CHART.parent.parent / "rules"
COMPONENTS = ["collector-ds", "collector-misc", "publisher-ds", "backend"]


class Configuration(unittest.TestCase):
    def test_the_binaries_take_it_in_every_value_set(self):
        binaries = os.environ.get("DEFENDER_DIST")
        if not binaries:
            self.skipTest("DEFENDER_DIST names no folder with the binaries")
        for values in [None, *VALUES]:
            objects = render(values)
            for one in objects.kind("ConfigMap"):
                component = one["metadata"]["name"].removeprefix("defender-")
                if component in COMPONENTS:
                    with self.subTest(values=values and values.name, component=component):
                        check(pathlib.Path(binaries) / component, one["data"][f"{component}.yaml"], objects)

    def test_probes_and_scrapes_reach_the_port_where_the_admin_server_listens(self):
        objects = render()
        for workload in objects.workloads():
            component = workload["metadata"]["labels"]["app.kubernetes.io/component"]
            container = only_container(workload["spec"]["template"]["spec"])
            (port,) = [port["containerPort"] for port in container["ports"] if port["name"] == "admin"]
            self.assertEqual(config_of(objects, component)["admin"]["listen"], f"0.0.0.0:{port}")
            for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
                self.assertEqual(container[probe]["httpGet"]["port"], "admin", component)

    def test_collectors_and_publisher_meet_at_one_socket(self):
        objects = render(FOLDER / "values" / "everything.yaml")
        sockets = {config_of(objects, name)["publisher"]["socket"] for name in ("collector-ds", "collector-misc")}
        self.assertEqual(sockets, {config_of(objects, "publisher-ds")["listen"]["socket"]})

    def test_every_file_that_a_configuration_names_is_mounted(self):
        tokens = ["backend.ingest.tokensSecret=publisher-tokens"]
        rendered = [render(settings=tokens), render(FOLDER / "values" / "proxied.yaml")]
        for objects, workload in ((objects, workload) for objects in rendered for workload in objects.workloads()):
            component = workload["metadata"]["labels"]["app.kubernetes.io/component"]
            container = only_container(workload["spec"]["template"]["spec"])
            folders = [mount["mountPath"] for mount in container["volumeMounts"]] + ["/etc/defender/rules"]
            config = config_of(objects, component)
            # Below host_root, which is mounted whole: the node names the audit file.
            config.get("audit", {}).pop("path", None)
            for key, path in files(config):
                self.assertTrue(any(path.startswith(folder) for folder in folders), f"{component}: {key}: {path}")

    def test_the_store_keeps_what_is_over_for_as_long_as_the_values_say(self):
        keys = ("kubernetes_changes_seconds", "resolved_findings_seconds")
        for values, expected in [(None, (30 * 86400, 90 * 86400)), (FOLDER / "values" / "backend-only.yaml", (604800, 86400))]:
            store = config_of(render(values), "backend")["store"]
            self.assertEqual(tuple(store[key] for key in keys), expected)

    def test_yours_is_merged_over_the_charts(self):
        objects = render(FOLDER / "values" / "everything.yaml")
        config = config_of(objects, "collector-ds")
        self.assertEqual(config["kernel"], {"ring_bytes": "8MiB"})
        self.assertEqual(config["host_root"], "/host")
        self.assertEqual(config["rules"]["paths"], ["/etc/defender/rules", "/etc/defender/custom-rules"])

    def test_your_rules_arrive_as_you_wrote_them(self):
        values = FOLDER / "values" / "everything.yaml"
        written = yaml.safe_load(values.read_text())["rules"]["custom"]
        self.assertEqual(render(values).find("ConfigMap", "defender-custom-rules")["data"], written)

    def test_your_suppressions_arrive_as_you_wrote_them(self):
        values = FOLDER / "values" / "everything.yaml"
        written = yaml.safe_load(values.read_text())["suppressions"]
        objects = render(values)
        self.assertEqual(objects.find("ConfigMap", "defender-suppressions")["data"], written)
        self.assertEqual(config_of(objects, "collector-ds")["suppressions"]["paths"], ["/etc/defender/suppressions"])
        self.assertEqual(config_of(render(), "collector-ds")["suppressions"]["paths"], [])

    def test_your_threat_intelligence_arrives_as_you_wrote_it(self):
        values = FOLDER / "values" / "everything.yaml"
        objects = render(values)
        written = yaml.safe_load(values.read_text())["threatIntelligence"]["files"]
        self.assertEqual(objects.find("ConfigMap", "defender-threat-intelligence")["data"], written)
        (folder,) = config_of(objects, "collector-ds")["threat_intelligence"]["paths"]
        pod = objects.find("DaemonSet", "defender-collector-ds")["spec"]["template"]["spec"]
        (mount,) = [mount["name"] for mount in only_container(pod)["volumeMounts"] if mount["mountPath"] == folder]
        (volume,) = [volume for volume in pod["volumes"] if volume["name"] == mount]
        names = [source["configMap"]["name"] for source in volume["projected"]["sources"]]
        self.assertEqual(names, ["defender-threat-intelligence", "feed"])

    def test_the_publisher_reports_to_the_service_of_this_release(self):
        objects = render(namespace="security")
        self.assertEqual(config_of(objects, "publisher-ds")["backend"]["url"], "https://defender-backend.security.svc:443")
        service = objects.find("Service", "defender-backend")["spec"]
        self.assertEqual([(port["port"], port["targetPort"]) for port in service["ports"]], [(443, "ingest")])

    def test_the_publisher_goes_through_the_proxy_with_its_token(self):
        objects = render(FOLDER / "values" / "proxied.yaml")
        config = config_of(objects, "publisher-ds")
        self.assertEqual(config["backend"]["url"], ["https://defender.example.com", "https://defender-2.example.com:8443"])
        self.assertEqual((config["backend"]["certificate_file"], config["backend"]["key_file"]), ("", ""))
        self.assertEqual(config["backend"]["token_file"], "/etc/defender/token/token")
        self.assertEqual(config["proxy"]["url"], "https://proxy.example.com:3128")
        volumes = objects.pod("DaemonSet", "defender-publisher-ds")["volumes"]
        secrets = {volume["secret"]["secretName"] for volume in volumes if "secret" in volume}
        self.assertEqual(secrets, {"defender-publisher", "defender-publisher-token", "proxy-user"})
        rules = objects.find("NetworkPolicy", "defender-publisher-ds")["spec"]["egress"]
        tcp = [(port["port"], rule.get("to")) for rule in rules for port in rule["ports"] if port["protocol"] == "TCP"]
        self.assertEqual(tcp[0], (3128, [{"ipBlock": {"cidr": "203.0.113.9/32"}}]))
        self.assertEqual({port for port, _ in tcp[1:]}, {53}, "nothing but the proxy and DNS is reached")

    def test_the_backend_takes_tokens_where_a_secret_holds_them(self):
        settings = ["backend.ingest.tokensSecret=publisher-tokens"]
        config = config_of(render(settings=settings), "backend")
        self.assertEqual(config["ingest"]["tokens_file"], "/etc/defender/publisher-tokens/tokens.yaml")
        self.assertEqual(config_of(render(), "backend")["ingest"]["tokens_file"], "")

    def test_receivers_of_otlp_get_the_files_of_their_secrets_and_a_way_out(self):
        objects = render(FOLDER / "values" / "otlp-alone.yaml")
        config = config_of(objects, "publisher-ds")
        self.assertEqual(config["backend"]["url"], "")
        siem, alerts = config["otlp"]
        self.assertEqual(siem["resource"], {"k8s.cluster.name": "edge-8"})
        self.assertEqual(alerts["lanes"], ["alert"])
        pod = objects.find("DaemonSet", "defender-publisher-ds")["spec"]["template"]["spec"]
        mounts = {mount["mountPath"]: mount for mount in only_container(pod)["volumeMounts"]}
        self.assertNotIn("/etc/defender/tls", mounts)
        files = [siem["ca_file"], siem["certificate_file"], siem["key_file"], siem["headers"][0]["value_file"]]
        self.assertEqual({str(pathlib.PurePath(file).parent) for file in files}, {"/etc/defender/otlp/siem"})
        (volume,) = [it for it in pod["volumes"] if it["name"] == mounts["/etc/defender/otlp/siem"]["name"]]
        self.assertEqual(volume["secret"]["secretName"], "siem")
        egress = objects.find("NetworkPolicy", "defender-publisher-ds")["spec"]["egress"]
        ports = [rule["ports"][0]["port"] for rule in egress]
        self.assertEqual(ports[:2], [4317, 443])
        self.assertIn("namespaceSelector", egress[0]["to"][0])

    def test_the_services_select_the_backends_pods(self):
        objects = render()
        labels = objects.find("StatefulSet", "defender-backend")["spec"]["template"]["metadata"]["labels"]
        for service in objects.kind("Service"):
            self.assertLessEqual(service["spec"]["selector"].items(), labels.items())

    def test_the_pod_monitor_selects_every_workload(self):
        objects = render(FOLDER / "values" / "everything.yaml")
        (monitor,) = objects.kind("PodMonitor")
        wanted = monitor["spec"]["selector"]["matchLabels"]
        for workload in objects.workloads():
            self.assertLessEqual(wanted.items(), workload["spec"]["template"]["metadata"]["labels"].items())
        for policy in objects.kind("NetworkPolicy"):
            ports = [port["port"] for rule in policy["spec"]["ingress"] for port in rule["ports"]]
            self.assertTrue({9101, 9102, 9103, 9104} & set(ports), policy["metadata"]["name"])


def check(binary, text, objects):
    """Has the binary read the file; the folders with rules, which it reads too, lie elsewhere than in the pod."""
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        for kind in ("custom-rules", "suppressions", "threat-intelligence"):
            (folder / kind).mkdir()
            for name, content in files_of(objects, kind).items():
                (folder / kind / name).write_text(content)
            text = text.replace(f"/etc/defender/{kind}", str(folder / kind))
        text = text.replace("/etc/defender/rules", str(RULES))
        file = folder / "configuration"
        file.write_text(text)
        done = subprocess.run([binary, "--check-config", "--config", file], capture_output=True, text=True, timeout=30)
        if done.returncode != 0:
            raise AssertionError(f"{binary.name} refuses:\n{done.stderr}\n{text}")


def files_of(objects, kind):
    found = [one["data"] for one in objects.kind("ConfigMap") if one["metadata"]["name"] == f"defender-{kind}"]
    return found[0] if found else {}


def files(config):
    """Keys and values that are paths in the pod, but for the runtimes' sockets, which lie below the host's root."""
    for key, value in config.items():
        if key in ("container_runtimes", "listen") and not isinstance(value, dict):
            continue
        if isinstance(value, dict):
            if key != "container_runtimes":
                yield from files(value)
        elif isinstance(value, str) and value.startswith("/"):
            yield key, value
        elif isinstance(value, list):
            yield from ((key, each) for each in value if isinstance(each, str) and each.startswith("/"))

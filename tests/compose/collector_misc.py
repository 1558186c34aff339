"""collector-misc from its image, inside its limits, with the pods of a cluster to watch."""

import json
import os
import pathlib
import re
import subprocess

from kubernetes_api import KubernetesApi
from suite import docker, inspect, private, wait_for

MEBIBYTE = 1024 * 1024
MEMORY = 64 * MEBIBYTE
PODS = 5000


def run_collector(suite, kubeconfig):
    """As the chart runs it: read-only, without a capability or a way out, 64Mi and 60m."""
    options = [
        "--detach", "--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--memory=64m", "--cpus=0.06",
        f"--network={suite.name}_metrics", f"--volume={suite.name}_socket:/run/defender:ro",
        f"--volume={kubeconfig.parent}:/etc/defender/kubernetes:ro",
        "--env=DEFENDER_KUBERNETES__KUBECONFIG=/etc/defender/kubernetes/config",
        "--env=DEFENDER_ADMIN__LISTEN=0.0.0.0:9103", "--env=NODE_NAME=compose-node",
    ]
    return docker("run", *options, suite.image("collector-misc")).strip()


def check(case, suite):
    """Runs it until all pods are known and it reported to the backend, and stops it."""
    gateway = inspect_network(f"{suite.name}_metrics")["IPAM"]["Config"][0]["Gateway"]
    server = KubernetesApi(gateway, PODS)
    case.addCleanup(server.stop)
    kubeconfig = suite.folder / "kubernetes" / "config"
    private(kubeconfig, server.kubeconfig(suite.authority.read_bytes()).encode())
    container = run_collector(suite, kubeconfig)
    case.addCleanup(docker, "rm", "--force", container)
    suite.containers["collector-misc"] = container
    case.addCleanup(suite.containers.pop, "collector-misc")

    def objects_are_known():
        metrics = suite.fetch("collector-misc", 9103, "/metrics")
        case.assertIn(f'defender_kubernetes_objects{{kind="Pod"}} {PODS}', metrics)
        suite.fetch("collector-misc", 9103, "/readyz")

    def it_reports():
        sensors = suite.api("/api/v1/sensors")["items"]
        case.assertIn("collector-misc", [sensor["component"] for sensor in sensors])

    def logs():
        # The programs log to standard error.
        command = [os.environ["DOCKER"], "logs", "--tail", "20", container]
        return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False).stdout

    wait_for(f"all {PODS} pods are known and it is ready", 180, objects_are_known, logs)
    wait_for("it reports to the backend", 180, it_reports, logs)
    state = inspect(container)
    case.assertEqual(state["Config"]["User"], "65532:65532")
    case.assertEqual((state["HostConfig"]["Memory"], state["HostConfig"]["NanoCpus"]), (MEMORY, 60_000_000))
    case.assertFalse(state["State"]["OOMKilled"])
    resident = rss(state["State"]["Pid"])
    print(f"\nshown: compose, collector-misc with {PODS} pods: RSS {resident / MEBIBYTE:.1f} MiB of 64 MiB")
    case.assertLess(resident, MEMORY)
    docker("stop", "--time", "30", container)
    case.assertEqual(inspect(container)["State"]["ExitCode"], 0, logs())


def inspect_network(name):
    return json.loads(docker("network", "inspect", name))[0]


def rss(pid):
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s*(\d+) kB", text)[1]) * 1024

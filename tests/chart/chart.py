"""Renders the chart with the real helm and gives its objects back."""

import os
import pathlib
import subprocess

import yaml

FOLDER = pathlib.Path(__file__).parent
CHART = FOLDER.parent.parent / "charts" / "defender"
VALUES = sorted((FOLDER / "values").glob("*.yaml"))
NAMESPACE = "kube-system"


class HelmError(Exception):
    """Helm refused; the text is what it said."""


def helm(*arguments, binary="HELM", environment=None):
    command = [os.environ[binary], *map(str, arguments)]
    # Helm must find neither a cluster nor plugins of the one who runs the tests.
    clean = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "KUBECONFIG": "/nonexistent", **(environment or {})}
    done = subprocess.run(command, capture_output=True, text=True, env=clean, timeout=120)
    if done.returncode != 0:
        raise HelmError(done.stderr)
    return done.stdout


def render(values=None, settings=(), kubernetes="1.35.0", namespace=NAMESPACE, binary="HELM"):
    """The rendered objects: `values` is a file, `settings` are KEY=VALUE."""
    arguments = ["template", "defender", CHART, "--namespace", namespace, "--kube-version", kubernetes]
    if values:
        arguments += ["--values", values]
    for setting in settings:
        arguments += ["--set", setting]
    return Objects(yaml.safe_load_all(helm(*arguments, binary=binary)))


class Objects(list):
    """Kubernetes objects, to be found by kind and name."""

    def __init__(self, objects):
        super().__init__(one for one in objects if one)

    def kind(self, kind):
        return [one for one in self if one["kind"] == kind]

    def find(self, kind, name):
        found = [one for one in self.kind(kind) if one["metadata"]["name"] == name]
        if len(found) != 1:
            have = sorted(f"{one['kind']}/{one['metadata']['name']}" for one in self)
            raise AssertionError(f"{len(found)} objects are {kind}/{name}; rendered were {', '.join(have)}")
        return found[0]

    def workloads(self):
        return self.kind("DaemonSet") + self.kind("Deployment") + self.kind("StatefulSet")

    def pod(self, kind, name):
        return self.find(kind, name)["spec"]["template"]["spec"]


def all_pods(objects):
    """Name and pod of each workload."""
    return [(one["metadata"]["name"], one["spec"]["template"]["spec"]) for one in objects.workloads()]


def only_container(pod):
    (container,) = pod["containers"]
    return container


def config_of(objects, component):
    """The configuration file that the chart writes for a binary."""
    return yaml.safe_load(objects.find("ConfigMap", f"defender-{component}")["data"][f"{component}.yaml"])

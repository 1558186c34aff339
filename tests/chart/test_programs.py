"""Publisher and backend, the real ones, with nothing but what the chart made for them: files, certificates, token."""

import base64
import json
import os
import pathlib
import socket
import ssl
import subprocess
import tempfile
import time
import unittest
import urllib.request

from chart import FOLDER, render

NODE = "node-1.example"
WITHIN = 30


@unittest.skipUnless(os.environ.get("DEFENDER_DIST"), "DEFENDER_DIST names no folder with the binaries")
class Programs(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.objects = render(settings=["clusterName=prod-1"])
        self.ports = {"8443": free_port(), "8080": free_port(), "9104": free_port(), "9102": free_port()}
        self.token = self.secret("defender-api-token", "backend/api")["token"].decode()

    def test_publisher_and_backend_meet_by_the_certificates_that_helm_made(self):
        self.start("backend", "defender-backend-tls")
        self.start("publisher-ds", "defender-publisher-tls")
        sensor = self.wait_for_sensor()
        self.assertEqual((sensor["cluster"], sensor["node"]), ("prod-1", NODE))

    def test_a_node_enrols_by_a_token_that_the_backends_command_line_made(self):
        self.objects = render(FOLDER / "values" / "enrolment.yaml")
        self.token = self.secret("defender-api-token", "backend/api")["token"].decode()
        self.start("backend", "defender-backend-tls")
        token = self.command("tokens", "create", "--cluster", "prod-1")
        given = self.folder / "publisher-ds" / "enrolment"
        given.mkdir(parents=True)
        (given / "token").write_text(token)
        (given / "ca.crt").write_bytes((self.folder / "backend" / "tls" / "ca.crt").read_bytes())
        self.start("publisher-ds")
        sensor = self.wait_for_sensor()
        self.assertEqual((sensor["cluster"], sensor["node"]), ("prod-1", NODE))
        self.assertIn(NODE, self.command("list"))

    def command(self, *arguments):
        """`backend enrolment` beside the running backend, once that answers."""
        program = pathlib.Path(os.environ["DEFENDER_DIST"]) / "backend"
        config = self.folder / "backend" / "config.yaml"
        end = time.monotonic() + WITHIN
        while True:
            done = subprocess.run([program, "enrolment", *arguments, "--config", config], capture_output=True, text=True, timeout=60)
            if done.returncode == 0:
                return done.stdout
            if time.monotonic() > end:
                raise AssertionError(done.stderr)
            time.sleep(0.1)

    def start(self, component, tls_secret=None):
        """The program, with its own folder in the place of each that the pod has."""
        home = self.folder / component
        if tls_secret:
            self.secret(tls_secret, f"{component}/tls")
        text = self.objects.find("ConfigMap", f"defender-{component}")["data"][f"{component}.yaml"]
        changes = {
            "/etc/defender/": f"{home}/",
            "/var/lib/defender/": f"{home}/",
            "/run/defender/": f"{home}/",
            "https://defender-backend.kube-system.svc:443": f"https://localhost:{self.ports['8443']}",
        }
        changes |= {f"0.0.0.0:{port}": f"127.0.0.1:{free}" for port, free in self.ports.items()}
        for before, after in changes.items():
            text = text.replace(before, after)
        (home / "config.yaml").write_text(text)
        with open(home / "log", "w", encoding="utf-8") as log:
            program = pathlib.Path(os.environ["DEFENDER_DIST"]) / component
            environment = {**os.environ, "NODE_NAME": NODE}
            process = subprocess.Popen([program, "--config", home / "config.yaml"], stderr=log, env=environment)
        self.addCleanup(process.wait, timeout=30)
        self.addCleanup(process.terminate)

    def secret(self, name, folder):
        """A Secret's content, also as files below `folder`."""
        content = {key: base64.b64decode(value) for key, value in self.objects.find("Secret", name)["data"].items()}
        place = self.folder / folder
        place.mkdir(parents=True, exist_ok=True)
        for key, value in content.items():
            (place / key).write_bytes(value)
        return content

    def wait_for_sensor(self):
        end, problem = time.monotonic() + WITHIN, None
        while time.monotonic() < end:
            try:
                for sensor in self.sensors():
                    if sensor["component"] == "publisher-ds":
                        return sensor
            except OSError as error:
                problem = error
            time.sleep(0.1)
        logs = "\n".join((self.folder / name / "log").read_text()[-2000:] for name in ("backend", "publisher-ds"))
        raise AssertionError(f"no publisher among the sensors within {WITHIN} s; {problem or ''}\n{logs}")

    def sensors(self):
        context = ssl.create_default_context(cafile=self.folder / "backend" / "tls" / "ca.crt")
        request = urllib.request.Request(
            f"https://localhost:{self.ports['8080']}/api/v1/sensors", headers={"Authorization": f"Bearer {self.token}"}
        )
        with urllib.request.urlopen(request, context=context, timeout=10) as answer:
            return json.load(answer)["items"]


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]
